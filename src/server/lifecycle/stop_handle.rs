//! Ends a server from within its program.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends a server from another thread of its program, as SIGTERM does from without: what has begun is
/// finished. Clones are the same handle.
///
/// ```
/// use waxseal::http::Response;
/// use waxseal::server::{Config, StopHandle, listen, serve};
///
/// let stop = StopHandle::new()?;
/// let mut config = Config::new(listen(None, 0)?);
/// config.stop = Some(stop.clone());
/// let server = std::thread::spawn(|| serve(config, |_| Response::text(200, "Hello\n")));
/// stop.stop();
/// server.join().expect("no panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    is_asked: AtomicBool,
    woken: UnixStream,
    wakes: UnixStream,
}

impl StopHandle {
    /// A handle for [`Config::stop`](crate::server::Config::stop).
    ///
    /// # Errors
    ///
    /// Returns the operating system's error: there is no descriptor left.
    pub fn new() -> io::Result<StopHandle> {
        let (woken, wakes) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wakes.set_nonblocking(true)?;
        Ok(StopHandle(Arc::new(Shared { is_asked: AtomicBool::new(false), woken, wakes })))
    }

    /// Begins the drain of the server that has this handle; one that has yet to start drains at once.
    pub fn stop(&self) {
        self.0.is_asked.store(true, Ordering::Release);
        // Where the socket is full, the server is woken already.
        let _ = (&self.0.wakes).write(b"s");
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.is_asked.load(Ordering::Acquire)
    }

    /// The socket that is readable once something has happened, and the one to write to for that.
    pub(super) fn socket(&self) -> io::Result<(mio::net::UnixStream, UnixStream)> {
        let woken = mio::net::UnixStream::from_std(self.0.woken.try_clone()?);
        Ok((woken, self.0.wakes.try_clone()?))
    }
}
