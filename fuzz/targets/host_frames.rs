//! What a worker sends to the host: any bytes, in parts of any length.
#![no_main]

#[path = "../checks/host_frames.rs"]
mod check;
#[path = "../../crates/hhrf/src/execute/worker/frame_reader.rs"]
mod frame_reader;

use frame_reader::{FrameReader, Piece};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
