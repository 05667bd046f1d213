//! Requests without a socket.

use std::net::{IpAddr, Ipv4Addr};

use super::head::Head;
use super::pattern::Params;
use super::{Method, Request};
use crate::visitor::TrustedProxies;

/// Builds a [`Request`] without a socket. What is not set is `GET /` from 127.0.0.1, without fields,
/// without a body, and with no proxy trusted.
///
/// ```
/// use waxseal::http::{Form, Method, Request};
///
/// let request = Request::builder()
///     .target("/login?next=%2Fbasket")
///     .peer([192, 0, 2, 1])
///     .https()
///     .cookie("language", "en")
///     .header("User-Agent", "a test")
///     .form([("username", "foo"), ("password", "a & b")])
///     .build();
///
/// assert_eq!(request.method(), Method::Post);
/// assert_eq!(request.query("next").as_deref(), Some("/basket"));
/// assert!(request.is_https());
/// assert_eq!(request.address().to_string(), "192.0.2.1");
/// assert_eq!(request.cookies(), "language=en");
/// assert_eq!(Form::read(&request, 1024)?.get("password"), Some("a & b"));
/// # Ok::<(), waxseal::http::FormError>(())
/// ```
#[derive(Debug)]
pub struct RequestBuilder {
    method: Method,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    peer: IpAddr,
    proxies: TrustedProxies,
    params: Params,
    is_https: bool,
}

impl RequestBuilder {
    pub(super) fn new() -> RequestBuilder {
        RequestBuilder {
            method: Method::Get,
            target: "/".to_owned(),
            fields: Vec::new(),
            body: Vec::new(),
            peer: Ipv4Addr::LOCALHOST.into(),
            proxies: TrustedProxies::default(),
            params: Params::new(),
            is_https: false,
        }
    }

    /// Sets the method.
    #[must_use]
    pub fn method(mut self, method: Method) -> RequestBuilder {
        self.method = method;
        self
    }

    /// Sets the target: a path, and a query where there is one, both as they are sent, not decoded.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> RequestBuilder {
        self.target = target.into();
        self
    }

    /// Adds a parameter of the path, decoded, for a handler that is called without a router.
    #[must_use]
    pub fn param(mut self, name: &'static str, value: impl Into<String>) -> RequestBuilder {
        self.params.push((name, value.into()));
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> RequestBuilder {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// Adds a cookie, whose value is taken as it is.
    #[must_use]
    pub fn cookie(self, name: &str, value: &str) -> RequestBuilder {
        self.header("Cookie", format!("{name}={value}"))
    }

    /// Posts a form of these fields: sets method, body and `Content-Type`.
    #[must_use]
    pub fn form<N: AsRef<str>, V: AsRef<str>>(
        self,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.method(Method::Post)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(body)
    }

    /// Sets the body. It adds no `Content-Length`.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> RequestBuilder {
        self.body = body.into();
        self
    }

    /// Sets the address of the TCP peer, which is the visitor's where no proxy is trusted.
    #[must_use]
    pub fn peer(mut self, peer: impl Into<IpAddr>) -> RequestBuilder {
        self.peer = peer.into();
        self
    }

    /// Sets the proxies that are trusted to tell whose request it is.
    #[must_use]
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> RequestBuilder {
        self.proxies = proxies;
        self
    }

    /// Lets it come by HTTPS, as a proxy says of it that is trusted: the one of
    /// [`trusted_proxies`](RequestBuilder::trusted_proxies), or else the peer.
    #[must_use]
    pub fn https(mut self) -> RequestBuilder {
        self.is_https = true;
        self
    }

    /// The request.
    #[must_use]
    pub fn build(mut self) -> Request {
        if self.is_https {
            self.fields.push(("X-Forwarded-Proto".to_owned(), b"https".to_vec()));
            if !self.proxies.believes(self.peer) {
                self.proxies = TrustedProxies::count(1);
            }
        }
        let mut head = Head::new(self.method, &self.target);
        for (name, value) in &self.fields {
            head.append(name, value);
        }
        let mut request = Request::new(head, self.body, self.peer, self.proxies);
        request.set_params(self.params);
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_is_what_a_trusted_proxy_says() {
        let plain = Request::builder().header("X-Forwarded-Proto", "https").build();
        assert!(!plain.is_https(), "nobody is trusted");
        let proxies: TrustedProxies = "10.0.0.0/8".parse().unwrap();
        let behind = Request::builder().peer([10, 0, 0, 1]).trusted_proxies(proxies).https();
        let behind = behind.header("X-Forwarded-For", "192.0.2.7, 10.0.0.2").build();
        assert!(behind.is_https());
        assert_eq!(behind.address().to_string(), "192.0.2.7", "these, not any");
    }
}
