//! The unit by which limits are shared among addresses.

use std::net::{IpAddr, Ipv6Addr};

/// A subscriber's share of the addresses: an IPv4 address, or an IPv6 network of 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subscriber(IpAddr);

impl Subscriber {
    pub(super) fn of(address: IpAddr) -> Subscriber {
        Subscriber(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
        })
    }
}
