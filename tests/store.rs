//! The suite for stores: the store of this crate passes it, and a store that is broken on purpose
//! does not, so that passing means something.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime};

use waxseal::seal::Id;
use waxseal::session::{
    Change, Committed, Key, MemoryStore, Store, StoreError, Values, conformance,
};

/// What is wrong with a [`Broken`] store.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    WritesTheWholeMap,
    UpdatesReplace,
    LosesRemovals,
    RevivesTheDeleted,
    RevivesTheExpired,
    IgnoresExpiry,
    KeepsTheFirstExpiry,
    MovesExpiryWithAChangeAlone,
    Truncates,
    DropsEmptyValues,
    TrimsNames,
    FailsWhereNothingIs,
    FailsToDeleteNothing,
    HasOneRecordForAll,
}

/// A store with a fault.
struct Broken {
    fault: Fault,
    records: Mutex<HashMap<Key, Record>>,
}

#[derive(Clone, Default)]
struct Record {
    values: Values,
    expires: Option<SystemTime>,
}

impl Broken {
    fn new(fault: Fault) -> Broken {
        Broken { fault, records: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn records(&self) -> MutexGuard<'_, HashMap<Key, Record>> {
        self.records.lock().unwrap()
    }

    fn key(&self, key: &Key) -> Key {
        if self.has(Fault::HasOneRecordForAll) { Key::of(Id([0; Id::LEN])) } else { *key }
    }

    fn is_over(&self, record: &Record) -> bool {
        record.expires.is_some_and(|expires| expires <= SystemTime::now())
            && !self.has(Fault::IgnoresExpiry)
    }

    fn set(&self, values: &mut Values, name: &str, value: &str) {
        if self.has(Fault::DropsEmptyValues) && value.is_empty() {
            return;
        }
        let name = if self.has(Fault::TrimsNames) { name.trim() } else { name };
        let length = if self.has(Fault::Truncates) { 65_535 } else { usize::MAX };
        values.insert(name.to_owned(), value.chars().take(length).collect());
    }

    fn fail_on<T>(&self, fault: Fault, otherwise: T) -> Result<T, StoreError> {
        if self.has(fault) {
            return Err(StoreError::Unavailable("there is nothing".into()));
        }
        Ok(otherwise)
    }
}

impl Store for Broken {
    fn find(&self, key: &Key) -> Result<Option<Values>, StoreError> {
        match self.records().get(&self.key(key)) {
            Some(record) if !self.is_over(record) => Ok(Some(record.values.clone())),
            _ => self.fail_on(Fault::FailsWhereNothingIs, None),
        }
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<Committed, StoreError> {
        let expires = SystemTime::now() + lifetime;
        let key = self.key(key);
        let mut record = match (self.records().get(&key), change) {
            (_, Change::New(_)) => Record::default(),
            (Some(record), _) if !self.is_over(record) || self.has(Fault::RevivesTheExpired) => {
                record.clone()
            }
            (None, _) if self.has(Fault::RevivesTheDeleted) => Record::default(),
            _ => return Ok(Committed::Gone),
        };
        let mut records = self.records();
        if self.has(Fault::WritesTheWholeMap) {
            drop(records);
            thread::sleep(Duration::from_millis(1));
            records = self.records();
        } else if let (Change::Update(_), Some(newest)) = (change, records.get(&key)) {
            record = newest.clone();
        }
        let is_empty = matches!(change, Change::Update(changes) if changes.is_empty());
        match change {
            Change::New(values) => {
                values.iter().for_each(|(name, value)| self.set(&mut record.values, name, value));
            }
            Change::Update(changes) => {
                if self.has(Fault::UpdatesReplace) && !is_empty {
                    record.values.clear();
                }
                for (name, value) in changes {
                    match value {
                        Some(value) => self.set(&mut record.values, name, value),
                        None if self.has(Fault::LosesRemovals) => {}
                        None => drop(record.values.remove(name)),
                    }
                }
            }
        }
        let keeps_expiry = self.has(Fault::KeepsTheFirstExpiry)
            || self.has(Fault::MovesExpiryWithAChangeAlone) && is_empty;
        record.expires = record.expires.filter(|_| keeps_expiry).or(Some(expires));
        records.insert(key, record);
        Ok(Committed::Done)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match self.records().remove(&self.key(key)) {
            Some(_) => Ok(()),
            None => self.fail_on(Fault::FailsToDeleteNothing, ()),
        }
    }
}

/// Puts a store with `fault` through the suite, which names `rule` as the one that it breaks.
#[track_caller]
fn breaks(fault: Fault, rule: &str) {
    let store = Broken::new(fault);
    let panic = catch_unwind(AssertUnwindSafe(|| conformance::all(&store)))
        .expect_err("the suite lets the fault pass");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.starts_with(&format!("{rule}: ")), "{fault:?}: {message}");
}

#[test]
fn the_memory_store_passes_and_so_does_the_broken_one_without_a_fault() {
    thread::scope(|scope| {
        scope.spawn(|| conformance::all(&MemoryStore::default()));
        scope.spawn(|| conformance::all(&Broken::new(Fault::None)));
    });
}

/// In one test, because the suite waits before it sees any of them.
#[test]
fn wrong_expiry_fails() {
    thread::scope(|scope| {
        for (fault, rule) in [
            (Fault::IgnoresExpiry, "nothing_revives_an_expired_record"),
            (Fault::RevivesTheExpired, "nothing_revives_an_expired_record"),
            (Fault::KeepsTheFirstExpiry, "an_update_moves_the_expiry"),
            (Fault::MovesExpiryWithAChangeAlone, "an_update_moves_the_expiry"),
        ] {
            scope.spawn(move || breaks(fault, rule));
        }
    });
}

#[test]
fn the_last_writer_of_the_whole_map_fails() {
    breaks(Fault::WritesTheWholeMap, "commits_at_once_lose_no_change");
}

#[test]
fn updates_that_replace_the_record_fail() {
    breaks(Fault::UpdatesReplace, "an_update_changes_its_own_names_alone");
}

#[test]
fn lost_removals_fail() {
    breaks(Fault::LosesRemovals, "a_removed_name_is_gone");
}

#[test]
fn reviving_a_deleted_record_fails() {
    breaks(Fault::RevivesTheDeleted, "nothing_revives_a_deleted_record");
}

#[test]
fn truncating_fails() {
    breaks(Fault::Truncates, "a_large_value_is_kept_whole");
}

#[test]
fn dropping_empty_values_fails() {
    breaks(Fault::DropsEmptyValues, "any_text_is_kept");
}

#[test]
fn trimming_names_fails() {
    breaks(Fault::TrimsNames, "any_text_is_kept");
}

#[test]
fn not_found_as_an_error_fails() {
    breaks(Fault::FailsWhereNothingIs, "an_unknown_key_is_none");
}

#[test]
fn a_delete_of_nothing_as_an_error_fails() {
    breaks(Fault::FailsToDeleteNothing, "deleting_nothing_is_no_error");
}

#[test]
fn one_record_for_all_keys_fails() {
    breaks(Fault::HasOneRecordForAll, "keys_are_independent");
}
