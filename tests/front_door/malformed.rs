//! Malformed heads, sent to a running server.

use std::io::Write;
use std::thread;
use std::time::Duration;

use super::malformed_heads::REFUSED;
use super::server::Server;
use super::visitor::{read_all, status};

const H: &str = "Host: a\r\n";

#[test]
fn are_refused_and_nothing_is_passed_on() {
    assert!(REFUSED.len() >= 40);
    let server = Server::example(&[]);
    let before = server.asked();
    for (bytes, expected, source) in REFUSED {
        let shown = bytes.escape_ascii();
        let (whole, in_bytes) = (server.raw(bytes), server_in_pieces(&server, bytes));
        assert_eq!(
            status(&whole),
            *expected,
            "{shown}\n{source}\n{}",
            String::from_utf8_lossy(&whole)
        );
        assert_eq!(status(&in_bytes), *expected, "in pieces: {shown}\n{source}");
        let text = String::from_utf8_lossy(&whole).into_owned();
        assert!(text.contains("\r\nConnection: close\r\n"), "{text}");
        assert!(text.contains("\r\nDate: "), "{text}");
        assert_eq!(text.matches("\r\nDate: ").count(), 1, "one answer, then the end: {text}");
    }
    assert_eq!(server.asked(), before + 1, "none reached a worker");
    server.assert_serves();
}

fn server_in_pieces(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = server.connect();
    let cut = bytes.len() / 2;
    let _ = stream.write_all(&bytes[..cut]);
    thread::sleep(Duration::from_millis(2));
    let _ = stream.write_all(&bytes[cut..]);
    read_all(&mut stream)
}

/// What is unusual, but valid, is served.
#[test]
fn the_unusual_is_served() {
    let server = Server::example(&[]);
    let long = format!("GET /{} HTTP/1.1\r\n{H}Connection: close\r\n\r\n", "a".repeat(8000));
    let fields = format!("GET / HTTP/1.1\r\n{H}Connection: close\r\n{}\r\n", "A: b\r\n".repeat(98));
    let cases: &[(&[u8], u16)] = &[
        (b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://b/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX:\xff\xfe\r\nConnection: close\r\n\r\n", 200),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: CHUNKED\r\n\r\n1;a=\"b\"\r\na\r\n0\r\nT: u\r\n\r\n", 200),
        (b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length:\t 001 \t\r\n\r\na", 200),
        (b"GET /echo HTTP/1.2\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
        (b"POST /echo HTTP/1.9\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", 200),
        (b"POST /echo HTTP/1.0\r\nExpect: whatever\r\nContent-Length: 1\r\n\r\na", 200),
        (long.as_bytes(), 404),
        (fields.as_bytes(), 200),
    ];
    for (bytes, expected) in cases {
        let answer = server.raw(bytes);
        assert_eq!(
            status(&answer),
            *expected,
            "{}\n{}",
            bytes.escape_ascii(),
            String::from_utf8_lossy(&answer)
        );
    }
}
