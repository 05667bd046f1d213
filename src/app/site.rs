//! The address by which visitors know the site, and its use.

use waxseal::http::{Error, Method, Request, Response, refuse_cross_site};
use waxseal::visitor::Origin;

/// The site as visitors see it.
pub struct Site {
    /// `HTTPS_ONLY`: nothing but a probe is answered in the clear.
    pub https_only: bool,
    /// `PUBLIC_URL`: its origin; without it, the host that a request was sent to counts.
    pub origin: Option<Origin>,
}

impl Site {
    pub(super) fn refuse_cross_site(&self, request: &Request) -> Result<(), Error> {
        refuse_cross_site(request, self.origin.as_ref())
    }

    /// The same address over HTTPS; only GET and HEAD, since a form that came in the clear was read by
    /// whoever listened, and must not seem to have worked.
    pub(super) fn to_https(&self, request: &Request) -> Result<Response, Error> {
        let origin = match &self.origin {
            Some(origin) => Some(origin.to_string()),
            None => {
                let host = request.header("Host").filter(|host| is_host(host));
                host.map(|host| format!("https://{host}"))
            }
        };
        // Behind the host, `@other.example/` would lead to another one.
        let target = Some(request.target()).filter(|target| target.starts_with('/'));
        match (request.method(), origin, target) {
            (Method::Get | Method::Head, Some(origin), Some(target)) => {
                Ok(Response::redirect(308, format!("{origin}{target}")))
            }
            _ => Err(Error::InsecureTransport),
        }
    }

    /// The host by which the visitor knows the site, without a port; empty where nobody tells.
    pub(super) fn host<'r>(&'r self, request: &'r Request) -> &'r str {
        match &self.origin {
            Some(origin) => origin.host(),
            None => {
                let host = request.header("Host").unwrap_or_default();
                host.rsplit_once(':').map_or(host, |(host, _)| host)
            }
        }
    }
}

/// Whether a `Host` is a name or address, and a port where there is one: nothing that would make
/// another address of the redirect.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}
