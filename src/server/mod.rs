//! The front door: serves any synchronous handler with tiny_http, safely, on a public port.
//!
//! tiny_http parses, queues and answers well, but its connection layer cannot face a network: it
//! has no limits and no deadlines. So slow and hostile clients never meet it. One thread, the
//! front, waits for readiness on all public sockets, reads each request whole within limits, checks
//! it, and passes it on over a few lanes, which are Unix-domain connections to tiny_http's own
//! listener, opened once, with several requests at a time on each. Behind them stands the usual
//! blocking accept loop with a fixed pool.
//!
//! The way of a request:
//!
//! ```text
//!  visitors        the front (one thread)                     tiny_http        workers
//!
//!  ───────►  ┌─────────────────────────────────────┐   lane   ┌────────┐  ┌──────────────┐
//!  ───────►  │ client: head ─ body ─ whole? valid? │ ───────► │ parses │─►│ accept loop  │
//!  ───────►  │            (head, chunked)          │          └────────┘  │  pool.execute│
//!     ⋮      │ queue ─ free seat? ─ number ────────│                      │   handler    │
//!  ◄───────  │ answer ◄─ same lane? same number? ──│ ◄── whole answers ── │   hand_over  │
//!            └─────────────────────────────────────┘                      └──────────────┘
//!  10,000     deadlines · admission · memory           a few lanes           a few threads
//! ```
//!
//! | file | what lives there |
//! |---|---|
//! | `front.rs` | the event loop; `visitors.rs` its dealings with visitors, `passing.rs` with lanes |
//! | `client.rs` | one visitor's connection, as a state machine without a socket |
//! | `client/reading.rs`, `gathering.rs`, `output.rs` | its request on the way in, its answer on the way out |
//! | `head.rs`, `target.rs`, `chunked.rs` | what a valid request is |
//! | `lane.rs`, `lanes.rs`, `numbers.rs` | one lane; all of them, and how one is replaced; what tells questions apart |
//! | `answers.rs` | what workers hand to the front: whole answers |
//! | `workers.rs`, `rendezvous.rs` | tiny_http, the accept loop and the pool; the socket between |
//! | `admission.rs`, `deadlines.rs`, `limits.rs`, `budget.rs` | who comes in, how long, how much |
//! | `slots.rs` | keys that are never mistaken for older ones |
//! | `stop.rs`, `panics.rs`, `watchdog.rs` | how it ends |
//!
//! Threads: the front, one in the accept loop, one of tiny_http's that accepts lanes, the workers, and
//! one of tiny_http's for each lane. There are as many lanes as workers, but four of those threads at
//! least, and three times as many at most, where answers stay away and lanes are given up. Their
//! number does not depend on the visitors. Memory: at most [`Limits::memory`] in buffers, a few hundred
//! bytes a connection, and two answers for each worker; allocators round that up, by half at most with
//! the one that the `waxseal` binary has. Both hold where the handler takes no longer than twice
//! [`Limits::lane_time`]: what takes longer is forgotten by then, and others are passed on to wait for it.
//!
//! ```no_run
//! use waxseal::http::Response;
//! use waxseal::server::{Config, listen, serve};
//!
//! let config = Config::new(listen(None, 5000)?);
//! serve(config, |request| Response::text(200, format!("Hello {}\n", request.address())))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
mod answers;
mod budget;
mod chunked;
mod client;
mod deadlines;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gathering;
mod head;
mod lane;
mod lanes;
mod limits;
mod listener;
mod numbers;
mod output;
mod panics;
mod passing;
mod refusal;
mod rendezvous;
mod slots;
mod slow;
mod stop;
mod target;
mod visitors;
mod watchdog;
mod workers;

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

pub use limits::Limits;
pub use listener::listen;
pub use slow::{Leave, SlowWork};

use crate::http::{Request, Response, TrustedProxies};
use front::Front;
use rendezvous::Rendezvous;
use stop::Signals;
use workers::Workers;

/// How to serve. [`serve`] has an example.
#[derive(Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where visitors come in.
    pub listener: TcpListener,
    /// Threads that run the handler. There are as many lanes to tiny_http.
    pub workers: usize,
    /// Connections of visitors, at most; the limit of open files may allow less.
    pub max_connections: usize,
    /// Proxies in front of this server that are trusted to tell whose requests they pass on. With
    /// none, at most a quarter of the connections belong to one address.
    pub trusted_proxies: TrustedProxies,
    /// What one visitor may cost.
    pub limits: Limits,
}

impl Config {
    /// The defaults, for a small dyno or machine.
    pub fn new(listener: TcpListener) -> Self {
        Config {
            listener,
            workers: 8,
            max_connections: 10_000,
            trusted_proxies: TrustedProxies(0),
            limits: Limits::default(),
        }
    }
}

/// Why serving ended, or did not begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// It could not begin.
    Start(String),
    /// The event loop cannot wait for events any more.
    Poll(io::Error),
    /// A second SIGTERM or SIGINT came before the drain was over.
    Interrupted,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServeError::Start(why) => write!(f, "the server cannot start: {why}"),
            ServeError::Poll(error) => write!(f, "the server cannot wait for events: {error}"),
            ServeError::Interrupted => f.write_str("a second signal ended the drain"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until SIGTERM or SIGINT, then drains: what has begun is finished.
///
/// The calling thread becomes the front. A panic in it, or in tiny_http's threads, ends the process
/// with exit code 70, as does a server without a lane or with all workers stuck for a minute; a
/// panic of the handler costs one 500. While it runs, threads without a name are taken for
/// tiny_http's: name your own.
pub fn serve<H>(mut config: Config, handler: H) -> Result<(), ServeError>
where
    H: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
{
    config.limits = config.limits.within_reason();
    let start = |error: io::Error| ServeError::Start(error.to_string());
    let signals = Signals::catch().map_err(start)?;
    let (rendezvous, listener) = Rendezvous::listen().map_err(start)?;
    panics::install(rendezvous.directory());
    let (poll, answers) = front::waiting(&config.limits).map_err(start)?;
    let workers = Workers::start(listener, &config, Arc::clone(&answers), handler)?;
    let pulse = Arc::clone(&workers.pulse);
    Front::new(config, (poll, answers), signals, rendezvous, pulse)?.run()
}
