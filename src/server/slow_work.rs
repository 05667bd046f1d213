//! Slow work: a password hash, a store. At most half of the workers may wait for it, so that the
//! other pages keep their speed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the workers at slow work. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct SlowWork {
    left: Arc<AtomicUsize>,
    most: usize,
}

impl SlowWork {
    /// For a server with so many workers: half of them, but one at least.
    pub fn for_workers(workers: usize) -> Self {
        let most = (workers / 2).max(1);
        SlowWork { left: Arc::new(AtomicUsize::new(most)), most }
    }

    /// How many workers may be at it at once.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Permit to begin, held until dropped. Where there is `None`, answer 503 with Retry-After.
    pub fn begin(&self) -> Option<Permit> {
        let taken =
            self.left.fetch_update(Ordering::Acquire, Ordering::Relaxed, |n| n.checked_sub(1));
        taken.ok().map(|_| Permit { left: Arc::clone(&self.left) })
    }
}

/// Permit to do slow work.
///
/// ```
/// use waxseal::server::SlowWork;
///
/// let slow = SlowWork::for_workers(2);
/// let permit = slow.begin();
/// assert!(permit.is_some() && slow.begin().is_none(), "one of two workers at most");
/// drop(permit);
/// assert!(slow.begin().is_some());
/// ```
#[derive(Debug)]
pub struct Permit {
    left: Arc<AtomicUsize>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.left.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_workers() {
        let work = SlowWork::for_workers(5);
        let (first, second) = (work.begin(), work.clone().begin());
        assert!(first.is_some() && second.is_some() && work.begin().is_none());
        drop(first);
        assert!(work.begin().is_some());
        assert!(SlowWork::for_workers(1).begin().is_some());
    }
}
