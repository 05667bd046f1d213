//! tiny_http and the workers, and the lanes to them.
//!
//! Lanes are opened one after another, each with a probe answered before the next is begun:
//! tiny_http counts its idle threads late, and of several connections at once some might never be
//! served. One that breaks, or whose answers are late, is replaced in the same way.
//!
//! | file | what it does |
//! |---|---|
//! | `lane.rs` | sends requests over one lane |
//! | `backend_socket.rs` | is where tiny_http listens for lanes |
//! | `pending.rs` | keeps the heads of requests until a worker takes them |
//! | `workers.rs` | runs tiny_http, the accept loop and the pool, and the handler |
//! | `completions.rs` | brings answers back |
//! | `statistics.rs` | counts what workers are at |

pub(super) mod backend_socket;
pub(super) mod completions;
pub(super) mod lane;
pub(super) mod pending;
pub(super) mod statistics;
pub(super) mod workers;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{error, warn};
use mio::Registry;
use mio::net::UnixStream;
use slotmap::SlotMap;

use super::limits::Limits;
use super::message::CompleteRequest;
use super::readiness::Readiness;
use super::ticket::Ticket;
use super::tokens::{Keys, LaneKey};
use backend_socket::BackendSocket;
pub(super) use lane::Broken;
use lane::Lane;
use pending::{PendingRequest, PendingRequests};

/// The pause after a lane could not be opened.
const OPEN_PAUSE: Duration = Duration::from_millis(250);

/// A lane that is new, and has not answered yet.
struct Probe {
    lane: LaneKey,
    number: u64,
    due: Instant,
}

/// See the module's documentation.
pub(super) struct Backend {
    registry: Registry,
    socket: BackendSocket,
    lanes: SlotMap<LaneKey, Lane>,
    keys: Keys<LaneKey>,
    /// How many there shall be.
    wanted: usize,
    probe: Option<Probe>,
    probe_time: Duration,
    /// Lanes opened, ever.
    opened: usize,
    /// Opening a lane failed, which has been logged.
    failing: bool,
    /// When to try again after a failure.
    open_again_at: Option<Instant>,
    /// Lanes that have something to be sent at the end of this turn.
    unsent: Vec<LaneKey>,
    pending: Arc<PendingRequests>,
}

impl Backend {
    pub(super) fn new(
        socket: BackendSocket,
        pending: Arc<PendingRequests>,
        workers: usize,
        limits: &Limits,
        registry: Registry,
    ) -> Self {
        Backend {
            registry,
            socket,
            lanes: SlotMap::with_key(),
            keys: Keys::new(),
            wanted: workers,
            probe: None,
            probe_time: limits.probe_time,
            opened: 0,
            failing: false,
            open_again_at: None,
            unsent: Vec::new(),
            pending,
        }
    }

    /// When the next thing is due, if anything is.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let probe = self.probe.as_ref().map(|probe| probe.due);
        probe.into_iter().chain(self.open_again_at).min()
    }

    // The lanes.

    /// Lanes that have been probed, and not been given up.
    fn usable(&self) -> impl Iterator<Item = (LaneKey, &Lane)> {
        self.lanes.iter().filter(|(key, lane)| !self.is_probed(*key) && !lane.is_given_up())
    }

    fn is_probed(&self, key: LaneKey) -> bool {
        self.probe.as_ref().is_some_and(|probe| probe.lane == key)
    }

    /// Some lane can be used.
    pub(super) fn any(&self) -> bool {
        self.usable().next().is_some()
    }

    /// No lane is missing.
    pub(super) fn is_complete(&self) -> bool {
        self.usable().count() == self.wanted
    }

    /// How many more lanes there are, or are about to be, than workers: those that were given up.
    pub(super) fn extra_lanes(&self) -> usize {
        let missing = usize::from(self.probe.is_none() && !self.is_complete());
        (self.lanes.len() + missing).saturating_sub(self.wanted)
    }

    /// Lanes opened, ever.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    /// A late answer may come over this lane: it is given up.
    pub(super) fn may_be_late(&self, key: LaneKey) -> bool {
        self.lanes.get(key).is_none_or(Lane::is_given_up)
    }

    // Requests.

    /// A lane for one more request: the first that has room, so that much goes over few lanes,
    /// written and read together, and others are left to requests that need one alone.
    pub(super) fn lane_for(&self, needs_lane_alone: bool) -> Option<LaneKey> {
        let mut fit = self.usable().filter(|(_, lane)| lane.has_room(needs_lane_alone));
        let found = if needs_lane_alone { fit.last() } else { fit.next() };
        found.map(|(key, _)| key)
    }

    /// Sends a request over a lane, at the end of this turn.
    pub(super) fn push(
        &mut self,
        key: LaneKey,
        ticket: Ticket,
        request: CompleteRequest,
        peer: IpAddr,
    ) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        if !lane.has_unsent() {
            self.unsent.push(key);
        }
        lane.push(ticket, &request);
        let CompleteRequest { head, body, .. } = request;
        let pending = PendingRequest { lane: key, head, peer, body_length: body.len() };
        self.pending.insert(ticket, pending);
    }

    /// Takes a request back whose client has gone or has its answer.
    pub(super) fn withdraw(&mut self, ticket: Ticket) {
        self.pending.withdraw(ticket);
    }

    /// A request is answered.
    pub(super) fn answered(&mut self, key: LaneKey, ticket: Ticket) -> Result<(), Broken> {
        let Some(lane) = self.lanes.get_mut(key) else { return Ok(()) };
        lane.answered(ticket.number)?;
        self.close_given_up(key);
        Ok(())
    }

    /// A request is not counted any longer, and not served if no worker has taken it yet.
    pub(super) fn forget(&mut self, key: LaneKey, ticket: Ticket) {
        self.pending.forget(ticket);
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.forget();
            self.close_given_up(key);
        }
    }

    // Sending.

    /// Something is to be sent at the end of this turn.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Sends what this turn has gathered. The lanes over which that cannot be done.
    pub(super) fn send(&mut self) -> Vec<(LaneKey, Broken)> {
        let mut broken = Vec::new();
        while let Some(key) = self.unsent.pop() {
            broken.extend(self.send_over(key));
        }
        broken
    }

    fn send_over(&mut self, key: LaneKey) -> Option<(LaneKey, Broken)> {
        let sent = self.lanes.get_mut(key)?.send(&self.registry, key);
        sent.is_err().then_some((key, Broken("it cannot be written to")))
    }

    /// A lane has room to write, or something to read, which it never should.
    pub(super) fn ready(
        &mut self,
        token: mio::Token,
        readiness: Readiness,
    ) -> Option<(LaneKey, Broken)> {
        let key = self.keys.find(token)?;
        if readiness.writable
            && let Some(broken) = self.send_over(key)
        {
            return Some(broken);
        }
        let heard = self.lanes.get_mut(key)?.listen();
        heard.err().map(|broken| (key, broken))
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.lanes.values().map(Lane::memory).sum()
    }

    // How one is opened, given up and closed.

    /// Opens a lane where one is missing, one at a time, and where there is room for its descriptors.
    pub(super) fn open_missing(&mut self, now: Instant, has_room: bool) {
        self.open_again_at.take_if(|due| *due <= now);
        let is_missing = self.probe.is_none() && self.usable().count() < self.wanted;
        if !is_missing || !has_room || self.open_again_at.is_some() {
            return;
        }
        if let Err(error) = self.open(now) {
            if !self.failing {
                error!(error:% = error; "a lane cannot be opened");
            }
            self.failing = true;
            self.open_again_at = Some(now + OPEN_PAUSE);
        }
    }

    /// Opens a lane and sends the probe.
    fn open(&mut self, now: Instant) -> io::Result<()> {
        let number = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let key = self.lanes.insert(Lane::new(UnixStream::connect_addr(&self.socket.address)?));
        self.keys.note(key);
        self.probe = Some(Probe { lane: key, number, due: now + self.probe_time });
        let sent = self.send_probe(key, number);
        if sent.is_err() {
            self.close(key);
        }
        sent
    }

    fn send_probe(&mut self, key: LaneKey, number: u64) -> io::Result<()> {
        let Some(lane) = self.lanes.get_mut(key) else { return Ok(()) };
        lane.register(&self.registry, key)?;
        lane.push_probe(key, number);
        lane.send(&self.registry, key)
    }

    /// A probe is answered; false where it is not the one that was sent.
    pub(super) fn probe_answered(&mut self, key: LaneKey, number: u64) -> bool {
        let is_ours = |probe: &mut Probe| probe.lane == key && probe.number == number;
        if self.probe.take_if(is_ours).is_none() {
            return false;
        }
        if let Some(lane) = self.lanes.get_mut(key) {
            lane.forget();
        }
        self.opened += 1;
        self.failing = false;
        true
    }

    /// A lane whose probe is not answered in time.
    pub(super) fn overdue_probe(&self, now: Instant) -> Option<(LaneKey, Broken)> {
        let probe = self.probe.as_ref().filter(|probe| probe.due <= now)?;
        Some((probe.lane, Broken("no answer in time")))
    }

    /// An answer is overdue on a lane: another is to take its place.
    pub(super) fn give_up(&mut self, key: LaneKey) {
        if let Some(lane) = self.lanes.get_mut(key)
            && !lane.is_given_up()
        {
            lane.give_up();
            warn!(reason = "no answer in time"; "a lane is given up");
        }
    }

    /// Closes a lane that is given up and has no more requests.
    fn close_given_up(&mut self, key: LaneKey) {
        if self.lanes.get(key).is_some_and(|lane| lane.is_given_up() && lane.in_flight() == 0) {
            self.close(key);
        }
    }

    /// Closes a lane that is broken; false where it is closed already.
    pub(super) fn retire(&mut self, key: LaneKey, why: Broken) -> bool {
        let is_open = self.close(key);
        if is_open {
            warn!(reason = why.0; "a lane is closed");
        }
        is_open
    }

    fn close(&mut self, key: LaneKey) -> bool {
        self.probe.take_if(|probe| probe.lane == key);
        self.lanes.remove(key).is_some()
    }
}

#[cfg(test)]
mod tests;
