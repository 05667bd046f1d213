//! The rules for a store's list of all its records.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use super::{GRACE, HOUR, Record, SOON, any_user, values};
use crate::session::{Counted, Cursor, Key, ListedRecord, Listing, Store, StoreError, USERNAME};

/// Steps after which a list is one without end.
const MOST_STEPS: usize = 1_000_000;

/// Every living record is met, in steps of any size, none of which has more than it was asked for; of
/// each the values that were asked for are told, and how long it lives.
pub fn every_record_is_listed(store: &dyn Store, listing: &dyn Listing) {
    let rule = "every_record_is_listed";
    let new = |at: u32| {
        Record::new(rule, store, HOUR * (at + 1), &[("note", &at.to_string()), ("large", "2")])
    };
    let records: Vec<_> = (0..60).map(new).collect();
    for limit in [1, 2, 7, 59, 1000] {
        let all = all(rule, listing, None, limit, &["note", "none"]);
        for (at, record) in (0..).zip(&records) {
            let listed = all.get(&record.key);
            let told = listed.map(|listed| listed.values.clone());
            record.expect("list", told, Some(values(&[("note", &at.to_string())])));
            let [life, slack] = [HOUR * (at + 1), Duration::from_secs(60)];
            let lives = listed.is_some_and(|listed| listed.lifetime.abs_diff(life) < slack);
            record.expect("its lifetime in a list", lives, true);
        }
    }
}

/// Between two steps records end, the last one that was listed too, and others begin; those that are
/// there all the while are met.
pub fn a_listing_goes_on_while_records_come_and_go(store: &dyn Store, listing: &dyn Listing) {
    let rule = "a_listing_goes_on_while_records_come_and_go";
    let records: Vec<_> = (0..90).map(|_| Record::new(rule, store, HOUR, &[])).collect();
    let (stay, go): (Vec<_>, Vec<_>) = (0..90).partition(|at| at % 3 == 0);
    let mut go = go.into_iter();
    let (mut met, mut begun) = (BTreeSet::new(), Vec::new());
    each_step(rule, listing, None, 4, &[], |step| {
        // Of this step, those that may end do; so do some that it has not come to yet.
        for listed in step {
            let at = records.iter().position(|record| record.key == listed.key);
            if let Some(at) = at.filter(|at| at % 3 != 0) {
                records[at].delete();
            }
            met.insert(listed.key);
        }
        go.by_ref().take(3).for_each(|at| records[at].delete());
        if begun.len() < 200 {
            begun.extend((0..4).map(|_| Record::new(rule, store, HOUR, &[])));
        }
    });
    for at in stay {
        records[at].expect("a list while others end", met.contains(&records[at].key), true);
    }
}

/// A user's records are listed alone, however their names are alike, and nobody's are in it.
pub fn a_users_records_are_listed_alone(store: &dyn Store, listing: &dyn Listing) {
    let rule = "a_users_records_are_listed_alone";
    let (one, other) = (any_user(), any_user());
    let similar = format!("{one} ");
    let new = |user: &String| Record::new(rule, store, HOUR, &[(USERNAME, user), ("note", "1")]);
    let own: Vec<_> = (0..5).map(|_| new(&one)).collect();
    let others = [new(&other), new(&similar), Record::new(rule, store, HOUR, &[])];
    let mut expected: Vec<Key> = own.iter().map(|record| record.key).collect();
    expected.sort();
    for limit in [1, 2, 5, 100] {
        let listed = all(rule, listing, Some(&one), limit, &["note"]);
        let is_told = listed.values().all(|listed| listed.values == values(&[("note", "1")]));
        own[0].expect("the values in a user's list", is_told, true);
        own[0].expect("a user's list", listed.into_keys().collect::<Vec<_>>(), expected.clone());
    }
    let nobody = all(rule, listing, Some(&any_user()), 5, &[]);
    others[0].expect("the list of nobody", nobody.len(), 0);
}

/// The living records are counted: at least those of this rule, and of a user exactly theirs. An ended one
/// counts no more.
pub fn records_are_counted(store: &dyn Store, listing: &dyn Listing) {
    let rule = "records_are_counted";
    let user = any_user();
    let records: Vec<_> =
        (0..5).map(|_| Record::new(rule, store, HOUR, &[(USERNAME, &user)])).collect();
    let nobodys: Vec<_> = (0..30).map(|_| Record::new(rule, store, HOUR, &[])).collect();
    let of_user = || total(rule, |after| listing.count_some(Some(&user), after));
    records[0].expect("count of a user", of_user(), 5);
    records[0].expect(
        "count of nobody",
        total(rule, |at| listing.count_some(Some(&any_user()), at)),
        0,
    );
    let all = total(rule, |after| listing.count_some(None, after));
    nobodys[0].expect("a count of 35 and more", all >= 35, true);
    records[0].delete();
    records[0].expect("count of a user after one ended", of_user(), 4);
}

/// A cursor that the store did not give is an error, and no page.
pub fn a_cursor_of_another_store_is_an_error(listing: &dyn Listing) {
    let rule = "a_cursor_of_another_store_is_an_error";
    for text in ["none-of-a-store", "zz", "x12"] {
        let Ok(cursor) = text.parse::<Cursor>() else { panic!("{rule}: {text} is no cursor") };
        let answers = [
            listing.list_some(None, Some(&cursor), 5, &[]).err(),
            listing.count_some(None, Some(&cursor)).err(),
            listing.delete_some(Some(&cursor)).err(),
        ];
        let is_told = answers.iter().all(|a| matches!(a, Some(StoreError::UnknownCursor)));
        assert!(is_told, "{rule}: {text} gave {answers:?}");
    }
}

/// A record that has expired is neither listed nor counted.
pub fn an_expired_record_is_in_no_list(store: &dyn Store) {
    let rule = "an_expired_record_is_in_no_list";
    let Some(listing) = store.listing() else { return };
    let user = any_user();
    let new = || Record::new(rule, store, SOON, &[(USERNAME, user.as_str())]);
    let (expired, moved) = (new(), new());
    moved.update(&[], HOUR);
    thread::sleep(SOON + GRACE);
    for of in [None, Some(user.as_str())] {
        let all = all(rule, listing, of, 50, &[]);
        let are_listed = [&expired, &moved].map(|record| all.contains_key(&record.key));
        moved.expect("list", are_listed, [false, true]);
    }
    moved.expect("count", total(rule, |after| listing.count_some(Some(&user), after)), 1);
}

/// All records end, and each is counted; with them goes what an index has of them. Not for a store that
/// anybody else uses.
pub fn all_records_are_ended(store: &dyn Store, listing: &dyn Listing) {
    let rule = "all_records_are_ended";
    let end_all = || total(rule, |after| listing.delete_some(after));
    end_all();
    let user = any_user();
    let mut records: Vec<_> = (0..1500).map(|_| Record::new(rule, store, HOUR, &[])).collect();
    records.extend((0..5).map(|_| Record::new(rule, store, HOUR, &[(USERNAME, &user)])));
    records[0].expect("count", total(rule, |after| listing.count_some(None, after)), 1505);
    records[0].expect("delete", end_all(), 1505);
    records[0].expect("count", total(rule, |after| listing.count_some(None, after)), 0);
    records[0].expect("count", total(rule, |after| listing.count_some(Some(&user), after)), 0);
    records[0].expect("list", all(rule, listing, None, 100, &[]).len(), 0);
    records[0].expect("delete", end_all(), 0);
    records[..3].iter().for_each(Record::is_gone);
    if let Some(users) = store.users() {
        let left = users.find_by_user(&user, &[], 100).map(|left| left.len());
        records[0].expect("find_by_user", left.ok(), Some(0));
    }
    // What was made anew is there again.
    let anew = Record::new(rule, store, HOUR, &[(USERNAME, &user)]);
    anew.expect("count", total(rule, |after| listing.count_some(Some(&user), after)), 1);
}

/// The keys of all records, or of a user's.
pub(super) fn listed_keys(rule: &str, listing: &dyn Listing, user: Option<&str>) -> BTreeSet<Key> {
    all(rule, listing, user, 20, &[]).into_keys().collect()
}

/// Calls `look` with the records of each step.
fn each_step(
    rule: &str,
    listing: &dyn Listing,
    user: Option<&str>,
    limit: usize,
    names: &[&str],
    mut look: impl FnMut(&[ListedRecord]),
) {
    let mut after = None;
    for _ in 0..MOST_STEPS {
        let step = listing.list_some(user, after.as_ref(), limit, names);
        let step = step.unwrap_or_else(|error| panic!("{rule}: list: {error}"));
        let found = step.records.len();
        assert!(found <= limit, "{rule}: list gave {found} records, and {limit} were asked for");
        look(&step.records);
        let Some(next) = step.next else { return };
        let text = next.to_string();
        assert_eq!(text.parse().as_ref(), Ok(&next), "{rule}: a cursor is another as a text");
        after = Some(next);
    }
    panic!("{rule}: the list has no end");
}

fn all(
    rule: &str,
    listing: &dyn Listing,
    user: Option<&str>,
    limit: usize,
    names: &[&str],
) -> BTreeMap<Key, ListedRecord> {
    let mut all = BTreeMap::new();
    each_step(rule, listing, user, limit, names, |step| {
        all.extend(step.iter().map(|record| (record.key, record.clone())));
    });
    all
}

fn total(rule: &str, step: impl Fn(Option<&Cursor>) -> Result<Counted, StoreError>) -> u64 {
    let (mut records, mut after) = (0, None);
    for _ in 0..MOST_STEPS {
        let counted = step(after.as_ref());
        let counted = counted.unwrap_or_else(|error| panic!("{rule}: a step: {error}"));
        records += counted.records;
        let Some(next) = counted.next else { return records };
        after = Some(next);
    }
    panic!("{rule}: the steps have no end");
}
