//! Records to put into a store, and to change there.

use std::time::Duration;

use waxseal::seal::Id;
use waxseal::session::{Change, CommitOutcome, Key, MARK, Store, StoreError, USERNAME, Values};

pub const HOUR: Duration = Duration::from_secs(3600);

pub fn any_key() -> Key {
    Key::of(Id::random())
}

pub fn values(pairs: &[(&str, &str)]) -> Values {
    let mut values: Values =
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    // A name is a user's beside the mark of a credential.
    if values.contains_key(USERNAME) {
        values.insert(MARK.to_owned(), "mark".to_owned());
    }
    values
}

/// A commit of what is to live for an hour.
pub fn commit(store: &dyn Store, key: &Key, change: &Change) -> Result<CommitOutcome, StoreError> {
    store.commit(key, change, HOUR)
}

/// Commits a new record.
pub fn put(store: &dyn Store, pairs: &[(&str, &str)]) -> Key {
    let key = any_key();
    let done = commit(store, &key, &Change::New(values(pairs)));
    assert_eq!(done.unwrap(), CommitOutcome::Done);
    key
}

/// Changes one value, or removes it.
pub fn update<'v>(
    store: &dyn Store,
    key: &Key,
    name: &str,
    value: impl Into<Option<&'v str>>,
) -> CommitOutcome {
    let change = Change::Update([(name.to_owned(), value.into().map(str::to_owned))].into());
    commit(store, key, &change).unwrap()
}
