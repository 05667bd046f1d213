//! The requests that wait to be passed on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::server::tokens::ConnectionKey;

/// The queue counts as standing still once a request has waited for so long.
const STANDING: Duration = Duration::from_millis(250);

/// A request that is whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Waiting {
    pub(in crate::server) connection: ConnectionKey,
    /// Nothing may share its lane.
    pub(in crate::server) needs_lane_alone: bool,
    /// The last answer on this connection was a large one.
    pub(in crate::server) had_large_answer: bool,
}

/// The request whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Next {
    pub(in crate::server) connection: ConnectionKey,
    pub(in crate::server) needs_lane_alone: bool,
    turn: Turn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The oldest of those whose client has had no large answer.
    Oldest,
    /// The oldest of those whose client has had a large answer.
    OldestAgain,
    Newest,
}

#[derive(Clone, Copy)]
struct Queued {
    waiting: Waiting,
    since: Instant,
}

/// First come, first served. But where the queue stands still, the newest and the oldest have their
/// turn by turns, so that a crowd that asks for much at once delays itself, and hardly those who
/// come after it. Who has just had a large answer is not new.
pub(super) struct Queue {
    limit: usize,
    fresh: VecDeque<Queued>,
    again: VecDeque<Queued>,
    /// It was the newest one's turn last.
    newest_went: bool,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Queue { limit, fresh: VecDeque::new(), again: VecDeque::new(), newest_went: false }
    }

    /// Adds a request.
    pub(super) fn push(&mut self, now: Instant, waiting: Waiting) {
        let line = if waiting.had_large_answer { &mut self.again } else { &mut self.fresh };
        line.push_back(Queued { waiting, since: now });
    }

    /// Takes out a request if too many wait: the newest. Where the queue stands still, it is the one
    /// that has waited longest, since its client is the least likely to be waiting still.
    pub(super) fn pop_excess(&mut self, now: Instant) -> Option<ConnectionKey> {
        if self.len() <= self.limit {
            return None;
        }
        let oldest = self.oldest()?;
        let queued = if stands(&oldest, now) { oldest } else { self.newest()? };
        self.remove(queued.waiting.connection);
        Some(queued.waiting.connection)
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.again.len()
    }

    /// Since when the one that waits longest has waited.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.oldest().map(|oldest| oldest.since)
    }

    fn oldest(&self) -> Option<Queued> {
        self.fresh.front().into_iter().chain(self.again.front()).min_by_key(|p| p.since).copied()
    }

    fn newest(&self) -> Option<Queued> {
        self.fresh.back().into_iter().chain(self.again.back()).max_by_key(|p| p.since).copied()
    }

    /// The request whose turn it is.
    pub(super) fn next(&self, now: Instant) -> Option<Next> {
        let oldest = self.oldest()?;
        let newest = self.fresh.back().filter(|_| !self.newest_went && stands(&oldest, now));
        let (queued, turn) = match newest {
            Some(newest) => (newest, Turn::Newest),
            None if oldest.waiting.had_large_answer => (&oldest, Turn::OldestAgain),
            None => (&oldest, Turn::Oldest),
        };
        let Waiting { connection, needs_lane_alone, .. } = queued.waiting;
        Some(Next { connection, needs_lane_alone, turn })
    }

    /// The one whose turn it is goes.
    pub(super) fn remove_next(&mut self, next: Next) {
        match next.turn {
            Turn::Oldest => self.fresh.pop_front(),
            Turn::OldestAgain => self.again.pop_front(),
            Turn::Newest => self.fresh.pop_back(),
        };
        self.newest_went = next.turn == Turn::Newest;
    }

    /// Removes the request of a connection; false where none waits.
    pub(super) fn remove(&mut self, connection: ConnectionKey) -> bool {
        [&mut self.fresh, &mut self.again].into_iter().any(|line| {
            let at = line.iter().position(|queued| queued.waiting.connection == connection);
            at.and_then(|at| line.remove(at)).is_some()
        })
    }

    /// Takes out a request that has waited for so long.
    pub(super) fn pop_stale(&mut self, now: Instant, patience: Duration) -> Option<ConnectionKey> {
        let oldest = self.oldest().filter(|oldest| oldest.since + patience <= now)?;
        self.remove(oldest.waiting.connection);
        Some(oldest.waiting.connection)
    }
}

/// The queue stands still, as far as its oldest can tell.
fn stands(oldest: &Queued, now: Instant) -> bool {
    oldest.since + STANDING <= now
}
