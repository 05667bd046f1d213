//! The socket that clients connect to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted; the kernel cuts it to its own limit.
pub(super) const BACKLOG: usize = 1024;

/// Listens on `port` (0: a free one) of `host`, or of all interfaces: IPv6 and IPv4 through one
/// socket, IPv4 alone where there is no IPv6.
///
/// # Errors
///
/// Returns the operating system's error: the port is taken, the address is not here.
///
/// ```
/// let listener = waxseal::server::listen(None, 0)?;
/// assert_ne!(listener.local_addr()?.port(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn listen(host: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match host {
        Some(host) => bind((host, port).into()),
        None => bind((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => bind((Ipv4Addr::UNSPECIFIED, port).into()),
        }),
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // Without it a restart would wait for the last connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG as i32)?;
    Ok(socket.into())
}
