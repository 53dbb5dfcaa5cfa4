//! What a module returned.

use crate::image::Image;
use fezz_wire::abi::FezzOwned;
use std::ops::Deref;

/// The bytes of a response. The module owns them, and gets them back when this is dropped.
#[derive(Debug)]
pub struct Response<'a> {
    buffer: FezzOwned,
    image: &'a Image,
}

/// `fezz_handle_v2` returned no bytes, or more than can exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the module's fezz_handle_v2 returned an empty buffer")]
pub struct EmptyBuffer;

impl<'a> Response<'a> {
    /// Takes a buffer that `image` has just returned.
    pub(crate) fn new(buffer: FezzOwned, image: &'a Image) -> Result<Self, EmptyBuffer> {
        let response = Self { buffer, image };
        // Dropped where it is none, and so given back.
        if response.is_empty() { Err(EmptyBuffer) } else { Ok(response) }
    }
}

impl Deref for Response<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let FezzOwned { ptr, len } = self.buffer;
        if ptr.is_null() || len > isize::MAX as usize {
            return &[];
        }
        // SAFETY: `len` bytes at `ptr` must be readable until the buffer is given back, which the ABI promises; it is given
        // back when `self` is dropped, which the result borrows.
        unsafe { std::slice::from_raw_parts(ptr, len) }
    }
}

impl Drop for Response<'_> {
    fn drop(&mut self) {
        self.image.free(self.buffer);
    }
}
