//! A blocking accept loop and a fixed pool of workers, until a signal says stop.

mod listener;
mod stop;
mod workers;

use std::fmt;
use std::net::TcpListener;
use std::sync::Arc;

use crate::http::{Request, Response, TrustedProxies};

pub use listener::listen;

/// How to serve.
#[derive(Debug)]
pub struct Config {
    /// Where visitors come in; [`listen`] makes one.
    pub listener: TcpListener,
    /// Threads that answer requests.
    pub workers: usize,
    /// How many proxies stand before this server.
    pub trusted_proxies: TrustedProxies,
}

/// Answers requests with `handler` until SIGTERM or SIGINT; then finishes what has begun.
///
/// # Errors
///
/// [`ServeError`] where it cannot start.
///
/// ```no_run
/// use waxseal::http::{Response, TrustedProxies};
/// use waxseal::server::{Config, listen, serve};
///
/// let config = Config {
///     listener: listen(None, 5000)?,
///     workers: 8,
///     trusted_proxies: TrustedProxies(0),
/// };
/// serve(config, |request| Response::text(200, format!("You asked for {}", request.path())))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn serve<H>(config: Config, handler: H) -> Result<(), ServeError>
where
    H: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
{
    let server = tiny_http::Server::from_listener(config.listener, None)
        .map_err(|error| ServeError(error.to_string()))?;
    let server = Arc::new(server);
    stop::on_signal(Arc::clone(&server)).map_err(|error| ServeError(error.to_string()))?;
    workers::run(&server, config.workers, config.trusted_proxies, handler);
    Ok(())
}

/// Why serving could not start.
#[derive(Debug)]
pub struct ServeError(String);

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server could not start: {}", self.0)
    }
}

impl std::error::Error for ServeError {}
