//! A connection with its socket, and what is kept about it.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown};

use mio::net::TcpStream;
use mio::{Interest, Registry};

use super::kernel_buffers::{self, WideBuffers};
use crate::server::connection::{Connection, Moment};
use crate::server::tokens::{ConnectionKey, TokenKey};

/// See the module's documentation.
pub(super) struct Entry {
    pub(super) socket: TcpStream,
    pub(super) address: IpAddr,
    pub(super) connection: Connection,
    /// There may be something to read.
    pub(super) readable: bool,
    /// The client's end of input is behind what can be read.
    pub(super) ending: bool,
    /// Both directions are over: no answer can be delivered.
    pub(super) broken: bool,
    /// Readiness to write is asked for, which it is only after a write that did not get through.
    watches_writing: bool,
    /// The kernel's buffer was full once, and its client has made room in it since.
    pub(super) is_wide: bool,
    /// The kernel's buffer is full: the client has to read before more can be written.
    pub(super) is_stalled: bool,
    has_moved: bool,
    /// Its body stays in the kernel until there is memory for it.
    pub(super) parked: bool,
    /// Bytes of its buffers that are counted.
    pub(super) counted: usize,
}

impl Entry {
    pub(super) fn new(socket: TcpStream, address: IpAddr, connection: Connection) -> Self {
        Entry {
            socket,
            address,
            connection,
            readable: false,
            ending: false,
            broken: false,
            watches_writing: false,
            is_wide: false,
            is_stalled: false,
            has_moved: false,
            parked: false,
            counted: 0,
        }
    }

    /// Reads once, if there may be something; true where more can be done.
    pub(super) fn read(&mut self, moment: Moment<'_>, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.readable {
            return Ok(false);
        }
        match self.socket.read(buffer) {
            Ok(0) => self.connection.end(moment),
            Ok(n) => {
                // A buffer that is not filled means that the socket is empty: there will be an
                // event for whatever comes next, but not for an end that is known already.
                self.readable = n == buffer.len() || self.ending;
                self.connection.receive(moment, &buffer[..n]);
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

    /// Writes what the socket takes; true where more can be done.
    pub(super) fn write(
        &mut self,
        moment: Moment<'_>,
        registry: &Registry,
        key: ConnectionKey,
    ) -> io::Result<bool> {
        let output = self.connection.output();
        let written = match self.is_wide {
            true => self.socket.write(output),
            false => kernel_buffers::write_narrow(&self.socket, output),
        };
        match written {
            Ok(n) => {
                self.has_moved |= self.is_stalled && n > 0;
                self.is_stalled = false;
                self.connection.wrote(moment, n);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.is_stalled = true;
                if !self.watches_writing {
                    self.watches_writing = true;
                    let both = Interest::READABLE | Interest::WRITABLE;
                    registry.reregister(&mut self.socket, key.token(), both)?;
                }
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// Widens the kernel's buffer once the client has made room in a full one.
    pub(super) fn widen(&mut self, wide_buffers: &mut WideBuffers) -> io::Result<()> {
        if self.has_moved && !self.is_wide {
            self.is_wide = wide_buffers.widen(&self.socket)?;
        }
        Ok(())
    }

    pub(super) fn shut_down(&mut self, moment: Moment<'_>) {
        // It fails if the client has gone, which the next read tells.
        let _ = self.socket.shutdown(Shutdown::Write);
        self.connection.shut_down(moment);
    }
}
