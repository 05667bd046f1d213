//! The settings of a server.

use std::net::TcpListener;

use super::limits::Limits;
use crate::http::TrustedProxies;

/// Settings of a server. [`serve`](super::serve) has an example.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// The socket that clients connect to.
    pub listener: TcpListener,
    /// Threads that run the handler. There are as many lanes to tiny_http.
    pub workers: usize,
    /// Connections, at most; the limit of open files may allow less.
    pub max_connections: usize,
    /// Proxies in front of this server that are trusted to tell whose requests they pass on. With
    /// none, at most a quarter of the connections belong to one address.
    pub trusted_proxies: TrustedProxies,
    /// The limits of size and time for each client.
    pub limits: Limits,
}

impl Config {
    /// The defaults, for a small dyno or machine.
    pub fn new(listener: TcpListener) -> Self {
        Config {
            listener,
            workers: 8,
            max_connections: 10_000,
            trusted_proxies: TrustedProxies::NONE,
            limits: Limits::default(),
        }
    }
}
