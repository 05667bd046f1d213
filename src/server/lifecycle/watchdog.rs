//! Tells a server that is busy from one that is stuck.

use std::time::{Duration, Instant};

/// The signs of life at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::server) struct Signs {
    /// Every worker is answering.
    pub(in crate::server) all_busy: bool,
    /// Answers finished, ever.
    pub(in crate::server) finished: usize,
    /// Some lane can be used.
    pub(in crate::server) any_lane: bool,
    /// Lanes opened, ever.
    pub(in crate::server) opened: usize,
}

/// A look at the server, and when the next is due.
#[derive(Clone, Copy, Debug)]
struct Look {
    signs: Signs,
    next: Instant,
}

/// Looks now and then, but only while something is under way.
#[derive(Debug)]
pub(in crate::server) struct Watchdog {
    patience: Duration,
    last: Option<Look>,
    workers_stuck: Duration,
    without_lane: Duration,
}

impl Watchdog {
    pub(in crate::server) fn new(patience: Duration) -> Self {
        Watchdog {
            patience,
            last: None,
            workers_stuck: Duration::ZERO,
            without_lane: Duration::ZERO,
        }
    }

    fn interval(&self) -> Duration {
        self.patience / 6
    }

    /// When it wants to look next, if it watches.
    pub(in crate::server) fn look_at(&self) -> Option<Instant> {
        self.last.map(|look| look.next)
    }

    /// Begins to watch where something is under way, and looks where it is time for that. What is
    /// wrong, if it has been wrong for too long.
    pub(in crate::server) fn watch(
        &mut self,
        now: Instant,
        is_idle: bool,
        signs: impl FnOnce() -> Signs,
    ) -> Option<&'static str> {
        match self.last {
            None if is_idle => None,
            None => {
                *self = Watchdog::new(self.patience);
                self.last = Some(Look { signs: signs(), next: now + self.interval() });
                None
            }
            Some(last) if last.next > now => None,
            Some(_) if is_idle => {
                self.last = None;
                None
            }
            Some(last) => {
                let signs = signs();
                self.last = Some(Look { signs, next: now + self.interval() });
                self.compare(last.signs, signs)
            }
        }
    }

    /// All workers busy at two looks, and no answer finished between them: each has been at the
    /// same request all the while.
    fn compare(&mut self, last: Signs, signs: Signs) -> Option<&'static str> {
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

    /// At which look something is found, and what.
    fn looks(signs: impl Fn(usize) -> Signs) -> Option<(usize, &'static str)> {
        let begin = Instant::now();
        let mut watchdog = Watchdog::new(Duration::from_secs(60));
        (0..100).find_map(|n| {
            let now = begin + Duration::from_secs(10) * n as u32;
            watchdog.watch(now, false, || signs(n)).map(|why| (n, why))
        })
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

    #[test]
    fn looks_only_while_something_is_under_way_and_no_more_often_than_it_must() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut watchdog = Watchdog::new(Duration::from_secs(60));
        let mut watch = |now, is_idle, may_look| {
            let signs = || if may_look { Signs::default() } else { panic!("too early") };
            assert_eq!(watchdog.watch(now, is_idle, signs), None);
            watchdog.look_at()
        };
        assert_eq!(watch(begin, true, false), None);
        assert_eq!(watch(begin, false, true), Some(after(10)));
        assert_eq!(watch(after(9), false, false), Some(after(10)));
        assert_eq!(watch(after(10), false, true), Some(after(20)));
        assert_eq!(watch(after(15), true, false), Some(after(20)));
        assert_eq!(watch(after(20), true, false), None);
    }
}
