//! Requests, seen through trusted proxies.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::extensions::Extensions;
use super::head::Head;
use super::pattern::Params;
use super::{Method, RequestBuilder};
use crate::session::{Scheme, Visit};
use crate::visitor::{Headers, TrustedProxies, cookies};

/// A whole request, as handlers see it.
///
/// ```
/// use waxseal::http::{Error, Request, Response};
///
/// fn who(_: &(), request: &mut Request) -> Result<Response, Error> {
///     let scheme = if request.is_https() { "https" } else { "http" };
///     let agent = request.header("User-Agent").unwrap_or("nothing");
///     let text = format!("{} came by {scheme} with {agent}", request.address());
///     Ok(Response::text(200, text))
/// }
///
/// // A test needs no socket.
/// let mut request = Request::builder().header("User-Agent", "a test").build();
/// let response = who(&(), &mut request)?;
/// assert_eq!(response.body(), b"127.0.0.1 came by http with a test");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct Request {
    head: Head,
    body: Vec<u8>,
    peer: IpAddr,
    proxies: TrustedProxies,
    id: OnceCell<String>,
    params: Params,
    extensions: Extensions,
}

impl Request {
    /// A request that came from the TCP peer `peer`.
    pub(crate) fn new(head: Head, body: Vec<u8>, peer: IpAddr, proxies: TrustedProxies) -> Request {
        Request {
            head,
            body,
            peer,
            proxies,
            id: OnceCell::new(),
            params: Params::new(),
            extensions: Extensions::default(),
        }
    }

    /// Builds a request without a socket: for tests, and for programs with a server of their own.
    #[must_use]
    pub fn builder() -> RequestBuilder {
        RequestBuilder::new()
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> Method {
        self.head.method()
    }

    /// Its target in origin form: the path, and the query where there is one. It is not decoded.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.target()
    }

    /// Its path, not decoded, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The value of the first field of the query with this name, decoded.
    ///
    /// A query is read as forms are: `+` is a space, and what is no UTF-8 is replaced (U+FFFD).
    ///
    /// ```
    /// use waxseal::http::Request;
    ///
    /// let request = Request::builder().target("/search?q=sealing+wax&tag=a%26b&tag=c").build();
    /// assert_eq!(request.query("q").as_deref(), Some("sealing wax"));
    /// assert_eq!(request.query("page"), None);
    /// assert_eq!(request.query_all("tag").collect::<Vec<_>>(), ["a&b", "c"]);
    /// assert_eq!(request.query_pairs().count(), 3);
    /// ```
    #[must_use]
    pub fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value)
    }

    /// The values of all fields of the query with this name, decoded, in order. [`Request::query`] has an
    /// example.
    pub fn query_all<'r>(&'r self, name: &str) -> impl Iterator<Item = Cow<'r, str>> {
        self.query_pairs().filter(move |(found, _)| found == name).map(|(_, value)| value)
    }

    /// The names and values of the query, decoded, in order. [`Request::query`] has an example.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        let query = self.target().split_once('?').map_or("", |(_, query)| query);
        form_urlencoded::parse(query.as_bytes())
    }

    /// The parameter `:name` of the path, by the router's row, decoded: one part of the path, never empty. It
    /// may hold any character, a slash too (`%2F`). `None` where the row has none of this name.
    ///
    /// ```
    /// use waxseal::http::{Error, Request, Response};
    ///
    /// fn show(_: &(), request: &mut Request) -> Result<Response, Error> {
    ///     let name = request.param("name").ok_or(Error::NotFound)?;
    ///     Ok(Response::text(200, format!("This is {name}.")))
    /// }
    ///
    /// // `Router` sets it; in a test of `show` alone, the builder does.
    /// let mut request = Request::builder().param("name", "Eve").build();
    /// assert_eq!(show(&(), &mut request)?.body(), b"This is Eve.");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(found, _)| *found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn set_params(&mut self, params: Params) {
        self.params = params;
    }

    /// The values of all header fields with this name, in order. A value is bytes, which need not
    /// be UTF-8 (RFC 9110, section 5.5).
    pub fn headers<'h>(&'h self, name: &str) -> impl DoubleEndedIterator<Item = &'h [u8]> + Clone {
        self.head.values(name)
    }

    /// The value of the first header field with this name; `None` where it is not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.values(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// All cookies, as one `Cookie` header; empty where there are none.
    ///
    /// A pair that is not UTF-8 is left out, so that one that another site planted does not hide
    /// the others.
    #[must_use]
    pub fn cookies(&self) -> Cow<'_, str> {
        cookies::joined(self.head.values("Cookie"))
    }

    /// The request as [`Sessions::handle`](crate::session::Sessions::handle) takes it.
    ///
    /// ```
    /// use waxseal::http::{Request, Response};
    /// use waxseal::session::{HandleError, Sessions};
    ///
    /// fn home(sessions: &Sessions, request: &Request) -> Result<Response, HandleError> {
    ///     sessions.handle(&request.visit(), |session| match session.get("theme") {
    ///         Some(theme) => Response::text(200, format!("Your theme is {theme}.")),
    ///         None => Response::redirect(303, "/themes"),
    ///     })
    /// }
    /// ```
    #[must_use]
    pub fn visit(&self) -> Visit<'static> {
        let scheme = if self.is_https() { Scheme::Https } else { Scheme::Http };
        let visit = Visit::new(self.cookies().into_owned(), scheme);
        match self.header("Host") {
            Some(host) => visit.to_host(host.to_owned()),
            None => visit,
        }
    }

    /// The visitor's address, through trusted proxies.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.proxies.address(self.peer, self.head.values("X-Forwarded-For"))
    }

    /// Whether it was sent on this machine, by a process that speaks for itself: the TCP peer is a
    /// loopback address, and no proxy has left a trace.
    #[must_use]
    pub fn is_local(&self) -> bool {
        const TRACES: [&str; 6] = [
            "Forwarded",
            "Via",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Real-IP",
        ];
        let is_forwarded = TRACES.iter().any(|name| self.headers(name).next().is_some());
        self.peer.to_canonical().is_loopback() && !is_forwarded
    }

    /// Whether the visitor came by HTTPS, as far as a trusted proxy says so.
    #[must_use]
    pub fn is_https(&self) -> bool {
        let values = |name| self.head.values(name);
        self.proxies.is_https(self.peer, values("X-Forwarded-For"), values("X-Forwarded-Proto"))
    }

    /// The id of this request in logs: `X-Request-ID` where it is 1 to 128 of
    /// `[A-Za-z0-9_-]`, else something fresh.
    #[must_use]
    pub fn id(&self) -> &str {
        let sent = self.header("X-Request-ID").filter(|id| is_request_id(id));
        sent.unwrap_or_else(|| self.id.get_or_init(fresh_id))
    }

    /// Hands a value on to whoever sees the request next: a function around the router tells handlers who the
    /// user is. There is one value of each type, so a type of one's own keeps it apart from others'; a value of the
    /// same type that was there before comes back.
    ///
    /// ```
    /// use waxseal::http::{Error, Request, Response, Route, Router};
    ///
    /// struct User(String);
    ///
    /// fn signed_in(router: &Router<()>, request: &mut Request) -> Result<Response, Error> {
    ///     let user = User("foo".to_owned()); // as the session says
    ///     request.insert(user);
    ///     router.dispatch(&(), request)
    /// }
    ///
    /// fn home(_: &(), request: &mut Request) -> Result<Response, Error> {
    ///     let User(name) = request.extension().ok_or(Error::NotFound)?;
    ///     Ok(Response::text(200, format!("Hello {name}")))
    /// }
    ///
    /// let router = Router::new([Route::get("/", home)]);
    /// let mut request = Request::builder().build();
    /// assert_eq!(signed_in(&router, &mut request)?.body(), b"Hello foo");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn insert<T: Send + 'static>(&mut self, value: T) -> Option<T> {
        self.extensions.insert(value)
    }

    /// The value of this type that was handed on with [`Request::insert`], which has an example.
    #[must_use]
    pub fn extension<T: 'static>(&self) -> Option<&T> {
        self.extensions.get()
    }

    /// Its body, whole, without any transfer coding; empty where there is none. Behind the front
    /// door it is within [`Limits::body`](crate::server::Limits::body).
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Headers for Request {
    fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.head.values(name)
    }
}

fn is_request_id(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=128).contains(&id.len()) && id.bytes().all(allowed)
}

/// Unique among all processes by a random beginning, without a system call a request.
fn fresh_id() -> String {
    static PROCESS: LazyLock<u64> =
        LazyLock::new(|| getrandom::u64().unwrap_or_else(|_| std::process::id().into()));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{:016x}-{}", *PROCESS, COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(fields: &[(&str, &[u8])]) -> Request {
        let builder =
            Request::builder().target("/a/b?c=/d").trusted_proxies(TrustedProxies::count(1));
        let add =
            |builder: RequestBuilder, (name, value): &(&str, &[u8])| builder.header(*name, *value);
        fields.iter().fold(builder, add).build()
    }

    #[test]
    fn the_path_ends_at_the_query() {
        let request = with(&[]);
        assert_eq!((request.path(), request.target()), ("/a/b", "/a/b?c=/d"));
    }

    #[test]
    fn a_query_is_taken_apart_and_decoded() {
        let pairs = |target: &str| {
            let request = Request::builder().target(target).build();
            let pairs = request.query_pairs().map(|(name, value)| format!("{name}={value}"));
            pairs.collect::<Vec<_>>()
        };
        assert_eq!(pairs("/"), [""; 0]);
        assert_eq!(pairs("/?"), [""; 0]);
        assert_eq!(pairs("/?a=1&&b&=c&a=d=e?f"), ["a=1", "b=", "=c", "a=d=e?f"]);
        assert_eq!(pairs("/?%C3%A9=+%2B&x=%ff%zz"), ["\u{e9}= +", "x=\u{fffd}%zz"]);
    }

    #[test]
    fn several_cookie_fields_are_one() {
        assert_eq!(with(&[]).cookies(), "");
        assert_eq!(with(&[("cookie", b"a=1")]).cookies(), "a=1");
        let three: [(&str, &[u8]); 3] = [("cookie", b"a=1"), ("Cookie", b"b=2"), ("COOKIE", b"c")];
        assert_eq!(with(&three).cookies(), "a=1; b=2; c");
    }

    #[test]
    fn a_pair_that_is_not_utf_8_hides_no_other() {
        assert_eq!(with(&[("Cookie", b"a=1; b=\xff; c=3")]).cookies(), "a=1; c=3");
        assert_eq!(with(&[("Cookie", b"a=\xff")]).cookies(), "");
        let two: [(&str, &[u8]); 2] = [("Cookie", b"a=\xff; b=2"), ("Cookie", b"c=\xc3\xa9")];
        assert_eq!(with(&two).cookies(), "b=2; c=é");
    }

    #[test]
    fn a_value_is_bytes_and_text_only_where_it_is_utf_8() {
        let request = with(&[("X", b"\xff"), ("X", b"1"), ("Y", b"\xc3\xa9")]);
        assert_eq!(request.headers("x").collect::<Vec<_>>(), [&b"\xff"[..], b"1"]);
        assert_eq!((request.header("x"), request.header("y")), (None, Some("é")));
    }

    /// A visitor may put any byte to the left of what a proxy appends.
    #[test]
    fn a_byte_that_is_not_ascii_hides_no_address_and_no_trace() {
        let request = with(&[("X-Forwarded-For", b"\xff, 192.0.2.7")]);
        assert_eq!(request.address().to_string(), "192.0.2.7");
        assert!(!request.is_local());
        assert!(!with(&[("X-Forwarded-For", b"\xff")]).is_local());
        assert!(with(&[("X-Forwarded-Proto", b"\xff, https")]).is_https());
    }

    #[test]
    fn a_request_id_that_could_forge_a_log_line_is_not_taken() {
        for id in ["a", "0123-abc_DEF", &"x".repeat(128)] {
            assert_eq!(with(&[("X-Request-ID", id.as_bytes())]).id(), id);
        }
        for id in ["", "a b", "a\"b", "a=b", "a\tb", "é", &"x".repeat(129)] {
            assert_ne!(with(&[("X-Request-ID", id.as_bytes())]).id(), id);
        }
    }

    #[test]
    fn a_fresh_request_id_is_one_for_the_request_and_another_for_the_next() {
        let (first, second) = (with(&[]), with(&[]));
        assert_eq!(first.id(), first.id());
        assert_ne!(first.id(), second.id());
    }
}
