//! Sockets for attempts to connect or send to. They are non-blocking: the check looks afterwards for what has arrived.

use std::fs::{self, Permissions};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

/// One of every kind.
#[derive(Debug)]
pub(super) struct Sockets {
    tcp: TcpListener,
    /// `None` on a machine without IPv6.
    tcp_v6: Option<TcpListener>,
    udp: UdpSocket,
    /// By a path, and by an abstract name (unix(7)).
    streams: [UnixListener; 2],
    datagrams: [UnixDatagram; 2],
    stream: Names,
    datagram: Names,
}

/// Where a kind of Unix socket is found.
#[derive(Debug)]
struct Names {
    path: PathBuf,
    name: String,
}

impl Sockets {
    /// Opens them below `folder`, and by names that begin with `marker`.
    ///
    /// # Errors
    ///
    /// Those of the calls.
    pub(super) fn open(folder: &Path, marker: &str) -> io::Result<Self> {
        let names = |kind: &str| Names { path: folder.join(kind), name: format!("{marker}-{kind}") };
        let (stream, datagram) = (names("stream"), names("datagram"));
        let abstract_name = |names: &Names| SocketAddr::from_abstract_name(&names.name);
        let sockets = Self {
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
            tcp_v6: TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).ok(),
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            streams: [UnixListener::bind(&stream.path)?, UnixListener::bind_addr(&abstract_name(&stream)?)?],
            datagrams: [
                UnixDatagram::bind(&datagram.path)?,
                UnixDatagram::bind_addr(&abstract_name(&datagram)?)?,
            ],
            stream,
            datagram,
        };
        sockets.never_block()?;
        for names in [&sockets.stream, &sockets.datagram] {
            const FOR_ALL: u32 = 0o777;
            fs::set_permissions(&names.path, Permissions::from_mode(FOR_ALL))?;
        }
        Ok(sockets)
    }

    fn never_block(&self) -> io::Result<()> {
        self.tcp.set_nonblocking(true)?;
        self.tcp_v6.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        self.udp.set_nonblocking(true)?;
        self.streams.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
        self.datagrams.iter().try_for_each(|socket| socket.set_nonblocking(true))
    }

    /// Their addresses, as lines for the module. The port of a missing socket is 0.
    pub(super) fn lines(&self) -> String {
        let port = |address: io::Result<std::net::SocketAddr>| address.map_or(0, |address| address.port());
        format!(
            "tcp_port={}\ntcp_v6_port={}\nudp_port={}\nunix_stream={}\nunix_datagram={}\nunix_abstract={}\n\
             unix_abstract_datagram={}\n",
            port(self.tcp.local_addr()),
            self.tcp_v6.as_ref().map_or(0, |socket| port(socket.local_addr())),
            port(self.udp.local_addr()),
            self.stream.path.display(),
            self.datagram.path.display(),
            self.stream.name,
            self.datagram.name,
        )
    }

    /// What has arrived since the last call.
    pub(super) fn arrivals(&self) -> Vec<&'static str> {
        let mut seen = Vec::new();
        let tcp_v6 = self.tcp_v6.iter().any(|socket| arrived(|| socket.accept()));
        if arrived(|| self.tcp.accept()) || tcp_v6 {
            seen.push("a TCP connection arrived");
        }
        if arrived(|| self.udp.recv(&mut [0])) {
            seen.push("a UDP datagram arrived");
        }
        let streams: Vec<bool> = self.streams.iter().map(|socket| arrived(|| socket.accept())).collect();
        if streams.contains(&true) {
            seen.push("a Unix connection arrived");
        }
        let datagrams: Vec<bool> =
            self.datagrams.iter().map(|socket| arrived(|| socket.recv(&mut [0]))).collect();
        if datagrams.contains(&true) {
            seen.push("a Unix datagram arrived");
        }
        seen
    }
}

/// Takes everything that has arrived, so that it isn't attributed to a later attempt.
fn arrived<T>(mut take: impl FnMut() -> io::Result<T>) -> bool {
    std::iter::from_fn(|| take().ok()).count() > 0
}
