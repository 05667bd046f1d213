//! The event loop: one thread that waits for readiness on all sockets, and for deadlines.
//!
//! It never blocks but in `poll`. It tells the connections, the dispatch and the backend what has
//! happened, in one order a turn, and carries requests and answers between them; these three do not
//! know each other.

mod draining;

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::info;
use mio::{Events, Interest, Poll, Token};

use super::backend::backend_socket::BackendSocket;
use super::backend::completions::{Completion, Completions};
use super::backend::statistics::WorkerStatistics;
use super::backend::workers::Exchange;
use super::backend::{Backend, Broken};
use super::config::Config;
use super::connections::{Connections, Progress};
use super::descriptors::Descriptors;
use super::dispatch::{Dispatch, Overdue, Waiting};
use super::lifecycle::drain::Drain;
use super::lifecycle::signals::Signals;
use super::lifecycle::watchdog::{Signs, Watchdog};
use super::limits::Limits;
use super::message::Answer;
use super::readiness::Readiness;
use super::rejection;
use super::serve_error::ServeError;
use super::ticket::Ticket;
use super::tokens::{self, COMPLETIONS, ConnectionKey, LISTENER, LaneKey, SIGNALS};

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;

/// See the module's documentation.
pub(super) struct EventLoop {
    poll: Poll,
    connections: Connections,
    dispatch: Dispatch,
    backend: Backend,
    completions: Arc<Completions>,
    statistics: Arc<WorkerStatistics>,
    port: u16,
    workers: usize,
    signals: Signals,
    watchdog: Watchdog,
    /// Room for completions while they are delivered.
    completed: Vec<Completion>,
    /// Connections whose answer is to be written at the end of this turn.
    answered: Vec<ConnectionKey>,
    /// Bytes of the lanes' buffers that are counted.
    lane_memory: usize,
    limits: Limits,
    /// Where one has begun.
    drain: Option<Drain>,
}

impl EventLoop {
    pub(super) fn new(
        config: Config,
        descriptors: Descriptors,
        poll: Poll,
        exchange: Exchange,
        mut signals: Signals,
        socket: BackendSocket,
    ) -> io::Result<EventLoop> {
        let Exchange { pending, completions, statistics } = exchange;
        let (workers, limits) = (config.workers, config.limits.clone());
        let port = config.listener.local_addr()?.port();
        let registry = || poll.registry().try_clone();
        registry()?.register(signals.socket(), SIGNALS, Interest::READABLE)?;
        Ok(EventLoop {
            connections: Connections::new(config, descriptors, registry()?)?,
            dispatch: Dispatch::new(workers, &limits)?,
            backend: Backend::new(socket, pending, workers, &limits, registry()?),
            completions,
            statistics,
            port,
            workers,
            signals,
            watchdog: Watchdog::new(limits.stuck_time),
            completed: Vec::new(),
            answered: Vec::new(),
            lane_memory: 0,
            limits,
            drain: None,
            poll,
        })
    }

    /// Runs until a drain is over.
    pub(super) fn run(mut self) -> Result<(), ServeError> {
        let mut events = Events::with_capacity(EVENTS);
        // Its program may have stopped it already.
        self.signalled(Instant::now())?;
        let mut at_once = self.turn(Instant::now(), [])?;
        while !self.is_drained() {
            self.wait(&mut events, at_once).map_err(ServeError::Poll)?;
            let happened = events.iter().map(|event| (event.token(), event.into()));
            at_once = self.turn(Instant::now(), happened)?;
        }
        Ok(())
    }

    /// Waits until something happens or is due.
    fn wait(&mut self, events: &mut Events, at_once: bool) -> io::Result<()> {
        let patience = match self.next_deadline(Instant::now()) {
            _ if at_once || !self.completions.begin_wait() => Some(Duration::ZERO),
            due => due.map(|due| due.saturating_duration_since(Instant::now())),
        };
        match self.poll.poll(events, patience) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        let deadlines = [
            self.connections.next_deadline(now),
            self.dispatch.next_deadline(),
            self.backend.next_deadline(),
            self.watchdog.look_at(),
            self.drain.map(|drain| drain.next_deadline()),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// One turn: tells the parts what has happened and what is due, and writes what comes of it.
    /// True where the next turn is not to wait for events.
    ///
    /// Answers come first: they make room, which those who wait have before newcomers are turned
    /// away for want of it.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        happened: impl IntoIterator<Item = (Token, Readiness)>,
    ) -> Result<bool, ServeError> {
        self.take_completions(now);
        for (token, readiness) in happened {
            match token {
                LISTENER => self.connections.newcomers(),
                // They were taken already.
                COMPLETIONS => {}
                SIGNALS => self.signalled(now)?,
                lane if tokens::is_lane(lane) => {
                    let broken = self.backend.ready(lane, readiness);
                    self.retire(now, broken);
                }
                connection => {
                    if let Some(key) = self.connections.ready(connection, readiness) {
                        self.advance(now, key);
                    }
                }
            }
        }
        self.expire(now);
        for key in self.connections.unpark() {
            self.advance(now, key);
        }
        let more = self.connections.accept(now);
        let has_room = self.connections.make_room_for_lanes(self.backend.extra_lanes());
        self.backend.open_missing(now, has_room);
        self.write(now);
        self.watch(now)?;
        self.connections.give_back(now);
        Ok(more)
    }

    // Connections.

    /// Does for a connection all that can be done now.
    fn advance(&mut self, now: Instant, key: ConnectionKey) {
        match self.connections.advance(now, key) {
            Progress::Request => self.arrive(now, key),
            Progress::Gone { was_waiting: true } => {
                if let Some(ticket) = self.dispatch.leave(key) {
                    self.backend.withdraw(ticket);
                }
            }
            Progress::Pending | Progress::Gone { was_waiting: false } => {}
        }
    }

    /// A request is whole.
    fn arrive(&mut self, now: Instant, key: ConnectionKey) {
        let Some(request) = self.connections.ready_request(key) else { return };
        let waiting = Waiting {
            connection: key,
            subscriber: request.subscriber,
            needs_lane_alone: request.needs_lane_alone,
            is_again: request.is_again,
        };
        self.dispatch.arrive(now, waiting);
        self.pass_on(now);
        if let Some(turned_away) = self.dispatch.pop_excess(now) {
            self.connections.reject(now, turned_away, rejection::BUSY);
            self.answered.push(turned_away);
        }
    }

    /// Passes requests on, as long as there is room.
    ///
    /// A request that needs a lane alone may wait for one while others have room. Then none goes,
    /// so that a lane empties soon: each lane has a request already, so that the workers are not
    /// idle once all lanes are open.
    fn pass_on(&mut self, now: Instant) {
        while let Some(next) = self.dispatch.next(now)
            && let Some(lane) = self.backend.lane_for(next.needs_lane_alone)
        {
            let Some((request, peer)) = self.connections.take_request(now, next.connection) else {
                self.dispatch.leave(next.connection);
                continue;
            };
            if let Some(ticket) = self.dispatch.start(now, next, lane) {
                self.backend.push(lane, ticket, request, peer);
            }
        }
    }

    /// Writes what this turn has gathered: requests to the lanes first, so that the workers are at
    /// them while answers are written to connections.
    ///
    /// Each write wakes a thread. One after another they wake many for one switch away from this
    /// thread, where between two reads each would be a switch of its own.
    fn write(&mut self, now: Instant) {
        loop {
            // Whatever it was that made room.
            self.pass_on(now);
            if !self.backend.has_unsent() && self.answered.is_empty() {
                break;
            }
            for broken in self.backend.send() {
                self.retire(now, Some(broken));
            }
            // Behind an answer there may be the next request already.
            for key in mem::take(&mut self.answered) {
                self.advance(now, key);
            }
        }
        let held = self.backend.memory();
        if held != self.lane_memory {
            let before = mem::replace(&mut self.lane_memory, held);
            self.connections.recount_others(now, before, held);
        }
    }

    // Answers.

    fn take_completions(&mut self, now: Instant) {
        let mut completed = mem::take(&mut self.completed);
        self.completions.take(&mut completed);
        for completion in completed.drain(..) {
            match completion {
                Completion::Probe { lane, number } => {
                    if !self.backend.probe_answered(lane, number) {
                        self.wrong_number(now, lane);
                    } else if self.backend.opened() == 1 {
                        // Only now can a request be answered.
                        info!(port = self.port, workers = self.workers; "listening");
                    }
                }
                Completion::Request { lane, ticket, answer } => {
                    self.deliver(now, lane, ticket, answer);
                }
            }
        }
        self.completed = completed;
    }

    fn deliver(&mut self, now: Instant, lane: LaneKey, ticket: Ticket, answer: Option<Answer>) {
        let Some(completed) = self.dispatch.complete(now, ticket) else {
            return self.wrong_number(now, lane);
        };
        if let Err(broken) = self.backend.answered(completed.lane, ticket) {
            self.lose(now, completed.connection);
            return self.retire(now, Some((completed.lane, broken)));
        }
        if let (Some(connection), Some(answer)) = (completed.connection, answer) {
            self.connections.answer(now, connection, answer);
            self.answered.push(connection);
        }
    }

    /// An answer names a request that is not in flight: what cannot be told apart must not be
    /// passed on. It may be one that was late and is forgotten, if its lane is given up; and the
    /// lane may be closed already.
    fn wrong_number(&mut self, now: Instant, lane: LaneKey) {
        if !self.backend.may_be_late(lane) {
            self.retire(now, Some((lane, Broken("an answer with another number"))));
        }
    }

    /// Closes a lane at once. All whose requests are in flight over it get a rejection: which of
    /// them tiny_http has read, nobody can tell.
    fn retire(&mut self, now: Instant, broken: Option<(LaneKey, Broken)>) {
        let Some((lane, why)) = broken else { return };
        if !self.backend.retire(lane, why) {
            return;
        }
        for (ticket, connection) in self.dispatch.lane_closed(lane) {
            self.backend.forget(lane, ticket);
            self.lose(now, connection);
        }
    }

    /// The answer that a connection waits for will not come.
    fn lose(&mut self, now: Instant, connection: Option<ConnectionKey>) {
        let Some(connection) = connection else { return };
        self.connections.reject(now, connection, rejection::LOST_ANSWER);
        self.answered.push(connection);
    }

    // Deadlines.

    fn expire(&mut self, now: Instant) {
        while let Some(key) = self.connections.pop_overdue(now) {
            self.advance(now, key);
        }
        while let Some(key) = self.dispatch.pop_stale(now) {
            self.connections.reject(now, key, rejection::BUSY);
            self.answered.push(key);
        }
        while let Some(overdue) = self.dispatch.pop_overdue(now) {
            self.overdue(now, overdue);
        }
        let probe = self.backend.overdue_probe(now);
        self.retire(now, probe);
        self.drain(now);
    }

    /// An answer is overdue: who waits for it gets a rejection, and its lane is given up. Others
    /// whose requests are in flight over that lane keep their time.
    fn overdue(&mut self, now: Instant, overdue: Overdue) {
        match overdue {
            Overdue::Late { ticket, lane, connection } => {
                self.backend.withdraw(ticket);
                self.backend.give_up(lane);
                if let Some(connection) = connection {
                    self.connections.reject(now, connection, rejection::NO_ANSWER);
                    self.answered.push(connection);
                }
            }
            Overdue::Lost { ticket, lane } => self.backend.forget(lane, ticket),
        }
    }

    // The watchdog.

    /// Looks now and then whether the server is stuck, while something is under way.
    fn watch(&mut self, now: Instant) -> Result<(), ServeError> {
        if self.statistics.has_ended() {
            return Err(ServeError::Stuck("tiny_http gives no more requests"));
        }
        if self.watchdog.look_at().is_some_and(|due| due > now) {
            return Ok(());
        }
        let is_idle = self.dispatch.in_flight() == 0 && self.backend.is_complete();
        let signs = || Signs {
            all_busy: self.statistics.busy() >= self.workers,
            finished: self.statistics.finished(),
            any_lane: self.backend.any(),
            opened: self.backend.opened(),
        };
        match self.watchdog.watch(now, is_idle, signs) {
            Some(why) => Err(ServeError::Stuck(why)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
