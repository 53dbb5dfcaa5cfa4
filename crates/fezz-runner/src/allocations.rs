//! Records failed allocations, per thread, so that the signal handler can recognise a crash caused by one. errno isn't
//! enough: code that runs between the failure and the crash, such as Rust's backtrace, overwrites it.
//!
//! Functions of these names in a program replace the C library's, for all modules and libraries too (GNU C Library
//! manual, "Replacing malloc"). They call that library's own allocator, and free(3) stays as it is. Allocators that
//! don't use malloc(3), such as one that a module brings along, aren't recorded here.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

/// The failed allocations of one thread.
#[derive(Debug, Clone, Copy)]
struct Failed {
    /// The largest allocation that failed; 0 where one as large, or none, has succeeded since.
    bytes: usize,
    /// Whether it is the thread's last one.
    is_last: bool,
}

const NONE: Failed = Failed { bytes: 0, is_last: false };

thread_local! {
    // Without a destructor, so that the first use doesn't allocate.
    static FAILED: Cell<Failed> = const { Cell::new(NONE) };
    static HAS_EVER_FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a failed allocation explains an abort on this thread: none as large has succeeded since.
pub(crate) fn explain_abort() -> bool {
    FAILED.get().bytes > 0
}

/// Whether a failed allocation explains a fault at an address: the thread's last allocation failed, and the address
/// lies within its size from the null pointer on.
pub(crate) fn explain_fault_at(address: usize) -> bool {
    let failed = FAILED.get();
    failed.is_last && address < failed.bytes
}

/// Whether any allocation of this thread has failed.
pub(crate) fn have_ever_failed() -> bool {
    HAS_EVER_FAILED.get()
}

/// Clears the record, in a forked process: its zygote's failures don't concern it.
pub(crate) fn forget() {
    // Writing copies a page of memory, reading doesn't.
    if have_ever_failed() {
        HAS_EVER_FAILED.set(false);
        FAILED.set(NONE);
    }
}

/// Records the result of an allocation of `bytes`, and returns it.
fn record(given: *mut c_void, bytes: usize) -> *mut c_void {
    let failed = FAILED.get();
    if given.is_null() && bytes > 0 {
        HAS_EVER_FAILED.set(true);
        FAILED.set(Failed { bytes: bytes.max(failed.bytes), is_last: true });
    } else if failed.bytes > 0 {
        FAILED.set(if bytes >= failed.bytes { NONE } else { Failed { is_last: false, ..failed } });
    }
    given
}

unsafe extern "C" {
    // The allocator of glibc, under the names that it has for this.
    fn __libc_malloc(bytes: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, bytes: usize) -> *mut c_void;
    fn __libc_realloc(old: *mut c_void, bytes: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, bytes: usize) -> *mut c_void;
}

/// malloc(3).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn malloc(bytes: usize) -> *mut c_void {
    // SAFETY: has no precondition.
    record(unsafe { __libc_malloc(bytes) }, bytes)
}

/// calloc(3).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    // SAFETY: has no precondition.
    record(unsafe { __libc_calloc(count, bytes) }, count.saturating_mul(bytes))
}

/// realloc(3).
///
/// # Safety
///
/// `old` is null, or came from this allocator and wasn't freed.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn realloc(old: *mut c_void, bytes: usize) -> *mut c_void {
    // SAFETY: the caller promises the same.
    record(unsafe { __libc_realloc(old, bytes) }, bytes)
}

/// memalign(3).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn memalign(alignment: usize, bytes: usize) -> *mut c_void {
    // SAFETY: has no precondition: it makes a power of two of any alignment.
    record(unsafe { __libc_memalign(alignment, bytes) }, bytes)
}

/// aligned_alloc(3).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn aligned_alloc(alignment: usize, bytes: usize) -> *mut c_void {
    memalign(alignment, bytes)
}

/// posix_memalign(3).
///
/// # Safety
///
/// A pointer can be written to `result`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn posix_memalign(
    result: *mut *mut c_void,
    alignment: usize,
    bytes: usize,
) -> c_int {
    if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<*mut c_void>()) {
        return libc::EINVAL;
    }
    let given = memalign(alignment, bytes);
    if given.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the caller promises that it can be written to.
    unsafe { result.write(given) };
    0
}
