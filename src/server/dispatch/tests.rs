use slotmap::SlotMap;

use super::*;
use crate::server::subscriber::Subscriber;

const WORKERS: usize = 2;

/// A dispatch with a clock of its own.
struct Run {
    dispatch: Dispatch,
    now: Instant,
    connections: SlotMap<ConnectionKey, ()>,
    lane: LaneKey,
    lanes: SlotMap<LaneKey, ()>,
}

impl Run {
    fn new(queue: usize) -> Run {
        let limits = Limits { queue, ..Limits::default() };
        let mut lanes = SlotMap::with_key();
        let lane = lanes.insert(());
        let dispatch = Dispatch::new(WORKERS, &limits).unwrap();
        Run { dispatch, now: Instant::now(), connections: SlotMap::with_key(), lane, lanes }
    }

    fn later(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    /// So many come; none of them is turned away.
    fn come<const N: usize>(&mut self) -> [ConnectionKey; N] {
        std::array::from_fn(|_| self.comes(false).unwrap())
    }

    /// One comes. An error is the one that is turned away for it.
    fn comes(&mut self, is_again: bool) -> Result<ConnectionKey, ConnectionKey> {
        self.comes_from(1, is_again)
    }

    /// The same from the address that ends with this number.
    fn comes_from(&mut self, from: u8, is_again: bool) -> Result<ConnectionKey, ConnectionKey> {
        let connection = self.connections.insert(());
        let subscriber = Subscriber::of([192, 0, 2, from].into());
        let waiting = Waiting { connection, subscriber, needs_lane_alone: false, is_again };
        self.dispatch.arrive(self.now, waiting);
        self.dispatch.pop_excess(self.now).map_or(Ok(connection), Err)
    }

    /// The one whose turn it is goes.
    fn goes(&mut self) -> Option<(ConnectionKey, Ticket)> {
        let next = self.dispatch.next(self.now)?;
        let ticket = self.dispatch.start(self.now, next, self.lane)?;
        Some((next.connection, ticket))
    }

    fn all_go(&mut self) -> Vec<(ConnectionKey, Ticket)> {
        std::iter::from_fn(|| self.goes()).collect()
    }

    fn complete(&mut self, ticket: Ticket) -> Option<ConnectionKey> {
        self.dispatch.complete(self.now, ticket)?.connection
    }

    /// One after another, each answered at once: the order in which they go.
    fn order(&mut self) -> Vec<ConnectionKey> {
        let mut order = Vec::new();
        while let Some((connection, ticket)) = self.goes() {
            order.push(connection);
            assert_eq!(self.complete(ticket), Some(connection));
        }
        order
    }
}

#[test]
fn first_come_first_served() {
    let mut run = Run::new(10);
    let came: [_; 5] = run.come();
    run.later(249);
    assert_eq!(run.order(), came);
}

#[test]
fn a_crowd_is_served_from_both_ends() {
    let mut run = Run::new(10);
    let [a, b, c, d, e] = run.come();
    run.later(250);
    assert_eq!(run.order(), [e, a, d, b, c]);
}

#[test]
fn who_had_a_large_answer_is_never_the_newest() {
    let mut run = Run::new(10);
    let [a, b] = run.come();
    run.later(1);
    let again = run.comes(true).unwrap();
    let [c] = run.come();
    run.later(250);
    assert_eq!(run.order(), [c, a, b, again]);
}

#[test]
fn two_for_each_worker_and_four_while_answers_are_quick() {
    let mut run = Run::new(20);
    let _: [_; 20] = run.come();
    let first = run.all_go();
    assert_eq!(first.len(), 2 * WORKERS);
    run.later(51);
    run.complete(first[0].1);
    assert_eq!(run.all_go().len(), 1);
    run.later(20);
    let (_, ticket) = {
        run.complete(first[1].1);
        run.goes().unwrap()
    };
    run.later(50);
    run.complete(ticket);
    assert_eq!(run.all_go().len(), 4 * WORKERS - 3);
}

/// An overdue request may still keep a worker busy.
#[test]
fn where_an_answer_is_overdue_less_is_passed_on() {
    let mut run = Run::new(20);
    let _: [_; 12] = run.come();
    let (_, ticket) = run.goes().unwrap();
    run.complete(ticket);
    assert_eq!(run.all_go().len(), 4 * WORKERS, "answers are quick");
    run.later(30_000);
    let late = |overdue| matches!(overdue, Some(Overdue::Late { connection: Some(_), .. }));
    for _ in 0..4 * WORKERS {
        assert!(late(run.dispatch.pop_overdue(run.now)));
    }
    assert_eq!(run.dispatch.pop_overdue(run.now), None);
    assert!(run.all_go().is_empty());
    assert_ne!(run.dispatch.in_flight(), 0);
    // Once more as long, and they are forgotten. What waited until then was turned away.
    run.later(30_000);
    for _ in 0..4 * WORKERS {
        assert!(matches!(run.dispatch.pop_overdue(run.now), Some(Overdue::Lost { .. })));
    }
    assert_eq!(run.dispatch.in_flight(), 0);
}

#[test]
fn a_full_queue_turns_the_newest_away_or_the_oldest_where_it_stands() {
    let mut run = Run::new(3);
    let [oldest, second, third] = run.come();
    let turned_away = run.comes(false).unwrap_err();
    assert!(![oldest, second, third].contains(&turned_away));
    assert_eq!(run.dispatch.pop_excess(run.now), None);
    run.later(250);
    assert_eq!(run.comes(false), Err(oldest));
    assert_eq!(run.comes(true), Err(second));
}

#[test]
fn none_waits_for_longer_than_the_time_for_an_answer() {
    let mut run = Run::new(3);
    let [first] = run.come();
    run.later(1000);
    let [second] = run.come();
    assert_eq!(run.dispatch.next_deadline(), Some(run.now + Duration::from_millis(29_000)));
    run.later(29_000);
    assert_eq!(run.dispatch.pop_stale(run.now), Some(first));
    assert_eq!(run.dispatch.pop_stale(run.now), None);
    run.later(1000);
    assert_eq!(run.dispatch.pop_stale(run.now), Some(second));
    assert_eq!(run.dispatch.next_deadline(), None);
}

#[test]
fn who_has_left_has_no_turn_and_no_answer() {
    let mut run = Run::new(9);
    let [a, b, c] = run.come();
    let (_, ticket) = run.goes().unwrap();
    assert_eq!(run.dispatch.leave(b), None);
    assert_eq!(run.dispatch.leave(a), Some(ticket));
    assert_eq!(run.dispatch.leave(a), None);
    assert_eq!(run.complete(ticket), None);
    assert_eq!(run.order(), [c]);
}

#[test]
fn an_answer_names_its_request_and_comes_once() {
    let mut run = Run::new(9);
    let [a] = run.come();
    let (_, ticket) = run.goes().unwrap();
    let wrong = |number| Ticket { number, ..ticket };
    for other in [
        wrong(ticket.number.wrapping_add(1)),
        wrong(ticket.number.wrapping_sub(1)),
        Ticket { slot: ticket.slot + 1, ..ticket },
        Ticket { slot: usize::MAX, ..ticket },
    ] {
        assert_eq!(run.dispatch.complete(run.now, other), None);
    }
    assert_eq!(run.complete(ticket), Some(a));
    assert_eq!(run.dispatch.complete(run.now, ticket), None);
    // The slot is used again, the name is not.
    let [b] = run.come();
    let (_, next) = run.goes().unwrap();
    assert_eq!(next.slot, ticket.slot);
    assert_eq!(run.dispatch.complete(run.now, ticket), None);
    assert_eq!(run.complete(next), Some(b));
}

#[test]
fn a_late_answer_is_nobodys() {
    let mut run = Run::new(9);
    let [a] = run.come();
    let (_, ticket) = run.goes().unwrap();
    run.later(30_000);
    let lane = run.lane;
    let late = Overdue::Late { ticket, lane, connection: Some(a) };
    assert_eq!(run.dispatch.pop_overdue(run.now), Some(late));
    assert_eq!(run.dispatch.next_deadline(), Some(run.now + Duration::from_secs(30)));
    let completed = run.dispatch.complete(run.now, ticket).unwrap();
    assert_eq!((completed.lane, completed.connection), (lane, None));
    assert_eq!(run.dispatch.next_deadline(), None);
}

#[test]
fn a_lane_that_is_closed_takes_its_requests_along() {
    let mut run = Run::new(9);
    let [a, b, c] = run.come();
    let (_, first) = run.goes().unwrap();
    let closed = std::mem::replace(&mut run.lane, run.lanes.insert(()));
    let (_, second) = run.goes().unwrap();
    run.lane = closed;
    let (_, third) = run.goes().unwrap();
    run.dispatch.leave(c);
    let expected = [(first, Some(a)), (third, None)];
    assert_eq!(run.dispatch.lane_closed(closed), expected);
    assert!(run.dispatch.lane_closed(closed).is_empty());
    assert_eq!(run.complete(first), None);
    assert_eq!(run.complete(second), Some(b));
}

#[test]
fn each_address_has_its_turn() {
    let mut run = Run::new(20);
    let crowd: [_; 6] = run.come();
    let (one, other) = (run.comes_from(2, false).unwrap(), run.comes_from(3, false).unwrap());
    let again = run.comes_from(2, false).unwrap();
    let mut expected = vec![crowd[0], one, other, crowd[1], again];
    expected.extend(&crowd[2..]);
    assert_eq!(run.order(), expected);
}

#[test]
fn where_too_many_wait_one_goes_of_the_longest_line() {
    let mut run = Run::new(10);
    let crowd: [_; 8] = run.come();
    run.later(1);
    let others = [2, 3].map(|from| run.comes_from(from, false).unwrap());
    run.later(1);
    // The newest of the crowd for each, until the crowd has no more than others.
    for (from, gone) in (4..10).zip(crowd.iter().rev()) {
        assert_eq!(run.comes_from(from, false), Err(*gone));
    }
    assert!(others.iter().all(|other| run.dispatch.queue.remove(*other)));
    assert!(run.dispatch.queue.remove(crowd[0]) && !run.dispatch.queue.remove(crowd[7]));
}

#[test]
fn of_lines_of_one_length_the_newest_goes_or_else_who_has_waited_longest() {
    let mut run = Run::new(2);
    let old = run.comes_from(1, false).unwrap();
    run.later(1);
    run.comes_from(2, false).unwrap();
    run.later(1);
    let newest = run.comes_from(3, false);
    assert!(newest.is_err_and(|gone| gone != old));
    run.later(250);
    assert_eq!(run.comes_from(4, false), Err(old));
}

/// However many go while one waits, what is kept of them does not grow.
#[test]
fn those_that_have_gone_are_forgotten() {
    let mut run = Run::new(1024);
    let stays: [_; 3] = run.come();
    for _ in 0..10_000 {
        let passes = run.comes_from(2, false).unwrap();
        assert!(run.dispatch.queue.remove(passes));
    }
    assert!(run.dispatch.queue.arrivals() < 200);
    assert_eq!(run.order(), stays);
}
