//! The request target and the authority (RFC 9112, section 3.2).

use crate::http::Method;
use crate::server::rejection::{self, Rejection};

/// A target, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The authority of an absolute-form, which takes the place of Host.
    pub(super) authority: Option<&'a str>,
    /// Path and query. The slash at its start may be missing where the absolute-form has none.
    pub(super) path: &'a str,
}

/// Takes a target apart: origin-form, absolute-form, or `*` for OPTIONS.
pub(super) fn read<'a>(method: Method, target: &'a str) -> Result<Target<'a>, Rejection> {
    if !target.bytes().all(|b| b.is_ascii_graphic() && b != b'#') {
        return Err(rejection::BAD_TARGET);
    }
    if target.starts_with('/') || (target == "*" && method == Method::Options) {
        return Ok(Target { authority: None, path: target });
    }
    absolute(method, target).ok_or(rejection::BAD_TARGET)
}

fn absolute<'a>(method: Method, target: &'a str) -> Option<Target<'a>> {
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = authority(host.as_bytes()).filter(|host| !host.is_empty())?;
    // RFC 9112, section 3.2.4: without path and query, OPTIONS means the server as a whole.
    let path = if path.is_empty() && method == Method::Options { "*" } else { path };
    Some(Target { authority: Some(host), path })
}

/// A host and perhaps a port, without user information (RFC 3986, section 3.2.2; RFC 9110,
/// section 4.2.4). Empty is valid, as Host may be empty.
pub(super) fn authority(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            ("", after)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = if port.is_empty() { port } else { port.strip_prefix(':')? };
    let valid = host.bytes().all(is_name)
        && percent_encoded(host.as_bytes())
        && port.len() <= 5
        && port.bytes().all(|b| b.is_ascii_digit())
        && (!host.is_empty() || port.is_empty() || text.starts_with('['));
    valid.then_some(text)
}

/// A byte of a registered name or IPv4 address.
fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&b)
}

fn percent_encoded(name: &[u8]) -> bool {
    name.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(at, _)| {
        name.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities() {
        for good in
            ["", "a", "a.b:80", "127.0.0.1:65535", "[::1]", "[::1]:80", "a%20b", "a_b", "a:"]
        {
            assert_eq!(authority(good.as_bytes()), Some(good));
        }
        for bad in [
            "a b", "a@b", "a/b", "a?b", "a#b", "a\\b", "a,b:x", "a:b", "a:80:80", "[::1", "[x]",
            "a%2", "a%zz", ":80", "::1", "[::1]x", "a:123456", "h\u{e9}", "a\tb", "\"a\"", "<a>",
        ] {
            assert_eq!(authority(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn targets() {
        let ok = |method, target| read(method, target).map(|t| (t.authority, t.path));
        assert_eq!(ok(Method::Get, "/a?b"), Ok((None, "/a?b")));
        assert_eq!(ok(Method::Get, "//a"), Ok((None, "//a")));
        assert_eq!(ok(Method::Get, "http://a/b"), Ok((Some("a"), "/b")));
        assert_eq!(ok(Method::Get, "HTTPS://a:1"), Ok((Some("a:1"), "")));
        assert_eq!(ok(Method::Get, "http://a?b"), Ok((Some("a"), "?b")));
        assert_eq!(ok(Method::Options, "*"), Ok((None, "*")));
        assert_eq!(ok(Method::Options, "http://a"), Ok((Some("a"), "*")));
        for bad in [
            "*",
            "a",
            "http:/a",
            "http://",
            "http:///a",
            "ftp://a/",
            "http://u@a/",
            "/a#b",
            "/\u{e9}",
        ] {
            assert!(read(Method::Get, bad).is_err(), "{bad}");
        }
    }
}
