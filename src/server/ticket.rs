//! The name of a request in flight.

use std::fmt;
use std::str::FromStr;

/// Names a request in flight: on its lane, to the worker, and in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// The index in the tables. A slot is used again.
    pub(super) slot: usize,
    /// No other request has this number.
    pub(super) number: u64,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.slot, self.number)
    }
}

impl FromStr for Ticket {
    type Err = ();

    fn from_str(text: &str) -> Result<Ticket, ()> {
        let (slot, number) = text.split_once('.').ok_or(())?;
        let slot = slot.parse().map_err(|_| ())?;
        let number = u64::from_str_radix(number, 16).map_err(|_| ())?;
        Ok(Ticket { slot, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written() {
        for ticket in [Ticket { slot: 0, number: 0 }, Ticket { slot: 31, number: u64::MAX }] {
            assert_eq!(ticket.to_string().parse(), Ok(ticket));
        }
        for other in ["", "1", ".", "1.", ".1", "1.g", "-1.1", "1.1.1", "1.10000000000000000"] {
            assert_eq!(other.parse::<Ticket>(), Err(()), "{other}");
        }
    }
}
