//! Cuts a stream of bytes into frames, without holding their payloads.

use fezz_wire::frame::{BadHeader, HEADER_BYTES, Header};

/// The place in a stream of frames. It holds the part of a header that has arrived, and nothing else.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    head: [u8; HEADER_BYTES],
    head_bytes: usize,
    /// Of the payload that is arriving; `None` between frames and in a header.
    payload_left: Option<usize>,
}

/// The next piece of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A frame begins.
    Begin(Header),
    /// A part of its payload; never empty.
    Payload(&'a [u8]),
    /// It is complete.
    End,
}

impl FrameReader {
    /// Takes the next piece from the front of `input`; `None` if more must arrive first.
    ///
    /// # Errors
    ///
    /// The header breaks a rule. The stream can't be read further.
    pub(super) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Piece<'a>>, BadHeader> {
        match self.payload_left {
            Some(0) => {
                self.payload_left = None;
                Ok(Some(Piece::End))
            }
            Some(left) => {
                let (part, rest) = input.split_at(left.min(input.len()));
                (*input, self.payload_left) = (rest, Some(left - part.len()));
                Ok((!part.is_empty()).then_some(Piece::Payload(part)))
            }
            None => self.header(input),
        }
    }

    fn header<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Piece<'a>>, BadHeader> {
        let (part, rest) = input.split_at((HEADER_BYTES - self.head_bytes).min(input.len()));
        self.head[self.head_bytes..][..part.len()].copy_from_slice(part);
        (*input, self.head_bytes) = (rest, self.head_bytes + part.len());
        if self.head_bytes < HEADER_BYTES {
            return Ok(None);
        }
        let header = Header::decode(&self.head)?;
        (self.head_bytes, self.payload_left) = (0, Some(header.length as usize));
        Ok(Some(Piece::Begin(header)))
    }

    /// Whether the stream may end here.
    pub(super) fn is_between_frames(&self) -> bool {
        self.head_bytes == 0 && self.payload_left.is_none()
    }
}

#[cfg(test)]
#[path = "../../../../../fuzz/checks/host_frames.rs"]
mod check;

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_wire::frame::{Format, Kind};
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Each frame with its payload, the error, if there is one, and whether the stream ends between two frames.
    type Found = (Vec<(Header, Vec<u8>)>, Option<BadHeader>, bool);

    /// What is read of a stream that arrives in parts.
    fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Found {
        let (mut reader, mut frames, mut current) = (FrameReader::default(), Vec::new(), None);
        for mut part in parts {
            loop {
                match reader.next(&mut part) {
                    Ok(None) => break,
                    Ok(Some(Piece::Begin(header))) => current = Some((header, Vec::new())),
                    Ok(Some(Piece::Payload(bytes))) => current.as_mut().unwrap().1.extend_from_slice(bytes),
                    Ok(Some(Piece::End)) => frames.extend(current.take()),
                    Err(error) => return (frames, Some(error), false),
                }
            }
            assert!(part.is_empty(), "nothing is left without an error");
        }
        (frames, None, reader.is_between_frames())
    }

    fn frame(id: u64, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        let header = Header { length, kind: Kind::Response, format: Format::Cbor, id };
        [&header.encode()[..], payload].concat()
    }

    #[test]
    fn every_stream_of_the_corpus_is_read_or_refused() {
        let streams = check::corpus("host_frames");
        assert!(streams.len() >= 8, "the corpus is missing");
        streams.iter().for_each(|bytes| check::check(bytes));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_pass_the_check_of_the_fuzz_target(bytes in vec(any::<u8>(), 0..300)) {
            check::check(&bytes);
        }

        /// However the bytes are cut, the frames are the same.
        #[test]
        fn frames_do_not_depend_on_how_they_arrive(
            payloads in vec(vec(any::<u8>(), 0..300), 0..8),
            cut_off in 0_usize..64,
            step in 1_usize..400,
        ) {
            let mut bytes: Vec<u8> =
                (0..).zip(&payloads).flat_map(|(id, payload)| frame(id, payload)).collect();
            bytes.truncate(bytes.len().saturating_sub(cut_off));
            let at_once = read(std::iter::once(&bytes[..]));
            prop_assert_eq!(&at_once, &read(bytes.chunks(step)));
            prop_assert_eq!(&at_once, &read(bytes.chunks(1)));
            if cut_off == 0 {
                let found: Vec<Vec<u8>> = at_once.0.into_iter().map(|(_, payload)| payload).collect();
                prop_assert_eq!(found, payloads);
                prop_assert!(at_once.2);
            }
        }

        /// Arbitrary bytes: an error at the same place however they arrive, and never a panic.
        #[test]
        fn arbitrary_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200), step in 1_usize..50) {
            prop_assert_eq!(read(std::iter::once(&bytes[..])), read(bytes.chunks(step)));
        }

        /// The same for bytes that are nearly a frame.
        #[test]
        fn changed_frames_are_read_or_refused(
            payload in vec(any::<u8>(), 0..100),
            changes in vec((0_usize..16, any::<u8>()), 0..4),
            step in 1_usize..50,
        ) {
            let mut bytes = [frame(1, &payload), frame(2, b"next")].concat();
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            prop_assert_eq!(read(std::iter::once(&bytes[..])), read(bytes.chunks(step)));
        }
    }
}
