//! How often a password may be tried: by whom, from where, for which account.
//!
//! Token buckets in tables of a fixed size, under a keyed hash that changes with every start. Two
//! that meet in one bucket share it; nothing is ever evicted, so nobody can get rid of a bucket
//! that is empty by filling others.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use waxseal::seal::Id;

use super::address_range::subscriber;

/// Buckets of each limit: half a megabyte.
const BUCKETS: usize = 65_536;

/// A limit: so many tries at once, then one in each interval.
struct Limit {
    name: &'static str,
    burst: u64,
    interval: Duration,
}

const LIMITS: [Limit; 5] = [
    Limit { name: "sign-in throttled by address", burst: 30, interval: Duration::from_secs(6) },
    Limit {
        name: "sign-in throttled by account and address",
        burst: 5,
        interval: Duration::from_secs(60),
    },
    Limit { name: "sign-in throttled by account", burst: 100, interval: Duration::from_secs(36) },
    Limit { name: "sign-in throttled by browser", burst: 5, interval: Duration::from_secs(60) },
    Limit {
        name: "many sign-ins of one account from one address",
        burst: 30,
        interval: Duration::from_secs(2),
    },
];
const ADDRESS: usize = 0;
const ACCOUNT_AND_ADDRESS: usize = 1;
const ACCOUNT: usize = 2;
const BROWSER: usize = 3;
/// Right passwords: this limit refuses nobody, but whoever is beyond it hashes after others.
const SUCCESSES: usize = 4;

/// Who wants to try a password.
pub struct Attempt<'a> {
    pub account: &'a str,
    pub address: IpAddr,
    /// The browser, if it has signed in to this account before. It has a bucket of its own, so that
    /// nobody else's tries lock it out.
    pub browser: Option<Id>,
}

/// One try more would be too many.
#[derive(Debug, PartialEq, Eq)]
pub struct Throttled {
    /// Which limit stands longest in the way, in the words of the log.
    pub limit: &'static str,
    /// How long it does.
    pub wait: Duration,
}

/// Counts tries.
pub struct Throttle {
    tables: Mutex<Tables>,
    key: RandomState,
    began: Instant,
}

type Tables = [Box<[Bucket]>; LIMITS.len()];

/// A bucket, as the time at which it will be full again, in milliseconds since the start.
type Bucket = u64;

/// The index of a bucket: its limit, and its place in the table of that limit.
type BucketIndex = (usize, usize);

impl Throttle {
    pub fn new() -> Throttle {
        let tables = std::array::from_fn(|_| vec![0; BUCKETS].into());
        Throttle { tables: Mutex::new(tables), key: RandomState::new(), began: Instant::now() }
    }

    /// Leave for one try; where any limit stands in the way, nothing is counted.
    pub fn admit(&self, attempt: &Attempt<'_>, now: Instant) -> Result<Admission<'_>, Throttled> {
        let now = millis(now.saturating_duration_since(self.began));
        let buckets = self.buckets(attempt);
        let mut tables = self.tables();
        let refusals = buckets.iter().filter_map(|&(limit, bucket)| {
            let wait = LIMITS[limit].wait(tables[limit][bucket], now)?;
            Some(Throttled { limit: LIMITS[limit].name, wait })
        });
        if let Some(refused) = refusals.max_by_key(|refused| refused.wait) {
            return Err(refused);
        }
        for &(limit, bucket) in &buckets {
            let full_at = &mut tables[limit][bucket];
            *full_at = now.max(*full_at) + millis(LIMITS[limit].interval);
        }
        let successes = self.bucket(SUCCESSES, (attempt.account, subscriber(attempt.address)));
        let is_frequent = LIMITS[SUCCESSES].wait(tables[SUCCESSES][successes.1], now).is_some();
        Ok(Admission { throttle: self, buckets, successes, is_frequent })
    }

    fn buckets(&self, attempt: &Attempt<'_>) -> Vec<BucketIndex> {
        let &Attempt { account, address, browser } = attempt;
        let subscriber = subscriber(address);
        match browser {
            Some(browser) => vec![self.bucket(BROWSER, (account, browser.0))],
            None => vec![
                self.bucket(ADDRESS, subscriber),
                self.bucket(ACCOUNT_AND_ADDRESS, (account, subscriber)),
                self.bucket(ACCOUNT, account),
            ],
        }
    }

    fn bucket(&self, limit: usize, whose: impl std::hash::Hash) -> BucketIndex {
        // Fewer than 2^16 remain, on every platform.
        (limit, (self.key.hash_one(whose) % BUCKETS as u64) as usize)
    }

    /// No code panics while it holds the lock, and each change under it is whole.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limit {
    /// How long a bucket that will be full at `full_at` has no token, from `now` on.
    fn wait(&self, full_at: Bucket, now: u64) -> Option<Duration> {
        let interval = millis(self.interval);
        let missing = full_at.saturating_sub(now) + interval;
        let wait = missing.saturating_sub(self.burst * interval);
        (wait > 0).then(|| Duration::from_millis(wait))
    }
}

/// Leave for one try.
pub struct Admission<'t> {
    throttle: &'t Throttle,
    buckets: Vec<BucketIndex>,
    successes: BucketIndex,
    is_frequent: bool,
}

impl Admission<'_> {
    /// Whether the account was signed in to so often from this address lately that it hashes after others.
    pub fn is_frequent(&self) -> bool {
        self.is_frequent
    }

    /// Takes the try back, and counts it as one that succeeded.
    pub fn succeed(self, now: Instant) {
        let now = millis(now.saturating_duration_since(self.throttle.began));
        let (limit, bucket) = self.successes;
        let interval = millis(LIMITS[limit].interval);
        let mut tables = self.throttle.tables();
        let full_at = &mut tables[limit][bucket];
        // Never more than it takes to be below the limit again at once.
        *full_at = (now.max(*full_at) + interval).min(now + (LIMITS[limit].burst + 1) * interval);
        drop(tables);
        self.give_back();
    }

    /// Takes the try back: the password was not looked at.
    pub fn give_back(self) {
        let mut tables = self.throttle.tables();
        for (limit, bucket) in self.buckets {
            let full_at = &mut tables[limit][bucket];
            *full_at = full_at.saturating_sub(millis(LIMITS[limit].interval));
        }
    }
}

impl fmt::Debug for Admission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").finish_non_exhaustive()
    }
}

fn millis(time: Duration) -> u64 {
    // 500 million years have fewer.
    time.as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt<'a>(account: &'a str, address: &str) -> Attempt<'a> {
        Attempt { account, address: address.parse().unwrap(), browser: None }
    }

    /// How many of `tries` at this time are admitted.
    fn admitted(throttle: &Throttle, attempt: &Attempt<'_>, tries: usize, now: Instant) -> usize {
        (0..tries).filter(|_| throttle.admit(attempt, now).is_ok()).count()
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn an_account_from_one_address_has_five_tries_then_one_a_minute() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let alice = attempt("alice", "192.0.2.1");
        assert_eq!(admitted(&throttle, &alice, 10, now), 5);
        let refused = throttle.admit(&alice, now).unwrap_err();
        assert_eq!(
            (refused.limit, refused.wait.as_secs()),
            ("sign-in throttled by account and address", 60)
        );
        assert_eq!(admitted(&throttle, &alice, 10, now + seconds(59)), 0);
        assert_eq!(admitted(&throttle, &alice, 10, now + seconds(60)), 1);
        assert_eq!(admitted(&throttle, &alice, 10, now + seconds(180)), 2);
        assert_eq!(admitted(&throttle, &alice, 10, now + seconds(3600)), 5, "it is full again");
    }

    #[test]
    fn waiting_as_long_as_was_said_is_enough() {
        let throttle = Throttle::new();
        let now = Instant::now() + Duration::from_micros(300);
        let alice = attempt("alice", "192.0.2.1");
        admitted(&throttle, &alice, 5, now);
        let wait = throttle.admit(&alice, now + Duration::from_micros(1_500)).unwrap_err().wait;
        assert!(throttle.admit(&alice, now + Duration::from_micros(1_500) + wait).is_ok());
    }

    #[test]
    fn an_address_has_thirty_tries_then_ten_a_minute() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let names: Vec<String> = (0..100).map(|number| format!("user {number}")).collect();
        let admitted = |at| {
            let attempts = names.iter().map(|name| attempt(name, "192.0.2.1"));
            attempts.filter(|attempt| throttle.admit(attempt, at).is_ok()).count()
        };
        assert_eq!(admitted(now), 30);
        assert_eq!(admitted(now + seconds(60)), 10);
    }

    #[test]
    fn an_account_has_a_hundred_tries_an_hour_from_everywhere() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let admitted = |at| {
            let addresses = (0..200).map(|number| format!("198.51.100.{number}"));
            let tries = addresses.filter(|a| throttle.admit(&attempt("alice", a), at).is_ok());
            tries.count()
        };
        assert_eq!(admitted(now), 100);
        assert_eq!(admitted(now + seconds(360)), 10);
        assert_eq!(
            throttle.admit(&attempt("alice", "203.0.113.1"), now).unwrap_err().limit,
            "sign-in throttled by account"
        );
    }

    #[test]
    fn a_browser_that_has_signed_in_is_locked_out_by_nobody_else() {
        let throttle = Throttle::new();
        let now = Instant::now();
        for number in 0..200 {
            let _ = throttle.admit(&attempt("alice", &format!("198.51.100.{number}")), now);
        }
        admitted(&throttle, &attempt("bob", "192.0.2.1"), 50, now);
        let known = Attempt { browser: Some(Id([7; 16])), ..attempt("alice", "192.0.2.1") };
        assert_eq!(admitted(&throttle, &known, 10, now), 5, "and it has a limit of its own");
        let other = Attempt { browser: Some(Id([8; 16])), ..attempt("alice", "192.0.2.1") };
        assert_eq!(admitted(&throttle, &other, 10, now), 5);
    }

    #[test]
    fn addresses_are_canonical_and_ipv6_counts_by_64() {
        let throttle = Throttle::new();
        let now = Instant::now();
        assert_eq!(admitted(&throttle, &attempt("a", "::ffff:192.0.2.1"), 9, now), 5);
        assert_eq!(admitted(&throttle, &attempt("a", "192.0.2.1"), 9, now), 0);
        assert_eq!(admitted(&throttle, &attempt("a", "2001:db8:0:1::1"), 9, now), 5);
        assert_eq!(admitted(&throttle, &attempt("a", "2001:db8:0:1:ffff::2"), 9, now), 0);
        assert_eq!(admitted(&throttle, &attempt("a", "2001:db8:0:2::1"), 9, now), 5);
    }

    #[test]
    fn a_try_that_was_given_back_does_not_count() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let alice = attempt("alice", "192.0.2.1");
        for _ in 0..1_000 {
            throttle.admit(&alice, now).unwrap().give_back();
        }
        assert_eq!(admitted(&throttle, &alice, 10, now), 5, "neither does it fill the bucket over");
    }

    #[test]
    fn a_refused_try_costs_the_others_at_the_address_nothing() {
        let throttle = Throttle::new();
        let now = Instant::now();
        admitted(&throttle, &attempt("alice", "192.0.2.1"), 1_000, now);
        assert_eq!(admitted(&throttle, &attempt("bob", "192.0.2.1"), 10, now), 5);
    }

    #[test]
    fn no_crowd_gets_rid_of_an_empty_bucket() {
        let throttle = Throttle::new();
        let now = Instant::now();
        let alice = attempt("alice", "192.0.2.1");
        admitted(&throttle, &alice, 5, now);
        for number in 0..200_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let _ = throttle.admit(&Attempt { account: "x", address, browser: None }, now);
        }
        assert_eq!(admitted(&throttle, &alice, 10, now), 0);
    }
}
