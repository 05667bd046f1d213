//! The address and scheme of the visitor, behind proxies that can be trusted.

use std::net::{IpAddr, SocketAddr};

/// How many proxies stand between this server and the world, each of which appends to
/// `X-Forwarded-For` and sets `X-Forwarded-Proto`.
///
/// Whatever stands to the left of what they wrote, the visitor may have made up. With 0, both
/// headers are the visitor's own words and count for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(pub usize);

impl TrustedProxies {
    /// The visitor's address: the entry that the outermost trusted proxy wrote, counted from the
    /// right over all `X-Forwarded-For` lines; the TCP peer's where there are fewer entries, or
    /// that one is no address.
    ///
    /// IPv4 addresses written as IPv6 (`::ffff:a.b.c.d`) come back as IPv4.
    ///
    /// ```
    /// use waxseal::http::TrustedProxies;
    ///
    /// let peer = [10, 0, 0, 1].into();
    /// let lines = ["6.6.6.6, 192.0.2.7", "198.51.100.1"];
    /// assert_eq!(TrustedProxies(0).address(peer, lines.into_iter()), peer);
    /// assert_eq!(TrustedProxies(2).address(peer, lines.into_iter()).to_string(), "192.0.2.7");
    /// assert_eq!(TrustedProxies(4).address(peer, lines.into_iter()), peer);
    /// ```
    #[must_use]
    pub fn address<'l, L: AsRef<[u8]> + ?Sized + 'l>(
        self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'l L>,
    ) -> IpAddr {
        self.entry(forwarded_for).and_then(parse_address).unwrap_or(peer).to_canonical()
    }

    /// Whether the visitor came by HTTPS, by what the outermost trusted proxy wrote into
    /// `X-Forwarded-Proto`; a proxy that overwrites the header leaves one entry for all.
    ///
    /// ```
    /// use waxseal::http::TrustedProxies;
    ///
    /// assert!(TrustedProxies(1).is_https(["https"].into_iter()));
    /// assert!(!TrustedProxies(0).is_https(["https"].into_iter()), "the visitor's own word");
    /// ```
    #[must_use]
    pub fn is_https<'l, L: AsRef<[u8]> + ?Sized + 'l>(
        self,
        forwarded_proto: impl DoubleEndedIterator<Item = &'l L> + Clone,
    ) -> bool {
        if self.0 == 0 {
            return false;
        }
        let outermost = self.entry(forwarded_proto.clone());
        let entry = outermost.or_else(|| entries(forwarded_proto).next_back());
        entry.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"))
    }

    fn entry<'l, L: AsRef<[u8]> + ?Sized + 'l>(
        self,
        lines: impl DoubleEndedIterator<Item = &'l L>,
    ) -> Option<&'l [u8]> {
        entries(lines).nth_back(self.0.checked_sub(1)?)
    }
}

/// The entries of all lines, invalid ones too: each keeps its place.
fn entries<'l, L: AsRef<[u8]> + ?Sized + 'l>(
    lines: impl DoubleEndedIterator<Item = &'l L>,
) -> impl DoubleEndedIterator<Item = &'l [u8]> {
    lines.flat_map(|line| line.as_ref().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// An address, as proxies write it: bare, in brackets, or with a port.
fn parse_address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    let bracketed = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    entry.parse().ok().or_else(bracketed).or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "10.1.2.3";

    fn address(proxies: usize, lines: &[&str]) -> String {
        let peer = PEER.parse().unwrap();
        TrustedProxies(proxies).address(peer, lines.iter().copied()).to_string()
    }

    #[test]
    fn entries_count_from_the_right_over_all_lines() {
        let lines = ["1.1.1.1, 2.2.2.2", "3.3.3.3,4.4.4.4"];
        assert_eq!(address(0, &lines), PEER);
        assert_eq!(address(1, &lines), "4.4.4.4");
        assert_eq!(address(2, &lines), "3.3.3.3");
        assert_eq!(address(3, &lines), "2.2.2.2");
        assert_eq!(address(4, &lines), "1.1.1.1");
    }

    #[test]
    fn where_there_are_fewer_the_peer_counts() {
        assert_eq!(address(1, &[]), PEER);
        assert_eq!(address(2, &["1.1.1.1"]), PEER);
        assert_eq!(address(usize::MAX, &["1.1.1.1"]), PEER);
    }

    #[test]
    fn what_is_no_address_is_not_believed() {
        for entry in ["", "unknown", "1.1.1", "_hidden", "1.1.1.1 2.2.2.2", "[::1", "::1]"] {
            assert_eq!(address(1, &["9.9.9.9", entry]), PEER, "{entry:?}");
        }
    }

    #[test]
    fn an_entry_that_is_not_text_keeps_its_place() {
        let peer = PEER.parse().unwrap();
        let lines = [&b"\xff"[..], b"1.1.1.1, \xff\xfe,2.2.2.2"];
        for (proxies, expected) in [(1, "2.2.2.2"), (2, PEER), (3, "1.1.1.1"), (4, PEER)] {
            let address = TrustedProxies(proxies).address(peer, lines.into_iter());
            assert_eq!(address.to_string(), expected, "{proxies}");
        }
    }

    #[test]
    fn addresses_are_made_canonical() {
        assert_eq!(address(1, &["::ffff:192.0.2.1"]), "192.0.2.1");
        assert_eq!(address(1, &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(address(1, &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(address(1, &["192.0.2.1:1234"]), "192.0.2.1");
    }

    #[test]
    fn the_scheme_is_what_the_trusted_proxy_wrote() {
        let https =
            |proxies, lines: &[&str]| TrustedProxies(proxies).is_https(lines.iter().copied());
        assert!(!https(0, &["https"]), "nobody is trusted");
        assert!(https(1, &["https"]) && https(1, &["HTTPS"]) && https(1, &["http, https"]));
        assert!(!https(1, &["https", "http"]), "the visitor's own line stands on the left");
        assert!(https(2, &["https", "http"]), "the outer proxy saw https");
        assert!(https(2, &["https"]), "the inner one overwrote the header");
        assert!(!https(1, &[]) && !https(1, &[""]) && !https(1, &["wss"]));
    }
}
