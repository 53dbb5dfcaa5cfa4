//! Loads modules into the calling process, and calls them there.
//!
//! **A module that is loaded here can do all that the program can**: read its memory, use its files and connections, end
//! it. Nothing confines it, and if it crashes, the program does. So load only code that is trusted as much as the program
//! itself. No function here is `unsafe`, because the condition that would make a call sound can't be checked: that the
//! module keeps the contract of `fezz.h`. The caller of [`Image::load`] states it for that file.
//!
//! This crate exists so that its user, the host, needs no unsafe code: [`Image`] is a loaded module, and [`Response`] is
//! what one call returned, given back to the module when it is dropped.

mod image;
mod response;

pub use image::{Closed, Image, LoadError, OnLoadError};
pub use response::{EmptyBuffer, Response};
