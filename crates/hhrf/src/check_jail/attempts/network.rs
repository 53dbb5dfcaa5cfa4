//! Sockets: connections to the check's baits, which record what arrives, and sockets of every address family; then the
//! same with one port granted.

use crate::check_jail::attempt::{Attempt, Variant};

/// In the order of the report.
pub(super) const ATTEMPTS: &[Attempt] = &[
    Attempt::new("connect-tcp", "connect to a port of this machine"),
    Attempt::new("connect-tcp-v6", "connect to a port of this machine by IPv6"),
    Attempt::new("connect-mptcp", "connect by multipath TCP"),
    Attempt::new("connect-smc", "connect by SMC"),
    Attempt::new("connect-by-fast-open", "connect by sending (TCP fast open)"),
    Attempt::new("connect-by-fast-open-message", "connect by sending a message (TCP fast open)"),
    Attempt::new("send-udp", "send a UDP datagram"),
    Attempt::new("bind-tcp", "listen on a TCP port"),
    Attempt::new("listen-without-bind", "listen on a TCP port without choosing it"),
    Attempt::new("bind-udp", "take a UDP port"),
    Attempt::new("connect-unix-path", "connect to a Unix socket of the host"),
    Attempt::new("connect-unix-abstract", "connect to an abstract Unix socket of the host"),
    Attempt::new("send-unix-path", "send a datagram to a Unix socket of the host"),
    Attempt::new("send-unix-abstract", "send a datagram to an abstract Unix socket of the host"),
    Attempt::new("socket-tcp", "open a TCP socket"),
    Attempt::new("socket-udp", "open a UDP socket"),
    Attempt::new("socket-unix", "open a Unix socket"),
    Attempt::new("socket-raw", "open a raw socket"),
    Attempt::new("socket-ping", "open a ping socket"),
    Attempt::new("socket-packet", "open a packet socket"),
    Attempt::new("socket-netlink-route", "ask the kernel for its interfaces and routes"),
    Attempt::new("socket-netlink-netfilter", "open a socket to the kernel's firewall"),
    Attempt::new("socket-netlink-audit", "open a socket to the kernel's audit system"),
    Attempt::new("socket-vsock", "open a socket to the hypervisor"),
    Attempt::new("socket-sctp", "open an SCTP socket"),
    Attempt::new("socket-udplite", "open a UDP-Lite socket"),
    Attempt::new("socket-crypto", "open a socket to the kernel's cryptography"),
    Attempt::new("socket-key", "open a socket to the kernel's IPsec keys"),
    Attempt::new("socket-xdp", "open an XDP socket"),
    Attempt::new("socket-bluetooth", "open a Bluetooth socket"),
    Attempt::new("socket-can", "open a CAN socket"),
    Attempt::new("socket-tipc", "open a TIPC socket"),
    // The same with TCP granted to one port of this machine, another one than the bait's.
    Attempt::new("granted-connect-tcp", "connect to another port than it may")
        .under(Variant::Network)
        .call("connect-tcp"),
    Attempt::new("granted-connect-tcp-v6", "connect to another port than it may by IPv6")
        .under(Variant::Network)
        .call("connect-tcp-v6"),
    Attempt::new("granted-connect-mptcp", "connect by multipath TCP")
        .under(Variant::Network)
        .call("connect-mptcp"),
    Attempt::new("granted-connect-smc", "connect by SMC").under(Variant::Network).call("connect-smc"),
    Attempt::new("granted-connect-by-fast-open", "connect by sending (TCP fast open)")
        .under(Variant::Network)
        .call("connect-by-fast-open"),
    Attempt::new("granted-connect-by-fast-open-message", "connect by sending a message (TCP fast open)")
        .under(Variant::Network)
        .call("connect-by-fast-open-message"),
    Attempt::new("granted-large-send-buffer", "make the kernel buffer a megabyte for a socket")
        .under(Variant::Network)
        .call("large-send-buffer"),
    Attempt::new("granted-send-udp", "send a UDP datagram").under(Variant::Network).call("send-udp"),
    Attempt::new("granted-bind-tcp", "listen on a TCP port").under(Variant::Network).call("bind-tcp"),
    Attempt::new("granted-listen-without-bind", "listen on a TCP port without choosing it")
        .under(Variant::Network)
        .call("listen-without-bind"),
    Attempt::new("granted-bind-udp", "take a UDP port").under(Variant::Network).call("bind-udp"),
    Attempt::new("granted-connect-unix-path", "connect to a Unix socket of the host")
        .under(Variant::Network)
        .call("connect-unix-path"),
    Attempt::new("granted-connect-unix-abstract", "connect to an abstract Unix socket of the host")
        .under(Variant::Network)
        .call("connect-unix-abstract"),
    Attempt::new("granted-send-unix-path", "send a datagram to a Unix socket of the host")
        .under(Variant::Network)
        .call("send-unix-path"),
    Attempt::new("granted-send-unix-abstract", "send a datagram to an abstract Unix socket of the host")
        .under(Variant::Network)
        .call("send-unix-abstract"),
    Attempt::new("granted-socket-udp", "open a UDP socket").under(Variant::Network).call("socket-udp"),
    Attempt::new("granted-socket-unix", "open a Unix socket").under(Variant::Network).call("socket-unix"),
    Attempt::new("granted-socket-raw", "open a raw socket").under(Variant::Network).call("socket-raw"),
    Attempt::new("granted-socket-ping", "open a ping socket").under(Variant::Network).call("socket-ping"),
    Attempt::new("granted-socket-packet", "open a packet socket")
        .under(Variant::Network)
        .call("socket-packet"),
    Attempt::new("granted-socket-netlink-route", "ask the kernel for its interfaces and routes")
        .under(Variant::Network)
        .call("socket-netlink-route"),
    Attempt::new("granted-socket-vsock", "open a socket to the hypervisor")
        .under(Variant::Network)
        .call("socket-vsock"),
    Attempt::new("granted-socket-sctp", "open an SCTP socket").under(Variant::Network).call("socket-sctp"),
    Attempt::new("granted-socket-crypto", "open a socket to the kernel's cryptography")
        .under(Variant::Network)
        .call("socket-crypto"),
];
