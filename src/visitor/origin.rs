//! The origin of a site: scheme, host and port.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// An origin as RFC 6454 has it, of HTTP or HTTPS: where a server is reached from outside, or what a browser
/// says that a form came from. A default port (80, 443) is the same as none, and letters of either case
/// are the same.
///
/// ```
/// use waxseal::visitor::Origin;
///
/// let origin: Origin = "https://Example.com:443".parse()?;
/// assert_eq!(origin.to_string(), "https://example.com");
/// assert_eq!(origin.host(), "example.com");
/// assert!("https://example.com/path".parse::<Origin>().is_err());
/// # Ok::<(), waxseal::visitor::ParseOriginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    is_https: bool,
    host: String,
    /// `None` for the default port of the scheme.
    port: Option<u16>,
}

impl Origin {
    /// Whether its scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host, without the port, in small letters.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// The origin in an address without a path; a `/` at its end does no harm.
impl FromStr for Origin {
    type Err = ParseOriginError;

    fn from_str(text: &str) -> Result<Origin, ParseOriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(ParseOriginError)?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(ParseOriginError),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // A colon inside brackets is a part of an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let default = if is_https { 443 } else { 80 };
        let port = match port {
            None => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                let port: u16 = digits.parse().map_err(|_| ParseOriginError)?;
                Some(port).filter(|port| *port != default)
            }
            Some(_) => return Err(ParseOriginError),
        };
        match is_host(host) {
            true => Ok(Origin { is_https, host: host.to_ascii_lowercase(), port }),
            false => Err(ParseOriginError),
        }
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// An origin is `https://` or `http://`, a host, and a port where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseOriginError;

impl fmt::Display for ParseOriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin is https:// or http://, a host, and a port where it has one")
    }
}

impl Error for ParseOriginError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_other_ways_is_the_same() {
        for (text, expected) in [
            ("https://example.com", "https://example.com"),
            ("HTTPS://EXAMPLE.com:443/", "https://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://intranet:8080", "http://intranet:8080"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in [
            "",
            "null",
            "example.com",
            "ftp://example.com",
            "https://",
            "https:///",
            "https://example.com/login",
            "https://example.com?a",
            "https://user@example.com",
            "https://example.com:",
            "https://example.com:99999",
            "https://example.com:+443",
            "https://a b",
            "https://[::1",
            "https://[nonsense]",
            "https://example.com//",
        ] {
            let parsed = text.parse::<Origin>();
            // An empty port is the default one by RFC 3986, and no browser writes it.
            assert!(parsed.is_err(), "{text}: {parsed:?}");
        }
    }
}
