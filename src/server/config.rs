//! The settings of a server.

use std::net::TcpListener;

use super::lifecycle::stop_handle::StopHandle;
use super::limits::Limits;
use super::rejection_pages::RejectionPages;
use crate::visitor::TrustedProxies;

/// Settings of a server. [`serve`](super::serve) has an example.
///
/// ```
/// use waxseal::server::{Config, listen};
///
/// let mut config = Config::new(listen(None, 0)?);
/// config.workers = 4;
/// config.trusted_proxies = "10.0.0.0/8".parse().expect("a network");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// The socket that clients connect to.
    pub listener: TcpListener,
    /// Another process accepts from the same socket too, or will: a supervisor holds it. At the end of a drain
    /// the connections that wait to be accepted are left to it.
    pub listener_is_shared: bool,
    /// Ends the server, beside the signals.
    pub stop: Option<StopHandle>,
    /// Threads that run the handler. There are as many lanes to tiny_http.
    pub workers: usize,
    /// Connections, at most; the limit of open files may allow less.
    pub max_connections: usize,
    /// Descriptors that the program needs beside the server, for files and for connections to a store.
    pub reserved_descriptors: usize,
    /// Proxies in front of this server that are trusted to tell whose requests they pass on. With
    /// none, at most a quarter of the connections belong to one address.
    pub trusted_proxies: TrustedProxies,
    /// The limits of size and time for each client.
    pub limits: Limits,
    /// The answers that the server gives itself: to what is no valid request, where it is busy, where the handler
    /// panicked.
    pub rejection_pages: RejectionPages,
}

impl Config {
    /// The defaults, for a small dyno or machine.
    pub fn new(listener: TcpListener) -> Self {
        Config {
            listener,
            listener_is_shared: false,
            stop: None,
            workers: 8,
            max_connections: 10_000,
            reserved_descriptors: 16,
            trusted_proxies: TrustedProxies::NONE,
            limits: Limits::default(),
            rejection_pages: RejectionPages::default(),
        }
    }
}
