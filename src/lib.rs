//! Sealed sessions for synchronous Rust.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "server")]
pub mod http;
pub mod seal;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
