//! What a valid head is, and how it is written anew for a lane.
//!
//! httparse tells where a head's parts are. This adds the checks it leaves to its caller: line
//! ends, limits, framing (RFC 9112, section 6), Host and request target (section 3.2). Nothing is
//! repaired: a head that could be read in two ways is refused, since that is how requests are
//! smuggled.

use std::mem::MaybeUninit;

use super::chunked::is_token;
use super::limits::{Limits, MAX_HEADERS};
use super::refusal::{Refusal, refuse};
use super::target::{self, Target};

/// Every field whose name begins with this is the front's own, and removed from what visitors send.
const OWN_FIELDS: &[u8] = b"waxseal-";

/// Of a request line, what is neither method nor target: blanks, the version, a slash, the line end.
const REQUEST_LINE: usize = 13;

/// An accepted head.
#[derive(Debug)]
pub(super) struct Head {
    /// Bytes of the input that it took.
    pub(super) length: usize,
    /// Request line and fields as a lane shall have them, without the end of the head and without
    /// a Content-Length, which is known only when the body is whole.
    pub(super) lines: Vec<u8>,
    pub(super) body: Body,
    pub(super) expects_continue: bool,
    /// HEAD: the answer has no body.
    pub(super) head_only: bool,
    pub(super) persistence: Persistence,
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Length(usize),
    Chunked,
}

/// What becomes of the connection after the answer, as far as the visitor has a say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    /// It stays, and needs no word (HTTP/1.1).
    Stay,
    /// It stays, and the answer must say so (HTTP/1.0).
    SayKeepAlive,
    /// The visitor wants it closed.
    Close,
}

/// Looks for a head at the start of `input`: `None` where it is not whole yet.
///
/// The outcome is that of the shortest beginning of `input` that has one, so it does not matter in
/// which pieces the input came.
pub(super) fn read(input: &[u8], limits: &Limits) -> Result<Option<Head>, Refusal> {
    if input.first().is_some_and(|&b| !is_token(b)) {
        return Err(refuse(400, "that does not begin like a request"));
    }
    let line_end = input.iter().take(limits.request_line).position(|&b| b == b'\n');
    let within = match line_end {
        Some(_) => &input[..input.len().min(limits.head)],
        None => &input[..input.len().min(limits.request_line)],
    };
    // Whole lines only: what is behind the last line end may be judged differently with the next piece.
    let lines = match within.iter().rposition(|&b| b == b'\n') {
        Some(last) => &within[..=last],
        None => &within[..0],
    };
    let good = well_ended(lines);
    let mut fields = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(good, &mut fields) {
        Ok(httparse::Status::Complete(length)) => accept(&request, length, limits).map(Some),
        // Only now: what stands before the bad line is judged first, as if it had come alone.
        Ok(httparse::Status::Partial) if good.len() < lines.len() => {
            Err(refuse(400, "a line ends without CR"))
        }
        Ok(httparse::Status::Partial)
            if line_end.is_none() && input.len() >= limits.request_line =>
        {
            Err(refuse(414, "the request line is too long"))
        }
        Ok(httparse::Status::Partial) if input.len() >= limits.head => {
            Err(refuse(431, "the head is too large"))
        }
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(explain(error, lines)),
    }
}

/// The lines before the first that ends with a bare LF. httparse would take it for a line end: RFC
/// 9112, section 2.2 leaves that to the recipient, and recipients that differ about it can be
/// played off against each other.
fn well_ended(lines: &[u8]) -> &[u8] {
    let mut start = 0;
    while let Some(length) = lines[start..].iter().position(|&b| b == b'\n') {
        let line = &lines[start..=start + length];
        if !line.ends_with(b"\r\n") {
            return &lines[..start];
        }
        start += line.len();
        if line.len() == 2 {
            // The end of the head; a body may hold what it likes.
            break;
        }
    }
    lines
}

fn explain(error: httparse::Error, lines: &[u8]) -> Refusal {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => refuse(431, "too many header fields"),
        Error::Version if names_a_version(lines) => refuse(505, "HTTP/1.1 is spoken here"),
        Error::Version => refuse(400, "malformed HTTP version"),
        Error::HeaderName => refuse(400, "malformed field name"),
        Error::HeaderValue => refuse(400, "malformed field value"),
        _ => refuse(400, "malformed request line"),
    }
}

/// Whether this is a request line with a version that is well formed, if not one of ours.
fn names_a_version(lines: &[u8]) -> bool {
    let line = lines.split(|&b| b == b'\r').next().unwrap_or_default();
    let mut parts = line.split(|&b| b == b' ').skip(2);
    let version = parts.next().unwrap_or_default();
    parts.next().is_none()
        && matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit())
}

fn accept(
    request: &httparse::Request<'_, '_>,
    length: usize,
    limits: &Limits,
) -> Result<Head, Refusal> {
    // All three are there once httparse says that the head is complete.
    let (Some(method), Some(path), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(refuse(400, "malformed request line"));
    };
    let http_10 = minor == 0;
    let fields = Fields::gather(request.headers)?;
    let host = fields.host(http_10)?;
    let target = target::read(method, path)?;
    Ok(Head {
        length,
        body: fields.body(http_10, limits)?,
        expects_continue: fields.expects_continue(http_10)?,
        lines: write(method, &target, host, request.headers),
        head_only: method == "HEAD",
        persistence: fields.persistence(http_10),
    })
}

/// The fields that decide how a request is read, each looked for once.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    expect: Option<&'a [u8]>,
    close: bool,
    keep_alive: bool,
}

impl<'a> Fields<'a> {
    fn gather(headers: &[httparse::Header<'a>]) -> Result<Self, Refusal> {
        let mut fields = Fields::default();
        for header in headers {
            let value = header.value;
            match Name::of(header.name) {
                Name::Host => once(&mut fields.host, value, "two Host fields")?,
                Name::ContentLength => {
                    once(&mut fields.length, value, "two Content-Length fields")?
                }
                Name::TransferEncoding => {
                    once(&mut fields.coding, value, "two Transfer-Encoding fields")?;
                }
                Name::Expect => once(&mut fields.expect, value, "two Expect fields")?,
                Name::Connection => fields.connection(value),
                Name::HopByHop | Name::Cookie | Name::Other => {}
            }
        }
        Ok(fields)
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn host(&self, http_10: bool) -> Result<Option<&'a str>, Refusal> {
        match self.host {
            None if http_10 => Ok(None),
            None => Err(refuse(400, "no Host field")),
            Some(value) => match target::authority(value) {
                Some(host) => Ok(Some(host)),
                None => Err(refuse(400, "malformed Host field")),
            },
        }
    }

    fn body(&self, http_10: bool, limits: &Limits) -> Result<Body, Refusal> {
        match (self.coding, self.length) {
            (None, None) => Ok(Body::None),
            (Some(_), Some(_)) => Err(refuse(400, "both Transfer-Encoding and Content-Length")),
            (Some(_), None) if http_10 => Err(refuse(400, "Transfer-Encoding in HTTP/1.0")),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (Some(_), None) => Err(refuse(400, "a transfer coding other than chunked")),
            (None, Some(length)) => declared(length, limits.body).map(Body::Length),
        }
    }

    fn expects_continue(&self, http_10: bool) -> Result<bool, Refusal> {
        match self.expect {
            None => Ok(false),
            // RFC 9110, section 10.1.1: an expectation in HTTP/1.0 is to be ignored.
            Some(_) if http_10 => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) => Err(refuse(417, "an expectation other than 100-continue")),
        }
    }

    fn persistence(&self, http_10: bool) -> Persistence {
        match (http_10, self.close, self.keep_alive) {
            (_, true, _) | (true, _, false) => Persistence::Close,
            (true, false, true) => Persistence::SayKeepAlive,
            (false, false, _) => Persistence::Stay,
        }
    }
}

fn once<'a>(
    place: &mut Option<&'a [u8]>,
    value: &'a [u8],
    why: &'static str,
) -> Result<(), Refusal> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(refuse(400, why)),
    }
}

/// The declared length: digits and nothing else, within the limit.
fn declared(value: &[u8], limit: usize) -> Result<usize, Refusal> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(refuse(400, "Content-Length is not a plain number"));
    }
    let length = value.iter().fold(0_usize, |sum, digit| {
        sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    });
    if length > limit {
        return Err(refuse(413, "the body is too large"));
    }
    Ok(length)
}

/// The names that matter here.
#[derive(PartialEq, Eq)]
enum Name {
    Host,
    ContentLength,
    TransferEncoding,
    Expect,
    Connection,
    Cookie,
    /// Speaks of this connection only, or is the front's own: not passed on.
    HopByHop,
    Other,
}

impl Name {
    fn of(name: &str) -> Name {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let begins = |start: &[u8]| {
            name.len() >= start.len() && name.as_bytes()[..start.len()].eq_ignore_ascii_case(start)
        };
        match name.len() {
            2 if is("TE") => Name::HopByHop,
            4 if is("Host") => Name::Host,
            6 if is("Cookie") => Name::Cookie,
            6 if is("Expect") => Name::Expect,
            7 if is("Upgrade") || is("Trailer") => Name::HopByHop,
            10 if is("Connection") => Name::Connection,
            10 if is("Keep-Alive") => Name::HopByHop,
            14 if is("Content-Length") => Name::ContentLength,
            17 if is("Transfer-Encoding") => Name::TransferEncoding,
            _ if begins(b"Proxy-") || begins(OWN_FIELDS) => Name::HopByHop,
            _ => Name::Other,
        }
    }
}

/// Writes the head for a lane: always HTTP/1.1, origin-form, the target's authority as Host.
fn write(
    method: &str,
    target: &Target<'_>,
    host: Option<&str>,
    headers: &[httparse::Header<'_>],
) -> Vec<u8> {
    let size: usize = headers.iter().map(|h| h.name.len() + h.value.len() + 4).sum();
    let mut lines = Vec::with_capacity(method.len() + target.path.len() + size + REQUEST_LINE);
    let slash = if target.path.starts_with('/') || target.path == "*" { "" } else { "/" };
    for part in [method, " ", slash, target.path, " HTTP/1.1\r\n"] {
        lines.extend_from_slice(part.as_bytes());
    }
    if let Some(host) = target.authority.or(host) {
        line(&mut lines, "Host", host.as_bytes());
    }
    for header in headers {
        match Name::of(header.name) {
            Name::Cookie => cookies(&mut lines, header),
            // One byte above 0x7F would make tiny_http close the lane without a word.
            Name::Other if header.value.is_ascii() => line(&mut lines, header.name, header.value),
            _ => {}
        }
    }
    lines
}

fn line(lines: &mut Vec<u8>, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        lines.extend_from_slice(part);
    }
}

/// Browsers do send cookies with bytes above 0x7F. Those go one by one, so that a stray one planted
/// beside the session's does not sign anyone out.
fn cookies(lines: &mut Vec<u8>, header: &httparse::Header<'_>) {
    if header.value.is_ascii() {
        return line(lines, header.name, header.value);
    }
    let mut kept = Vec::new();
    let pairs = header.value.split(|&b| b == b';');
    for pair in pairs.filter(|pair| pair.is_ascii()).map(<[u8]>::trim_ascii) {
        if !kept.is_empty() {
            kept.extend_from_slice(b"; ");
        }
        kept.extend_from_slice(pair);
    }
    if !kept.is_empty() {
        line(lines, header.name, &kept);
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
