//! SIGTERM and SIGINT: the first begins a drain, the second ends the process at once.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

/// The exit code after a second signal.
const EXIT_CODE: i32 = 1;

/// Tells the event loop of signals, through a socket that it can wait for.
pub(in crate::server) struct Signals {
    pub(in crate::server) socket: mio::net::UnixStream,
    armed: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl Signals {
    pub(in crate::server) fn catch() -> io::Result<Signals> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let armed = Arc::new(AtomicBool::new(false));
        let mut registered = Vec::new();
        for signal in [SIGTERM, SIGINT] {
            // Once armed, the process ends in the signal's own handler, whatever the loop does.
            registered.push(flag::register_conditional_shutdown(
                signal,
                EXIT_CODE,
                Arc::clone(&armed),
            )?);
            registered.push(low_level::pipe::register(signal, write.try_clone()?)?);
        }
        Ok(Signals { socket: mio::net::UnixStream::from_std(read), armed, registered })
    }

    /// Each byte that comes through `socket` is a signal; what the process gets is not caught.
    #[cfg(test)]
    pub(in crate::server) fn through(socket: mio::net::UnixStream) -> Signals {
        Signals { socket, armed: Arc::default(), registered: Vec::new() }
    }

    /// How many signals came since the last call.
    pub(in crate::server) fn count(&mut self) -> usize {
        let mut bytes = [0; 16];
        self.socket.read(&mut bytes).unwrap_or(0)
    }

    /// From here on a signal ends the process at once.
    pub(in crate::server) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            low_level::unregister(id);
        }
    }
}
