//! Finds the heads of requests among a client's HTTP/2 frames, and whether they are complete. It reads the frames'
//! headers and skips the payloads.

/// Follows the frames of one connection (RFC 9113, section 4.1).
#[derive(Debug)]
pub(crate) struct HeaderBlocks {
    /// Bytes before the next frame's header: the rest of the preface, or of a payload.
    rest: usize,
    /// The part of a frame's header that has arrived.
    header: [u8; FRAME_HEADER_BYTES],
    header_bytes: usize,
    /// The frame whose payload is arriving.
    frame: Frame,
    open: Option<OpenBlock>,
    opened: u64,
}

/// A head that has begun and is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenBlock {
    /// Which of the connection's it is.
    pub number: u64,
    /// Payload bytes of complete frames: h2 has decoded them.
    pub decoded_bytes: usize,
    /// What has arrived of an incomplete payload.
    pub raw_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    OfBlock,
    LastOfBlock,
    Other,
}

/// "PRI * HTTP/2.0" and so on (RFC 9113, section 3.4).
const PREFACE_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 9;

const HEADERS: u8 = 1;
/// No client may send one, but h2 decodes it before it refuses it.
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

impl Default for HeaderBlocks {
    /// For a connection whose preface hasn't arrived.
    fn default() -> Self {
        Self {
            rest: PREFACE_BYTES,
            header: [0; FRAME_HEADER_BYTES],
            header_bytes: 0,
            frame: Frame::Other,
            open: None,
            opened: 0,
        }
    }
}

impl HeaderBlocks {
    pub(crate) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = if self.rest > 0 { self.read_payload(bytes.len()) } else { self.read_header(bytes) };
            bytes = &bytes[taken..];
        }
    }

    /// The incomplete head, if there is one.
    pub(crate) fn open(&self) -> Option<OpenBlock> {
        self.open
    }

    fn read_payload(&mut self, available: usize) -> usize {
        let taken = self.rest.min(available);
        self.rest -= taken;
        if self.frame != Frame::Other
            && let Some(block) = &mut self.open
        {
            block.raw_bytes += taken;
        }
        self.end_frame();
        taken
    }

    fn read_header(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(FRAME_HEADER_BYTES - self.header_bytes);
        self.header[self.header_bytes..][..taken].copy_from_slice(&bytes[..taken]);
        self.header_bytes += taken;
        if self.header_bytes == FRAME_HEADER_BYTES {
            self.header_bytes = 0;
            self.begin_frame();
            self.end_frame();
        }
        taken
    }

    fn begin_frame(&mut self) {
        let [length @ .., kind, flags, _, _, _, _] = self.header;
        self.rest = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.frame = match kind {
            HEADERS | PUSH_PROMISE | CONTINUATION if flags & END_HEADERS != 0 => Frame::LastOfBlock,
            HEADERS | PUSH_PROMISE | CONTINUATION => Frame::OfBlock,
            _ => Frame::Other,
        };
        if self.frame != Frame::Other && self.open.is_none() {
            self.opened += 1;
            self.open = Some(OpenBlock { number: self.opened, decoded_bytes: 0, raw_bytes: 0 });
        }
    }

    /// Ends the frame, if its payload is complete.
    fn end_frame(&mut self) {
        match (&mut self.open, self.frame) {
            _ if self.rest > 0 => {}
            (Some(block), Frame::OfBlock) => block.decoded_bytes += std::mem::take(&mut block.raw_bytes),
            (_, Frame::LastOfBlock) => self.open = None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: u8 = 0;
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn open(number: u64, decoded_bytes: usize, raw_bytes: usize) -> Option<OpenBlock> {
        Some(OpenBlock { number, decoded_bytes, raw_bytes })
    }

    /// Checks which head is open after `frames`: fed at once, byte by byte, and in two parts split at every point.
    fn check(frames: &[Vec<u8>], expected: Option<OpenBlock>) {
        let bytes = [PREFACE, &frames.concat()].concat();
        let after = |parts: &mut dyn Iterator<Item = &[u8]>| {
            let mut blocks = HeaderBlocks::default();
            parts.for_each(|part| blocks.read(part));
            blocks.open()
        };
        assert_eq!(after(&mut [&bytes[..]].into_iter()), expected);
        assert_eq!(after(&mut bytes.chunks(1)), expected);
        for split in 0..bytes.len() {
            let (first, second) = bytes.split_at(split);
            assert_eq!(after(&mut [first, second].into_iter()), expected, "split at {split}");
        }
    }

    #[test]
    fn a_whole_head_is_not_open_and_no_payload_is_taken_for_a_frame() {
        check(&[], None);
        check(&[frame(HEADERS, END_HEADERS, b"abc")], None);
        check(&[frame(HEADERS, END_HEADERS, b"")], None);
        let inner = frame(HEADERS, 0, b"abc");
        check(&[frame(DATA, 0, &inner), frame(DATA, 0, b""), frame(HEADERS, END_HEADERS, &inner)], None);
    }

    #[test]
    fn a_head_without_its_last_frame_is_open() {
        check(&[frame(HEADERS, 0, b"abc")], open(1, 3, 0));
        check(&[frame(PUSH_PROMISE, 0, b"abc")], open(1, 3, 0));
        check(&[frame(HEADERS, 0, b""), frame(CONTINUATION, 0, b"ab")], open(1, 2, 0));
        check(&[frame(HEADERS, 0, b"abc"), frame(CONTINUATION, END_HEADERS, b"ab")], None);
    }

    #[test]
    fn a_head_whose_last_frame_is_not_whole_is_open() {
        let cut = |frame: Vec<u8>, bytes: usize| frame[..frame.len() - bytes].to_vec();
        check(&[cut(frame(HEADERS, END_HEADERS, b"abc"), 1)], open(1, 0, 2));
        check(&[cut(frame(HEADERS, END_HEADERS, b"abc"), 3)], open(1, 0, 0));
        check(&[cut(frame(HEADERS, END_HEADERS, b"abc"), 4)], None);
        let last = cut(frame(CONTINUATION, END_HEADERS, b"abc"), 2);
        check(&[frame(HEADERS, 0, b"ab"), last], open(1, 2, 1));
    }

    #[test]
    fn each_head_has_a_number() {
        let whole = frame(HEADERS, END_HEADERS, b"abc");
        check(&[whole.clone(), whole, frame(DATA, 0, b"abc"), frame(HEADERS, 0, b"a")], open(3, 1, 0));
    }
}
