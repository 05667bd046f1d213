//! The readiness of a socket, as the kernel reports it.

use mio::event::Event;

/// The content of one event.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Readiness {
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The other end has sent its last byte.
    pub(super) read_closed: bool,
    /// Both directions are over.
    pub(super) is_over: bool,
}

impl From<&Event> for Readiness {
    fn from(event: &Event) -> Self {
        Readiness {
            readable: event.is_readable() || event.is_read_closed(),
            writable: event.is_writable(),
            read_closed: event.is_read_closed(),
            is_over: event.is_error() || event.is_write_closed(),
        }
    }
}
