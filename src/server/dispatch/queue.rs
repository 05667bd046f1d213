//! The requests that wait to be passed on, in a line for each subscriber.

mod line;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use slotmap::{SecondaryMap, SlotMap, new_key_type};

use crate::server::subscriber::Subscriber;
use crate::server::tokens::ConnectionKey;
use line::{Line, Turn};

/// Empty lines that are kept for those whom they belong to, with what they have allocated.
const EMPTY_LINES: usize = 64;
/// As many more arrivals than requests are kept before those that have gone are dropped.
const SLACK: usize = 64;

new_key_type! {
    /// Names a line.
    struct LineKey;
}

/// A request that is whole.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Waiting {
    pub(in crate::server) connection: ConnectionKey,
    pub(in crate::server) subscriber: Subscriber,
    /// Nothing may share its lane.
    pub(in crate::server) needs_lane_alone: bool,
    /// Its connection has just had an answer that was large, or behind which it was waiting already.
    pub(in crate::server) is_again: bool,
}

/// The request whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::server) struct Next {
    pub(in crate::server) connection: ConnectionKey,
    pub(in crate::server) needs_lane_alone: bool,
    turn: Turn,
}

/// The line in which the request of a connection waits.
#[derive(Clone, Copy)]
struct Place {
    line: LineKey,
    number: u64,
}

/// Each subscriber has a line, and the lines have their turns one after the other: whoever asks for much
/// at once delays itself, and hardly any other. Where too many wait in all, one goes of the longest line.
pub(super) struct Queue {
    limit: usize,
    lines: SlotMap<LineKey, Line>,
    by_subscriber: HashMap<Subscriber, LineKey>,
    /// How many lines are empty.
    empty: usize,
    /// The lines that are not empty, in the order of their turns.
    turns: VecDeque<LineKey>,
    places: SecondaryMap<ConnectionKey, Place>,
    waiting: usize,
    /// When each request came, the oldest first, and of those that have gone some too.
    arrivals: VecDeque<(Instant, ConnectionKey, u64)>,
    next_number: u64,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Queue {
            limit,
            lines: SlotMap::with_key(),
            by_subscriber: HashMap::new(),
            empty: 0,
            turns: VecDeque::new(),
            places: SecondaryMap::new(),
            waiting: 0,
            arrivals: VecDeque::new(),
            next_number: 0,
        }
    }

    /// Adds a request, unless it is here already: a connection that is advanced while its request waits tells of
    /// it again.
    pub(super) fn push(&mut self, now: Instant, waiting: Waiting) {
        let Waiting { connection, subscriber, .. } = waiting;
        if self.places.contains_key(connection) {
            return;
        }
        let key = *self.by_subscriber.entry(subscriber).or_insert_with(|| {
            self.empty += 1;
            self.lines.insert(Line::default())
        });
        let Some(line) = self.lines.get_mut(key) else { return };
        if line.len() == 0 {
            self.empty -= 1;
            self.turns.push_back(key);
        }
        line.push(now, waiting);
        let number = self.next_number;
        self.next_number += 1;
        self.places.insert(connection, Place { line: key, number });
        self.arrivals.push_back((now, connection, number));
        self.waiting += 1;
        self.forget_gone();
    }

    /// Takes out a request if too many wait: one of the longest line, as [`Line::pop_excess`] tells. Of several
    /// lines of that length it is the one whose request has waited longest, or is the newest.
    pub(super) fn pop_excess(&mut self, now: Instant) -> Option<ConnectionKey> {
        if self.waiting <= self.limit {
            return None;
        }
        let longest = self.lines.values().map(Line::len).max()?;
        let lines = self.lines.iter().filter(|(_, line)| line.len() == longest);
        let (key, _) = match self.oldest_since().is_some_and(|since| line::stands(since, now)) {
            true => lines.min_by_key(|(_, line)| line.oldest_since()),
            false => lines.max_by_key(|(_, line)| line.newest_since()),
        }?;
        let connection = self.lines.get(key)?.excess(now)?;
        self.remove(connection);
        Some(connection)
    }

    /// Since when the one that waits longest has waited.
    pub(super) fn oldest_since(&self) -> Option<Instant> {
        self.arrivals.front().map(|(since, ..)| *since)
    }

    /// The request whose turn it is.
    pub(super) fn next(&self, now: Instant) -> Option<Next> {
        let line = self.lines.get(*self.turns.front()?)?;
        let (waiting, turn) = line.next(now)?;
        let Waiting { connection, needs_lane_alone, .. } = waiting;
        Some(Next { connection, needs_lane_alone, turn })
    }

    /// The one whose turn it is goes, and the next line has its turn.
    pub(super) fn remove_next(&mut self, next: Next) {
        let Some(key) = self.turns.pop_front() else { return };
        let Some(line) = self.lines.get_mut(key) else { return };
        line.remove_next(next.turn);
        match line.len() {
            0 => self.is_empty_now(),
            _ => self.turns.push_back(key),
        }
        self.places.remove(next.connection);
        self.waiting -= 1;
        self.forget_gone();
    }

    /// Removes the request of a connection; false where none waits.
    pub(super) fn remove(&mut self, connection: ConnectionKey) -> bool {
        let Some(Place { line: key, .. }) = self.places.remove(connection) else { return false };
        self.waiting -= 1;
        if let Some(line) = self.lines.get_mut(key) {
            line.remove(connection);
            if line.len() == 0 {
                self.turns.retain(|other| *other != key);
                self.is_empty_now();
            }
        }
        self.forget_gone();
        true
    }

    /// Takes out a request that has waited for so long.
    pub(super) fn pop_stale(&mut self, now: Instant, patience: Duration) -> Option<ConnectionKey> {
        let (since, connection, _) = *self.arrivals.front()?;
        if since + patience > now {
            return None;
        }
        self.remove(connection);
        Some(connection)
    }

    /// A line has become empty. Where many are, all of them go.
    fn is_empty_now(&mut self) {
        self.empty += 1;
        if self.empty > EMPTY_LINES {
            self.lines.retain(|_, line| line.len() > 0);
            let lines = &self.lines;
            self.by_subscriber.retain(|_, key| lines.contains_key(*key));
            self.empty = 0;
        }
    }

    /// Forgets when those came that have gone: the first of all is always one that waits.
    fn forget_gone(&mut self) {
        let places = &self.places;
        let waits = |connection: ConnectionKey, number| {
            places.get(connection).is_some_and(|place| place.number == number)
        };
        if self.arrivals.len() > 2 * self.waiting + SLACK {
            self.arrivals.retain(|(_, connection, number)| waits(*connection, *number));
        }
        while let Some((_, connection, number)) = self.arrivals.front()
            && !waits(*connection, *number)
        {
            self.arrivals.pop_front();
        }
    }

    /// How many arrivals are kept.
    #[cfg(test)]
    pub(super) fn arrivals(&self) -> usize {
        self.arrivals.len()
    }
}
