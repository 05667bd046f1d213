//! How the server ends: at a signal, by a panic, or because it is stuck.

pub(super) mod panics;
pub(super) mod signals;
pub(super) mod watchdog;
