//! `/metrics`: off unless it is asked for, right, and for this machine alone.

mod support;

use support::{Answer, Waxseal, ask, get, head, post};
use waxseal::seal::Keyring;
use waxseal::session::{Scheme, Sessions};

const OLD_KEYS: (&str, &str) = ("an older authentication key", "an older encryption key, 32 by..");

fn metrics(server: &Waxseal) -> Answer {
    let answer = get("/metrics").sent_to(server);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

/// The value of a cookie that the old keys sealed.
fn old_cookie() -> String {
    let keyring = Keyring::new(OLD_KEYS.0.as_bytes(), OLD_KEYS.1.as_bytes()).unwrap();
    let sessions = Sessions::sealed(keyring);
    let mut session = sessions.load("", Scheme::Http).unwrap();
    session.insert("name", "foo").unwrap();
    sessions.save(&mut session).unwrap().into_cookie().unwrap().value().to_owned()
}

#[test]
fn off_unless_it_is_asked_for() {
    for vars in [&[][..], &[("METRICS", "0")], &[("METRICS", "")]] {
        let server = Waxseal::start(vars);
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let answer = ask(method, "/metrics").sent_to(&server);
            assert_eq!((answer.status, answer.header("Allow")), (404, None), "{method}");
        }
    }
}

#[test]
fn it_counts_loads_by_outcome_and_opened_sessions_by_their_keys() {
    let server = Waxseal::start(&[
        ("METRICS", "1"),
        ("SESSION_AUTHENTICATION_KEY_PREVIOUS", OLD_KEYS.0),
        ("SESSION_ENCRYPTION_KEY_PREVIOUS", OLD_KEYS.1),
    ]);
    let text = |none: &str| -> String {
        format!(
            "# HELP waxseal_sessions_loaded_total Sessions loaded, by how it went.\n\
             # TYPE waxseal_sessions_loaded_total counter\n\
             {none}"
        )
    };
    let before = metrics(&server);
    assert_eq!(before.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(before.header("Cache-Control"), Some("no-store"));
    assert_eq!(before.header("Set-Cookie"), None);
    assert!(before.text().starts_with(&text("waxseal_sessions_loaded_total{outcome=\"new\"} 0\n")));

    let sign_in = post("/login", "username=foo&password=secret").sent_to(&server);
    let cookie = sign_in.set_cookie().unwrap().value;
    for cookie in [&cookie, &cookie, &old_cookie(), "no cookie of ours"] {
        get("/").cookie(cookie).sent_to(&server);
    }
    post("/logout", "").cookie(&cookie).sent_to(&server);
    get("/").cookie(&cookie).sent_to(&server);
    assert_eq!(
        metrics(&server).text(),
        text(
            "waxseal_sessions_loaded_total{outcome=\"new\"} 1\n\
             waxseal_sessions_loaded_total{outcome=\"valid\"} 3\n\
             waxseal_sessions_loaded_total{outcome=\"previous_key\"} 1\n\
             waxseal_sessions_loaded_total{outcome=\"malformed\"} 1\n\
             waxseal_sessions_loaded_total{outcome=\"forged\"} 0\n\
             waxseal_sessions_loaded_total{outcome=\"expired\"} 0\n\
             waxseal_sessions_loaded_total{outcome=\"revoked\"} 1\n\
             # HELP waxseal_sessions_opened_total Sessions opened, by the pair of keys.\n\
             # TYPE waxseal_sessions_opened_total counter\n\
             waxseal_sessions_opened_total{keys=\"current\"} 3\n\
             waxseal_sessions_opened_total{keys=\"previous\"} 1\n\
             # HELP waxseal_cookies_forged_total Cookies that no key authenticates.\n\
             # TYPE waxseal_cookies_forged_total counter\n\
             waxseal_cookies_forged_total 0\n\
             # HELP waxseal_log_lines_dropped_total Log lines that nobody read in time.\n\
             # TYPE waxseal_log_lines_dropped_total counter\n\
             waxseal_log_lines_dropped_total 0\n\
             # HELP waxseal_revocations Sessions and marks in the list of what was signed out.\n\
             # TYPE waxseal_revocations gauge\n\
             waxseal_revocations 1\n\
             # HELP waxseal_revocations_unpublished Revocations that no store has confirmed.\n\
             # TYPE waxseal_revocations_unpublished gauge\n\
             waxseal_revocations_unpublished 0\n\
             # HELP waxseal_revocations_behind_seconds Time since all were learnt and told.\n\
             # TYPE waxseal_revocations_behind_seconds gauge\n\
             waxseal_revocations_behind_seconds 0.000\n\
             # HELP waxseal_revocations_dropped_total Revocations dropped for want of room.\n\
             # TYPE waxseal_revocations_dropped_total counter\n\
             waxseal_revocations_dropped_total 0\n"
        )
    );
    assert_eq!(head("/metrics").sent_to(&server).status, 200);
}

#[test]
fn to_whom_a_proxy_passed_on_there_is_no_such_page() {
    for proxies in ["0", "1"] {
        let server = Waxseal::start(&[("METRICS", "1"), ("TRUSTED_PROXIES", proxies)]);
        for (name, value) in [
            ("X-Forwarded-For", "192.0.2.1"),
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "localhost"),
            ("X-Real-IP", "127.0.0.1"),
            ("Forwarded", "for=127.0.0.1"),
            ("Via", "1.1 vegur"),
        ] {
            let answer = get("/metrics").with(name, value).sent_to(&server);
            assert_eq!(answer.status, 404, "{name}: {value}");
            assert!(!answer.text().contains("waxseal_sessions"));
        }
        metrics(&server);
    }
}

#[test]
fn where_https_is_a_must_this_machine_needs_none_and_all_others_do() {
    let https_only = [("HTTPS_ONLY", "1"), ("TRUSTED_PROXIES", "1")];
    let server = Waxseal::start(&[&https_only[..], &[("METRICS", "1")]].concat());
    metrics(&server);
    let passed_on = get("/metrics").with("X-Forwarded-For", "192.0.2.1");
    assert_eq!(passed_on.sent_to(&server).status, 308);
    let off = Waxseal::start(&https_only);
    assert_eq!(get("/metrics").sent_to(&off).status, 308, "as every path that is none");
}

#[test]
fn it_is_shown_to_no_other_machine() {
    // From an address of this machine that is not its loopback, as another machine comes.
    let Some(address) = own_address() else {
        eprintln!("skipped: this machine has no other address than its loopback's");
        return;
    };
    let server = Waxseal::start(&[("METRICS", "1"), ("HOST", "0.0.0.0")]);
    let mut stream = std::net::TcpStream::connect((address, server.port())).unwrap();
    // The last field is the one by which a lane names a request, and so its address; from a client it
    // is a field like any other.
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                   Waxseal-Request: 0.1\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

/// As nginx appends: a visitor's bytes that are no text stand before the address of the visitor.
#[test]
fn no_byte_before_a_proxy_s_address_hides_it() {
    let server = Waxseal::start(&[("METRICS", "1"), ("TRUSTED_PROXIES", "1")]);
    for sent in [&b"\xff, "[..], b"127.0.0.1, \xff, ", b"\xff,\xfe , ", b"\xc3, "] {
        let status = status_with(&server, "/metrics", &[sent, b"192.0.2.9"].concat());
        assert_eq!(status, 404, "{}", sent.escape_ascii());
    }
}

fn status_with(server: &Waxseal, path: &str, forwarded_for: &[u8]) -> u16 {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let request = [head.as_bytes(), b"X-Forwarded-For: ", forwarded_for, b"\r\n\r\n"].concat();
    std::io::Write::write_all(&mut stream, &request).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    answer[9..12].parse().unwrap()
}

/// The address that this machine would send from; nothing is sent.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback() && !address.is_unspecified()).then_some(address)
}
