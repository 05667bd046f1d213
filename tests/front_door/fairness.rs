//! Whoever fills a limit bears it: visitors of other addresses hardly notice.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::server::{PATIENCE, Server, crowd, until};
use super::visitor::{GET, read_all, read_answer};

/// A connection from another loopback address than the crowd's, with this last number.
fn connect_from(server: &Server, last: u8) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let source = (Ipv4Addr::new(127, 0, 0, last), 0);
    socket.bind(&std::net::SocketAddr::from(source).into()).unwrap();
    socket.connect(&server.address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

/// The status of a page asked for from there, and how long it took.
fn visit_from(server: &Server, last: u8) -> (Option<u16>, Duration) {
    let began = Instant::now();
    let mut stream = connect_from(server, last);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let status = read_answer(&mut stream).map(|answer| answer.status);
    (status, began.elapsed())
}

/// Three times as many of one address ask without a pause as may wait.
#[test]
fn an_address_that_fills_the_queue_is_refused_and_others_are_served() {
    let server = Server::example(&["workers=2", "queue=64"]);
    let (stop, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| ask_without_a_pause(&server, &stop, &refused));
        }
        until("the queue is full", || refused.load(Ordering::Relaxed) > 100);
        let visits: Vec<_> = (0..100).map(|_| visit_from(&server, 77)).collect();
        stop.store(true, Ordering::Relaxed);
        let served = visits.iter().filter(|(status, _)| *status == Some(200)).count();
        let longest = visits.iter().map(|(_, took)| *took).max().unwrap();
        assert!(served >= 99, "{served} of 100 visits were served");
        assert!(longest < Duration::from_secs(5), "{longest:?}");
    });
}

/// Asks for a page of two milliseconds as soon as the one before has come.
fn ask_without_a_pause(server: &Server, stop: &AtomicBool, refused: &AtomicUsize) {
    let mut stream = server.connect();
    while !stop.load(Ordering::Relaxed) {
        let _ = stream.write_all(b"GET /slow/2 HTTP/1.1\r\nHost: a\r\n\r\n");
        if read_answer(&mut stream).is_none_or(|answer| answer.status == 503) {
            refused.fetch_add(1, Ordering::Relaxed);
            stream = server.connect();
        }
    }
}

/// The longest idle goes first, then the oldest unfinished head; what is under way stays. Other addresses
/// lose nothing.
#[test]
fn a_newcomer_takes_the_place_of_one_of_its_own_address() {
    // A quarter of sixteen is an address's share.
    let server = Server::example(&["max_connections=16"]);
    let other = {
        let mut stream = connect_from(&server, 77);
        stream.write_all(GET).unwrap();
        assert_eq!(read_answer(&mut stream).unwrap().status, 200);
        stream
    };
    let mut idle = server.ask(GET);
    assert_eq!(read_answer(&mut idle).unwrap().status, 200);
    let mut unfinished = server.ask(b"GET / HTTP/1.1\r\nHost: a\r\n");
    thread::sleep(Duration::from_millis(200)); // it is no newcomer any more
    let mut under_way = [server.ask(SLOW), server.ask(SLOW)];
    let mut first = server.ask(GET);
    assert_eq!(read_answer(&mut first).unwrap().status, 200, "in the place of the idle one");
    assert!(read_all(&mut idle).is_empty() && is_open(&first));
    // A head that began earlier than the newcomer became idle stays longer than that one.
    let mut second = server.ask(SLOW);
    assert!(read_all(&mut first).is_empty());
    let mut third = server.ask(SLOW);
    assert!(read_all(&mut unfinished).is_empty());
    assert!(read_all(&mut server.ask(GET)).is_empty(), "all of its own are under way");
    for stream in under_way.iter_mut().chain([&mut second, &mut third]) {
        assert_eq!(read_answer(stream).unwrap().status, 200);
    }
    assert!(is_open(&other));
    let lines = server.log().matches("an address has its share of connections").count();
    assert_eq!(lines, 1, "{}", server.log());
}

/// A page that takes three seconds.
const SLOW: &[u8] = b"GET /slow/3000 HTTP/1.1\r\nHost: a\r\n\r\n";

/// Whether the server has not closed it.
fn is_open(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

/// What a client has not taken in time is thrown away, and not kept by the kernel for minutes more.
#[test]
fn an_answer_that_is_not_taken_in_time_ends_with_a_reset() {
    let server = Server::example(&["answer_ms=500", "answer_rate=100000000"]);
    let mut stream = server.ask(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    // Far longer than the time that it had.
    thread::sleep(Duration::from_secs(3));
    let (mut taken, mut buffer) = (0, vec![0; 1 << 16]);
    let ended = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break None,
            Ok(count) => taken += count,
            Err(error) => break Some(error.kind()),
        }
    };
    assert_eq!(ended, Some(std::io::ErrorKind::ConnectionReset), "{taken} bytes came");
}

/// More clients than may pipeline requests and read nothing: some of them are reset, and others are served.
#[test]
fn the_kernel_holds_answers_for_so_many_that_do_not_read() {
    let (_leave, count) = crowd(1_200);
    let server = Server::example(&["max_connections=8000", "answer_ms=60000"]);
    let mut streams: Vec<_> = (0..count).map(|_| connect_narrow(&server)).collect();
    for stream in &mut streams {
        let _ = stream.write_all(&GET.repeat(200));
    }
    let is_reset = |stream: &TcpStream| {
        // What has come can still be read; a reset is told all the same.
        matches!(stream.take_error(), Ok(Some(_)))
    };
    let resets = || streams.iter().filter(|stream| is_reset(stream)).count();
    let mut total = 0;
    until("some are reset", || {
        total += resets();
        total >= 100
    });
    assert!(total <= 700, "{total}");
    assert_eq!(visit_from(&server, 77).0, Some(200));
}

/// A connection whose own kernel takes little.
fn connect_narrow(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&server.address.into()).unwrap();
    socket.into()
}

/// Memory is short for as long as others ask for large answers and take nothing of them: a client that reads,
/// if slowly, gets all of its own.
#[test]
fn a_slow_reader_stays_and_those_who_take_nothing_go() {
    const LARGE: &[u8] = b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n";
    let server = Server::example(&["memory=20000000"]);
    let mut reader = connect_narrow(&server);
    reader.write_all(LARGE).unwrap();
    let stop = AtomicBool::new(false);
    let gone = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut streams = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let stream = server.ask(LARGE);
                streams.push(stream);
                thread::sleep(Duration::from_millis(50));
                let is_open = |stream: &TcpStream| !matches!(stream.take_error(), Ok(Some(_)));
                let before = streams.len();
                streams.retain(is_open);
                gone.fetch_add(before - streams.len(), Ordering::Relaxed);
            }
        });
        let (mut taken, mut buffer) = (0, vec![0; 32 << 10]);
        while taken < 3 << 20 {
            let count = reader.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                break;
            }
            taken += count;
            thread::sleep(Duration::from_secs_f64(count as f64 / 500_000.0));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(taken >= 3 << 20, "cut off after {taken} bytes");
    });
    assert!(gone.load(Ordering::Relaxed) > 5, "memory was never short");
}
