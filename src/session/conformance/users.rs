//! The rules for a store's index of users.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use super::{GRACE, HOUR, Record, SOON, any_user, values};
use crate::session::{Change, CommitOutcome, Key, LAST_SEEN, Store, USERNAME, UserIndex, Values};

/// Users whose names differ in anything have their own records; who has none has none, and a record
/// without the value `username` is nobody's.
pub fn users_have_their_own_records(store: &dyn Store, users: &dyn UserIndex) {
    let rule = "users_have_their_own_records";
    let name = any_user();
    let names = [name.clone(), name.to_uppercase(), format!("{name} "), format!("{name}*ä\"'\\")];
    let new = |name: &String| {
        Record::new(rule, store, HOUR, &[(USERNAME, name.as_str()), ("note", "1"), ("large", "2")])
    };
    let records: Vec<_> = names.iter().map(|name| [new(name), new(name)]).collect();
    let nobodys = Record::new(rule, store, HOUR, &[("note", "1")]);
    // A name without the mark of a credential.
    let claims =
        Values::from([(USERNAME.to_owned(), name.clone()), ("note".to_owned(), "1".to_owned())]);
    let claimed = nobodys.commit(&Change::New(claims), HOUR);
    nobodys.expect("commit", claimed, CommitOutcome::Done);
    for (name, own) in names.iter().zip(&records) {
        let told = values(&[("note", "1")]);
        let expected = own.iter().map(|record| (record.key, told.clone())).collect();
        let found = of_user(rule, users, name, &["note", "none"]);
        nobodys.expect("find_by_user", found, expected);
    }
    let nobody = of_user(rule, users, &any_user(), &["note"]);
    nobodys.expect("find_by_user of nobody", nobody, BTreeMap::new());
}

/// An update that changes, removes or sets the value `username` moves the record in the index; a
/// deleted record, and one that was replaced, is in it no more.
pub fn a_record_follows_its_user(store: &dyn Store, users: &dyn UserIndex) {
    let rule = "a_record_follows_its_user";
    let (one, other) = (any_user(), any_user());
    let record = Record::new(rule, store, HOUR, &[(USERNAME, &one)]);
    let expect = |owner: Option<&str>| {
        for name in [&one, &other] {
            let is_owner = owner == Some(name.as_str());
            let keys: Vec<_> = of_user(rule, users, name, &[]).into_keys().collect();
            let expected = if is_owner { vec![record.key] } else { vec![] };
            record.expect("find_by_user", keys, expected);
        }
    };
    expect(Some(&one));
    record.update(&[(USERNAME, Some(&other))], HOUR);
    expect(Some(&other));
    record.update(&[(USERNAME, None)], HOUR);
    expect(None);
    record.update(&[(USERNAME, Some(&one)), ("a", Some("1"))], HOUR);
    record.update(&[("a", None)], HOUR);
    expect(Some(&one));
    let replaced = record.commit(&Change::New(values(&[(USERNAME, &other)])), HOUR);
    record.expect("a new record in place of another", replaced, CommitOutcome::Done);
    expect(Some(&other));
    record.delete();
    expect(None);
}

/// Of more records than are asked for, those that expire last are told of, and they first; an
/// update moves a record to its place.
pub fn the_records_that_live_longest_come_first(store: &dyn Store, users: &dyn UserIndex) {
    let rule = "the_records_that_live_longest_come_first";
    let user = any_user();
    let new = |hours| Record::new(rule, store, HOUR * hours, &[(USERNAME, user.as_str())]);
    let records = [2, 5, 3, 4].map(new);
    let expect = |limit, expected: &[usize]| {
        let found = users.find_by_user(&user, &[], limit);
        let found = found.unwrap_or_else(|error| panic!("{rule}: find_by_user: {error}"));
        let keys: Vec<Key> = found.into_iter().map(|(key, _)| key).collect();
        let expected = expected.iter().map(|&at| records[at].key).collect();
        records[0].expect("find_by_user", keys, expected);
    };
    expect(9, &[1, 3, 2, 0]);
    expect(2, &[1, 3]);
    records[0].update(&[], HOUR * 9);
    expect(2, &[0, 1]);
}

/// All records of a user are ended at once, and no other's; nothing revives them.
pub fn ending_all_of_a_user_ends_no_other(store: &dyn Store, users: &dyn UserIndex) {
    let rule = "ending_all_of_a_user_ends_no_other";
    let (one, other) = (any_user(), any_user());
    let new = |user: &String| Record::new(rule, store, HOUR, &[(USERNAME, user.as_str())]);
    let (ended, kept) = ([new(&one), new(&one), new(&one)], new(&other));
    for _ in 0..2 {
        let done = users.delete_by_user(&one);
        done.unwrap_or_else(|error| panic!("{rule}: delete_by_user: {error}"));
        ended.iter().for_each(Record::is_gone);
        kept.expect("find_by_user", of_user(rule, users, &one, &[]), BTreeMap::new());
        kept.holds(&[(USERNAME, &other)]);
        kept.expect("find_by_user", of_user(rule, users, &other, &[]).len(), 1);
    }
    // Afterwards the user begins anew.
    let anew = new(&one);
    let keys: Vec<_> = of_user(rule, users, &one, &[]).into_keys().collect();
    anew.expect("find_by_user", keys, vec![anew.key]);
}

/// A user has `most` records at most: a commit that makes it more ends the one whose [`LAST_SEEN`] is the
/// smallest, whichever expires first, and never its own. Others have theirs, and so has nobody.
pub fn a_user_has_so_many_records(store: &dyn Store, users: &dyn UserIndex, most: usize) {
    let rule = "a_user_has_so_many_records";
    let (one, other) = (any_user(), any_user());
    // The longer a record was seen ago, the later it expires.
    let new = |user: &str, seen: usize| {
        let seen_text = (1_000_000 + seen).to_string();
        let life = HOUR * u32::try_from(10_000 - seen).unwrap_or(1);
        Record::new(rule, store, life, &[(USERNAME, user), (LAST_SEEN, &seen_text)])
    };
    let kept: Vec<_> = (0..most).map(|_| new(&other, 0)).collect();
    let nobodys: Vec<_> =
        (0..=most).map(|_| Record::new(rule, store, HOUR, &[(LAST_SEEN, "1")])).collect();
    let mut own: Vec<_> = (1..=most).map(|seen| new(&one, seen)).collect();
    let expect = |own: &[Record<'_>], ended: usize| {
        own[..ended].iter().for_each(Record::is_none);
        let keys: Vec<Key> = of_all(rule, users, &one).into_iter().collect();
        let mut expected: Vec<Key> = own[ended..].iter().map(|record| record.key).collect();
        expected.sort();
        own[0].expect("find_by_user", keys, expected);
    };
    expect(&own, 0);
    own.push(new(&one, most + 1));
    expect(&own, 1);
    own.push(new(&one, most + 2));
    expect(&own, 2);
    // Its own is seen last, whatever it says.
    let oldest = new(&one, 0);
    oldest.expect("find", oldest.find().is_some(), true);
    own[2].is_none();
    let others = of_all(rule, users, &other).len();
    oldest.expect("find_by_user of another", others, kept.len());
    oldest.expect("find", nobodys.iter().all(|record| record.find().is_some()), true);
}

/// A record that has expired is in no index; one whose expiry was moved is.
pub fn an_expired_record_is_in_no_index(store: &dyn Store) {
    let rule = "an_expired_record_is_in_no_index";
    let Some(users) = store.users() else { return };
    let user = any_user();
    let new = || Record::new(rule, store, SOON, &[(USERNAME, user.as_str())]);
    let (expired, moved) = (new(), new());
    expired.expect("find_by_user", of_user(rule, users, &user, &[]).len(), 2);
    moved.update(&[], HOUR);
    thread::sleep(SOON + GRACE);
    let keys: Vec<_> = of_user(rule, users, &user, &[]).into_keys().collect();
    moved.expect("find_by_user", keys, vec![moved.key]);
}

fn of_all(rule: &str, users: &dyn UserIndex, user: &str) -> BTreeSet<Key> {
    let found = users.find_by_user(user, &[], usize::MAX);
    let found = found.unwrap_or_else(|error| panic!("{rule}: find_by_user: {error}"));
    found.into_iter().map(|(key, _)| key).collect()
}

fn of_user(rule: &str, users: &dyn UserIndex, user: &str, names: &[&str]) -> BTreeMap<Key, Values> {
    let found = users.find_by_user(user, names, 100);
    found.unwrap_or_else(|error| panic!("{rule}: find_by_user: {error}")).into_iter().collect()
}
