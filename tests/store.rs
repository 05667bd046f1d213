//! The suite for stores: the store of this crate passes it, and a store that is broken on purpose
//! does not, so that passing means something.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, SystemTime};

use waxseal::seal::Id;
use waxseal::session::{
    Change, CommitOutcome, Counted, Cursor, Key, LAST_SEEN, Listed, ListedRecord, Listing,
    MemoryStore, Store, StoreError, USERNAME, UserIndex, Values, conformance, user_of,
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
    FailsOnDamage,
    ShowsWhatIsLeftOfDamage,
    RevivesDamage,
    OverflowsLifetimes,
    TakesNoLifetimeForEver,
    HasNoLimit,
    EndsTheOneThatExpiresFirst,
    EndsTheNewOne,
    KeepsOneMarkForAUser,
    LosesMarks,
    ListsByOffset,
    ListsOnePageAlone,
    ListsMoreThanAsked,
    ListsTheExpired,
    ListsOthersToo,
    TakesAnyCursor,
    CountsOneStepAlone,
    EndsOneStepAlone,
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
    is_damaged: bool,
}

impl Record {
    fn seen(&self) -> u64 {
        self.values.get(LAST_SEEN).and_then(|seen| seen.parse().ok()).unwrap_or(0)
    }
}

/// How many records a user has at most.
const MOST: usize = 5;

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

    /// Damages the record under `key`.
    fn damage(&self, key: &Key) {
        self.records().get_mut(key).expect("a record").is_damaged = true;
    }

    fn is_none(&self, record: &Record) -> bool {
        self.is_over(record) || record.is_damaged && !self.has(Fault::ShowsWhatIsLeftOfDamage)
    }

    fn expiry(&self, lifetime: Duration) -> SystemTime {
        let now = SystemTime::now();
        let longest = Duration::from_secs(1 << 40);
        match now.checked_add(lifetime) {
            Some(_) if lifetime.is_zero() && self.has(Fault::TakesNoLifetimeForEver) => {
                now + longest
            }
            Some(expires) => expires,
            None if self.has(Fault::OverflowsLifetimes) => now,
            None => now + longest,
        }
    }

    /// Ends what a user has beyond [`MOST`].
    fn limit(&self, records: &mut HashMap<Key, Record>, new: &Key) {
        let user = user_of(&records[new].values).map(str::to_owned);
        let is_own = |record: &Record| user_of(&record.values) == user.as_deref();
        let mut own: Vec<Key> =
            records.iter().filter(|(_, record)| is_own(record)).map(|(key, _)| *key).collect();
        if user.is_none() || own.len() <= MOST || self.has(Fault::HasNoLimit) {
            return;
        }
        own.sort_by_key(|key| match self.fault {
            Fault::EndsTheOneThatExpiresFirst => (*key == *new, 0, records[key].expires),
            Fault::EndsTheNewOne => (*key != *new, records[key].seen(), None),
            _ => (*key == *new, records[key].seen(), None),
        });
        records.remove(&own[0]);
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
            Some(record) if record.is_damaged && self.has(Fault::FailsOnDamage) => {
                Err(StoreError::Rejected("damaged".into()))
            }
            Some(record) if !self.is_none(record) => Ok(Some(record.values.clone())),
            _ => self.fail_on(Fault::FailsWhereNothingIs, None),
        }
    }

    fn commit(
        &self,
        key: &Key,
        change: &Change,
        lifetime: Duration,
    ) -> Result<CommitOutcome, StoreError> {
        let expires = self.expiry(lifetime);
        let key = self.key(key);
        let mut record = match (self.records().get(&key), change) {
            (_, Change::New(_)) => Record::default(),
            (Some(record), _) if record.is_damaged && self.has(Fault::RevivesDamage) => {
                Record::default()
            }
            (Some(record), _) if !self.is_none(record) || self.has(Fault::RevivesTheExpired) => {
                record.clone()
            }
            (None, _) if self.has(Fault::RevivesTheDeleted) => Record::default(),
            _ => return Ok(CommitOutcome::Gone),
        };
        let mut records = self.records();
        if self.has(Fault::WritesTheWholeMap) {
            drop(records);
            thread::sleep(Duration::from_millis(1));
            records = self.records();
        } else if let Change::Update(_) = change {
            match records.get(&key) {
                Some(newest) => record = Record { is_damaged: false, ..newest.clone() },
                // It was deleted in between.
                None if !self.has(Fault::RevivesTheDeleted) => return Ok(CommitOutcome::Gone),
                None => {}
            }
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
        if self.has(Fault::LosesMarks) {
            record.values.remove("_auth");
        }
        let (user, mark) = (record.values.get(USERNAME), record.values.get("_auth"));
        if let (Some(user), Some(mark), true) = (user, mark, self.has(Fault::KeepsOneMarkForAUser))
        {
            let others =
                records.values_mut().filter(|other| other.values.get(USERNAME) == Some(user));
            others.for_each(|other| drop(other.values.insert("_auth".to_owned(), mark.clone())));
        }
        records.insert(key, record);
        self.limit(&mut records, &key);
        Ok(CommitOutcome::Done)
    }

    fn delete(&self, key: &Key) -> Result<(), StoreError> {
        match self.records().remove(&self.key(key)) {
            Some(_) => Ok(()),
            None => self.fail_on(Fault::FailsToDeleteNothing, ()),
        }
    }

    /// Only where the index is what is tested: its rules would find other faults before their own do.
    fn users(&self) -> Option<&dyn UserIndex> {
        let is_tested = matches!(
            self.fault,
            Fault::None
                | Fault::HasNoLimit
                | Fault::EndsTheOneThatExpiresFirst
                | Fault::EndsTheNewOne
        );
        is_tested.then_some(self)
    }

    fn listing(&self) -> Option<&dyn Listing> {
        let is_tested = matches!(
            self.fault,
            Fault::None
                | Fault::ListsByOffset
                | Fault::ListsOnePageAlone
                | Fault::ListsMoreThanAsked
                | Fault::ListsTheExpired
                | Fault::ListsOthersToo
                | Fault::TakesAnyCursor
                | Fault::CountsOneStepAlone
                | Fault::EndsOneStepAlone
        );
        is_tested.then_some(self)
    }
}

/// Records of one step.
const STEP: usize = 10;

/// By keys, in steps of a few; a cursor tells the last key, or how many were listed.
impl Listing for Broken {
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError> {
        let records: BTreeMap<Key, Record> = self.records().clone().into_iter().collect();
        let is_theirs = |record: &Record| {
            user.is_none() || self.has(Fault::ListsOthersToo) || user_of(&record.values) == user
        };
        let is_listed = |record: &Record| {
            let is_over = self.is_over(record) && !self.has(Fault::ListsTheExpired);
            is_theirs(record) && !is_over && !record.is_damaged
        };
        let all = records.into_iter().filter(|(_, record)| is_listed(record));
        let all: Vec<(Key, Record)> = all.collect();
        let skipped = match after {
            None => 0,
            Some(after) if self.has(Fault::ListsByOffset) => {
                after.as_str().parse().map_err(|_| StoreError::UnknownCursor)?
            }
            Some(after) => match after.as_str().parse::<Key>() {
                Ok(last) => all.iter().take_while(|(key, _)| *key <= last).count(),
                Err(_) if self.has(Fault::TakesAnyCursor) => 0,
                Err(_) => return Err(StoreError::UnknownCursor),
            },
        };
        let limit = if self.has(Fault::ListsMoreThanAsked) { limit + 1 } else { limit };
        let met: Vec<_> = all.iter().skip(skipped).take(limit).collect();
        let follows = all.len() > skipped + met.len() && !self.has(Fault::ListsOnePageAlone);
        let next = met.last().filter(|_| follows).map(|(last, _)| {
            let offset = self.has(Fault::ListsByOffset);
            if offset { (skipped + met.len()).to_string() } else { last.to_string() }
        });
        let told = |(key, record): &(Key, Record)| {
            let mut values = record.values.clone();
            values.retain(|name, _| names.contains(&name.as_str()));
            let left = record.expires.map(|expires| expires.duration_since(SystemTime::now()));
            let lifetime = left.and_then(Result::ok).unwrap_or_default();
            ListedRecord::new(*key, values, lifetime)
        };
        let next = next.map(|text| text.parse().unwrap());
        Ok(Listed::new(met.into_iter().map(told).collect(), next))
    }

    fn count_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Counted, StoreError> {
        let Listed { records, next, .. } = self.list_some(user, after, STEP, &[])?;
        let next = next.filter(|_| !self.has(Fault::CountsOneStepAlone));
        Ok(Counted::new(records.len() as u64, next))
    }

    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError> {
        let Listed { records, next, .. } = self.list_some(None, after, STEP, &[])?;
        records.iter().for_each(|record| drop(self.records().remove(&record.key)));
        let next = next.filter(|_| !self.has(Fault::EndsOneStepAlone));
        Ok(Counted::new(records.len() as u64, next))
    }
}

/// It looks at all records, one by one.
impl UserIndex for Broken {
    fn find_by_user(
        &self,
        user: &str,
        names: &[&str],
        limit: usize,
    ) -> Result<Vec<(Key, Values)>, StoreError> {
        let records = self.records();
        let is_theirs = |record: &Record| user_of(&record.values) == Some(user);
        let mut found: Vec<_> = records
            .iter()
            .filter(|(_, record)| is_theirs(record) && !self.is_none(record))
            .collect();
        found.sort_by_key(|(_, record)| Reverse(record.expires));
        let told = |record: &Record| -> Values {
            let mut values = record.values.clone();
            values.retain(|name, _| names.contains(&name.as_str()));
            values
        };
        Ok(found.into_iter().take(limit).map(|(key, record)| (*key, told(record))).collect())
    }

    fn delete_by_user(&self, user: &str) -> Result<(), StoreError> {
        self.records().retain(|_, record| user_of(&record.values) != Some(user));
        Ok(())
    }
}

/// The whole suite, with the rules that need to be told more.
fn everything(store: Broken) {
    conformance::all(&store);
    conformance::a_damaged_record_is_none(&store, &|key| store.damage(key));
    conformance::a_user_has_so_many_records(&store, &store, MOST);
    if let Some(listing) = store.listing() {
        conformance::all_records_are_ended(&store, listing);
    }
    conformance::a_mark_counts_for_its_own_session_alone(Arc::new(store));
}

/// Puts a store with `fault` through the suite, which names `rule` as the one that it breaks.
#[track_caller]
fn breaks(fault: Fault, rule: &str) {
    let store = Broken::new(fault);
    let panic = catch_unwind(AssertUnwindSafe(|| everything(store)))
        .expect_err("the suite lets the fault pass");
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.starts_with(&format!("{rule}: ")), "{fault:?}: {message}");
}

#[test]
fn the_memory_store_passes_and_so_does_the_broken_one_without_a_fault() {
    thread::scope(|scope| {
        scope.spawn(|| {
            let store = MemoryStore::default().with_sessions_per_user(MOST);
            conformance::a_user_has_so_many_records(&store, &store, MOST);
            let store = MemoryStore::default();
            conformance::all(&store);
            conformance::a_user_has_so_many_records(&store, &store, 100);
            conformance::all_records_are_ended(&store, &store);
            conformance::a_mark_counts_for_its_own_session_alone(Arc::new(store));
        });
        scope.spawn(|| everything(Broken::new(Fault::None)));
    });
}

/// In one test, because the suite waits before it sees any of them.
#[test]
fn wrong_expiry_damage_limits_and_marks_fail() {
    thread::scope(|scope| {
        for (fault, rule) in [
            (Fault::IgnoresExpiry, "nothing_revives_an_expired_record"),
            (Fault::RevivesTheExpired, "nothing_revives_an_expired_record"),
            (Fault::KeepsTheFirstExpiry, "an_update_moves_the_expiry"),
            (Fault::MovesExpiryWithAChangeAlone, "an_update_moves_the_expiry"),
            (Fault::OverflowsLifetimes, "a_lifetime_may_have_any_length"),
            (Fault::TakesNoLifetimeForEver, "a_lifetime_may_have_any_length"),
            // These the suite sees after it has waited too.
            (Fault::FailsOnDamage, "a_damaged_record_is_none"),
            (Fault::ShowsWhatIsLeftOfDamage, "a_damaged_record_is_none"),
            (Fault::RevivesDamage, "a_damaged_record_is_none"),
            (Fault::HasNoLimit, "a_user_has_so_many_records"),
            (Fault::EndsTheOneThatExpiresFirst, "a_user_has_so_many_records"),
            (Fault::EndsTheNewOne, "a_user_has_so_many_records"),
            (Fault::KeepsOneMarkForAUser, "a_mark_counts_for_its_own_session_alone"),
            (Fault::LosesMarks, "a_user_has_so_many_records"),
            (Fault::ListsTheExpired, "an_expired_record_is_in_no_list"),
            (Fault::EndsOneStepAlone, "all_records_are_ended"),
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

#[test]
fn lists_that_leave_out_or_add_fail() {
    breaks(Fault::ListsByOffset, "a_listing_goes_on_while_records_come_and_go");
    breaks(Fault::ListsOnePageAlone, "every_record_is_listed");
    breaks(Fault::ListsMoreThanAsked, "every_record_is_listed");
    breaks(Fault::ListsOthersToo, "a_users_records_are_listed_alone");
    breaks(Fault::CountsOneStepAlone, "records_are_counted");
    breaks(Fault::TakesAnyCursor, "a_cursor_of_another_store_is_an_error");
}
