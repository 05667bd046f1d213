//! The server listens at an address, or on the socket that a supervisor holds.

use std::net::{IpAddr, TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;

use super::Reader;

/// The place where the server listens.
#[derive(Debug)]
pub enum Listen {
    /// On `HOST`, or on all interfaces, at `PORT`; 0 is a free one.
    At {
        /// The one address to listen on; none is all.
        host: Option<IpAddr>,
        /// The port.
        port: u16,
    },
    /// On the socket of `LISTEN_FDS`, as systemd hands it over (sd_listen_fds(3)). The supervisor keeps it, and
    /// gives it to the next process too.
    Inherited(TcpListener),
}

impl Listen {
    /// The one address to listen on; none is all.
    pub fn host(&self) -> Option<IpAddr> {
        match self {
            Listen::At { host, .. } => *host,
            Listen::Inherited(listener) => {
                let address = listener.local_addr().ok()?.ip();
                (!address.is_unspecified()).then_some(address)
            }
        }
    }
}

impl Reader {
    pub(super) fn listen(&mut self) -> Option<Listen> {
        let host = self.parsed("HOST", "Give one IP address, or leave it out for all interfaces.");
        if self.has_sockets() {
            return self.inherited().map(Listen::Inherited);
        }
        Some(Listen::At { host, port: self.port()? })
    }

    /// The sockets are for this process, and not left over in the environment of one that started it.
    fn has_sockets(&self) -> bool {
        let text = |name| self.vars.get(name).and_then(|value| value.to_str());
        text("LISTEN_PID") == Some(std::process::id().to_string().as_str())
            && text("LISTEN_FDS").is_some_and(|count| count != "0")
    }

    fn inherited(&mut self) -> Option<TcpListener> {
        let remedy = "Hand over one TCP socket that listens, or none.";
        self.read("LISTEN_FDS", remedy, |count| (count == "1").then_some(()))?;
        match ListenFd::from_env().take_tcp_listener(0) {
            Ok(Some(listener)) if socket_acceptconn(&listener) == Ok(true) => Some(listener),
            Ok(_) => {
                self.fault("LISTEN_FDS", "hands over a socket that does not listen", remedy);
                None
            }
            Err(error) => {
                self.fault(
                    "LISTEN_FDS",
                    format!("hands over what is no TCP socket: {error}"),
                    remedy,
                );
                None
            }
        }
    }

    fn port(&mut self) -> Option<u16> {
        let remedy = "Set it to the port to listen on: 5000, say.";
        if self.vars.get("PORT").is_none_or(|port| port.is_empty()) {
            self.fault("PORT", "is not set", remedy);
        }
        self.parsed("PORT", remedy)
    }
}
