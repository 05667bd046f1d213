//! Sealed sessions for synchronous Rust: people sign in and stay signed in, with no async runtime
//! anywhere in the dependency tree.
//!
//! | module | feature | what it gives |
//! |---|---|---|
//! | [`session`] | | sessions: one call a visit, from the cookie that came to the cookie that goes |
//! | [`seal`] | | the crypto module underneath: how a session becomes a cookie value |
//! | [`visitor`] | `visitor` | what header fields tell of a visitor, for whatever server |
//! | [`http`] | `server` | a thin layer of HTTP: request, response, router, form, files |
//! | [`server`] | `server` | a blocking accept loop and a fixed pool of workers, behind a front door |
//!
//! The default features build the `waxseal` binary. A library needs none of them for the sessions alone, and
//! `server` for a server.
//!
//! # From nothing to a signed-in page
//!
//! **1.** Add the crate:
//!
//! ```text
//! cargo add waxseal --no-default-features --features server
//! ```
//!
//! **2.** Make keys, once, and keep them: with others, all sessions are over. `openssl rand -hex 32`, twice, is right.
//!
//! **3.** Answer requests, each inside [`Sessions::handle`](session::Sessions::handle): it opens the session of the
//! cookie that came, and attaches the cookie that is due to the answer.
//!
//! ```no_run
//! # #[cfg(feature = "server")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use waxseal::http::{Form, Request, Response};
//! use waxseal::seal::Keyring;
//! use waxseal::server::{Config, listen, serve};
//! use waxseal::session::{Session, Sessions};
//!
//! fn page(sessions: &Sessions, session: &mut Session, request: &mut Request) -> Response {
//!     // The user's password, as you store it: hashed. Another one ends the sessions from before.
//!     let foo = sessions.fingerprint("foo", b"hash of foo's password");
//!     let is_foo = session.confirm(&foo);
//!     match (request.method().as_str(), request.path()) {
//!         ("GET", "/") if is_foo => Response::text(200, "Hello foo"),
//!         ("GET", "/") => Response::html(200, "<form method=post><input name=password><button>Sign in"),
//!         ("POST", "/") => match Form::read(request, 1024) {
//!             // Compare the password with its hash here, as the argon2 crate does it.
//!             Ok(form) if form.get("password") == Some("secret") => {
//!                 session.sign_in(&foo);
//!                 Response::redirect(303, "/")
//!             }
//!             _ => Response::text(403, "That was not right."),
//!         },
//!         _ => Response::text(404, "There is no such page."),
//!     }
//! }
//!
//! let keyring = Keyring::new(b"64 digits of your own, for example", b"64 other digits, for encryption.")?;
//! let sessions = Sessions::sealed(keyring);
//! serve(Config::new(listen(None, 5000)?), move |request| {
//!     let answered = sessions.handle(&request.visit(), |session| page(&sessions, session, request));
//!     answered.unwrap_or_else(|error| Response::text(503, error.to_string()))
//! })?;
//! # Ok(()) }
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! ```
//!
//! With another server, hand over the `Cookie` header, and implement [`Reply`](session::Reply) for its answer:
//! [`session`] shows it, and `examples/` has tiny_http and rouille.
//!
//! # Other crates in signatures
//!
//! [`session::Cookie`] and [`session::SameSite`] are those of the crate `cookie` 0.18, which is part of this API. With
//! the feature `json` the traits of `serde` 1 are, and with the feature `http` the types of `http` 1. A new major
//! version of one of them is a new version of this crate. No other crate's types are in a signature.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(all(any(feature = "server", feature = "sqlite"), not(unix)))]
compile_error!(
    "waxseal's feature `server` needs Unix, as sqlite does; the sessions work here: use --no-default-features"
);

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
