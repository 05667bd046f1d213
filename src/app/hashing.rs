//! The gate before password hashes: each takes 19 MB and a processor for a while.

use std::sync::{Condvar, Mutex, PoisonError};

use waxseal::server::SlowWork;

use super::password_hash::Memory;

/// Hashes at once, so that they fit into a small machine beside everything else.
const AT_ONCE: usize = 2;

/// Lets two hashes be made at once, and a few workers wait.
pub struct Hashing {
    /// How many workers may hash or wait for it: the others answer other requests meanwhile.
    slow_work: SlowWork,
    /// What the next hash may be made in: one memory for each that may still begin.
    free: Mutex<Vec<Memory>>,
    one_ended: Condvar,
}

impl Hashing {
    pub fn new(slow_work: SlowWork) -> Hashing {
        let free = Mutex::new(vec![Memory::new(); AT_ONCE]);
        Hashing { slow_work, free, one_ended: Condvar::new() }
    }

    /// What `hash` gives, after its turn came; `None` at once where too many wait already.
    pub fn run<T>(&self, hash: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        let _leave = self.slow_work.begin()?;
        let mut turn = self.turn();
        Some(hash(&mut turn.memory))
    }

    /// Waits until fewer than two are running.
    fn turn(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.one_ended.wait_while(free, |free| free.is_empty());
        let memory = free.unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Turn { hashing: self, memory }
    }
}

/// One of the two, until dropped, by a panic too.
struct Turn<'h> {
    hashing: &'h Hashing,
    memory: Memory,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let memory = std::mem::take(&mut self.memory);
        self.hashing.free.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        self.hashing.one_ended.notify_one();
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
                    hashing.run(|_| {
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
                    hashing.run(|_| {
                        inside.wait();
                        end.wait();
                    })
                });
            }
            inside.wait();
            for _ in 0..2 {
                // Until it has leave: the loop below takes it away now and then.
                scope.spawn(|| while hashing.run(|_| ()).is_none() {});
            }
            while hashing.slow_work.begin().is_some() {
                thread::yield_now();
            }
            assert!(hashing.run(|_| ()).is_none());
            end.wait();
        });
        assert!(hashing.run(|_| ()).is_some());
    }

    #[test]
    fn a_panic_frees_its_place() {
        let hashing = Hashing::new(SlowWork::for_workers(2));
        for _ in 0..5 {
            let run = catch_unwind(AssertUnwindSafe(|| hashing.run(|_| panic!("as a test"))));
            assert!(run.is_err());
        }
        assert_eq!(hashing.run(|_| 1), Some(1));
    }
}
