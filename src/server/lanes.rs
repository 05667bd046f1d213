//! All lanes: which is asked next, and how one more is opened.
//!
//! They are opened one after another, each with a probe answered before the next is begun: tiny_http
//! counts its idle threads late, and of several connections at once some might never be served.

use std::io;
use std::os::unix::net::SocketAddr;
use std::time::Instant;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::budget::Holding;
use super::gathering::Request;
use super::lane::{Lane, OWN_FIELD, PROBE, Question};
use super::slots::{Key, Slots};

/// Tells a lane's token from a visitor's.
const LANE_BIT: usize = 1 << (usize::BITS - 1);

/// A lane with what the front keeps about it.
pub(super) struct Entry {
    pub(super) lane: Lane,
    /// When to look for overdue answers: not after the first that is due.
    pub(super) due: Option<Instant>,
    /// What is counted of its buffers.
    pub(super) counted: Holding,
    /// Room to write is told of.
    watches_writing: bool,
}

impl Entry {
    /// Has room to write told of where that is wanted, and only there: the kernel tells of it
    /// whenever the other end of a Unix socket has read.
    pub(super) fn watch_writing(
        &mut self,
        wanted: bool,
        registry: &Registry,
        key: Key,
    ) -> io::Result<()> {
        if wanted == self.watches_writing {
            return Ok(());
        }
        self.watches_writing = wanted;
        let both = Interest::READABLE | Interest::WRITABLE;
        let interest = if wanted { both } else { Interest::READABLE };
        registry.reregister(&mut self.lane.socket, Lanes::token(key), interest)
    }
}

/// See the module's documentation.
pub(super) struct Lanes {
    entries: Slots<Entry>,
    /// The one that is being probed.
    probed: Option<Key>,
    wanted: usize,
    address: SocketAddr,
    opened: usize,
}

impl Lanes {
    pub(super) fn new(address: SocketAddr, wanted: usize) -> Self {
        Lanes { entries: Slots::new(), probed: None, wanted, address, opened: 0 }
    }

    pub(super) fn token(key: Key) -> Token {
        Token(key.number() | LANE_BIT)
    }

    /// The key of a lane, if the token is that of a lane.
    pub(super) fn key(token: Token) -> Option<Key> {
        (token.0 & LANE_BIT != 0).then(|| Key::from_number(token.0 & !LANE_BIT))
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(key)
    }

    /// A lane for one more question: the first that has a seat, so that much goes over few lanes,
    /// written and read together, and others are left to questions that need one alone.
    pub(super) fn with_seat(&self, alone: bool) -> Option<Key> {
        let mut fit = self.usable().filter(|(_, entry)| entry.lane.has_seat(alone));
        let found = if alone { fit.next_back() } else { fit.next() };
        found.map(|(key, _)| key)
    }

    /// How many questions are asked or left.
    pub(super) fn questions(&self) -> usize {
        self.entries.iter().map(|(_, entry)| entry.lane.count()).sum()
    }

    /// Nothing is asked and nothing is missing.
    pub(super) fn are_idle(&self) -> bool {
        self.usable().count() == self.wanted && self.questions() == 0
    }

    /// Some lane can be asked.
    pub(super) fn any(&self) -> bool {
        self.usable().next().is_some()
    }

    /// Those that have been probed, and not been given up.
    fn usable(&self) -> impl DoubleEndedIterator<Item = (Key, &Entry)> {
        let all = self.entries.iter();
        all.filter(|(key, entry)| !self.is_probed(*key) && !entry.lane.is_given_up())
    }

    /// It is new, and has not answered yet.
    pub(super) fn is_probed(&self, key: Key) -> bool {
        self.probed == Some(key)
    }

    /// How many were opened, ever.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    /// A lane's question is answered. True where it was the probe.
    pub(super) fn answered(&mut self, key: Key) -> bool {
        let probe = self.is_probed(key);
        if probe {
            self.probed = None;
            self.opened += 1;
        }
        probe
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Entry> {
        if self.is_probed(key) {
            self.probed = None;
        }
        self.entries.remove(key)
    }

    /// Whether another is to be opened now.
    pub(super) fn wants_one(&self) -> bool {
        self.probed.is_none() && self.usable().count() < self.wanted
    }

    /// Opens one and sends the probe.
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        number: u64,
        due: Instant,
    ) -> io::Result<Key> {
        let socket = UnixStream::connect_addr(&self.address)?;
        let entry = Entry {
            lane: Lane::new(socket),
            due: Some(due),
            counted: Holding::default(),
            watches_writing: false,
        };
        let key = self.entries.insert(entry);
        let asked = match self.entries.get_mut(key) {
            Some(Entry { lane, .. }) => registry
                .register(&mut lane.socket, Lanes::token(key), Interest::READABLE)
                .and_then(|()| {
                    let question = Question { number, visitor: None, due };
                    let request = Request::of_lines("GET / HTTP/1.1\r\nHost: lane\r\n");
                    let own = format_args!("{OWN_FIELD}: {} {number:x} {PROBE}", key.number());
                    lane.ask(question, &request, own);
                    lane.send()
                }),
            None => Ok(true),
        };
        match asked {
            Ok(_) => {
                self.probed = Some(key);
                Ok(key)
            }
            Err(error) => {
                self.entries.remove(key);
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use mio::{Events, Poll};

    use crate::server::rendezvous::Rendezvous;

    /// So many lanes that answer their probes, and what they need to live.
    fn opened(count: usize) -> (Lanes, Vec<Key>, (Poll, Rendezvous, UnixListener)) {
        let poll = Poll::new().unwrap();
        let (rendezvous, listener) = Rendezvous::listen().unwrap();
        let mut lanes = Lanes::new(rendezvous.address.clone(), count);
        let open = |number| {
            assert!(lanes.wants_one());
            let key = lanes.open(poll.registry(), number, Instant::now()).unwrap();
            assert!(!lanes.wants_one() && !lanes.are_idle());
            assert_ne!(lanes.with_seat(false), Some(key));
            assert!(lanes.get_mut(key).unwrap().lane.answered(number).is_some());
            assert!(lanes.answered(key));
            key
        };
        let keys = (0..count as u64).map(open).collect();
        assert!(lanes.are_idle() && !lanes.wants_one());
        (lanes, keys, (poll, rendezvous, listener))
    }

    fn ask(lanes: &mut Lanes, key: Key, number: u64, due: Instant) {
        let lane = &mut lanes.get_mut(key).unwrap().lane;
        let request = Request::of_lines("GET / HTTP/1.1\r\n");
        lane.ask(Question { number, visitor: None, due }, &request, format_args!("A: b"));
        assert!(lane.send().unwrap());
    }

    #[test]
    fn few_lanes_are_shared_and_the_others_left_to_who_needs_one_alone() {
        let (mut lanes, keys, _alive) = opened(3);
        assert_eq!(lanes.with_seat(true), Some(keys[2]));
        let mut taken = Vec::new();
        for number in 10..30 {
            let key = lanes.with_seat(false).unwrap();
            ask(&mut lanes, key, number, Instant::now());
            taken.push(key);
        }
        taken.dedup();
        assert_eq!((taken, lanes.questions()), (vec![keys[0], keys[1]], 20));
        assert_eq!(lanes.with_seat(true), Some(keys[2]));
        assert!(lanes.get_mut(keys[0]).unwrap().lane.answered(12).is_some());
        assert_eq!(lanes.with_seat(false), Some(keys[0]));
    }

    #[test]
    fn room_to_write_is_told_of_only_where_it_is_wanted() {
        let (mut lanes, keys, (mut poll, _rendezvous, listener)) = opened(1);
        let (mut theirs, _) = listener.accept().unwrap();
        let mut events = Events::with_capacity(8);
        for (number, wanted) in [(2, true), (3, false), (4, true)] {
            let entry = lanes.get_mut(keys[0]).unwrap();
            entry.watch_writing(wanted, poll.registry(), keys[0]).unwrap();
            // Of the room that is there already.
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            ask(&mut lanes, keys[0], number, Instant::now());
            assert!(theirs.read(&mut [0; 1024]).unwrap() > 0);
            poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            assert_eq!(events.iter().any(|event| event.is_writable()), wanted);
        }
    }

    #[test]
    fn in_place_of_one_that_is_given_up_another_is_wanted() {
        let (mut lanes, keys, _alive) = opened(1);
        let begin = Instant::now();
        ask(&mut lanes, keys[0], 2, begin);
        ask(&mut lanes, keys[0], 3, begin + Duration::from_secs(1));
        assert_eq!((lanes.questions(), lanes.with_seat(true)), (2, None));
        let again = begin + Duration::from_secs(2);
        let lane = &mut lanes.get_mut(keys[0]).unwrap().lane;
        assert_eq!(lane.leave_overdue(begin, again).len(), 1);
        lane.give_up();
        assert_eq!((lanes.questions(), lanes.with_seat(false)), (2, None));
        assert!(!lanes.any() && !lanes.are_idle() && lanes.wants_one());
    }
}
