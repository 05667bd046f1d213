//! Who sent a request.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Headers, TrustedProxies, cookies};
use crate::session::{Scheme, Visit};

/// Who sent a request, as far as its header fields and trusted proxies tell.
///
/// ```
/// use waxseal::visitor::{TrustedProxies, Visitor};
///
/// let proxies: TrustedProxies = "10.0.0.0/8".parse()?;
/// let headers = vec![
///     ("Host", "example.com"),
///     ("Cookie", "waxseal=…"),
///     ("X-Forwarded-For", "192.0.2.7"),
///     ("X-Forwarded-Proto", "https"),
/// ];
/// let visitor = Visitor::new(&headers, [10, 0, 0, 1].into(), &proxies);
/// assert_eq!(visitor.address().to_string(), "192.0.2.7");
/// assert!(visitor.is_https());
/// # use waxseal::{seal::Keyring, session::{Reply, Sessions}};
/// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
/// # struct Page;
/// # impl Reply for Page { fn status(&self) -> u16 { 200 } fn add_header(&mut self, _: &'static str, _: String) {} }
/// let page = sessions.handle(&visitor.visit(), |session| Page)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Visitor<'r, H> {
    headers: &'r H,
    peer: IpAddr,
    proxies: TrustedProxies,
    came_over_tls: bool,
}

impl<'r, H: Headers> Visitor<'r, H> {
    /// The visitor whose request came with these fields from the TCP peer `peer`.
    pub fn new(headers: &'r H, peer: IpAddr, proxies: &TrustedProxies) -> Visitor<'r, H> {
        let proxies = proxies.clone();
        Visitor { headers, peer, proxies, came_over_tls: false }
    }

    /// The same, over a connection that was TLS in this program.
    #[must_use]
    pub fn over_tls(self) -> Visitor<'r, H> {
        Visitor { came_over_tls: true, ..self }
    }

    /// The visitor's address, through trusted proxies.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.proxies.address(self.peer, self.all("X-Forwarded-For").iter().copied())
    }

    /// Whether the visitor came by HTTPS: to this program, or to a proxy that is trusted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        let (hops, protocols) = (self.all("X-Forwarded-For"), self.all("X-Forwarded-Proto"));
        let (hops, protocols) = (hops.iter().copied(), protocols.iter().copied());
        self.came_over_tls || self.proxies.is_https(self.peer, hops, protocols)
    }

    /// The visit, for [`Sessions::handle`](crate::session::Sessions::handle).
    #[must_use]
    pub fn visit(&self) -> Visit<'r> {
        let scheme = if self.is_https() { Scheme::Https } else { Scheme::Http };
        let visit = Visit::new(self.cookies(), scheme);
        let host = self.headers.values("Host").next();
        match host.and_then(|host| std::str::from_utf8(host).ok()) {
            Some(host) => visit.to_host(host),
            None => visit,
        }
    }

    /// All cookies, as one `Cookie` header; empty where there are none. A pair that is not UTF-8 is left out.
    #[must_use]
    pub fn cookies(&self) -> Cow<'r, str> {
        cookies::joined(self.headers.values("Cookie"))
    }

    fn all(&self, name: &'r str) -> Vec<&'r [u8]> {
        self.headers.values(name).collect()
    }
}
