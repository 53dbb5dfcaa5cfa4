//! What a process changes, or learns about its earlier requests, by system calls other than those on signals and files.
//! Each of these calls must be the last thing that a request does to its process.

use super::{is_control, replaced};
use crate::attempt::Attempt;
use crate::state::{self, Own};
use crate::sys;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

pub(super) const ATTEMPTS: &[Attempt] = &[
    replaced("keep-mapping", "keep a mapping", &MAPPING),
    replaced("keep-protection", "keep memory write-protected", &PROTECTION),
    replaced("keep-break", "keep a larger heap (brk)", &BREAK),
    replaced("keep-swapped-pages", "keep what is in pages that it had swapped out", &SWAPPED),
    replaced("keep-dropped-pages", "keep pages dropped that aren't empty at the start", &DROPPED),
    replaced("keep-thread-name", "keep another name of its thread", &NAME),
    replaced("keep-robust-list", "keep another robust list", &ROBUST_LIST),
    replaced("keep-restartable-sequences", "keep an area for restartable sequences (rseq)", &SEQUENCES),
    replaced("keep-barriers", "keep itself registered for memory barriers", &BARRIERS),
    replaced("keep-umask", "keep another umask", &state::UMASK),
    replaced("keep-working-folder", "keep another working folder", &state::FOLDER),
    replaced("keep-priority", "keep another priority", &state::PRIORITY),
    replaced("keep-limit", "keep another limit of open descriptors", &LIMIT),
    replaced("keep-timer-slack", "keep another slack of timers", &SLACK),
    replaced("see-processor-time", "see what earlier requests have used (getrusage)", &asks!(usage)),
    replaced("see-times", "see the processor time of earlier requests (times)", &asks!(times)),
    replaced("see-thread-time", "see the processor time of earlier requests (a clock)", &asks!(clock)),
    replaced("see-resident-pages", "see which pages earlier requests have used (mincore)", &asks!(resident)),
];

/// An attempt that is one call, which shows something about earlier requests.
macro_rules! asks {
    ($ask:ident) => {
        Own { leave: || $ask().map(drop), is_there: is_control }
    };
}
use asks;

const PAGE_BYTES: usize = 4096;

/// An address at which nothing is: of the 47 bits that a process has, mappings begin at the other end.
const ADDRESS: usize = 0x2200_0000_0000;

const MAPPING: Own = Own {
    leave: || map().map(drop),
    is_there: || match map() {
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(true),
        mapped => mapped.map(|_| false),
    },
};

fn map() -> io::Result<usize> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    sys::call(libc::SYS_mmap, &[ADDRESS, PAGE_BYTES, protection as usize, flags as usize, usize::MAX, 0])
}

/// A page that no other variable is on.
#[repr(align(4096))]
struct Page([AtomicU8; PAGE_BYTES]);

impl Page {
    const fn new(value: u8) -> Self {
        Self([const { AtomicU8::new(0) }; PAGE_BYTES]).with_first(value)
    }

    const fn with_first(mut self, value: u8) -> Self {
        self.0[0] = AtomicU8::new(value);
        self
    }

    fn first(&self) -> u8 {
        self.0[0].load(Ordering::SeqCst)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        sys::call(libc::SYS_madvise, &[sys::at(&self.0), PAGE_BYTES, advice as usize]).map(drop)
    }
}

static PROTECTED: Page = Page::new(1);

const PROTECTION: Own = Own {
    leave: || {
        let page = [sys::at(&PROTECTED.0), PAGE_BYTES, libc::PROT_READ as usize];
        sys::call(libc::SYS_mprotect, &page).map(drop)
    },
    // The kernel can't write there either, and says so instead of killing the process.
    is_there: || match sys::call(libc::SYS_getrandom, &[sys::at(&PROTECTED.0) + 1, 1, 0]) {
        Err(error) if error.raw_os_error() == Some(libc::EFAULT) => Ok(true),
        written => written.map(|_| false),
    },
};

/// The offset in a page at which the break ends afterwards, where malloc never puts it.
const ODD_BYTES: usize = 0x230;

const BREAK: Own = Own {
    leave: || {
        let now = sys::call(libc::SYS_brk, &[0])?;
        let after = now.next_multiple_of(PAGE_BYTES) + ODD_BYTES;
        match sys::call(libc::SYS_brk, &[after])? {
            reached if reached == after => Ok(()),
            _ => Err(io::Error::from_raw_os_error(libc::ENOMEM)),
        }
    },
    is_there: || sys::call(libc::SYS_brk, &[0]).map(|end| end % PAGE_BYTES == ODD_BYTES),
};

static PAGED_OUT: Page = Page::new(0);

const SWAPPED: Own = Own {
    leave: || {
        const MADV_PAGEOUT: libc::c_int = 21;
        PAGED_OUT.0[0].store(1, Ordering::SeqCst);
        PAGED_OUT.advise(MADV_PAGEOUT)
    },
    is_there: || Ok(PAGED_OUT.first() != 0),
};

static CHANGED: Page = Page::new(1);

/// Dropping a page of the module's variables brings back what is in the file.
const DROPPED: Own = Own {
    leave: || {
        CHANGED.0[0].store(2, Ordering::SeqCst);
        CHANGED.advise(libc::MADV_DONTNEED)?;
        CHANGED.0[1].store(1, Ordering::SeqCst);
        Ok(())
    },
    is_there: || Ok(CHANGED.0[1].load(Ordering::SeqCst) != 0),
};

const NAME: Own = Own {
    leave: || {
        sys::call(libc::SYS_prctl, &[libc::PR_SET_NAME as usize, sys::at(c"fezz-kept"), 0, 0, 0]).map(drop)
    },
    is_there: || {
        let mut name = [0_u8; 16];
        sys::call(libc::SYS_prctl, &[libc::PR_GET_NAME as usize, sys::at_mut(&mut name), 0, 0, 0])?;
        Ok(name.starts_with(b"fezz-kept"))
    },
};

/// The head of an empty list (get_robust_list(2)): it refers to itself.
static HEAD: [AtomicU8; 24] = [const { AtomicU8::new(0) }; 24];

/// It can't be asked for in a jail. The kernel walks it when the thread ends, and nothing more.
const ROBUST_LIST: Own = Own {
    leave: || sys::call(libc::SYS_set_robust_list, &[sys::at(&HEAD), HEAD.len()]).map(drop),
    is_there: || {
        let (mut head, mut bytes) = (0_usize, 0_usize);
        let arguments = [0, sys::at_mut(&mut head), sys::at_mut(&mut bytes)];
        match sys::call(libc::SYS_get_robust_list, &arguments) {
            Err(error) if sys::is_denial(&error) => is_control(),
            asked => asked.map(|_| head == sys::at(&HEAD)),
        }
    },
};

/// The area of rseq(2) in the form that every kernel knows.
#[repr(align(32))]
struct Area([AtomicU8; 32]);

static AREA: Area = Area([const { AtomicU8::new(0) }; 32]);

/// What glibc registers with on this architecture.
const SIGNATURE: usize = 0x5305_3053;

/// The kernel answers EBUSY for the area that a thread has, and EINVAL for another.
const SEQUENCES: Own = Own {
    leave: || {
        const UNREGISTER: usize = 1;
        // A runner may have no area any more.
        let (area, bytes) = registered()?;
        sys::call(libc::SYS_rseq, &[area, bytes, UNREGISTER, SIGNATURE]).ok();
        register().map(drop)
    },
    is_there: || match register() {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => Ok(true),
        registered => registered.map(|_| false),
    },
};

fn register() -> io::Result<usize> {
    sys::call(libc::SYS_rseq, &[sys::at(&AREA.0), AREA.0.len(), 0, SIGNATURE])
}

/// The area that glibc has registered, with its size.
fn registered() -> io::Result<(usize, usize)> {
    let offset = variable(c"__rseq_offset")?;
    let bytes = variable(c"__rseq_size")?;
    // SAFETY: the offset is a `ptrdiff_t` of the C library, which never changes.
    let offset = unsafe { (offset as *const isize).read() };
    // SAFETY: the size is an `unsigned int` of the C library, which never changes.
    let bytes = unsafe { (bytes as *const u32).read() };
    let thread: usize;
    // SAFETY: the first word of the thread's control block is its own address (the ABI of x86-64).
    unsafe { std::arch::asm!("mov {}, fs:[0]", out(reg) thread, options(nostack, readonly)) };
    const BYTES_MIN: usize = 32;
    Ok((thread.wrapping_add_signed(offset), (bytes as usize).max(BYTES_MIN)))
}

fn variable(name: &std::ffi::CStr) -> io::Result<usize> {
    // SAFETY: the name ends in NUL.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    if address.is_null() {
        Err(super::memory::missing("the C library has no rseq"))
    } else {
        Ok(address as usize)
    }
}

const BARRIERS: Own = Own {
    leave: || sys::call(libc::SYS_membarrier, &[PRIVATE_EXPEDITED << 1, 0]).map(drop),
    is_there: || match sys::call(libc::SYS_membarrier, &[PRIVATE_EXPEDITED, 0]) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => Ok(false),
        asked => asked.map(|_| true),
    },
};

/// The command; the one that registers for it is the next bit (membarrier(2)).
const PRIVATE_EXPEDITED: usize = 1 << 3;

const FILES_MAX: u64 = 33;

const LIMIT: Own = Own {
    leave: || {
        let limit = [FILES_MAX; 2];
        sys::call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE as usize, sys::at(&limit), 0]).map(drop)
    },
    is_there: || {
        let mut limit = [0_u64; 2];
        sys::call(libc::SYS_prlimit64, &[0, libc::RLIMIT_NOFILE as usize, 0, sys::at_mut(&mut limit)])?;
        Ok(limit[0] == FILES_MAX)
    },
};

const SLACK_NS: usize = 123_456;

const SLACK: Own = Own {
    leave: || sys::call(libc::SYS_prctl, &[libc::PR_SET_TIMERSLACK as usize, SLACK_NS, 0, 0, 0]).map(drop),
    is_there: || {
        sys::call(libc::SYS_prctl, &[libc::PR_GET_TIMERSLACK as usize, 0, 0, 0, 0])
            .map(|slack| slack == SLACK_NS)
    },
};

fn usage() -> io::Result<usize> {
    let mut usage = [0_u64; 18];
    sys::call(libc::SYS_getrusage, &[libc::RUSAGE_SELF as usize, sys::at_mut(&mut usage)])
}

fn times() -> io::Result<usize> {
    let mut times = [0_u64; 4];
    sys::call(libc::SYS_times, &[sys::at_mut(&mut times)])
}

fn clock() -> io::Result<usize> {
    let mut time = [0_u64; 2];
    let arguments = [libc::CLOCK_THREAD_CPUTIME_ID as usize, sys::at_mut(&mut time)];
    sys::call(libc::SYS_clock_gettime, &arguments)
}

fn resident() -> io::Result<usize> {
    let mut is_resident = [0_u8];
    sys::call(libc::SYS_mincore, &[sys::at(&CHANGED.0), PAGE_BYTES, sys::at_mut(&mut is_resident)])
}
