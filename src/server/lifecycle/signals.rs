//! What ends a server from without: signals. From within, a [`StopHandle`].

use std::io;

use mio::net::UnixStream;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use super::stop_handle::StopHandle;

/// What the server was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Told {
    Nothing,
    /// To finish what has begun, and end.
    Drain,
    /// To end at once: SIGTERM or SIGINT came again.
    End,
}

/// Tells the event loop of signals and of the handle, through a socket that it can wait for.
///
/// SIGHUP and SIGQUIT begin a drain like the others, but never end the process at once: systemd and terminals
/// send SIGHUP beside SIGTERM.
pub(in crate::server) struct Signals {
    delivery: SignalDelivery<UnixStream, SignalOnly>,
    stop: StopHandle,
    /// SIGTERM and SIGINT, so far.
    to_end: usize,
}

impl Signals {
    pub(in crate::server) fn catch(stop: StopHandle) -> io::Result<Signals> {
        let (woken, wakes) = stop.socket()?;
        let signals = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];
        let delivery = SignalDelivery::with_pipe(woken, wakes, SignalOnly, signals)?;
        Ok(Signals { delivery, stop, to_end: 0 })
    }

    /// The socket to wait for.
    pub(in crate::server) fn socket(&mut self) -> &mut UnixStream {
        self.delivery.get_read_mut()
    }

    /// What came since the last call.
    pub(in crate::server) fn take(&mut self) -> Told {
        let mut told = if self.stop.is_asked() { Told::Drain } else { Told::Nothing };
        for signal in self.delivery.pending() {
            told = Told::Drain;
            self.to_end += usize::from(matches!(signal, SIGTERM | SIGINT));
        }
        if self.to_end > 1 { Told::End } else { told }
    }
}
