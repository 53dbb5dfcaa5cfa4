//! Sockets: connections to the check's baits, which record what arrives, and sockets of every address family.

use crate::attempt::{Attempt, Variant};
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
    Attempt::new("connect-tcp", "connect to a port of this machine", |params| {
        connect((Ipv4Addr::LOCALHOST, params.number("tcp_port") as u16).into())
    }),
    Attempt::new("connect-tcp-v6", "connect to a port of this machine by IPv6", |params| {
        match params.number("tcp_v6_port") {
            0 => Found::Untried("this machine has no IPv6".to_owned()),
            port => connect((Ipv6Addr::LOCALHOST, port as u16).into()),
        }
    }),
    Attempt::new("connect-mptcp", "connect by multipath TCP", |params| {
        connect_by_protocol(libc::AF_INET, libc::IPPROTO_MPTCP, params)
    }),
    Attempt::new("connect-smc", "connect by SMC", |params| connect_by_protocol(AF_SMC, 0, params)),
    Attempt::new(
        "granted-large-send-buffer",
        "make the kernel buffer a megabyte for a socket",
        large_send_buffer,
    )
    .under(Variant::Network),
    Attempt::new("connect-by-fast-open", "connect by sending (TCP fast open)", connect_by_fast_open),
    Attempt::new(
        "connect-by-fast-open-message",
        "connect by sending a message (TCP fast open)",
        connect_by_fast_open_message,
    ),
    Attempt::new("send-udp", "send a UDP datagram", send_udp),
    Attempt::new("bind-tcp", "listen on a TCP port", |_| {
        Found::achieved("bind and listen", TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
    }),
    Attempt::new("listen-without-bind", "listen on a TCP port without choosing it", listen_without_bind),
    Attempt::new("bind-udp", "take a UDP port", |_| {
        Found::achieved("bind", UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
    }),
    Attempt::new("connect-unix-path", "connect to a Unix socket of the host", |params| {
        Found::achieved("connect", UnixStream::connect(params.text("unix_stream")))
    }),
    Attempt::new("connect-unix-abstract", "connect to an abstract Unix socket of the host", |params| {
        let connect =
            || UnixStream::connect_addr(&UnixAddr::from_abstract_name(params.text("unix_abstract"))?);
        Found::achieved("connect", connect())
    }),
    Attempt::new("send-unix-path", "send a datagram to a Unix socket of the host", |params| {
        let send = || UnixDatagram::unbound()?.send_to(BAIT, params.text("unix_datagram"));
        Found::achieved("send", send())
    }),
    Attempt::new("send-unix-abstract", "send a datagram to an abstract Unix socket of the host", |params| {
        let address = || UnixAddr::from_abstract_name(params.text("unix_abstract_datagram"));
        let send = || UnixDatagram::unbound()?.send_to_addr(BAIT, &address()?);
        Found::achieved("send", send())
    }),
    Attempt::new("socket-tcp", "open a TCP socket", |_| {
        socket("a TCP socket", libc::AF_INET, libc::SOCK_STREAM, 0)
    }),
    Attempt::new("socket-udp", "open a UDP socket", |_| {
        socket("a UDP socket", libc::AF_INET, libc::SOCK_DGRAM, 0)
    }),
    Attempt::new("socket-unix", "open a Unix socket", |_| {
        socket("a Unix socket", libc::AF_UNIX, libc::SOCK_STREAM, 0)
    }),
    Attempt::new("socket-raw", "open a raw socket", |_| {
        socket("a raw socket", libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)
    }),
    Attempt::new("socket-ping", "open a ping socket", |_| {
        socket("a ping socket", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP)
    }),
    Attempt::new("socket-packet", "open a packet socket", |_| {
        socket("a packet socket", libc::AF_PACKET, libc::SOCK_RAW, 0)
    }),
    Attempt::new("socket-netlink-route", "ask the kernel for its interfaces and routes", |_| {
        socket("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)
    }),
    Attempt::new("socket-netlink-netfilter", "open a socket to the kernel's firewall", |_| {
        socket("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER)
    }),
    Attempt::new("socket-netlink-audit", "open a socket to the kernel's audit system", |_| {
        socket("a netlink socket", libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT)
    }),
    Attempt::new("socket-vsock", "open a socket to the hypervisor", |_| {
        socket("a vsock socket", libc::AF_VSOCK, libc::SOCK_STREAM, 0)
    }),
    Attempt::new("socket-sctp", "open an SCTP socket", |_| {
        socket("an SCTP socket", libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP)
    }),
    Attempt::new("socket-udplite", "open a UDP-Lite socket", |_| {
        socket("a UDP-Lite socket", libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_UDPLITE)
    }),
    Attempt::new("socket-crypto", "open a socket to the kernel's cryptography", |_| {
        socket("a crypto socket", libc::AF_ALG, libc::SOCK_SEQPACKET, 0)
    }),
    Attempt::new("socket-key", "open a socket to the kernel's IPsec keys", |_| {
        socket("a key management socket", libc::AF_KEY, libc::SOCK_RAW, PF_KEY_V2)
    }),
    Attempt::new("socket-xdp", "open an XDP socket", |_| {
        socket("an XDP socket", libc::AF_XDP, libc::SOCK_RAW, 0)
    }),
    Attempt::new("socket-bluetooth", "open a Bluetooth socket", |_| {
        socket("a Bluetooth socket", libc::AF_BLUETOOTH, libc::SOCK_RAW, 1)
    }),
    Attempt::new("socket-can", "open a CAN socket", |_| {
        socket("a CAN socket", libc::AF_CAN, libc::SOCK_RAW, 1)
    }),
    Attempt::new("socket-tipc", "open a TIPC socket", |_| {
        socket("a TIPC socket", libc::AF_TIPC, libc::SOCK_RDM, 0)
    }),
    // The same with TCP granted to one port of this machine, another one than the bait's.
    Attempt::again("connect-tcp", "granted-connect-tcp", "connect to another port than it may")
        .under(Variant::Network),
    Attempt::again("connect-tcp-v6", "granted-connect-tcp-v6", "connect to another port than it may by IPv6")
        .under(Variant::Network),
    Attempt::again("connect-mptcp", "granted-connect-mptcp", "connect by multipath TCP")
        .under(Variant::Network),
    Attempt::again("connect-smc", "granted-connect-smc", "connect by SMC").under(Variant::Network),
    Attempt::again(
        "connect-by-fast-open",
        "granted-connect-by-fast-open",
        "connect by sending (TCP fast open)",
    )
    .under(Variant::Network),
    Attempt::again(
        "connect-by-fast-open-message",
        "granted-connect-by-fast-open-message",
        "connect by sending a message (TCP fast open)",
    )
    .under(Variant::Network),
    Attempt::again("send-udp", "granted-send-udp", "send a UDP datagram").under(Variant::Network),
    Attempt::again("bind-tcp", "granted-bind-tcp", "listen on a TCP port").under(Variant::Network),
    Attempt::again(
        "listen-without-bind",
        "granted-listen-without-bind",
        "listen on a TCP port without choosing it",
    )
    .under(Variant::Network),
    Attempt::again("bind-udp", "granted-bind-udp", "take a UDP port").under(Variant::Network),
    Attempt::again("connect-unix-path", "granted-connect-unix-path", "connect to a Unix socket of the host")
        .under(Variant::Network),
    Attempt::again(
        "connect-unix-abstract",
        "granted-connect-unix-abstract",
        "connect to an abstract Unix socket of the host",
    )
    .under(Variant::Network),
    Attempt::again(
        "send-unix-path",
        "granted-send-unix-path",
        "send a datagram to a Unix socket of the host",
    )
    .under(Variant::Network),
    Attempt::again(
        "send-unix-abstract",
        "granted-send-unix-abstract",
        "send a datagram to an abstract Unix socket of the host",
    )
    .under(Variant::Network),
    Attempt::again("socket-udp", "granted-socket-udp", "open a UDP socket").under(Variant::Network),
    Attempt::again("socket-unix", "granted-socket-unix", "open a Unix socket").under(Variant::Network),
    Attempt::again("socket-raw", "granted-socket-raw", "open a raw socket").under(Variant::Network),
    Attempt::again("socket-ping", "granted-socket-ping", "open a ping socket").under(Variant::Network),
    Attempt::again("socket-packet", "granted-socket-packet", "open a packet socket").under(Variant::Network),
    Attempt::again(
        "socket-netlink-route",
        "granted-socket-netlink-route",
        "ask the kernel for its interfaces and routes",
    )
    .under(Variant::Network),
    Attempt::again("socket-vsock", "granted-socket-vsock", "open a socket to the hypervisor")
        .under(Variant::Network),
    Attempt::again("socket-sctp", "granted-socket-sctp", "open an SCTP socket").under(Variant::Network),
    Attempt::again("socket-crypto", "granted-socket-crypto", "open a socket to the kernel's cryptography")
        .under(Variant::Network),
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
