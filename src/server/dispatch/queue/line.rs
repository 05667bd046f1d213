//! The requests of one subscriber that wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Waiting;
use crate::server::tokens::ConnectionKey;

/// A line counts as standing still once a request has waited for so long.
const STANDING: Duration = Duration::from_millis(250);

/// Which request's turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The oldest of those that do not come again.
    Oldest,
    /// The oldest of those that come again.
    OldestAgain,
    Newest,
}

#[derive(Clone, Copy)]
struct Queued {
    waiting: Waiting,
    since: Instant,
}

/// First come, first served. But where the line stands still, the newest and the oldest have their turn by
/// turns: many may share an address, and a crowd among them that asks for much at once delays itself, and
/// hardly those who come after it. A request that [comes again](Waiting::is_again) is not new.
#[derive(Default)]
pub(super) struct Line {
    fresh: VecDeque<Queued>,
    again: VecDeque<Queued>,
    /// It was the newest one's turn last.
    newest_went: bool,
}

impl Line {
    pub(super) fn push(&mut self, now: Instant, waiting: Waiting) {
        let line = if waiting.is_again { &mut self.again } else { &mut self.fresh };
        line.push_back(Queued { waiting, since: now });
    }

    pub(super) fn len(&self) -> usize {
        self.fresh.len() + self.again.len()
    }

    /// The request that goes where there are too many: the newest. Where the line stands still, it is the one
    /// that has waited longest, since its client is the least likely to be waiting still.
    pub(super) fn excess(&self, now: Instant) -> Option<ConnectionKey> {
        let oldest = self.oldest()?;
        let queued = if stands(oldest.since, now) { oldest } else { self.newest()? };
        Some(queued.waiting.connection)
    }

    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.oldest().map(|oldest| oldest.since)
    }

    pub(super) fn newest_since(&self) -> Option<Instant> {
        self.newest().map(|newest| newest.since)
    }

    fn oldest(&self) -> Option<Queued> {
        self.fresh.front().into_iter().chain(self.again.front()).min_by_key(|p| p.since).copied()
    }

    fn newest(&self) -> Option<Queued> {
        self.fresh.back().into_iter().chain(self.again.back()).max_by_key(|p| p.since).copied()
    }

    /// The request whose turn it is.
    pub(super) fn next(&self, now: Instant) -> Option<(Waiting, Turn)> {
        let oldest = self.oldest()?;
        let is_newest_s_turn = !self.newest_went && stands(oldest.since, now);
        Some(match self.fresh.back().filter(|_| is_newest_s_turn) {
            Some(newest) => (newest.waiting, Turn::Newest),
            None if oldest.waiting.is_again => (oldest.waiting, Turn::OldestAgain),
            None => (oldest.waiting, Turn::Oldest),
        })
    }

    /// The one whose turn it is goes.
    pub(super) fn remove_next(&mut self, turn: Turn) {
        match turn {
            Turn::Oldest => self.fresh.pop_front(),
            Turn::OldestAgain => self.again.pop_front(),
            Turn::Newest => self.fresh.pop_back(),
        };
        self.newest_went = turn == Turn::Newest;
    }

    /// Removes the request of a connection.
    pub(super) fn remove(&mut self, connection: ConnectionKey) {
        for line in [&mut self.fresh, &mut self.again] {
            if let Some(at) = line.iter().position(|it| it.waiting.connection == connection) {
                line.remove(at);
                return;
            }
        }
    }
}

/// Whether a line whose oldest request waits since then stands still.
pub(super) fn stands(since: Instant, now: Instant) -> bool {
    since + STANDING <= now
}
