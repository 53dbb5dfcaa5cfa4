//! What attempts are to reach: files, sockets, a process. What arrives here counts, whatever the module says.

use super::victim::Victim;
use crate::children::Children;
use rustix::fs::{Mode, chmod};
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All baits of one check.
#[derive(Debug)]
pub struct Baits {
    tcp: TcpListener,
    tcp_v6: Option<TcpListener>,
    udp: UdpSocket,
    streams: [UnixListener; 2],
    datagrams: [UnixDatagram; 2],
    open_folder: PathBuf,
    victim: Victim,
    children: Arc<Children>,
    lines: String,
    /// What everything is called that an attempt makes: files, queues, processes.
    pub marker: String,
}

/// Why a bait can't be set.
#[derive(Debug, thiserror::Error)]
pub enum BaitError {
    /// A file.
    #[error("failed to make the bait `{}`", path.display())]
    File {
        /// Where it was to be.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A socket.
    #[error("failed to make the bait socket {what}")]
    Socket {
        /// Of which kind.
        what: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The victim.
    #[error("failed to start the bait process")]
    Victim(#[source] io::Error),
}

const FOR_ALL: u32 = 0o777;

impl Baits {
    /// Sets the baits below `folder`; `secret` is what lies in the host's environment.
    ///
    /// # Errors
    ///
    /// See [`BaitError`].
    pub fn set(folder: &Path, secret: &str, children: &Arc<Children>) -> Result<Self, BaitError> {
        let marker = format!("fezz-{:08x}", rand::random::<u32>());
        let open_folder = folder.join("open");
        fs::create_dir(&open_folder)
            .and_then(|()| mode(&open_folder, FOR_ALL))
            .map_err(|source| BaitError::File { path: open_folder.clone(), source })?;
        let (private, public) = (folder.join("bait-0600"), folder.join("bait-0644"));
        let inode = file(&private, 0o600)?;
        file(&public, 0o644)?;

        let tcp = tcp((Ipv4Addr::LOCALHOST, 0).into())?;
        // A machine may be without.
        let tcp_v6 = self::tcp((Ipv6Addr::LOCALHOST, 0).into()).ok();
        let udp =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|udp| udp.set_nonblocking(true).map(|()| udp));
        let udp = udp.map_err(|source| BaitError::Socket { what: "udp", source })?;
        let (stream, datagram) = (folder.join("stream"), folder.join("datagram"));
        let [stream_name, datagram_name] = ["stream", "datagram"].map(|kind| format!("{marker}-{kind}"));
        let streams = unix_streams(&stream, &stream_name)
            .map_err(|source| BaitError::Socket { what: "unix", source })?;
        let datagrams = unix_datagrams(&datagram, &datagram_name)
            .map_err(|source| BaitError::Socket { what: "unix", source })?;

        let root = fs::metadata("/").map_err(|source| BaitError::File { path: "/".into(), source })?;
        let port = |address: io::Result<std::net::SocketAddr>| {
            address.map(|address| address.port()).unwrap_or_default()
        };
        let lines = [
            ("secret", secret.to_owned()),
            ("marker", marker.clone()),
            ("key", (rand::random::<u32>() >> 1 | 1).to_string()),
            ("folder", folder.display().to_string()),
            ("open_folder", open_folder.display().to_string()),
            ("bait_0600", private.display().to_string()),
            ("bait_0644", public.display().to_string()),
            ("bait_inode", inode.to_string()),
            ("root_device", root.dev().to_string()),
            ("root_inode", root.ino().to_string()),
            ("disk", disk().to_owned()),
            ("tcp_port", port(tcp.local_addr()).to_string()),
            ("tcp_v6_port", tcp_v6.as_ref().map_or(0, |listener| port(listener.local_addr())).to_string()),
            ("udp_port", port(udp.local_addr()).to_string()),
            ("unix_stream", stream.display().to_string()),
            ("unix_datagram", datagram.display().to_string()),
            ("unix_abstract", stream_name),
            ("unix_abstract_datagram", datagram_name),
            ("host", std::process::id().to_string()),
        ];
        let lines = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        let victim = Victim::start(children)?;
        let children = Arc::clone(children);
        Ok(Self { tcp, tcp_v6, udp, streams, datagrams, open_folder, victim, children, lines, marker })
    }

    /// Where they are, as the module reads it: `name=value` lines.
    pub fn lines(&self) -> String {
        format!("{}victim={}\n", self.lines, self.victim.pid())
    }

    /// What has reached a bait since this was last asked.
    ///
    /// # Errors
    ///
    /// A new victim is needed and can't be started.
    pub fn reached(&mut self) -> Result<Option<String>, BaitError> {
        let mut byte = [0];
        let mut arrivals = [
            ("a TCP connection arrived", count(|| self.tcp.accept())),
            ("a UDP datagram arrived", count(|| self.udp.recv(&mut byte))),
        ]
        .to_vec();
        arrivals
            .extend(self.tcp_v6.iter().map(|socket| ("a TCP connection arrived", count(|| socket.accept()))));
        arrivals.extend(
            self.streams.iter().map(|socket| ("a Unix connection arrived", count(|| socket.accept()))),
        );
        arrivals.extend(
            self.datagrams.iter().map(|socket| ("a Unix datagram arrived", count(|| socket.recv(&mut [0])))),
        );
        let arrived = arrivals.into_iter().filter(|(_, count)| *count > 0);
        let mut seen: Vec<String> = arrived.map(|(what, _)| what.to_owned()).collect();
        if let Some(death) = self.victim.death() {
            seen.push(format!("the victim died: {death}"));
            self.victim = Victim::start(&self.children)?;
        }
        for left in fs::read_dir(&self.open_folder).into_iter().flatten().flatten() {
            seen.push(format!("a file was left: {}", left.file_name().display()));
            fs::remove_file(left.path()).ok();
        }
        Ok((!seen.is_empty()).then(|| seen.join(", ")))
    }

    /// Gives up a victim that may be stopped or traced.
    ///
    /// # Errors
    ///
    /// Another can't be started.
    pub fn renew_victim(&mut self) -> Result<(), BaitError> {
        self.victim = Victim::start(&self.children)?;
        Ok(())
    }
}

/// How often something can be taken from a socket that doesn't block.
fn count<T>(mut take: impl FnMut() -> io::Result<T>) -> usize {
    std::iter::from_fn(|| take().ok()).count()
}

/// A file with a mode of its own, whatever the umask; its inode's number.
fn file(path: &Path, bits: u32) -> Result<u64, BaitError> {
    let make = || {
        fs::write(path, "a bait of hhrf check-jail\n")?;
        mode(path, bits)?;
        fs::metadata(path).map(|metadata| metadata.ino())
    };
    make().map_err(|source| BaitError::File { path: path.to_owned(), source })
}

fn mode(path: &Path, bits: u32) -> io::Result<()> {
    Ok(chmod(path, Mode::from_raw_mode(bits))?)
}

fn tcp(address: std::net::SocketAddr) -> Result<TcpListener, BaitError> {
    let listener = TcpListener::bind(address);
    let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|source| BaitError::Socket { what: "tcp", source })
}

/// By a path, and by an abstract name.
fn unix_streams(path: &Path, name: &str) -> io::Result<[UnixListener; 2]> {
    let sockets =
        [UnixListener::bind(path)?, UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?];
    mode(path, FOR_ALL)?;
    sockets.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
    Ok(sockets)
}

fn unix_datagrams(path: &Path, name: &str) -> io::Result<[UnixDatagram; 2]> {
    let sockets =
        [UnixDatagram::bind(path)?, UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?];
    mode(path, FOR_ALL)?;
    sockets.iter().try_for_each(|socket| socket.set_nonblocking(true))?;
    Ok(sockets)
}

/// A disk of this machine, empty where none is known.
fn disk() -> &'static str {
    const KNOWN: [&str; 4] = ["/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/xvda"];
    KNOWN.into_iter().find(|path| Path::new(path).exists()).unwrap_or_default()
}
