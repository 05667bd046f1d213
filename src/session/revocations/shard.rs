//! A part of the list: its entries in order, and how new ones come in.

use super::entry::{Entry, Kind, User};

/// The changes that new entries made to others.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Folds {
    /// Marks that stand for many revocations from now on.
    pub(in super::super) marks: Vec<Entry>,
    /// The revocations that they stand for.
    pub(in super::super) replaced: Vec<Entry>,
}

/// The entries of `user`, of some that are in order.
pub(super) fn of_user(entries: &[Entry], user: User) -> &[Entry] {
    let (first, end) = range(entries, user);
    &entries[first..end]
}

fn range(entries: &[Entry], user: User) -> (usize, usize) {
    let first = entries.partition_point(|entry| entry.user < user);
    let end = entries.partition_point(|entry| entry.user <= user);
    (first, end)
}

/// `entries` and `new` in one order. Of a user, at most `most` sessions are left.
pub(super) fn merged(
    entries: &[Entry],
    new: &[Entry],
    most: usize,
    folds: &mut Folds,
) -> Box<[Entry]> {
    let mut all = Vec::with_capacity(entries.len() + new.len());
    all.extend_from_slice(entries);
    all.extend_from_slice(new);
    // Two runs, of which the first is in order: the sort that is stable takes them as they are.
    all.sort();
    all.dedup_by_key(|entry| (entry.user, entry.kind, entry.id));
    let mut users: Vec<_> = new.iter().map(|entry| entry.user).collect();
    users.sort_unstable();
    users.dedup();
    for user in users.into_iter().filter(|user| *user != User::NOBODY) {
        let (first, end) = range(&all, user);
        let settled = settled(&all[first..end], most, folds);
        all.splice(first..end, settled);
    }
    all.into_boxed_slice()
}

/// `entries`, with at most `most` sessions of each user.
pub(super) fn folded(entries: &[Entry], most: usize, folds: &mut Folds) -> Box<[Entry]> {
    let by_user = entries.chunk_by(|one, other| one.user == other.user);
    let settle = |entries: &[Entry]| match entries.first() {
        Some(first) if first.user != User::NOBODY => settled(entries, most, folds),
        _ => entries.to_vec(),
    };
    by_user.flat_map(settle).collect()
}

/// One user's entries: the furthest mark of each kind, and of the sessions those that none of them ends.
/// If these are more than `most`, the older half is folded into a mark.
fn settled(entries: &[Entry], most: usize, folds: &mut Folds) -> Vec<Entry> {
    let furthest = |kind| {
        let marks = entries.iter().filter(move |entry| entry.kind == kind);
        marks.max_by_key(|mark| (mark.begun, mark.id)).copied()
    };
    let (mut folded, everywhere) = (furthest(Kind::Folded), furthest(Kind::Everywhere));
    let is_ended = |entry: &Entry| {
        folded.iter().chain(&everywhere).any(|mark| mark.ends(entry.id, entry.begun))
    };
    let mut sessions: Vec<_> =
        entries.iter().filter(|entry| !entry.is_mark() && !is_ended(entry)).copied().collect();
    if sessions.len() > most {
        let latest = fold(&mut sessions, most, folds);
        folds.replaced.extend(folded.replace(latest));
        folds.marks.push(latest);
    }
    folded.into_iter().chain(everywhere).chain(sessions).collect()
}

/// Takes away the sessions that began first, so that half of `most` are left, and all that began in the same
/// second as the last of them; the mark that stands for these.
fn fold(sessions: &mut Vec<Entry>, most: usize, folds: &mut Folds) -> Entry {
    let last = sessions.len() - most / 2 - 1;
    let mut begun: Vec<_> = sessions.iter().map(|entry| entry.begun).collect();
    let (_, &mut until, _) = begun.select_nth_unstable(last);
    let mark = Entry::folded(sessions[last].user, until);
    let (ended, left) = sessions.drain(..).partition(|entry| entry.begun <= until);
    *sessions = left;
    folds.replaced.extend::<Vec<Entry>>(ended);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Id;

    fn foo() -> User {
        User::named("foo")
    }

    fn session(number: u8, begun: u64) -> Entry {
        Entry::session(foo(), Id([number; 16]), begun)
    }

    #[test]
    fn entries_are_in_order_and_once() {
        let mut folds = Folds::default();
        let one = merged(&[], &[session(2, 10), session(1, 10)], 9, &mut folds);
        let both = merged(&one, &[session(1, 10), session(3, 10)], 9, &mut folds);
        assert_eq!(*both, [session(1, 10), session(2, 10), session(3, 10)]);
        assert_eq!(folds, Folds::default());
    }

    #[test]
    fn beyond_the_bound_the_earliest_are_folded() {
        let mut folds = Folds::default();
        let sessions: Vec<_> =
            (0..5).map(|number| session(number, 10 + u64::from(number))).collect();
        let left = merged(&[], &sessions, 4, &mut folds);
        let mark = Entry::folded(foo(), 12);
        assert_eq!(*left, [mark, session(3, 13), session(4, 14)]);
        assert_eq!(folds, Folds { marks: vec![mark], replaced: sessions[..3].to_vec() });
    }

    #[test]
    fn a_later_mark_replaces_the_one_before() {
        let mut folds = Folds::default();
        let first = Entry::folded(foo(), 12);
        let sessions: Vec<_> =
            (0..5).map(|number| session(number, 20 + u64::from(number))).collect();
        let left = merged(&[first], &sessions, 4, &mut folds);
        assert_eq!(left[0], Entry::folded(foo(), 22));
        assert!(folds.replaced.contains(&first));
    }

    #[test]
    fn a_mark_takes_the_sessions_that_it_ends_and_spares_its_own() {
        let mut folds = Folds::default();
        let later = Entry::session(foo(), Id(*b"____________keep"), 15);
        let everywhere = Entry::everywhere(foo(), 20, *b"keep");
        let left = merged(&[session(1, 10), session(2, 30)], &[later, everywhere], 9, &mut folds);
        let kept = [everywhere, session(2, 30), later];
        assert!(left.len() == 3 && kept.iter().all(|entry| left.contains(entry)), "{left:?}");
    }

    #[test]
    fn nobody_s_sessions_are_folded_into_nothing() {
        let mut folds = Folds::default();
        let nobody = |number| Entry::session(User::NOBODY, Id([number; 16]), 10);
        let all: Vec<_> = (0..9).map(nobody).collect();
        assert_eq!(merged(&[], &all, 1, &mut folds).len(), 9);
        assert_eq!(folded(&all, 1, &mut folds).len(), 9);
        assert_eq!(folds, Folds::default());
    }

    #[test]
    fn all_of_one_second_are_folded_together() {
        let mut folds = Folds::default();
        let sessions: Vec<_> = (0..5).map(|number| session(number, 10)).collect();
        let left = merged(&[], &sessions, 4, &mut folds);
        assert_eq!(*left, [Entry::folded(foo(), 10)]);
    }
}
