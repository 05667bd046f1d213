//! One visitor's connection, driven with arbitrary bytes in arbitrary pieces. For the fuzzer and
//! for tests; no API.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::Instant;

use super::answers::Answer;
use super::client::{Client, Moment, Want};
use super::limits::Limits;

/// What a connection did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It passed a request on, as these bytes.
    Passed(Vec<u8>),
    /// It wrote these bytes, in one piece or several; dates are left out.
    Wrote(Vec<u8>),
    /// It shut its writing side down.
    ShutDown,
    /// It closed.
    Closed,
}

/// The most a connection may hold: input, head anew, body (each may have grown by doubling), answer.
const MOST_MEMORY: usize = 400 << 10;

/// Sends the pieces, ends the input, and tells what the connection did. Panics where it does what
/// it never may.
pub fn drive<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Deed> {
    let limits = Limits::default();
    let moment = Moment { now: Instant::now(), limits: &limits, draining: false };
    let mut connection =
        Connection { client: Client::new(moment), kernel: VecDeque::new(), deeds: vec![] };
    for piece in pieces {
        connection.kernel.extend(piece);
        connection.run(moment);
    }
    if connection.client.want(&limits) != Want::Close {
        connection.client.end(moment);
        connection.run(moment);
    }
    assert_eq!(connection.deeds.last(), Some(&Deed::Closed), "everything ends");
    connection.deeds
}

struct Connection {
    client: Client,
    kernel: VecDeque<u8>,
    deeds: Vec<Deed>,
}

impl Connection {
    fn run(&mut self, moment: Moment<'_>) {
        loop {
            assert!(self.client.memory() <= MOST_MEMORY, "{} bytes", self.client.memory());
            match self.client.want(moment.limits) {
                Want::Read(most) => {
                    assert!(most > 0, "a read of nothing would be taken for the end");
                    if self.kernel.is_empty() {
                        return;
                    }
                    let most = most.min(self.kernel.len());
                    let bytes: Vec<u8> = self.kernel.drain(..most).collect();
                    self.client.receive(moment, &bytes);
                }
                Want::Write => self.write(moment),
                Want::Pass => {
                    // A 100 that is still to be written: the front may pass the request on before
                    // or after, and the visitor sees no difference.
                    if !self.client.output().is_empty() {
                        self.write(moment);
                    }
                    self.pass(moment);
                }
                Want::Answer => unreachable!("each request is answered at once"),
                Want::ShutDown => {
                    self.deeds.push(Deed::ShutDown);
                    self.client.shut_down(moment);
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
        let output = self.client.output().to_vec();
        // The shortest write is as good as any.
        if output.len() > 1 {
            self.client.wrote(moment, 1);
        }
        self.client.wrote(moment, output.len().saturating_sub(1).max(1));
        let text = String::from_utf8_lossy(&output);
        let lines = text.split_inclusive('\n').filter(|line| !line.starts_with("Date: "));
        let output = lines.collect::<String>().into_bytes();
        match self.deeds.last_mut() {
            Some(Deed::Wrote(before)) => before.extend(output),
            _ => self.deeds.push(Deed::Wrote(output)),
        }
    }

    fn pass(&mut self, moment: Moment<'_>) {
        let request = self.client.take_request(moment).expect("it is ready");
        let head_only = request.head_only;
        let mut bytes = Vec::new();
        request.write_to(&mut bytes, format_args!("Waxseal-Lane: 1 ::1"));
        check(&bytes, head_only);
        self.deeds.push(Deed::Passed(bytes));
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n".to_vec();
        self.client.answer(moment, Answer { head, body: Cow::Borrowed(b"ok") });
    }
}

/// What a lane is given must be one request, read in one way only.
fn check(bytes: &[u8], head_only: bool) {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(bytes).expect("a valid head");
    let head = &bytes[..parsed.unwrap()];
    assert!(head.is_ascii());
    assert!(request.path.is_some_and(|path| path.starts_with('/') || path == "*"));
    assert_eq!(request.method == Some("HEAD"), head_only);
    let all = |name: &str| -> Vec<String> {
        let named = request.headers.iter().filter(|f| f.name.eq_ignore_ascii_case(name));
        named.map(|f| String::from_utf8(f.value.to_vec()).expect("ASCII")).collect()
    };
    for name in
        ["Connection", "Keep-Alive", "Expect", "Upgrade", "TE", "Trailer", "Transfer-Encoding"]
    {
        assert!(all(name).is_empty(), "{name} is not passed on");
    }
    assert!(!request.headers.iter().any(|f| f.name.to_ascii_lowercase().starts_with("proxy-")));
    assert!(all("Host").len() <= 1);
    assert_eq!(all("Waxseal-Lane"), ["1 ::1"]);
    let lengths = all("Content-Length");
    assert!(lengths.len() <= 1);
    let length = lengths.first().map_or(0, |length| length.parse().expect("a number"));
    assert_eq!(bytes.len() - head.len(), length);
    let lines = head.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    assert!(lines.map(<[u8]>::last).all(|end| end == Some(&b'\r')));
}
