//! How it ends: SIGTERM under load, twice, panics, being stuck, and being without a lane. A library ends
//! nobody's process: `serve` returns, and the program ends.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::server::{PATIENCE, Server, until};
use super::visitor::{GET, read_all, read_answer};

/// Sends the bytes on a connection of its own.
fn send(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(bytes).unwrap();
    stream
}

fn says_close(stream: &mut TcpStream) -> bool {
    let answer = read_answer(stream).expect("an answer");
    (answer.status, answer.header("Connection")) == (200, Some("close"))
}

fn refuses(server: &Server) -> bool {
    TcpStream::connect(server.address).is_err()
}

#[test]
fn in_the_grace_time_everybody_gets_a_last_answer() {
    let mut server = Server::example(&["grace_ms=3000"]);
    let mut idle = send(&server, GET);
    assert_eq!(read_answer(&mut idle).unwrap().header("Connection"), None);
    let mut fresh = send(&server, b"");
    let mut head = send(&server, b"GET / HTTP/1.1\r\n");
    let mut body = send(&server, b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
    let mut silent = send(&server, GET);
    read_answer(&mut silent).unwrap();
    server.signal(Signal::TERM);
    until("it drains", || server.log().contains("draining"));
    for (stream, rest) in
        [(&mut idle, GET), (&mut fresh, GET), (&mut head, b"Host: a\r\n\r\n"), (&mut body, b"b")]
    {
        stream.write_all(rest).unwrap();
        assert!(says_close(stream));
        assert!(read_all(stream).is_empty());
    }
    assert!(says_close(&mut send(&server, GET)), "newcomers are served");
    assert!(read_all(&mut silent).is_empty(), "at the end idle connections are closed");
    assert_eq!(server.wait(Duration::from_secs(5)).expect("it ends").code(), Some(0));
    assert!(refuses(&server));
    assert_eq!(server.leftovers(), 0, "the socket's directory is gone");
}

#[test]
fn what_has_begun_is_finished_after_the_grace_time() {
    let mut server = Server::example(&["grace_ms=0"]);
    let mut slow = send(&server, b"GET /slow/1500 HTTP/1.1\r\nHost: a\r\n\r\n");
    let large = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4);
    let mut reader = send(&server, &large);
    thread::sleep(Duration::from_millis(300));
    server.signal(Signal::TERM);
    until("newcomers are refused", || refuses(&server));
    assert!(says_close(&mut slow));
    assert_eq!(read_answer(&mut reader).unwrap().body.len(), 3 << 20);
    let _ = read_all(&mut reader);
    assert_eq!(server.wait(Duration::from_secs(5)).expect("it ends").code(), Some(0));
}

/// Within this time it ends where nobody deserves that it waits, on any machine; in truth it takes 0.2 s.
const AT_ONCE: Duration = Duration::from_secs(3);

#[test]
fn strangers_do_not_hold_the_end() {
    let half_head = b"GET / HTTP/1.1\r\nHost";
    let half_body = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na";
    let too_large = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n";
    // With half a head alone there is no grace time, of 5 s.
    for (settings, bytes) in [
        (&["linger_ms=60000"][..], &half_head[..]),
        (&["linger_ms=60000", "grace_ms=100"], half_body),
        (&["linger_ms=60000"], too_large),
    ] {
        let mut server = Server::example(settings);
        let mut strangers: Vec<_> = (0..8).map(|_| send(&server, bytes)).collect();
        if bytes == too_large {
            assert!(strangers.iter_mut().all(|one| read_answer(one).unwrap().status == 413));
        }
        server.assert_serves();
        server.signal(Signal::TERM);
        let status = server.wait(AT_ONCE).expect("it ends");
        assert_eq!(status.code(), Some(0));
        for mut stranger in strangers {
            assert_eq!(read_all(&mut stranger).len(), 0, "it is cut in silence");
        }
    }
}

/// A client that has asked may be in the middle of its next request; one that never did has nothing begun.
#[test]
fn who_has_asked_deserves_the_grace_time_and_nobody_else() {
    let server = Server::example(&["grace_ms=20000"]);
    let mut kept = send(&server, GET);
    read_answer(&mut kept).unwrap();
    let (half, rest) = GET.split_at(9);
    kept.write_all(half).unwrap();
    until("it is read", || server.get("/").is_some());
    server.signal(Signal::TERM);
    until("it drains", || server.log().contains("draining"));
    thread::sleep(Duration::from_millis(500));
    kept.write_all(rest).unwrap();
    assert!(says_close(&mut kept));

    let mut server = Server::example(&["grace_ms=20000"]);
    let _fresh = server.connect();
    server.assert_serves();
    server.signal(Signal::TERM);
    assert_eq!(server.wait(AT_ONCE).expect("it ends").code(), Some(0));
}

#[test]
fn other_signals_than_two_never_end_it_at_once() {
    for first in [Signal::HUP, Signal::QUIT, Signal::TERM] {
        let mut server = Server::example(&["grace_ms=0"]);
        let mut slow = send(&server, b"GET /slow/1000 HTTP/1.1\r\nHost: a\r\n\r\n");
        thread::sleep(Duration::from_millis(200));
        server.signal(first);
        until("it drains", || server.log().contains("draining"));
        for next in [Signal::HUP, Signal::QUIT, Signal::HUP] {
            server.signal(next);
        }
        assert!(says_close(&mut slow));
        assert_eq!(server.wait(PATIENCE).expect("it ends").code(), Some(0));
    }
}

#[test]
fn signals_of_the_user_mean_nothing() {
    let mut server = Server::waxseal();
    for signal in [Signal::USR1, Signal::USR2] {
        server.signal(signal);
        assert!(server.wait(Duration::from_millis(200)).is_none());
        server.assert_serves();
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait(PATIENCE).expect("it ends").code(), Some(0));
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
            // It was idle when the grace time ended; what is idle is closed then.
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
    let mut server = Server::example(&["drain_ms=800", "grace_ms=0"]);
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
        // Once in the grace time, and once after it.
        let grace = if second == Signal::TERM { "grace_ms=0" } else { "grace_ms=20000" };
        let mut server = Server::example(&[grace]);
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
