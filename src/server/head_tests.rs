use super::*;

fn limits() -> Limits {
    Limits::default()
}

fn status(input: &[u8]) -> u16 {
    match read(input, &limits()) {
        Ok(Some(_)) => 200,
        Ok(None) => 0,
        Err(refusal) => refusal.status,
    }
}

fn lines(input: &str) -> String {
    let head = read(input.as_bytes(), &limits()).unwrap().unwrap();
    assert_eq!(head.length, input.len());
    String::from_utf8(head.lines).unwrap()
}

#[test]
fn is_written_anew() {
    assert_eq!(
        lines("GET http://b/x?y HTTP/1.1\r\nHost: a\r\nX-A:  1 \r\nConnection: X-A\r\n\r\n"),
        "GET /x?y HTTP/1.1\r\nHost: b\r\nX-A: 1\r\n"
    );
    assert_eq!(lines("HEAD http://b HTTP/1.0\r\n\r\n"), "HEAD / HTTP/1.1\r\nHost: b\r\n");
    assert_eq!(lines("GET http://b?q HTTP/1.0\r\n\r\n"), "GET /?q HTTP/1.1\r\nHost: b\r\n");
    assert_eq!(
        lines(
            "POST / HTTP/1.1\r\nhost: a\r\nConnection: upgrade\r\nKeep-Alive: 1\r\nUpgrade: h2c\r\n\
             TE: trailers\r\nTrailer: x\r\nProxy-Authorization: x\r\nproxy-connection: x\r\n\
             waxseal-lane: 1 ::1\r\nWaxseal-Peer: ::1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        ),
        "POST / HTTP/1.1\r\nHost: a\r\n"
    );
}

#[test]
fn bytes_above_ascii() {
    let head = |rest: &[u8]| {
        let input = [b"GET / HTTP/1.1\r\nHost: a\r\n", rest, b"\r\n"].concat();
        let head = read(&input, &limits()).unwrap().unwrap();
        String::from_utf8(head.lines).unwrap().split_off("GET / HTTP/1.1\r\nHost: a\r\n".len())
    };
    assert_eq!(head(b"Cookie: a=1; b=\xff; c=3\r\n"), "Cookie: a=1; c=3\r\n");
    assert_eq!(head(b"Cookie: a=\xc3\xa9\r\nX: 1\r\n"), "X: 1\r\n");
    assert_eq!(head(b"X: \xff\r\nY: 2\r\n"), "Y: 2\r\n");
    assert_eq!(status(b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n"), 400);
}

#[test]
fn sizes() {
    let with = |line: usize, field: usize| {
        let (path, value) = ("a".repeat(line), "b".repeat(field));
        format!("GET /{path} HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n").into_bytes()
    };
    let line = "GET / HTTP/1.1\r\n".len();
    assert_eq!(status(&with((8 << 10) - line, 1)), 200);
    assert_eq!(status(&with((8 << 10) - line + 1, 1)), 414);
    let head = with(0, 0).len();
    assert_eq!(status(&with(0, (16 << 10) - head)), 200);
    assert_eq!(status(&with(0, (16 << 10) - head + 1)), 431);
    let fields = |n: usize| {
        format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(n - 1)).into_bytes()
    };
    assert_eq!(status(&fields(100)), 200);
    assert_eq!(status(&fields(101)), 431);
}

#[test]
fn the_split_does_not_matter() {
    let long = [b"GET /".as_slice(), &[b'a'; 9000], b"\x01 HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    for input in [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET \x01 / HTTP/1.1\n".as_slice(),
        b"GET / HTTP/1.1\r\nHost: a\r\nb: \x01\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"\x16\x03\x01",
        b"GET / HTTP/2.0\r\nHost\n: a\n\n",
        b"GET / HTTP/1.1\r\nHo st: a\r\nb\n",
        &long,
    ] {
        let whole = status(input);
        let first = (1..=input.len()).map(|n| status(&input[..n])).find(|&s| s != 0).unwrap_or(0);
        assert_eq!(whole, first, "{}", input.escape_ascii());
    }
}

#[test]
fn framing_and_persistence() {
    let head = |text: &str| {
        let head = read(text.as_bytes(), &limits()).unwrap().unwrap();
        (head.body, head.expects_continue, head.head_only, head.persistence)
    };
    use Persistence::{Close, SayKeepAlive, Stay};
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", (Body::None, false, false, Stay)),
        ("HEAD / HTTP/1.0\r\n\r\n", (Body::None, false, true, Close)),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            (Body::None, false, false, SayKeepAlive),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
            (Body::None, false, false, Close),
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nExpect: 100-Continue\r\n\r\n",
            (Body::Length(7), true, false, Stay),
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            (Body::Chunked, false, false, Stay),
        ),
        (
            "POST / HTTP/1.0\r\nContent-Length: 0\r\nExpect: x\r\n\r\n",
            (Body::Length(0), false, false, Close),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(head(text), expected, "{text}");
    }
}
