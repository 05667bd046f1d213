//! All connections: their sockets, who is let in, who makes room, and what they hold.
//!
//! It reads and writes, and tells what has become of a connection ([`Progress`]). What a request
//! means, and when its turn is, it does not know.
//!
//! | file | what it does |
//! |---|---|
//! | `entry.rs` | reads and writes one socket |
//! | `accepting.rs`, `admission.rs` | accept connections, and tell how many there may be |
//! | `eviction.rs` | tells which connection makes room |
//! | `crowding.rs` | tells which connection of an address makes room for another of it |
//! | `draining.rs` | leads them through a drain |
//! | `deadlines.rs` | tells on which connection something is overdue |
//! | `lazy_order.rs` | keeps the order that the two above need |
//! | `memory.rs` | counts the bytes in all buffers |
//! | `kernel_buffers.rs` | bounds what the kernel holds |

mod accepting;
mod admission;
mod crowding;
mod deadlines;
mod draining;
mod entry;
mod eviction;
mod kernel_buffers;
mod lazy_order;
mod memory;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::Instant;

use mio::Registry;
use slotmap::SlotMap;

use super::config::Config;
use super::connection::{Connection, Moment, Stage, Want};
use super::descriptors::Descriptors;
use super::limits::Limits;
use super::message::{Answer, CompleteRequest};
use super::phase::Phase;
use super::readiness::Readiness;
use super::rejection::Rejection;
use super::rejection_pages::RejectionPages;
use super::subscriber::Subscriber;
use super::tokens::{ConnectionKey, Keys};
use crate::visitor::TrustedProxies;
use accepting::Acceptor;
use admission::Admission;
use crowding::Crowding;
use deadlines::Deadlines;
use entry::Entry;
use eviction::{EvictionOrder, Holders, burden};
use kernel_buffers::{MOST_STALLED, WideBuffers};
use memory::Memory;

/// The buffer that everything is read into; only what must wait is copied out of it.
const SCRATCH: usize = 64 << 10;

/// The state of a connection after all was done that can be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// A request is whole, and waits to be taken.
    Request,
    /// There is nothing to do until something happens.
    Pending,
    /// The connection is gone; whether a request of it was under way.
    Gone { was_waiting: bool },
}

/// A request that waits to be taken, as far as it matters for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadyRequest {
    pub(super) subscriber: Subscriber,
    pub(super) needs_lane_alone: bool,
    pub(super) is_again: bool,
}

/// See the module's documentation.
pub(super) struct Connections {
    registry: Registry,
    limits: Limits,
    pages: RejectionPages,
    phase: Phase,
    scratch: Vec<u8>,
    entries: SlotMap<ConnectionKey, Entry>,
    keys: Keys<ConnectionKey>,
    /// Gone once the grace time of a drain is over.
    acceptor: Option<Acceptor>,
    admission: Admission,
    crowding: Crowding,
    proxies: TrustedProxies,
    deadlines: Deadlines,
    eviction: EvictionOrder,
    memory: Memory,
    wide_buffers: WideBuffers,
    /// Connections whose answer the kernel does not take.
    stalled: usize,
    /// Connections whose bodies stay in the kernel until there is memory for them.
    parked: BTreeSet<ConnectionKey>,
}

impl Connections {
    pub(super) fn new(
        config: Config,
        descriptors: Descriptors,
        registry: Registry,
    ) -> io::Result<Self> {
        let admission = Admission::new(config.max_connections, descriptors);
        Ok(Connections {
            acceptor: Some(Acceptor::new(config.listener, config.listener_is_shared, &registry)?),
            registry,
            phase: Phase::Serving,
            scratch: vec![0; SCRATCH],
            // A table that never grows never lies in the way of memory that is given back. Room
            // that is not used costs address space only.
            entries: SlotMap::with_capacity_and_key(admission.limit() + 1),
            keys: Keys::new(),
            admission,
            crowding: Crowding::default(),
            proxies: config.trusted_proxies,
            deadlines: Deadlines::new(),
            eviction: EvictionOrder::new(),
            memory: Memory::new(config.limits.memory),
            wide_buffers: WideBuffers::default(),
            stalled: 0,
            parked: BTreeSet::new(),
            limits: config.limits,
            pages: config.rejection_pages,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// When the next thing is due, if anything is.
    pub(super) fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        let accept = self.acceptor.as_ref().and_then(Acceptor::again_at);
        let give_back = self.memory.give_back_at(now);
        [self.deadlines.next(), accept, give_back].into_iter().flatten().min()
    }

    // One connection.

    /// Something has happened on the socket with this token: its connection is to be advanced.
    pub(super) fn ready(
        &mut self,
        token: mio::Token,
        readiness: Readiness,
    ) -> Option<ConnectionKey> {
        let key = self.keys.find(token)?;
        let entry = self.entries.get_mut(key)?;
        entry.broken |= readiness.is_over;
        entry.readable |= readiness.readable;
        entry.ending |= readiness.read_closed;
        Some(key)
    }

    /// Does for a connection all that can be done now.
    pub(super) fn advance(&mut self, now: Instant, key: ConnectionKey) -> Progress {
        loop {
            match self.step(now, key) {
                Ok(Step::Again) => {}
                Ok(Step::Request) => {
                    self.settle(now, key);
                    return Progress::Request;
                }
                Ok(Step::Wait) => {
                    self.settle(now, key);
                    return Progress::Pending;
                }
                Err(_) => return self.remove(key),
            }
        }
    }

    /// One thing that the connection wants. An error means that it is over.
    fn step(&mut self, now: Instant, key: ConnectionKey) -> io::Result<Step> {
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase: self.phase };
        let Some(entry) = self.entries.get_mut(key).filter(|entry| !entry.broken) else {
            return Err(ErrorKind::ConnectionAborted.into());
        };
        let more = match entry.connection.want(&self.limits) {
            Want::Pass => return Ok(Step::Request),
            Want::Read(_) if self.memory.is_short() && entry.connection.awaits_large_body() => {
                entry.parked = true;
                self.parked.insert(key);
                false
            }
            Want::Read(most) => {
                let most = most.min(self.scratch.len());
                entry.read(moment, &mut self.scratch[..most])?
            }
            Want::Write => {
                let was_stalled = entry.is_stalled;
                let more = entry.write(moment, &self.registry, key)?;
                entry.widen(&mut self.wide_buffers)?;
                self.stalled =
                    self.stalled + usize::from(entry.is_stalled) - usize::from(was_stalled);
                self.relieve_kernel(now);
                more
            }
            Want::Answer => false,
            Want::ShutDown => {
                entry.shut_down(moment);
                true
            }
            Want::Close => return Err(ErrorKind::ConnectionAborted.into()),
        };
        Ok(if more { Step::Again } else { Step::Wait })
    }

    /// The request that waits on a connection.
    pub(super) fn ready_request(&self, key: ConnectionKey) -> Option<ReadyRequest> {
        let Entry { connection, address, .. } = self.entries.get(key)?;
        let head = connection.ready_head()?;
        let address = self.proxies.address(*address, head.values("X-Forwarded-For"));
        Some(ReadyRequest {
            subscriber: Subscriber::of(address),
            needs_lane_alone: connection.needs_lane_alone(),
            is_again: connection.is_again(),
        })
    }

    /// Takes the request that waits on a connection, with the client's address.
    pub(super) fn take_request(
        &mut self,
        now: Instant,
        key: ConnectionKey,
    ) -> Option<(CompleteRequest, IpAddr)> {
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase: self.phase };
        let entry = self.entries.get_mut(key)?;
        let request = entry.connection.take_request(moment)?;
        let address = entry.address;
        self.settle(now, key);
        Some((request, address))
    }

    /// Gives a connection its answer, to be written when it is advanced. One that has gone needs
    /// none.
    pub(super) fn answer(&mut self, now: Instant, key: ConnectionKey, answer: Answer) {
        self.change(now, key, |connection, moment| connection.answer(moment, answer));
        // At once: many large ones may come in one turn.
        self.recount(now, key);
    }

    /// Answers a connection with a rejection, to be written when it is advanced.
    pub(super) fn reject(&mut self, now: Instant, key: ConnectionKey, rejection: Rejection) {
        self.change(now, key, |connection, moment| connection.reject(moment, rejection));
    }

    fn change(
        &mut self,
        now: Instant,
        key: ConnectionKey,
        change: impl FnOnce(&mut Connection, Moment<'_>),
    ) {
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase: self.phase };
        if let Some(entry) = self.entries.get_mut(key) {
            change(&mut entry.connection, moment);
        }
    }

    /// A connection whose deadline has passed: it is to be advanced.
    pub(super) fn pop_overdue(&mut self, now: Instant) -> Option<ConnectionKey> {
        let deadline = |key| self.entries.get(key).and_then(|entry| entry.connection.deadline());
        let key = self.deadlines.pop_due(now, deadline)?;
        if let Some(entry) = self.entries.get(key)
            && entry.connection.stage() == Stage::Answering
        {
            kernel_buffers::reset_at_close(&entry.socket);
        }
        self.change(now, key, |connection, moment| connection.expire(moment));
        Some(key)
    }

    // Out.

    fn remove(&mut self, key: ConnectionKey) -> Progress {
        let Some(entry) = self.entries.remove(key) else {
            return Progress::Gone { was_waiting: false };
        };
        self.deadlines.remove(key);
        self.eviction.remove(key);
        if entry.parked {
            self.parked.remove(&key);
        }
        self.memory.recount(entry.counted, 0);
        if entry.is_wide {
            self.wide_buffers.release();
        }
        self.stalled -= usize::from(entry.is_stalled);
        let subscriber = Subscriber::of(entry.address);
        if !self.proxies.believes(entry.address) && self.admission.leave(subscriber) {
            self.crowding.forget(subscriber);
        }
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.descriptor_is_free();
        }
        Progress::Gone { was_waiting: entry.connection.stage() == Stage::Waiting }
    }

    // Deadlines and memory.

    /// Brings deadline, order and memory up to date after something has happened.
    fn settle(&mut self, now: Instant, key: ConnectionKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        self.deadlines.set(key, entry.connection.deadline());
        self.eviction.set(key, &entry.connection);
        self.recount(now, key);
    }

    fn recount(&mut self, now: Instant, key: ConnectionKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let held = entry.connection.memory();
        self.memory.recount(std::mem::replace(&mut entry.counted, held), held);
        self.relieve(now);
    }

    /// The buffers of others that hold `before` bytes hold `after`.
    pub(super) fn recount_others(&mut self, now: Instant, before: usize, after: usize) {
        self.memory.recount(before, after);
        self.relieve(now);
    }

    /// Makes room when memory is short, in the order of [`Holders`].
    fn relieve(&mut self, now: Instant) {
        let Some(mut excess) = self.memory.excess() else { return };
        let mut holders = Holders::default();
        for (key, entry) in &self.entries {
            holders.add(key, &entry.connection, now);
        }
        holders.sort();
        while excess > 0
            && let Some((key, held)) = holders.pop()
        {
            self.reset(key);
            excess = excess.saturating_sub(held);
        }
        self.memory.room_was_made(now);
    }

    /// Makes room in the kernel where too many clients do not read: those go that make least progress.
    fn relieve_kernel(&mut self, now: Instant) {
        if self.stalled <= MOST_STALLED {
            return;
        }
        let stalled = self.entries.iter().filter(|(_, entry)| entry.is_stalled);
        let mut by_burden: Vec<_> =
            stalled.map(|(key, entry)| (burden(&entry.connection, now), key)).collect();
        by_burden.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        by_burden.iter().take(MOST_STALLED / 8).for_each(|(_, key)| self.reset(*key));
    }

    /// Removes a connection, and throws away what its client has not taken.
    fn reset(&mut self, key: ConnectionKey) {
        if let Some(entry) = self.entries.get(key) {
            kernel_buffers::reset_at_close(&entry.socket);
        }
        self.remove(key);
    }

    /// Connections whose bodies had to stay in the kernel, and can come now: they are to be advanced.
    pub(super) fn unpark(&mut self) -> BTreeSet<ConnectionKey> {
        if self.parked.is_empty() || !self.memory.is_ample() {
            return BTreeSet::new();
        }
        let parked = std::mem::take(&mut self.parked);
        for key in &parked {
            if let Some(entry) = self.entries.get_mut(*key) {
                entry.parked = false;
            }
        }
        parked
    }

    /// Gives memory back to the kernel, where it is time for that.
    pub(super) fn give_back(&mut self, now: Instant) {
        self.memory.give_back(now);
    }
}

/// The result of one step of a connection.
enum Step {
    Again,
    Wait,
    Request,
}
