//! What came: a view of tiny_http's request, through trusted proxies.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::io::Read;
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tiny_http::Method;

use super::TrustedProxies;

/// A request, as handlers see it.
///
/// ```
/// use waxseal::http::{Error, Request, Response};
///
/// fn who(_: &(), request: &mut Request<'_>) -> Result<Response, Error> {
///     let scheme = if request.is_https() { "https" } else { "http" };
///     let agent = request.header("User-Agent").unwrap_or("nothing");
///     let text = format!("{} came by {scheme} with {agent}", request.address());
///     Ok(Response::text(200, text))
/// }
/// ```
pub struct Request<'r> {
    inner: &'r mut tiny_http::Request,
    peer: IpAddr,
    proxies: TrustedProxies,
    id: OnceCell<String>,
}

impl<'r> Request<'r> {
    /// A view of `inner`, which came from the TCP peer `peer`.
    #[must_use]
    pub fn new(
        inner: &'r mut tiny_http::Request,
        peer: IpAddr,
        proxies: TrustedProxies,
    ) -> Request<'r> {
        Request { inner, peer, proxies, id: OnceCell::new() }
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        self.inner.method()
    }

    /// Its target, as it was sent: the path, and the query where there is one.
    #[must_use]
    pub fn target(&self) -> &str {
        self.inner.url()
    }

    /// Its path, not decoded, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.target();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The values of all header lines with this name, in order.
    pub fn headers<'h>(
        &'h self,
        name: &'static str,
    ) -> impl DoubleEndedIterator<Item = &'h str> + Clone {
        self.inner
            .headers()
            .iter()
            .filter(move |header| header.field.equiv(name))
            .map(|header| header.value.as_str())
    }

    /// The value of the first header line with this name.
    #[must_use]
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All cookies, as one `Cookie` header; empty where there are none.
    #[must_use]
    pub fn cookies(&self) -> Cow<'_, str> {
        let mut lines = self.headers("Cookie");
        let Some(first) = lines.next() else { return Cow::Borrowed("") };
        lines.fold(Cow::Borrowed(first), |all, line| Cow::Owned(format!("{all}; {line}")))
    }

    /// The visitor's address, through trusted proxies.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.proxies.address(self.peer, self.headers("X-Forwarded-For"))
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
        let is_forwarded = TRACES.iter().any(|name| self.header(name).is_some());
        self.peer.to_canonical().is_loopback() && !is_forwarded
    }

    /// Whether the visitor came by HTTPS, as far as a trusted proxy says so.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.proxies.is_https(self.headers("X-Forwarded-Proto"))
    }

    /// What this request is called in logs: `X-Request-ID` where it is 1 to 128 of
    /// `[A-Za-z0-9_-]`, else something fresh.
    #[must_use]
    pub fn id(&self) -> &str {
        let sent = self.header("X-Request-ID").filter(|id| is_request_id(id));
        sent.unwrap_or_else(|| self.id.get_or_init(fresh_id))
    }

    /// The length of its body in bytes; `None` where it has none.
    #[must_use]
    pub fn body_length(&self) -> Option<usize> {
        self.inner.body_length()
    }

    /// Its body, to be read once. Behind the front door it is here whole already, and within
    /// [`Limits::body`](crate::server::Limits::body).
    pub fn body(&mut self) -> &mut dyn Read {
        self.inner.as_reader()
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
    use tiny_http::{Header, TestRequest};

    use super::*;

    fn with<T>(headers: &[(&str, &str)], test: impl FnOnce(Request<'_>) -> T) -> T {
        let request = headers.iter().fold(TestRequest::new(), |request, (name, value)| {
            request.with_header(Header::from_bytes(*name, *value).unwrap())
        });
        let mut inner = request.with_path("/a/b?c=/d").into();
        test(Request::new(&mut inner, [192, 0, 2, 1].into(), TrustedProxies(1)))
    }

    #[test]
    fn the_path_ends_at_the_query() {
        with(&[], |request| {
            assert_eq!((request.path(), request.target()), ("/a/b", "/a/b?c=/d"));
        });
    }

    #[test]
    fn several_cookie_lines_are_one() {
        with(&[], |request| assert_eq!(request.cookies(), ""));
        with(&[("cookie", "a=1")], |request| assert_eq!(request.cookies(), "a=1"));
        with(&[("cookie", "a=1"), ("Cookie", "b=2"), ("COOKIE", "c=3")], |request| {
            assert_eq!(request.cookies(), "a=1; b=2; c=3");
        });
    }

    #[test]
    fn a_request_id_that_could_forge_a_log_line_is_not_taken() {
        for id in ["a", "0123-abc_DEF", &"x".repeat(128)] {
            with(&[("X-Request-ID", id)], |request| assert_eq!(request.id(), id));
        }
        for id in ["", "a b", "a\"b", "a=b", "a\tb", &"x".repeat(129)] {
            with(&[("X-Request-ID", id)], |request| assert_ne!(request.id(), id));
        }
    }

    #[test]
    fn a_fresh_request_id_is_one_for_the_request_and_another_for_the_next() {
        let first = with(&[], |request| {
            assert_eq!(request.id(), request.id());
            request.id().to_owned()
        });
        with(&[], |request| assert_ne!(request.id(), first));
    }
}
