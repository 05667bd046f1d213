//! SIGTERM and SIGINT: stop accepting, finish what has begun.

use std::io;
use std::sync::Arc;
use std::thread;

use log::info;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Exit code of a process that is told twice to stop.
const FORCED: i32 = 1;

/// Ends the accept loop of `server` at the first signal, the process at the second.
pub(super) fn on_signal(server: Arc<tiny_http::Server>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut signals = signals.forever();
        if signals.next().is_some() {
            info!("stopping");
            server.unblock();
        }
        if signals.next().is_some() {
            std::process::exit(FORCED);
        }
    })?;
    Ok(())
}
