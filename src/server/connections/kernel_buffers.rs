//! The kernel's buffers of a connection: small, until its client has shown that it reads.
//!
//! Bytes in the kernel's buffers are memory too, which no limit of ours counts. By default a buffer grows
//! to megabytes; one of a set size does not grow. The kernel doubles what is asked for, for its own needs.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use log::debug;
use rustix::net::{SendFlags, send, sockopt};

/// Asked for at first, for what is sent: the first round trip of an answer takes 15 kB in any case (RFC 6928).
const NARROW: usize = 8 << 10;
/// Written at a time into such a buffer, which the kernel fills beyond its size with the last write.
const NARROW_WRITE: usize = 16 << 10;
/// Asked for, for what is received: a whole head, and half of the largest body. With half of it, a proxy on the same
/// machine, whose segments have 64 kB, would wait a fifth of a second for each.
const RECEIVED: usize = 32 << 10;
/// Asked for once a client has made room in a full buffer: enough for a megabyte a second at a round trip of
/// a tenth of a second.
const WIDE: usize = 128 << 10;
/// So many connections may have that at once, which takes 13 MiB.
const MOST_WIDE: usize = 48;
/// So many connections may have an answer that their kernel does not take; some 40 kB each.
pub(super) const MOST_STALLED: usize = 1000;

/// Sets the buffers of a socket that was accepted: not all kernels let it inherit them.
pub(super) fn narrow(socket: impl AsFd) {
    let set = sockopt::set_socket_send_buffer_size(&socket, NARROW)
        .and_then(|()| sockopt::set_socket_recv_buffer_size(&socket, RECEIVED));
    if let Err(error) = set {
        debug!(error:% = error; "the kernel's buffers cannot be set");
    }
}

/// Writes to a socket with a narrow buffer. Each write is a piece of its own (MSG_EOR), so that the kernel looks
/// at the buffer's size before it takes one: it would put many small answers into one piece of 64 kB.
pub(super) fn write_narrow(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let piece = &bytes[..bytes.len().min(NARROW_WRITE)];
    Ok(send(socket, piece, SendFlags::EOR | SendFlags::NOSIGNAL)?)
}

/// Makes the close of this socket a reset, which throws away what the client has not taken.
pub(super) fn reset_at_close(socket: impl AsFd) {
    // If it fails, the kernel keeps the bytes for some minutes.
    let _ = sockopt::set_socket_linger(socket, Some(Duration::ZERO));
}

/// Counts the connections with a wide buffer.
#[derive(Default)]
pub(super) struct WideBuffers(usize);

impl WideBuffers {
    /// Widens the send buffer of a socket whose client reads, if there is room for one more.
    pub(super) fn widen(&mut self, socket: impl AsFd) -> io::Result<bool> {
        if self.0 >= MOST_WIDE {
            return Ok(false);
        }
        sockopt::set_socket_send_buffer_size(socket, WIDE)?;
        self.0 += 1;
        Ok(true)
    }

    /// A connection with a wide buffer has gone.
    pub(super) fn release(&mut self) {
        self.0 -= 1;
    }
}
