//! A queue of calls that wait, none of which is overtaken for long.

use std::time::{Duration, Instant};

/// A new call may overtake those that have waited for less: to let them go first would leave a free place
/// unused until they are awake.
const LONG: Duration = Duration::from_millis(20);

/// When each of the waiting calls came, in this order.
#[derive(Debug, Default)]
pub(super) struct Queue(Vec<Instant>);

impl Queue {
    pub(super) fn join(&mut self, came: Instant) {
        self.0.push(came);
    }

    pub(super) fn leave(&mut self, came: Instant) {
        if let Some(at) = self.0.iter().position(|other| *other == came) {
            self.0.remove(at);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a call that comes now goes before all of them.
    pub(super) fn may_be_overtaken(&self, now: Instant) -> bool {
        self.0.first().is_none_or(|first| now.duration_since(*first) < LONG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_for_long_is_overtaken_no_more() {
        let mut queue = Queue::default();
        let first = Instant::now();
        let (second, later) = (first + LONG / 2, first + LONG);
        assert!(queue.may_be_overtaken(later));
        queue.join(first);
        queue.join(second);
        assert!(queue.may_be_overtaken(second) && !queue.may_be_overtaken(later));
        queue.leave(first);
        assert!(queue.may_be_overtaken(later));
        assert_eq!(queue.len(), 1);
        queue.leave(second);
        queue.leave(second);
        assert_eq!(queue.len(), 0);
    }
}
