//! One connection, driven with arbitrary bytes in arbitrary pieces, and what a lane would get of
//! it. For the fuzzer and for tests; no API.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;

use super::backend::lane::write_request;
use super::connection::{Connection, Moment, Want};
use super::limits::Limits;
use super::message::{Answer, CompleteRequest};
use super::phase::Phase;
use super::rejection_pages::RejectionPages;
use super::ticket::Ticket;
use crate::http::Method;

/// A thing that a connection did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It passed a request on.
    Passed {
        /// The lane's bytes.
        lane: Vec<u8>,
        /// The head beside the lane, as text.
        head: String,
    },
    /// It wrote these bytes, in one piece or several; dates are left out.
    Wrote(Vec<u8>),
    /// It shut its writing side down.
    ShutDown,
    /// It closed.
    Closed,
}

/// The most a connection may hold: input, head, body (each may have grown by doubling), answer.
const MOST_MEMORY: usize = 400 << 10;

/// Sends the pieces, ends the input, and tells what the connection did. Panics where it does what
/// it never may.
pub fn drive<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Deed> {
    let limits = Limits::default();
    let pages = RejectionPages::default();
    let moment =
        Moment { now: Instant::now(), limits: &limits, pages: &pages, phase: Phase::Serving };
    let mut driver =
        Driver { connection: Connection::new(moment), kernel: VecDeque::new(), deeds: vec![] };
    for piece in pieces {
        driver.kernel.extend(piece);
        driver.run(moment);
    }
    if driver.connection.want(&limits) != Want::Close {
        driver.connection.end(moment);
        driver.run(moment);
    }
    assert_eq!(driver.deeds.last(), Some(&Deed::Closed), "everything ends");
    driver.deeds
}

struct Driver {
    connection: Connection,
    kernel: VecDeque<u8>,
    deeds: Vec<Deed>,
}

impl Driver {
    fn run(&mut self, moment: Moment<'_>) {
        loop {
            let held = self.connection.memory();
            assert!(held <= MOST_MEMORY, "{held} bytes");
            match self.connection.want(moment.limits) {
                Want::Read(most) => {
                    assert!(most > 0, "a read of nothing would be taken for the end");
                    if self.kernel.is_empty() {
                        return;
                    }
                    let most = most.min(self.kernel.len());
                    let bytes: Vec<u8> = self.kernel.drain(..most).collect();
                    self.connection.receive(moment, &bytes);
                }
                Want::Write => self.write(moment),
                Want::Pass => {
                    // A 100 that is still to be written: the request may be passed on before or
                    // after, and the client sees no difference.
                    if !self.connection.output().is_empty() {
                        self.write(moment);
                    }
                    self.pass(moment);
                }
                Want::Answer => unreachable!("each request is answered at once"),
                Want::ShutDown => {
                    self.deeds.push(Deed::ShutDown);
                    self.connection.shut_down(moment);
                }
                Want::Close => {
                    if self.deeds.last() != Some(&Deed::Closed) {
                        self.deeds.push(Deed::Closed);
                    }
                    return;
                }
            }
        }
    }

    fn write(&mut self, moment: Moment<'_>) {
        let output = self.connection.output().to_vec();
        // The shortest write is as good as any.
        if output.len() > 1 {
            self.connection.wrote(moment, 1);
        }
        self.connection.wrote(moment, output.len().saturating_sub(1).max(1));
        let text = String::from_utf8_lossy(&output);
        let lines = text.split_inclusive('\n').filter(|line| !line.starts_with("Date: "));
        let output = lines.collect::<String>().into_bytes();
        match self.deeds.last_mut() {
            Some(Deed::Wrote(before)) => before.extend(output),
            _ => self.deeds.push(Deed::Wrote(output)),
        }
    }

    fn pass(&mut self, moment: Moment<'_>) {
        let request = self.connection.take_request(moment).expect("it is ready");
        let mut lane = Vec::new();
        write_request(&mut lane, Ticket { slot: 1, number: 0xab }, &request);
        check_lane(&lane, &request);
        check_head(&request);
        self.deeds.push(Deed::Passed { lane, head: format!("{:?}", request.head) });
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_vec();
        self.connection.answer(moment, Answer { head, body: Cow::Borrowed(b"ok") });
    }
}

/// A lane is given one request, which can be read in one way only, and no field of the client's.
fn check_lane(bytes: &[u8], request: &CompleteRequest) {
    let mut fields = [httparse::EMPTY_HEADER; 4];
    let mut parsed = httparse::Request::new(&mut fields);
    let length = parsed.parse(bytes).expect("a valid head").unwrap();
    let (head, body) = bytes.split_at(length);
    assert!(head.is_ascii());
    assert_eq!(parsed.method, Some(request.head.method().as_str()));
    assert_eq!(parsed.path, Some(request.head.target()));
    let mut names: Vec<&str> = parsed.headers.iter().map(|field| field.name).collect();
    let length = names.pop_if(|name| *name == "Content-Length");
    assert_eq!(names, ["Host", "Waxseal-Request"]);
    assert_eq!(parsed.headers[1].value, b"1.ab");
    if length.is_some() {
        assert_eq!(parsed.headers[2].value, body.len().to_string().as_bytes());
    }
    assert_eq!(body, request.body);
    assert!(length.is_some() == request.has_body && (request.has_body || body.is_empty()));
    let lines = head.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    assert!(lines.map(<[u8]>::last).all(|end| end == Some(&b'\r')));
}

/// A worker is given a head in origin form, without the fields that speak of the connection.
fn check_head(request: &CompleteRequest) {
    let head = &request.head;
    let target = head.target();
    assert!(target.starts_with('/') || (target == "*" && head.method() == Method::Options));
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
    for name in [
        "Connection",
        "Keep-Alive",
        "Expect",
        "Upgrade",
        "TE",
        "Trailer",
        "Transfer-Encoding",
        "Proxy-Authorization",
        "Proxy-Connection",
    ] {
        assert_eq!(head.values(name).count(), 0, "{name} is not passed on");
    }
    assert!(head.values("Host").count() <= 1);
    assert!(head.values("Content-Length").count() <= usize::from(request.has_body));
}

#[cfg(test)]
#[path = "../../tests/front_door/malformed_heads.rs"]
mod malformed_heads;

#[cfg(test)]
mod tests {
    use super::*;

    /// The status, the only one, of an answer of the connection's own.
    fn refused(deeds: &[Deed]) -> Option<u16> {
        let [Deed::Wrote(answer), Deed::ShutDown, Deed::Closed] = deeds else { return None };
        let answer = std::str::from_utf8(answer).ok()?;
        let is_only_and_last = answer.matches("\r\nConnection: close\r\n").count() == 1;
        answer.get(9..12).filter(|_| is_only_and_last)?.parse().ok()
    }

    #[test]
    fn malformed_heads_are_refused_in_any_pieces() {
        for (bytes, status, source) in malformed_heads::REFUSED {
            for length in [bytes.len(), bytes.len() / 2, 3, 2, 1] {
                let deeds = drive(bytes.chunks(length));
                let shown = bytes.escape_ascii();
                assert_eq!(refused(&deeds), Some(*status), "{shown}\n{source}\n{deeds:?}");
            }
        }
    }

    #[test]
    fn requests_are_passed_on_one_after_another() {
        let deeds = drive([&b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"[..]; 3]);
        let passed = deeds.iter().filter(|deed| matches!(deed, Deed::Passed { .. })).count();
        assert_eq!((passed, refused(&deeds)), (3, None));
    }
}
