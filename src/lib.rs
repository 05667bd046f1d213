//! Sealed sessions for synchronous Rust.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod seal;
pub mod session;
