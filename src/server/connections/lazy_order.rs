//! An order that costs nothing until its first element is asked for.

use std::collections::BTreeSet;

use slotmap::SecondaryMap;

use crate::server::tokens::ConnectionKey;

/// Connections in the order of a rank that changes often and mostly upwards, such as the time at
/// which something is due.
///
/// A connection whose rank rises stays where it stands. It is moved to its true place only once it
/// would be the first. So a connection that is asked for every millisecond, and could be idle for
/// a minute, is moved once a minute.
pub(super) struct LazyOrder<R> {
    places: BTreeSet<(R, ConnectionKey)>,
    by_key: SecondaryMap<ConnectionKey, R>,
}

impl<R: Ord + Copy> LazyOrder<R> {
    pub(super) fn new() -> Self {
        LazyOrder { places: BTreeSet::new(), by_key: SecondaryMap::new() }
    }

    /// The rank of a connection has become `rank`.
    pub(super) fn set(&mut self, key: ConnectionKey, rank: R) {
        match self.by_key.insert(key, rank) {
            Some(before) if before <= rank => {
                self.by_key.insert(key, before);
            }
            Some(before) => {
                self.places.remove(&(before, key));
                self.places.insert((rank, key));
            }
            None => {
                self.places.insert((rank, key));
            }
        }
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) {
        if let Some(rank) = self.by_key.remove(key) {
            self.places.remove(&(rank, key));
        }
    }

    /// No connection has a lower rank than this.
    pub(super) fn lower_bound(&self) -> Option<R> {
        self.places.first().map(|(rank, _)| *rank)
    }

    /// The connection with the lowest rank. `rank` tells the rank that one has now; `None` takes it
    /// out of the order.
    pub(super) fn first(
        &mut self,
        rank: impl Fn(ConnectionKey) -> Option<R>,
    ) -> Option<(R, ConnectionKey)> {
        while let Some(&(stands, key)) = self.places.first() {
            match rank(key) {
                Some(now) if now == stands => return Some((now, key)),
                Some(now) => {
                    self.places.pop_first();
                    self.places.insert((now, key));
                    self.by_key.insert(key, now);
                }
                None => self.remove(key),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use slotmap::SlotMap;

    use super::*;

    /// Three connections with ranks, in an order.
    fn order(ranks: [u32; 3]) -> (LazyOrder<u32>, SlotMap<ConnectionKey, u32>, [ConnectionKey; 3]) {
        let mut table = SlotMap::with_key();
        let keys = ranks.map(|rank| table.insert(rank));
        let mut order = LazyOrder::new();
        table.iter().for_each(|(key, rank)| order.set(key, *rank));
        (order, table, keys)
    }

    #[test]
    fn the_lowest_rank_is_the_first_however_often_ranks_have_changed() {
        let (mut order, mut table, [a, b, c]) = order([5, 6, 7]);
        let mut set = |order: &mut LazyOrder<u32>, key, rank| {
            table[key] = rank;
            order.set(key, rank);
            let table = table.clone();
            order.first(|key| table.get(key).copied())
        };
        assert_eq!(set(&mut order, a, 9), Some((6, b)));
        assert_eq!(set(&mut order, c, 3), Some((3, c)));
        assert_eq!(set(&mut order, c, 4), Some((4, c)));
        assert_eq!(set(&mut order, c, 20), Some((6, b)));
        order.remove(b);
        assert_eq!(set(&mut order, c, 21), Some((9, a)));
        assert_eq!(order.first(|key| (key == c).then_some(21)), Some((21, c)));
        assert_eq!(order.first(|_| None), None);
        assert_eq!(order.lower_bound(), None);
    }

    #[test]
    fn a_rising_rank_moves_nothing_until_the_first_is_asked_for() {
        let (mut order, mut table, [a, ..]) = order([1, 2, 3]);
        for rank in 2..100 {
            table[a] = rank;
            order.set(a, rank);
        }
        assert_eq!(order.lower_bound(), Some(1));
        let asked = Cell::new(0);
        let first = order.first(|key| {
            asked.set(asked.get() + 1);
            table.get(key).copied()
        });
        assert_eq!((first.map(|first| first.0), asked.get()), (Some(2), 2));
    }
}
