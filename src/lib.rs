//! Sealed sessions for synchronous Rust: people sign in and stay signed in, with no async runtime
//! anywhere in the dependency tree.
//!
//! | module | what it gives |
//! |---|---|
//! | [`session`] | sessions: load one from a `Cookie` header, save it into a `Set-Cookie` |
//! | [`seal`] | the crypto module underneath: how a session becomes a cookie value |
//! | [`http`] | a thin layer of HTTP: request, response, router, form, assets |
//! | [`server`] | a blocking accept loop and a fixed pool of workers, behind a front door |
//!
//! The last two come with the Cargo feature `server`, which is on by default and also builds the
//! `waxseal` binary. Without default features the crate is the first two alone, for any program that
//! can hand over a `Cookie` header and take a `Set-Cookie`.
//!
//! ```
//! use waxseal::seal::Keyring;
//! use waxseal::session::{Scheme, Sessions};
//!
//! let keyring = Keyring::new(b"authentication: any length", b"encryption: 16, 24, 32 and above")?;
//! let sessions = Sessions::sealed(keyring);
//!
//! let mut session = sessions.load("waxseal=from the Cookie header", Scheme::Http)?;
//! let visits = session.parse("visits").unwrap_or(0) + 1;
//! session.insert("visits", visits)?;
//! if let Some(cookie) = sessions.save(&mut session)? {
//!     println!("Set-Cookie: {cookie}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(feature = "server")]
pub mod http;
pub mod seal;
#[cfg(feature = "server")]
pub mod server;
pub mod session;
#[cfg(feature = "visitor")]
pub mod visitor;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
