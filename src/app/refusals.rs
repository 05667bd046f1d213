//! Refused sign-ins in the log: the first of a kind from an address at once, then one line a minute.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use log::warn;

use super::address_range::subscriber;

/// Between two lines of one kind from one address.
const QUIET: Duration = Duration::from_secs(60);
/// Kinds and addresses that are told of one by one. Those beyond share a line for each kind.
const MOST: usize = 1024;

/// A kind of refusal, from an address (an IPv6 network of 64 bits counts as one); without an address, from
/// those for which there was no room.
type Key = (&'static str, Option<IpAddr>);

/// Counts refusals until their line is due.
#[derive(Clone, Default)]
pub(super) struct Refusals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    counts: Mutex<HashMap<Key, Count>>,
    /// There is something to count.
    begun: Condvar,
}

struct Count {
    told: Instant,
    not_told: u64,
}

impl Refusals {
    /// Starts the thread that tells of those that were counted.
    pub(super) fn start(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        let run = move || {
            loop {
                shared.wait_until_begun();
                thread::sleep(QUIET / 6);
                shared.tell(Instant::now());
            }
        };
        thread::Builder::new().name("refusals".to_owned()).spawn(run).map(drop)
    }

    /// Counts a refusal; whether it is to be told of at once.
    pub(super) fn is_first(&self, kind: &'static str, address: IpAddr, now: Instant) -> bool {
        let mut counts = self.0.counts();
        let mut key = (kind, Some(subscriber(address)));
        if counts.len() >= MOST && !counts.contains_key(&key) {
            key = (kind, None);
        }
        if let Some(count) = counts.get_mut(&key) {
            count.not_told += 1;
            return false;
        }
        counts.insert(key, Count { told: now, not_told: 0 });
        drop(counts);
        self.0.begun.notify_one();
        true
    }
}

impl Shared {
    fn wait_until_begun(&self) {
        let mut counts = self.counts();
        while counts.is_empty() {
            counts = self.begun.wait(counts).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells of what was counted for a minute, and forgets what was not seen again.
    fn tell(&self, now: Instant) {
        for ((kind, address), count) in self.due(now) {
            let seconds = QUIET.as_secs();
            match address {
                Some(address) => warn!(address:%, count, seconds; "{kind}, again"),
                None => warn!(count, seconds; "{kind}, again, from other addresses"),
            }
        }
    }

    fn due(&self, now: Instant) -> Vec<(Key, u64)> {
        let mut due = Vec::new();
        self.counts().retain(|key, count| {
            if count.told + QUIET > now {
                return true;
            }
            let not_told = std::mem::take(&mut count.not_told);
            count.told = now;
            due.extend((not_told > 0).then_some((*key, not_told)));
            not_told > 0
        });
        due
    }

    /// No code panics while it holds the lock.
    fn counts(&self) -> MutexGuard<'_, HashMap<Key, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u32) -> IpAddr {
        IpAddr::V4(last.into())
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_once_a_minute() {
        let refusals = Refusals::default();
        let now = Instant::now();
        assert!(refusals.is_first("failed", address(1), now));
        assert!((0..10).all(|_| !refusals.is_first("failed", address(1), now)));
        assert!(refusals.is_first("failed", address(2), now));
        assert!(refusals.is_first("throttled", address(1), now));
        assert_eq!(refusals.0.due(now + QUIET / 2), []);
        assert_eq!(refusals.0.due(now + QUIET), [(("failed", Some(address(1))), 10)]);
        // A kind that was seen again is not told of at once; one that was not is forgotten.
        assert!(!refusals.is_first("failed", address(1), now + QUIET));
        assert!(refusals.is_first("failed", address(2), now + QUIET));
        assert_eq!(refusals.0.due(now + 3 * QUIET), [(("failed", Some(address(1))), 1)]);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let refusals = Refusals::default();
        let now = Instant::now();
        let is_first = |text: &str| refusals.is_first("failed", text.parse().unwrap(), now);
        assert!(is_first("2001:db8::1") && !is_first("2001:db8::2") && is_first("2001:db8:0:1::1"));
    }

    #[test]
    fn any_number_of_addresses_has_so_many_lines() {
        let refusals = Refusals::default();
        let now = Instant::now();
        let told = (0..100_000).filter(|n| refusals.is_first("failed", address(*n), now)).count();
        assert_eq!(told, MOST + 1);
        assert!(refusals.0.counts().len() <= MOST + 1);
        let due = refusals.0.due(now + QUIET);
        assert_eq!(due, [(("failed", None), 100_000 - MOST as u64 - 1)]);
    }
}
