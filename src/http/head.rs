//! The head of a request: method, target and fields in one buffer.

use super::Method;

/// A part of the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The part of `whole` that `part` is. The part is empty where it does not lie in `whole`.
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Span {
        let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize);
        match start {
            Some(start) if start + part.len() <= whole.len() => Span::new(start, part.len()),
            _ => Span::new(0, 0),
        }
    }

    /// A head is far shorter than 4 GiB: `Limits::head` cuts it.
    fn new(start: usize, length: usize) -> Span {
        let end = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { start: end(start), end: end(start + length) }
    }

    fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Field {
    name: Span,
    value: Span,
}

/// The part of a request before the body. Names and values are kept as they came: values are bytes, which need
/// not be UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    method: Method,
    text: Vec<u8>,
    target: Span,
    fields: Vec<Field>,
}

impl Head {
    /// A head without fields, over a buffer in which the target and all fields lie.
    pub(crate) fn over(method: Method, text: Vec<u8>, target: Span, fields: usize) -> Head {
        Head { method, text, target, fields: Vec::with_capacity(fields) }
    }

    /// A head without fields, for this target.
    pub(crate) fn new(method: Method, target: &str) -> Head {
        let text = target.as_bytes().to_vec();
        let target = Span::new(0, text.len());
        Head { method, text, target, fields: Vec::new() }
    }

    /// Adds a field that lies in the buffer.
    pub(crate) fn push(&mut self, name: Span, value: Span) {
        self.fields.push(Field { name, value });
    }

    /// Adds a field behind what lies in the buffer.
    pub(crate) fn append(&mut self, name: &str, value: &[u8]) {
        let name = self.write(name.as_bytes());
        let value = self.write(value);
        self.fields.push(Field { name, value });
    }

    /// Gives it another target.
    pub(crate) fn set_target(&mut self, target: &str) {
        self.target = self.write(target.as_bytes());
    }

    fn write(&mut self, bytes: &[u8]) -> Span {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        Span::new(start, bytes.len())
    }

    pub(crate) fn method(&self) -> Method {
        self.method
    }

    /// The target. It is ASCII: the parser has checked that.
    pub(crate) fn target(&self) -> &str {
        std::str::from_utf8(self.bytes(self.target)).unwrap_or_default()
    }

    /// The values of all fields with this name, in order.
    pub(crate) fn values<'h>(
        &'h self,
        name: &str,
    ) -> impl DoubleEndedIterator<Item = &'h [u8]> + Clone {
        let fields = self.fields.iter().filter(move |field| {
            field.name.len() == name.len()
                && self.bytes(field.name).eq_ignore_ascii_case(name.as_bytes())
        });
        fields.map(|field| self.bytes(field.value))
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        self.text.capacity() + self.fields.capacity() * size_of::<Field>()
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..span.end as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_lie_in_the_buffer_or_behind_it() {
        let text = b"GET /a X-A: 1".to_vec();
        let span = |part: &[u8], whole: &[u8]| Span::of(part, whole);
        let (target, name, value) =
            (span(&text[4..6], &text), span(&text[7..10], &text), span(&text[12..], &text));
        let mut head = Head::over(Method::Get, text, target, 1);
        head.push(name, value);
        head.append("x-a", b"\xff");
        head.append("X-AB", b"no");
        assert_eq!((head.method(), head.target()), (Method::Get, "/a"));
        assert_eq!(head.values("X-a").collect::<Vec<_>>(), [&b"1"[..], b"\xff"]);
        assert_eq!(head.values("X").count(), 0);
        head.set_target("/b");
        assert_eq!(head.target(), "/b");
    }

    #[test]
    fn a_part_of_something_else_is_empty() {
        let whole = b"abc".to_vec();
        for other in [&b""[..], &b"xyz"[..]] {
            assert_eq!(Span::of(other, &whole).len(), 0);
        }
    }
}
