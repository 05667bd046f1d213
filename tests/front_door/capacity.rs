//! What many connections cost: no CPU, no threads, and memory within the budget.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::server::{BUDGET, MEGABYTE, Server, crowd, until};
use super::visitor::{GET, Legitimate, read_answer};

#[test]
fn idle_connections_cost_no_cpu() {
    let server = Server::waxseal();
    let mut streams: Vec<TcpStream> = (0..1000).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(&server.home).unwrap();
        assert_eq!(read_answer(stream).unwrap().status, 200);
    }
    // What comes a while after the last answer is over then.
    thread::sleep(Duration::from_secs(3));
    let before = server.cpu();
    thread::sleep(Duration::from_secs(10));
    let used = server.cpu() - before;
    assert!(used <= Duration::from_millis(30), "{used:?} in 10 s");
}

/// Beside other programs that are at work, workers with less would hardly run at all.
#[test]
fn all_threads_have_the_share_of_the_processor_that_the_process_was_given() {
    for nicer in [0, 5] {
        // In a thread of its own, since a process has the niceness of the thread that starts it.
        let start = move || (rustix::process::nice(nicer).unwrap(), Server::waxseal());
        let (given, server) = thread::spawn(start).join().unwrap();
        assert_eq!(server.niceness(), BTreeSet::from([given.into()]));
    }
}

/// Beside these connections there are files for three of the seven lanes that are wanted, while connections make
/// room for them.
#[test]
fn lanes_in_place_of_others_borrow_of_the_connections() {
    let settings =
        ["workers=8", "reserved_descriptors=0", "lane_ms=500", "trusted_proxies=127.0.0.1"];
    let server = Server::example_with_open_files(20 + 8 * 3 + 25, &settings);
    let _idle: Vec<_> = (0..25).map(|_| answered(&server)).collect();
    let mut slow: Vec<_> = (0..7).map(|_| server.connect()).collect();
    // A body of this length has a lane alone.
    let head = b"POST /slow/3000 HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n";
    for stream in &mut slow {
        stream.write_all(&[&head[..], &[b'x'; 2000]].concat()).unwrap();
    }
    assert!(slow.iter_mut().all(|stream| read_answer(stream).unwrap().status == 504));
    // One worker is left, which answers the probes of seven more lanes.
    for _ in 0..20 {
        assert_eq!(server.get("/").unwrap().status, 200);
    }
    for failure in ["cannot be opened", "accepting is paused"] {
        assert!(!server.log().contains(failure), "{}", server.log());
    }
}

/// A connection that has had an answer.
fn answered(server: &Server) -> TcpStream {
    let mut stream = server.connect();
    stream.write_all(GET).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    stream
}

#[test]
fn ten_thousand_connections_and_the_worst_of_them() {
    let (_leave, count) = crowd(9_990);
    let settings = [
        "trusted_proxies=1",
        "head_ms=5000",
        "body_ms=5000",
        "answer_ms=3000",
        "answer_rate=3000000",
    ];
    let server = Server::example(&settings);
    let (threads, empty) = (server.threads(), server.memory());
    assert!(empty < 6 * MEGABYTE, "{empty} bytes at rest");
    let mut streams: Vec<TcpStream> = (0..count).map(|_| server.connect()).collect();
    // Each has asked once, so that each has had its buffers.
    for some in streams.chunks_mut(500) {
        for stream in &mut *some {
            stream.write_all(GET).unwrap();
        }
        for stream in some {
            assert_eq!(read_answer(stream).unwrap().status, 200);
        }
    }
    let idle = server.memory();
    assert!(idle < empty + 10 * MEGABYTE, "{} bytes a connection", (idle - empty) / count);
    // One that tiny_http had too many at the start may have ended.
    assert!(server.threads() <= threads);
    let check = || {
        assert!(server.memory() < BUDGET, "{} MiB", server.memory() / MEGABYTE);
        // One that tiny_http had too many at the start may have ended.
        assert!(server.threads() <= threads);
    };
    // The worst mix: heads and bodies that are never finished, large answers that nobody reads.
    let head = [&b"GET / HTTP/1.1\r\nHost: a\r\nX: "[..], &[b'x'; 15_000]].concat();
    let post = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n";
    let body = [&post[..], &[b'x'; 60_000]].concat();
    let large = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(4);
    for (number, stream) in streams.iter_mut().enumerate() {
        stream.set_nonblocking(true).unwrap();
        let _ = match number % 10 {
            0..4 => stream.write(&head),
            4..8 => stream.write(&body),
            8 if number % 100 == 8 => stream.write(&large),
            _ => Ok(0),
        };
        if number % 1000 == 0 {
            check();
        }
    }
    // Not only the home page: somebody signs in meanwhile.
    let legitimate = Legitimate::arrive(&server);
    for _ in 0..40 {
        let form = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\nusername=foo&password=secret";
        let answer = read_answer(&mut server.ask(form)).expect("an answer");
        assert_eq!((answer.status, answer.body.len()), (200, 28));
        check();
        thread::sleep(Duration::from_millis(100));
    }
    legitimate.assert_served();
    drop(streams);
    until("memory is given back", || server.memory() < idle + 6 * MEGABYTE);
    // One that tiny_http had too many at the start may have ended.
    assert!(server.threads() <= threads);
    assert!(!server.log().contains("a lane is"), "{}", server.log());
}
