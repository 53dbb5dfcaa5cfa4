//! The attempts as a program, which serves the requests of `hhrf check-jail` over stdin (`fezz_wire::frame`). It is
//! executed, not loaded: nothing of the runner is in this process.

use fezz_wire::frame::{Format, HEADER_BYTES, Header, Kind, VERSION};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::FromRawFd;

fn main() -> io::Result<()> {
    // Not a copy: the attempts on descriptors shouldn't find one.
    // SAFETY: descriptor 0 must be open and have no other owner: the runner passes it, and nothing else here uses stdin.
    let mut host = unsafe { std::fs::File::from_raw_fd(0) };
    send(&mut host, Kind::Hello, VERSION, &[])?;
    while let Some((header, payload)) = receive(&mut host)? {
        match header.kind {
            Kind::Request => send(&mut host, Kind::Response, header.id, &fezz_attempts::respond(&payload))?,
            Kind::Ping => send(&mut host, Kind::Pong, header.id, &[])?,
            Kind::Hello | Kind::Response | Kind::Cancel | Kind::Pong => {}
        }
    }
    Ok(())
}

/// The next frame; `None` at the end of the stream.
fn receive(host: &mut impl Read) -> io::Result<Option<(Header, Vec<u8>)>> {
    let mut header = [0; HEADER_BYTES];
    match host.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let header = Header::decode(&header).map_err(io::Error::other)?;
    let mut payload = vec![0; header.length as usize];
    host.read_exact(&mut payload)?;
    Ok(Some((header, payload)))
}

fn send(host: &mut impl Write, kind: Kind, id: u64, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let format = if payload.is_empty() && kind != Kind::Hello { Format::None } else { Format::Cbor };
    host.write_all(&Header { length, kind, format, id }.encode())?;
    host.write_all(payload)
}
