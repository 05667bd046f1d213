//! Accepting connections.

use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use log::{debug, error};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};

use super::entry::Entry;
use super::{Connections, Moment, kernel_buffers};
use crate::server::connection::Connection;
use crate::server::listener::BACKLOG;
use crate::server::subscriber::Subscriber;
use crate::server::tokens::LISTENER;

/// Connections accepted before others get their turn.
const AT_ONCE: usize = 64;
/// The pause after accepting has failed.
const PAUSE: Duration = Duration::from_millis(500);

/// The listener, and whether it is worth asking.
pub(super) struct Acceptor {
    listener: TcpListener,
    /// Another process accepts from it too, or will.
    pub(super) is_shared: bool,
    /// There may be connections to accept.
    pending: bool,
    /// Accepting failed, which has been logged.
    failing: bool,
    /// When to try again after a failure.
    again_at: Option<Instant>,
}

impl Acceptor {
    pub(super) fn new(
        listener: std::net::TcpListener,
        is_shared: bool,
        registry: &Registry,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // Accepted sockets inherit it, which saves a call for each. Where they do not, answers are
        // still written whole.
        if let Err(error) = rustix::net::sockopt::set_tcp_nodelay(&listener, true) {
            debug!(error:% = error; "TCP_NODELAY cannot be set");
        }
        let mut listener = TcpListener::from_std(listener);
        registry.register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Acceptor { listener, is_shared, pending: true, failing: false, again_at: None })
    }

    pub(super) fn again_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// A descriptor is free again, for want of which accepting may have failed.
    pub(super) fn descriptor_is_free(&mut self) {
        self.pending |= self.failing;
    }

    fn accept(&mut self, now: Instant) -> Option<(TcpStream, IpAddr)> {
        while self.pending {
            match self.listener.accept() {
                Ok((socket, address)) => {
                    self.failing = false;
                    return Some((socket, address.ip()));
                }
                Err(error) => self.failed(now, &error),
            }
        }
        None
    }

    fn failed(&mut self, now: Instant, error: &io::Error) {
        match error.kind() {
            ErrorKind::WouldBlock => self.pending = false,
            // That one has left again.
            ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
            _ => {
                if !self.failing {
                    error!(error:% = error; "accepting is paused");
                }
                self.failing = true;
                self.pending = false;
                self.again_at = Some(now + PAUSE);
            }
        }
    }
}

impl Connections {
    /// There may be connections to accept.
    pub(in crate::server) fn newcomers(&mut self) {
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.pending = true;
        }
    }

    /// Accepts connections; true where there may be more, which do not wait for an event.
    pub(in crate::server) fn accept(&mut self, now: Instant) -> bool {
        if let Some(acceptor) = &mut self.acceptor
            && acceptor.again_at.take_if(|due| *due <= now).is_some()
        {
            acceptor.pending = true;
        }
        for _ in 0..AT_ONCE {
            // Without room, not even in place of another, a connection stays in the backlog.
            let has_room =
                self.admission.has_room(self.entries.len()) || self.evictable().is_some();
            let Some(acceptor) = self.acceptor.as_mut().filter(|_| has_room) else { return false };
            let Some((socket, address)) = acceptor.accept(now) else { return false };
            self.let_in(now, socket, address);
        }
        true
    }

    /// Accepts no more. Connections that were made already are let in, unless another process has the same
    /// socket: a request may have come over them.
    pub(super) fn stop_accepting(&mut self, now: Instant) {
        if self.acceptor.as_ref().is_some_and(|acceptor| !acceptor.is_shared) {
            self.newcomers();
            for _ in 0..=BACKLOG / AT_ONCE {
                self.accept(now);
            }
        }
        // The kernel tells of a socket as long as any process has it.
        if let Some(mut acceptor) = self.acceptor.take()
            && let Err(error) = self.registry.deregister(&mut acceptor.listener)
        {
            debug!(error:% = error; "the listener cannot be deregistered");
        }
    }

    /// So many lanes more than workers need descriptors: connections make room for them. False where there is
    /// no such room yet.
    pub(in crate::server) fn make_room_for_lanes(&mut self, extra_lanes: usize) -> bool {
        let can_lend = self.admission.lend(extra_lanes);
        while self.entries.len() > self.admission.limit()
            && let Some(key) = self.evictable()
        {
            self.remove(key);
        }
        can_lend && self.entries.len() <= self.admission.limit()
    }

    fn evictable(&mut self) -> Option<super::ConnectionKey> {
        self.eviction.first(|key| self.entries.get(key).map(|entry| &entry.connection))
    }

    fn let_in(&mut self, now: Instant, socket: TcpStream, address: IpAddr) {
        let subscriber = Subscriber::of(address);
        if !self.proxies.believes(address) && !self.admission.enter(subscriber) {
            self.crowding.tell(now, address);
            let Some(other) = self.crowding.first(now, subscriber, &self.entries) else { return };
            self.remove(other);
            self.admission.enter(subscriber);
        }
        if !self.admission.has_room(self.entries.len())
            && let Some(other) = self.evictable()
        {
            self.remove(other);
        }
        kernel_buffers::narrow(&socket);
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase: self.phase };
        let key = self.entries.insert(Entry::new(socket, address, Connection::new(moment)));
        let token = self.keys.note(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        match self.registry.register(&mut entry.socket, token, Interest::READABLE) {
            Ok(()) => self.settle(now, key),
            Err(error) => {
                error!(error:% = error; "a connection cannot be registered");
                self.remove(key);
            }
        }
    }
}
