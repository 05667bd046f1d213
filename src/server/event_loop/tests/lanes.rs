//! Workers and lanes that answer wrongly, too late, or not at all.

use std::time::Duration;

use super::rig::{Rig, Sent, config};
use crate::server::ticket::Ticket;

const LANE_TIME: Duration = Duration::from_secs(30);
const PROBE_TIME: Duration = Duration::from_secs(5);

/// A loop with two lanes.
fn rig() -> Rig {
    let mut rig = Rig::with_lanes(config(2));
    rig.until_complete();
    rig
}

/// Two requests are in flight over one lane. After `wrong` is said for the first, neither client has
/// the other's answer, the lane is closed, and another is opened in its place.
fn both_are_lost_after(wrong: impl FnOnce(&mut Rig, &Sent, &Sent)) {
    let mut rig = rig();
    let (one, first) = rig.pass_on("/one", "one");
    let (other, second) = rig.pass_on("/other", "other");
    assert_eq!(first.lane, second.lane);
    let lanes = rig.lanes().count();
    wrong(&mut rig, &first, &second);
    for client in [one, other] {
        let (status, body) = rig.answer(client);
        assert_eq!(status, 500);
        assert!(!body.contains("/one") && !body.contains("/other"), "{body}");
    }
    rig.until(|rig| rig.lanes().is_closed(first.lane).then_some(()));
    rig.until_complete();
    assert_eq!(rig.lanes().count(), lanes + 1);
    let (next, sent) = rig.pass_on("/next", "next");
    rig.answer_sent(&sent);
    assert_eq!(rig.answer(next), (200, "/next".to_owned()));
}

#[test]
fn an_answer_with_a_wrong_number_is_nobodys() {
    for step in [1, u64::MAX] {
        both_are_lost_after(|rig, first, _| {
            let Ticket { slot, number } = first.ticket;
            let ticket = Ticket { slot, number: number.wrapping_add(step) };
            rig.complete(first.lane, ticket, "/one");
        });
    }
}

#[test]
fn an_answer_with_the_number_of_another_slot_is_nobodys() {
    both_are_lost_after(|rig, first, second| {
        let ticket = Ticket { slot: second.ticket.slot, number: first.ticket.number };
        rig.complete(first.lane, ticket, "/one");
    });
}

#[test]
fn a_lane_that_says_anything_is_closed() {
    both_are_lost_after(|rig, first, _| {
        rig.lanes().say(first.lane, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
}

#[test]
fn a_lane_that_is_cut_is_replaced() {
    both_are_lost_after(|rig, first, _| rig.lanes().cut(first.lane));
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let mut rig = rig();
    let (one, first) = rig.pass_on("/one", "one");
    let (other, second) = rig.pass_on("/other", "other");
    rig.answer_sent(&first);
    assert_eq!(rig.answer(one), (200, "/one".to_owned()));
    rig.answer_sent(&first);
    assert_eq!(rig.answer(other).0, 500);
    rig.answer_sent(&second);
    rig.until_complete();
    let (next, sent) = rig.pass_on("/next", "next");
    rig.answer_sent(&sent);
    assert_eq!(rig.answer(next), (200, "/next".to_owned()));
}

/// The slot is used again at once: what comes for the old request is not taken for the new one's.
#[test]
fn an_answer_to_an_earlier_request_in_the_same_slot_is_nobodys() {
    let mut rig = rig();
    let (one, first) = rig.pass_on("/one", "one");
    rig.answer_sent(&first);
    assert_eq!(rig.answer(one), (200, "/one".to_owned()));
    let (other, second) = rig.pass_on("/other", "other");
    assert_eq!(first.ticket.slot, second.ticket.slot);
    rig.answer_sent(&first);
    assert_eq!(rig.answer(other).0, 500);
}

/// The lane is given up for it; the one that is opened instead serves the next request meanwhile.
#[test]
fn a_late_answer_is_dropped_and_closes_no_other_lane() {
    let mut rig = rig();
    let (late, overdue) = rig.pass_on("/late", "late");
    rig.later(LANE_TIME);
    assert_eq!(rig.answer(late).0, 504);
    rig.until_complete();
    let (next, sent) = rig.pass_on("/next", "next");
    assert_ne!(overdue.lane, sent.lane);
    rig.answer_sent(&overdue);
    rig.until(|rig| rig.lanes().is_closed(overdue.lane).then_some(()));
    rig.answer_sent(&sent);
    assert_eq!(rig.answer(next), (200, "/next".to_owned()));
    assert!(!rig.lanes().is_closed(sent.lane));
}

/// Whether it is the one that was forgotten, or never was one, cannot be told.
#[test]
fn an_unknown_number_on_a_lane_that_is_given_up_is_dropped() {
    let mut rig = rig();
    let (late, overdue) = rig.pass_on("/late", "late");
    let (other, sent) = rig.pass_on("/other", "other");
    rig.later(LANE_TIME - Duration::from_secs(1));
    rig.turn();
    rig.later(Duration::from_secs(1));
    assert_eq!(rig.answer(late).0, 504);
    let unknown = Ticket { number: overdue.ticket.number.wrapping_add(1), ..overdue.ticket };
    rig.complete(overdue.lane, unknown, "/unknown");
    rig.answer_sent(&sent);
    // It was due at the same moment.
    assert_eq!(rig.answer(other).0, 504);
}

/// The lane is given up for the one that has waited too long, and closed with the last answer.
#[test]
fn a_request_on_a_lane_that_is_given_up_is_answered() {
    let mut rig = rig();
    let (late, overdue) = rig.pass_on("/late", "late");
    rig.later(LANE_TIME / 2);
    let (other, sent) = rig.pass_on("/other", "other");
    assert_eq!(overdue.lane, sent.lane);
    rig.later(LANE_TIME / 2);
    assert_eq!(rig.answer(late).0, 504);
    rig.answer_sent(&sent);
    assert_eq!(rig.answer(other), (200, "/other".to_owned()));
    assert!(!rig.lanes().is_closed(overdue.lane));
    rig.answer_sent(&overdue);
    rig.until(|rig| rig.lanes().is_closed(overdue.lane).then_some(()));
}

/// A lost answer is not counted for ever.
#[test]
fn a_request_that_is_overdue_twice_is_forgotten() {
    let mut rig = rig();
    let (late, overdue) = rig.pass_on("/late", "late");
    rig.later(LANE_TIME);
    assert_eq!((rig.answer(late).0, rig.in_flight()), (504, 1));
    rig.later(LANE_TIME);
    rig.until(|rig| rig.lanes().is_closed(overdue.lane).then_some(()));
    assert_eq!(rig.in_flight(), 0);
}

/// An overdue request may still keep a worker busy: nothing is passed on in its place.
#[test]
fn what_is_overdue_still_counts() {
    let mut config = config(1);
    config.limits.queue = 0;
    let mut rig = Rig::with_lanes(config);
    rig.until_complete();
    let late: Vec<_> = (0..2).map(|_| rig.pass_on("/late", "late")).collect();
    rig.later(LANE_TIME);
    let mut overdue = Vec::new();
    for (client, sent) in late {
        assert_eq!(rig.answer(client).0, 504);
        overdue.push(sent);
    }
    rig.until_complete();
    assert_eq!(rig.get("/refused", "x").0, 503);
    rig.answer_sent(&overdue[0]);
    rig.until_in_flight(1);
    let (next, sent) = rig.pass_on("/next", "next");
    rig.answer_sent(&sent);
    assert_eq!(rig.answer(next), (200, "/next".to_owned()));
}

#[test]
fn lanes_are_opened_one_after_another() {
    let mut rig = Rig::with_lanes(config(3));
    rig.lanes().answers_probes = false;
    rig.until(|rig| (rig.lanes().count() == 1).then_some(()));
    (0..10).for_each(|_| rig.turn());
    assert_eq!(rig.lanes().count(), 1);
}

#[test]
fn a_lane_that_does_not_answer_its_probe_is_replaced() {
    let mut rig = Rig::with_lanes(config(1));
    rig.lanes().answers_probes = false;
    rig.until(|rig| (rig.lanes().count() == 1).then_some(()));
    let waiting = rig.ask("/served", "x");
    rig.turn();
    rig.lanes().answers_probes = true;
    rig.later(PROBE_TIME);
    let sent = rig.next_sent();
    assert_eq!(rig.lanes().count(), 2);
    rig.answer_sent(&sent);
    assert_eq!(rig.answer(waiting), (200, "/served".to_owned()));
}

/// With one lane, those who may share it would never leave it empty.
#[test]
fn a_request_that_needs_a_lane_alone_has_its_turn() {
    let mut rig = Rig::with_lanes(config(1));
    rig.until_complete();
    let (one, first) = rig.pass_on("/one", "one");
    let alone = rig.post("/alone", "alone", 1025);
    let mut behind = rig.ask("/behind", "behind");
    (0..10).for_each(|_| rig.turn());
    assert!(rig.lanes().count() == 1 && behind.is_waiting() && rig.in_flight() == 1);
    rig.answer_sent(&first);
    assert_eq!(rig.answer(one), (200, "/one".to_owned()));
    let second = rig.next_sent();
    assert_eq!((second.path.as_str(), rig.in_flight()), ("/alone", 1));
    rig.answer_sent(&second);
    assert_eq!(rig.answer(alone), (200, "/alone".to_owned()));
    let third = rig.next_sent();
    rig.answer_sent(&third);
    assert_eq!(rig.answer(behind), (200, "/behind".to_owned()));
}

/// The room that an answer makes is had by those who wait, before a newcomer is turned away for
/// want of it: both happen in one turn here.
#[test]
fn the_queue_is_served_before_a_newcomer_is_turned_away() {
    let mut config = config(1);
    config.limits.queue = 1;
    let mut rig = Rig::with_lanes(config);
    rig.until_complete();
    let in_flight: Vec<_> = (0..2).map(|_| rig.pass_on("/in-flight", "x")).collect();
    let waiting = rig.ask("/waiting", "x");
    let mut newcomer = rig.connect();
    (0..10).for_each(|_| rig.turn());
    newcomer.ask("/newcomer", "x", None);
    rig.answer_sent(&in_flight[0].1);
    let mut all = vec![waiting, newcomer];
    for (client, sent) in in_flight.into_iter().skip(1) {
        rig.answer_sent(&sent);
        all.push(client);
    }
    for _ in 0..2 {
        let sent = rig.next_sent();
        rig.answer_sent(&sent);
    }
    for client in all {
        assert_eq!(rig.answer(client).0, 200);
    }
}

/// A request waits in the queue for as long as an answer may take, and no longer.
#[test]
fn a_request_that_waits_too_long_is_turned_away() {
    let mut rig = Rig::with_lanes(config(1));
    rig.until_complete();
    let _in_flight: Vec<_> = (0..2).map(|_| rig.pass_on("/in-flight", "x")).collect();
    rig.later(Duration::from_secs(1));
    let waiting = rig.ask("/waiting", "x");
    (0..10).for_each(|_| rig.turn());
    rig.later(LANE_TIME);
    assert_eq!(rig.answer(waiting).0, 503);
}
