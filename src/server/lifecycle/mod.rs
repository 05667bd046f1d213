//! How the server ends: at a signal, when its program says so, or because it is stuck.

pub(super) mod drain;
pub(super) mod signals;
pub(super) mod stop_handle;
pub(super) mod watchdog;
