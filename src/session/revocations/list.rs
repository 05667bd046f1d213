//! The sessions that have ended before their time, as this process knows them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use log::warn;

use super::entry::{Entry, Kind, Spared, User};
use super::shard::{self, Folds};
use crate::seal::Id;

/// A visit reads two parts of so many, and a sign-out writes one anew.
const SHARDS: usize = 1024;
/// From one look at what is over to the next, in seconds.
const TIDYING: u64 = 60;
/// The log tells of dropped revocations once in this time.
const QUIET: Duration = Duration::from_secs(60);

/// How many revocations are kept at most. Each takes 40 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// One by one of a user. Beyond, the earlier ones are folded into one mark.
    pub(super) per_user: usize,
    /// All users together. Beyond, the users with the most are folded first.
    pub(super) users: usize,
    /// Sessions without a user. Beyond, those nearest their end go.
    pub(super) nobody: usize,
}

impl Bounds {
    pub(super) const DEFAULT: Bounds = Bounds { per_user: 1000, users: 750_000, nobody: 250_000 };
}

/// Revocations that visits look up without a lock: each part of the list is replaced as a whole.
pub(in super::super) struct List {
    shards: Box<[ArcSwap<Box<[Entry]>>]>,
    len: AtomicUsize,
    dropped: AtomicU64,
    bounds: Bounds,
    writer: Mutex<Writer>,
}

/// The state that writers alone need, who take turns.
#[derive(Default)]
struct Writer {
    users: usize,
    nobody: usize,
    /// When it is tidied next, in unix seconds.
    tidy_at: u64,
    warned: Option<Instant>,
    not_told: u64,
}

/// The marks of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Marks {
    /// The last second at which a session that was folded into a mark began.
    pub(in super::super) folded: Option<u64>,
    /// The last second at which a session that was ended everywhere began, and the end of the ids that are
    /// spared: those of sessions that began after it, in processes that knew of it.
    pub(in super::super) everywhere: Option<(u64, Spared)>,
}

impl List {
    pub(super) fn bounded(bounds: Bounds) -> List {
        let empty: Arc<Box<[Entry]>> = Arc::default();
        List {
            shards: (0..SHARDS).map(|_| ArcSwap::new(Arc::clone(&empty))).collect(),
            len: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            bounds,
            writer: Mutex::default(),
        }
    }

    /// Whether the session with this id, of this user, which began then, has ended.
    pub(in super::super) fn has_ended(&self, id: Id, user: Option<&str>, begun: u64) -> bool {
        if self.is_empty() {
            return false;
        }
        // Its user may have been cleared before it was ended.
        let nobody = Entry::session(User::NOBODY, id, begun);
        if self.contains(&nobody) {
            return true;
        }
        let Some(user) = user else { return false };
        let entry = Entry { user: User::named(user), ..nobody };
        let shard = self.shard(&entry).load();
        let entries = shard::of_user(&shard, entry.user);
        let is_session = |found: &Entry| found.kind == Kind::Session && found.id == id;
        entries.iter().any(|found| match found.is_mark() {
            true => found.ends(id, entry.begun),
            false => is_session(found),
        })
    }

    /// Whether all sessions of the user that began then have ended, but for those with an id that is spared.
    pub(in super::super) fn has_user_ended(&self, id: Id, user: &str, begun: u64) -> bool {
        let entry = Entry::session(User::named(user), id, begun);
        !self.is_empty()
            && shard::of_user(&self.shard(&entry).load(), entry.user)
                .iter()
                .take_while(|entry| entry.is_mark())
                .any(|mark| mark.ends(id, entry.begun))
    }

    /// The marks of a user, which a session that begins now has to get around.
    pub(in super::super) fn marks(&self, user: &str) -> Marks {
        let mut marks = Marks::default();
        if self.is_empty() {
            return marks;
        }
        let any = Entry::session(User::named(user), Id([0; Id::LEN]), 0);
        for mark in shard::of_user(&self.shard(&any).load(), any.user) {
            match mark.kind {
                Kind::Folded => marks.folded = Some(mark.begun.into()),
                Kind::Everywhere => {
                    marks.everywhere = Some((mark.begun.into(), mark.spared()));
                }
                Kind::Session => break,
            }
        }
        marks
    }

    /// Takes in `new`, and forgets now and then what began before `oldest`, in unix seconds: no cookie of
    /// it could open at `now`.
    pub(in super::super) fn insert(&self, new: &[Entry], oldest: u64, now: u64) -> Folds {
        let mut folds = Folds::default();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.tidy(&mut writer, oldest, now);
        let mut new: Vec<_> = new.iter().map(|entry| (place(entry), *entry)).collect();
        new.sort_unstable();
        for part in new.chunk_by(|(one, _), (other, _)| one == other) {
            let entries: Vec<_> = part.iter().map(|(_, entry)| *entry).collect();
            let per_user = self.bounds.per_user;
            self.replace(&mut writer, part[0].0, |old| {
                shard::merged(old, &entries, per_user, &mut folds)
            });
        }
        self.make_room(&mut writer, &mut folds);
        folds
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// How many were dropped for want of room.
    pub(in super::super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// All of them, a part at a time.
    pub(super) fn parts(&self) -> impl Iterator<Item = Arc<Box<[Entry]>>> {
        self.shards.iter().map(ArcSwap::load_full)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn contains(&self, entry: &Entry) -> bool {
        let shard = self.shard(entry).load();
        let key = |entry: &Entry| (entry.user, entry.kind, entry.id);
        shard.binary_search_by_key(&key(entry), key).is_ok()
    }

    fn shard(&self, entry: &Entry) -> &ArcSwap<Box<[Entry]>> {
        &self.shards[place(entry)]
    }

    /// Replaces a part, and counts what is in it.
    fn replace(
        &self,
        writer: &mut Writer,
        place: usize,
        change: impl FnOnce(&[Entry]) -> Box<[Entry]>,
    ) {
        let old = self.shards[place].load_full();
        let new = change(&old);
        let nobody = |entries: &[Entry]| shard::of_user(entries, User::NOBODY).len();
        let (before, after) = (nobody(&old), nobody(&new));
        writer.nobody = writer.nobody + after - before;
        writer.users = writer.users + (new.len() - after) - (old.len() - before);
        self.shards[place].store(Arc::new(new));
        self.len.store(writer.users + writer.nobody, Ordering::Release);
    }

    fn replace_all(&self, writer: &mut Writer, mut change: impl FnMut(&[Entry]) -> Box<[Entry]>) {
        (0..SHARDS).for_each(|place| self.replace(writer, place, &mut change));
    }

    fn tidy(&self, writer: &mut Writer, oldest: u64, now: u64) {
        if now < writer.tidy_at {
            return;
        }
        writer.tidy_at = now + TIDYING;
        let lives = |entry: &Entry| u64::from(entry.begun) >= oldest;
        for place in 0..SHARDS {
            if !self.shards[place].load().iter().all(lives) {
                self.replace(writer, place, |old| {
                    old.iter().filter(|e| lives(e)).copied().collect()
                });
            }
        }
    }

    /// Makes room where there are too many: whoever has filled it gives it.
    fn make_room(&self, writer: &mut Writer, folds: &mut Folds) {
        let Bounds { mut per_user, users, nobody } = self.bounds;
        if writer.nobody > nobody {
            self.drop_earliest(
                writer,
                |entry| entry.user == User::NOBODY,
                writer.nobody - less(nobody),
            );
        }
        if writer.users <= users {
            return;
        }
        while writer.users > less(users) && per_user > 1 {
            per_user /= 2;
            self.replace_all(writer, |old| shard::folded(old, per_user, folds));
        }
        if writer.users > users {
            self.drop_earliest(
                writer,
                |entry| entry.user != User::NOBODY,
                writer.users - less(users),
            );
        }
    }

    /// Drops so many of those nearest their end.
    fn drop_earliest(&self, writer: &mut Writer, is_one: impl Fn(&Entry) -> bool, count: usize) {
        let all = self.parts().flat_map(|part| {
            part.iter().filter(|entry| is_one(entry)).map(|entry| entry.begun).collect::<Vec<_>>()
        });
        let mut begun: Vec<_> = all.collect();
        let (_, &mut last, _) = begun.select_nth_unstable(count - 1);
        let mut left = count;
        for surely in [true, false] {
            self.replace_all(writer, |old| {
                let mut is_dropped = |entry: &&Entry| {
                    let is_due = if surely { entry.begun < last } else { entry.begun == last };
                    let goes = is_one(entry) && is_due && left > 0;
                    left -= usize::from(goes);
                    goes
                };
                old.iter().filter(|entry| !is_dropped(entry)).copied().collect()
            });
        }
        self.tell(writer, count as u64);
    }

    /// The log tells of them in one line a minute.
    fn tell(&self, writer: &mut Writer, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
        writer.not_told += count;
        if writer.warned.is_none_or(|warned| warned.elapsed() >= QUIET) {
            warn!(
                dropped = writer.not_told, kept = self.len();
                "the list of signed-out sessions is full: those nearest their end are dropped, and \
                 copies of their cookies open again"
            );
            (writer.warned, writer.not_told) = (Some(Instant::now()), 0);
        }
    }
}

impl Default for List {
    fn default() -> List {
        List::bounded(Bounds::DEFAULT)
    }
}

/// A bound less a sixty-fourth, so that room is made once for many.
fn less(bound: usize) -> usize {
    bound - bound.div_ceil(64)
}

/// The part that an entry is in: a user's entries are in one.
fn place(entry: &Entry) -> usize {
    let bytes = if entry.user == User::NOBODY { entry.id.0 } else { entry.user.bytes() };
    usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % SHARDS
}

#[cfg(test)]
mod tests;
