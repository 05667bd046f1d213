//! Whether a server is asked at all: an outage costs little, and a late answer costs its own visitor alone.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use log::{error, info};

use super::queue::Queue;
use super::store::StoreError;

/// The pause between two probes of a server that is down.
const PROBE_PAUSE: Duration = Duration::from_secs(1);
/// A call that has been running for so long is slow.
const SLOW: Duration = Duration::from_millis(250);
/// A server that has answered a call within this time is up, however slow the calls under way are.
const SILENCE: Duration = Duration::from_millis(750);

/// A circuit breaker for one server, with a place for each call that may be under way.
///
/// It opens where a call found the server unavailable and none that began later was answered, or
/// where every place is taken by a slow call and nothing was answered for a while. While it is open,
/// calls fail at once, but for one each second that tries whether the server is back; an answer
/// closes it. While it is closed, a call takes a free place, or waits for one.
#[derive(Debug)]
pub(super) struct Circuit {
    /// The server's name in the log.
    server: String,
    places: usize,
    state: Mutex<State>,
    /// A place is free, or the circuit has opened.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When each call under way began, the oldest first.
    running: Vec<Instant>,
    /// The calls that wait for a place.
    waiting: Queue,
    /// When the last answer came.
    answered: Option<Instant>,
    /// When the youngest of the calls that were answered began.
    youngest_answered: Option<Instant>,
    /// While the circuit is open: when the next call is let through.
    probe_at: Option<Instant>,
}

impl Circuit {
    /// A closed circuit with `places` places, one at least.
    pub(super) fn new(server: impl Into<String>, places: usize) -> Circuit {
        let (server, places) = (server.into(), places.max(1));
        Circuit { server, places, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Whether calls fail at once.
    pub(super) fn is_open(&self) -> bool {
        self.state().probe_at.is_some()
    }

    /// Whether the next call tries whether the server is back.
    #[cfg(feature = "memcached")]
    pub(super) fn is_probe_due(&self) -> bool {
        self.state().probe_at.is_some_and(|probe_at| Instant::now() >= probe_at)
    }

    /// Runs `call` in a place that is free before `deadline`.
    pub(super) fn run<T>(
        &self,
        deadline: Instant,
        call: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut running = self.enter(deadline)?;
        let done = call();
        running.ending = match &done {
            Err(StoreError::Unavailable(cause)) => Ending::Failed(cause.to_string()),
            _ => Ending::Answered,
        };
        done
    }

    fn enter(&self, deadline: Instant) -> Result<Running<'_>, StoreError> {
        let mut state = self.state();
        let came = Instant::now();
        let mut now = came;
        loop {
            let is_full = state.running.len() >= self.places;
            if let Some(probe_at) = state.probe_at {
                if is_full || now < probe_at {
                    return Err(StoreError::Unavailable("it was down a moment ago".into()));
                }
                state.probe_at = Some(now + PROBE_PAUSE);
            }
            if !is_full && (now > came || state.waiting.may_be_overtaken(now)) {
                state.running.push(now);
                return Ok(Running { circuit: self, began: now, ending: Ending::None });
            }
            let silent_at = if is_full { state.silent_at() } else { deadline };
            if is_full && now >= silent_at {
                state.probe_at = Some(now + PROBE_PAUSE);
                drop(state);
                self.changed.notify_all();
                self.log_outage("no answer to any call");
                return Err(StoreError::Unavailable("it is slow to answer others".into()));
            }
            if now >= deadline {
                return Err(StoreError::Unavailable("others were not answered in time".into()));
            }
            state.waiting.join(came);
            let patience = silent_at.min(deadline) - now;
            let woken = self.changed.wait_timeout(state, patience);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            state.waiting.leave(came);
            now = Instant::now();
        }
    }

    fn log_outage(&self, cause: &str) {
        error!(server = self.server.as_str(), error = cause; "the session store is down");
    }

    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When the server counts as silent, where all places are taken and nothing is answered until then.
    fn silent_at(&self) -> Instant {
        let youngest = self.running.last().copied().unwrap_or_else(Instant::now);
        let all_are_slow = youngest + SLOW;
        self.answered.map_or(all_are_slow, |answered| all_are_slow.max(answered + SILENCE))
    }

    fn end(&mut self, began: Instant) {
        if let Some(at) = self.running.iter().position(|running| *running == began) {
            self.running.remove(at);
        }
    }
}

/// A call under way, until dropped, by a panic too.
struct Running<'c> {
    circuit: &'c Circuit,
    began: Instant,
    ending: Ending,
}

enum Ending {
    None,
    Answered,
    Failed(String),
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut state = self.circuit.state();
        state.end(self.began);
        let was_open = state.probe_at.is_some();
        match &self.ending {
            Ending::None => {}
            Ending::Answered => {
                state.answered = Some(Instant::now());
                state.youngest_answered = state.youngest_answered.max(Some(self.began));
                state.probe_at = None;
            }
            // One that was answered later is the better witness.
            Ending::Failed(_) if state.youngest_answered > Some(self.began) => {}
            Ending::Failed(_) => state.probe_at = Some(Instant::now() + PROBE_PAUSE),
        }
        let (is_open, is_awaited) = (state.probe_at.is_some(), state.waiting.len() > 0);
        drop(state);
        match &self.ending {
            _ if !is_awaited => {}
            Ending::Failed(_) if is_open => self.circuit.changed.notify_all(),
            _ => self.circuit.changed.notify_one(),
        }
        match &self.ending {
            Ending::Failed(cause) if is_open && !was_open => self.circuit.log_outage(cause),
            Ending::Answered if was_open => {
                info!(server = self.circuit.server.as_str(); "the session store is back");
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn answer() -> Result<(), StoreError> {
        Ok(())
    }

    fn late(millis: u64) -> Result<(), StoreError> {
        thread::sleep(Duration::from_millis(millis));
        Ok(())
    }

    fn fail() -> Result<(), StoreError> {
        Err(StoreError::Unavailable("refused".into()))
    }

    impl Circuit {
        fn try_run(&self, call: impl FnOnce() -> Result<(), StoreError>) -> Result<(), String> {
            self.run(Instant::now() + PATIENCE, call).map_err(|error| error.to_string())
        }

        /// Runs `call` so many times at once, and returns once all of them are under way.
        fn occupy<'s>(
            &'s self,
            scope: &'s thread::Scope<'s, '_>,
            times: usize,
            call: fn() -> Result<(), StoreError>,
        ) {
            for _ in 0..times {
                scope.spawn(move || self.try_run(call));
            }
            while self.state().running.len() < times {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn while_the_server_is_down_one_call_a_second_gets_through() {
        let circuit = Circuit::new("a test", 4);
        let calls = AtomicUsize::new(0);
        let count_and_fail = || {
            calls.fetch_add(1, Ordering::SeqCst);
            fail()
        };
        assert!(circuit.try_run(count_and_fail).unwrap_err().contains("refused"));
        assert!(circuit.is_open());
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(2500) {
            assert!(circuit.try_run(count_and_fail).is_err());
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(calls.load(Ordering::SeqCst), 3, "the first, and two probes");
        while circuit.try_run(answer).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30));
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!circuit.is_open());
    }

    #[test]
    fn a_refusal_of_the_servers_own_is_an_answer_and_a_panic_takes_no_place() {
        let circuit = Circuit::new("a test", 1);
        for _ in 0..3 {
            let refused = || Err(StoreError::Rejected("full".into()));
            assert!(circuit.try_run(refused).is_err());
            let panicking = || circuit.try_run(|| panic!("as a test"));
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).is_err());
        }
        assert_eq!(circuit.try_run(answer), Ok(()));
    }

    #[test]
    fn a_free_place_is_used_beside_slow_calls() {
        let circuit = Circuit::new("a test", 3);
        thread::scope(|scope| {
            circuit.occupy(scope, 2, || late(1500));
            thread::sleep(2 * SLOW);
            for _ in 0..100 {
                assert_eq!(circuit.try_run(answer), Ok(()));
            }
            assert_eq!(circuit.state().running.len(), 2, "both are under way still");
        });
    }

    #[test]
    fn where_all_are_late_and_something_was_answered_others_wait() {
        let circuit = Circuit::new("a test", 2);
        assert_eq!(circuit.try_run(answer), Ok(()));
        thread::scope(|scope| {
            circuit.occupy(scope, 2, || late(400));
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(circuit.try_run(answer), Ok(())));
            }
        });
        assert!(!circuit.is_open());
    }

    #[test]
    fn where_all_are_slow_and_nothing_is_answered_others_fail_at_once_until_an_answer() {
        let circuit = Circuit::new("a test", 2);
        thread::scope(|scope| {
            circuit.occupy(scope, 2, || late(2500));
            assert!(circuit.try_run(answer).unwrap_err().contains("slow"));
            assert!(circuit.is_open());
            let began = Instant::now();
            for _ in 0..10 {
                assert!(circuit.try_run(answer).is_err());
            }
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        });
        assert!(!circuit.is_open(), "what was late is an answer");
    }

    #[test]
    fn one_call_in_vain_is_no_outage_where_later_ones_were_answered() {
        let circuit = Circuit::new("a test", 2);
        let (begun, answered) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                let in_vain = circuit.try_run(|| {
                    begun.wait();
                    answered.wait();
                    fail()
                });
                assert!(in_vain.is_err());
            });
            begun.wait();
            assert_eq!(circuit.try_run(answer), Ok(()));
            answered.wait();
        });
        assert!(!circuit.is_open());
        assert!(circuit.try_run(fail).is_err());
        assert!(circuit.is_open());
    }

    #[test]
    fn everybody_gets_a_place_in_turn() {
        let circuit = Circuit::new("a test", 1);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..200).for_each(|_| assert_eq!(circuit.try_run(answer), Ok(()))));
            }
        });
    }
}
