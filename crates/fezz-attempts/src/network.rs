//! Sockets: connections to the check's baits, which record what arrives, and sockets of every address family.

use crate::attempt::Attempt;
use crate::found::Found;
use crate::params::Params;
use crate::sys;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixDatagram, UnixStream};
use std::time::Duration;

pub(crate) const ATTEMPTS: &[Attempt] = &[
    ("connect-tcp", |params| connect((Ipv4Addr::LOCALHOST, params.number("tcp_port") as u16).into())),
    ("connect-tcp-v6", |params| match params.number("tcp_v6_port") {
        0 => Found::Untried("this machine has no IPv6".to_owned()),
        port => connect((Ipv6Addr::LOCALHOST, port as u16).into()),
    }),
    ("connect-mptcp", |params| connect_by_protocol(libc::AF_INET, libc::IPPROTO_MPTCP, params)),
    ("connect-smc", |params| connect_by_protocol(AF_SMC, 0, params)),
    ("large-send-buffer", large_send_buffer),
    ("connect-by-fast-open", connect_by_fast_open),
    ("connect-by-fast-open-message", connect_by_fast_open_message),
    ("send-udp", send_udp),
    ("bind-tcp", |_| Found::achieved("bind and listen", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))),
    ("listen-without-bind", listen_without_bind),
    ("bind-udp", |_| Found::achieved("bind", UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))),
    ("connect-unix-path", |params| {
        Found::achieved("connect", UnixStream::connect(params.text("unix_stream")))
    }),
    ("connect-unix-abstract", |params| {
        let connect =
            || UnixStream::connect_addr(&UnixAddr::from_abstract_name(params.text("unix_abstract"))?);
        Found::achieved("connect", connect())
    }),
    ("send-unix-path", |params| {
        let send = || UnixDatagram::unbound()?.send_to(BAIT, params.text("unix_datagram"));
        Found::achieved("send", send())
    }),
    ("send-unix-abstract", |params| {
        let address = || UnixAddr::from_abstract_name(params.text("unix_abstract_datagram"));
        let send = || UnixDatagram::unbound()?.send_to_addr(BAIT, &address()?);
        Found::achieved("send", send())
    }),
    ("socket-tcp", |_| socket("a TCP socket", libc::AF_INET, libc::SOCK_STREAM, 0)),
    ("socket-udp", |_| socket("a UDP socket", libc::AF_INET, libc::SOCK_DGRAM, 0)),
    ("socket-unix", |_| socket("a Unix socket", libc::AF_UNIX, libc::SOCK_STREAM, 0)),
    ("socket-raw", |_| socket("a raw socket", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    ("socket-ping", |_| socket("a ping socket", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)),
    ("socket-packet", |_| socket("a packet socket", libc::AF_PACKET, libc::SOCK_RAW, 0)),
    ("socket-netlink-route", |_| {
        socket("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
    }),
    ("socket-netlink-netfilter", |_| {
        socket("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)
    }),
    ("socket-netlink-audit", |_| {
        socket("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT)
    }),
    ("socket-vsock", |_| socket("a vsock socket", libc::AF_VSOCK, libc::SOCK_STREAM, 0)),
    ("socket-sctp", |_| socket("an SCTP socket", libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP)),
    ("socket-udplite", |_| {
        socket("a UDP-Lite socket", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE)
    }),
    ("socket-crypto", |_| socket("a crypto socket", libc::AF_ALG, libc::SOCK_SEQPACKET, 0)),
    ("socket-key", |_| socket("a key management socket", libc::AF_KEY, libc::SOCK_RAW, PF_KEY_V2)),
    ("socket-xdp", |_| socket("an XDP socket", libc::AF_XDP, libc::SOCK_RAW, 0)),
    ("socket-bluetooth", |_| socket("a Bluetooth socket", libc::AF_BLUETOOTH, libc::SOCK_RAW, 1)),
    ("socket-can", |_| socket("a CAN socket", libc::AF_CAN, libc::SOCK_RAW, 1)),
    ("socket-tipc", |_| socket("a TIPC socket", libc::AF_TIPC, libc::SOCK_RDM, 0)),
];

const AF_SMC: i32 = 43;
const PF_KEY_V2: i32 = 2;

/// The content of messages.
const BAIT: &[u8] = b"fezz-attempts was here";

/// Long enough for a handshake on one machine.
const PATIENCE: Duration = Duration::from_secs(1);

fn connect(address: SocketAddr) -> Found {
    let connected =
        TcpStream::connect_timeout(&address, PATIENCE).and_then(|mut stream| stream.write_all(BAIT));
    Found::achieved(&format!("connect to {address}"), connected)
}

/// TCP under another protocol number, which a rule for TCP may not cover.
fn connect_by_protocol(family: i32, protocol: i32, params: &Params<'_>) -> Found {
    let socket = match open(family, libc::SOCK_STREAM, protocol) {
        Ok(socket) => socket,
        Err(error) => return without_socket("the socket", &error),
    };
    let address = localhost(params.number("tcp_port") as u16);
    let connected = sys::call(
        libc::SYS_connect,
        &[socket.as_raw_fd() as usize, sys::at(&address), size_of_val(&address)],
    );
    Found::achieved("connect", connected)
}

/// Kernel memory that no limit of the process counts.
fn large_send_buffer(_: &Params<'_>) -> Found {
    const BYTES: i32 = 1 << 20;
    let socket = match open(libc::AF_INET, libc::SOCK_STREAM, 0) {
        Ok(socket) => socket,
        Err(error) => return without_socket("the socket", &error),
    };
    let arguments = [
        socket.as_raw_fd() as usize,
        libc::SOL_SOCKET as usize,
        libc::SO_SNDBUF as usize,
        sys::at(&BYTES),
        size_of_val(&BYTES),
    ];
    Found::achieved("setsockopt", sys::call(libc::SYS_setsockopt, &arguments))
}

/// The same by sendmsg(2), whose address is in memory, which a filter can't read.
fn connect_by_fast_open_message(params: &Params<'_>) -> Found {
    let socket = match open(libc::AF_INET, libc::SOCK_STREAM, 0) {
        Ok(socket) => socket,
        Err(error) => return without_socket("the socket", &error),
    };
    let mut address = localhost(params.number("tcp_port") as u16);
    let mut piece = libc::iovec { iov_base: BAIT.as_ptr().cast_mut().cast(), iov_len: BAIT.len() };
    // SAFETY: all zeroes is a message without any part: lengths, and pointers that are null.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_name = (&raw mut address).cast();
    message.msg_namelen = size_of_val(&address) as libc::socklen_t;
    message.msg_iov = &raw mut piece;
    message.msg_iovlen = 1;
    let arguments = [socket.as_raw_fd() as usize, sys::at(&message), libc::MSG_FASTOPEN as usize];
    Found::achieved("sendmsg", sys::call(libc::SYS_sendmsg, &arguments))
}

/// sendto(2) with `MSG_FASTOPEN` connects without connect(2), to which a rule may apply.
fn connect_by_fast_open(params: &Params<'_>) -> Found {
    let socket = match open(libc::AF_INET, libc::SOCK_STREAM, 0) {
        Ok(socket) => socket,
        Err(error) => return without_socket("the socket", &error),
    };
    let address = localhost(params.number("tcp_port") as u16);
    let sent = sys::call(
        libc::SYS_sendto,
        &[
            socket.as_raw_fd() as usize,
            sys::at(BAIT),
            BAIT.len(),
            libc::MSG_FASTOPEN as usize,
            sys::at(&address),
            size_of_val(&address),
        ],
    );
    Found::achieved("sendto", sent)
}

fn localhost(port: u16) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(Ipv4Addr::LOCALHOST).to_be() },
        sin_zero: [0; 8],
    }
}

fn send_udp(params: &Params<'_>) -> Found {
    let send = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.send_to(BAIT, (Ipv4Addr::LOCALHOST, params.number("udp_port") as u16))
    };
    match send() {
        // The bait decides whether it arrived.
        Ok(_) => Found::Refused("sent, and lost".to_owned()),
        Err(error) => Found::Refused(format!("send: {}", sys::name(&error))),
    }
}

/// listen(2) on an unbound socket gives it a port (ip(7)), bypassing a rule on bind(2).
fn listen_without_bind(_: &Params<'_>) -> Found {
    match open(libc::AF_INET, libc::SOCK_STREAM, 0) {
        Ok(socket) => {
            Found::achieved("listen", sys::call(libc::SYS_listen, &[socket.as_raw_fd() as usize, 1]))
        }
        Err(error) => without_socket("the socket", &error),
    }
}

fn socket(what: &str, family: i32, kind: i32, protocol: i32) -> Found {
    match open(family, kind, protocol) {
        Ok(_) => Found::Worked(what.to_owned()),
        Err(error) => without_socket(what, &error),
    }
}

fn open(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    sys::open(libc::SYS_socket, &[family as usize, (kind | libc::SOCK_CLOEXEC) as usize, protocol as usize])
}

/// A kernel without an address family answers so only if no filter refuses the call.
fn without_socket(what: &str, error: &io::Error) -> Found {
    const UNKNOWN: [i32; 4] =
        [libc::EAFNOSUPPORT, libc::EPROTONOSUPPORT, libc::ESOCKTNOSUPPORT, libc::EPROTOTYPE];
    let text = format!("{what}: {}", sys::name(error));
    match error.raw_os_error() {
        Some(errno) if UNKNOWN.contains(&errno) => Found::Untried(format!("{text}, this kernel has none")),
        _ => Found::Refused(text),
    }
}
