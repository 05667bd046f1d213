//! The ranges of addresses by which limits are shared.

use std::net::IpAddr;

/// The addresses that one customer has at least: an IPv4 address, an IPv6 /64.
pub fn subscriber(address: IpAddr) -> IpAddr {
    range(address, 32, 64)
}

/// The network that a site's visitors share with few others: an IPv4 /24, an IPv6 /56. Whoever has one has all
/// its addresses.
pub fn network(address: IpAddr) -> IpAddr {
    range(address, 24, 56)
}

/// The range that one provider's customers share: an IPv4 /16, an IPv6 /32. Whoever rents many networks has them
/// from one.
pub fn provider(address: IpAddr) -> IpAddr {
    range(address, 16, 32)
}

/// `address` with its leading bits alone: so many of an IPv4 address, so many of an IPv6 address, at least one.
fn range(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4((u32::from(address) & u32::MAX << (32 - v4_bits)).into()),
        IpAddr::V6(address) => {
            IpAddr::V6((u128::from(address) & u128::MAX << (128 - v6_bits)).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_same(range: fn(IpAddr) -> IpAddr, one: &str, other: &str) -> bool {
        range(one.parse().unwrap()) == range(other.parse().unwrap())
    }

    #[test]
    fn a_subscriber_has_an_address_or_a_64() {
        let is_same = |one, other| is_same(subscriber, one, other);
        assert!(is_same("192.0.2.1", "::ffff:192.0.2.1") && !is_same("192.0.2.1", "192.0.2.2"));
        assert!(is_same("2001:db8::1", "2001:db8::ffff:0:0:1"));
        assert!(!is_same("2001:db8::1", "2001:db8:0:1::1"));
    }

    #[test]
    fn a_network_is_a_24_or_a_56() {
        let is_same = |one, other| is_same(network, one, other);
        assert!(is_same("192.0.2.1", "::ffff:192.0.2.200") && !is_same("192.0.2.1", "192.0.3.1"));
        assert!(is_same("2001:db8:0:ff::1", "2001:db8:0:1::1"));
        assert!(!is_same("2001:db8:0:100::1", "2001:db8:0:ff::1"));
    }

    #[test]
    fn a_provider_has_a_16_or_a_32() {
        let is_same = |one, other| is_same(provider, one, other);
        assert!(is_same("192.0.2.1", "192.0.99.1") && !is_same("192.0.2.1", "192.1.2.1"));
        assert!(is_same("2001:db8::1", "2001:db8:ffff::1") && !is_same("2001:db8::", "2001:db9::"));
    }
}
