//! A process that parks, and writes where it is told to.

use crate::process::Kind;
use crate::{Files, Listener, Pages, PrepareError, Rewindable};
use rustix::process::Pid;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::Arc;

const ORDERS_MAX: usize = 16 * 1024;
const UFFD_USER_MODE_ONLY: libc::c_long = 1;

/// Initialised data, in pages of its own.
#[repr(align(4096))]
pub(super) struct Aligned<const N: usize>([u8; N]);
pub(super) static mut DATA: Aligned<16384> = Aligned([7; 16384]);
pub(super) static mut BSS: Aligned<65536> = Aligned([0; 65536]);

/// Memory that the test maps before it forks.
pub(super) struct Arena {
    pub(super) start: u64,
    pub(super) bytes: usize,
}

/// One thing that a child does.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(super) struct Order {
    address: u64,
    /// Up to 255: the byte to write; else one of the following.
    what: u64,
}

const READ: u64 = 256;
const PAGE_OUT: u64 = 257;
const MAP: u64 = 258;
const BLOCK_SIGNAL: u64 = 259;
const OPEN: u64 = 260;
const LOWER_LIMIT: u64 = 261;

impl Order {
    pub(super) const MAP: Self = Self { address: 0, what: MAP };
    pub(super) const BLOCK_SIGNAL: Self = Self { address: 0, what: BLOCK_SIGNAL };
    pub(super) const OPEN: Self = Self { address: 0, what: OPEN };
    pub(super) const LOWER_LIMIT: Self = Self { address: 0, what: LOWER_LIMIT };

    pub(super) fn write(address: u64, byte: u8) -> Self {
        Self { address, what: byte.into() }
    }

    pub(super) fn read(address: u64) -> Self {
        Self { address, what: READ }
    }

    pub(super) fn page_out(address: u64) -> Self {
        Self { address, what: PAGE_OUT }
    }
}

impl Arena {
    pub(super) fn new(bytes: usize) -> Self {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
        );
        // SAFETY: a new mapping, where the kernel chooses, replaces nothing.
        let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        Self { start: start as u64, bytes }
    }

    /// Writes a byte to each page of the first `bytes`.
    pub(super) fn fill(&self, bytes: usize) {
        for offset in (0..bytes).step_by(4096) {
            self.write(offset, (offset >> 12) as u8 | 1);
        }
    }

    pub(super) fn write(&self, offset: usize, byte: u8) {
        assert!(offset < self.bytes);
        // SAFETY: the address is in this mapping, which only its test uses.
        unsafe { ptr::write_volatile((self.start + offset as u64) as *mut u8, byte) };
    }

    pub(super) fn advise(&self, advice: libc::c_int) {
        // SAFETY: this mapping stays as it is, but for what fills its pages.
        let result = unsafe { libc::madvise(self.start as *mut _, self.bytes, advice) };
        assert_eq!(result, 0);
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: nothing refers to this mapping any more.
        unsafe { libc::munmap(self.start as *mut _, self.bytes) };
    }
}

/// A parked child, that is killed when dropped.
pub(super) struct Child {
    process: Process,
    pub(super) listener: Listener,
    parked: u64,
    orders: Arena,
    pub(super) rewindable: Rewindable,
}

struct Process(Pid);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(self.0, rustix::process::Signal::KILL);
        let _ = rustix::process::waitpid(Some(self.0), rustix::process::WaitOptions::empty());
    }
}

impl Child {
    pub(super) fn fork(base: Option<&Arc<Pages>>) -> Self {
        Self::try_fork(base, u64::MAX, 3).unwrap()
    }

    /// Keeps the descriptors below `descriptors` open.
    pub(super) fn try_fork(
        base: Option<&Arc<Pages>>,
        bytes_max: u64,
        descriptors: u32,
    ) -> Result<Self, PrepareError> {
        let orders = Arena::new(8 + ORDERS_MAX * size_of::<Order>());
        let (hand_over, theirs) = rustix::pipe::pipe().unwrap();
        // SAFETY: the child makes system calls and uses memory that it has by now, and nothing else.
        let pid = match unsafe { libc::fork() } {
            // SAFETY: this is the child, and the orders are mapped.
            0 => unsafe { serve(theirs.as_raw_fd(), orders.start, descriptors) },
            pid => Pid::from_raw(pid).unwrap(),
        };
        let process = Process(pid);
        drop(theirs);
        let mut numbers = [0; 8];
        std::fs::File::from(hand_over).read_exact(&mut numbers).unwrap();
        let number = |at: usize| RawFd::from_ne_bytes(numbers[at..at + 4].try_into().unwrap());
        let userfaultfd = crate::take_descriptor(pid, number(0), Kind::Userfaultfd).unwrap();
        let listener = Listener::from(crate::take_descriptor(pid, number(4), Kind::Listener).unwrap());
        let first = wait(&listener);
        let files = Files::open(pid).unwrap();
        assert!(listener.is_waiting(first).unwrap());
        listener.wake_synchronously().unwrap();
        listener.resume(first, 1).unwrap();
        let parked = wait(&listener);
        assert!(!listener.is_waiting(first).unwrap());
        let rewindable = Rewindable::prepare(files, userfaultfd, base, bytes_max)?;
        Ok(Self { process, listener, parked, orders, rewindable })
    }

    /// Has it carry out orders, and park.
    pub(super) fn order(&mut self, orders: &[Order]) {
        assert!(orders.len() <= ORDERS_MAX);
        let number = (orders.len() as u64).to_ne_bytes();
        let bytes = orders.iter().flat_map(|order| [order.address.to_ne_bytes(), order.what.to_ne_bytes()]);
        let bytes: Vec<u8> = bytes.flatten().collect();
        self.rewindable.write(self.orders.start, &[&number, &bytes]).unwrap();
        self.listener.resume(self.parked, 2).unwrap();
        self.parked = wait(&self.listener);
    }

    pub(super) fn restore(&mut self) -> u64 {
        let written = self.rewindable.written().unwrap();
        let pages = written.pages;
        self.rewindable.restore(written).unwrap();
        pages
    }

    pub(super) fn byte(&self, address: u64) -> u8 {
        let mut byte = [0];
        self.rewindable.read(address, &mut byte).unwrap();
        byte[0]
    }

    pub(super) fn kill(&self) {
        rustix::process::kill_process(self.process.0, rustix::process::Signal::KILL).unwrap();
    }
}

/// Waits until the process parks.
fn wait(listener: &Listener) -> u64 {
    loop {
        let mut files = [rustix::event::PollFd::new(listener, rustix::event::PollFlags::IN)];
        let deadline = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_ne!(rustix::event::poll(&mut files, Some(&deadline)).unwrap(), 0, "the child didn't park");
        if let Some(call) = listener.receive().unwrap() {
            assert_eq!(call.number, fezz_wire::rewind::PARK as i32);
            return call.id;
        }
    }
}

/// The child. Any failure ends it.
///
/// # Safety
///
/// `orders` is the address of a number and of so many orders, whose addresses it may access.
unsafe fn serve(hand_over: RawFd, orders: u64, descriptors: u32) -> ! {
    let numbers = [userfaultfd(), listener()];
    // SAFETY: the kernel reads 8 bytes of this array.
    unsafe { libc::write(hand_over, numbers.as_ptr().cast(), 8) };
    park();
    // SAFETY: nothing uses the descriptors any more; what owns them is in the parent.
    unsafe { libc::close_range(descriptors, u32::MAX, 0) };
    // SAFETY: this changes one flag.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    // A restore brings back memory and no registers, so those at which the child parks must be the same each time.
    // SAFETY: this never returns; between two calls it uses r12, which a C function keeps, and its stack.
    unsafe {
        std::arch::asm!(
            "and rsp, -16",
            "2: mov eax, {park}",
            "syscall",
            "mov rdi, r12",
            "call {carry_out_all}",
            "jmp 2b",
            park = const fezz_wire::rewind::PARK,
            carry_out_all = sym carry_out_all,
            in("r12") orders,
            options(noreturn),
        )
    }
}

extern "C" fn carry_out_all(orders: u64) {
    // SAFETY: the caller of `serve` promises a number there.
    let number = unsafe { ptr::read_volatile(orders as *const u64) };
    for index in 0..number {
        let address = orders + 8 + index * size_of::<Order>() as u64;
        // SAFETY: the caller of `serve` promises an order there.
        carry_out(unsafe { ptr::read_volatile(address as *const Order) });
    }
}

fn carry_out(Order { address, what }: Order) {
    let page = address as *mut libc::c_void;
    match what {
        READ => {
            // SAFETY: the test chose an address that it has mapped. What is there is only of concern to the test.
            unsafe { ptr::read_volatile(address as *const u8) };
        }
        PAGE_OUT => {
            // SAFETY: this changes nothing that the process can see.
            unsafe { libc::madvise(page, 4096, libc::MADV_PAGEOUT) };
        }
        MAP => std::mem::forget(Arena::new(4096)),
        BLOCK_SIGNAL => block_signal(),
        OPEN => {
            // SAFETY: the path is a C string.
            unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY) };
        }
        LOWER_LIMIT => {
            let limit = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
            // SAFETY: the kernel reads one rlimit.
            unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) };
        }
        // SAFETY: as for reading.
        byte => unsafe { ptr::write_volatile(address as *mut u8, byte as u8) },
    }
}

fn block_signal() {
    let set = 1u64 << (libc::SIGUSR1 - 1);
    let nothing = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads the 8 bytes of its own kind of set.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_BLOCK, &raw const set, nothing, 8) };
}

fn park() {
    // SAFETY: the kernel has no such call; the filter passes it to the parent.
    unsafe { libc::syscall(fezz_wire::rewind::PARK.into(), 0, 0) };
}

fn userfaultfd() -> RawFd {
    // SAFETY: this makes a descriptor.
    let number = unsafe {
        libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC as libc::c_long | UFFD_USER_MODE_ONLY)
    };
    number as RawFd
}

/// Installs a filter that passes one system call to its listener and lets all others through.
fn listener() -> RawFd {
    let statement = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, fezz_wire::rewind::PARK, 0, 1),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF, 0, 0),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: this changes one flag.
    unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    let (operation, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
    // SAFETY: the kernel reads the program, and the filter that it points to, both of which are alive.
    let number = unsafe { libc::syscall(libc::SYS_seccomp, operation, flags, &raw const program) };
    number as RawFd
}

/// A private mapping of a file of so many bytes, all of them 3.
pub(super) fn map_file(bytes: usize) -> Arena {
    // SAFETY: the name is a C string.
    let number = unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC) };
    // SAFETY: the descriptor is new.
    let file = unsafe { OwnedFd::from_raw_fd(number) };
    rustix::io::pwrite(&file, &vec![3; bytes], 0).unwrap();
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE);
    // SAFETY: a new mapping, where the kernel chooses, replaces nothing.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, access, kind, file.as_fd().as_raw_fd(), 0) };
    assert_ne!(start, libc::MAP_FAILED);
    Arena { start: start as u64, bytes }
}
