//! The gate before password hashes: each takes 19 MB and a processor for a while.

use std::sync::{Condvar, Mutex, PoisonError};

use waxseal::server::SlowWork;

/// Hashes at once, so that they fit into a small machine beside everything else.
const AT_ONCE: usize = 2;

/// Lets two hashes be made at once, and a few workers wait.
pub struct Hashing {
    /// How many workers may hash or wait for it: the others answer other requests meanwhile.
    slow_work: SlowWork,
    running: Mutex<usize>,
    one_ended: Condvar,
}

impl Hashing {
    pub fn new(slow_work: SlowWork) -> Hashing {
        Hashing { slow_work, running: Mutex::new(0), one_ended: Condvar::new() }
    }

    /// What `hash` gives, after its turn came; `None` at once where too many wait already.
    pub fn run<T>(&self, hash: impl FnOnce() -> T) -> Option<T> {
        let _leave = self.slow_work.begin()?;
        let _turn = self.turn();
        Some(hash())
    }

    /// Waits until fewer than two are running.
    fn turn(&self) -> Turn<'_> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |running: &mut usize| *running >= AT_ONCE;
        let running = self.one_ended.wait_while(running, is_full);
        *running.unwrap_or_else(PoisonError::into_inner) += 1;
        Turn(self)
    }
}

/// One of the two, until dropped, by a panic too.
struct Turn<'h>(&'h Hashing);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.one_ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_run_at_once_and_never_three() {
        let hashing = Hashing::new(SlowWork::for_workers(32));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let together = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    hashing.run(|| {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        together.wait();
                        thread::sleep(Duration::from_millis(2));
                        now.fetch_sub(1, Ordering::SeqCst);
                    })
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn half_of_the_workers_may_wait_and_the_next_is_refused_at_once() {
        let hashing = Hashing::new(SlowWork::for_workers(8));
        let (inside, end) = (Barrier::new(3), Barrier::new(3));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    hashing.run(|| {
                        inside.wait();
                        end.wait();
                    })
                });
            }
            inside.wait();
            for _ in 0..2 {
                // Until it has leave: the loop below takes it away now and then.
                scope.spawn(|| while hashing.run(|| ()).is_none() {});
            }
            while hashing.slow_work.begin().is_some() {
                thread::yield_now();
            }
            assert!(hashing.run(|| ()).is_none());
            end.wait();
        });
        assert!(hashing.run(|| ()).is_some());
    }

    #[test]
    fn a_panic_frees_its_place() {
        let hashing = Hashing::new(SlowWork::for_workers(2));
        for _ in 0..5 {
            let run = catch_unwind(AssertUnwindSafe(|| hashing.run(|| panic!("as a test"))));
            assert!(run.is_err());
        }
        assert_eq!(hashing.run(|| 1), Some(1));
    }
}
