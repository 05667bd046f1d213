//! The thin layer for handlers: what came, what goes back, and which function answers.
//!
//! Knows nothing of sessions and nothing of pages.

pub mod assets;
mod coding;
mod cross_site;
mod date;
mod error;
mod extensions;
mod form;
mod head;
mod method;
mod origin;
mod pattern;
mod proxies;
mod reason;
mod request;
mod request_builder;
mod response;
mod router;

pub use cross_site::refuse_cross_site;
pub use error::Error;
pub use form::{Form, FormError};
pub use method::Method;
pub use origin::{Origin, ParseOriginError};
pub use proxies::{ParseProxiesError, TrustedProxies};
pub use request::Request;
pub use request_builder::RequestBuilder;
pub use response::Response;
pub use router::{Route, Router};

pub(crate) use head::{Head, Span};
pub(crate) use reason::reason_phrase;
