//! Parses heads, and refuses those that are not valid.
//!
//! httparse tells where a head's parts are. This adds the checks it leaves to its caller: line
//! ends, limits, framing (RFC 9112, section 6), Host and request target (section 3.2). Nothing is
//! repaired: a head that could be read in two ways is rejected, since that is how requests are
//! smuggled.

use std::mem::MaybeUninit;

use super::chunked::is_token;
use super::target::{self, Target};
use crate::http::{Head, Method, Span};
use crate::server::limits::{Limits, MAX_HEADERS};
use crate::server::rejection::{self, Rejection};

/// A valid head, and how the message goes on behind it.
#[derive(Debug)]
pub(super) struct ParsedHead {
    /// Bytes of the input that it took.
    pub(super) length: usize,
    pub(super) head: Head,
    pub(super) framing: Framing,
    pub(super) expects_continue: bool,
    pub(super) persistence: Persistence,
}

/// How the body is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    NoBody,
    Length(usize),
    Chunked,
}

/// The client's wish for the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    /// It stays, and needs no word (HTTP/1.1).
    Stay,
    /// It stays, and the answer must say so (HTTP/1.0).
    SayKeepAlive,
    /// The client wants it closed.
    Close,
}

/// Looks for a head at the start of `input`: `None` where it is not whole yet.
///
/// The outcome is that of the shortest beginning of `input` that has one, so it does not matter in
/// which pieces the input came.
pub(super) fn parse(input: &[u8], limits: &Limits) -> Result<Option<ParsedHead>, Rejection> {
    if input.first().is_some_and(|&b| !is_token(b)) {
        return Err(rejection::BAD_BEGINNING);
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
        Ok(httparse::Status::Complete(length)) => {
            accept(&request, &good[..length], limits).map(Some)
        }
        // Only now: what stands before the bad line is judged first, as if it had come alone.
        Ok(httparse::Status::Partial) if good.len() < lines.len() => Err(rejection::BARE_LF),
        Ok(httparse::Status::Partial)
            if line_end.is_none() && input.len() >= limits.request_line =>
        {
            Err(rejection::LONG_LINE)
        }
        Ok(httparse::Status::Partial) if input.len() >= limits.head => Err(rejection::LARGE_HEAD),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(httparse::Error::Version) => parse_other_version(input, lines, limits),
        Err(error) => Err(explain(error)),
    }
}

/// HTTP/1.2 to 1.9 is served as HTTP/1.1 (RFC 9110, section 2.5): parses a copy of `input` that says so.
fn parse_other_version(
    input: &[u8],
    lines: &[u8],
    limits: &Limits,
) -> Result<Option<ParsedHead>, Rejection> {
    let line = lines.split(|&b| b == b'\r').next().unwrap_or_default();
    match version(line) {
        Some((b'1', b'2'..=b'9')) => {
            let mut as_1_1 = input.to_vec();
            as_1_1[line.len() - 1] = b'1';
            parse(&as_1_1, limits)
        }
        Some(_) => Err(rejection::OTHER_VERSION),
        None => Err(rejection::BAD_VERSION),
    }
}

/// The digits of the version with which a well-formed request line ends.
fn version(line: &[u8]) -> Option<(u8, u8)> {
    let mut parts = line.split(|&b| b == b' ').skip(2);
    match (parts.next()?, parts.next()) {
        (&[b'H', b'T', b'T', b'P', b'/', major @ b'0'..=b'9', b'.', minor @ b'0'..=b'9'], None) => {
            Some((major, minor))
        }
        _ => None,
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

fn explain(error: httparse::Error) -> Rejection {
    use httparse::Error;
    match error {
        Error::TooManyHeaders => rejection::MANY_FIELDS,
        Error::HeaderName => rejection::BAD_NAME,
        Error::HeaderValue => rejection::BAD_VALUE,
        _ => rejection::BAD_LINE,
    }
}

/// Checks what httparse has taken apart; `input` is the head alone.
fn accept(
    request: &httparse::Request<'_, '_>,
    input: &[u8],
    limits: &Limits,
) -> Result<ParsedHead, Rejection> {
    // All three are there once httparse says that the head is complete.
    let (Some(method), Some(path), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(rejection::BAD_LINE);
    };
    let http_10 = minor == 0;
    let fields = Fields::gather(request.headers)?;
    let host = fields.host(http_10)?;
    // RFC 9110, section 9.1.
    let method = Method::from_name(method).ok_or(rejection::OTHER_METHOD)?;
    let target = target::read(method, path)?;
    Ok(ParsedHead {
        length: input.len(),
        framing: fields.framing(http_10, limits)?,
        expects_continue: fields.expects_continue(http_10)?,
        persistence: fields.persistence(http_10),
        head: head(method, &target, host, request.headers, input),
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
    fn gather(headers: &[httparse::Header<'a>]) -> Result<Self, Rejection> {
        let mut fields = Fields::default();
        for header in headers {
            let value = header.value;
            match Name::of(header.name) {
                Name::Host => once(&mut fields.host, value, rejection::TWO_HOSTS)?,
                Name::ContentLength => once(&mut fields.length, value, rejection::TWO_LENGTHS)?,
                Name::TransferEncoding => {
                    once(&mut fields.coding, value, rejection::TWO_CODINGS)?;
                }
                Name::Expect => once(&mut fields.expect, value, rejection::TWO_EXPECTATIONS)?,
                Name::Connection => fields.connection(value),
                Name::HopByHop | Name::Other => {}
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

    fn host(&self, http_10: bool) -> Result<Option<&'a str>, Rejection> {
        match self.host {
            None if http_10 => Ok(None),
            None => Err(rejection::NO_HOST),
            Some(value) => match target::authority(value) {
                Some(host) => Ok(Some(host)),
                None => Err(rejection::BAD_HOST),
            },
        }
    }

    fn framing(&self, http_10: bool, limits: &Limits) -> Result<Framing, Rejection> {
        match (self.coding, self.length) {
            (None, None) => Ok(Framing::NoBody),
            (Some(_), Some(_)) => Err(rejection::CODING_AND_LENGTH),
            (Some(_), None) if http_10 => Err(rejection::CODING_IN_HTTP_1_0),
            (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
            (Some(coding), None) => Err(refuse_coding(coding)),
            (None, Some(length)) => declared(length, limits.body).map(Framing::Length),
        }
    }

    fn expects_continue(&self, http_10: bool) -> Result<bool, Rejection> {
        match self.expect {
            None => Ok(false),
            // RFC 9110, section 10.1.1: an expectation in HTTP/1.0 is to be ignored.
            Some(_) if http_10 => Ok(false),
            Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
            Some(_) => Err(rejection::OTHER_EXPECTATION),
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

/// Codings before a final `chunked` are not served (RFC 9112, section 6.1). Without that the length of the
/// body cannot be told (section 6.3), and with empty elements recipients differ about it.
fn refuse_coding(value: &[u8]) -> Rejection {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut codings = value.split(|&b| b == b',').map(<[u8]>::trim_ascii);
    let is_final = codings.next_back().is_some_and(is_chunked);
    let are_names = codings.all(|coding| {
        !coding.is_empty() && coding.iter().all(|&b| is_token(b)) && !is_chunked(coding)
    });
    if is_final && are_names { rejection::OTHER_CODING } else { rejection::NOT_CHUNKED }
}

fn once<'a>(
    slot: &mut Option<&'a [u8]>,
    value: &'a [u8],
    twice: Rejection,
) -> Result<(), Rejection> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice),
    }
}

/// The declared length: digits and nothing else, within the limit.
fn declared(value: &[u8], limit: usize) -> Result<usize, Rejection> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Err(rejection::BAD_LENGTH);
    }
    let length = value.iter().fold(0_usize, |sum, digit| {
        sum.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
    });
    if length > limit {
        return Err(rejection::LARGE_BODY);
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
    /// It speaks of this connection only.
    HopByHop,
    Other,
}

impl Name {
    fn of(name: &str) -> Name {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            2 if is("TE") => Name::HopByHop,
            4 if is("Host") => Name::Host,
            6 if is("Expect") => Name::Expect,
            7 if is("Upgrade") || is("Trailer") => Name::HopByHop,
            10 if is("Connection") => Name::Connection,
            10 if is("Keep-Alive") => Name::HopByHop,
            14 if is("Content-Length") => Name::ContentLength,
            17 if is("Transfer-Encoding") => Name::TransferEncoding,
            6.. if is_proxy_field(name) => Name::HopByHop,
            _ => Name::Other,
        }
    }
}

/// Whether the field is meant for the next proxy.
fn is_proxy_field(name: &str) -> bool {
    name.as_bytes().get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"Proxy-"))
}

/// The head as handlers see it: in origin form, the target's authority as Host, and no field that
/// speaks of this connection only.
fn head(
    method: Method,
    target: &Target<'_>,
    host: Option<&str>,
    headers: &[httparse::Header<'_>],
    input: &[u8],
) -> Head {
    let span = |part: &[u8]| Span::of(part, input);
    let path = span(target.path.as_bytes());
    let mut head = Head::over(method, input.to_vec(), path, headers.len());
    if !target.path.starts_with('/') {
        let slash = if target.path == "*" { "" } else { "/" };
        head.set_target(&format!("{slash}{}", target.path));
    }
    if let (Some(authority), None) = (target.authority, host) {
        head.append("Host", authority.as_bytes());
    }
    for header in headers {
        let (name, value) = (span(header.name.as_bytes()), span(header.value));
        match Name::of(header.name) {
            Name::Other | Name::ContentLength => head.push(name, value),
            Name::Host => match target.authority {
                Some(authority) => head.push(name, span(authority.as_bytes())),
                None => head.push(name, value),
            },
            Name::TransferEncoding | Name::Expect | Name::Connection | Name::HopByHop => {}
        }
    }
    head
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
