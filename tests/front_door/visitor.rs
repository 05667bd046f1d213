//! Visitors: what they send, byte for byte, and what they get.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::server::{PATIENCE, Server};

/// A request for the home page, and nothing else.
pub const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Connects and sends. The server may close before it has read all.
pub fn ask(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let _ = stream.write_all(bytes);
    stream
}

/// Reads to the end, or until an error such as the time limit.
pub fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// Reads one answer, framed by its Content-Length.
pub fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    read_answer_to(stream, false)
}

pub fn read_answer_to(stream: &mut TcpStream, head_only: bool) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    let head = String::from_utf8(head).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut answer = Answer { status, head, body: Vec::new() };
    if !head_only && status >= 200 && status != 204 && status != 304 {
        let length = answer.header("Content-Length")?.parse().ok()?;
        answer.body = vec![0; length];
        stream.read_exact(&mut answer.body).ok()?;
    }
    Some(answer)
}

/// The status of the first answer in these bytes; 0 where there is none.
pub fn status(bytes: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(bytes);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Whether the server has closed, or does so within a moment.
pub fn is_closed(stream: &TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    match stream.peek(&mut [0]) {
        Ok(n) => n == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// Writes as much as the server takes within a time; it may close at any moment.
pub fn push(stream: &mut TcpStream, piece: &[u8], times: usize, limit: Duration) -> usize {
    let begin = Instant::now();
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut written = 0;
    for _ in 0..times {
        if begin.elapsed() > limit {
            break;
        }
        match stream.write(piece) {
            Ok(n) => written += n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    written
}

/// Asks for the home page every 20 ms, each time on a fresh connection.
pub struct Legitimate {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Option<Duration>>>,
}

impl Legitimate {
    pub fn arrive(server: &Server) -> Legitimate {
        let stop = Arc::new(AtomicBool::new(false));
        let (ending, address) = (Arc::clone(&stop), server.address);
        let head = server.home.strip_suffix(b"\r\n").unwrap();
        let request = [head, b"Connection: close\r\n\r\n"].concat();
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            while !ending.load(Ordering::Relaxed) && times.len() < 10_000 {
                let begin = Instant::now();
                times.push(visit(address, &request).map(|()| begin.elapsed()));
                thread::sleep(Duration::from_millis(20));
            }
            times
        });
        Legitimate { stop, thread }
    }

    /// Every answer came, and 99 of 100 within a second.
    #[track_caller]
    pub fn assert_served(self) {
        self.stop.store(true, Ordering::Relaxed);
        let times = self.thread.join().unwrap();
        let count = times.len();
        let mut times: Vec<Duration> = times.into_iter().flatten().collect();
        assert_eq!(times.len(), count, "answers of {count}");
        times.sort();
        let p99 = times[(count * 99 / 100).min(count - 1)];
        assert!(p99 < Duration::from_secs(1), "p99 of {count} is {p99:?}");
    }
}

fn visit(address: SocketAddr, request: &[u8]) -> Option<()> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(request).ok()?;
    read_answer(&mut stream).filter(|answer| answer.text().contains("Hello")).map(drop)
}
