//! Malformed heads, as raw bytes with the status expected, each with its source.
//!
//! Sources: RFC 9110 and 9112 by section. "Kettle 2019": James Kettle, HTTP Desync Attacks, and
//! PortSwigger's http-request-smuggler, whose names of mutations are used. "Linhart 2005": Linhart,
//! Klein, Heled, Orrin, HTTP Request Smuggling. "Klein 2020": Amit Klein, HTTP Request Smuggling in
//! 2020. "Jabiyev 2021": T-Reqs: HTTP Request Smuggling with Differential Fuzzing. "Kallus": Ben
//! Kallus, The HTTP Garden. "TE.0": Bugcrowd 2024. Advisories by CVE number.

use std::io::Write;
use std::thread;
use std::time::Duration;

use super::server::Server;
use super::visitor::{read_all, status};

const H: &str = "Host: a\r\n";

#[rustfmt::skip]
const REFUSED: &[(&[u8], u16, &str)] = &[
    // Request line.
    (b"GET /\r\n\r\n", 400, "RFC 9112 3: a request line has three parts (HTTP/0.9)"),
    (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3: one space between the parts"),
    (b"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3: one space between the parts"),
    (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, "RFC 9112 3: nothing after the version"),
    (b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3: a tab is no space"),
    (b" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 2.2: white space before the request line"),
    (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2: white space in the target"),
    (b"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9110 9.1: a method is a token"),
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "RFC 9112 2.2: bare LF"),
    (b"GET / HTTP/1.1\rHost: a\r\n\r\n", 400, "RFC 9112 2.2: bare CR"),
    (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "RFC 9110 15.6.6"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "RFC 9113 3.4: the preface of HTTP/2"),
    (b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400, "RFC 9112 2.3: one digit"),
    (b"GET / http/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 2.3: the name is case-sensitive"),
    (b"GET / HTTP/1.1\x00\r\nHost: a\r\n\r\n", 400, "RFC 9112 2.3; Kallus"),
    (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2: control byte in the target"),
    (b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 3986 2: targets are ASCII"),
    (b"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2.1: no fragment"),
    (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2: none of the four forms"),
    (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2.4: asterisk-form is for OPTIONS"),
    (b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2.2; RFC 9110 4.2"),
    (b"GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9110 4.2.4: user information"),
    (b"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9110 4.2.1: an empty host"),
    (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "RFC 9110 9.1, 15.6.2"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 400, "TLS on a port without it"),
    (b"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400, "RFC 9112 2.2: one empty line at least, not any number"),
    // Host.
    (b"GET / HTTP/1.1\r\n\r\n", 400, "RFC 9112 3.2: no Host"),
    (b"GET http://a/ HTTP/1.1\r\n\r\n", 400, "RFC 9112 3.2: no Host, whatever the form"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "RFC 9112 3.2: two Hosts"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400, "RFC 9112 3.2: two Hosts"),
    (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400, "RFC 9112 3.2: two Hosts"),
    (b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400, "RFC 9110 7.2: one host"),
    (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "RFC 9112 3.2: invalid Host"),
    (b"GET / HTTP/1.1\r\nHost: x@a\r\n\r\n", 400, "RFC 9110 7.2: no user information"),
    (b"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n", 400, "RFC 3986 3.2.3: a port is digits"),
    (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "RFC 9112 5.1: space before the colon"),
    // Fields.
    (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400, "RFC 9112 2.2: white space before the first field"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", 400, "RFC 9112 5.2: folded field"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\tc\r\n\r\n", 400, "RFC 9112 5.2: folded field"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA\r\n\r\n", 400, "RFC 9112 5: no colon"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400, "RFC 9110 5.1: empty name"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n", 400, "RFC 9110 5.1: a name is a token"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA\xc3\xa9: c\r\n\r\n", 400, "RFC 9110 5.1: a name is a token"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x00c\r\n\r\n", 400, "RFC 9110 5.5: NUL"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x08\r\n\r\n", 400, "RFC 9110 5.5: control byte"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\x7f\r\n\r\n", 400, "RFC 9110 5.5: DEL"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400, "RFC 9112 2.2: bare CR in a value"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\nC: d\r\n\r\n", 400, "RFC 9112 2.2: bare LF"),
    (b"GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\nX", 400, "RFC 9112 2.2: bare LF at the end; Kallus"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n", 400, "RFC 9112 2.2: bare CR at the end; CVE-2019-16276 family"),
    // Content-Length.
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400, "RFC 9110 8.6; Linhart 2005"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400, "RFC 9110 8.6: may be refused"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na", 400, "RFC 9110 8.6"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1,2\r\n\r\nab", 400, "RFC 9112 6.3"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na", 400, "RFC 9110 8.6; CVE-2018-7159; Klein 2020"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, "RFC 9110 8.6"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na", 400, "RFC 9110 8.6; Jabiyev 2021"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n0123456789", 400, "RFC 9110 8.6; CVE-2023-47627"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 0\r\n\r\n0", 400, "RFC 9110 8.6; Klein 2020"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e1\r\n\r\n0", 400, "RFC 9110 8.6"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400, "RFC 9110 8.6: at least one digit"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa1\r\n\r\n0", 400, "RFC 9110 8.6: ASCII digits"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\na", 400, "RFC 9112 5.1; CVE-2019-16869"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\na", 413, "RFC 9110 8.6: above 64 bits"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000000\r\n\r\n", 413, "RFC 9110 15.5.14"),
    // Transfer-Encoding.
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "RFC 9112 6.1: CL.TE, Linhart 2005"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400, "RFC 9112 6.1: TE.CL, Kettle 2019"),
    (b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "RFC 9112 6.1: in HTTP/1.0"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400, "RFC 9112 6.1: another coding"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "RFC 9112 6.1: another coding"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: commaCow"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "RFC 9112 6.1: not twice"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: TE.TE"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: vanilla mutations"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: quoted"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400, "RFC 9112 7: no parameters"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: 0b; gunicorn, Twisted"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: space1; RFC 9112 5.1"),
    (b"POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: linewrapped1"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400, "Kettle 2019: nameprefix, folded"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer\x00-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Jabiyev 2021"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunk\xc3\xa9d\r\n\r\n0\r\n\r\n", 400, "Jabiyev 2021"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n", 400, "RFC 9112 6.1: empty"),
    // Chunked bodies.
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400, "RFC 9112 7.1: no size"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n", 400, "RFC 9112 7.1; CVE-2022-24801"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n", 400, "RFC 9112 7.1; CVE-2022-24801"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400, "RFC 9112 7.1"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n", 400, "RFC 9112 2.2: bare LF; Kallus"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", 400, "RFC 9112 7.1: longer than its size"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n", 400, "RFC 9112 7.1; CVE-2024-52304 family"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a\nb\r\na\r\n0\r\n\r\n", 400, "TERM.EXT: LF in an extension; Kallus, Jeppe Weikop 2025"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n", 400, "RFC 9112 7.1.1: white space without an extension"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\nC: d\r\n\r\n", 400, "RFC 9112 7.1.2: bare LF in trailers"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000001\r\n", 400, "RFC 9112 7.1: anticipate large numerals"),
    (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", 413, "RFC 9112 7.1: anticipate large numerals"),
    // Expect.
    (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417, "RFC 9110 10.1.1"),
];

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
        (b"POST /echo HTTP/1.0\r\nExpect: whatever\r\nContent-Length: 1\r\n\r\na", 200),
        (b"FROB / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 200),
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
