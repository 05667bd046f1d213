//! The order in which this process writes the file.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A lock that is had in the order in which it was asked for.
///
/// SQLite has one writer at a time, and lets the others try again after pauses that grow: under load
/// one may never have its turn. Only writers of other processes meet SQLite's own lock.
#[derive(Default)]
pub(super) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The holder of the lock, and behind it those who wait.
    line: VecDeque<u64>,
    next: u64,
}

/// A turn, until dropped, by a panic too.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    number: u64,
}

impl Turns {
    /// Waits for a turn, no longer than `patience`.
    pub(super) fn take(&self, patience: Duration) -> Option<Turn<'_>> {
        let end = Instant::now() + patience;
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.line.push_back(number);
        // Where the time is over, dropping it gives up the place.
        let turn = Turn { turns: self, number };
        while state.line.front() != Some(&number) {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(state);
                return None;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(turn)
    }

    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.state().line.retain(|number| *number != self.number);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn turns_are_had_in_the_order_in_which_they_are_asked_for() {
        let (turns, order) = (Turns::default(), Mutex::new(Vec::new()));
        let first = turns.take(LONG).unwrap();
        thread::scope(|scope| {
            for number in 1..5 {
                let (turns, order) = (&turns, &order);
                scope.spawn(move || {
                    let _turn = turns.take(LONG).unwrap();
                    order.lock().unwrap().push(number);
                });
                while turns.state().line.len() <= number {
                    thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4]);
    }

    #[test]
    fn who_waits_in_vain_gives_up_its_place() {
        let turns = Turns::default();
        let first = turns.take(LONG).unwrap();
        assert!(turns.take(Duration::from_millis(1)).is_none());
        drop(first);
        assert!(turns.take(Duration::ZERO).is_some());
    }
}
