//! The thread that learns what other processes have revoked, and tells what this one has.

use std::collections::BTreeSet;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use log::{error, info};

use super::entry::Entry;
use super::list::List;
use super::shard::Folds;
use super::terms::Terms;
use super::{Learned, MOST_AT_ONCE, Position, Revocation, Revocations};
use crate::session::StoreError;

/// From one look at the store to the next: a fifth of the second in which a sign-out is to hold
/// everywhere.
const INTERVAL: Duration = Duration::from_millis(200);
/// The longest that a sign-in waits until what was revoked before it is known.
const PATIENCE: Duration = Duration::from_millis(500);
/// So often everything is told again: what somebody has deleted from the store comes back.
const RETELLING: Duration = Duration::from_secs(3600);
/// Beyond so many that could not be told, all that is known is told instead.
const MOST_UNPUBLISHED: usize = 10_000;

/// The list of what was signed out, and how far this process knows the sign-outs of others, as
/// [`Sessions::revocation_status`](super::super::Sessions::revocation_status) tells.
///
/// ```
/// # use waxseal::{seal::Keyring, session::Sessions};
/// let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
/// let status = sessions.revocation_status().expect("these are sealed");
/// assert!(status.is_learnt, "nobody else's sign-outs are to be known");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationStatus {
    /// All that the store had was learnt at least once.
    pub is_learnt: bool,
    /// The store did what it was asked last.
    pub is_up: bool,
    /// The time since everything was learnt, and everything told, that there was: a fraction of a second
    /// while the store is up.
    pub behind: Duration,
    /// Revocations that the store has not confirmed.
    pub unpublished: usize,
    /// Revocations that this process knows.
    pub known: usize,
    /// Revocations that were dropped since the start, because there was no room.
    pub dropped: u64,
}

impl RevocationStatus {
    /// The status of a list that no other process has a part in.
    pub(in super::super) fn unshared(list: &List) -> RevocationStatus {
        RevocationStatus {
            is_learnt: true,
            is_up: true,
            behind: Duration::ZERO,
            unpublished: 0,
            known: list.len(),
            dropped: list.dropped(),
        }
    }
}

/// Shares the list with other processes. Its thread ends when this is dropped.
pub(in super::super) struct Sharing {
    shared: Arc<Shared>,
    wake: SyncSender<()>,
}

struct Shared {
    store: Box<dyn Revocations>,
    list: Arc<List>,
    terms: Mutex<Terms>,
    retelling: Duration,
    state: Mutex<State>,
    /// A round has ended.
    changed: Condvar,
}

struct State {
    is_learnt: bool,
    /// The last round failed.
    is_down: bool,
    /// When the last complete round began; at first, when the thread did.
    complete: Instant,
    begun_rounds: u64,
    ended_rounds: u64,
    /// Entries that the store has not confirmed.
    unpublished: BTreeSet<Entry>,
    /// Entries that a mark stands for by now: they are to be withdrawn.
    replaced: Vec<Entry>,
    /// The store has lost what it had, or may have: it is told everything.
    is_all_due: bool,
    told_all: Instant,
}

impl Sharing {
    /// Begins to learn at once.
    pub(in super::super) fn start(
        store: impl Revocations + 'static,
        list: Arc<List>,
        terms: Terms,
    ) -> io::Result<Sharing> {
        Sharing::start_retelling(store, list, terms, RETELLING)
    }

    fn start_retelling(
        store: impl Revocations + 'static,
        list: Arc<List>,
        terms: Terms,
        retelling: Duration,
    ) -> io::Result<Sharing> {
        let state = State {
            is_learnt: false,
            is_down: false,
            complete: Instant::now(),
            begun_rounds: 0,
            ended_rounds: 0,
            unpublished: BTreeSet::new(),
            replaced: Vec::new(),
            is_all_due: false,
            told_all: Instant::now(),
        };
        let shared = Arc::new(Shared {
            store: Box::new(store),
            list,
            terms: Mutex::new(terms),
            retelling,
            state: Mutex::new(state),
            changed: Condvar::new(),
        });
        let (wake, woken) = sync_channel(1);
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("revocations".to_owned());
        thread.spawn(move || for_thread.run(&woken))?;
        Ok(Sharing { shared, wake })
    }

    /// Goes by other terms from now on.
    pub(in super::super) fn set_terms(&self, terms: Terms) {
        *self.shared.terms.lock().unwrap_or_else(PoisonError::into_inner) = terms;
    }

    /// Tells the store what was put into the list, and what that has folded; whether it is confirmed. What
    /// is not is told later.
    pub(in super::super) fn publish(&self, entries: &[Entry], folds: Folds) -> bool {
        let told: Vec<_> = entries.iter().chain(&folds.marks).copied().collect();
        let done = self.shared.publish(&told);
        let mut state = self.shared.state();
        state.replaced.extend(folds.replaced);
        if done.is_err() {
            state.postpone(told);
        }
        done.is_ok()
    }

    /// Waits until what was revoked before is known: for half a second at most, and not at all while the
    /// store is away.
    pub(in super::super) fn catch_up(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state();
        let awaited = state.begun_rounds + 1;
        // It fails if there is a wake-up already, and one is enough.
        let _ = self.wake.try_send(());
        while !state.is_down && state.ended_rounds < awaited {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until everything that the store has was learnt, or it cannot be reached, no longer than
    /// `patience`; whether it was learnt.
    pub(in super::super) fn wait_until_learnt(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.state();
        while !state.is_learnt && !state.is_down {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let woken = self.shared.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_learnt
    }

    pub(in super::super) fn is_learnt(&self) -> bool {
        self.shared.state().is_learnt
    }

    pub(in super::super) fn status(&self) -> RevocationStatus {
        let state = self.shared.state();
        let all = if state.is_all_due { self.shared.list.len() } else { 0 };
        RevocationStatus {
            is_learnt: state.is_learnt,
            is_up: !state.is_down,
            behind: state.complete.elapsed(),
            unpublished: state.unpublished.len().max(all),
            known: self.shared.list.len(),
            dropped: self.shared.list.dropped(),
        }
    }
}

impl Shared {
    fn run(&self, woken: &Receiver<()>) {
        let mut position = None;
        loop {
            self.round(&mut position);
            if woken.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    }

    /// Learns what is new, and tells what is due.
    fn round(&self, position: &mut Option<Position>) {
        let began = Instant::now();
        self.state().begun_rounds += 1;
        let learnt = self.learn(position);
        let is_learnt = learnt.is_ok();
        let done = learnt.and_then(|()| self.tell());
        let mut state = self.state();
        state.is_learnt |= is_learnt;
        state.ended_rounds += 1;
        if done.is_ok() {
            state.complete = began;
        }
        state.notice(done.err());
        drop(state);
        self.changed.notify_all();
    }

    fn learn(&self, position: &mut Option<Position>) -> Result<(), StoreError> {
        loop {
            match self.store.learn(position.as_ref())? {
                Learned::Page { revocations, position: after, is_last } => {
                    self.take_in(&revocations);
                    *position = Some(after);
                    if is_last {
                        return Ok(());
                    }
                }
                Learned::Lost if position.is_some() => {
                    *position = None;
                    self.state().is_all_due = true;
                }
                Learned::Lost => {
                    let cause = "the store of sign-outs cannot be read from its beginning";
                    return Err(StoreError::Rejected(cause.into()));
                }
            }
        }
    }

    fn take_in(&self, revocations: &[Revocation]) {
        let terms = self.terms();
        let (oldest, now) = (terms.oldest(), terms.now());
        let entries = revocations.iter().filter_map(Entry::of);
        let living: Vec<_> = entries.filter(|entry| u64::from(entry.begun) >= oldest).collect();
        let folds = self.list.insert(&living, oldest, now);
        if folds != Folds::default() {
            let mut state = self.state();
            state.postpone(folds.marks);
            state.replaced.extend(folds.replaced);
        }
    }

    /// Tells the store what it has not confirmed, or everything, where it has lost what it had.
    fn tell(&self) -> Result<(), StoreError> {
        let state = self.state();
        let is_all_due = state.is_all_due || state.told_all.elapsed() >= self.retelling;
        drop(state);
        if is_all_due {
            self.tell_all()?;
        }
        loop {
            let some: Vec<_> =
                self.state().unpublished.iter().take(MOST_AT_ONCE).copied().collect();
            if some.is_empty() {
                break;
            }
            self.publish(&some)?;
            let mut state = self.state();
            for entry in &some {
                state.unpublished.remove(entry);
            }
        }
        self.withdraw();
        Ok(())
    }

    fn tell_all(&self) -> Result<(), StoreError> {
        // Entries that come from here on are told by themselves.
        let mut state = self.state();
        (state.is_all_due, state.told_all) = (false, Instant::now());
        drop(state);
        let mut batch = Vec::with_capacity(2 * MOST_AT_ONCE);
        let mut told = || -> Result<(), StoreError> {
            for part in self.list.parts() {
                batch.extend_from_slice(&part);
                while batch.len() >= MOST_AT_ONCE {
                    self.publish(&batch[..MOST_AT_ONCE])?;
                    batch.drain(..MOST_AT_ONCE);
                }
            }
            self.publish(&batch)
        };
        told().inspect_err(|_| self.state().is_all_due = true)
    }

    /// An entry that cannot be withdrawn goes when its time is over.
    fn withdraw(&self) {
        let replaced = std::mem::take(&mut self.state().replaced);
        let terms = self.terms();
        for some in replaced.chunks(MOST_AT_ONCE) {
            let some: Vec<_> = some.iter().map(|entry| revocation(entry, &terms)).collect();
            if self.store.withdraw(&some).is_err() {
                return;
            }
        }
    }

    fn publish(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let terms = self.terms();
        let revocations: Vec<_> = entries.iter().map(|entry| revocation(entry, &terms)).collect();
        revocations.chunks(MOST_AT_ONCE).try_for_each(|some| self.store.publish(some))
    }

    fn terms(&self) -> Terms {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No code panics while it holds the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn postpone(&mut self, entries: Vec<Entry>) {
        self.unpublished.extend(entries);
        if self.unpublished.len() > MOST_UNPUBLISHED {
            self.unpublished.clear();
            self.is_all_due = true;
        }
    }

    /// The log tells of the beginning and the end of an outage.
    fn notice(&mut self, error: Option<StoreError>) {
        let was_down = std::mem::replace(&mut self.is_down, error.is_some());
        match error {
            Some(error) if !was_down => error!(
                error:%, unpublished = self.unpublished.len();
                "sign-outs are not shared: those of other processes are not learnt, and those of this \
                 one are told later"
            ),
            None if was_down => info!("sign-outs are shared again"),
            _ => {}
        }
    }
}

fn revocation(entry: &Entry, terms: &Terms) -> Revocation {
    entry.revocation(terms.until(entry.begun.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Id;
    use crate::session::SystemClock;
    use crate::session::revocations::{MemoryRevocations, User};

    #[test]
    fn what_is_deleted_from_the_store_comes_back() {
        let (store, list) = (Arc::new(MemoryRevocations::default()), Arc::new(List::default()));
        let terms = Terms { clock: Arc::new(SystemClock), lifetime: 3600 };
        let often = Duration::from_millis(1);
        let sharing =
            Sharing::start_retelling(Arc::clone(&store), Arc::clone(&list), terms.clone(), often)
                .unwrap();
        let entry = Entry::session(User::named("foo"), Id([1; 16]), terms.now());
        let folds = list.insert(&[entry], terms.oldest(), terms.now());
        assert!(sharing.publish(&[entry], folds));
        let count = || match store.learn(None).unwrap() {
            Learned::Page { revocations, .. } => revocations.len(),
            Learned::Lost => panic!("lost"),
        };
        store.withdraw(&[revocation(&entry, &terms)]).unwrap();
        let began = Instant::now();
        while count() == 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not come back");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
