//! State changes that another site asked for.

use super::{Headers, Origin};

/// Whether a request would change something and was sent by a page of another site, by the rules of Go's
/// `http.CrossOriginProtection`. It is to be refused with 403.
///
/// - GET, HEAD and OPTIONS change nothing and pass;
/// - `Sec-Fetch-Site`, which every current browser sends, decides where it is there:
///   `same-origin` and `none` pass;
/// - else `Origin`, where it is there, must be `site`: this server's origin, as browsers see it. Without one
///   (`None`), it must name the host that the request was sent to, which behind a proxy that sends another
///   `Host` is refused. What a proxy says of the host (`X-Forwarded-Host`) decides nothing: where no proxy sets
///   it, a visitor could;
/// - a request with neither was sent by no browser of the last years, and passes.
///
/// ```
/// use waxseal::visitor::is_cross_site;
///
/// let own = vec![("Host", "example.com"), ("Origin", "https://example.com")];
/// let other = vec![("Host", "example.com"), ("Origin", "https://attacker.example")];
/// assert!(!is_cross_site("POST", &own, None));
/// assert!(is_cross_site("POST", &other, None));
/// assert!(!is_cross_site("GET", &other, None));
/// ```
#[must_use]
pub fn is_cross_site<H: Headers>(method: &str, headers: &H, site: Option<&Origin>) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS") && !is_same_origin(headers, site)
}

fn is_same_origin<H: Headers>(headers: &H, site: Option<&Origin>) -> bool {
    let mut sites = headers.values("Sec-Fetch-Site").peekable();
    if sites.peek().is_some() {
        return sites.all(|site| site == b"same-origin" || site == b"none");
    }
    let host = headers.values("Host").next();
    headers.values("Origin").all(|origin| match site {
        Some(site) => {
            let origin = std::str::from_utf8(origin).unwrap_or_default().parse();
            origin.is_ok_and(|origin: Origin| origin == *site)
        }
        None => host.is_some() && origin_host(origin) == host,
    })
}

/// The host, and port, of an origin; none in the opaque origin `null`.
fn origin_host(origin: &[u8]) -> Option<&[u8]> {
    let end_of_scheme = origin.windows(3).position(|bytes| bytes == b"://")?;
    Some(&origin[end_of_scheme + 3..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(method: &str, headers: &[(&str, &str)]) -> bool {
        !is_cross_site(method, &headers.to_vec(), None)
    }

    /// After the tests of Go's `CrossOriginProtection`; an empty `Sec-Fetch-Site`, which no browser
    /// sends, is refused here.
    #[test]
    fn go_s_rules_hold() {
        let host = ("Host", "example.com");
        for (site, origin, expected) in [
            (Some("same-origin"), None, true),
            (Some("none"), None, true),
            (Some("cross-site"), None, false),
            (Some("same-site"), None, false),
            (None, None, true),
            (None, Some("https://example.com"), true),
            (None, Some("https://attacker.example"), false),
            (None, Some("null"), false),
            (Some(""), Some("https://example.com"), false),
            (Some("same-origin"), Some("https://attacker.example"), true),
            (Some("cross-site"), Some("https://example.com"), false),
            (None, Some("https://example.com:8443"), false),
            (None, Some("https://example.com.attacker.example"), false),
            (None, Some("https://attacker.example/https://example.com"), false),
        ] {
            let mut headers = vec![host];
            headers.extend(site.map(|site| ("Sec-Fetch-Site", site)));
            headers.extend(origin.map(|origin| ("Origin", origin)));
            assert_eq!(passes("POST", &headers), expected, "{headers:?}");
            for safe in ["GET", "HEAD", "OPTIONS"] {
                assert!(passes(safe, &headers), "{headers:?}");
            }
            for unsafe_method in ["PUT", "DELETE", "PATCH", "TRACE"] {
                assert_eq!(passes(unsafe_method, &headers), expected, "{headers:?}");
            }
        }
    }

    /// HTTP/1.0 allows it: then there is nothing that an origin could be compared with.
    #[test]
    fn without_a_host_no_origin_is_this_one() {
        for origin in ["https://example.com", "https://", "null", ""] {
            assert!(!passes("POST", &[("Origin", origin)]), "{origin}");
        }
        assert!(!passes("POST", &[("Origin", "null"), ("Host", "")]));
        assert!(passes("POST", &[]));
    }

    #[test]
    fn one_of_two_lines_that_says_cross_site_is_enough() {
        let mixed = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")];
        assert!(!passes("POST", &mixed));
        let origins = [("Origin", "https://a"), ("Origin", "https://b"), ("Host", "a")];
        assert!(!passes("POST", &origins));
    }

    #[test]
    fn with_the_site_s_origin_the_host_does_not_matter() {
        let site: Origin = "http://intranet.example.com".parse().unwrap();
        let passes = |headers: &[(&str, &str)]| {
            let headers = [&[("Host", "127.0.0.1:5000")], headers].concat();
            !is_cross_site("POST", &headers, Some(&site))
        };
        for origin in ["http://intranet.example.com", "http://INTRANET.example.com:80"] {
            assert!(passes(&[("Origin", origin)]), "{origin}");
        }
        for origin in [
            "http://127.0.0.1:5000",
            "https://intranet.example.com",
            "http://intranet.example.com:8080",
            "http://example.com",
            "null",
            "",
        ] {
            assert!(!passes(&[("Origin", origin)]), "{origin}");
            let told = ("X-Forwarded-Host", origin.split_once("://").map_or("", |(_, host)| host));
            assert!(!passes(&[("Origin", origin), told]), "{origin}");
        }
        assert!(passes(&[]) && passes(&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")]));
    }
}
