//! What a worker of modules reads from its stdin: any bytes, in parts of any length.
#![no_main]

#[path = "../checks/runner_frames.rs"]
mod check;
#[expect(dead_code, reason = "the writer is not under test")]
#[path = "../../crates/fezz-runner/src/worker/frames.rs"]
mod frames;

use frames::{BUFFER_BYTES, FrameError, FrameReader};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| check::check(bytes));
