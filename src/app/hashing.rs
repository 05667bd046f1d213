//! The gate before password hashes: each takes 19 MB and a processor for a while.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use waxseal::server::SlowWork;

use super::address_range::{network, provider};
use super::password_hash::Memory;
use super::throttle::Attempt;

/// Hashes at once, so that they fit into a small machine beside everything else.
const AT_ONCE: usize = 2;

/// The account, network and browser that a hash is for: they decide whether it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    network: IpAddr,
    provider: IpAddr,
    account: u64,
    /// The browser has signed in to this account before.
    is_known: bool,
    /// The account was signed in to often from this address lately.
    is_frequent: bool,
}

impl Claim {
    pub fn new(attempt: &Attempt<'_>, is_frequent: bool) -> Claim {
        let mut account = DefaultHasher::new();
        attempt.account.hash(&mut account);
        Claim {
            network: network(attempt.address),
            provider: provider(attempt.address),
            account: account.finish(),
            is_known: attempt.browser.is_some(),
            is_frequent,
        }
    }
}

/// Lets two hashes be made at once, and a few workers wait, whose places are shared: no network and no account
/// has more than half of them, and one is kept for browsers that are known for their account.
pub struct Hashing {
    /// How many workers may hash or wait for it: the others answer other requests meanwhile.
    slow_work: SlowWork,
    claims: Mutex<Vec<Claim>>,
    /// What the next hash may be made in: one memory for each that may still begin.
    free: Mutex<Vec<Memory>>,
    one_ended: Condvar,
}

impl Hashing {
    pub fn new(slow_work: SlowWork) -> Hashing {
        let free = Mutex::new(vec![Memory::new(); AT_ONCE]);
        Hashing { slow_work, claims: Mutex::default(), free, one_ended: Condvar::new() }
    }

    /// What `hash` gives, after its turn came; `None` at once where too many wait already.
    pub fn run<T>(&self, claim: Claim, hash: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        let _place = self.place(claim)?;
        let _leave = self.slow_work.begin()?;
        let mut turn = self.turn();
        Some(hash(&mut turn.memory))
    }

    /// A place among those who hash or wait, if this claim may have one.
    fn place(&self, claim: Claim) -> Option<Place<'_>> {
        let mut claims = self.claims();
        if !may_begin(claim, &claims, self.slow_work.most()) {
            return None;
        }
        claims.push(claim);
        Some(Place { hashing: self, claim })
    }

    /// No code panics while it holds the lock.
    fn claims(&self) -> MutexGuard<'_, Vec<Claim>> {
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until fewer than two are running.
    fn turn(&self) -> Turn<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.one_ended.wait_while(free, |free| free.is_empty());
        let memory = free.unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Turn { hashing: self, memory }
    }
}

/// Whether there is a place of `most` beside those who have one.
fn may_begin(claim: Claim, others: &[Claim], most: usize) -> bool {
    let half = (most / 2).max(1);
    let count = |is_so: &dyn Fn(&Claim) -> bool| others.iter().filter(|other| is_so(other)).count();
    let of_account = count(&|other| other.account == claim.account);
    if others.len() >= most || of_account >= half {
        return false;
    }
    if claim.is_known {
        return true;
    }
    // A single place is not kept free for anybody.
    let for_strangers = (most - 1).max(1);
    let strangers = count(&|other| !other.is_known);
    let of_network = count(&|other| other.network == claim.network && !other.is_known);
    let of_provider = count(&|other| other.provider == claim.provider && !other.is_known);
    // One is left to strangers from elsewhere.
    let for_provider = (for_strangers - 1).max(1);
    strangers < for_strangers
        && of_network < half
        && of_provider < for_provider
        && !(claim.is_frequent && of_account > 0)
}

/// A place, until dropped, by a panic too.
struct Place<'h> {
    hashing: &'h Hashing,
    claim: Claim,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut claims = self.hashing.claims();
        if let Some(at) = claims.iter().position(|claim| *claim == self.claim) {
            claims.swap_remove(at);
        }
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

    fn claim(number: u8) -> Claim {
        let address = |second| IpAddr::from([192, second, number, 0]);
        let (network, provider) = (address(number), address(number));
        Claim { network, provider, account: number.into(), is_known: false, is_frequent: false }
    }

    /// Which of these claims may begin one after the other, where there are so many places.
    fn begun(claims: &[Claim], most: usize) -> Vec<bool> {
        let mut begun = Vec::new();
        let begin = |claim: &Claim| {
            let may = may_begin(*claim, &begun, most);
            begun.extend(may.then_some(*claim));
            may
        };
        claims.iter().map(begin).collect()
    }

    #[test]
    fn no_network_and_no_account_has_more_than_half_of_the_places() {
        let of_network = |account| Claim { account, ..claim(1) };
        let network = [of_network(1), of_network(2), of_network(3), claim(2), claim(3)];
        assert_eq!(begun(&network, 4), [true, true, false, true, false]);
        let from = |number| Claim { account: 1, ..claim(number) };
        assert_eq!(begun(&[from(1), from(2), from(3), claim(4)], 4), [true, true, false, true]);
    }

    #[test]
    fn a_place_is_kept_for_a_browser_that_is_known() {
        let known = Claim { is_known: true, ..claim(1) };
        let crowd = [claim(1), claim(2), claim(3), claim(4), known, known];
        assert_eq!(begun(&crowd, 4), [true, true, true, false, true, false]);
        assert_eq!(begun(&[claim(1), claim(2)], 1), [true, false]);
    }

    #[test]
    fn an_account_that_is_signed_in_to_all_the_time_has_one_place() {
        let frequent = |number| Claim { is_frequent: true, ..claim(number) };
        let all = [frequent(1), frequent(1), frequent(2), frequent(2), claim(3)];
        assert_eq!(begun(&all, 4), [true, false, true, false, true]);
    }

    #[test]
    fn many_networks_of_one_provider_leave_a_place_to_others() {
        let of_one = |number| Claim { provider: [10, 0, 0, 0].into(), ..claim(number) };
        let all = [of_one(1), of_one(2), of_one(3), claim(4), claim(5)];
        assert_eq!(begun(&all, 4), [true, true, false, true, false]);
    }

    /// Runs for somebody whom nobody stands in the way of.
    fn run<T>(hashing: &Hashing, hash: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let claim = Claim { account: number as u64, is_known: true, ..claim(1) };
        hashing.run(claim, hash)
    }

    #[test]
    fn two_run_at_once_and_never_three() {
        let hashing = Hashing::new(SlowWork::for_workers(32));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let together = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    run(&hashing, |_| {
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
                    run(&hashing, |_| {
                        inside.wait();
                        end.wait();
                    })
                });
            }
            inside.wait();
            for _ in 0..2 {
                // Until it has leave: the loop below takes it away now and then.
                scope.spawn(|| while run(&hashing, |_| ()).is_none() {});
            }
            while hashing.slow_work.begin().is_some() {
                thread::yield_now();
            }
            assert!(run(&hashing, |_| ()).is_none());
            end.wait();
        });
        assert!(run(&hashing, |_| ()).is_some());
    }

    #[test]
    fn a_panic_frees_its_place() {
        let hashing = Hashing::new(SlowWork::for_workers(2));
        for _ in 0..5 {
            let run = catch_unwind(AssertUnwindSafe(|| run(&hashing, |_| panic!("as a test"))));
            assert!(run.is_err());
        }
        assert_eq!(run(&hashing, |_| 1), Some(1));
    }
}
