//! What is to be written to a visitor.

/// An answer on its way out. A large body stays in the buffer that it came in.
#[derive(Debug, Default)]
pub(super) struct Output {
    first: Vec<u8>,
    second: Vec<u8>,
    /// How far each has gone.
    first_at: usize,
    second_at: usize,
}

impl Output {
    /// Appends a copy of these parts.
    pub(super) fn append(&mut self, parts: &[&[u8]]) {
        self.first.reserve_exact(parts.iter().map(|part| part.len()).sum());
        parts.iter().for_each(|part| self.first.extend_from_slice(part));
    }

    /// What `buffer` holds from `begin` on follows all that was appended.
    pub(super) fn hand_over(&mut self, buffer: Vec<u8>, begin: usize) {
        (self.second, self.second_at) = (buffer, begin);
    }

    /// What is to be written now; empty where nothing is left.
    pub(super) fn next(&self) -> &[u8] {
        match &self.first[self.first_at..] {
            [] => &self.second[self.second_at..],
            first => first,
        }
    }

    /// Bytes that are left.
    pub(super) fn len(&self) -> usize {
        self.first.len() - self.first_at + self.second.len() - self.second_at
    }

    /// So many bytes of [`Output::next`] were written; true where nothing is left.
    pub(super) fn wrote(&mut self, count: usize) -> bool {
        if self.first_at < self.first.len() {
            self.first_at += count;
        } else {
            self.second_at += count;
        }
        let done = self.len() == 0;
        if done {
            *self = Output::default();
        }
        done
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.first.capacity() + self.second.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_goes_in_order_and_then_nothing_is_held() {
        let mut output = Output::default();
        output.append(&[b"ab", b"c"]);
        output.hand_over(b"--defg".to_vec(), 2);
        assert_eq!((output.len(), output.next()), (7, &b"abc"[..]));
        assert!(!output.wrote(2) && output.next() == b"c");
        assert!(!output.wrote(1) && output.next() == b"defg");
        assert!(!output.wrote(3) && output.next() == b"g" && output.memory() > 0);
        assert!(output.wrote(1) && output.next().is_empty() && output.memory() == 0);
    }
}
