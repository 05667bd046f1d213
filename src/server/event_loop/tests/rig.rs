//! The parts that the tests of the event loop are made of: a loop that is driven by hand, clients, lanes
//! that a test answers itself, and workers that a test holds.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use mio::{Events, Poll};
use slotmap::KeyData;

use crate::http::{Method, Request, Response};
use crate::server::backend::backend_socket::BackendSocket;
use crate::server::backend::completions::Completion;
use crate::server::backend::workers::{Exchange, Workers};
use crate::server::config::Config;
use crate::server::descriptors::Descriptors;
use crate::server::dispatch;
use crate::server::event_loop::EventLoop;
use crate::server::lifecycle::signals::Signals;
use crate::server::lifecycle::stop_handle::StopHandle;
use crate::server::listener::listen;
use crate::server::message::Answer;
use crate::server::ticket::Ticket;
use crate::server::tokens::LaneKey;

/// Longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The loop waits no longer before it looks at lanes and clients again, of which it is not told.
const TICK: Duration = Duration::from_millis(1);

/// An event loop, its clock, and what stands behind its lanes.
pub(super) struct Rig {
    pub(super) event_loop: EventLoop,
    events: Events,
    now: Instant,
    address: SocketAddr,
    stop: StopHandle,
    behind: Behind,
    /// Removes itself with the last of them.
    _workers: Option<Workers>,
}

enum Behind {
    Workers,
    Lanes(Lanes),
}

pub(super) fn config(workers: usize) -> Config {
    let mut config = Config::new(listen(Some([127, 0, 0, 1].into()), 0).unwrap());
    config.workers = workers;
    config
}

impl Rig {
    /// With tiny_http and workers behind the lanes.
    pub(super) fn with_workers(
        config: Config,
        handler: impl Fn(&mut Request) -> Response + Send + Sync + 'static,
    ) -> Rig {
        Rig::with_workers_at(BackendSocket::listen().unwrap(), config, handler)
    }

    pub(super) fn with_workers_at(
        (socket, listener): (BackendSocket, UnixListener),
        config: Config,
        handler: impl Fn(&mut Request) -> Response + Send + Sync + 'static,
    ) -> Rig {
        Rig::start(config, socket, |config, exchange| {
            let workers = Workers::start(listener, config, exchange, handler).unwrap();
            (Behind::Workers, Some(workers))
        })
    }

    /// With nothing behind the lanes but the test, which answers through [`Rig::complete`].
    pub(super) fn with_lanes(config: Config) -> Rig {
        let (socket, listener) = BackendSocket::listen().unwrap();
        listener.set_nonblocking(true).unwrap();
        let lanes = Lanes { listener, lanes: Vec::new(), answers_probes: true };
        Rig::start(config, socket, |_, _| (Behind::Lanes(lanes), None))
    }

    fn start(
        config: Config,
        socket: BackendSocket,
        behind: impl FnOnce(&Config, Exchange) -> (Behind, Option<Workers>),
    ) -> Rig {
        let poll = Poll::new().unwrap();
        let capacity = dispatch::capacity(config.workers);
        let exchange = Exchange::new(poll.registry(), capacity, config.limits.lane_time).unwrap();
        let (behind, workers) = behind(&config, exchange.clone());
        let address = config.listener.local_addr().unwrap();
        let stop = StopHandle::new();
        let signals = Signals::catch(stop.clone()).unwrap();
        Rig {
            event_loop: EventLoop::new(
                config,
                Descriptors::PLENTY,
                poll,
                exchange,
                signals,
                socket,
            )
            .unwrap(),
            events: Events::with_capacity(64),
            now: Instant::now(),
            address,
            stop,
            behind,
            _workers: workers,
        }
    }

    /// The clock goes on.
    pub(super) fn later(&mut self, time: Duration) {
        self.now += time;
        self.turn();
    }

    /// One turn of the loop, with whatever has happened; then the lanes are looked at.
    pub(super) fn turn(&mut self) {
        let at_once = !self.event_loop.completions.begin_wait();
        let patience = if at_once { Duration::ZERO } else { TICK };
        self.event_loop.poll.poll(&mut self.events, Some(patience)).unwrap();
        let happened: Vec<_> =
            self.events.iter().map(|event| (event.token(), event.into())).collect();
        self.event_loop.turn(self.now, happened).unwrap();
        if let Behind::Lanes(lanes) = &mut self.behind {
            lanes.look();
            for probe in lanes.probes() {
                self.event_loop.completions.push(probe);
            }
        }
    }

    /// Turns until something is there.
    pub(super) fn until<T>(&mut self, mut look: impl FnMut(&mut Rig) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < end, "it does not come");
            self.turn();
        }
    }

    /// Turns until all lanes are open.
    pub(super) fn until_complete(&mut self) {
        self.until(|rig| rig.event_loop.backend.is_complete().then_some(()));
    }

    pub(super) fn stop(&mut self) {
        self.stop.stop();
        self.until(|rig| rig.event_loop.drain.map(drop));
    }

    /// Turns until all connections of a drain are gone.
    pub(super) fn until_drained(&mut self) {
        self.until(|rig| rig.event_loop.is_drained().then_some(()));
    }

    // Clients.

    pub(super) fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        Client { stream, outgoing: Vec::new(), received: Vec::new() }
    }

    /// A client that has asked, for the only time.
    pub(super) fn ask(&self, path: &str, name: &str) -> Client {
        let mut client = self.connect();
        client.ask(path, name, None);
        client
    }

    /// The same with a body of so many bytes.
    pub(super) fn post(&self, path: &str, name: &str, length: usize) -> Client {
        let mut client = self.connect();
        client.ask(path, name, Some(length));
        client
    }

    /// The status and the body of the only answer that a client gets.
    pub(super) fn answer(&mut self, mut client: Client) -> (u16, String) {
        self.until(|_| client.pump().then_some(()));
        client.answer()
    }

    pub(super) fn get(&mut self, path: &str, name: &str) -> (u16, String) {
        let client = self.ask(path, name);
        self.answer(client)
    }

    /// So many requests are in flight.
    pub(super) fn until_in_flight(&mut self, count: usize) {
        self.until(|rig| (rig.in_flight() == count).then_some(()));
    }

    pub(super) fn in_flight(&self) -> usize {
        self.event_loop.dispatch.in_flight()
    }

    // Lanes.

    pub(super) fn lanes(&mut self) -> &mut Lanes {
        match &mut self.behind {
            Behind::Lanes(lanes) => lanes,
            Behind::Workers => panic!("workers have the lanes"),
        }
    }

    /// The next request that comes over any lane.
    pub(super) fn next_sent(&mut self) -> Sent {
        self.until(|rig| rig.lanes().pop())
    }

    /// The next request for `path`, asked by a client of that name.
    pub(super) fn pass_on(&mut self, path: &str, name: &str) -> (Client, Sent) {
        let client = self.ask(path, name);
        (client, self.next_sent())
    }

    /// Hands over an answer, as a worker does.
    pub(super) fn complete(&mut self, lane: LaneKey, ticket: Ticket, text: &str) {
        let answer = Some(Answer::render(Response::text(200, text.to_owned()), Method::Get));
        self.event_loop.completions.push(Completion::Request { lane, ticket, answer });
    }

    /// The right answer to a request.
    pub(super) fn answer_sent(&mut self, sent: &Sent) {
        self.complete(sent.lane, sent.ticket, &sent.path);
    }
}

/// A client that never blocks.
pub(super) struct Client {
    stream: TcpStream,
    outgoing: Vec<u8>,
    received: Vec<u8>,
}

impl Client {
    /// Sends a request after which it hears no more than the one answer.
    pub(super) fn ask(&mut self, path: &str, name: &str, body: Option<usize>) {
        let method = if body.is_some() { "POST" } else { "GET" };
        let length = body.unwrap_or(0);
        let fields = format!("Host: a\r\nCookie: {name}\r\nContent-Length: {length}");
        let head = format!("{method} {path} HTTP/1.1\r\n{fields}\r\nConnection: close\r\n\r\n");
        self.outgoing.extend_from_slice(head.as_bytes());
        self.outgoing.resize(self.outgoing.len() + length, b'x');
        self.pump();
    }

    /// Writes and reads what can be; true once the server has closed.
    fn pump(&mut self) -> bool {
        if let Ok(count) = self.stream.write(&self.outgoing) {
            self.outgoing.drain(..count);
        }
        match self.stream.read_to_end(&mut self.received) {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn answer(&self) -> (u16, String) {
        let answer = String::from_utf8(self.received.clone()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// Resets the connection: nobody is there to take an answer.
    pub(super) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    /// Nothing has come yet.
    pub(super) fn is_waiting(&mut self) -> bool {
        !self.pump() && self.received.is_empty()
    }
}

/// The other ends of the lanes, in place of tiny_http.
pub(super) struct Lanes {
    listener: UnixListener,
    lanes: Vec<OneLane>,
    pub(super) answers_probes: bool,
}

struct OneLane {
    stream: UnixStream,
    received: Vec<u8>,
    key: Option<LaneKey>,
    is_closed: bool,
}

/// A request as it comes over a lane.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) lane: LaneKey,
    pub(super) ticket: Ticket,
    pub(super) path: String,
}

impl Lanes {
    fn look(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).unwrap();
            let received = Vec::new();
            self.lanes.push(OneLane { stream, received, key: None, is_closed: false });
        }
        self.lanes.iter_mut().for_each(OneLane::read);
    }

    /// The answers to the probes that have come.
    fn probes(&mut self) -> Vec<Completion> {
        let answers = self.answers_probes;
        let probes = self.lanes.iter_mut().filter(|lane| lane.key.is_none());
        let probes: Vec<_> = probes.filter_map(|lane| lane.take_probe()).collect();
        let probes = probes.into_iter().filter(|_| answers);
        probes.map(|(lane, number)| Completion::Probe { lane, number }).collect()
    }

    fn pop(&mut self) -> Option<Sent> {
        self.lanes.iter_mut().find_map(OneLane::pop)
    }

    fn of(&mut self, key: LaneKey) -> &mut OneLane {
        self.lanes.iter_mut().find(|lane| lane.key == Some(key)).unwrap()
    }

    /// How many there were, ever.
    pub(super) fn count(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn is_closed(&mut self, key: LaneKey) -> bool {
        self.of(key).is_closed
    }

    /// Says something on a lane, as tiny_http never may.
    pub(super) fn say(&mut self, key: LaneKey, bytes: &[u8]) {
        self.of(key).stream.write_all(bytes).unwrap();
    }

    /// Closes a lane at this end.
    pub(super) fn cut(&mut self, key: LaneKey) {
        self.of(key).stream.shutdown(std::net::Shutdown::Both).unwrap();
    }
}

impl OneLane {
    fn read(&mut self) {
        self.is_closed |= match self.stream.read_to_end(&mut self.received) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
    }

    fn take_probe(&mut self) -> Option<(LaneKey, u64)> {
        let (_, field) = self.take_head()?;
        let mut parts = field.strip_prefix("probe.")?.split('.');
        let mut number = || u64::from_str_radix(parts.next().unwrap(), 16).unwrap();
        let key = KeyData::from_ffi(number()).into();
        self.key = Some(key);
        Some((key, number()))
    }

    fn pop(&mut self) -> Option<Sent> {
        let lane = self.key?;
        let (path, field) = self.take_head()?;
        Some(Sent { lane, ticket: field.parse().unwrap(), path })
    }

    /// The path of the next request, and its ticket; a body goes with it, once all of it is there.
    fn take_head(&mut self) -> Option<(String, String)> {
        let end = self.received.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.received[..end].to_vec()).unwrap();
        let value = |name| head.lines().find_map(|line: &str| line.strip_prefix(name));
        let length = value("Content-Length: ").map_or(0, |length| length.parse().unwrap());
        if self.received.len() < end + length {
            return None;
        }
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let ticket = value("Waxseal-Request: ").unwrap().to_owned();
        self.received.drain(..end + length);
        Some((path, ticket))
    }
}

/// Holds workers until a test lets them go.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<Gates>, Condvar)>);

#[derive(Default)]
struct Gates {
    arrived: HashSet<String>,
    opened: HashSet<String>,
}

impl Gate {
    /// A worker comes to the gate of this name.
    pub(super) fn pass(&self, name: &str) {
        let (gates, changed) = &*self.0;
        let mut gates = gates.lock().unwrap();
        gates.arrived.insert(name.to_owned());
        let closed = |gates: &mut Gates| !gates.opened.contains(name);
        drop(changed.wait_timeout_while(gates, PATIENCE, closed).unwrap());
    }

    pub(super) fn open(&self, name: &str) {
        let (gates, changed) = &*self.0;
        gates.lock().unwrap().opened.insert(name.to_owned());
        changed.notify_all();
    }

    /// A worker has come to the gate of this name.
    pub(super) fn has_come(&self, name: &str) -> bool {
        self.0.0.lock().unwrap().arrived.contains(name)
    }

    /// Answers with the client's cookies; below `/held` it waits at the gate that they name.
    pub(super) fn handler(&self) -> impl Fn(&mut Request) -> Response + Send + Sync + 'static {
        let gate = self.clone();
        move |request| {
            let name = request.cookies().into_owned();
            if request.path() == "/held" {
                gate.pass(&name);
            }
            Response::text(200, name)
        }
    }
}
