//! The heads of requests that are on their way to a worker.
//!
//! The event loop has parsed and checked the head, so it is not parsed again: the lane carries a short
//! request with the number alone, and the worker finds the head here. It is taken out once.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::http::Head;
use crate::server::ticket::Ticket;
use crate::server::tokens::LaneKey;

/// A request, but for its body, which is on the lane.
pub(in crate::server) struct PendingRequest {
    pub(super) lane: LaneKey,
    pub(super) head: Head,
    /// The address of the client.
    pub(super) peer: IpAddr,
    pub(super) body_length: usize,
}

/// The result of looking for a ticket.
pub(super) enum Found {
    Request(PendingRequest),
    /// The client has gone or has its answer: there is nothing to be done.
    Withdrawn(LaneKey),
    /// No such request, or it was taken already.
    Nothing,
}

enum Slot {
    Empty,
    Pending(u64, PendingRequest),
    Withdrawn(u64, LaneKey),
}

/// See the module's documentation. The event loop and a worker wait for each other only where they are
/// at the same request.
pub(in crate::server) struct PendingRequests {
    slots: Box<[Mutex<Slot>]>,
}

impl PendingRequests {
    pub(in crate::server) fn new(capacity: usize) -> Self {
        PendingRequests { slots: (0..capacity).map(|_| Mutex::new(Slot::Empty)).collect() }
    }

    fn slot(&self, ticket: Ticket) -> Option<MutexGuard<'_, Slot>> {
        let slot = self.slots.get(ticket.slot)?;
        Some(slot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn insert(&self, ticket: Ticket, request: PendingRequest) {
        if let Some(mut slot) = self.slot(ticket) {
            *slot = Slot::Pending(ticket.number, request);
        }
    }

    /// Takes the request with this ticket.
    pub(super) fn take(&self, ticket: Ticket) -> Found {
        let Some(mut slot) = self.slot(ticket) else { return Found::Nothing };
        match std::mem::replace(&mut *slot, Slot::Empty) {
            Slot::Pending(number, request) if number == ticket.number => Found::Request(request),
            Slot::Withdrawn(number, lane) if number == ticket.number => Found::Withdrawn(lane),
            other => {
                *slot = other;
                Found::Nothing
            }
        }
    }

    /// Takes a request back whose client has gone or has its answer. Its head goes, unless a worker
    /// has taken it.
    pub(super) fn withdraw(&self, ticket: Ticket) {
        let Some(mut slot) = self.slot(ticket) else { return };
        match &*slot {
            Slot::Pending(number, request) if *number == ticket.number => {
                *slot = Slot::Withdrawn(ticket.number, request.lane);
            }
            _ => {}
        }
    }

    /// Forgets this request: a worker that still gets it from a lane finds nothing here.
    pub(super) fn forget(&self, ticket: Ticket) {
        drop(self.take(ticket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Method;
    use slotmap::SlotMap;

    fn ticket(slot: usize, number: u64) -> Ticket {
        Ticket { slot, number }
    }

    fn request(target: &str) -> PendingRequest {
        let lane = SlotMap::<LaneKey, ()>::with_key().insert(());
        let head = Head::new(Method::Get, target);
        PendingRequest { lane, head, peer: [127, 0, 0, 1].into(), body_length: 0 }
    }

    fn target(found: Found) -> Option<String> {
        match found {
            Found::Request(request) => Some(request.head.target().to_owned()),
            Found::Withdrawn(_) => Some("withdrawn".to_owned()),
            Found::Nothing => None,
        }
    }

    #[test]
    fn a_request_is_taken_once_and_by_its_own_number() {
        let pending = PendingRequests::new(2);
        pending.insert(ticket(0, 7), request("/a"));
        pending.insert(ticket(1, 8), request("/b"));
        for other in [ticket(0, 8), ticket(1, 7), ticket(0, 6), ticket(2, 7), ticket(9, 9)] {
            assert_eq!(target(pending.take(other)), None, "{other}");
        }
        assert_eq!(target(pending.take(ticket(0, 7))).as_deref(), Some("/a"));
        assert_eq!(target(pending.take(ticket(0, 7))), None);
        assert_eq!(target(pending.take(ticket(1, 8))).as_deref(), Some("/b"));
    }

    #[test]
    fn a_request_that_is_withdrawn_is_known_and_not_served() {
        let pending = PendingRequests::new(1);
        pending.insert(ticket(0, 7), request("/a"));
        pending.withdraw(ticket(0, 8));
        pending.withdraw(ticket(0, 7));
        assert_eq!(target(pending.take(ticket(0, 8))), None);
        assert_eq!(target(pending.take(ticket(0, 7))).as_deref(), Some("withdrawn"));
        assert_eq!(target(pending.take(ticket(0, 7))), None);
        // Too late: a worker has it.
        pending.insert(ticket(0, 9), request("/b"));
        assert_eq!(target(pending.take(ticket(0, 9))).as_deref(), Some("/b"));
        pending.withdraw(ticket(0, 9));
        assert_eq!(target(pending.take(ticket(0, 9))), None);
    }

    #[test]
    fn a_request_that_is_forgotten_is_unknown() {
        let pending = PendingRequests::new(1);
        pending.insert(ticket(0, 7), request("/a"));
        pending.forget(ticket(0, 6));
        pending.forget(ticket(0, 7));
        assert_eq!(target(pending.take(ticket(0, 7))), None);
    }
}
