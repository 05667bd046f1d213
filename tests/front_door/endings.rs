//! How it ends: SIGTERM under load, twice, panics, being stuck, and being without a lane. A library ends
//! nobody's process: `serve` returns, and the program ends.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::server::{PATIENCE, Server, until};
use super::visitor::{GET, read_all, read_answer};

#[test]
fn a_drain_finishes_what_has_begun() {
    let mut server = Server::example(&[]);
    let send = |bytes: &[u8]| {
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        stream
    };
    let mut idle = send(GET);
    assert_eq!(read_answer(&mut idle).unwrap().status, 200);
    let mut fresh = send(b"");
    let mut slow = send(b"GET /slow/1500 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut head = send(b"GET / HTTP/1.1\r\n");
    let mut body = send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    let mut reader = send(&[&b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4)[..]].concat());
    thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    server.signal(Signal::TERM);
    // Idle connections are closed at once, newcomers are refused.
    assert_eq!((read_all(&mut idle).len(), read_all(&mut fresh).len()), (0, 0));
    until("newcomers are refused", || TcpStream::connect(server.address).is_err());
    assert!(begin.elapsed() < Duration::from_secs(1));
    // What has begun is finished, and says that it is the last.
    thread::sleep(Duration::from_millis(200));
    head.write_all(b"Host: a\r\n\r\n").unwrap();
    body.write_all(b"b").unwrap();
    for (stream, expected) in
        [(&mut head, None), (&mut body, Some("ab")), (&mut slow, Some("slept"))]
    {
        let answer = read_answer(stream).expect("an answer");
        assert_eq!((answer.status, answer.header("Connection")), (200, Some("close")));
        assert!(expected.is_none_or(|expected| answer.text() == expected));
    }
    let large = read_answer(&mut reader).unwrap();
    assert_eq!(large.body.len(), 3 << 20);
    let _ = read_all(&mut reader);
    drop((head, body, slow, reader));
    let status = server.wait(Duration::from_secs(5)).expect("it ends");
    assert_eq!(status.code(), Some(0));
    assert_eq!(server.leftovers(), 0, "the socket's directory is gone");
}

#[test]
fn under_load_no_request_that_was_begun_is_lost() {
    let mut server = Server::example(&[]);
    let address = server.address;
    let load: Vec<_> =
        (0..32).map(|number| thread::spawn(move || keep_asking(address, number))).collect();
    thread::sleep(Duration::from_millis(700));
    server.signal(Signal::TERM);
    let (mut answered, mut cut) = (0, 0);
    for visitor in load {
        let (whole, half) = visitor.join().unwrap();
        answered += whole;
        cut += half;
    }
    assert!(answered > 100);
    assert_eq!(cut, 0, "requests begun and lost, beside {answered} answered");
    assert_eq!(server.wait(Duration::from_secs(5)).unwrap().code(), Some(0));
}

/// Asks on one connection until it is closed: how many whole answers came, and whether a request
/// that was begun got none. Each request begins with a first piece, well before the rest: where the
/// connection is still open after that, the server has read it, so it was begun.
fn keep_asking(address: std::net::SocketAddr, number: u64) -> (usize, usize) {
    let mut whole = 0;
    let Ok(mut stream) = TcpStream::connect(address) else { return (0, 0) };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    loop {
        if stream.write_all(b"GET /slow/5 HTTP/1.1\r\n").is_err() {
            return (whole, 0);
        }
        thread::sleep(Duration::from_millis(50 + number % 7));
        stream.set_nonblocking(true).unwrap();
        let open = stream.peek(&mut [0]).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock);
        stream.set_nonblocking(false).unwrap();
        if !open {
            // It was idle when the drain began; what is idle may be closed.
            return (whole, 0);
        }
        if stream.write_all(b"Host: a\r\n\r\n").is_err() {
            return (whole, 1);
        }
        match read_answer(&mut stream) {
            Some(answer) if answer.header("Connection") == Some("close") => return (whole + 1, 0),
            Some(_) => whole += 1,
            None => return (whole, 1),
        }
    }
}

#[test]
fn a_drain_has_its_time() {
    let mut server = Server::example(&["drain_ms=800"]);
    let mut stream = server.connect();
    stream.write_all(b"GET /slow/20000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    thread::sleep(Duration::from_millis(100));
    let begin = Instant::now();
    server.signal(Signal::INT);
    assert_eq!(server.wait(Duration::from_secs(5)).expect("it ends").code(), Some(0));
    assert!(begin.elapsed() > Duration::from_millis(700));
}

#[test]
fn a_second_signal_ends_at_once() {
    for second in [Signal::TERM, Signal::INT] {
        let mut server = Server::example(&[]);
        let mut stream = server.connect();
        stream.write_all(b"GET /slow/20000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(100));
        server.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(200));
        assert!(server.wait(Duration::from_millis(100)).is_none(), "it drains");
        server.signal(second);
        let status = server.wait(Duration::from_secs(2)).expect("it ends at once");
        assert_eq!(status.code(), Some(1));
        assert_eq!(server.leftovers(), 0);
    }
}

/// Whether the last words in its log are these.
fn says_why(server: &Server, why: &str) -> bool {
    server.log().contains(&format!("the server cannot go on: {why}"))
}

#[test]
fn a_panic_of_a_thread_of_the_program_ends_nothing() {
    let mut server = Server::example(&["panic_ms=100"]);
    until("it has panicked", || server.log().contains("as asked"));
    assert!(server.wait(Duration::from_millis(500)).is_none(), "{}", server.log());
    server.assert_serves();
}

#[test]
fn workers_that_are_stuck_end_the_process() {
    let mut server = Server::example(&["workers=2", "lane_ms=1000", "stuck_ms=3000"]);
    let mut streams: Vec<_> = (0..2).map(|_| server.connect()).collect();
    // One of two workers is stuck: nothing happens.
    streams[0].write_all(b"GET /slow/60000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(5) {
        server.assert_serves();
        thread::sleep(Duration::from_millis(100));
    }
    streams[1].write_all(b"GET /slow/60000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let status = server.wait(Duration::from_secs(15)).expect("it ends");
    assert_eq!(status.code(), Some(70));
    assert!(says_why(&server, "every worker has been stuck too long"));
}

#[test]
fn a_panic_in_the_front_ends_the_process() {
    let mut server = Server::example(&["panic_at=accepting is paused"]);
    server.limit_descriptors(5);
    let _visitor = TcpStream::connect(server.address);
    let status = server.wait(Duration::from_secs(5)).expect("it ends");
    assert_eq!(status.code(), Some(101), "it is a panic of the thread that called serve");
    assert_eq!(server.leftovers(), 0);
}

#[test]
fn a_server_without_a_lane_ends() {
    let mut server = Server::example(&["workers=1", "lane_ms=300", "stuck_ms=3000"]);
    // The one lane is given up, and there is no descriptor for another.
    let mut stream = server.connect();
    until("it is let in", || server.get("/").is_some());
    server.limit_descriptors(5);
    stream.write_all(b"GET /slow/1000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 504);
    let status = server.wait(Duration::from_secs(15)).expect("it ends");
    assert_eq!(status.code(), Some(70));
    assert!(says_why(&server, "no lane to tiny_http can be opened"), "{}", server.log());
}
