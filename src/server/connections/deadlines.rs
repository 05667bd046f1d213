//! When the next thing must have happened on each connection.

use std::time::Instant;

use super::lazy_order::LazyOrder;
use crate::server::tokens::ConnectionKey;

/// See the module's documentation.
pub(super) struct Deadlines(LazyOrder<Instant>);

impl Deadlines {
    pub(super) fn new() -> Self {
        Deadlines(LazyOrder::new())
    }

    /// A connection's deadline has changed.
    pub(super) fn set(&mut self, key: ConnectionKey, deadline: Option<Instant>) {
        // One that has none any more is found out when it would be due.
        if let Some(deadline) = deadline {
            self.0.set(key, deadline);
        }
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) {
        self.0.remove(key);
    }

    /// When to look next: not after the first deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.lower_bound()
    }

    /// Takes out a connection whose deadline has passed. `deadline` tells the one that it has now.
    pub(super) fn pop_due(
        &mut self,
        now: Instant,
        deadline: impl Fn(ConnectionKey) -> Option<Instant>,
    ) -> Option<ConnectionKey> {
        if self.next()? > now {
            return None;
        }
        let (due, key) = self.0.first(deadline)?;
        if due > now {
            return None;
        }
        self.0.remove(key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;
    use std::time::Duration;

    #[test]
    fn due_once_and_in_order() {
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let mut table: SlotMap<ConnectionKey, Option<Instant>> = SlotMap::with_key();
        let (a, b) = (table.insert(Some(at(9))), table.insert(Some(at(5))));
        let mut deadlines = Deadlines::new();
        table.iter().for_each(|(key, deadline)| deadlines.set(key, *deadline));
        assert_eq!(deadlines.next(), Some(at(5)));
        assert_eq!(deadlines.pop_due(at(4), |key| table[key]), None);
        assert_eq!(deadlines.pop_due(at(7), |key| table[key]), Some(b));
        assert_eq!(deadlines.pop_due(at(7), |key| table[key]), None);
        // Put off, and then gone: neither is due.
        table[a] = Some(at(12));
        deadlines.set(a, table[a]);
        assert_eq!(deadlines.next(), Some(at(9)));
        assert_eq!(deadlines.pop_due(at(10), |key| table[key]), None);
        assert_eq!(deadlines.next(), Some(at(12)));
        table[a] = None;
        deadlines.set(a, None);
        assert_eq!(deadlines.pop_due(at(20), |key| table[key]), None);
        assert_eq!(deadlines.next(), None);
    }
}
