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
//! **2.** Make two keys, once, and keep them where the program gets its settings: with other keys, all sessions are
//! over. `openssl rand -hex 32`, twice, is right.
//!
//! ```text
//! export SESSION_AUTHENTICATION_KEY=$(openssl rand -hex 32) SESSION_ENCRYPTION_KEY=$(openssl rand -hex 32)
//! ```
//!
//! **3.** Answer requests, each inside [`Sessions::handle`](session::Sessions::handle): it opens the session of the
//! cookie that came, and attaches the cookie that is due to the answer.
//!
//! ```no_run
//! # #[cfg(feature = "server")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::env;
//! use waxseal::http::{Error, Form, Method, Request, Response, refuse_cross_site};
//! use waxseal::seal::Keyring;
//! use waxseal::server::{Config, listen, serve};
//! use waxseal::session::{Session, Sessions};
//!
//! fn page(sessions: &Sessions, session: &mut Session, request: &mut Request) -> Result<Response, Error> {
//!     // Of a user's password you store the hash. Another one ends the sessions from before.
//!     let foo = sessions.fingerprint("foo", b"hash of foo's password");
//!     let page = match (request.method(), request.path()) {
//!         (Method::Get | Method::Head, "/") if session.confirm(&foo) => Response::html(
//!             200,
//!             "Hello foo <form action=/out method=post><button>Sign out</button></form>",
//!         ),
//!         (Method::Get | Method::Head, "/") => Response::html(
//!             200,
//!             "<form action=/in method=post><input name=password type=password><button>Sign in</button></form>",
//!         ),
//!         (Method::Post, "/in") => {
//!             // Compare the password with its hash here, as the argon2 crate does it.
//!             if Form::read(request, 1024)?.get("password") != Some("secret") {
//!                 return Err(Error::new(403, "That was not right."));
//!             }
//!             session.sign_in(&foo);
//!             Response::redirect(303, "/")
//!         }
//!         (Method::Post, "/out") => {
//!             session.destroy();
//!             Response::redirect(303, "/")
//!         }
//!         _ => return Err(Error::NotFound),
//!     };
//!     Ok(page.with_header("Cache-Control", "no-store"))
//! }
//!
//! let keyring = Keyring::new(
//!     env::var("SESSION_AUTHENTICATION_KEY")?.as_bytes(),
//!     env::var("SESSION_ENCRYPTION_KEY")?.as_bytes(),
//! )?;
//! let sessions = Sessions::sealed(keyring);
//! let listener = listen(Some([127, 0, 0, 1].into()), 5000)?;
//! println!("http://{}", listener.local_addr()?);
//! serve(Config::new(listener), move |request| {
//!     // No page of another site signs anybody in or out.
//!     if let Err(error) = refuse_cross_site(request, None) {
//!         return error.into();
//!     }
//!     let handled = sessions.handle(&request.visit(), |session| {
//!         page(&sessions, session, request).unwrap_or_else(Response::from)
//!     });
//!     handled.unwrap_or_else(|error| {
//!         eprintln!("{error}: {}", std::error::Error::source(&error).map_or_else(String::new, |e| e.to_string()));
//!         Error::Unavailable.into()
//!     })
//! })?;
//! # Ok(()) }
//! # #[cfg(not(feature = "server"))]
//! # fn main() {}
//! ```
//!
//! The server logs through the crate `log`: add any logger to see it. Behind a proxy that ends TLS, set
//! [`Config::trusted_proxies`](server::Config::trusted_proxies): then cookies are `Secure`.
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
