//! What a stream of frames holds, by a reader that has all of it at once.

use fezz_wire::frame::{HEADER_BYTES, Header};

/// Complete frames with their payloads.
pub(crate) type Frames = Vec<(Header, Vec<u8>)>;

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    BetweenFrames,
    WithinAFrame,
    /// At a header that breaks a rule.
    Refused,
}

pub(crate) fn frames(mut bytes: &[u8]) -> (Frames, End) {
    let mut frames = Frames::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
        let Ok(header) = Header::decode(header) else { return (frames, End::Refused) };
        let Some((payload, rest)) = rest.split_at_checked(header.length as usize) else {
            return (frames, End::WithinAFrame);
        };
        frames.push((header, payload.to_vec()));
        bytes = rest;
    }
    (frames, if bytes.is_empty() { End::BetweenFrames } else { End::WithinAFrame })
}

/// The first byte of an input says how long the parts are in which the others arrive.
pub(crate) fn parts(input: &[u8]) -> Option<(usize, &[u8])> {
    input.split_first().map(|(step, bytes)| (usize::from(*step) + 1, bytes))
}

/// The inputs in the repository for the target of that name: for tests.
#[cfg(test)]
pub(crate) fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| std::fs::read(file.path()).ok()).collect()
}
