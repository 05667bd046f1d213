//! tiny_http behind the lanes, the accept loop, the fixed pool, and how a worker answers.

use std::io;
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use log::{debug, error};
use mio::Registry;
use slotmap::KeyData;
use threadpool::ThreadPool;

use super::completions::{Completion, Completions};
use super::lane::{PROBE, TICKET_FIELD};
use super::pending::{Found, PendingRequest, PendingRequests};
use super::statistics::WorkerStatistics;
use crate::http::{Method, Request, Response};
use crate::server::config::Config;
use crate::server::message::{Answer, hides_its_end};
use crate::server::rejection;
use crate::server::rejection_pages::RejectionPages;
use crate::server::serve_error::ServeError;
use crate::server::ticket::Ticket;
use crate::server::tokens::{COMPLETIONS, LaneKey};
use crate::visitor::TrustedProxies;

/// The name of the pool's threads.
const WORKER: &str = "worker";
/// The name of the thread in the accept loop.
const ACCEPT: &str = "accept";

/// The parts that workers share with the event loop.
#[derive(Clone)]
pub(in crate::server) struct Exchange {
    pub(in crate::server) pending: Arc<PendingRequests>,
    pub(in crate::server) completions: Arc<Completions>,
    pub(in crate::server) statistics: Arc<WorkerStatistics>,
}

impl Exchange {
    /// For so many requests in flight at most, and an event loop that waits with this registry's
    /// poll. `patience`: see [`Completions::new`].
    pub(in crate::server) fn new(
        registry: &Registry,
        capacity: usize,
        patience: Duration,
    ) -> io::Result<Exchange> {
        Ok(Exchange {
            pending: Arc::new(PendingRequests::new(capacity)),
            completions: Arc::new(Completions::new(registry, COMPLETIONS, patience)?),
            statistics: Arc::default(),
        })
    }
}

/// The accept loop and its pool.
pub(in crate::server) struct Workers {
    server: Arc<tiny_http::Server>,
    stopping: Arc<AtomicBool>,
}

impl Workers {
    /// Starts tiny_http on the lanes' listener, the accept loop and the workers.
    pub(in crate::server) fn start<H>(
        listener: UnixListener,
        config: &Config,
        exchange: Exchange,
        handler: H,
    ) -> Result<Workers, ServeError>
    where
        H: Fn(&mut Request) -> Response + Send + Sync + 'static,
    {
        let task = Task {
            handler,
            exchange,
            proxies: config.trusted_proxies.clone(),
            limit: config.limits.answer,
            rejection_pages: config.rejection_pages.clone(),
        };
        begin(listener, config.workers, Arc::new(task))
            .map_err(|error| ServeError::Start(error.to_string()))
    }
}

/// Waking the accept loop must not take the processor from the thread that wakes it, which has more
/// requests to hand over: that would be two switches of context for each. The kernel's policy for
/// threads that can wait a moment says so; their share of the processor stays as it was.
///
/// Lanes and workers do not have that policy: beside other busy programs each wait would be a whole
/// turn of theirs, once for every thread that a request passes through.
#[cfg(target_os = "linux")]
fn give_way() {
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
fn give_way() {}

/// Starts tiny_http, the pool, and the accept loop between them.
fn begin<H>(
    listener: UnixListener,
    workers: usize,
    task: Arc<Task<H>>,
) -> Result<Workers, Box<dyn std::error::Error + Send + Sync>>
where
    H: Fn(&mut Request) -> Response + Send + Sync + 'static,
{
    let server = Arc::new(tiny_http::Server::from_listener(listener, None)?);
    let stopping = Arc::new(AtomicBool::new(false));
    let pool = ThreadPool::with_name(WORKER.to_owned(), workers);
    let begun = Workers { server: Arc::clone(&server), stopping: Arc::clone(&stopping) };
    let ending = Ending { exchange: task.exchange.clone(), stopping };
    thread::Builder::new().name(ACCEPT.to_owned()).spawn(move || {
        give_way();
        for request in server.incoming_requests() {
            let task = Arc::clone(&task);
            pool.execute(move || task.run(request));
        }
        drop(ending);
    })?;
    Ok(begun)
}

/// Tells the event loop of the end of the accept loop, by a panic too, unless it was told to end.
struct Ending {
    exchange: Exchange,
    stopping: Arc<AtomicBool>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        if !self.stopping.load(Ordering::Acquire) {
            self.exchange.statistics.set_ended();
            self.exchange.completions.wake();
        }
    }
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

/// The work that is done with each request, and what all workers share for it.
struct Task<H> {
    handler: H,
    exchange: Exchange,
    proxies: TrustedProxies,
    /// The most bytes of an answer.
    limit: usize,
    rejection_pages: RejectionPages,
}

impl<H> Task<H>
where
    H: Fn(&mut Request) -> Response,
{
    fn run(&self, mut inner: tiny_http::Request) {
        self.exchange.statistics.begin();
        match self.completion(&mut inner) {
            Some(completion) => {
                self.exchange.completions.push(completion);
                // To tiny_http this is an answer: a writer that writes nothing.
                drop(inner.into_writer());
            }
            // tiny_http answers a request that is dropped with 500, which closes the lane.
            None => drop(inner),
        }
        self.exchange.statistics.end();
    }

    /// The completion of a request; `None` for a request that the event loop did not send, or that
    /// was taken already.
    fn completion(&self, inner: &mut tiny_http::Request) -> Option<Completion> {
        let ticket = match Sent::of(inner)? {
            Sent::Probe { lane, number } => return Some(Completion::Probe { lane, number }),
            Sent::Request(ticket) => ticket,
        };
        match self.exchange.pending.take(ticket) {
            Found::Nothing => None,
            Found::Withdrawn(lane) => {
                // Reading fails if the event loop has closed the lane.
                let _ = io::copy(inner.as_reader(), &mut io::sink());
                Some(Completion::Request { lane, ticket, answer: None })
            }
            Found::Request(PendingRequest { lane, head, peer, body_length }) => {
                let (method, body) = (head.method(), read_body(inner, body_length));
                let response = if body.len() == body_length {
                    self.respond(Request::new(head, body, peer, self.proxies.clone()))
                } else {
                    // The lane broke in the middle of it, and the client knows by now.
                    self.fault()
                };
                let answer = Some(self.render(response, method));
                Some(Completion::Request { lane, ticket, answer })
            }
        }
    }

    fn render(&self, response: Response, method: Method) -> Answer {
        if hides_its_end(&response) {
            error!(status = response.status(); "an answer's status or headers hide its end");
            return Answer::render(self.fault(), method);
        }
        let answer = Answer::render(response, method);
        let size = answer.len();
        if size > self.limit {
            error!(size, limit = self.limit; "an answer is too large to send");
            return Answer::render(self.fault(), method);
        }
        answer
    }

    fn fault(&self) -> Response {
        self.rejection_pages.answer(rejection::FAULT)
    }

    /// A handler that panics costs its client a 500, and no other client anything.
    fn respond(&self, mut request: Request) -> Response {
        // The request is only read again for its id, which a panic cannot have touched; what the
        // handler itself shares, it shares between threads: its locks are poisoned.
        let caught = catch_unwind(AssertUnwindSafe(|| (self.handler)(&mut request)));
        caught.unwrap_or_else(|_| {
            error!(request_id = request.id(); "a handler panicked");
            self.fault()
        })
    }
}

/// Reads the body, of which `length` bytes are expected. A request cannot be answered while it is
/// still on its way.
fn read_body(inner: &mut tiny_http::Request, length: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(length);
    // Reading fails if the event loop has closed the lane.
    let _ = inner.as_reader().read_to_end(&mut body);
    body
}

/// A request as it comes over a lane.
enum Sent {
    Request(Ticket),
    Probe { lane: LaneKey, number: u64 },
}

impl Sent {
    fn of(inner: &tiny_http::Request) -> Option<Sent> {
        let field = inner.headers().iter().find(|header| header.field.equiv(TICKET_FIELD))?;
        let value = field.value.as_str();
        match value.strip_prefix(PROBE) {
            None => value.parse().ok().map(Sent::Request),
            Some(rest) => {
                let (lane, number) = rest.strip_prefix('.')?.split_once('.')?;
                let number_of = |text| u64::from_str_radix(text, 16).ok();
                let lane = KeyData::from_ffi(number_of(lane)?).into();
                Some(Sent::Probe { lane, number: number_of(number)? })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    use mio::Poll;
    use slotmap::SlotMap;

    use super::super::backend_socket::BackendSocket;
    use super::*;
    use crate::http::Head;
    use crate::server::listener::listen;

    const PATIENCE: Duration = Duration::from_secs(60);
    const TICKET: Ticket = Ticket { slot: 0, number: 7 };

    /// Workers, to which a test sends what it likes.
    struct Behind {
        exchange: Exchange,
        socket: BackendSocket,
        _poll: Poll,
        _workers: Workers,
    }

    impl Behind {
        fn start() -> Behind {
            let mut config = Config::new(listen(Some([127, 0, 0, 1].into()), 0).unwrap());
            config.workers = 1;
            let poll = Poll::new().unwrap();
            let exchange = Exchange::new(poll.registry(), 2, PATIENCE).unwrap();
            let (socket, listener) = BackendSocket::listen().unwrap();
            let workers = Workers::start(listener, &config, exchange.clone(), show).unwrap();
            Behind { exchange, socket, _poll: poll, _workers: workers }
        }

        /// The event loop has passed a request on.
        fn expect_request(&self) {
            let mut head = Head::new(Method::Post, "/head");
            head.append("Host", b"head");
            head.append("X-A", b"1");
            let lane = SlotMap::<LaneKey, ()>::with_key().insert(());
            let request =
                PendingRequest { lane, head, peer: [192, 0, 2, 1].into(), body_length: 2 };
            self.exchange.pending.insert(TICKET, request);
        }

        /// Sends a request over a lane of its own.
        fn send(&self, field: &str) -> UnixStream {
            let mut lane = UnixStream::connect_addr(&self.socket.address).unwrap();
            lane.set_read_timeout(Some(PATIENCE)).unwrap();
            let fields = format!("Host: lane\r\nX-A: 2\r\nX-B: 3\r\n{field}\r\nContent-Length: 2");
            write!(lane, "PUT /lane HTTP/1.1\r\n{fields}\r\n\r\nhi").unwrap();
            lane
        }

        /// The next answers that are handed over.
        fn completions(&self) -> Vec<Completion> {
            let (mut taken, begin) = (Vec::new(), Instant::now());
            while taken.is_empty() {
                assert!(begin.elapsed() < PATIENCE, "no answer comes");
                thread::yield_now();
                self.exchange.completions.take(&mut taken);
            }
            taken
        }
    }

    fn show(request: &mut Request) -> Response {
        let fields = ["Host", "X-A", "X-B"].map(|name| request.header(name).unwrap_or("none"));
        let (method, target, address) = (request.method(), request.target(), request.address());
        let body = String::from_utf8_lossy(request.body());
        Response::text(200, format!("{method} {target} {fields:?} {address} {body}"))
    }

    /// Nothing of a lane counts but the number and the body.
    #[test]
    fn a_request_is_what_the_event_loop_has_parsed() {
        let behind = Behind::start();
        behind.expect_request();
        let _lane = behind.send("Waxseal-Request: 0.7");
        let [Completion::Request { ticket, answer: Some(answer), .. }] = &behind.completions()[..]
        else {
            panic!("one answer");
        };
        let expected = "POST /head [\"head\", \"1\", \"none\"] 192.0.2.1 hi";
        assert_eq!((*ticket, &*answer.body), (TICKET, expected.as_bytes()));
    }

    #[test]
    fn a_request_of_another_number_is_refused_and_not_handled() {
        let behind = Behind::start();
        behind.expect_request();
        let refused = |field: &str| {
            let mut answer = [0; 13];
            behind.send(field).read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 500 ", "{field}");
        };
        for number in ["0.8", "0.6", "1.7", "2.7", "9.7", "", "7", "0.7.7", "probe", "probe.1"] {
            refused(&format!("Waxseal-Request: {number}"));
        }
        refused("X-Request: 0.7");
        let _lane = behind.send("Waxseal-Request: 0.7");
        let Completion::Request { answer: Some(answer), .. } = &behind.completions()[0] else {
            panic!("an answer");
        };
        assert!(answer.body.starts_with(b"POST /head "), "the first that was handled");
        refused("Waxseal-Request: 0.7");
        assert!(behind.exchange.completions.begin_wait(), "nothing more is handed over");
    }
}
