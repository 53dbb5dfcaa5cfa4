//! What a rewinding zygote and its children need of the system, one a function.

use crate::allocations;
use crate::jail::policy::UFFD_USER_MODE_ONLY;
use crate::syscalls::last_error;
use libc::c_int;
use rustix::fd::{FromRawFd, OwnedFd, RawFd};
use rustix::io::Errno;
use std::hint::black_box;
use std::ptr::null_mut;

/// Makes a userfaultfd(2) of this process, for faults of its own code.
///
/// # Errors
///
/// `ENOSYS`: the kernel is built without it.
pub(super) fn userfaultfd() -> Result<OwnedFd, Errno> {
    let flags = UFFD_USER_MODE_ONLY.cast_signed() | libc::O_CLOEXEC;
    // SAFETY: takes flags, and no pointer.
    let descriptor = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
    let descriptor = RawFd::try_from(descriptor).ok().filter(|descriptor| *descriptor >= 0);
    let descriptor = descriptor.ok_or_else(last_error)?;
    // SAFETY: it must be open, with no other owner: the kernel has just made it for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Memory that another process writes: the host, while this one waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffer {
    address: *mut u8,
    bytes: usize,
}

impl Buffer {
    /// Maps it, zeroed, for good. Pages that aren't touched take no memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn map(bytes: usize) -> Result<Self, Errno> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: at an address of the kernel's choice, it changes no mapping that exists.
        let mapped = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) };
        if mapped == libc::MAP_FAILED {
            Err(last_error())
        } else {
            Ok(Self { address: mapped.cast(), bytes })
        }
    }

    pub(super) fn address(self) -> *const u8 {
        self.address
    }

    /// Its size in bytes.
    pub(super) fn size(self) -> usize {
        self.bytes
    }

    /// The first `length` bytes; fewer if it is smaller.
    ///
    /// # Safety
    ///
    /// The host doesn't write them as long as the result is in use.
    pub(super) unsafe fn written(&self, length: usize) -> &[u8] {
        // SAFETY: as many bytes are mapped there for good, and initialized by the kernel or the host. The caller promises
        // that nothing writes them; this process does so nowhere.
        unsafe { std::slice::from_raw_parts(self.address, length.min(self.bytes)) }
    }
}

/// How the kernel handles a signal: its own struct of a handler, flags, a restorer and a mask (rt_sigaction(2)). Not by
/// libc, which hides two signals that it uses itself.
///
/// # Errors
///
/// `EINVAL`: there is no such signal.
pub(super) fn handling(signal: c_int) -> Result<[u64; 4], Errno> {
    const MASK_BYTES: usize = 8;
    let mut handling = [0_u64; 4];
    let (new, old) = (null_mut::<u64>(), handling.as_mut_ptr());
    // SAFETY: the kernel writes its struct, of 32 bytes on both architectures, where the array lies.
    let result = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, MASK_BYTES) };
    if result == 0 { Ok(handling) } else { Err(last_error()) }
}

/// Where handlers run: the address, flags and size of the alternate stack (sigaltstack(2)).
///
/// # Errors
///
/// None in practice.
pub(super) fn alternate_stack() -> Result<(usize, c_int, usize), Errno> {
    let mut stack = libc::stack_t { ss_sp: null_mut(), ss_flags: 0, ss_size: 0 };
    // SAFETY: the kernel writes it where it lies; null means that nothing is changed.
    let result = unsafe { libc::sigaltstack(std::ptr::null(), &raw mut stack) };
    if result == 0 { Ok((stack.ss_sp.addr(), stack.ss_flags, stack.ss_size)) } else { Err(last_error()) }
}

/// Has malloc(3) get memory from the kernel that ordinary requests don't exceed, and keep it. brk(2) and mmap(2) taint a
/// request. If the memory limit leaves no room, requests make these calls.
pub(super) fn grow_heap() {
    const HEAP_BYTES: c_int = 1 << 20;
    /// Below the threshold, so that it comes out of the heap.
    const BLOCK_BYTES: usize = HEAP_BYTES as usize * 3 / 4;
    let settings = [
        // Nothing is given back.
        (libc::M_TRIM_THRESHOLD, c_int::MAX),
        // This much more than what is needed is taken at a time.
        (libc::M_TOP_PAD, HEAP_BYTES),
        // Smaller blocks get no mapping of their own.
        (libc::M_MMAP_THRESHOLD, HEAP_BYTES),
    ];
    for (parameter, value) in settings {
        // SAFETY: has no precondition; an unknown parameter would be refused.
        unsafe { libc::mallopt(parameter, value) };
    }
    let block = black_box(allocations::malloc(BLOCK_BYTES));
    // SAFETY: malloc(3) has just returned it, perhaps as null; nothing uses it.
    unsafe { libc::free(block) };
    // No room is no failure of the module.
    allocations::forget();
}

/// Has the kernel extend the stack's mapping once, by 1 MiB, so that no request does: the mappings of a process mustn't
/// differ between two requests. Where the limit of the stack is low, it stays as it is.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
pub(super) fn grow_stack() {
    const DEPTH_BYTES: u64 = 1 << 20;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Stack).current;
    if limit.is_some_and(|limit| limit < 4 * DEPTH_BYTES) {
        return;
    }
    // SAFETY: the kernel extends the stack for any access within its limit. Reading changes nothing, and takes no memory:
    // the kernel maps its page of zeros.
    unsafe {
        std::arch::asm!("test byte ptr [rsp - {0}], 0", const DEPTH_BYTES, options(nostack, readonly));
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn grow_stack() {}

/// Has the kernel forget the C library's area for restartable sequences (rseq(2)), into which it would write on which
/// processor the process runs, at any time. The C library then asks for that when it needs it.
///
/// # Errors
///
/// The area can't be given back.
pub(super) fn unregister_rseq() -> Result<(), Errno> {
    const UNREGISTER: c_int = 1;
    /// The number that glibc registers it with on this architecture (sys/rseq.h, RSEQ_SIG).
    const SIGNATURE: u32 = 0x5305_3053;
    /// The size of the first version, which glibc registers at least.
    const BYTES_FIRST: u32 = 32;
    let Some(area) = rseq_area() else { return Ok(()) };
    // SAFETY: has no precondition.
    let [bytes, alignment] = [AT_RSEQ_FEATURE_SIZE, AT_RSEQ_ALIGN].map(|key| unsafe { libc::getauxval(key) });
    let bytes_now = u32::try_from(bytes.next_multiple_of(alignment.max(1))).unwrap_or(0);
    let mut result = Err(Errno::INVAL);
    for bytes in [BYTES_FIRST, bytes_now] {
        // SAFETY: the area is that of this thread, and the kernel writes no more than the size that was registered: it
        // refuses any other.
        let done = unsafe { libc::syscall(libc::SYS_rseq, area, bytes, UNREGISTER, SIGNATURE) };
        if done == 0 {
            return Ok(());
        }
        result = Err(last_error());
    }
    result
}

/// Keys of getauxval(3) that the libc crate lacks (linux/auxvec.h).
const AT_RSEQ_FEATURE_SIZE: libc::c_ulong = 27;
const AT_RSEQ_ALIGN: libc::c_ulong = 28;

/// Where glibc has it, since version 2.35 (the GNU C Library manual, "Restartable Sequences"); `None` if it has none.
fn rseq_area() -> Option<usize> {
    // SAFETY: both names end in NUL.
    let [offset, size] = [c"__rseq_offset", c"__rseq_size"]
        .map(|name| unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) });
    if offset.is_null() || size.is_null() {
        return None;
    }
    // SAFETY: glibc declares the first as ptrdiff_t, and nothing writes it after the start.
    let offset = unsafe { offset.cast::<isize>().read() };
    // SAFETY: likewise, as unsigned int; 0 where it has registered none.
    let size = unsafe { size.cast::<u32>().read() };
    (size > 0).then(|| thread_pointer().wrapping_add_signed(offset))
}

/// The address of the thread's control block, which is in its first word (ELF Handling For Thread-Local Storage, 4.6).
#[cfg(target_arch = "x86_64")]
fn thread_pointer() -> usize {
    let address: usize;
    // SAFETY: reads one word that every thread has.
    unsafe {
        std::arch::asm!("mov {0}, fs:0", out(reg) address, options(nostack, readonly, preserves_flags));
    }
    address
}

#[cfg(not(target_arch = "x86_64"))]
fn thread_pointer() -> usize {
    0
}

/// Whether XSAVE can be used: the kernel has enabled it (CPUID, OSXSAVE).
#[cfg(target_arch = "x86_64")]
pub(super) fn has_os_xsave() -> bool {
    std::arch::x86_64::__cpuid(1).ecx & 1 << 27 != 0
}

/// Whether the kernel lets processes set their FS and GS bases (getauxval(3), HWCAP2_FSGSBASE). Not by rustix, which opens
/// a file in /proc for it.
#[cfg(target_arch = "x86_64")]
pub(super) fn has_fs_gs_base() -> bool {
    // SAFETY: has no precondition.
    let features = unsafe { libc::getauxval(libc::AT_HWCAP2) };
    features & 1 << 1 != 0
}

/// Whether the kernel has enabled protection keys (CPUID, OSPKE; pkeys(7)).
#[cfg(target_arch = "x86_64")]
pub(super) fn has_protection_keys() -> bool {
    let has_leaf = std::arch::x86_64::__cpuid(0).eax >= 7;
    has_leaf && std::arch::x86_64::__cpuid_count(7, 0).ecx & 1 << 4 != 0
}

/// The size of the extended state that the kernel has enabled, in the standard format of XSAVE.
#[cfg(target_arch = "x86_64")]
pub(super) fn extended_state_bytes() -> usize {
    std::arch::x86_64::__cpuid_count(0xd, 0).ebx as usize
}
