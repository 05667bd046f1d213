use proptest::prelude::*;
use std::time::Duration;

use super::*;
use crate::http::{Method, Response};
use crate::server::driver::{Deed, drive};
use crate::server::message::{Answer, LARGE_ANSWER};
use crate::server::rejection_pages::RejectionPages;

/// A connection with a clock of its own.
struct Visit {
    connection: Connection,
    limits: Limits,
    pages: RejectionPages,
    now: Instant,
    phase: Phase,
}

impl Visit {
    fn new() -> Visit {
        let (limits, pages, now) = (Limits::default(), RejectionPages::default(), Instant::now());
        let phase = Phase::Serving;
        let connection = Connection::new(Moment { now, limits: &limits, pages: &pages, phase });
        Visit { connection, limits, pages, now, phase }
    }

    fn send(&mut self, bytes: &[u8]) -> &mut Self {
        let Visit { now, phase, .. } = *self;
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase };
        self.connection.receive(moment, bytes);
        self
    }

    fn moment(&mut self, deed: impl FnOnce(&mut Connection, Moment<'_>)) -> &mut Self {
        let Visit { now, phase, .. } = *self;
        let moment = Moment { now, limits: &self.limits, pages: &self.pages, phase };
        deed(&mut self.connection, moment);
        self
    }

    fn later(&mut self, seconds: u64) -> &mut Self {
        self.now += Duration::from_secs(seconds);
        self
    }

    /// Lets the deadline pass, if it has.
    fn tick(&mut self) -> Want {
        if self.connection.deadline().is_some_and(|due| due <= self.now) {
            self.moment(|connection, moment| connection.expire(moment));
        }
        self.connection.want(&self.limits)
    }

    fn written(&mut self) -> String {
        let output = String::from_utf8(self.connection.output().to_vec()).unwrap();
        self.moment(|connection, moment| connection.wrote(moment, output.len()));
        output
    }

    fn answer(&mut self) -> String {
        self.moment(|connection, moment| drop(connection.take_request(moment)));
        self.moment(|connection, moment| connection.answer(moment, answer("ok")));
        self.written()
    }
}

fn answer(body: &str) -> Answer {
    Answer::render(Response::text(200, body.to_owned()), Method::Get)
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[test]
fn a_head_has_ten_seconds_from_its_first_byte() {
    let mut visit = Visit::new();
    assert!(matches!(visit.later(94).tick(), Want::Read(_)));
    visit.send(b"G");
    for byte in [b"E", b"T", b" ", b"/"] {
        assert!(matches!(visit.later(2).send(byte).tick(), Want::Read(_)));
    }
    assert_eq!(visit.later(2).tick(), Want::Write);
    let answer = visit.written();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\r\nConnection: close\r\n"));
    assert_eq!(visit.tick(), Want::ShutDown);
}

#[test]
fn a_body_has_ten_seconds_from_its_head() {
    let mut visit = Visit::new();
    visit.send(b"POST / HTTP/1.1\r\nHost: a\r\n").later(9).send(b"Content-Length: 9\r\n\r\n");
    for _ in 0..4 {
        assert!(matches!(visit.later(2).send(b"x").tick(), Want::Read(_)));
    }
    assert_eq!(visit.later(2).tick(), Want::Write);
    assert!(visit.written().starts_with("HTTP/1.1 408 "));
}

#[test]
fn an_idle_connection_is_closed_in_silence() {
    let mut visit = Visit::new();
    visit.send(GET);
    visit.later(50).answer();
    // Empty lines keep nobody waiting.
    visit.later(94).send(b"\r\n").send(b"\r");
    assert!(matches!(visit.tick(), Want::Read(_)));
    assert_eq!(visit.later(1).tick(), Want::Close);
    assert!(visit.connection.output().is_empty());
}

#[test]
fn empty_lines_are_ignored_but_not_for_ever() {
    let mut visit = Visit::new();
    visit.send(b"\r\n\r\n\r\n\r\n").send(b"\r\n\r\n\r\n\r").send(b"\n").send(GET).answer();
    // After a request it begins anew.
    for _ in 0..8 {
        assert!(matches!(visit.send(b"\r\n").tick(), Want::Read(_)));
    }
    assert_eq!(visit.send(b"\r\n").tick(), Want::Write);
    assert!(visit.written().starts_with("HTTP/1.1 400 "));
}

#[test]
fn whoever_had_a_large_answer_is_known_until_the_next() {
    let mut visit = Visit::new();
    let had = |visit: &Visit| visit.connection.is_again();
    visit.send(GET);
    assert!(!had(&visit));
    visit.moment(|connection, moment| drop(connection.take_request(moment)));
    let body = "x".repeat(LARGE_ANSWER + 1);
    visit.moment(|connection, moment| connection.answer(moment, answer(&body)));
    while visit.tick() == Want::Write {
        visit.written();
    }
    visit.send(GET);
    assert!(had(&visit));
    visit.answer();
    visit.send(GET);
    assert!(!had(&visit));
}

#[test]
fn a_head_counts_until_its_answer_comes() {
    let mut visit = Visit::new();
    visit.send(GET);
    let ready = visit.connection.memory();
    assert!(ready >= GET.len());
    visit.moment(|connection, moment| {
        let request = connection.take_request(moment).unwrap();
        assert_eq!(request.head.memory(), ready);
    });
    assert_eq!(visit.connection.memory(), ready);
    visit.moment(|connection, moment| connection.answer(moment, answer("ok")));
    visit.written();
    assert_eq!(visit.connection.memory(), 0);
}

#[test]
fn progress_is_what_has_come_or_was_taken_in_this_stage() {
    let mut visit = Visit::new();
    let at = |visit: &Visit| (visit.connection.stage(), visit.connection.progress());
    assert_eq!(at(&visit), (Stage::Idle, 0));
    visit.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Le");
    assert_eq!(at(&visit), (Stage::Head, 36));
    visit.send(b"ngth: 5\r\n\r\nab").send(b"c");
    assert_eq!(at(&visit), (Stage::Body, 3));
    visit.send(b"de");
    assert_eq!(at(&visit), (Stage::Waiting, 0));
    visit.moment(|connection, moment| drop(connection.take_request(moment)));
    visit.moment(|connection, moment| connection.answer(moment, answer("ok")));
    visit.moment(|connection, moment| connection.wrote(moment, 7));
    assert_eq!(at(&visit), (Stage::Answering, 7));
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut visit = Visit::new();
    assert_eq!(visit.connection.memory(), 0);
    visit.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n").send(b"\r\nab").send(b"c");
    assert!(visit.connection.memory() > 0);
    visit.answer();
    assert!(visit.connection.is_idle());
    assert_eq!(visit.connection.memory(), 0);
}

#[test]
fn an_answer_must_be_taken_in_time() {
    let mut visit = Visit::new();
    visit.send(GET).moment(|connection, moment| drop(connection.take_request(moment)));
    let body = "x".repeat(400 << 10);
    visit.moment(|connection, moment| connection.answer(moment, answer(&body)));
    // 10 s, and 100 s for 400 KiB at 4 KiB a second.
    visit.later(109).moment(|connection, moment| connection.wrote(moment, 1));
    assert_eq!(visit.tick(), Want::Write);
    assert_eq!(visit.later(2).tick(), Want::Close);
}

#[test]
fn after_a_closing_answer_input_is_discarded_for_a_while() {
    let lingering = || {
        let mut visit = Visit::new();
        visit.send(b"nonsense\r\n");
        visit.written();
        visit.moment(|connection, moment| connection.shut_down(moment));
        visit
    };
    assert!(matches!(lingering().later(0).send(&vec![0; 256 << 10]).tick(), Want::Read(_)));
    assert_eq!(lingering().send(&vec![0; (256 << 10) + 1]).tick(), Want::Close);
    assert_eq!(lingering().later(1).tick(), Want::Close);
    assert_eq!(lingering().moment(|connection, moment| connection.end(moment)).tick(), Want::Close);
}

#[test]
fn one_request_at_a_time() {
    let mut visit = Visit::new();
    visit.send(&[GET, GET, b"GET /"].concat());
    assert_eq!(visit.tick(), Want::Pass);
    visit.moment(|connection, moment| drop(connection.take_request(moment)));
    assert_eq!(visit.tick(), Want::Answer);
    visit.moment(|connection, moment| connection.answer(moment, answer("ok")));
    assert_eq!(visit.tick(), Want::Write);
    visit.written();
    assert_eq!(visit.tick(), Want::Pass);
    visit.answer();
    assert!(matches!(visit.tick(), Want::Read(n) if n == (16 << 10) - 5));
}

#[test]
fn a_large_body_is_not_copied_and_arrives_whole() {
    for length in [LARGE_ANSWER, LARGE_ANSWER + 1] {
        let mut visit = Visit::new();
        visit.send(GET).moment(|connection, moment| drop(connection.take_request(moment)));
        let body: String = (0..length).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
        let whole = answer(&body);
        let place = whole.body.as_ptr();
        visit.moment(|connection, moment| connection.answer(moment, whole));
        let head = visit.written();
        let (head, rest) = head.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(rest.is_empty(), length > LARGE_ANSWER);
        assert_eq!(visit.connection.output().as_ptr() == place, rest.is_empty());
        assert!(rest.to_owned() + &visit.written() == body);
        assert!(visit.connection.is_idle() && visit.connection.memory() == 0);
    }
}

#[test]
fn what_lies_in_the_program_takes_no_memory() {
    static BODY: [u8; LARGE_ANSWER + 1] = [b'x'; LARGE_ANSWER + 1];
    let mut visit = Visit::new();
    visit.send(GET).moment(|connection, moment| drop(connection.take_request(moment)));
    let answer = Answer::render(Response::new(200, "text/plain", &BODY[..]), Method::Get);
    visit.moment(|connection, moment| connection.answer(moment, answer));
    assert!(visit.connection.memory() < 1 << 10, "{}", visit.connection.memory());
}

#[test]
fn what_an_answer_says_of_the_connection() {
    let connection = |request: &str, phase| {
        let mut visit = Visit::new();
        visit.send(request.as_bytes());
        visit.phase = phase;
        let answer = visit.answer();
        let said =
            answer.lines().find_map(|line| line.strip_prefix("Connection: ").map(str::to_owned));
        (said.unwrap_or_default(), visit.tick() == Want::ShutDown)
    };
    let word = |said: &str, closes| (said.to_owned(), closes);
    assert_eq!(connection("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Phase::Serving), word("", false));
    assert_eq!(connection("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Phase::Grace), word("close", true));
    assert_eq!(
        connection("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", Phase::Serving),
        word("close", true)
    );
    assert_eq!(connection("GET / HTTP/1.0\r\n\r\n", Phase::Serving), word("close", true));
    assert_eq!(
        connection("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Phase::Serving),
        word("keep-alive", false)
    );
    assert_eq!(
        connection("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", Phase::Grace),
        word("close", true)
    );
}

#[test]
fn the_end_of_input_ends_what_was_not_begun() {
    let end = |bytes: &[u8]| {
        let mut visit = Visit::new();
        visit.send(bytes).moment(|connection, moment| connection.end(moment));
        (visit.tick(), visit)
    };
    assert_eq!(end(b"").0, Want::Close);
    assert_eq!(end(b"\r").0, Want::Close);
    let (want, mut visit) = end(b"GET /");
    assert_eq!(want, Want::Write);
    assert!(visit.written().starts_with("HTTP/1.1 400 "));
    visit.moment(|connection, moment| connection.shut_down(moment));
    assert_eq!(visit.tick(), Want::Close);
    let (want, mut visit) = end(GET);
    assert_eq!(want, Want::Pass);
    assert!(visit.answer().ends_with("ok"));
    assert_eq!(visit.tick(), Want::Close);
}

#[test]
fn a_rejected_head_request_gets_no_body() {
    for request in [
        "HEAD / HTTP/1.1\r\n\r\n",
        "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx",
    ] {
        let answer = Visit::new().send(request.as_bytes()).written();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn a_request_that_is_turned_away_can_be_repeated_on_another_connection() {
    let mut visit = Visit::new();
    visit.send(&GET.repeat(2));
    visit.moment(|connection, moment| connection.reject(moment, rejection::BUSY));
    let answer = visit.written();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: 1\r\n"));
    assert!(answer.contains("\r\nConnection: close\r\n"));
    assert_eq!(visit.tick(), Want::ShutDown);
}

#[test]
fn expectations() {
    let mut visit = Visit::new();
    visit.send(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n");
    assert_eq!(visit.tick(), Want::Write);
    assert_eq!(visit.written(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(visit.send(b"x").tick(), Want::Pass);
    let mut refused = Visit::new();
    refused.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
    );
    assert!(refused.written().starts_with("HTTP/1.1 413 "));
}

/// Pieces of requests, valid and not, that meet in all orders.
const WORDS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /x?y HTTP/1.1\r\n",
    "HEAD http://b/ HTTP/1.0\r\n",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Content-Length: 65536\r\n",
    "Content-Length: 65537\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Cookie: a=1; b=\u{e9}\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "hello",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "1;x=y\r\na\r\n",
    "A: b\r\n",
    "\r",
    "\n",
    " ",
    "\0",
    "Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
];

fn input() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        20 => proptest::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => (1_usize..20_000).prop_map(|n| vec![b'a'; n]),
    ];
    proptest::collection::vec(word, 0..20).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_split_does_not_matter(input in input(), cuts in proptest::collection::vec(any::<usize>(), 0..40)) {
        let whole = drive([&input[..]]);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (input.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([input.len()]) {
            pieces.push(&input[from..cut]);
            from = cut;
        }
        prop_assert_eq!(&whole, &drive(pieces));
        if input.len() < 2000 {
            prop_assert_eq!(&whole, &drive(input.chunks(1)));
        }
    }
}

#[test]
fn pipelined_requests_are_passed_in_order() {
    let deeds = drive([&b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /3"[..]]);
    let passed = deeds.iter().filter_map(|deed| match deed {
        Deed::Passed { lane, .. } => Some(lane[5]),
        _ => None,
    });
    assert_eq!(passed.collect::<Vec<_>>(), b"12");
    assert_eq!(deeds[deeds.len() - 2..], [Deed::ShutDown, Deed::Closed]);
}
