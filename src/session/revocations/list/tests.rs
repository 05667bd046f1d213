use super::*;

const BOUNDS: Bounds = Bounds { per_user: 4, users: 640, nobody: 64 };

fn list() -> List {
    List::bounded(BOUNDS)
}

fn id(number: u16) -> Id {
    let mut id = Id([7; 16]);
    id.0[..2].copy_from_slice(&number.to_be_bytes());
    id
}

fn of(user: &str, number: u16, begun: u64) -> Entry {
    Entry::session(User::named(user), id(number), begun)
}

fn of_nobody(number: u16, begun: u64) -> Entry {
    Entry::session(User::NOBODY, id(number), begun)
}

#[test]
fn a_session_has_ended_for_its_user_and_for_nobody_else() {
    let list = list();
    assert!(!list.has_ended(id(1), Some("foo"), 10));
    list.insert(&[of("foo", 1, 10), of_nobody(2, 10)], 0, 10);
    assert!(list.has_ended(id(1), Some("foo"), 10));
    assert!(!list.has_ended(id(1), Some("bar"), 10));
    assert!(list.has_ended(id(2), None, 10) && list.has_ended(id(2), Some("foo"), 10));
    assert!(!list.has_ended(id(3), Some("foo"), 10) && !list.has_ended(id(3), None, 10));
    assert_eq!(list.len(), 2);
}

#[test]
fn a_mark_ends_what_began_by_then_and_spares_its_own() {
    let list = list();
    list.insert(&[Entry::everywhere(User::named("foo"), 20, *b"keep")], 0, 20);
    assert!(list.has_user_ended(id(1), "foo", 20) && list.has_ended(id(1), Some("foo"), 20));
    assert!(!list.has_user_ended(id(1), "foo", 21) && !list.has_user_ended(id(1), "bar", 20));
    assert!(!list.has_ended(Id(*b"____________keep"), Some("foo"), 20));
    assert_eq!(list.marks("foo"), Marks { folded: None, everywhere: Some((20, *b"keep")) });
    assert_eq!(list.marks("bar"), Marks::default());
}

#[test]
fn an_entry_is_kept_as_long_as_it_is_of_use_and_then_goes() {
    let list = list();
    list.insert(&[of("foo", 1, 10), of_nobody(2, 20)], 0, 100);
    list.insert(&[], 10, 100 + TIDYING);
    assert_eq!(list.len(), 2);
    list.insert(&[], 11, 100 + 2 * TIDYING);
    assert!(!list.has_ended(id(1), Some("foo"), 10) && list.has_ended(id(2), None, 20));
    assert_eq!(list.len(), 1);
}

#[test]
fn a_user_who_signs_out_often_pays_alone() {
    let list = list();
    list.insert(&[of("bar", 1000, 1)], 0, 1);
    for number in 0..2000 {
        list.insert(&[of("foo", number, 10 + u64::from(number))], 0, 1);
    }
    assert!((0..2000).all(|n| list.has_ended(id(n), Some("foo"), 10 + u64::from(n))));
    assert!(list.has_ended(id(1000), Some("bar"), 1));
    assert!(list.len() <= 2 + BOUNDS.per_user, "{}", list.len());
    assert_eq!(list.dropped(), 0);
    assert!(!list.has_ended(id(9999), Some("foo"), 5000), "what began later lives");
    let folded = list.marks("foo").folded.unwrap();
    assert!((2005..2010).contains(&folded), "{folded}");
}

#[test]
fn sessions_without_a_user_push_out_one_another_alone() {
    let list = list();
    list.insert(&[of("foo", 1, 1)], 0, 1);
    for number in 0..300 {
        list.insert(&[of_nobody(number, 10 + u64::from(number))], 0, 1);
    }
    assert!(list.has_ended(id(1), Some("foo"), 1));
    assert!(list.len() <= BOUNDS.nobody + 1);
    assert!(list.has_ended(id(299), None, 309) && !list.has_ended(id(0), None, 10));
    assert_eq!(list.dropped() as usize, 300 + 1 - list.len());
}

#[test]
fn of_those_that_began_in_one_second_no_more_are_dropped_than_must_be() {
    let list = list();
    let all: Vec<_> = (0..65).map(|number| of_nobody(number, 10)).collect();
    list.insert(&all, 0, 1);
    assert_eq!((list.len(), list.dropped()), (63, 2));
}

#[test]
fn where_all_users_have_too_many_those_with_the_most_are_folded() {
    let list = list();
    for number in 0..160_u16 {
        let user = number.to_string();
        let sessions: Vec<_> =
            (0..4).map(|n| of(&user, 4 * number + n, 10 + u64::from(n))).collect();
        list.insert(&sessions, 0, 1);
    }
    assert_eq!((list.len(), list.dropped()), (640, 0));
    let folds = list.insert(&[of("one more", 9999, 10)], 0, 1);
    assert!(list.len() < 640 && list.dropped() == 0, "{}", list.len());
    assert!(!folds.marks.is_empty() && !folds.replaced.is_empty());
    for number in 0..160_u16 {
        let user = number.to_string();
        let ended = |n| list.has_ended(id(4 * number + n), Some(&user), 10 + u64::from(n));
        assert!((0..4).all(ended), "{number}");
    }
}

#[test]
fn where_each_user_has_one_those_nearest_their_end_go() {
    let list = list();
    for number in 0..700_u16 {
        list.insert(&[of(&number.to_string(), number, 10 + u64::from(number))], 0, 1);
    }
    assert!(list.len() <= 640 && list.dropped() >= 60);
    assert!(list.has_ended(id(699), Some("699"), 709) && !list.has_ended(id(0), Some("0"), 10));
}

/// A visit reads while another thread writes: what has ended is never seen alive again.
#[test]
fn readers_never_miss_what_is_there() {
    let list = list();
    list.insert(&[of("foo", 1, 10)], 0, 1);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (0..5000).for_each(|number| drop(list.insert(&[of("bar", number, 10)], 0, 1)));
        });
        while !writer.is_finished() {
            assert!(list.has_ended(id(1), Some("foo"), 10));
        }
    });
}
