use std::os::unix::net::UnixListener;

use mio::Poll;

use super::*;
use crate::http::{Head, Method};

const SECOND: Duration = Duration::from_secs(1);

/// A backend with a clock of its own, and no tiny_http: the probes are answered by the test.
struct Run {
    backend: Backend,
    now: Instant,
    last_slot: usize,
    _poll: Poll,
    _listener: UnixListener,
}

impl Run {
    fn new(wanted: usize) -> Run {
        let (poll, limits) = (Poll::new().unwrap(), Limits::default());
        let (socket, listener) = BackendSocket::listen().unwrap();
        let pending = Arc::new(PendingRequests::new(100));
        let registry = poll.registry().try_clone().unwrap();
        let backend = Backend::new(socket, pending, wanted, &limits, registry);
        Run { backend, now: Instant::now(), last_slot: 0, _poll: poll, _listener: listener }
    }

    /// A backend all of whose lanes are open.
    fn complete(wanted: usize) -> Run {
        let mut run = Run::new(wanted);
        while !run.backend.is_complete() {
            assert!(run.opens());
        }
        run
    }

    /// Opens a lane where one is missing, and answers its probe; false where none is.
    fn opens(&mut self) -> bool {
        self.backend.open_missing(self.now, true);
        self.answers_probe()
    }

    fn answers_probe(&mut self) -> bool {
        let Some(Probe { lane, number, .. }) = self.backend.probe else { return false };
        self.backend.probe_answered(lane, number)
    }

    /// Passes a request on; over which lane, if one has room.
    fn passes(&mut self, length: usize) -> Option<(LaneKey, Ticket)> {
        let body = vec![b'x'; length];
        let request = CompleteRequest { head: Head::new(Method::Get, "/"), body, has_body: true };
        let lane = self.backend.lane_for(request.needs_lane_alone())?;
        self.last_slot += 1;
        let ticket = Ticket { slot: self.last_slot, number: self.last_slot as u64 };
        self.backend.push(lane, ticket, request, [127, 0, 0, 1].into());
        assert_eq!(self.backend.send(), []);
        Some((lane, ticket))
    }
}

#[test]
fn lanes_are_opened_one_at_a_time() {
    let mut run = Run::new(3);
    for opened in 0..3 {
        assert_eq!((run.backend.opened(), run.backend.is_complete()), (opened, false));
        // However often it is asked, no second probe is sent before the first is answered.
        (0..3).for_each(|_| run.backend.open_missing(run.now, true));
        assert_eq!(run.backend.lanes.len(), opened + 1);
        assert_eq!(run.backend.any(), opened > 0, "a lane that is probed cannot be used");
        assert!(run.answers_probe());
    }
    assert!(run.backend.is_complete() && !run.opens());
}

#[test]
fn another_answer_than_the_probes_opens_nothing() {
    let mut run = Run::new(1);
    run.backend.open_missing(run.now, true);
    let Some(Probe { lane, number, .. }) = run.backend.probe else { panic!("no probe") };
    assert!(!run.backend.probe_answered(lane, number.wrapping_add(1)));
    assert!(!run.backend.probe_answered(LaneKey::default(), number));
    assert!(!run.backend.any());
    assert!(run.backend.probe_answered(lane, number));
    assert!(!run.backend.probe_answered(lane, number), "it was answered already");
}

#[test]
fn a_lane_that_does_not_answer_its_probe_is_overdue() {
    let mut run = Run::new(1);
    run.backend.open_missing(run.now, true);
    let due = run.now + 5 * SECOND;
    assert_eq!(run.backend.next_deadline(), Some(due));
    assert_eq!(run.backend.overdue_probe(due - SECOND), None);
    let (lane, why) = run.backend.overdue_probe(due).unwrap();
    assert!(run.backend.retire(lane, why) && !run.backend.retire(lane, why));
    assert_eq!(run.backend.lanes.len(), 0);
    assert!(run.opens() && run.backend.is_complete());
}

#[test]
fn requests_share_few_lanes_and_leave_the_last_to_one_that_needs_it_alone() {
    let mut run = Run::complete(3);
    let (shared, first) = run.passes(0).unwrap();
    assert_eq!(run.passes(1024).unwrap().0, shared);
    let (alone, _) = run.passes(1025).unwrap();
    let (other, _) = run.passes(1025).unwrap();
    assert!(alone != shared && other != shared && alone != other);
    assert_eq!(run.passes(1025), None, "each lane has a request");
    assert_eq!(run.passes(0).unwrap().0, shared);
    assert_eq!(run.backend.answered(alone, Ticket { slot: 0, number: 3 }), Ok(()));
    assert_eq!(run.backend.answered(shared, first), Ok(()));
    assert_eq!(run.passes(1025).unwrap().0, alone);
}

#[test]
fn a_lane_that_is_given_up_is_replaced_and_closed_with_its_last_answer() {
    let mut run = Run::complete(2);
    let (lane, first) = run.passes(0).unwrap();
    let (_, second) = run.passes(0).unwrap();
    run.backend.give_up(lane);
    assert!(run.backend.may_be_late(lane) && !run.backend.is_complete());
    assert_ne!(run.passes(0).unwrap().0, lane);
    assert!(run.opens());
    assert_eq!(run.backend.lanes.len(), 3);
    assert_eq!(run.backend.answered(lane, first), Ok(()));
    assert_eq!(run.backend.lanes.len(), 3);
    run.backend.forget(lane, second);
    assert_eq!(run.backend.lanes.len(), 2);
    assert!(run.backend.is_complete());
}

#[test]
fn a_request_is_taken_by_one_worker_and_by_none_once_it_is_forgotten() {
    let mut run = Run::complete(1);
    let (lane, first) = run.passes(0).unwrap();
    let (_, second) = run.passes(0).unwrap();
    let finds = |ticket| matches!(run.backend.pending.take(ticket), pending::Found::Request(_));
    assert!(finds(first) && !finds(first));
    run.backend.forget(lane, second);
    assert!(!matches!(run.backend.pending.take(second), pending::Found::Request(_)));
}

#[test]
fn opening_is_tried_again_after_a_pause() {
    let mut run = Run::new(1);
    drop(std::mem::replace(&mut run._listener, BackendSocket::listen().unwrap().1));
    run.backend.open_missing(run.now, true);
    assert_eq!(run.backend.next_deadline(), Some(run.now + OPEN_PAUSE));
    assert!(run.backend.lanes.is_empty() && run.backend.probe.is_none());
    run.backend.open_missing(run.now + OPEN_PAUSE / 2, true);
    assert_eq!(run.backend.next_deadline(), Some(run.now + OPEN_PAUSE));
    run.backend.open_missing(run.now + OPEN_PAUSE, true);
    assert_eq!(run.backend.next_deadline(), Some(run.now + 2 * OPEN_PAUSE));
}
