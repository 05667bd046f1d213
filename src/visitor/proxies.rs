//! The address and scheme of the visitor, behind proxies that can be trusted.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;

/// The most proxies that can be counted.
const MOST: usize = 16;

/// The proxies between this server and the world whose `X-Forwarded-For` and `X-Forwarded-Proto` are
/// believed, by their number or by their addresses. Each of them appends to the former, and sets the latter.
///
/// Whatever stands to the left of what they wrote, the visitor may have made up. A number believes whoever
/// connects: where others than the proxy can reach the port, every visitor chooses an address. A list
/// believes the connections of its addresses alone.
///
/// ```
/// use waxseal::visitor::TrustedProxies;
///
/// let peer = [10, 0, 0, 1].into();
/// let lines = ["6.6.6.6, 192.0.2.7", "198.51.100.1"];
/// let address = |proxies: &str| -> Result<String, waxseal::visitor::ParseProxiesError> {
///     let proxies: TrustedProxies = proxies.parse()?;
///     Ok(proxies.address(peer, lines.into_iter()).to_string())
/// };
/// assert_eq!(address("0")?, "10.0.0.1");
/// assert_eq!(address("2")?, "192.0.2.7");
/// assert_eq!(address("4")?, "10.0.0.1", "there are fewer entries");
/// assert_eq!(address("10.0.0.0/8, 198.51.100.1")?, "192.0.2.7");
/// assert_eq!(address("192.168.0.0/16")?, "10.0.0.1", "the peer is none of them");
/// # Ok::<(), waxseal::visitor::ParseProxiesError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Count(usize),
    Networks(Arc<[IpNet]>),
}

impl TrustedProxies {
    /// No proxy: both headers are the visitor's own words, and count for nothing.
    pub const NONE: TrustedProxies = TrustedProxies::count(0);

    /// So many proxies, one before the other.
    #[must_use]
    pub const fn count(count: usize) -> TrustedProxies {
        TrustedProxies(Rule::Count(count))
    }

    /// Whether nobody is believed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        match &self.0 {
            Rule::Count(count) => *count == 0,
            Rule::Networks(networks) => networks.is_empty(),
        }
    }

    /// Whether any peer is believed, whatever its address is.
    #[must_use]
    pub fn believes_anybody(&self) -> bool {
        matches!(self.0, Rule::Count(1..))
    }

    /// Whether a TCP peer with this address is believed.
    #[must_use]
    pub fn believes(&self, peer: IpAddr) -> bool {
        match &self.0 {
            Rule::Count(count) => *count > 0,
            Rule::Networks(networks) => {
                let peer = peer.to_canonical();
                networks.iter().any(|network| network.contains(&peer))
            }
        }
    }

    /// The visitor's address: the entry that the outermost trusted proxy wrote, counted from the
    /// right over all `X-Forwarded-For` lines; the TCP peer's where there are fewer entries, or
    /// that one is no address.
    ///
    /// IPv4 addresses written as IPv6 (`::ffff:a.b.c.d`) come back as IPv4.
    #[must_use]
    pub fn address<'l, L: AsRef<[u8]> + ?Sized + 'l>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'l L> + Clone,
    ) -> IpAddr {
        let hops = self.hops(peer, forwarded_for.clone());
        let entry = hops.checked_sub(1).and_then(|hop| entries(forwarded_for).nth_back(hop));
        entry.and_then(parse_address).unwrap_or(peer).to_canonical()
    }

    /// Whether the visitor came by HTTPS, by what the outermost trusted proxy wrote into
    /// `X-Forwarded-Proto`; a proxy that overwrites the header leaves one entry for all.
    ///
    /// ```
    /// use waxseal::visitor::TrustedProxies;
    ///
    /// let (peer, no_lines) = ([10, 0, 0, 1].into(), [""; 0]);
    /// let is_https = |proxies: TrustedProxies| {
    ///     proxies.is_https(peer, no_lines.into_iter(), ["https"].into_iter())
    /// };
    /// assert!(is_https(TrustedProxies::count(1)));
    /// assert!(!is_https(TrustedProxies::NONE), "the visitor's own word");
    /// ```
    #[must_use]
    pub fn is_https<'l, L: AsRef<[u8]> + ?Sized + 'l>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'l L> + Clone,
        forwarded_proto: impl DoubleEndedIterator<Item = &'l L> + Clone,
    ) -> bool {
        let Some(hop) = self.hops(peer, forwarded_for).checked_sub(1) else { return false };
        let outermost = entries(forwarded_proto.clone()).nth_back(hop);
        let entry = outermost.or_else(|| entries(forwarded_proto).next_back());
        entry.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"))
    }

    /// How many proxies are trusted on the way of a request: the entry of the outermost is so many from the
    /// right.
    fn hops<'l, L: AsRef<[u8]> + ?Sized + 'l>(
        &self,
        peer: IpAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'l L> + Clone,
    ) -> usize {
        match &self.0 {
            Rule::Count(count) => *count,
            Rule::Networks(_) if !self.believes(peer) => 0,
            Rule::Networks(_) => {
                let is_proxy = |entry: &&[u8]| {
                    parse_address(entry).is_some_and(|address| self.believes(address))
                };
                let all = entries(forwarded_for.clone()).count();
                let proxies = entries(forwarded_for).rev().take_while(is_proxy).count();
                // If all are proxies, the first one made the request itself.
                (proxies + 1).min(all.max(1))
            }
        }
    }
}

impl Default for TrustedProxies {
    fn default() -> TrustedProxies {
        TrustedProxies::NONE
    }
}

/// A number up to 16; or addresses and networks (`192.0.2.1, 10.0.0.0/8, 2001:db8::/32`), between commas or
/// spaces.
impl FromStr for TrustedProxies {
    type Err = ParseProxiesError;

    fn from_str(text: &str) -> Result<TrustedProxies, ParseProxiesError> {
        if let Ok(count) = text.parse::<usize>() {
            return match count <= MOST {
                true => Ok(TrustedProxies::count(count)),
                false => Err(ParseProxiesError),
            };
        }
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        let network = |word: &str| {
            let address = || word.parse::<IpAddr>().map(|address| address.to_canonical().into());
            let network = word.parse().map(canonical);
            network.or_else(|_| address()).map_err(|_| ParseProxiesError)
        };
        let networks: Vec<IpNet> = words.map(network).collect::<Result<_, _>>()?;
        match networks.is_empty() {
            true => Err(ParseProxiesError),
            false => Ok(TrustedProxies(Rule::Networks(networks.into()))),
        }
    }
}

/// A network of IPv4 that is written as one of IPv6, as what it is: addresses are compared in that form.
fn canonical(network: IpNet) -> IpNet {
    let prefix = network.prefix_len().checked_sub(96);
    let mapped = match network.addr() {
        IpAddr::V6(address) => address.to_ipv4_mapped(),
        IpAddr::V4(_) => None,
    };
    let plain =
        mapped.zip(prefix).and_then(|(address, prefix)| IpNet::new(address.into(), prefix).ok());
    plain.unwrap_or(network)
}

/// Trusted proxies are a number up to 16, or addresses and networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseProxiesError;

impl fmt::Display for ParseProxiesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "trusted proxies are a number up to 16, or addresses and networks such as 10.0.0.0/8",
        )
    }
}

impl Error for ParseProxiesError {}

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
        TrustedProxies::count(proxies).address(peer, lines.iter().copied()).to_string()
    }

    #[test]
    fn a_network_of_ipv4_may_be_written_as_ipv6() {
        for (network, peer, expected) in [
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("::ffff:10.1.2.3", "10.1.2.3", true),
            ("::/0", "2001:db8::1", true),
        ] {
            let proxies: TrustedProxies = network.parse().unwrap();
            assert_eq!(proxies.believes(peer.parse().unwrap()), expected, "{network}");
        }
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
            let address = TrustedProxies::count(proxies).address(peer, lines.into_iter());
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
        let https = |proxies, lines: &[&str]| {
            let (peer, no_lines) = (PEER.parse().unwrap(), [""; 0]);
            let proxies = TrustedProxies::count(proxies);
            proxies.is_https(peer, no_lines.iter().copied(), lines.iter().copied())
        };
        assert!(!https(0, &["https"]), "nobody is trusted");
        assert!(https(1, &["https"]) && https(1, &["HTTPS"]) && https(1, &["http, https"]));
        assert!(!https(1, &["https", "http"]), "the visitor's own line stands on the left");
        assert!(https(2, &["https", "http"]), "the outer proxy saw https");
        assert!(https(2, &["https"]), "the inner one overwrote the header");
        assert!(!https(1, &[]) && !https(1, &[""]) && !https(1, &["wss"]));
    }

    #[test]
    fn a_list_is_believed_from_the_right_for_as_long_as_entries_are_in_it() {
        let proxies: TrustedProxies = "10.0.0.0/8 192.0.2.1,2001:db8::/32".parse().unwrap();
        let address = |peer: &str, lines: &[&str]| {
            proxies.address(peer.parse().unwrap(), lines.iter().copied()).to_string()
        };
        assert_eq!(address("203.0.113.9", &["198.51.100.1"]), "203.0.113.9", "it is no proxy");
        assert_eq!(address("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(address("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        let made_up = ["6.6.6.6, 198.51.100.1", "2001:db8::7, 192.0.2.1"];
        assert_eq!(address("10.1.2.3", &made_up), "198.51.100.1");
        assert_eq!(address("10.1.2.3", &["10.0.0.9, 192.0.2.1"]), "10.0.0.9", "its own request");
        assert_eq!(address("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(address("10.1.2.3", &["1.1.1.1, nonsense"]), "10.1.2.3");
        let is_https = |peer: &str, proto: &[&str]| {
            let lines = ["198.51.100.1, 192.0.2.1"];
            let peer = peer.parse().unwrap();
            proxies.is_https(peer, lines.iter().copied(), proto.iter().copied())
        };
        assert!(is_https("10.1.2.3", &["https, http"]) && is_https("10.1.2.3", &["https"]));
        assert!(!is_https("10.1.2.3", &["http, https"]) && !is_https("203.0.113.9", &["https"]));
    }

    #[test]
    fn what_is_neither_a_number_nor_addresses_is_refused() {
        for text in ["", "-1", "17", "1.5", "all", "10.0.0.0/33", "10.0.0.1,localhost", ","] {
            assert_eq!(text.parse::<TrustedProxies>(), Err(ParseProxiesError), "{text}");
        }
        assert!("0".parse::<TrustedProxies>().unwrap().is_none());
        assert!("16".parse::<TrustedProxies>().unwrap().believes_anybody());
        assert!(!"::1".parse::<TrustedProxies>().unwrap().believes_anybody());
    }
}
