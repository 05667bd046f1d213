//! Ends a server from within its program.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Ends servers from another thread of their program, as SIGTERM does from without: what has begun is
/// finished. Clones are the same handle, and several servers may have it.
///
/// ```
/// use waxseal::http::Response;
/// use waxseal::server::{Config, StopHandle, listen, serve};
///
/// let stop = StopHandle::new();
/// let mut config = Config::new(listen(None, 0)?);
/// config.stop = Some(stop.clone());
/// let server = std::thread::spawn(|| serve(config, |_| Response::text(200, "Hello\n")));
/// stop.stop();
/// server.join().expect("no panic")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_asked: AtomicBool,
    /// One for each server that has the handle: a byte wakes it.
    wakers: Mutex<Vec<UnixStream>>,
}

impl StopHandle {
    /// A handle for [`Config::stop`](crate::server::Config::stop).
    #[must_use]
    pub fn new() -> StopHandle {
        StopHandle::default()
    }

    /// Begins the drain of all servers that have this handle; one that has yet to start drains at once.
    pub fn stop(&self) {
        self.0.is_asked.store(true, Ordering::Release);
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // One that has ended is forgotten. One whose socket is full is woken already.
        wakers.retain_mut(|waker| match waker.write(b"s") {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        });
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.is_asked.load(Ordering::Acquire)
    }

    /// A socket that is readable once something has happened, and the one to write to for that.
    pub(super) fn socket(&self) -> io::Result<(mio::net::UnixStream, UnixStream)> {
        let (woken, wakes) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        wakes.set_nonblocking(true)?;
        let waker = wakes.try_clone()?;
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner).push(waker);
        Ok((mio::net::UnixStream::from_std(woken), wakes))
    }
}
