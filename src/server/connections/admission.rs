//! Limits the connections, and how many of them come from one address.

use log::warn;
use std::collections::HashMap;

use crate::server::subscriber::Subscriber;

/// Descriptors for everything but connections and lanes: standard streams, poll, signals, log,
/// stores.
const SPARE_DESCRIPTORS: usize = 64;
/// Descriptors for a lane: the event loop's, two of tiny_http's, and as many for each of two in its place
/// that were given up, the older of which is closed before there can be a third.
const DESCRIPTORS_PER_LANE: usize = 9;

/// Counts connections.
pub(super) struct Admission {
    limit: usize,
    /// Not for proxies that are trusted: the connections of all their visitors come from them.
    limit_per_address: usize,
    by_address: HashMap<Subscriber, usize>,
}

impl Admission {
    pub(super) fn new(limit: usize) -> Self {
        let limit_per_address = (limit / 4).max(1);
        Admission { limit, limit_per_address, by_address: HashMap::new() }
    }

    /// Whether there is room beside so many connections.
    pub(super) fn has_room(&self, connections: usize) -> bool {
        connections < self.limit
    }

    /// Counts a connection in, unless its subscriber has too many.
    pub(super) fn enter(&mut self, subscriber: Subscriber) -> bool {
        let count = self.by_address.entry(subscriber).or_default();
        if *count >= self.limit_per_address {
            return false;
        }
        *count += 1;
        true
    }

    /// Counts a connection out; whether its subscriber had all that it may have.
    pub(super) fn leave(&mut self, subscriber: Subscriber) -> bool {
        let Some(count) = self.by_address.get_mut(&subscriber) else { return false };
        let was_full = *count >= self.limit_per_address;
        *count -= 1;
        if *count == 0 {
            self.by_address.remove(&subscriber);
        }
        was_full
    }
}

/// How many connections the process may have: what is wished, within what descriptors allow once
/// the soft limit is raised to the hard one.
pub(super) fn connections_within_descriptors(wished: usize, lanes: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: maximum, maximum };
    let descriptors = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    let descriptors = descriptors.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let allowed = descriptors.saturating_sub(DESCRIPTORS_PER_LANE * lanes + SPARE_DESCRIPTORS);
    if allowed < wished {
        warn!(wished, allowed; "the limit of open files allows fewer connections");
    }
    wished.min(allowed).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_to_one_address() {
        let mut admission = Admission::new(8);
        let a: [Subscriber; 4] =
            ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:1.2.3.4"]
                .map(|a| Subscriber::of(a.parse().unwrap()));
        assert!(admission.enter(a[0]) && admission.enter(a[1]) && !admission.enter(a[0]));
        assert!(admission.enter(a[2]) && admission.enter(a[3]));
        assert!(
            admission.enter(Subscriber::of("1.2.3.4".parse().unwrap())) && !admission.enter(a[3])
        );
        assert!(admission.leave(a[1]));
        assert!(admission.enter(a[0]));
        assert!(admission.has_room(7) && !admission.has_room(8));
    }
}
