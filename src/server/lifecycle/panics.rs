//! Ends the process after a panic outside the workers.
//!
//! A worker's costs one answer. Anywhere else in the serving threads it would leave a server that
//! is half alive, so the process ends, and whoever runs it starts it again.

use std::sync::OnceLock;
use std::{panic, process, thread};

/// The name of the pool's threads.
pub(in crate::server) const WORKER: &str = "worker";
/// The name of the thread in the accept loop.
pub(in crate::server) const ACCEPT: &str = "accept";

/// The exit code of a process that cannot serve any more (EX_SOFTWARE).
const EXIT_CODE: i32 = 70;

type CleanUp = Box<dyn Fn() + Send + Sync>;

/// Removes the files that must not be left behind when the process ends at once.
static CLEAN_UP: OnceLock<CleanUp> = OnceLock::new();

/// Makes a panic of the calling thread (the event loop), of the accept loop, or of tiny_http's threads,
/// which are the ones without a name, end the process, after `clean_up`.
pub(in crate::server) fn install(clean_up: impl Fn() + Send + Sync + 'static) {
    // A second server in one process leaves the first one's in place; nothing breaks.
    let _ = CLEAN_UP.set(Box::new(clean_up));
    let event_loop = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        before(info);
        let thread = thread::current();
        let name = match thread.name() {
            _ if thread.id() == event_loop => "event loop",
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
    if let Some(clean_up) = CLEAN_UP.get() {
        clean_up();
    }
    process::exit(EXIT_CODE)
}
