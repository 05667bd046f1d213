//! The chunked transfer coding, decoded within limits (RFC 9112, section 7.1).
//!
//! Extensions and trailers are checked and thrown away: nothing behind the front door has a use
//! for them, and both have carried smuggled requests before.

use crate::server::rejection::{self, Rejection};

/// Bytes of extensions and trailers that one body may have.
const MAX_EXTRA: usize = 8 << 10;
/// Hexadecimal digits of a chunk's size: as many as fit into 64 bits.
const MAX_DIGITS: u8 = 16;

/// The part that the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size,
    /// White space after a size or an extension: only another extension may follow.
    Gap,
    /// Behind the semicolon, up to the name.
    ExtensionStart,
    ExtensionName,
    /// White space after the name: only a value or another extension may follow.
    ExtensionNameGap,
    /// Behind the equals sign, up to the value.
    ValueStart,
    Value,
    Quoted,
    /// Behind a backslash in a quoted value.
    Escaped,
    /// Behind the closing quote.
    QuotedEnd,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    LastLf,
    End,
}

/// Decodes one body, in whatever pieces it comes.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    digits: u8,
    size: u64,
    extra: usize,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Decoder { state: State::Size, digits: 0, size: 0, extra: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::End
    }

    /// Appends what `input` holds of the body; the number of bytes used is less than all of them
    /// only where the body ends before them.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        limit: usize,
    ) -> Result<usize, Rejection> {
        let mut at = 0;
        while at < input.len() && self.state != State::End {
            if self.state == State::Data {
                at += self.copy(&input[at..], body);
            } else {
                self.state = self.take(input[at], body.len(), limit)?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn copy(&mut self, input: &[u8], body: &mut Vec<u8>) -> usize {
        // The size was checked against the body's limit, a usize.
        let n = input.len().min(self.size as usize);
        body.extend_from_slice(&input[..n]);
        self.size -= n as u64;
        if self.size == 0 {
            self.state = State::DataCr;
        }
        n
    }

    fn take(&mut self, byte: u8, have: usize, limit: usize) -> Result<State, Rejection> {
        Ok(match (self.state, byte) {
            (State::Size, b) if b.is_ascii_hexdigit() => self.digit(b)?,
            (State::Size, _) if self.digits == 0 => return Err(rejection::BAD_CHUNKS),
            (State::Size | State::ExtensionName | State::Value | State::QuotedEnd, b'\r') => {
                State::SizeLf
            }
            (State::SizeLf, b'\n') => self.size_known(have, limit)?,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.digits = 0;
                State::Size
            }
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerStart | State::TrailerName, b) if is_token(b) => {
                self.extra(State::TrailerName, rejection::MANY_TRAILERS)?
            }
            (State::TrailerName, b':') => {
                self.extra(State::TrailerValue, rejection::MANY_TRAILERS)?
            }
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerValue, b) if is_text(b) => {
                self.extra(State::TrailerValue, rejection::MANY_TRAILERS)?
            }
            (State::TrailerLf, b'\n') => State::TrailerStart,
            (State::LastLf, b'\n') => State::End,
            (state, b) => self.extra(
                extension(state, b).ok_or(rejection::BAD_CHUNKS)?,
                rejection::MANY_EXTENSIONS,
            )?,
        })
    }

    fn digit(&mut self, byte: u8) -> Result<State, Rejection> {
        if self.digits == MAX_DIGITS {
            return Err(rejection::BAD_CHUNKS);
        }
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.size = if self.digits == 0 { 0 } else { self.size << 4 } | u64::from(value);
        self.digits += 1;
        Ok(State::Size)
    }

    fn size_known(&self, have: usize, limit: usize) -> Result<State, Rejection> {
        match self.size {
            0 => Ok(State::TrailerStart),
            size if size > limit.saturating_sub(have) as u64 => Err(rejection::LARGE_BODY),
            _ => Ok(State::Data),
        }
    }

    fn extra(&mut self, state: State, beyond: Rejection) -> Result<State, Rejection> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(beyond) } else { Ok(state) }
    }
}

/// The part that follows a byte of an extension; `None` where it may not stand (RFC 9112, section
/// 7.1.1). White space stands where the grammar has "bad white space".
fn extension(state: State, byte: u8) -> Option<State> {
    Some(match (state, byte) {
        (
            State::Size
            | State::Gap
            | State::ExtensionName
            | State::ExtensionNameGap
            | State::Value
            | State::QuotedEnd,
            b';',
        ) => State::ExtensionStart,
        (State::Size | State::Gap | State::Value | State::QuotedEnd, b' ' | b'\t') => State::Gap,
        (State::ExtensionStart | State::ValueStart, b' ' | b'\t') => state,
        (State::ExtensionName | State::ExtensionNameGap, b' ' | b'\t') => State::ExtensionNameGap,
        (State::ExtensionName | State::ExtensionNameGap, b'=') => State::ValueStart,
        (State::ExtensionStart | State::ExtensionName, b) if is_token(b) => State::ExtensionName,
        (State::ValueStart, b'"') => State::Quoted,
        (State::ValueStart | State::Value, b) if is_token(b) => State::Value,
        (State::Quoted, b'"') => State::QuotedEnd,
        (State::Quoted, b'\\') => State::Escaped,
        (State::Quoted | State::Escaped, b) if is_text(b) => State::Quoted,
        _ => return None,
    })
}

/// A byte that may stand in a field's name (RFC 9110, section 5.6.2).
pub(super) fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// A byte that may stand in a field's value or an extension: no control byte but the tab.
fn is_text(b: u8) -> bool {
    b == b'\t' || (b >= b' ' && b != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], limit: usize) -> Result<Option<(Vec<u8>, usize)>, u16> {
        let whole = run(&[input], limit);
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(whole, run(&bytes, limit), "the split must not matter");
        whole
    }

    fn run(pieces: &[&[u8]], limit: usize) -> Result<Option<(Vec<u8>, usize)>, u16> {
        let (mut decoder, mut body, mut used) = (Decoder::new(), Vec::new(), 0);
        for piece in pieces {
            used += decoder.decode(piece, &mut body, limit).map_err(Rejection::status)?;
        }
        Ok(decoder.is_done().then_some((body, used)))
    }

    fn body(text: &str, used: usize) -> Result<Option<(Vec<u8>, usize)>, u16> {
        Ok(Some((text.as_bytes().to_vec(), used)))
    }

    #[test]
    fn decodes() {
        assert_eq!(decode(b"0\r\n\r\n", 9), body("", 5));
        assert_eq!(decode(b"3\r\nabc\r\n0\r\n\r\n", 9), body("abc", 13));
        assert_eq!(decode(b"3\r\nabc\r\n2;x=\"y z\"\r\nde\r\n00\r\n\r\nGET", 9), body("abcde", 29));
        assert_eq!(decode(b"0003 \t;a\r\nabc\r\n0\r\nA: b\r\nC:\r\n\r\n", 9), body("abc", 30));
        assert_eq!(decode(b"A\r\n0123456789\r\n0\r\n\r\n", 10), body("0123456789", 20));
        assert_eq!(decode(b"a\r\n01234", 10), Ok(None));
    }

    #[test]
    fn extensions_are_tokens_or_closed_quoted_strings() {
        for good in
            [";a", ";a=b", "; a = b", " ;a;b", ";a=\"\"", ";a=\"b;c\\\"d\" ;e", ";a=\"\u{e9}\""]
        {
            let input = format!("1{good}\r\na\r\n0{good}\r\n\r\n");
            assert_eq!(decode(input.as_bytes(), 9), body("a", input.len()), "{good}");
        }
        for bad in [
            ";",
            ";;a",
            ";a=",
            ";=b",
            ";a=b c",
            ";a b",
            ";a ",
            ";a=b ",
            ";a=\"b",
            ";a=\"b\"c",
            ";a=b\"c\"",
            ";a=\"b\\\"",
            ";a,b",
            ";a=b=c",
            ";a=\"\x01\"",
            ";(a)",
        ] {
            let input = format!("1{bad}\r\na\r\n0\r\n\r\n");
            assert_eq!(decode(input.as_bytes(), 9), Err(400), "{bad}");
        }
    }

    #[test]
    fn refuses_what_smuggles() {
        for input in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\n",
            b" 1\r\n",
            b"1 \r\na",
            b"1\n",
            b"1\ra",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\rb",
            b"0\r\n\n",
            b"0\r\n\rx",
            b"0\r\n a: b\r\n",
            b"0\r\na b: c\r\n",
            b"0\r\na\r\n",
            b"0\r\na: \x00\r\n",
            b"0\r\na: b\n",
            b"1;a\nb\r\n",
            b"1;\x01\r\n",
            b"00000000000000001\r\n",
            b"1;a\rb\r\n",
            b"0\r\n: b\r\n",
        ] {
            assert_eq!(decode(input, 100), Err(400), "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn keeps_its_limits() {
        assert_eq!(decode(b"3\r\nabc\r\n1\r\n", 3), Err(413));
        assert_eq!(decode(b"FFFFFFFFFFFFFFFF\r\n", 3), Err(413));
        let extensions = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(MAX_EXTRA));
        assert_eq!(decode(extensions.as_bytes(), 3), Err(400));
        let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(MAX_EXTRA));
        assert_eq!(decode(trailers.as_bytes(), 3), Err(431));
    }
}
