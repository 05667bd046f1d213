//! An answer that is being written.

use std::borrow::Cow;

/// An answer on its way out. A large body stays where it came from.
#[derive(Debug, Default)]
pub(super) struct Output {
    first: Vec<u8>,
    second: Cow<'static, [u8]>,
    /// How far each has gone.
    first_at: usize,
    second_at: usize,
}

impl Output {
    /// Appends what `buffer` holds.
    pub(super) fn append(&mut self, buffer: Vec<u8>) {
        if self.first.is_empty() {
            self.first = buffer;
        } else {
            self.first.extend_from_slice(&buffer);
        }
    }

    /// This body follows all that was appended.
    pub(super) fn follow(&mut self, body: Cow<'static, [u8]>) {
        self.second = body;
    }

    /// The bytes to be written now; empty once nothing is left.
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
        let second = match &self.second {
            Cow::Owned(buffer) => buffer.capacity(),
            Cow::Borrowed(_) => 0,
        };
        self.first.capacity() + second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_goes_in_order_and_then_nothing_is_held() {
        let mut output = Output::default();
        output.append(b"ab".to_vec());
        output.append(b"c".to_vec());
        output.follow(Cow::Owned(b"defg".to_vec()));
        assert_eq!((output.len(), output.next()), (7, &b"abc"[..]));
        assert!(!output.wrote(2) && output.next() == b"c");
        assert!(!output.wrote(1) && output.next() == b"defg");
        assert!(!output.wrote(3) && output.next() == b"g" && output.memory() > 0);
        assert!(output.wrote(1) && output.next().is_empty() && output.memory() == 0);
    }
}
