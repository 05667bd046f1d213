//! Numbers for requests in flight, which their answers must name.

use std::io;

/// Gives numbers of which none comes twice, hardly any lies beside another, and which are told to
/// workers only. So an answer with a wrong number, be it wrong by one, is nobody's, and whatever a
/// client sends cannot name another's request.
///
/// This is a Weyl sequence with a random start and a random step, which is odd, so that all 2⁶⁴
/// numbers come before one comes again (D. E. Knuth, The Art of Computer Programming, volume 2,
/// section 3.2.1.2).
pub(super) struct Numbers {
    last: u64,
    step: u64,
}

impl Numbers {
    /// A sequence that cannot be guessed.
    pub(super) fn unguessable() -> io::Result<Numbers> {
        let random = || getrandom::u64().map_err(|error| io::Error::other(error.to_string()));
        Ok(Numbers { last: random()?, step: random()? | 1 })
    }

    /// The next one.
    pub(super) fn draw(&mut self) -> u64 {
        self.last = self.last.wrapping_add(self.step);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn none_comes_twice_or_next_to_another() {
        let mut numbers = Numbers::unguessable().unwrap();
        let drawn: BTreeSet<u64> = (0..10_000).map(|_| numbers.draw()).collect();
        assert_eq!(drawn.len(), 10_000);
        let neighbours = drawn.iter().zip(drawn.iter().skip(1)).filter(|(a, b)| *b - *a == 1);
        assert_eq!(neighbours.count(), 0);
        assert_ne!(Numbers::unguessable().unwrap().draw(), Numbers::unguessable().unwrap().draw());
    }
}
