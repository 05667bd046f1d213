//! Limits the connections, and how many of them come from one address.

use std::collections::HashMap;

use crate::server::descriptors::Descriptors;
use crate::server::subscriber::Subscriber;

/// Counts connections.
pub(super) struct Admission {
    wished: usize,
    descriptors: Descriptors,
    limit: usize,
    /// Not for proxies that are trusted: the connections of all their visitors come from them.
    limit_per_address: usize,
    by_address: HashMap<Subscriber, usize>,
}

impl Admission {
    pub(super) fn new(wished: usize, descriptors: Descriptors) -> Self {
        let limit = descriptors.connections_beside(0).map_or(1, |most| most.min(wished).max(1));
        let limit_per_address = (limit / 4).max(1);
        Admission { wished, descriptors, limit, limit_per_address, by_address: HashMap::new() }
    }

    /// How many connections there may be.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// So many lanes more than workers need descriptors too; false where these cannot be spared.
    pub(super) fn lend(&mut self, extra_lanes: usize) -> bool {
        let most = self.descriptors.connections_beside(extra_lanes);
        self.limit = most.map_or(self.limit, |most| most.min(self.wished).max(1));
        most.is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_to_one_address() {
        let mut admission = Admission::new(8, Descriptors::PLENTY);
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
