//! What a request's header fields tell of its visitor, for whatever server: the address and the scheme behind
//! proxies, the cookies, and whether another site sent it.
//!
//! Fields that a visitor can write decide nothing, unless a trusted proxy wrote them. The server's own layer
//! ([`http`](crate::http), with the feature `server`) asks the same.
//!
//! ```
//! use waxseal::visitor::{TrustedProxies, Visitor, is_cross_site};
//!
//! // Of any server: its header fields as pairs, and the address of its TCP peer.
//! let headers = vec![("Host", "example.com"), ("Origin", "https://attacker.example")];
//! let proxies = TrustedProxies::NONE;
//! let visitor = Visitor::new(&headers, [192, 0, 2, 7].into(), &proxies);
//! assert!(!visitor.is_https());
//! assert!(is_cross_site("POST", &headers, None), "to be answered with 403");
//! ```

//!
//! With the feature `http`, the requests and answers of that crate, which many servers share:
//!
//! ```
//! # #[cfg(feature = "http")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use waxseal::seal::Keyring;
//! use waxseal::session::{HandleError, Sessions};
//! use waxseal::visitor::{TrustedProxies, Visitor};
//!
//! fn answer(sessions: &Sessions, request: &http::Request<()>) -> Result<http::Response<String>, HandleError> {
//!     let visitor = Visitor::new(request.headers(), [127, 0, 0, 1].into(), &TrustedProxies::NONE);
//!     sessions.handle(&visitor.visit(), |session| {
//!         let visits = session.get_as("visits").unwrap_or(0) + 1;
//!         let _ = session.insert("visits", visits);
//!         http::Response::new(format!("Visits: {visits}"))
//!     })
//! }
//!
//! let sessions = Sessions::sealed(Keyring::new(b"authentication key", b"0123456789abcdef")?);
//! let first = answer(&sessions, &http::Request::new(()))?;
//! let cookie = first.headers()["Set-Cookie"].to_str()?.split(';').next().unwrap_or_default();
//! let second = http::Request::builder().header("Cookie", cookie).body(())?;
//! assert_eq!(answer(&sessions, &second)?.body(), "Visits: 2");
//! # Ok(()) }
//! # #[cfg(not(feature = "http"))]
//! # fn main() {}
//! ```

pub(crate) mod cookies;
mod cross_site;
mod headers;
mod origin;
mod proxies;
#[expect(clippy::module_inception, reason = "it holds the type of this name")]
mod visitor;

pub use cross_site::is_cross_site;
pub use headers::Headers;
pub use origin::{Origin, ParseOriginError};
pub use proxies::{ParseProxiesError, TrustedProxies};
pub use visitor::Visitor;
