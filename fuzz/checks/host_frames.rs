//! The host's reader finds the frames that are there, in whatever parts they arrive.

#[path = "expected.rs"]
mod expected;

use super::{FrameReader, Piece};
#[cfg(test)]
pub(super) use expected::corpus;
use expected::{End, Frames};

/// Panics if the reader of the host is wrong about `input`.
pub(super) fn check(input: &[u8]) {
    let Some((step, bytes)) = expected::parts(input) else { return };
    assert_eq!(read(bytes.chunks(step)), expected::frames(bytes));
}

fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Frames, End) {
    let (mut reader, mut frames, mut current) = (FrameReader::default(), Frames::new(), None);
    for mut part in parts {
        loop {
            match reader.next(&mut part) {
                Ok(None) => break,
                Ok(Some(Piece::Begin(header))) => current = Some((header, Vec::new())),
                Ok(Some(Piece::Payload(bytes))) => {
                    assert!(!bytes.is_empty(), "an empty part would be read for ever");
                    current.as_mut().expect("a payload follows its header").1.extend_from_slice(bytes);
                }
                Ok(Some(Piece::End)) => frames.push(current.take().expect("an end follows its header")),
                Err(_) => return (frames, End::Refused),
            }
        }
        assert!(part.is_empty(), "the reader leaves bytes");
    }
    (frames, if reader.is_between_frames() { End::BetweenFrames } else { End::WithinAFrame })
}
