//! The reader of a worker of modules finds the frames that are there, and takes no memory that is only announced.

#[path = "expected.rs"]
mod expected;

use super::{BUFFER_BYTES, FrameError, FrameReader};
#[cfg(test)]
pub(super) use expected::corpus;
use expected::{End, Frames};
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

/// Panics if the reader of a worker is wrong about `input`.
pub(super) fn check(input: &[u8]) {
    let Some((step, bytes)) = expected::parts(input) else { return };
    let (mut host, own) = UnixStream::pair().expect("there are descriptors");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // Fails where the reader has refused a frame before.
            let sent = bytes.chunks(step).try_for_each(|part| host.write_all(part));
            sent.and_then(|()| host.shutdown(Shutdown::Write)).ok();
        });
        assert_eq!(read(FrameReader::new(own.into()), bytes.len()), expected::frames(bytes));
    });
}

fn read(mut reader: FrameReader, bytes: usize) -> (Frames, End) {
    let (mut frames, mut payload) = (Frames::new(), Vec::new());
    loop {
        let next = reader.next(&mut payload);
        assert!(payload.capacity() <= 2 * bytes + BUFFER_BYTES, "it took {} bytes", payload.capacity());
        match next {
            Ok(Some(header)) => frames.push((header, payload.clone())),
            Ok(None) => return (frames, End::BetweenFrames),
            Err(FrameError::Torn) => return (frames, End::WithinAFrame),
            Err(FrameError::Header(_)) => return (frames, End::Refused),
            Err(FrameError::Read(error)) => panic!("a socket pair can't be read: {error}"),
        }
    }
}
