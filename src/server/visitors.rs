//! What the front does for its visitors: lets them in, reads, writes, and shows them out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::time::Duration;

use log::{debug, error};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::budget::Holding;
use super::client::{Client, Want};
use super::deadlines::{Class, Deadline};
use super::front::{ACCEPT_AGAIN, Front};
use super::slots::Key;

/// Newcomers let in before others get their turn.
pub(super) const NEWCOMERS_AT_ONCE: usize = 64;
/// The pause after accepting has failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A connection with what the front keeps about it.
pub(super) struct Visitor {
    socket: TcpStream,
    pub(super) address: IpAddr,
    pub(super) client: Client,
    /// There may be something to read.
    readable: bool,
    /// The visitor's end of input is behind what can be read.
    ending: bool,
    /// Readiness to write is asked for, which it is only after a write that did not get through.
    watches_writing: bool,
    parked: bool,
    pub(super) due: Option<Deadline>,
    /// What is counted of its buffers.
    counted: Holding,
}

impl Front {
    // In.

    /// Lets newcomers in; true where there may be more, and they should not wait for an event.
    pub(super) fn accept(&mut self) -> bool {
        for _ in 0..NEWCOMERS_AT_ONCE {
            if !self.newcomers || !self.can_make_room() {
                return false;
            }
            let Some(listener) = &self.listener else { return false };
            match listener.accept() {
                Ok((socket, address)) => {
                    self.accept_failing = false;
                    self.let_in(socket, address.ip());
                }
                Err(error) => self.accept_failed(&error),
            }
        }
        self.newcomers
    }

    /// Whether one more can be let in, if need be in place of another.
    fn can_make_room(&self) -> bool {
        self.admission.has_room(self.visitors.len()) || self.dispensable().is_some()
    }

    /// Who goes first for a newcomer: the longest idle, else the oldest unfinished head, then the
    /// oldest unfinished body.
    fn dispensable(&self) -> Option<Key> {
        let classes = [Class::Idle, Class::Head, Class::Body];
        classes.iter().find_map(|class| self.deadlines.first(*class)).map(|(_, _, key)| key)
    }

    fn accept_failed(&mut self, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => self.newcomers = false,
            // That one has left again.
            ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
            _ => {
                if !self.accept_failing {
                    error!(error:% = error; "accepting is paused");
                }
                self.accept_failing = true;
                self.newcomers = false;
                self.deadlines.insert((Class::Own, self.now + ACCEPT_PAUSE, ACCEPT_AGAIN));
            }
        }
    }

    fn let_in(&mut self, socket: TcpStream, address: IpAddr) {
        if !self.admission.enter(address) {
            return debug!(address:% = address; "too many connections from one address");
        }
        if !self.admission.has_room(self.visitors.len())
            && let Some(other) = self.dispensable()
        {
            self.remove(other);
        }
        let moment = Front::moment(self.now, &self.limits, self.draining);
        let key = self.visitors.insert(Visitor {
            socket,
            address,
            client: Client::new(moment),
            readable: false,
            ending: false,
            watches_writing: false,
            parked: false,
            due: None,
            counted: Holding::default(),
        });
        let Some(visitor) = self.visitors.get_mut(key) else { return };
        let token = Token(key.number());
        match self.poll.registry().register(&mut visitor.socket, token, Interest::READABLE) {
            Ok(()) => self.settle(key),
            Err(error) => {
                error!(error:% = error; "a connection cannot be registered");
                self.remove(key);
            }
        }
    }

    // What happens to one.

    pub(super) fn visitor_ready(&mut self, key: Key, event: &Event) {
        let Some(visitor) = self.visitors.get_mut(key) else { return };
        if event.is_error() || event.is_write_closed() {
            // Both directions are over: nobody is there to take an answer.
            return self.remove(key);
        }
        visitor.readable |= event.is_readable() || event.is_read_closed();
        visitor.ending |= event.is_read_closed();
        self.advance(key);
    }

    pub(super) fn visitor_overdue(&mut self, key: Key) {
        let moment = Front::moment(self.now, &self.limits, self.draining);
        if let Some(visitor) = self.visitors.get_mut(key) {
            if visitor.due.take().is_some_and(|(class, _, _)| class.is_queue()) {
                self.queued -= 1;
            }
            visitor.client.expire(moment);
            self.advance(key);
        }
    }

    /// The drain has begun: who has nothing under way is shown out.
    pub(super) fn say_goodbye(&mut self, key: Key) {
        if let Some(visitor) = self.visitors.get_mut(key) {
            // A request may have come that no event has told of yet.
            visitor.readable |= visitor.client.is_idle();
        }
        self.advance(key);
        let moment = Front::moment(self.now, &self.limits, self.draining);
        if let Some(visitor) = self.visitors.get_mut(key)
            && visitor.client.is_idle()
        {
            visitor.client.close(moment);
            self.advance(key);
        }
    }

    /// Does for a visitor all that can be done now.
    pub(super) fn advance(&mut self, key: Key) {
        while self.step(key) {}
        self.settle(key);
    }

    /// One thing that the connection wants; false where it must wait.
    fn step(&mut self, key: Key) -> bool {
        let moment = Front::moment(self.now, &self.limits, self.draining);
        let Some(visitor) = self.visitors.get_mut(key) else { return false };
        let done = match visitor.client.want(&self.limits) {
            Want::Pass => return self.pass(key),
            Want::Read(_) if self.budget.is_short() && visitor.client.awaits_large_body() => {
                self.park(key);
                return false;
            }
            Want::Read(most) => {
                let most = most.min(self.scratch.len());
                visitor.read(moment, &mut self.scratch[..most])
            }
            Want::Write => visitor.write(moment, self.poll.registry(), key),
            Want::Answer => Ok(false),
            Want::ShutDown => {
                // Where it fails the visitor has gone, which the next read tells.
                let _ = visitor.socket.shutdown(Shutdown::Write);
                visitor.client.shut_down(moment);
                Ok(true)
            }
            Want::Close => Err(ErrorKind::ConnectionAborted.into()),
        };
        done.unwrap_or_else(|_| {
            self.remove(key);
            false
        })
    }

    // Out.

    pub(super) fn remove(&mut self, key: Key) {
        let Some(visitor) = self.visitors.remove(key) else { return };
        if let Some(due) = visitor.due {
            self.forget(&due);
        }
        if visitor.parked {
            self.parked.remove(&key);
        }
        self.budget.recount(visitor.counted, Holding::default());
        self.admission.leave(visitor.address);
        // A descriptor is free again.
        self.newcomers |= self.accept_failing;
    }

    fn forget(&mut self, due: &Deadline) {
        self.deadlines.remove(due);
        if due.0.is_queue() {
            self.queued -= 1;
        }
    }

    // Deadlines and memory.

    /// Brings deadline and memory up to date after something has happened.
    fn settle(&mut self, key: Key) {
        let Some(visitor) = self.visitors.get_mut(key) else { return };
        let due = visitor.client.deadline().map(|(class, instant)| (class, instant, key));
        let held = Holding { class: due.map(|due| due.0), bytes: visitor.client.memory() };
        self.budget.recount(std::mem::replace(&mut visitor.counted, held), held);
        if due != visitor.due {
            let before = std::mem::replace(&mut visitor.due, due);
            if let Some(before) = before {
                self.forget(&before);
            }
            if let Some(due) = due {
                self.queued += usize::from(due.0.is_queue());
                self.deadlines.insert(due);
            }
        }
        self.relieve();
    }

    /// Memory is short: the slowest reader goes, or the oldest unfinished head or body, whichever
    /// kind it was that took most.
    pub(super) fn relieve(&mut self) {
        while self.budget.is_overdrawn() {
            let classes = self.budget.heaviest();
            let oldest = classes.iter().find_map(|class| self.deadlines.first(*class));
            let Some((_, _, key)) = oldest else { return };
            self.remove(key);
        }
    }

    fn park(&mut self, key: Key) {
        if let Some(visitor) = self.visitors.get_mut(key)
            && !visitor.parked
        {
            visitor.parked = true;
            self.parked.insert(key);
        }
    }

    /// Goes on with the bodies that had to stay in the kernel.
    pub(super) fn unpark(&mut self) {
        if !self.budget.is_ample() {
            return;
        }
        for key in std::mem::take(&mut self.parked) {
            if let Some(visitor) = self.visitors.get_mut(key) {
                visitor.parked = false;
                self.advance(key);
            }
        }
    }
}

impl Visitor {
    /// Reads once, if there may be something; true where more can be done.
    fn read(&mut self, moment: super::client::Moment<'_>, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.readable {
            return Ok(false);
        }
        match self.socket.read(buffer) {
            Ok(0) => self.client.end(moment),
            Ok(n) => {
                // A buffer that is not filled means that the socket is empty: there will be an
                // event for whatever comes next, but not for an end that is known already.
                self.readable = n == buffer.len() || self.ending;
                self.client.receive(moment, &buffer[..n]);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Writes what the connection takes; true where more can be done.
    fn write(
        &mut self,
        moment: super::client::Moment<'_>,
        registry: &Registry,
        key: Key,
    ) -> io::Result<bool> {
        match self.socket.write(self.client.output()) {
            Ok(n) => self.client.wrote(moment, n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !self.watches_writing {
                    self.watches_writing = true;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    registry.reregister(&mut self.socket, Token(key.number()), both)?;
                }
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}
