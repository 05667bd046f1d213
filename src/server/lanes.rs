//! All lanes: which are free, and how one more is opened.
//!
//! They are opened one after another, each with a probe answered before the next is begun: tiny_http
//! counts its idle threads late, and of several connections at once some might never be served.

use std::io;
use std::os::unix::net::SocketAddr;
use std::time::Instant;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::budget::Holding;
use super::lane::{Lane, OWN_FIELD, PROBE, Question};
use super::slots::{Key, Slots};

/// Tells a lane's token from a visitor's.
const LANE_BIT: usize = 1 << (usize::BITS - 1);

/// A lane with what the front keeps about it.
pub(super) struct Entry {
    pub(super) lane: Lane,
    /// When its answer is due.
    pub(super) due: Option<Instant>,
    /// What is counted of its buffers.
    pub(super) counted: Holding,
}

/// See the module's documentation.
pub(super) struct Lanes {
    entries: Slots<Entry>,
    free: Vec<Key>,
    /// The one that is being probed.
    probed: Option<Key>,
    wanted: usize,
    address: SocketAddr,
    opened: usize,
}

impl Lanes {
    pub(super) fn new(address: SocketAddr, wanted: usize) -> Self {
        Lanes { entries: Slots::new(), free: Vec::new(), probed: None, wanted, address, opened: 0 }
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

    /// The lane used last: its thread is the likeliest to be awake still.
    pub(super) fn take_free(&mut self) -> Option<Key> {
        self.free.pop()
    }

    pub(super) fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// How many are asked.
    pub(super) fn busy(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// How many there are to be.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// Nothing is asked and nothing is missing.
    pub(super) fn all_free(&self) -> bool {
        self.free.len() == self.wanted
    }

    /// Some lane has been answered and not been closed since.
    pub(super) fn any(&self) -> bool {
        self.entries.len() > usize::from(self.probed.is_some())
    }

    /// How many were opened, ever.
    pub(super) fn opened(&self) -> usize {
        self.opened
    }

    /// The question that a lane was asked is answered: it is free. True where it was the probe.
    pub(super) fn release(&mut self, key: Key) -> bool {
        self.free.push(key);
        let probe = self.probed == Some(key);
        if probe {
            self.probed = None;
            self.opened += 1;
        }
        probe
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<Entry> {
        self.free.retain(|free| *free != key);
        if self.probed == Some(key) {
            self.probed = None;
        }
        self.entries.remove(key)
    }

    /// Whether another is to be opened now.
    pub(super) fn wants_one(&self) -> bool {
        self.probed.is_none() && self.entries.len() < self.wanted
    }

    /// Opens one and sends the probe.
    pub(super) fn open(
        &mut self,
        registry: &Registry,
        number: u64,
        due: Instant,
    ) -> io::Result<Key> {
        let socket = UnixStream::connect_addr(&self.address)?;
        let entry = Entry { lane: Lane::new(socket), due: Some(due), counted: Holding::default() };
        let key = self.entries.insert(entry);
        let own = format!("{OWN_FIELD}: {} {number} {PROBE}", key.number());
        let probe = format!("GET / HTTP/1.1\r\nHost: lane\r\n{own}\r\n\r\n");
        let question = Question { number, visitor: None };
        let asked = match self.entries.get_mut(key) {
            Some(Entry { lane, .. }) => registry
                .register(&mut lane.socket, Lanes::token(key), Interest::READABLE)
                .and_then(|()| {
                    lane.ask(question, probe.into_bytes());
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
