//! Ends the process after a panic outside the workers.
//!
//! A worker's costs one answer. Anywhere else in the serving threads it would leave a server that
//! is half alive, so the process ends, and whoever runs it starts it again.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::{panic, process, thread};

use crate::server::backend::backend_socket;

/// The name of the pool's threads.
pub(in crate::server) const WORKER: &str = "worker";
/// The name of the thread in the accept loop.
pub(in crate::server) const ACCEPT: &str = "accept";

/// The exit code of a process that cannot serve any more (EX_SOFTWARE).
const EXIT_CODE: i32 = 70;

/// The directory that must not be left behind when the process ends at once.
static DIRECTORY: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Makes a panic of the calling thread (the event loop), of the accept loop, or of tiny_http's threads,
/// which are the ones without a name, end the process.
pub(in crate::server) fn install(directory: Option<PathBuf>) {
    // A second server in one process keeps the first one's directory in mind; nothing breaks.
    let _ = DIRECTORY.set(directory);
    let front = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        before(info);
        let thread = thread::current();
        let name = match thread.name() {
            _ if thread.id() == front => "event loop",
            None => "tiny_http",
            Some(ACCEPT) => ACCEPT,
            Some(_) => return,
        };
        fatal(&format!("a panic in the {name} thread"));
    }));
}

/// Ends the process with a clear line.
pub(in crate::server) fn fatal(why: &str) -> ! {
    if log::log_enabled!(log::Level::Error) {
        log::error!(reason = why, exit_code = EXIT_CODE; "the server cannot go on");
    } else {
        eprintln!("the server cannot go on: {why}; exit code {EXIT_CODE}");
    }
    if let Some(Some(directory)) = DIRECTORY.get() {
        backend_socket::remove(directory);
    }
    process::exit(EXIT_CODE)
}
