//! tiny_http behind the lanes: the accept loop, the fixed pool, and how a worker answers.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use log::{debug, error};
use threadpool::ThreadPool;

use super::lane::{OWN_FIELD, PROBE};
use super::{Config, ServeError, panics};
use crate::http::{Error, Request, Response, TrustedProxies};

/// What the front can know of the workers without asking them.
#[derive(Default)]
pub(super) struct Pulse {
    busy: AtomicUsize,
    finished: AtomicUsize,
}

impl Pulse {
    /// Workers that are answering.
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Answers that were finished, ever.
    pub(super) fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }
}

/// The accept loop and its pool.
pub(super) struct Workers {
    server: Arc<tiny_http::Server>,
    stopping: Arc<AtomicBool>,
    pub(super) pulse: Arc<Pulse>,
}

impl Workers {
    /// Starts tiny_http on the lanes' listener, the accept loop and the workers.
    pub(super) fn start<H>(
        listener: UnixListener,
        config: &Config,
        handler: H,
    ) -> Result<Workers, ServeError>
    where
        H: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
    {
        let pulse = Arc::new(Pulse::default());
        let task = Task {
            handler,
            pulse: Arc::clone(&pulse),
            proxies: config.trusted_proxies,
            limit: config.limits.answer,
        };
        let workers = config.workers.max(1);
        // A thread of its own begins all others, because they inherit what it has become.
        let beginning = thread::Builder::new().name("start".to_owned()).spawn(move || {
            yield_to_front();
            begin(listener, workers, Arc::new(task))
        });
        let (server, stopping) = beginning
            .map_err(Into::into)
            .and_then(|thread| thread.join().unwrap_or_else(|_| Err("tiny_http panicked".into())))
            .map_err(|error| ServeError::Start(error.to_string()))?;
        Ok(Workers { server, stopping, pulse })
    }
}

/// Waking a worker must not take the processor from the front, which has more to pass on: that
/// would be two switches of context for each request. The kernel's policy for threads that can
/// wait a moment says so; nothing else about them changes.
#[cfg(target_os = "linux")]
fn yield_to_front() {
    use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
    let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let this = thread_priority::thread_native_id();
    let set = thread_priority::set_thread_priority_and_policy(this, ThreadPriority::Min, batch);
    if let Err(error) = set {
        debug!(error:% = error; "the scheduling policy cannot be set");
    }
}

#[cfg(not(target_os = "linux"))]
fn yield_to_front() {}

/// tiny_http's server, and whether it is meant to stop.
type Begun = (Arc<tiny_http::Server>, Arc<AtomicBool>);

/// Starts tiny_http, the pool, and the accept loop between them.
fn begin<H>(
    listener: UnixListener,
    workers: usize,
    task: Arc<Task<H>>,
) -> Result<Begun, Box<dyn std::error::Error + Send + Sync>>
where
    H: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
{
    let server = Arc::new(tiny_http::Server::from_listener(listener, None)?);
    let stopping = Arc::new(AtomicBool::new(false));
    let pool = ThreadPool::with_name(panics::WORKER.to_owned(), workers);
    let begun = (Arc::clone(&server), Arc::clone(&stopping));
    thread::Builder::new().name(panics::ACCEPT.to_owned()).spawn(move || {
        for request in server.incoming_requests() {
            let task = Arc::clone(&task);
            pool.execute(move || task.answer(request));
        }
        if !stopping.load(Ordering::Acquire) {
            panics::fatal("tiny_http gives no more requests");
        }
    })?;
    Ok(begun)
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        self.server.unblock();
        // tiny_http's server panics when it is dropped on an abstract name, and its accept thread
        // ends with the process in any case: so one reference to it stays for good.
        std::mem::forget(Arc::clone(&self.server));
    }
}

/// What a worker does with each request, and what all of them share.
struct Task<H> {
    handler: H,
    pulse: Arc<Pulse>,
    proxies: TrustedProxies,
    /// Of an answer, in bytes.
    limit: usize,
}

impl<H> Task<H>
where
    H: Fn(&mut Request<'_>) -> Response,
{
    fn answer(&self, mut request: tiny_http::Request) {
        self.pulse.busy.fetch_add(1, Ordering::Relaxed);
        let answer = self.render(&mut request);
        // Nothing may come between these: the writer neither flushes when it is dropped, nor lets
        // the lane's next answer begin before. Where it fails, the front has closed the lane.
        let mut writer = request.into_writer();
        let _ = writer.write_all(&answer).and_then(|()| writer.flush());
        drop(writer);
        self.pulse.busy.fetch_sub(1, Ordering::Relaxed);
        self.pulse.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// The answer, begun by the number that the front gave the request.
    fn render(&self, inner: &mut tiny_http::Request) -> Vec<u8> {
        let (number, peer) = own_field(inner);
        let mut answer = format!("{number}\r\n").into_bytes();
        let Some(peer) = peer else {
            answer.extend_from_slice(b"HTTP/1.1 204 No Content\r\n\r\n");
            return answer;
        };
        let method = inner.method().clone();
        let response = self.respond(inner, peer);
        let begin = answer.len();
        response.render(&method, &mut answer);
        let size = answer.len() - begin;
        if size > self.limit {
            error!(size, limit = self.limit; "an answer is too large to send");
            answer.truncate(begin);
            internal_error().render(&method, &mut answer);
        }
        answer
    }

    /// A handler that panics costs its visitor a 500, and nobody else anything.
    fn respond(&self, inner: &mut tiny_http::Request, peer: IpAddr) -> Response {
        let mut request = Request::new(inner, peer, self.proxies);
        // The request is only read again for its id and its writer, which a panic cannot have
        // touched; what the handler itself shares, it shares between threads: its locks are poisoned.
        let caught = catch_unwind(AssertUnwindSafe(|| (self.handler)(&mut request)));
        caught.unwrap_or_else(|_| {
            error!(request_id = request.id(); "a handler panicked");
            internal_error()
        })
    }
}

fn internal_error() -> Response {
    Response::from(Error::Internal)
        .with_header("Cache-Control", "no-store")
        .with_header("X-Content-Type-Options", "nosniff")
}

/// The number that the front gave a request, and whose it is: `None` for a probe.
///
/// Behind the Unix socket the peer is who the front says; a TCP connection speaks for itself.
fn own_field(request: &tiny_http::Request) -> (u64, Option<IpAddr>) {
    let field = request.headers().iter().find(|header| header.field.equiv(OWN_FIELD));
    let (number, said) =
        field.and_then(|header| header.value.as_str().split_once(' ')).unwrap_or_default();
    let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let peer = match request.remote_addr() {
        Some(address) => Some(address.ip()),
        None if said == PROBE => None,
        None => Some(said.parse().unwrap_or(nobody)),
    };
    (number.parse().unwrap_or_default(), peer)
}
