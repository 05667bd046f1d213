//! The event loop over real sockets, turn by turn, with a clock of its own: nothing here sleeps, and
//! a deadline passes when a test says so.

mod lanes;
mod rig;
mod workers;
