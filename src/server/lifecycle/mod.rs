//! How the server ends: at a signal, or because it is stuck.

pub(super) mod signals;
pub(super) mod watchdog;
