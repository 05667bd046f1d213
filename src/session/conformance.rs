//! A suite of tests that any [`Store`] can be put through (Cargo feature `conformance`).
//!
//! Each function is one rule of the trait's contract, and panics with a message that begins with
//! its own name where the store breaks it. [`all`] runs them all, in about three seconds: whether
//! records expire can only be seen by waiting.
//!
//! Every rule uses fresh random keys and deletes what it made, so that the suite can be run against
//! a shared server. The server may count time in whole seconds; its clock and this machine's may be
//! half a second apart.
//!
//! ```
//! use waxseal::session::{MemoryStore, conformance};
//!
//! conformance::all(&MemoryStore::default());
//! ```
//!
//! Three rules need to be told more, and are run by themselves: [`a_damaged_record_is_none`],
//! [`a_user_has_so_many_records`] and [`a_mark_counts_for_its_own_session_alone`]. So is
//! [`all_records_are_ended`], which ends whatever is in the store.

mod lifetimes;
mod listing;
mod marks;
mod revocations;
mod users;

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::{Change, CommitOutcome, Key, MARK, Store, USERNAME, Values};
use crate::seal::Id;

pub use lifetimes::*;
pub use listing::*;
pub use marks::*;
pub use revocations::*;
pub use users::*;

const HOUR: Duration = Duration::from_secs(3600);
/// What is left to a record that is to expire while a rule waits: enough that a store that cuts
/// off fractions of a second still has it at the first look.
const SOON: Duration = Duration::from_secs(2);
/// Waited beyond the expiry, for a store that rounds up to the next second.
const GRACE: Duration = Duration::from_millis(1100);

/// Puts `store` through every rule.
///
/// # Panics
///
/// With the name of the first rule that `store` breaks, and what it did.
pub fn all(store: &dyn Store) {
    what_is_committed_is_found(store);
    an_unknown_key_is_none(store);
    an_update_changes_its_own_names_alone(store);
    a_removed_name_is_gone(store);
    nothing_revives_a_deleted_record(store);
    deleting_nothing_is_no_error(store);
    keys_are_independent(store);
    any_text_is_kept(store);
    a_large_value_is_kept_whole(store);
    commits_at_once_lose_no_change(store);
    many_threads_lose_no_change(store);
    a_commit_and_a_deletion_at_once_leave_nothing_half_done(store);
    if let Some(users) = store.users() {
        users_have_their_own_records(store, users);
        a_record_follows_its_user(store, users);
        the_records_that_live_longest_come_first(store, users);
        ending_all_of_a_user_ends_no_other(store, users);
    }
    if let Some(listing) = store.listing() {
        every_record_is_listed(store, listing);
        a_listing_goes_on_while_records_come_and_go(store, listing);
        a_users_records_are_listed_alone(store, listing);
        records_are_counted(store, listing);
        a_cursor_of_another_store_is_an_error(listing);
    }
    // These wait: at once, so that they wait together.
    let waiting: [fn(&dyn Store); 5] = [
        nothing_revives_an_expired_record,
        an_update_moves_the_expiry,
        a_lifetime_may_have_any_length,
        an_expired_record_is_in_no_index,
        an_expired_record_is_in_no_list,
    ];
    at_once(waiting.map(|rule| move || rule(store)));
}

/// A new record is found as it was committed, and again at a second look.
pub fn what_is_committed_is_found(store: &dyn Store) {
    let record = Record::new("what_is_committed_is_found", store, HOUR, &[("b", "2"), ("a", "1")]);
    record.holds(&[("a", "1"), ("b", "2")]);
    record.holds(&[("a", "1"), ("b", "2")]);
}

/// There is nothing under a key that was never committed, which is no error.
pub fn an_unknown_key_is_none(store: &dyn Store) {
    Record::absent("an_unknown_key_is_none", store).is_none();
}

/// An update leaves the names that it does not mention; it adds and replaces the others.
pub fn an_update_changes_its_own_names_alone(store: &dyn Store) {
    let rule = "an_update_changes_its_own_names_alone";
    let record = Record::new(rule, store, HOUR, &[("a", "1"), ("b", "2")]);
    record.update(&[("a", Some("one"))], HOUR);
    record.update(&[("c", Some("3"))], HOUR);
    record.holds(&[("a", "one"), ("b", "2"), ("c", "3")]);
}

/// `None` in an update removes the name, also beside a change of another and where it was not
/// there. A record without names is a record still.
pub fn a_removed_name_is_gone(store: &dyn Store) {
    let record = Record::new("a_removed_name_is_gone", store, HOUR, &[("a", "1"), ("b", "2")]);
    record.update(&[("a", None), ("b", Some("two")), ("never", None)], HOUR);
    record.holds(&[("b", "two")]);
    record.update(&[("b", None)], HOUR);
    record.holds(&[]);
    record.update(&[("a", Some("again"))], HOUR);
    record.holds(&[("a", "again")]);
}

/// A deleted record is none; an update of it, or of one that never was, empty or not, is `Gone` and
/// writes nothing.
pub fn nothing_revives_a_deleted_record(store: &dyn Store) {
    let record = Record::new("nothing_revives_a_deleted_record", store, HOUR, &[("a", "1")]);
    record.delete();
    record.is_none();
    record.is_gone();
    Record::absent(record.rule, store).is_gone();
}

/// Deleting what is not there, or twice, is no error.
pub fn deleting_nothing_is_no_error(store: &dyn Store) {
    let rule = "deleting_nothing_is_no_error";
    Record::absent(rule, store).delete();
    let record = Record::new(rule, store, HOUR, &[("a", "1")]);
    record.delete();
    record.delete();
}

/// What happens under one key is not seen under another.
pub fn keys_are_independent(store: &dyn Store) {
    let rule = "keys_are_independent";
    let one = Record::new(rule, store, HOUR, &[("a", "1")]);
    let other = Record::new(rule, store, HOUR, &[("a", "2")]);
    one.update(&[("a", None), ("b", Some("3"))], HOUR);
    other.holds(&[("a", "2")]);
    other.delete();
    one.holds(&[("b", "3")]);
}

/// Names and values are any text without a NUL, empty ones too, and differ by every character.
pub fn any_text_is_kept(store: &dyn Store) {
    let texts = [
        "",
        " ",
        " a ",
        "a",
        "A",
        "ä",
        "a\u{308}", // the same letter in two characters: no store may make one of both
        "a=b&c=d;e,f",
        "%41+%2B",
        "\"'\\`${x}<!--{}[]",
        "_flash.0000000000000001",
        "\u{1}\u{8}\t\r\n\u{1b}[0m\u{7f}",
        "\u{85}\u{2028}\u{feff}\u{fffd}",
        "日本語 עברית ไทย",
        "🦭👩\u{200d}👩\u{200d}👧",
    ];
    let pairs: Vec<_> = texts.iter().zip(texts.iter().rev()).map(|(&n, &v)| (n, v)).collect();
    let record = Record::new("any_text_is_kept", store, HOUR, &pairs);
    record.holds(&pairs);
    let swapped: Vec<_> = texts.iter().map(|&text| (text, text)).collect();
    let changes: Vec<_> = swapped.iter().map(|&(name, value)| (name, Some(value))).collect();
    record.update(&changes, HOUR);
    record.holds(&swapped);
}

/// A value of 100,000 bytes comes back whole, committed at first and as an update.
pub fn a_large_value_is_kept_whole(store: &dyn Store) {
    let large = "0123456789".repeat(10_000);
    let pairs = [("large", large.as_str()), ("small", "1")];
    let record = Record::new("a_large_value_is_kept_whole", store, HOUR, &pairs);
    record.holds(&pairs);
    let other = "9876543210".repeat(10_000);
    record.update(&[("large", Some(&other))], HOUR);
    record.holds(&[("large", &other), ("small", "1")]);
}

/// Updates of different names at the same moment are all kept, removals too, round after round.
pub fn commits_at_once_lose_no_change(store: &dyn Store) {
    const ROUNDS: usize = 50;
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let record = Record::new("commits_at_once_lose_no_change", store, HOUR, &[("stays", "0")]);
    let together = Barrier::new(NAMES.len());
    for round in 0..ROUNDS {
        let text = round.to_string();
        let value = (round % 3 < 2).then_some(text.as_str());
        at_once(NAMES.map(|name| {
            let (record, together) = (&record, &together);
            move || {
                together.wait();
                record.update(&[(name, value)], HOUR);
            }
        }));
        let changed = NAMES.iter().filter_map(|&name| Some((name, value?)));
        record.holds(&changed.chain([("stays", "0")]).collect::<Vec<_>>());
    }
}

/// Sixteen threads commit 200 updates each to one record, each under names of its own; each change is
/// there in the end.
pub fn many_threads_lose_no_change(store: &dyn Store) {
    const THREADS: usize = 16;
    const COMMITS: usize = 200;
    let record = Record::new("many_threads_lose_no_change", store, HOUR, &[("stays", "0")]);
    let name = |thread: usize, commit: usize| format!("{thread}.{}", commit % 10);
    at_once((0..THREADS).map(|thread| {
        let (record, name) = (&record, &name);
        move || {
            for commit in 0..COMMITS {
                let value = commit.to_string();
                record.update(&[(&name(thread, commit), Some(&value))], HOUR);
            }
        }
    }));
    let last = |thread: usize| (COMMITS - 10..COMMITS).map(move |commit| (thread, commit));
    let mut expected = values(&[("stays", "0")]);
    for (thread, commit) in (0..THREADS).flat_map(last) {
        expected.insert(name(thread, commit), commit.to_string());
    }
    record.expect("find", record.find(), Some(expected));
}

/// Of an update and a deletion at the same moment, the deletion has the last word: the record is
/// gone, whether the update was done before it or found nothing.
pub fn a_commit_and_a_deletion_at_once_leave_nothing_half_done(store: &dyn Store) {
    const ROUNDS: usize = 50;
    let rule = "a_commit_and_a_deletion_at_once_leave_nothing_half_done";
    for _ in 0..ROUNDS {
        let record = Record::new(rule, store, HOUR, &[("a", "1")]);
        let together = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                together.wait();
                record.delete();
            });
            together.wait();
            // Done or Gone, as it came.
            let _ = record.commit(&update(&[("a", Some("2"))]), HOUR);
        });
        record.is_none();
    }
}

/// A record that is damaged is none, before and after an update of it, and an error for nobody; it can be
/// deleted, and another can be put in its place. `damage` damages the record under a key.
pub fn a_damaged_record_is_none(store: &dyn Store, damage: &dyn Fn(&Key)) {
    let rule = "a_damaged_record_is_none";
    let user = any_user();
    let new = || Record::new(rule, store, HOUR, &[(USERNAME, user.as_str()), ("a", "1")]);
    let (found, updated, deleted, sound) = (new(), new(), new(), new());
    for record in [&found, &updated, &deleted] {
        damage(&record.key);
    }
    if let Some(users) = store.users() {
        let listed = users.find_by_user(&user, &["a"], 9);
        let listed = listed.unwrap_or_else(|error| panic!("{rule}: find_by_user: {error}"));
        let is_listed = listed.iter().any(|(key, _)| *key == sound.key);
        sound.expect("find_by_user beside damaged records", is_listed, true);
    }
    if let Some(listing) = store.listing() {
        for of in [None, Some(user.as_str())] {
            let keys = listed_keys(rule, listing, of);
            sound.expect("list beside damaged records", keys.contains(&sound.key), true);
        }
    }
    found.is_none();
    found.is_gone();
    // Done or Gone: a store need not look at all that it leaves as it is.
    let _ = updated.commit(&update(&[("a", Some("2"))]), HOUR);
    updated.is_none();
    deleted.delete();
    deleted.is_none();
    damage(&sound.key);
    let replaced = sound.commit(&Change::New(values(&[("b", "2")])), HOUR);
    sound.expect("a new record in place of a damaged one", replaced, CommitOutcome::Done);
    sound.holds(&[("b", "2")]);
}

/// One record, in the hands of the rule that checks it.
struct Record<'s> {
    rule: &'static str,
    store: &'s dyn Store,
    key: Key,
}

impl<'s> Record<'s> {
    fn absent(rule: &'static str, store: &'s dyn Store) -> Record<'s> {
        Record { rule, store, key: Key::of(Id::random()) }
    }

    fn new(
        rule: &'static str,
        store: &'s dyn Store,
        life: Duration,
        pairs: &[(&str, &str)],
    ) -> Self {
        let record = Record::absent(rule, store);
        let done = record.commit(&Change::New(values(pairs)), life);
        record.expect("a new record", done, CommitOutcome::Done);
        record
    }

    fn update(&self, changes: &[(&str, Option<&str>)], life: Duration) {
        let done = self.commit(&update(changes), life);
        self.expect("an update", done, CommitOutcome::Done);
    }

    fn commit(&self, change: &Change, life: Duration) -> CommitOutcome {
        self.store
            .commit(&self.key, change, life)
            .unwrap_or_else(|error| panic!("{}: commit: {error}", self.rule))
    }

    fn delete(&self) {
        self.store
            .delete(&self.key)
            .unwrap_or_else(|error| panic!("{}: delete: {error}", self.rule));
    }

    fn find(&self) -> Option<Values> {
        self.store.find(&self.key).unwrap_or_else(|error| panic!("{}: find: {error}", self.rule))
    }

    fn holds(&self, pairs: &[(&str, &str)]) {
        self.expect("find", self.find(), Some(values(pairs)));
    }

    fn is_none(&self) {
        self.expect("find", self.find(), None);
    }

    fn is_gone(&self) {
        for changes in [&[][..], &[("a", None)], &[("a", Some("revived"))]] {
            let done = self.commit(&update(changes), HOUR);
            self.expect("an update of no record", done, CommitOutcome::Gone);
            self.is_none();
        }
    }

    fn expect<T: std::fmt::Debug + PartialEq>(&self, what: &str, found: T, expected: T) {
        let show = |value: &T| {
            let text = format!("{value:?}");
            format!("{text:.400} ({} bytes)", text.len())
        };
        let (rule, shown, wanted) = (self.rule, show(&found), show(&expected));
        assert!(found == expected, "{rule}: {what} gave {shown}, not {wanted}");
    }
}

/// Nothing is left behind on a shared server.
impl Drop for Record<'_> {
    fn drop(&mut self) {
        let _ = self.store.delete(&self.key);
    }
}

/// Runs each task in a thread of its own; the first that panicked panics here, with its message.
fn at_once<T: FnOnce() + Send>(tasks: impl IntoIterator<Item = T>) {
    thread::scope(|scope| {
        let running: Vec<_> = tasks.into_iter().map(|task| scope.spawn(task)).collect();
        for task in running {
            if let Err(panic) = task.join() {
                resume_unwind(panic);
            }
        }
    });
}

/// A user whom nobody else has.
fn any_user() -> String {
    format!("user {}", Key::of(Id::random()))
}

fn values(pairs: &[(&str, &str)]) -> Values {
    let mut values: Values =
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    if values.contains_key(USERNAME) {
        values.insert(MARK.to_owned(), "mark".to_owned());
    }
    values
}

fn update(changes: &[(&str, Option<&str>)]) -> Change {
    let owned = |&(name, value): &(&str, Option<&str>)| (name.to_owned(), value.map(str::to_owned));
    Change::Update(changes.iter().map(owned).collect())
}
