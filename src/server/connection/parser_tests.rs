use super::*;
use crate::http::Method;

fn limits() -> Limits {
    Limits::default()
}

fn status(input: &[u8]) -> u16 {
    match parse(input, &limits()) {
        Ok(Some(_)) => 200,
        Ok(None) => 0,
        Err(rejection) => rejection.status(),
    }
}

fn parsed(input: &[u8]) -> ParsedHead {
    let parsed = parse(input, &limits()).unwrap().unwrap();
    assert_eq!(parsed.length, input.len());
    parsed
}

/// Method and target, and the values of the fields with one of these names.
fn shown(input: &str, names: &[&str]) -> String {
    let head = parsed(input.as_bytes()).head;
    let mut shown = format!("{} {}", head.method(), head.target());
    for name in names {
        for value in head.values(name) {
            shown += &format!("\n{name}: {}", String::from_utf8_lossy(value));
        }
    }
    shown
}

#[test]
fn a_head_is_shown_in_origin_form() {
    let names = ["Host", "X-A"];
    for (input, expected) in [
        ("GET /?q HTTP/1.1\r\nhost: a\r\n\r\n", "GET /?q\nHost: a"),
        (
            "GET http://b/x?y HTTP/1.1\r\nHost: a\r\nX-A:  1 \r\nConnection: X-A\r\n\r\n",
            "GET /x?y\nHost: b\nX-A: 1",
        ),
        ("HEAD http://b HTTP/1.0\r\n\r\n", "HEAD /\nHost: b"),
        ("GET http://b?q HTTP/1.0\r\n\r\n", "GET /?q\nHost: b"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *\nHost: a"),
        ("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS *\nHost: b"),
        ("GET / HTTP/1.0\r\nX-A:\r\nX-A: 2\r\n\r\n", "GET /\nX-A: \nX-A: 2"),
    ] {
        assert_eq!(shown(input, &names), expected, "{input}");
    }
}

#[test]
fn no_field_that_speaks_of_the_connection_is_shown() {
    let hidden = [
        "Connection",
        "Keep-Alive",
        "Upgrade",
        "TE",
        "Trailer",
        "Proxy-Authorization",
        "Proxy-X",
        "Expect",
        "Transfer-Encoding",
    ];
    let fields: String =
        hidden[..hidden.len() - 2].iter().map(|name| format!("{name}: x\r\n")).collect();
    let input = format!(
        "POST / HTTP/1.1\r\nHost: a\r\n{fields}Expect: 100-continue\r\n\
         Transfer-Encoding: chunked\r\nProxy: 1\r\n\r\n"
    );
    assert_eq!(shown(&input, &hidden), "POST /");
    assert_eq!(shown(&input, &["Proxy"]), "POST /\nProxy: 1");
    let input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n";
    assert_eq!(shown(input, &["Content-Length"]), "POST /\nContent-Length: 007");
}

#[test]
fn bytes_above_ascii() {
    let value = |input: &[u8], name: &str| {
        let head = parsed(input).head;
        head.values(name).next().map(<[u8]>::to_vec)
    };
    let input = b"GET / HTTP/1.1\r\nHost: a\r\nX: a, \xff\xfe\r\nY: \xc3\xa9\r\n\r\n";
    assert_eq!(value(input, "X").unwrap(), b"a, \xff\xfe");
    assert_eq!(value(input, "Y").unwrap(), "é".as_bytes());
    assert_eq!(status(b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost: \xe9\r\n\r\n"), 400);
    assert_eq!(status(b"GET / HTTP/1.1\r\nHost: a\r\nX\xe9: 1\r\n\r\n"), 400);
}

#[test]
fn other_methods_are_not_implemented() {
    for method in ["CONNECT", "TRACE", "FROB", "get", "PROPFIND"] {
        let input = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(status(input.as_bytes()), 501, "{method}");
    }
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let input = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(parsed(input.as_bytes()).head.method().to_string(), method);
    }
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
fn what_is_too_long_is_rejected_with_the_byte_that_makes_it_so() {
    let line = [b"GET /", &[b'a'; 9000][..]].concat();
    assert_eq!((status(&line[..8191]), status(&line[..8192])), (0, 414));
    let head = [b"GET / HTTP/1.1\r\nX: ", &[b'b'; 17_000][..]].concat();
    assert_eq!((status(&head[..16_383]), status(&head[..16_384])), (0, 431));
}

#[test]
fn another_version_is_one_word() {
    for (version, expected) in [
        ("HTTP/2.0", 505),
        ("HTTP/0.9", 505),
        ("HTTP/1.2", 200),
        ("HTTP/1.9", 200),
        ("HTTP/1.2 ", 400),
        ("HTTP/1.22", 400),
        ("HTTP/2.0 x", 400),
        ("HTTP/2.0 ", 400),
        ("HTTP/2", 400),
        ("HTTP/10.0", 400),
        ("XTTP/2.0", 400),
    ] {
        let input = format!("GET / {version}\r\nHost: a\r\n\r\n");
        assert_eq!(status(input.as_bytes()), expected, "{version}");
    }
}

#[test]
fn other_transfer_codings() {
    for (coding, expected) in [
        ("gzip, chunked", 501),
        ("gzip,deflate\t, CHUNKED", 501),
        ("gzip", 400),
        ("identity", 400),
        ("chunked, gzip", 400),
        ("chunked, chunked", 400),
        (",chunked", 400),
        ("chunked,", 400),
        ("gzip,,chunked", 400),
        ("gz ip, chunked", 400),
        ("", 400),
    ] {
        let input = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n");
        assert_eq!(status(input.as_bytes()), expected, "{coding}");
    }
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
        b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.2\r\nHost\n: a\n\n",
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
        let parsed = parsed(text.as_bytes());
        let head_only = parsed.head.method() == Method::Head;
        (parsed.framing, parsed.expects_continue, head_only, parsed.persistence)
    };
    use Persistence::{Close, SayKeepAlive, Stay};
    let cases = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", (Framing::NoBody, false, false, Stay)),
        ("HEAD / HTTP/1.0\r\n\r\n", (Framing::NoBody, false, true, Close)),
        (
            "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
            (Framing::NoBody, false, false, SayKeepAlive),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n",
            (Framing::NoBody, false, false, Close),
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\nExpect: 100-Continue\r\n\r\n",
            (Framing::Length(7), true, false, Stay),
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n",
            (Framing::Chunked, false, false, Stay),
        ),
        (
            "POST / HTTP/1.0\r\nContent-Length: 0\r\nExpect: x\r\n\r\n",
            (Framing::Length(0), false, false, Close),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(head(text), expected, "{text}");
    }
}
