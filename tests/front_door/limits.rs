//! What the front door promises: each row of the second table in `docs/front-door.md`. After each, a
//! request on a fresh connection is served. (Malformed heads are in `malformed.rs`, the drain in
//! `endings.rs`, times as long as the defaults in `src/server/connection/tests.rs`.)

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::server::{Server, until};
use super::visitor::{GET, is_closed, read_all, read_answer, read_answer_to, status};

#[test]
fn connections_go_for_newcomers_in_order() {
    let server = Server::example(&["max_connections=9", "trusted_proxies=1"]);
    thread::sleep(Duration::from_millis(100));
    let open = |bytes: &[u8]| {
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        thread::sleep(Duration::from_millis(80));
        stream
    };
    let begun: &[u8] = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n";
    let bodies: Vec<_> = (0..3).map(|_| open(begun)).collect();
    let heads: Vec<_> = (0..3).map(|_| open(b"GET /")).collect();
    let idle: Vec<_> = (0..3).map(|_| open(b"")).collect();
    // The longest idle goes first, then the others that are idle.
    let mut newcomers = vec![open(b"GET /")];
    assert!(is_closed(&idle[0]) && !is_closed(&idle[1]));
    newcomers.extend((0..2).map(|_| open(b"GET /")));
    assert!(is_closed(&idle[1]) && is_closed(&idle[2]));
    // Then the oldest unfinished head.
    newcomers.push(open(b"GET /"));
    assert!(is_closed(&heads[0]) && !is_closed(&heads[1]) && !is_closed(&bodies[0]));
    // Bodies go only when there is nothing else.
    newcomers.extend((0..8).map(|_| open(begun)));
    assert!(is_closed(&bodies[0]) && is_closed(&bodies[1]) && !is_closed(&bodies[2]));
    drop(newcomers);
    server.assert_serves();
}

#[test]
fn a_quarter_of_the_connections_to_one_address() {
    let server = Server::example(&["max_connections=40"]);
    thread::sleep(Duration::from_millis(100));
    let mut first: Vec<_> = (0..10).map(|_| server.connect()).collect();
    let beyond = server.connect();
    assert!(is_closed(&beyond));
    for stream in &mut first {
        stream.write_all(GET).unwrap();
        assert_eq!(read_answer(stream).unwrap().status, 200);
    }
    drop(first);
    until("there is room again", || server.get("/").is_some());
}

#[test]
fn buffers_together_are_bounded() {
    let megabytes = 8;
    let memory = (megabytes << 20).to_string();
    let server = Server::example(&[&format!("memory={memory}"), "body_ms=3000"]);
    let before = server.memory();
    let mut streams: Vec<_> = (0..400).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.set_nonblocking(true).unwrap();
        let _ = stream.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n");
        let _ = stream.write(&[b'x'; 60_000]);
    }
    for _ in 0..10 {
        assert_eq!(server.get("/").unwrap().status, 200, "small requests are served meanwhile");
        assert!(server.memory() < before + 2 * (megabytes << 20), "{}", server.memory() - before);
    }
    drop(streams);
    let mut readers: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for stream in &mut readers {
        // More than the kernel takes for a visitor who does not read.
        stream.write_all(&b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(6)).unwrap();
    }
    thread::sleep(Duration::from_secs(2));
    // Each is 3 MiB: the slowest readers had to go. The workers' own copies come on top.
    assert!(
        server.memory() < before + (megabytes << 20) + (24 << 20),
        "{}",
        server.memory() - before
    );
    let all_six = |stream: &mut TcpStream| (0..6).all(|_| read_answer(stream).is_some());
    let whole = readers.iter_mut().map(all_six).filter(|whole| *whole).count();
    assert!(whole <= 4, "{whole} of 20");
    server.assert_serves();
}

#[test]
fn sizes_of_the_head() {
    let server = Server::example(&[]);
    let ask = |path: usize, field: usize, fields: usize| {
        let (path, field) = ("a".repeat(path), "b".repeat(field));
        let fields = "A: b\r\n".repeat(fields);
        let head = format!(
            "GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: {field}\r\n{fields}\r\n"
        );
        status(&server.raw(head.as_bytes()))
    };
    assert_eq!((ask(8170, 1, 0), ask(8192, 1, 0), ask(50_000, 1, 0)), (404, 414, 414));
    assert_eq!((ask(0, 16_000, 0), ask(0, 16_384, 0), ask(0, 100_000, 0)), (200, 431, 431));
    assert_eq!((ask(0, 1, 97), ask(0, 1, 98)), (200, 431));
    server.assert_serves();
}

#[test]
fn size_of_the_body() {
    let server = Server::example(&[]);
    let ask = |length: usize| {
        let mut request = format!("POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n").into_bytes();
        request.extend(vec![b'x'; length]);
        server.raw(&request)
    };
    let whole = ask(65_536);
    assert_eq!((status(&whole), whole.ends_with(&[b'x'; 65_536])), (200, true));
    assert_eq!(status(&ask(65_537)), 413);
    // From the declared length, before a byte of the body is sent, and in spite of Expect.
    let before = server.asked();
    let answer = server.raw(
        b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
    );
    assert_eq!(status(&answer), 413);
    let answer = server
        .raw(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
    assert_eq!(status(&answer), 413);
    assert_eq!(server.asked(), before + 1);
    server.assert_serves();
}

#[test]
fn a_closing_answer_arrives() {
    let server = Server::example(&[]);
    for _ in 0..50 {
        let mut stream = server.connect();
        stream
            .write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
            .unwrap();
        // The visitor sends on, whatever comes back.
        for _ in 0..20 {
            stream.write_all(&[b'x'; 10_000]).unwrap();
        }
        let answer = read_all(&mut stream);
        assert_eq!(status(&answer), 413);
        assert!(answer.ends_with(b"too large\n"));
    }
    // But not for ever.
    let mut stream = server.connect();
    stream.write_all(b"nonsense\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 400);
    let begin = Instant::now();
    while stream.write_all(&[b'x'; 1000]).is_ok() {
        thread::sleep(Duration::from_millis(10));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
    server.assert_serves();
}

#[test]
fn times_for_head_and_body() {
    let server = Server::example(&["head_ms=700", "body_ms=700"]);
    for begin in [
        &b"GET / HTTP/1.1\r\nX: "[..],
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n",
    ] {
        let (mut stream, began) = (server.connect(), Instant::now());
        stream.write_all(begin).unwrap();
        let mut reader = stream.try_clone().unwrap();
        let answer = thread::spawn(move || read_all(&mut reader));
        // A byte now and then does not help.
        while stream.write_all(b"x").is_ok() && began.elapsed() < Duration::from_millis(1200) {
            thread::sleep(Duration::from_millis(50));
        }
        drop(stream);
        let answer = answer.join().unwrap();
        assert_eq!(status(&answer), 408, "{}", String::from_utf8_lossy(&answer));
        assert!(String::from_utf8_lossy(&answer).contains("Connection: close\r\n"));
    }
    server.assert_serves();
}

#[test]
fn idle_connections_are_closed_in_silence() {
    let server = Server::example(&["idle_ms=600"]);
    let (mut never, mut once) = (server.connect(), server.connect());
    once.write_all(GET).unwrap();
    assert_eq!(read_answer(&mut once).unwrap().status, 200);
    thread::sleep(Duration::from_millis(300));
    once.write_all(GET).unwrap();
    assert_eq!(read_answer(&mut once).unwrap().status, 200);
    assert_eq!((read_all(&mut never).len(), read_all(&mut once).len()), (0, 0));
    server.assert_serves();
}

#[test]
fn answers_beyond_the_limit() {
    let server = Server::example(&[]);
    assert_eq!(server.get("/large").unwrap().body.len(), 3 << 20);
    assert_eq!(server.get("/huge").unwrap().status, 500);
    server.assert_serves();
}

#[test]
fn one_request_of_a_connection_at_a_time_and_in_order() {
    let server = Server::example(&[]);
    let mut stream = server.connect();
    for (path, ms) in [("a", 60), ("b", 0), ("c", 30), ("d", 0)] {
        let request = format!("GET /whoami/{ms} HTTP/1.1\r\nHost: a\r\nCookie: {path}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    }
    let names: Vec<_> = (0..4).map(|_| read_answer(&mut stream).unwrap().text()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    server.assert_serves();
}

#[test]
fn requests_waiting_for_a_lane() {
    let server = Server::example(&["queue=4", "workers=1"]);
    server.warm_up();
    let mut streams: Vec<_> = (0..12).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(b"GET /slow/600 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    let answers: Vec<_> = streams.iter_mut().map(|stream| read_answer(stream).unwrap()).collect();
    let busy = answers.iter().filter(|answer| answer.status == 503);
    assert!(busy.clone().all(|answer| answer.header("Retry-After").is_some()));
    assert_eq!(busy.count(), 4, "4 under way, 4 waiting");
    server.assert_serves();
}

#[test]
fn no_answer_in_time() {
    let server = Server::example(&["lane_ms=400", "workers=4"]);
    let threads = server.threads();
    let mut stream = server.connect();
    stream.write_all(b"GET /slow/1500 HTTP/1.1\r\nHost: a\r\n\r\nGET /whoami HTTP/1.1\r\nHost: a\r\nCookie: me\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 504);
    assert_eq!(read_answer(&mut stream).unwrap().text(), "me", "never the late answer");
    assert!(server.log().contains("no answer in time"));
    thread::sleep(Duration::from_millis(1500));
    for _ in 0..20 {
        server.assert_serves();
    }
    assert_eq!(server.log().matches("a lane is given up").count(), 1);
    until("threads are as before", || server.threads() == threads);
}

#[test]
fn chunked_bodies_are_decoded() {
    let server = Server::example(&[]);
    let mut stream = server.connect();
    for piece in [
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Enc",
        "oding: chunked\r\n\r\n",
        "3\r\nab",
        "c\r\n1",
        "0\r\n0123456789abcdef",
        "\r\n0\r\nA: b\r\n",
        "\r\n",
    ] {
        stream.write_all(piece.as_bytes()).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(read_answer(&mut stream).unwrap().text(), "abc0123456789abcdef");
    stream.write_all(b"POST /head HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").unwrap();
    let head = read_answer(&mut stream).unwrap().text();
    assert!(!head.contains("Content-Length") && !head.contains("Transfer-Encoding"), "{head}");
    server.assert_serves();
}

#[test]
fn expectations() {
    let server = Server::example(&[]);
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n",
        )
        .unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 100);
    stream.write_all(b"ab").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().text(), "ab");
    let answer =
        server.raw(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: more\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(status(&answer), 417);
    // Not for a head that is refused.
    let answer =
        server.raw(b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    assert_eq!(status(&answer), 400);
    server.assert_serves();
}

#[test]
fn versions_methods_and_connections() {
    let server = Server::example(&[]);
    // HTTP/1.0, without and with keep-alive.
    let answer = server.raw(b"GET / HTTP/1.0\r\n\r\n");
    assert!(String::from_utf8_lossy(&answer).contains("\r\nConnection: close\r\n"));
    let mut stream = server.connect();
    for _ in 0..2 {
        stream.write_all(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").unwrap();
        let answer = read_answer(&mut stream).unwrap();
        assert_eq!(answer.header("Connection"), Some("keep-alive"));
    }
    // HEAD, 204 and 304 have no body, and the next answer follows at once.
    for (request, expected) in
        [("HEAD /", 200), ("GET /nothing", 204), ("GET /same", 304), ("HEAD /panic", 500)]
    {
        stream.write_all(format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
        let answer = read_answer_to(&mut stream, request.starts_with("HEAD")).unwrap();
        assert_eq!((answer.status, answer.header("Connection")), (expected, None));
    }
    stream.write_all(GET).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    // A visitor who has sent everything still gets everything.
    let mut stream = server.connect();
    stream
        .write_all(&[GET, b"GET /whoami/50 HTTP/1.1\r\nHost: a\r\nCookie: me\r\n\r\n"].concat())
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    assert_eq!(read_answer(&mut stream).unwrap().text(), "me");
    assert_eq!(read_all(&mut stream).len(), 0);
    server.assert_serves();
}

#[test]
fn nothing_of_the_connection_itself_is_passed_on() {
    let server = Server::example(&[]);
    let answer = server.raw(
        b"GET http://b:1/head HTTP/1.1\r\nHost: a\r\nConnection: close, X-Y\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nTE: trailers\r\n\
          Trailer: T\r\nProxy-Authorization: p\r\nProxy-Connection: keep-alive\r\nWaxseal-Request: 0.1\r\nX-Y: z\r\n\
          Cookie: a=1; b=\xc3\xa9; c=3\r\nX-Name: \xff\r\n\r\n",
    );
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    let lines: Vec<&str> = body.lines().collect();
    let expected = [
        "GET /head",
        "Host: b:1",
        "X-Y: z",
        r"X-Name: \xff",
        r"Cookie: a=1; b=\xc3\xa9; c=3",
        // A field like any other: the one that names a request goes over the lane, not in the head.
        "Waxseal-Request: 0.1",
    ];
    assert_eq!(lines, expected);
    let peer = server.raw(b"GET /address HTTP/1.0\r\nWaxseal-Request: 0.1\r\n\r\n");
    assert!(peer.ends_with(b"\r\n\r\n127.0.0.1"));
}

#[test]
fn slow_work_leaves_half_of_the_workers() {
    let server = Server::example(&["workers=4"]);
    let mut streams: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for stream in &mut streams {
        stream.write_all(b"GET /work/500 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    let begin = Instant::now();
    server.assert_serves();
    assert!(begin.elapsed() < Duration::from_millis(400), "other pages keep their speed");
    let answers: Vec<_> = streams.iter_mut().map(|stream| read_answer(stream).unwrap()).collect();
    let busy = answers.iter().filter(|a| a.status == 503 && a.header("Retry-After").is_some());
    assert_eq!((busy.count(), answers.iter().filter(|a| a.status == 200).count()), (2, 2));
}

#[test]
fn a_handler_that_panics() {
    let server = Server::example(&["workers=1"]);
    let threads = server.threads();
    let mut stream = server.connect();
    for _ in 0..20 {
        stream
            .write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\nX-Request-ID: the-one\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut stream).unwrap().status, 500);
    }
    assert!(server.log().contains("a handler panicked") && server.log().contains("the-one"));
    stream.write_all(GET).unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
    assert_eq!(server.threads(), threads);
    assert!(!server.log().contains("a lane is"));
}

/// Times that no clock can tell count as long ones, and nothing overflows.
#[test]
fn times_without_end() {
    let times = ["head", "body", "idle", "answer", "lane", "stuck", "drain"];
    let settings = times.map(|time| format!("{time}_ms={}", u64::MAX));
    let server = Server::example(&settings.each_ref().map(String::as_str));
    server.assert_serves();
    let mut stream = server.connect();
    stream.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nh").unwrap();
    thread::sleep(Duration::from_millis(50));
    stream.write_all(b"i").unwrap();
    assert_eq!(read_answer(&mut stream).unwrap().status, 200);
}
