//! tiny_http behind the lanes: the accept loop, the fixed pool, and how a worker answers.

use std::io;
use std::net::IpAddr;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use log::{debug, error};
use threadpool::ThreadPool;

use super::answers::{Answer, Answers, Handed};
use super::lane::{OWN_FIELD, PROBE};
use super::slots::Key;
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
        answers: Arc<Answers>,
        handler: H,
    ) -> Result<Workers, ServeError>
    where
        H: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
    {
        let pulse = Arc::new(Pulse::default());
        let task = Task {
            handler,
            answers,
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
/// wait a moment says so; their share of the processor stays as it was.
#[cfg(target_os = "linux")]
fn yield_to_front() {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityOsValue, ThreadSchedulePolicy,
    };
    // The niceness is set with the policy, so it is set to what it is: 0, the usual one. Where the
    // process was given another, nothing is changed.
    if rustix::process::getpriority_process(None) != Ok(0) {
        return;
    }
    let usual = ThreadPriority::Os(ThreadPriorityOsValue::default());
    let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let this = thread_priority::thread_native_id();
    if let Err(error) = thread_priority::set_thread_priority_and_policy(this, usual, batch) {
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
    answers: Arc<Answers>,
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
        if let Some((lane, number, peer)) = own_field(&request) {
            let answer = self.render(&mut request, peer);
            // What the handler left of the body may still be on its way: a question that is not
            // sent whole cannot be answered. Where reading fails, the front has closed the lane.
            let _ = io::copy(request.as_reader(), &mut io::sink());
            self.answers.hand_over(Handed { lane, number, answer });
            // To tiny_http this is an answer: a writer that writes nothing. Of a request that is
            // merely dropped, as one without our field is, it makes a 500, which ends the lane.
            drop(request.into_writer());
        }
        self.pulse.busy.fetch_sub(1, Ordering::Relaxed);
        self.pulse.finished.fetch_add(1, Ordering::Relaxed);
    }

    fn render(&self, inner: &mut tiny_http::Request, peer: Option<IpAddr>) -> Answer {
        let method = inner.method().clone();
        let response = peer.map_or_else(|| Response::empty(204), |peer| self.respond(inner, peer));
        if has_no_clear_end(&response) {
            error!(status = response.status(); "an answer's status or headers hide its end");
            return Answer::render(internal_error(), &method);
        }
        let answer = Answer::render(response, &method);
        let size = answer.len();
        if size > self.limit {
            error!(size, limit = self.limit; "an answer is too large to send");
            return Answer::render(internal_error(), &method);
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

/// Where an answer ends, a visitor knows by a final status and by the one length that was rendered:
/// what says otherwise would make the next answer on the connection look like part of this one.
fn has_no_clear_end(response: &Response) -> bool {
    let framing = ["Content-Length", "Transfer-Encoding"];
    !(200..600).contains(&response.status())
        || framing.iter().any(|name| response.header(name).is_some())
}

fn internal_error() -> Response {
    Response::from(Error::Internal)
        .with_header("Cache-Control", "no-store")
        .with_header("X-Content-Type-Options", "nosniff")
}

/// The lane that a request came over, the number that the front gave it, and whose it is: nobody's
/// where it is a probe.
fn own_field(request: &tiny_http::Request) -> Option<(Key, u64, Option<IpAddr>)> {
    let field = request.headers().iter().find(|header| header.field.equiv(OWN_FIELD))?;
    let mut words = field.value.as_str().split(' ');
    let lane = Key::from_number(words.next()?.parse().ok()?);
    let number = u64::from_str_radix(words.next()?, 16).ok()?;
    let peer = match words.next()? {
        PROBE => None,
        address => Some(address.parse().ok()?),
    };
    Some((lane, number, peer))
}
