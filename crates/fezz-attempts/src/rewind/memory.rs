//! What a request leaves in memory.

use super::{either, restored, stub};
use crate::attempt::Attempt;
use crate::state::Own;
use std::alloc::{Layout, alloc, dealloc};
use std::cell::Cell;
use std::hint::black_box;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};

pub(super) const ATTEMPTS: &[Attempt] = &[
    restored("keep-static", "keep the value of a static variable", &STATIC),
    restored("keep-thread-local", "keep the value of a thread-local variable", &THREAD_LOCAL),
    restored("keep-heap", "keep the contents of freed memory", &HEAP),
    restored("keep-pointer", "keep a pointer to allocated memory", &POINTER),
    restored("keep-stack", "keep what is on the stack, below the stack pointer", &STACK),
    restored("keep-untouched-memory", "keep what is in memory that was never used before", &UNTOUCHED),
    restored("keep-runner-memory", "keep what it wrote into the runner's memory", &RUNNER),
    restored("keep-request", "keep the end of a request, which a shorter one finds behind its own", &REQUEST),
    either("keep-2000-pages", "keep one of 2,000 pages that it wrote", &MANY),
    either("keep-stack-growth", "keep a stack that has grown by 3 MiB", &DEEP_STACK),
];

/// A value that nothing else has.
pub(super) const MARK: u64 = 0x5eed_0fee_d5ee_d0fe;

const PAGE_BYTES: usize = 4096;

static VALUE: AtomicU64 = AtomicU64::new(1);

const STATIC: Own = Own {
    leave: || {
        VALUE.store(MARK, Ordering::SeqCst);
        Ok(())
    },
    is_there: || Ok(VALUE.load(Ordering::SeqCst) != 1),
};

const THREAD_LOCAL: Own = Own {
    leave: || {
        OF_THREAD.set(MARK);
        Ok(())
    },
    is_there: || Ok(OF_THREAD.get() != 0),
};

thread_local! {
    static OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// Large enough that malloc's own lists overwrite little of it, and too small to get a mapping of its own.
const BLOCK: Layout = match Layout::from_size_align(48 * 1024, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("a size that is a multiple of its alignment"),
};

const HEAP: Own = Own {
    leave: || {
        with_block(|block| fill(&block));
        Ok(())
    },
    is_there: || Ok(with_block(|block| holds(&block))),
};

/// Calls `act` with the addresses of a fresh block, which isn't cleared.
fn with_block<T>(act: impl FnOnce(Range<usize>) -> T) -> T {
    // SAFETY: the size isn't 0.
    let block = unsafe { alloc(BLOCK) };
    assert!(!block.is_null(), "there is no memory");
    let result = act(block as usize..block as usize + BLOCK.size());
    // SAFETY: it was just allocated, with this layout.
    unsafe { dealloc(block, BLOCK) };
    result
}

static KEPT: AtomicUsize = AtomicUsize::new(0);

const POINTER: Own = Own {
    leave: || {
        KEPT.store(Box::leak(Box::new(MARK)) as *mut u64 as usize, Ordering::SeqCst);
        Ok(())
    },
    is_there: || Ok(KEPT.load(Ordering::SeqCst) != 0),
};

/// What lies so far below the stack pointer is used by neither the runner nor the other parts of an attempt.
const BELOW: Range<usize> = 64 * 1024..192 * 1024;

const STACK: Own = Own {
    leave: || {
        fill(&below_the_stack_pointer());
        Ok(())
    },
    is_there: || Ok(holds(&below_the_stack_pointer())),
};

fn below_the_stack_pointer() -> Range<usize> {
    let pointer = crate::sys::at(&black_box(0_u64)) & !(PAGE_BYTES - 1);
    pointer - BELOW.end..pointer - BELOW.start
}

/// Pages without any contents in the file, so that each appears only when it is used.
#[repr(align(4096))]
struct Pages<const BYTES: usize>([AtomicU8; BYTES]);

impl<const BYTES: usize> Pages<BYTES> {
    const fn new() -> Self {
        Self([const { AtomicU8::new(0) }; BYTES])
    }

    /// Writes a byte to each page.
    fn mark(&self) {
        self.0.iter().step_by(PAGE_BYTES).for_each(|byte| byte.store(1, Ordering::Relaxed));
    }

    fn is_marked(&self) -> bool {
        self.0.iter().step_by(PAGE_BYTES).any(|byte| byte.load(Ordering::Relaxed) != 0)
    }
}

static SOME_PAGES: Pages<{ 16 * PAGE_BYTES }> = Pages::new();
static MANY_PAGES: Pages<{ 2000 * PAGE_BYTES }> = Pages::new();

const UNTOUCHED: Own = Own {
    leave: || {
        SOME_PAGES.mark();
        Ok(())
    },
    is_there: || Ok(SOME_PAGES.is_marked()),
};

const MANY: Own = Own {
    leave: || {
        MANY_PAGES.mark();
        Ok(())
    },
    is_there: || Ok(MANY_PAGES.is_marked()),
};

/// Behind the last variable of the runner's, up to the page's end, is memory that it doesn't use.
const RUNNER: Own = Own {
    leave: || {
        fill(&stub::unused_memory_of_program()?);
        Ok(())
    },
    is_there: || Ok(holds(&stub::unused_memory_of_program()?)),
};

/// A step `mark` has many of these bytes at its request's end, a step `look` has none (`padding` in the host).
const PADDING: [u8; 64] = [b'P'; 64];

const REQUEST: Own = Own {
    leave: || Ok(()),
    is_there: || {
        let request = REQUEST_START.load(Ordering::Relaxed)..REQUEST_END.load(Ordering::Relaxed);
        let own_end = if super::is_control()? { request.start } else { request.end };
        // The rest of the page at least is mapped.
        let bytes: Vec<u8> = (own_end..request.end.next_multiple_of(PAGE_BYTES)).map(read).collect();
        Ok(bytes.windows(PADDING.len()).any(|window| window == PADDING))
    },
};

static REQUEST_START: AtomicUsize = AtomicUsize::new(0);
static REQUEST_END: AtomicUsize = AtomicUsize::new(0);

/// Notes where the request lies in memory.
pub(crate) fn note_request(message: &[u8]) {
    let Range { start, end } = message.as_ptr_range();
    REQUEST_START.store(start as usize, Ordering::Relaxed);
    REQUEST_END.store(end as usize, Ordering::Relaxed);
}

const DEEP_STACK: Own = Own {
    leave: || {
        fill(&deep_stack());
        Ok(())
    },
    is_there: || {
        // Reading makes the stack grow as well.
        Ok(holds(&deep_stack()))
    },
};

/// Some pages 3 MiB below the stack pointer: the kernel makes a stack grow up to its limit, wherever it is touched.
fn deep_stack() -> Range<usize> {
    const DEPTH: usize = 3 << 20;
    let top = (crate::sys::at(&black_box(0_u64)) & !(PAGE_BYTES - 1)) - DEPTH;
    top - 4 * PAGE_BYTES..top
}

/// Fills memory with [`MARK`].
fn fill(addresses: &Range<usize>) {
    for address in addresses.clone().step_by(size_of::<u64>()) {
        // SAFETY: the caller names memory that is mapped and writable, and that no variable of this program is in.
        unsafe { (address as *mut u64).write_volatile(MARK) };
    }
}

/// Whether memory holds [`MARK`] anywhere.
fn holds(addresses: &Range<usize>) -> bool {
    addresses.clone().step_by(size_of::<u64>()).any(|address| {
        // SAFETY: the caller names memory that is mapped.
        let value = unsafe { (address as *const u64).read_volatile() };
        value == MARK
    })
}

fn read(address: usize) -> u8 {
    // SAFETY: the caller names memory that is mapped.
    unsafe { (address as *const u8).read_volatile() }
}

/// For other files: what isn't there.
pub(super) fn missing(what: &'static str) -> io::Error {
    io::Error::other(what)
}
