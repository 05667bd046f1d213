//! The front: one thread that waits for readiness on all sockets, and for deadlines.
//!
//! It never blocks but in `poll`. What it does for visitors is in `visitors.rs`, what it does with
//! lanes in `passing.rs`.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{debug, info, warn};
use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};

use super::admission::{Admission, connections_within_descriptors};
use super::answers::{Answers, Handed};
use super::budget::{self, Budget};
use super::client::Moment;
use super::deadlines::{Class, Deadlines};
use super::lanes::Lanes;
use super::limits::Limits;
use super::listener::BACKLOG;
use super::numbers::Numbers;
use super::rendezvous::Rendezvous;
use super::slots::{Key, Slots};
use super::stop::Signals;
use super::visitors::{NEWCOMERS_AT_ONCE, Visitor};
use super::watchdog::{Signs, Watchdog};
use super::workers::Pulse;
use super::{Config, ServeError, panics};

const LISTENER: Token = Token(usize::MAX);
const SIGNALS: Token = Token(usize::MAX - 1);
const ANSWERS: Token = Token(usize::MAX - 2);

/// Events taken from the kernel at a time.
const EVENTS: usize = 1024;
/// The buffer that everything is read into; only what must wait is copied out of it.
const SCRATCH: usize = 64 << 10;

/// The front's own deadlines.
pub(super) const ACCEPT_AGAIN: Key = Key::name(0);
pub(super) const OPEN_AGAIN: Key = Key::name(1);
const LOOK: Key = Key::name(2);
const GIVE_BACK: Key = Key::name(3);
const DRAINED: Key = Key::name(4);

/// How long what was freed is kept for the next who needs it.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(2);

/// See the module's documentation.
pub(super) struct Front {
    pub(super) poll: Poll,
    /// The time at which this turn of the loop began.
    pub(super) now: Instant,
    pub(super) limits: Limits,
    pub(super) scratch: Vec<u8>,
    pub(super) deadlines: Deadlines,
    pub(super) budget: Budget,

    /// What was freed will be given back.
    giving_back: bool,

    pub(super) listener: Option<TcpListener>,
    /// There may be newcomers to accept.
    pub(super) newcomers: bool,
    /// Accepting failed, which has been logged.
    pub(super) accept_failing: bool,
    pub(super) admission: Admission,
    pub(super) visitors: Slots<Visitor>,
    /// Visitors whose bodies stay in the kernel until there is memory for them.
    pub(super) parked: BTreeSet<Key>,

    pub(super) lanes: Lanes,
    /// Opening a lane failed, which has been logged.
    pub(super) open_failing: bool,
    /// It will be tried again, after a pause.
    pub(super) open_paused: bool,
    pub(super) answers: Arc<Answers>,
    /// Room for answers while they are delivered.
    pub(super) handed: Vec<Handed>,
    /// For questions.
    pub(super) numbers: Numbers,
    /// Visitors who wait for a lane.
    pub(super) queued: usize,
    /// It was the newest one's turn last.
    pub(super) newest_went: bool,
    /// The last answer came soon.
    pub(super) quick: bool,
    /// Lanes whose questions are to be written at the end of this turn of the loop.
    pub(super) asked: Vec<Key>,
    /// Visitors whose answer is to be written at the end of this turn of the loop.
    pub(super) answered: Vec<Key>,

    watchdog: Watchdog,
    pulse: Arc<Pulse>,
    pub(super) workers: usize,
    signals: Signals,
    /// Gone once the drain has begun: no lane is opened after that.
    pub(super) rendezvous: Option<Rendezvous>,
    pub(super) draining: bool,
    drained: bool,
}

/// What the front waits with, and where workers hand over what wakes it.
pub(super) fn waiting(limits: &Limits) -> io::Result<(Poll, Arc<Answers>)> {
    let poll = Poll::new()?;
    let answers = Answers::new(poll.registry(), ANSWERS, limits.lane_time)?;
    Ok((poll, Arc::new(answers)))
}

impl Front {
    pub(super) fn new(
        config: Config,
        (poll, answers): (Poll, Arc<Answers>),
        mut signals: Signals,
        rendezvous: Rendezvous,
        pulse: Arc<Pulse>,
    ) -> Result<Front, ServeError> {
        let start = |error: io::Error| ServeError::Start(error.to_string());
        config.listener.set_nonblocking(true).map_err(start)?;
        // Accepted sockets inherit it, which saves a call for each. Where they do not, answers are
        // still written whole.
        if let Err(error) = rustix::net::sockopt::set_tcp_nodelay(&config.listener, true) {
            debug!(error:% = error; "TCP_NODELAY cannot be set");
        }
        let mut listener = TcpListener::from_std(config.listener);
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE).map_err(start)?;
        registry.register(&mut signals.socket, SIGNALS, Interest::READABLE).map_err(start)?;
        let workers = config.workers.max(1);
        let connections = connections_within_descriptors(config.max_connections, workers);
        let now = Instant::now();
        Ok(Front {
            poll,
            now,
            scratch: vec![0; SCRATCH],
            deadlines: Deadlines::default(),
            budget: Budget::new(config.limits.memory),
            giving_back: false,
            listener: Some(listener),
            newcomers: true,
            accept_failing: false,
            admission: Admission::new(connections, config.trusted_proxies),
            visitors: Slots::with_capacity(connections + 1),
            parked: BTreeSet::new(),
            lanes: Lanes::new(rendezvous.address.clone(), workers),
            open_failing: false,
            open_paused: false,
            answers,
            handed: Vec::new(),
            numbers: Numbers::unguessable().map_err(start)?,
            queued: 0,
            newest_went: false,
            quick: false,
            asked: Vec::new(),
            answered: Vec::new(),
            watchdog: Watchdog::new(config.limits.stuck_time),
            pulse,
            workers,
            signals,
            rendezvous: Some(rendezvous),
            draining: false,
            drained: false,
            limits: config.limits,
        })
    }

    /// Runs until a drain is over.
    pub(super) fn run(mut self) -> Result<(), ServeError> {
        let mut events = Events::with_capacity(EVENTS);
        self.open_lane();
        let mut at_once = false;
        while !self.drained {
            match self.poll.poll(&mut events, self.patience(at_once)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ServeError::Poll(error)),
            }
            self.now = Instant::now();
            for event in &events {
                self.happened(event)?;
            }
            self.expire();
            self.unpark();
            at_once = self.accept();
            self.write_all();
            self.give_back_later();
            self.drained |= self.draining && self.visitors.len() == 0;
        }
        Ok(())
    }

    /// How long to wait for events: for ever, where nothing is due.
    fn patience(&self, at_once: bool) -> Option<Duration> {
        if at_once {
            return Some(Duration::ZERO);
        }
        self.deadlines.next().map(|due| due.saturating_duration_since(Instant::now()))
    }

    fn happened(&mut self, event: &Event) -> Result<(), ServeError> {
        match (event.token(), Lanes::key(event.token())) {
            (LISTENER, _) => self.newcomers = true,
            (ANSWERS, _) => self.take_answers(),
            (SIGNALS, _) => return self.signalled(),
            (_, Some(lane)) => self.lane_ready(lane, event),
            (token, None) => self.visitor_ready(Key::from_number(token.0), event),
        }
        Ok(())
    }

    fn expire(&mut self) {
        while let Some((class, _, key)) = self.deadlines.pop_due(self.now) {
            match (class, key) {
                (Class::Lane, lane) => self.lane_overdue(lane),
                // The loop tries by itself, now that the pause is over.
                (Class::Own, ACCEPT_AGAIN) => self.newcomers = true,
                (Class::Own, OPEN_AGAIN) => {
                    self.open_paused = false;
                    self.open_lane();
                }
                (Class::Own, LOOK) => self.look(),
                (Class::Own, GIVE_BACK) => self.give_back(),
                (Class::Own, _) => self.give_up_draining(),
                (_, visitor) => self.visitor_overdue(visitor),
            }
        }
    }

    /// What a connection needs to know.
    pub(super) fn moment<'a>(now: Instant, limits: &'a Limits, draining: bool) -> Moment<'a> {
        Moment { now, limits, draining }
    }

    // Memory that is given back.

    /// Much memory is in use: some time after that is over, it is given back.
    fn give_back_later(&mut self) {
        if self.budget.is_swollen() && !self.giving_back {
            self.giving_back = true;
            self.deadlines.insert((Class::Own, self.now + GIVE_BACK_PAUSE, GIVE_BACK));
        }
    }

    fn give_back(&mut self) {
        budget::give_back();
        // Once more, where some of it may have been freed only just now.
        self.giving_back = self.budget.was_swollen();
        if self.giving_back {
            self.deadlines.insert((Class::Own, self.now + GIVE_BACK_PAUSE, GIVE_BACK));
        }
    }

    // The watchdog.

    /// Something is under way: from now on it is watched.
    pub(super) fn watch(&mut self) {
        if !self.watchdog.is_watching() {
            self.watchdog.start(self.signs());
            self.deadlines.insert((Class::Own, self.now + self.watchdog.interval(), LOOK));
        }
    }

    fn signs(&self) -> Signs {
        Signs {
            all_busy: self.pulse.busy() >= self.workers,
            finished: self.pulse.finished(),
            any_lane: self.lanes.any(),
            opened: self.lanes.opened(),
        }
    }

    fn look(&mut self) {
        if self.lanes.are_idle() {
            return self.watchdog.stop();
        }
        if let Some(why) = self.watchdog.look(self.signs()) {
            panics::fatal(why);
        }
        self.deadlines.insert((Class::Own, self.now + self.watchdog.interval(), LOOK));
    }

    // The drain.

    fn signalled(&mut self) -> Result<(), ServeError> {
        match self.signals.count() {
            0 => Ok(()),
            1 if !self.draining => {
                self.begin_drain();
                Ok(())
            }
            _ => Err(ServeError::Interrupted),
        }
    }

    fn begin_drain(&mut self) {
        info!(connections = self.visitors.len(); "draining");
        self.deadlines.insert((Class::Own, self.now + self.limits.drain_time, DRAINED));
        // Those who are connected already may have sent their request.
        self.newcomers = true;
        for _ in 0..BACKLOG / NEWCOMERS_AT_ONCE + 1 {
            self.accept();
        }
        self.draining = true;
        self.listener = None;
        self.rendezvous = None;
        self.signals.arm();
        for key in self.visitors.iter().map(|(key, _)| key).collect::<Vec<_>>() {
            self.say_goodbye(key);
        }
    }

    fn give_up_draining(&mut self) {
        warn!(connections = self.visitors.len(); "the drain took too long; connections are cut off");
        self.drained = true;
    }
}

#[cfg(test)]
#[path = "front_tests.rs"]
mod tests;
