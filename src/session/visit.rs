//! What sessions need to know of a request, and do to its answer.

use std::borrow::Cow;

use super::Scheme;

/// A request, as far as sessions need to know it.
///
/// ```
/// use waxseal::session::{Scheme, Visit};
///
/// let visit = Visit::new("theme=dark; waxseal=…", Scheme::Http).to_host("example.com:5000");
/// # let _ = visit;
/// ```
#[derive(Clone, Debug)]
pub struct Visit<'r> {
    pub(super) cookies: Cow<'r, str>,
    pub(super) scheme: Scheme,
    pub(super) host: Option<Cow<'r, str>>,
}

impl<'r> Visit<'r> {
    /// A request with this `Cookie` header (empty where there was none; several lines are joined by `; `) that
    /// came this way.
    pub fn new(cookie_header: impl Into<Cow<'r, str>>, scheme: Scheme) -> Visit<'r> {
        Visit { cookies: cookie_header.into(), scheme, host: None }
    }

    /// The same, sent to this `Host`: cookies that an earlier [`Settings::domain`](super::Settings::domain) left in
    /// the browser then go at a sign-in and a sign-out.
    #[must_use]
    pub fn to_host(self, host: impl Into<Cow<'r, str>>) -> Visit<'r> {
        Visit { host: Some(host.into()), ..self }
    }
}

/// An answer to which [`Sessions::handle`](super::Sessions::handle) can attach a cookie.
///
/// Waxseal's own [`Response`](crate::http::Response) is one. For the answer of another server it takes a type
/// around it:
///
/// ```
/// # struct Response { status: u16, headers: Vec<(String, String)> } // of some server
/// struct Page(Response);
///
/// impl waxseal::session::Reply for Page {
///     fn status(&self) -> u16 {
///         self.0.status
///     }
///
///     fn add_header(&mut self, name: &'static str, value: String) {
///         self.0.headers.push((name.to_owned(), value));
///     }
/// }
/// ```
pub trait Reply {
    /// Its status: after 500 and above, only those changes of a session are saved that must hold.
    fn status(&self) -> u16;

    /// Adds a header field: `Set-Cookie` beside those that are there, `Cache-Control` in place of another.
    fn add_header(&mut self, name: &'static str, value: String);
}

#[cfg(feature = "http")]
impl<B> Reply for http::Response<B> {
    fn status(&self) -> u16 {
        http::Response::status(self).as_u16()
    }

    fn add_header(&mut self, name: &'static str, value: String) {
        // Cookies and our own words are visible ASCII, which every field takes.
        let Ok(value) = http::HeaderValue::try_from(value) else { return };
        match name {
            "Set-Cookie" => drop(self.headers_mut().append(name, value)),
            _ => drop(self.headers_mut().insert(name, value)),
        }
    }
}
