//! Makes room for a newcomer of an address that has all the connections that it may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use log::warn;
use slotmap::SlotMap;

use super::entry::Entry;
use crate::server::connection::{Connection, Stage};
use crate::server::subscriber::Subscriber;
use crate::server::tokens::ConnectionKey;

/// From one look at all connections to the next for the same subscriber: a look takes some 100 microseconds
/// where there are ten thousand.
const PAUSE: Duration = Duration::from_millis(2);
/// A newcomer has so long for the first byte of its request until it makes room for another.
const FRESH: Duration = Duration::from_millis(100);
/// Between two lines of the log.
const QUIET: Duration = Duration::from_secs(60);

/// Connections by how soon they go, the first of them last.
type Candidates = Vec<(Stage, Instant, ConnectionKey)>;

/// The connections that go for newcomers of the same address: the longest idle, then the oldest unfinished
/// head. They are looked for among all connections, and the idle ones that were found are used up before the
/// next look.
#[derive(Default)]
pub(super) struct Crowding {
    by_subscriber: HashMap<Subscriber, Crowd>,
    told: Option<Instant>,
    /// Newcomers that the log has not told of.
    not_told: usize,
}

struct Crowd {
    candidates: Candidates,
    look_at: Instant,
}

impl Crowding {
    /// The connection of this subscriber that goes for a newcomer, if any can.
    pub(super) fn first(
        &mut self,
        now: Instant,
        subscriber: Subscriber,
        entries: &SlotMap<ConnectionKey, Entry>,
    ) -> Option<ConnectionKey> {
        let crowd = self
            .by_subscriber
            .entry(subscriber)
            .or_insert_with(|| Crowd { candidates: Vec::new(), look_at: now });
        let is_idle = |(stage, ..): &(Stage, Instant, ConnectionKey)| *stage == Stage::Idle;
        crowd.drop_changed(entries);
        if !crowd.candidates.last().is_some_and(is_idle) && crowd.look_at <= now {
            crowd.candidates = candidates(now, subscriber, entries);
            crowd.look_at = now + PAUSE;
        }
        crowd.candidates.pop().map(|(.., key)| key)
    }

    /// A subscriber has room again.
    pub(super) fn forget(&mut self, subscriber: Subscriber) {
        self.by_subscriber.remove(&subscriber);
    }

    /// The log tells of the first, and then of all in one line a minute.
    pub(super) fn tell(&mut self, now: Instant, address: IpAddr) {
        self.not_told += 1;
        if self.told.is_none_or(|told| told + QUIET <= now) {
            warn!(
                address:%, newcomers = self.not_told;
                "an address has its share of connections: newcomers take the place of its idle ones"
            );
            (self.told, self.not_told) = (Some(now), 0);
        }
    }
}

impl Crowd {
    /// Drops the next candidates as long as something has happened on them since the look.
    fn drop_changed(&mut self, entries: &SlotMap<ConnectionKey, Entry>) {
        while let Some(&(stage, since, key)) = self.candidates.last() {
            let connection = entries.get(key).map(|entry| &entry.connection);
            if connection.is_some_and(|it| it.stage() == stage && it.since() == since) {
                return;
            }
            self.candidates.pop();
        }
    }
}

fn candidates(
    now: Instant,
    subscriber: Subscriber,
    entries: &SlotMap<ConnectionKey, Entry>,
) -> Candidates {
    let is_fresh = |it: &Connection| !it.has_asked() && it.since() + FRESH > now;
    let goes = |(_, entry): &(ConnectionKey, &Entry)| {
        matches!(entry.connection.stage(), Stage::Idle | Stage::Head)
            && Subscriber::of(entry.address) == subscriber
            && !is_fresh(&entry.connection)
    };
    let ranked = entries
        .iter()
        .filter(goes)
        .map(|(key, Entry { connection, .. })| (connection.stage(), connection.since(), key));
    let mut candidates: Candidates = ranked.collect();
    candidates.sort_unstable_by(|one, other| other.cmp(one));
    candidates
}
