//! Whole frames from a stream and into it.

use fezz_wire::frame::{BadHeader, HEADER_BYTES, Header};
use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, fcntl_dupfd_cloexec, read, writev};
use std::fs::File;
use std::io::{IoSlice, Read};

/// What is read at once: nearly all requests, in one call.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("failed to read a frame from stdin: a worker needs a SOCK_STREAM Unix socket there")]
    Read(#[source] Errno),
    /// The host's stream has ended in the middle.
    #[error("the host's stream ends within a frame")]
    Torn,
    #[error(transparent)]
    Header(#[from] BadHeader),
}

/// Reads frames, the beginnings of later ones with them.
#[derive(Debug)]
pub(super) struct FrameReader {
    /// As a file, which std reads by read(2): for a socket it would use another system call.
    socket: File,
    /// What was read and belongs to no returned frame yet, from `taken` on.
    buffer: Vec<u8>,
    taken: usize,
}

impl FrameReader {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self { socket: socket.into(), buffer: Vec::with_capacity(BUFFER_BYTES), taken: 0 }
    }

    /// Waits for the next frame, puts its payload into `payload` and returns its header; `None` where the stream ends
    /// before it. What it allocates is at most twice what has arrived, and a buffer more.
    ///
    /// # Errors
    ///
    /// The stream can't be read or ends within the frame, or its header breaks a rule.
    pub(super) fn next(&mut self, payload: &mut Vec<u8>) -> Result<Option<Header>, FrameError> {
        payload.clear();
        let header = loop {
            if let Some(header) = self.buffer[self.taken..].first_chunk::<HEADER_BYTES>() {
                break Header::decode(header)?;
            }
            if !self.fill()? {
                return if self.taken == self.buffer.len() { Ok(None) } else { Err(FrameError::Torn) };
            }
        };
        self.taken += HEADER_BYTES;
        self.read_payload(header.length as usize, payload)?;
        Ok(Some(header))
    }

    /// Reads more into the buffer; returns whether there was more.
    fn fill(&mut self) -> Result<bool, FrameError> {
        // Less than a header is left, or nothing: moving it is cheap.
        self.buffer.drain(..self.taken);
        self.taken = 0;
        loop {
            let received = wait_for_bytes(&self.socket)
                .and_then(|()| read(&self.socket, spare_capacity(&mut self.buffer)));
            match received {
                Err(Errno::INTR) => {}
                received => return received.map(|bytes| bytes > 0).map_err(FrameError::Read),
            }
        }
    }

    fn read_payload(&mut self, length: usize, payload: &mut Vec<u8>) -> Result<(), FrameError> {
        let buffered = &self.buffer[self.taken..];
        let buffered = &buffered[..length.min(buffered.len())];
        payload.extend_from_slice(buffered);
        self.taken += buffered.len();
        let missing = length - payload.len();
        if missing == 0 {
            return Ok(());
        }
        // It grows the vector as bytes arrive, whatever length the header claims.
        let received = (&self.socket).take(missing as u64).read_to_end(payload);
        match received.map_err(|error| FrameError::Read(of_std(&error)))? {
            received if received == missing => Ok(()),
            _ => Err(FrameError::Torn),
        }
    }
}

/// Waits until there are bytes, or the stream's end. A thread that waits in read(2) is also woken when the host reads a
/// response, because a Unix socket has one queue for those that wait to read and to write: for each request the kernel would
/// switch to this thread once more, in vain. poll(2) tells the queue what it waits for.
fn wait_for_bytes(socket: &File) -> Result<(), Errno> {
    poll(&mut [PollFd::new(socket, PollFlags::IN)], None).map(drop)
}

/// Writes frames, each as a whole.
#[derive(Debug)]
pub(super) struct FrameWriter(OwnedFd);

impl FrameWriter {
    /// Writes into the same socket.
    ///
    /// # Errors
    ///
    /// There are as many descriptors as the limit allows.
    pub(super) fn new(socket: &OwnedFd) -> Result<Self, Errno> {
        Ok(Self(fcntl_dupfd_cloexec(socket, 0)?))
    }

    /// Writes one frame, and waits while the host doesn't read.
    ///
    /// # Errors
    ///
    /// Those of write(2): `EPIPE` if the host is gone.
    pub(super) fn write(&mut self, header: Header, payload: &[u8]) -> Result<(), Errno> {
        let header = header.encode();
        let parts = &mut [IoSlice::new(&header), IoSlice::new(payload)][..];
        let mut parts = if payload.is_empty() { &mut parts[..1] } else { parts };
        while !parts.is_empty() {
            match writev(&self.0, parts) {
                Ok(written) => IoSlice::advance_slices(&mut parts, written),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn of_std(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
#[path = "../../../../fuzz/checks/runner_frames.rs"]
mod check;

#[cfg(test)]
mod tests {
    use super::*;
    use fezz_wire::frame::{Format, Kind, PAYLOAD_BYTES_MAX};
    use rustix::process::Pid;
    use rustix::thread::gettid;
    use std::io::Write;
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    fn frame(id: u64, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap();
        let header = Header { length, kind: Kind::Request, format: Format::Cbor, id };
        [&header.encode()[..], payload].concat()
    }

    fn reader() -> (UnixStream, FrameReader) {
        let (host, own) = UnixStream::pair().unwrap();
        (host, FrameReader::new(own.into()))
    }

    #[test]
    fn frames_are_the_same_however_their_bytes_arrive() {
        let large = vec![7; 3 * BUFFER_BYTES];
        let frames = [frame(1, b"one"), frame(2, b""), frame(3, &large), frame(4, b"four")].concat();
        for step in [1, 5, 4096, frames.len()] {
            let (mut host, mut reader) = reader();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    frames.chunks(step).for_each(|part| host.write_all(part).unwrap());
                    host.shutdown(Shutdown::Write).unwrap();
                });
                let (mut payload, mut found) = (Vec::new(), Vec::new());
                while let Some(header) = reader.next(&mut payload).unwrap() {
                    found.push((header.id, payload.clone()));
                }
                let expected = [(1, b"one".to_vec()), (2, vec![]), (3, large.clone()), (4, b"four".to_vec())];
                assert_eq!(found, expected, "{step}");
            });
        }
    }

    #[test]
    fn a_length_that_is_only_claimed_is_not_allocated() {
        let (mut host, mut reader) = reader();
        let header = Header { length: PAYLOAD_BYTES_MAX, kind: Kind::Request, format: Format::Cbor, id: 1 };
        host.write_all(&header.encode()).unwrap();
        host.write_all(b"so much").unwrap();
        drop(host);
        let mut payload = Vec::new();
        assert!(matches!(reader.next(&mut payload), Err(FrameError::Torn)));
        assert!(
            payload.starts_with(b"so much") && payload.capacity() <= BUFFER_BYTES,
            "{}",
            payload.capacity()
        );
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_no_end() {
        let whole = frame(1, b"abc");
        for cut in 1..whole.len() {
            let (mut host, mut reader) = reader();
            host.write_all(&whole[..cut]).unwrap();
            drop(host);
            assert!(matches!(reader.next(&mut Vec::new()), Err(FrameError::Torn)), "{cut}");
        }
    }

    /// How often a thread of this process has gone to sleep, once it sleeps.
    fn sleeps(thread: Pid) -> u64 {
        loop {
            let status = format!("/proc/self/task/{thread}/status");
            let status = std::fs::read_to_string(status).unwrap();
            let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
            if field("State:").starts_with('S') {
                return field("voluntary_ctxt_switches:").parse().unwrap();
            }
        }
    }

    #[test]
    fn a_thread_that_waits_for_a_frame_sleeps_on_while_the_host_reads_responses() {
        const RESPONSES: u64 = 10;
        let (mut host, mut reader) = reader();
        (0..RESPONSES).for_each(|_| (&reader.socket).write_all(b"response").unwrap());
        std::thread::scope(|scope| {
            let (sender, thread) = std::sync::mpsc::channel();
            scope.spawn(move || {
                sender.send(gettid()).unwrap();
                assert!(reader.next(&mut Vec::new()).unwrap().is_none());
            });
            let thread = thread.recv().unwrap();
            let before = sleeps(thread);
            for _ in 0..RESPONSES {
                host.read_exact(&mut [0; 8]).unwrap();
                sleeps(thread);
            }
            let woken = sleeps(thread) - before;
            drop(host);
            assert!(woken < RESPONSES / 2, "{woken}");
        });
    }

    #[test]
    fn a_header_that_breaks_a_rule_is_named() {
        let (mut host, mut reader) = reader();
        host.write_all(&[0; HEADER_BYTES]).unwrap();
        assert!(matches!(reader.next(&mut Vec::new()), Err(FrameError::Header(BadHeader::Kind(0)))));
    }

    #[test]
    fn every_stream_of_the_corpus_is_read_or_refused() {
        let streams = check::corpus("runner_frames");
        assert!(streams.len() >= 8, "the corpus is missing");
        streams.iter().for_each(|bytes| check::check(bytes));
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            check::check(&bytes);
        }
    }
}
