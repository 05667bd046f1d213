//! The front door: serves any synchronous handler with tiny_http, safely, on a public port.
//!
//! tiny_http parses, queues and answers well, but its connection layer cannot face a network: it
//! has no limits and no deadlines. So slow and hostile clients never meet it. One thread, the
//! event loop, waits for readiness on all public sockets, reads each request whole within limits, checks
//! it, and passes it on over a few lanes, which are Unix-domain connections to tiny_http's own
//! listener, opened once, with several requests at a time on each. Behind them stands the usual
//! blocking accept loop with a fixed pool.
//!
//! The way of a request:
//!
//! ```text
//!  clients     the event loop (one thread)                     tiny_http        workers
//!
//!  ───────►  ┌───────────────────────────────────────┐  lanes  ┌────────┐  ┌──────────────┐
//!  ───────►  │ connections  ─►  dispatch  ─►  backend │ ──────► │ parses │─►│ accept loop  │
//!     ⋮      │ read, check,     queue, who     lanes, │         └────────┘  │  pool.execute│
//!            │ write, evict     is next        heads ─│─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ►│   handler    │
//!  ◄───────  │ ◄─────────── same number? ◄────────────│◄─ whole answers ────│              │
//!            └───────────────────────────────────────┘                     └──────────────┘
//!  10,000                                                a few lanes          a few threads
//! ```
//!
//! A lane carries a short request: method, target, host, the number of the request, the body. The
//! head, as the event loop has parsed and checked it, is handed to the worker in process, under that
//! number, and the answer comes back in the same way.
//!
//! | place | what it does |
//! |---|---|
//! | `event_loop.rs` | waits, tells the parts what has happened, carries requests and answers between them |
//! | `connection/` | is one connection, and knows what a valid request is: no sockets, no clock |
//! | `connections/` | owns all sockets of clients: who comes in, who makes room, how much is held |
//! | `dispatch/` | owns the waiting queue and the requests in flight: whose turn it is, what is overdue |
//! | `backend/` | owns the lanes, tiny_http and the workers |
//! | `lifecycle/` | ends the server: signals, the times of a drain, being stuck |
//! | `message.rs`, `ticket.rs`, `tokens.rs`, `readiness.rs`, `phase.rs` | pass between the parts: requests and answers, the names of requests, connections and lanes, events, and how far the end has come |
//! | `descriptors.rs` | tells what the limit of open files allows |
//! | `rejection.rs` | lists the answers that the server gives itself |
//! | `config.rs`, `limits.rs`, `rejection_pages.rs`, `listener.rs`, `slow_work.rs`, `serve_error.rs` | are what programs set, open, use and get back |
//! | `driver.rs` | drives one connection with bytes, for tests and the fuzzer |
//!
//! Connections, dispatch and backend do not know each other.
//!
//! Threads: the event loop, one in the accept loop, one of tiny_http's that accepts lanes, the workers, and
//! one of tiny_http's for each lane. There are as many lanes as workers, but four of those threads at
//! least, and three times as many at most, where answers stay away and lanes are given up. Their
//! number does not depend on the clients. Memory: at most [`Limits::memory`] in buffers, a few hundred
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

mod backend;
mod config;
mod connection;
mod connections;
mod descriptors;
mod dispatch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod driver;
mod event_loop;
mod lifecycle;
mod limits;
mod listener;
mod message;
mod phase;
mod readiness;
mod rejection;
mod rejection_pages;
mod serve_error;
mod slow_work;
mod subscriber;
mod ticket;
mod tokens;

use std::io;

use mio::Poll;

pub use config::Config;
pub use lifecycle::stop_handle::StopHandle;
pub use limits::Limits;
pub use listener::listen;
pub use rejection::Rejection;
pub use rejection_pages::RejectionPages;
pub use serve_error::ServeError;
pub use slow_work::{Permit, SlowWork};

use crate::http::{Request, Response};
use backend::backend_socket::BackendSocket;
use backend::workers::{Exchange, Workers};
use descriptors::Descriptors;
use event_loop::EventLoop;
use lifecycle::signals::Signals;

/// Serves until SIGTERM, SIGINT, SIGHUP, SIGQUIT or the [`StopHandle`], then drains: for the grace time
/// ([`Limits::drain_grace`]) it goes on, with every answer the last of its connection; then what has begun is
/// finished. A second SIGTERM or SIGINT ends it at once; what is not finished after [`Limits::drain_time`] is cut off.
/// Once it has returned, these signals do nothing any more: a program that goes on has to see to them.
///
/// The calling thread becomes the event loop. A panic of the handler costs one 500, with a page of
/// [`Config::rejection_pages`]. Nothing here ends the process, or changes what a panic does: panics of other
/// threads are no business of the server's.
///
/// # Errors
///
/// [`ServeError`]. After [`ServeError::Stuck`] threads may be left behind that do not end: a program that
/// cannot do without serving should end, so that whoever runs it starts it again.
pub fn serve<H>(mut config: Config, handler: H) -> Result<(), ServeError>
where
    H: Fn(&mut Request) -> Response + Send + Sync + 'static,
{
    config.limits = config.limits.within_reason();
    config.workers = config.workers.max(1);
    let start = |error: io::Error| ServeError::Start(error.to_string());
    let descriptors = Descriptors::reserve(&config).map_err(start)?;
    let stop = config.stop.take().unwrap_or_default();
    let signals = Signals::catch(stop).map_err(start)?;
    let (socket, listener) = BackendSocket::listen().map_err(start)?;
    let poll = Poll::new().map_err(start)?;
    let capacity = dispatch::capacity(config.workers);
    let exchange =
        Exchange::new(poll.registry(), capacity, config.limits.lane_time).map_err(start)?;
    let _workers = Workers::start(listener, &config, exchange.clone(), handler)?;
    EventLoop::new(config, descriptors, poll, exchange, signals, socket).map_err(start)?.run()
}
