//! Tells a server that is busy from one that is stuck.

use std::time::Duration;

/// What the front knows at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// Every worker is answering.
    pub(super) all_busy: bool,
    /// Answers finished, ever.
    pub(super) finished: usize,
    /// Some lane can be used.
    pub(super) any_lane: bool,
    /// Lanes opened, ever.
    pub(super) opened: usize,
}

/// Looks now and then, but only while something is under way.
#[derive(Debug)]
pub(super) struct Watchdog {
    patience: Duration,
    last: Option<Signs>,
    workers_stuck: Duration,
    without_lane: Duration,
}

impl Watchdog {
    pub(super) fn new(patience: Duration) -> Self {
        Watchdog {
            patience,
            last: None,
            workers_stuck: Duration::ZERO,
            without_lane: Duration::ZERO,
        }
    }

    /// How long until the next look.
    pub(super) fn interval(&self) -> Duration {
        self.patience / 6
    }

    pub(super) fn is_watching(&self) -> bool {
        self.last.is_some()
    }

    pub(super) fn start(&mut self, signs: Signs) {
        *self = Watchdog { last: Some(signs), ..Watchdog::new(self.patience) };
    }

    pub(super) fn stop(&mut self) {
        self.last = None;
    }

    /// A look; what is wrong, where it has been wrong too long.
    ///
    /// All workers busy at two looks, and no answer finished between them: each has been at the
    /// same request all the while.
    pub(super) fn look(&mut self, signs: Signs) -> Option<&'static str> {
        let last = self.last.replace(signs)?;
        let interval = self.interval();
        let longer =
            |total: Duration, same: bool| if same { total + interval } else { Duration::ZERO };
        let same_work = last.all_busy && signs.all_busy && last.finished == signs.finished;
        let no_lane = !last.any_lane && !signs.any_lane && last.opened == signs.opened;
        self.workers_stuck = longer(self.workers_stuck, same_work);
        self.without_lane = longer(self.without_lane, no_lane);
        if self.workers_stuck >= self.patience {
            Some("every worker has been stuck too long")
        } else if self.without_lane >= self.patience {
            Some("no lane to tiny_http can be opened")
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(signs: impl Fn(usize) -> Signs) -> Option<(usize, &'static str)> {
        let mut watchdog = Watchdog::new(Duration::from_secs(60));
        watchdog.start(signs(0));
        (1..100).find_map(|n| watchdog.look(signs(n)).map(|why| (n, why)))
    }

    #[test]
    fn stuck_is_not_busy() {
        let fine = Signs { any_lane: true, ..Signs::default() };
        assert_eq!(looks(|_| fine), None);
        assert_eq!(looks(|n| Signs { all_busy: true, finished: n, ..fine }), None);
        assert_eq!(looks(|n| Signs { all_busy: n % 5 > 0, ..fine }), None);
        assert_eq!(looks(|n| Signs { opened: n, ..Signs::default() }), None);
        assert!(
            looks(|_| Signs { all_busy: true, ..fine })
                .is_some_and(|(n, why)| n == 6 && why.contains("worker"))
        );
        assert!(looks(|_| Signs::default()).is_some_and(|(n, why)| n == 6 && why.contains("lane")));
    }
}
