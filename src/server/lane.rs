//! One lane: a connection to tiny_http on which one request at a time is asked and answered.
//!
//! A lane serves again only after exactly one complete answer, which begins with the number of the
//! request it was given. Anything else, a surplus byte or another number, and the lane is closed:
//! what cannot be told apart must not be passed on.

use std::borrow::Cow;
use std::io::{self, Read, Write};
use std::mem::{self, MaybeUninit};
use std::ops::Range;

use mio::net::UnixStream;

use super::slots::Key;

/// The field that the front adds to every request: the number, and the visitor's address.
pub(super) const OWN_FIELD: &str = "Waxseal-Lane";
/// Stands in place of an address where a new lane is probed.
pub(super) const PROBE: &str = "probe";
/// The longest head of an answer.
const MAX_HEAD: usize = 64 << 10;
/// Header fields of an answer.
const MAX_FIELDS: usize = 128;

/// A lane can serve no more; why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) &'static str);

/// What a lane is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) number: u64,
    /// The answer has no body, whatever its head says.
    pub(super) head_only: bool,
    /// Who waits for the answer; `None` for a probe. The visitor may have left meanwhile.
    pub(super) visitor: Option<Key>,
}

/// A complete answer: its head without the empty line at its end, and its body.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// What it lies in: lent where it came in one piece, given where it had to be put together.
    pub(super) bytes: Cow<'a, [u8]>,
    head: Range<usize>,
    /// Where its body begins; it ends with the bytes.
    pub(super) body_at: usize,
}

impl Answer<'_> {
    /// An answer of the front's own.
    pub(super) fn of(head: &str, body: &str) -> Self {
        let bytes = Cow::Owned([head, body].concat().into_bytes());
        Answer { bytes, head: 0..head.len(), body_at: head.len() }
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.bytes[self.head.clone()]
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.body_at..]
    }
}

/// See the module's documentation.
pub(super) struct Lane {
    pub(super) socket: UnixStream,
    question: Option<Question>,
    outgoing: Vec<u8>,
    sent: usize,
    incoming: Vec<u8>,
    /// Length of the answer, once its head is here.
    expected: Option<usize>,
}

impl Lane {
    pub(super) fn new(socket: UnixStream) -> Self {
        Lane {
            socket,
            question: None,
            outgoing: Vec::new(),
            sent: 0,
            incoming: Vec::new(),
            expected: None,
        }
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.question
    }

    /// Bytes held in buffers.
    pub(super) fn memory(&self) -> usize {
        self.outgoing.capacity() + self.incoming.capacity()
    }

    /// Asks; [`Lane::send`] writes it.
    pub(super) fn ask(&mut self, question: Question, bytes: Vec<u8>) {
        self.question = Some(question);
        self.outgoing = bytes;
        self.sent = 0;
    }

    /// Writes what can be written; true where nothing is left.
    pub(super) fn send(&mut self) -> io::Result<bool> {
        while self.sent < self.outgoing.len() {
            match self.socket.write(&self.outgoing[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.sent += n,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        self.outgoing = Vec::new();
        Ok(true)
    }

    /// Reads what is there, once.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }

    /// Bytes came. Where they complete the answer, it is handed to `deliver` with its question.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        limit: usize,
        deliver: impl FnOnce(Question, Answer<'_>),
    ) -> Result<bool, Broken> {
        let question = self.question.ok_or(Broken("it speaks without being asked"))?;
        let mut kept = mem::take(&mut self.incoming);
        let whole = if kept.is_empty() {
            bytes
        } else {
            kept.extend_from_slice(bytes);
            &kept
        };
        let Some((preamble, head, length)) = self.frame(whole, question, limit)? else {
            self.incoming = if kept.is_empty() { bytes.to_vec() } else { kept };
            // Growing by doubling would take twice the answer.
            let missing = self.expected.map_or(0, |length| length - self.incoming.len());
            self.incoming.reserve_exact(missing);
            return Ok(false);
        };
        // `frame` saw to it that nothing follows the body.
        debug_assert_eq!(length, whole.len());
        let bytes = if kept.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(kept) };
        let answer = Answer { bytes, head: preamble..head - 2, body_at: head };
        self.question = None;
        self.expected = None;
        deliver(question, answer);
        Ok(true)
    }

    /// Where the head begins and the body begins and ends, once all of it is here.
    fn frame(
        &mut self,
        bytes: &[u8],
        question: Question,
        limit: usize,
    ) -> Result<Option<(usize, usize, usize)>, Broken> {
        if self.expected.is_some_and(|expected| bytes.len() < expected) {
            return Ok(None);
        }
        let Some((preamble, head, length)) = frame(bytes, question.number, question.head_only)?
        else {
            return if bytes.len() > MAX_HEAD { Err(Broken("an endless head")) } else { Ok(None) };
        };
        if length > limit {
            return Err(Broken("an answer beyond the limit"));
        }
        if bytes.len() > length {
            return Err(Broken("more than one answer"));
        }
        self.expected = Some(length);
        Ok((bytes.len() == length).then_some((preamble, head, length)))
    }
}

/// Reads the number and the head of an answer: the ends of both, and of the body.
fn frame(
    bytes: &[u8],
    number: u64,
    head_only: bool,
) -> Result<Option<(usize, usize, usize)>, Broken> {
    let Some(end) = bytes.iter().take(24).position(|&b| b == b'\n') else {
        return if bytes.len() < 24 { Ok(None) } else { Err(Broken("an answer without a number")) };
    };
    let echo = std::str::from_utf8(&bytes[..end]).ok().and_then(|line| line.strip_suffix('\r'));
    if echo.and_then(|echo| echo.parse().ok()) != Some(number) {
        return Err(Broken("an answer with another number"));
    }
    let preamble = end + 1;
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        &bytes[preamble..],
        &mut fields,
    );
    let head = match parsed {
        Ok(httparse::Status::Complete(length)) => preamble + length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Broken("a malformed answer")),
    };
    let status = response.code.unwrap_or(0);
    let length = match body_length(status, head_only, response.headers) {
        Some(length) => head.saturating_add(length),
        None => return Err(Broken("an answer without a length")),
    };
    Ok(Some((preamble, head, length)))
}

/// The length of an answer's body by method, status and Content-Length (RFC 9112, section 6.3).
fn body_length(status: u16, head_only: bool, fields: &[httparse::Header<'_>]) -> Option<usize> {
    if !(200..600).contains(&status) {
        return None;
    }
    if head_only || status == 204 || status == 304 {
        return Some(0);
    }
    let mut lengths = fields.iter().filter(|f| f.name.eq_ignore_ascii_case("Content-Length"));
    let length = std::str::from_utf8(lengths.next()?.value).ok()?.parse().ok()?;
    lengths.next().is_none().then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a lane makes of an answer that comes in two pieces, wherever it is cut.
    fn receive(answer: &str, head_only: bool) -> Result<Option<(String, String)>, Broken> {
        let outcomes: Vec<_> =
            (0..answer.len()).map(|cut| cut_at(answer, cut, head_only)).collect();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "{outcomes:?}");
        outcomes.into_iter().next().unwrap()
    }

    fn cut_at(
        answer: &str,
        cut: usize,
        head_only: bool,
    ) -> Result<Option<(String, String)>, Broken> {
        let mut lane = Lane::new(UnixStream::pair().unwrap().0);
        lane.question = Some(Question { number: 7, head_only, visitor: None });
        let mut got = None;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        for piece in [&answer.as_bytes()[..cut], &answer.as_bytes()[cut..]] {
            if !piece.is_empty() {
                lane.receive(piece, 1000, |_, a| got = Some((text(a.head()), text(a.body()))))?;
            }
        }
        Ok(got)
    }

    #[test]
    fn frames_one_answer() {
        let ok = |head: &str, body: &str| Ok(Some((head.to_owned(), body.to_owned())));
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n";
        assert_eq!(receive(&format!("7\r\n{head}\r\nabc"), false), ok(head, "abc"));
        assert_eq!(receive(&format!("7\r\n{head}\r\n"), true), ok(head, ""));
        assert_eq!(receive(&format!("7\r\n{head}\r\nab"), false), Ok(None));
        let head = "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n";
        assert_eq!(receive(&format!("7\r\n{head}\r\n"), false), ok(head, ""));
        let head = "HTTP/1.1 204 No Content\r\n";
        assert_eq!(receive(&format!("7\r\n{head}\r\n"), false), ok(head, ""));
    }

    #[test]
    fn breaks_at_anything_else() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
        for answer in [
            format!("8\r\n{head}abc"),
            format!("07x\r\n{head}abc"),
            format!("{head}abc"),
            format!("7\r\n{head}abcd"),
            format!("7\r\n{head}abc7\r\n{head}abc"),
            "7\r\nHTTP/1.1 200 OK\r\n\r\n".to_owned(),
            "7\r\nHTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".to_owned(),
            "7\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n".to_owned(),
            "7\r\nHTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_owned(),
            "7\r\nHTTP/1.1 100 Continue\r\n\r\n".to_owned(),
            "7\r\nHTTP/1.1 304 Not Modified\r\n\r\nx".to_owned(),
            "7\r\nnonsense\r\n\r\n".to_owned(),
        ] {
            let cut = answer.len() / 2;
            assert!(cut_at(&answer, 0, false).is_err(), "{answer}");
            assert!(cut_at(&answer, cut, false).is_err(), "{answer}");
        }
        let mut lane = Lane::new(UnixStream::pair().unwrap().0);
        assert!(lane.receive(b"x", 1000, |_, _| ()).is_err());
    }
}
