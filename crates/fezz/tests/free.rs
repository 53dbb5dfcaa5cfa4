//! The allocator's view of a response: what `fezz_handle_v2` returned is what `fezz_free_v2` gives back.

use fezz::prelude::*;
use fezz_wire::abi::{FezzOwned, FezzSlice};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

#[fezz_function]
fn large(_: FezzRequest) -> String {
    "x".repeat(100_000)
}

unsafe extern "C" {
    fn fezz_handle_v2(request: FezzSlice) -> FezzOwned;
    fn fezz_free_v2(buffer: FezzOwned);
}

/// The system's allocator, which tracks one buffer.
struct Watching;

static WATCHED: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static FREED_BYTES: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Watching = Watching;

// SAFETY: an allocator must hand out memory that no one else uses, and free what it handed out: the system's does, and
// each call is passed on unchanged.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout must not be empty, which the caller of this function promises too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // Watched no longer: the next block at this address is another.
        let unwatched = std::ptr::null_mut();
        if WATCHED.compare_exchange(ptr, unwatched, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            FREED_BYTES.fetch_add(layout.size(), Ordering::SeqCst);
        }
        // SAFETY: the block must be one of `alloc` with this layout, which the caller of this function promises too.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[test]
fn a_buffer_is_freed_once_and_in_its_whole_length() {
    let message = b"\xa0";
    // SAFETY: the slice must be readable for the call: it is a constant.
    let owned = unsafe { fezz_handle_v2(FezzSlice { ptr: message.as_ptr(), len: message.len() }) };
    WATCHED.store(owned.ptr, Ordering::SeqCst);
    // SAFETY: the buffer must be the module's and freed once: it came from above.
    unsafe { fezz_free_v2(owned) };
    assert_eq!(FREED_BYTES.load(Ordering::SeqCst), owned.len);
}

#[test]
fn a_null_buffer_is_ignored() {
    // SAFETY: null is allowed.
    unsafe { fezz_free_v2(FezzOwned::EMPTY) };
}
