//! Signing in, staying signed in and signing out, over restarts, processes, keys and time.

mod support;

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use support::{
    AUTHENTICATION_KEY, Answer, Ask, Browser, COOKIE, Connection, DEADLINE, ENCRYPTION_KEY, HOST,
    Waxseal, ask, exchange, get, post,
};

const SIGN_IN: &str = "username=foo&password=secret";
const SECOND: Duration = Duration::from_secs(1);

// --- the story -----------------------------------------------------------------------------------

fn sign_in_come_back_and_sign_out(server: &Waxseal, mut visitor: Browser) {
    assert!(visitor.get(server, "/").is_anonymous());
    assert!(visitor.get(server, "/public/login.html").text().contains("<h1>Sign in</h1>"));

    let wrong = visitor.post(server, "/login", "username=foo&password=wrong");
    assert_eq!(wrong.location(), Some("/public/login.html#failed"));
    assert!(!visitor.is_signed_in(server));

    visitor.sign_in(server);
    assert!(visitor.get(server, "/").greets("foo"));
    let copied = visitor.clone();

    // Later, and from another window.
    assert!(visitor.is_signed_in(server) && visitor.clone().is_signed_in(server));
    assert_eq!(visitor.cookie(), copied.cookie(), "coming back so soon sets no cookie");

    assert_eq!(visitor.post(server, "/logout", "").location(), Some("/"));
    assert_eq!(visitor.cookie(), None);
    assert!(!visitor.is_signed_in(server));
    assert!(!copied.clone().is_signed_in(server), "the copied cookie is dead");

    visitor.sign_in(server);
    assert!(visitor.is_signed_in(server));
    assert!(!copied.clone().is_signed_in(server), "and stays dead");
}

#[test]
fn sign_in_be_greeted_come_back_sign_out_and_the_copied_cookie_is_dead() {
    sign_in_come_back_and_sign_out(&Waxseal::start(&[]), Browser::by_http());
}

#[test]
fn the_same_by_https_behind_a_proxy() {
    let server = Waxseal::start(&[("DYNO", "web.1")]);
    sign_in_come_back_and_sign_out(&server, Browser::by_https());
}

#[test]
fn signing_in_again_ends_the_session_before() {
    let server = Waxseal::start(&[]);
    let mut visitor = Browser::by_http();
    visitor.sign_in(&server);
    let mut before = visitor.clone();
    visitor.sign_in(&server);
    assert!(visitor.is_signed_in(&server) && !before.is_signed_in(&server));
}

#[test]
fn visitors_do_not_share_sessions() {
    let server = Waxseal::start(&[]);
    let mut visitors = [(); 3].map(|()| Browser::by_http());
    visitors[0].sign_in(&server);
    visitors[1].sign_in(&server);
    assert_ne!(visitors[0].cookie(), visitors[1].cookie());
    visitors[0].post(&server, "/logout", "");
    let signed_in = visitors.each_mut().map(|visitor| visitor.is_signed_in(&server));
    assert_eq!(signed_in, [false, true, false]);
}

#[test]
fn one_connection_serves_several_requests_each_with_its_own_session() {
    let server = Waxseal::start(&[]);
    let mut visitor = Browser::by_http();
    visitor.sign_in(&server);
    let value = visitor.cookie().unwrap();
    let mut connection = Connection::open(server.port());
    for _ in 0..3 {
        connection.send(&get("/").cookie(value).bytes());
        assert!(connection.answer(false).greets("foo"));
        connection.send(&get("/").bytes());
        assert!(connection.answer(false).is_anonymous());
    }
}

// --- processes and keys --------------------------------------------------------------------------

#[test]
fn two_processes_with_the_same_keys_share_a_session() {
    let servers = [Waxseal::start(&[]), Waxseal::start(&[])];
    let mut visitor = Browser::by_http();
    visitor.sign_in(&servers[0]);
    assert!(visitor.is_signed_in(&servers[1]) && visitor.is_signed_in(&servers[0]));
    visitor.post(&servers[1], "/logout", "");
    assert!(!visitor.is_signed_in(&servers[0]));
}

#[test]
fn a_restart_keeps_the_session() {
    let mut server = Waxseal::start(&[]);
    let mut visitor = Browser::by_http();
    visitor.sign_in(&server);
    assert!(server.terminate().success());
    let server = Waxseal::start(&[]);
    assert!(visitor.is_signed_in(&server));
}

#[test]
fn other_keys_or_another_cookie_name_open_nothing() {
    let mut visitor = Browser::by_http();
    visitor.sign_in(&Waxseal::start(&[]));
    let value = visitor.cookie().unwrap();
    for (name, variable, other) in [
        (COOKIE, "SESSION_AUTHENTICATION_KEY", "another authentication key"),
        (COOKIE, "SESSION_ENCRYPTION_KEY", "another key, of 32 bytes or more"),
        ("other", "SESSION_COOKIE_NAME", "other"),
    ] {
        let server = Waxseal::start(&[(variable, other)]);
        let answer = get("/").with("Cookie", &format!("{name}={value}")).sent_to(&server);
        assert!(answer.is_anonymous(), "{answer:?}");
        assert_eq!(answer.set_cookie(), None, "it may open elsewhere");
    }
}

const NEW_AUTHENTICATION_KEY: &str = "next year's authentication key";
const NEW_ENCRYPTION_KEY: &str = "next year's key of 24 b.";

const OLD_KEYS: [(&str, &str); 2] = [
    ("SESSION_AUTHENTICATION_KEY", AUTHENTICATION_KEY),
    ("SESSION_ENCRYPTION_KEY", ENCRYPTION_KEY),
];
const OLD_KEYS_AS_PREVIOUS: [(&str, &str); 2] = [
    ("SESSION_AUTHENTICATION_KEY_PREVIOUS", AUTHENTICATION_KEY),
    ("SESSION_ENCRYPTION_KEY_PREVIOUS", ENCRYPTION_KEY),
];
const NEW_KEYS: [(&str, &str); 2] = [
    ("SESSION_AUTHENTICATION_KEY", NEW_AUTHENTICATION_KEY),
    ("SESSION_ENCRYPTION_KEY", NEW_ENCRYPTION_KEY),
];
const NEW_KEYS_AS_PREVIOUS: [(&str, &str); 2] = [
    ("SESSION_AUTHENTICATION_KEY_PREVIOUS", NEW_AUTHENTICATION_KEY),
    ("SESSION_ENCRYPTION_KEY_PREVIOUS", NEW_ENCRYPTION_KEY),
];

#[test]
fn rotating_the_keys_in_two_steps_over_two_processes_signs_nobody_out() {
    let before: &[_] = &OLD_KEYS;
    let announced = &[OLD_KEYS, NEW_KEYS_AS_PREVIOUS].concat()[..];
    let swapped = &[NEW_KEYS, OLD_KEYS_AS_PREVIOUS].concat()[..];

    let mut servers = [Waxseal::start(before), Waxseal::start(before)];
    // Those who come at every step, and one who comes back only when all is done.
    let mut visitors: Vec<Browser> = Vec::new();
    let mut absent = Browser::by_http();
    absent.sign_in(&servers[0]);

    let mut everybody_is_signed_in = |servers: &[Waxseal; 2]| {
        for server in servers {
            let mut newcomer = Browser::by_http();
            newcomer.sign_in(server);
            visitors.push(newcomer);
        }
        // Back and forth, as a router without sticky sessions sends them.
        for server in [&servers[0], &servers[1], &servers[0]] {
            for (number, visitor) in visitors.iter_mut().enumerate() {
                assert!(visitor.is_signed_in(server), "visitor {number}");
                assert!(visitor.clone().is_signed_in(server), "visitor {number}, once more");
            }
        }
    };
    everybody_is_signed_in(&servers);
    for step in [announced, swapped] {
        for process in 0..2 {
            assert!(servers[process].terminate().success());
            servers[process] = Waxseal::start(step);
            everybody_is_signed_in(&servers);
        }
    }
    assert!(absent.is_signed_in(&servers[1]));

    // Who came by since the swap carries the new seal: the old pair can go.
    let only_new = Waxseal::start(&NEW_KEYS);
    assert!(absent.is_signed_in(&only_new));
    for visitor in &mut visitors {
        assert!(visitor.is_signed_in(&only_new));
    }
}

#[test]
fn a_cookie_of_a_previous_pair_is_sealed_anew_under_the_current_one() {
    let mut visitor = Browser::by_http();
    visitor.sign_in(&Waxseal::start(&OLD_KEYS));
    let mut with_old_cookie = visitor.clone();

    let swapped = Waxseal::start(&[NEW_KEYS, OLD_KEYS_AS_PREVIOUS].concat());
    let answer = visitor.get(&swapped, "/");
    assert!(answer.greets("foo") && answer.set_cookie().is_some(), "{answer:?}");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_ne!(visitor.cookie(), with_old_cookie.cookie());
    assert!(visitor.get(&swapped, "/").set_cookie().is_none(), "once is enough");

    let only_new = Waxseal::start(&NEW_KEYS);
    assert!(visitor.is_signed_in(&only_new) && !with_old_cookie.is_signed_in(&only_new));
}

#[test]
fn several_previous_pairs_open() {
    let mut visitor = Browser::by_http();
    visitor.sign_in(&Waxseal::start(&OLD_KEYS));
    let server = Waxseal::start(&[
        ("SESSION_AUTHENTICATION_KEY", "the key of the year after"),
        ("SESSION_ENCRYPTION_KEY", "0123456789abcdef"),
        NEW_KEYS_AS_PREVIOUS[0],
        NEW_KEYS_AS_PREVIOUS[1],
        ("SESSION_AUTHENTICATION_KEY_PREVIOUS_2", AUTHENTICATION_KEY),
        ("SESSION_ENCRYPTION_KEY_PREVIOUS_2", ENCRYPTION_KEY),
    ]);
    assert!(visitor.is_signed_in(&server));
}

#[test]
fn session_not_before_ends_what_began_earlier_and_nothing_later() {
    let mut visitor = Browser::by_http();
    visitor.sign_in(&Waxseal::start(&[]));
    // Sessions begin at whole seconds.
    sleep(SECOND);
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    for _restart in 0..2 {
        let server = Waxseal::start(&[("SESSION_NOT_BEFORE", &now)]);
        let mut before = visitor.clone();
        assert!(!before.is_signed_in(&server));
        before.sign_in(&server);
        assert!(before.is_signed_in(&server));
    }
}

// --- time ----------------------------------------------------------------------------------------

#[test]
fn visits_extend_a_session_and_without_them_its_idle_time_runs_out() {
    let idle = 3 * SECOND;
    let server = Waxseal::start(&[("SESSION_IDLE_TIMEOUT", "3s"), ("RUST_LOG", "debug")]);
    // A machine that stalls for more than a second is no reason to fail: the visitor came too late.
    let in_time = (0..5).find_map(|_| {
        let mut visitor = Browser::by_http();
        let mut sealed = Instant::now();
        assert_eq!(visitor.sign_in(&server).set_cookie().unwrap().max_age(), 3);
        for _ in 0..4 {
            sleep(SECOND);
            let began = Instant::now();
            let answer = visitor.get(&server, "/");
            // The seal counts whole seconds.
            if sealed.elapsed() >= idle - SECOND {
                return None;
            }
            assert!(answer.greets("foo"), "{answer:?}");
            let cookie = answer.set_cookie().expect("a quarter of the idle time has gone");
            assert_eq!(cookie.max_age(), 3);
            sealed = began;
        }
        Some(visitor)
    });
    let mut visitor = in_time.expect("a machine that does not stall");
    sleep(idle);
    let answer = visitor.get(&server, "/");
    assert!(answer.is_anonymous() && answer.set_cookie().unwrap().removes(), "{answer:?}");
    server.wait_for_log("its idle time has run out");
    visitor.sign_in(&server);
    assert!(visitor.is_signed_in(&server));
}

#[test]
fn no_visit_extends_a_session_beyond_its_lifetime() {
    let lifetime = 3 * SECOND;
    for idle in ["1d", "3s"] {
        let vars =
            [("SESSION_LIFETIME", "3s"), ("SESSION_IDLE_TIMEOUT", idle), ("RUST_LOG", "debug")];
        let server = Waxseal::start(&vars);
        let mut visitor = Browser::by_http();
        let began = Instant::now();
        assert_eq!(visitor.sign_in(&server).set_cookie().unwrap().max_age(), 3);
        let end = loop {
            assert!(began.elapsed() < DEADLINE, "it lives for ever");
            let answer = visitor.get(&server, "/");
            if !answer.greets("foo") {
                break answer;
            }
            if let Some(cookie) = answer.set_cookie() {
                assert!((1..3).contains(&cookie.max_age()), "what is left of it: {cookie:?}");
            }
            sleep(SECOND / 10);
        };
        assert!(began.elapsed() > lifetime - SECOND, "too early: {:?}", began.elapsed());
        assert!(end.is_anonymous() && end.set_cookie().unwrap().removes(), "{end:?}");
        if idle == "1d" {
            server.wait_for_log("its session's lifetime has run out");
        }
    }
}

// --- cookies that do not open --------------------------------------------------------------------

/// Cookie values that no key has sealed.
fn unsealed(genuine: &str) -> Vec<String> {
    let with_byte = |at: usize, byte: char| {
        let mut forged = genuine.to_owned();
        let other = if genuine[at..].starts_with(byte) { "_" } else { &byte.to_string() };
        forged.replace_range(at..=at, other);
        forged
    };
    let mut values: Vec<String> =
        ["", "A", "garbage", "%", "\"\"", "=", "a b", "../../x", "null", "AAAA"]
            .map(str::to_owned)
            .into();
    values.extend((0..genuine.len()).step_by(7).map(|at| with_byte(at, 'A')));
    values.extend((1..genuine.len()).step_by(7).map(|length| genuine[..length].to_owned()));
    values.push(with_byte(genuine.len() - 1, 'B'));
    values.push(format!("{genuine}="));
    values.push(format!("{genuine}A"));
    values.push(format!("A{genuine}"));
    values.push(format!("\"{genuine}"));
    values.push(genuine.repeat(2));
    values.push("A".repeat(5_000));
    values.push(format!("{genuine}{}", "A".repeat(5_000)));
    values.push("%41".repeat(1_600));
    values
}

#[test]
fn a_cookie_that_does_not_open_is_an_anonymous_visit_and_a_sign_out_clears_it() {
    let server = Waxseal::start(&[]);
    let mut visitor = Browser::by_http();
    visitor.sign_in(&server);
    let values = unsealed(visitor.cookie().unwrap());
    assert!(values.len() > 40);
    let is_cleared = |answer: &Answer| {
        let no_store = answer.header("Cache-Control") == Some("no-store");
        no_store && answer.set_cookie().is_some_and(|cookie| cookie.removes())
    };
    for value in &values {
        let home = get("/").cookie(value).sent_to(&server);
        assert!(home.is_anonymous(), "{value}: {home:?}");
        assert!(home.set_cookie().is_none() || is_cleared(&home), "{value}: {home:?}");

        let logout = post("/logout", "").cookie(value).sent_to(&server);
        assert_eq!((logout.status, logout.location()), (303, Some("/")), "{value}: {logout:?}");
        assert!(is_cleared(&logout), "{value}: {logout:?}");

        let login = post("/login", SIGN_IN).cookie(value).sent_to(&server);
        assert_eq!((login.status, login.location()), (303, Some("/")), "{value}: {login:?}");
        let fresh = login.set_cookie().expect("a session").value;
        assert!(get("/").cookie(&fresh).sent_to(&server).greets("foo"), "{value}");

        // A page that needs no session does not look.
        let page = get("/public/login.html").cookie(value).sent_to(&server);
        assert_eq!((page.status, page.set_cookie()), (200, None), "{value}");
    }
    assert!(visitor.is_signed_in(&server));
}

#[test]
fn a_stray_cookie_beside_the_genuine_one_signs_nobody_out() {
    let server = Waxseal::start(&[]);
    let mut visitor = Browser::by_http();
    visitor.sign_in(&server);
    let genuine = visitor.cookie().unwrap();
    for cookies in [
        format!("{COOKIE}=stray; {COOKIE}={genuine}"),
        format!("{COOKIE}={genuine}; {COOKIE}=stray"),
        format!("{COOKIE}=1; {COOKIE}=2; {COOKIE}=3; {COOKIE}={genuine}"),
        format!("theme=dark; {COOKIE}={genuine}; a={COOKIE}"),
        format!(";; ={genuine}; {COOKIE}; {COOKIE}={genuine};"),
        format!("  {COOKIE}={genuine}  "),
    ] {
        let answer = get("/").with("Cookie", &cookies).sent_to(&server);
        assert!(answer.greets("foo") && answer.set_cookie().is_none(), "{cookies}: {answer:?}");
    }
    let two_lines = get("/").cookie("stray").cookie(genuine);
    assert!(two_lines.sent_to(&server).greets("foo"));
    let other_name = get("/").with("Cookie", &format!("{COOKIE}2={genuine}")).sent_to(&server);
    assert!(other_name.is_anonymous() && other_name.set_cookie().is_none());
}

// --- stopping ------------------------------------------------------------------------------------

/// A sign-in whose form a worker is waiting for.
fn begin_to_sign_in(server: &Waxseal) -> Connection {
    let mut connection = Connection::open(server.port());
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n",
        SIGN_IN.len()
    );
    connection.send(head.as_bytes());
    assert_eq!(connection.answer(false).status, 100);
    connection
}

#[test]
fn sigterm_finishes_a_request_in_flight_and_exits_with_0() {
    let mut server = Waxseal::start(&[]);
    let mut connection = begin_to_sign_in(&server);
    server.signal_term();
    server.wait_for_log("at=info msg=draining");
    connection.send(SIGN_IN.as_bytes());
    let answer = connection.answer(false);
    assert_eq!((answer.status, answer.location()), (303, Some("/")), "{answer:?}");
    assert_eq!(server.wait().code(), Some(0));
    assert!(server.log().ends_with("at=info msg=stopped\n"), "{}", server.log());

    let cookie = answer.set_cookie().unwrap().value;
    assert!(get("/").cookie(&cookie).sent_to(&Waxseal::start(&[])).greets("foo"));
}

#[test]
fn sigterm_stops_an_idle_server_whose_visitors_are_still_connected() {
    let mut server = Waxseal::start(&[]);
    let mut connection = Connection::open(server.port());
    connection.send(&get("/healthz").bytes());
    assert_eq!(connection.answer(false).status, 200);
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_second_sigterm_stops_at_once() {
    let mut server = Waxseal::start(&[]);
    let _in_flight = begin_to_sign_in(&server);
    server.signal_term();
    server.wait_for_log("at=info msg=draining");
    server.signal_term();
    assert_eq!(server.wait().code(), Some(1));
}

// --- logs ----------------------------------------------------------------------------------------

/// The fields of a line of logfmt, or why it is none.
fn fields(line: &str) -> Result<Vec<(String, String)>, String> {
    let mut fields = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=').ok_or("no =")?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            return Err(format!("the key {key:?}"));
        }
        let length = if let Some(quoted) = value.strip_prefix('"') {
            // To the next quote without a backslash before it.
            let mut escaped = false;
            let end = quoted.bytes().position(|byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            end.ok_or("an open quote")? + 2
        } else {
            value.find(' ').unwrap_or(value.len())
        };
        let (value, after) = value.split_at(length);
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"=\\".contains(&byte);
        if !value.starts_with('"') && (value.is_empty() || !value.bytes().all(plain)) {
            return Err(format!("the value {value:?}"));
        }
        if value.chars().any(char::is_control) {
            return Err(format!("a control character in {value:?}"));
        }
        fields.push((key.to_owned(), value.to_owned()));
        rest = match after.strip_prefix(' ') {
            Some("") => return Err("a space at the end".to_owned()),
            Some(after) => after,
            None if after.is_empty() => "",
            None => return Err(format!("{after:?} after a value")),
        };
    }
    let is = |at: usize, key: &str| fields.get(at).is_some_and(|(found, _)| found == key);
    match is(0, "time") && is(1, "at") && is(2, "msg") {
        true => Ok(fields),
        false => Err("no time, at or msg".to_owned()),
    }
}

fn value<'f>(fields: &'f [(String, String)], key: &str) -> Option<&'f str> {
    fields.iter().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
}

/// All lines of the log, each of which must be logfmt.
#[track_caller]
fn lines(log: &str) -> Vec<Vec<(String, String)>> {
    let fields = |line| fields(line).unwrap_or_else(|why| panic!("{why} in {line:?}"));
    log.lines().map(fields).collect()
}

#[test]
fn the_log_is_logfmt_and_holds_no_password_key_or_cookie() {
    let previous = ["an older authentication key", "an older encryption key, longer than 32 bytes"];
    let mut server = Waxseal::start(&[
        ("RUST_LOG", "trace"),
        ("TRUSTED_PROXIES", "1"),
        ("SESSION_AUTHENTICATION_KEY_PREVIOUS", previous[0]),
        ("SESSION_ENCRYPTION_KEY_PREVIOUS", previous[1]),
    ]);
    let mut secrets: Vec<String> =
        [AUTHENTICATION_KEY, ENCRYPTION_KEY, previous[0], previous[1], "hunter2", "cOOkie-Value"]
            .map(str::to_owned)
            .into();
    for mut visitor in [Browser::by_http(), Browser::by_https()] {
        visitor.sign_in(&server);
        let genuine = visitor.cookie().unwrap().to_owned();
        assert!(visitor.is_signed_in(&server));
        for value in [&genuine[..60], "cOOkie-Value"] {
            assert_eq!(get("/").cookie(value).sent_to(&server).status, 303);
        }
        secrets.push(genuine[..40].to_owned());
        visitor.post(&server, "/logout", "");
        assert_eq!(get("/").cookie(&genuine).sent_to(&server).status, 303);
        for form in [
            "username=foo&password=hunter2",
            // People type it into the wrong field.
            "username=hunter2&password=",
            "username=foo&password=hunter2%",
            "hunter2",
        ] {
            visitor.post(&server, "/login", form);
        }
        get("/login?username=foo&password=hunter2").sent_to(&server);
        ask("POST", "/login").body("hunter2").sent_to(&server);
    }
    assert!(server.terminate().success());
    let log = server.log();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} in\n{log}");
    }
    let said: BTreeSet<String> = lines(&log).iter().map(|line| line[2].1.clone()).collect();
    for message in [
        "listening",
        "\"signed in\"",
        "\"signed out\"",
        "\"sign-in failed\"",
        "request",
        "draining",
        "stopped",
    ] {
        assert!(said.contains(message), "{message} in {said:?}");
    }
}

#[test]
fn no_visitor_can_forge_a_line_or_a_field() {
    let mut server = Waxseal::start(&[("RUST_LOG", "debug"), ("TRUSTED_PROXIES", "1")]);
    let forged = "x at=error msg=forged";
    let requests = [
        get("/").with("X-Request-ID", forged),
        get("/").with("X-Request-ID", "x\" at=error msg=\"forged"),
        get("/").with("X-Request-ID", "x\tat=error\tmsg=forged"),
        get("/").with("X-Request-ID", "x\u{1b}[2Kat=error"),
        get("/").with("X-Forwarded-For", forged),
        get("/").cookie(forged),
        post("/login", "username=x%0Aat=error+msg=forged&password=x"),
        post("/login", "username=x%0D%0Aat=error%20msg=forged&password=x")
            .with("X-Forwarded-For", "192.0.2.1 msg=forged"),
        get("/x%0Aat=error%20msg=forged"),
        get("/\"at=error\\\"msg=\"forged"),
        get("/x\u{1b}[2K\u{7}"),
        ask("X\"at=error", "/"),
        ask("at=error", "/msg=forged"),
    ];
    let mut pages = 0;
    for request in &requests {
        let answer = request.sent_to(&server);
        assert!(answer.status < 500, "{answer:?}");
        // The others, with control bytes in them, were refused at the door.
        pages += usize::from(answer.header("Connection") != Some("close"));
    }
    assert!(pages >= 9);
    assert!(server.terminate().success());
    let lines = lines(&server.log());
    let requests_logged = lines.iter().filter(|line| line[2].1 == "request").count();
    assert_eq!(requests_logged, pages, "{}", server.log());
    for line in lines {
        assert!(line[1].1 != "error" && line[2].1 != "forged", "{line:?}");
        let count = |key: &str| line.iter().filter(|(found, _)| found == key).count();
        for key in ["at", "msg", "path", "method", "request_id", "address"] {
            assert!(count(key) <= 1, "{key} twice in {line:?}");
        }
    }
}

#[test]
fn a_valid_request_id_is_taken_and_another_is_replaced() {
    let mut server = Waxseal::start(&[]);
    let longest = "x".repeat(128);
    for id in ["a", "0123-abc_DEF", &longest] {
        post("/login", SIGN_IN).with("X-Request-ID", id).sent_to(&server);
        let line = fields(&server.wait_for_log(&format!("request_id={id}"))).unwrap();
        assert_eq!(line[2].1, "\"signed in\"");
        assert_eq!(value(&line, "username"), Some("foo"));
        assert_eq!(value(&line, "address"), Some("127.0.0.1"));
    }
    for id in ["", "a b", "a=b", "a.b", "a\"", "a\\", &"x".repeat(129)] {
        post("/login", SIGN_IN).with("X-Request-ID", id).sent_to(&server);
    }
    assert!(server.terminate().success());
    let log = server.log();
    let ids: Vec<String> = lines(&log)
        .iter()
        .filter_map(|line| value(line, "request_id").map(str::to_owned))
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 10, "each has its own:\n{log}");
    for id in &ids {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!((1..=128).contains(&id.len()) && id.bytes().all(allowed), "{id}");
    }
}

#[test]
fn the_address_in_the_log_is_the_one_that_the_trusted_proxy_saw() {
    for (forwarded, id, address) in [
        ("192.0.2.7", "one", "192.0.2.7"),
        ("203.0.113.9, 192.0.2.7", "two", "192.0.2.7"),
        ("192.0.2.7, nonsense", "three", "127.0.0.1"),
        ("2001:db8::1", "four", "2001:db8::1"),
    ] {
        // One each, of which the log tells the first refusal from an address.
        let server = Waxseal::start(&[("TRUSTED_PROXIES", "1")]);
        let request = post("/login", "").with("X-Forwarded-For", forwarded);
        request.with("X-Request-ID", id).sent_to(&server);
        let line = fields(&server.wait_for_log(&format!("request_id={id}"))).unwrap();
        assert_eq!(value(&line, "address"), Some(address), "{forwarded}");
    }
}

/// An element that is no text keeps its place in the list, and names nobody.
#[test]
fn bytes_that_are_no_text_move_no_address() {
    for (forwarded, id, address) in [
        (&b"\xff, 192.0.2.7"[..], "one", "192.0.2.7"),
        (b"203.0.113.9, \xff\xfe, 192.0.2.7", "two", "192.0.2.7"),
        (b"192.0.2.7, \xff", "three", "127.0.0.1"),
        (b"192.0.2.7,\xff,", "four", "127.0.0.1"),
    ] {
        // One each, of which the log tells the first refusal from an address.
        let server = Waxseal::start(&[("TRUSTED_PROXIES", "1")]);
        let head = format!(
            "POST /login HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nX-Request-ID: {id}"
        );
        let form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n\r\n";
        let request =
            [head.as_bytes(), b"\r\nX-Forwarded-For: ", forwarded, b"\r\n", form].concat();
        exchange(server.port(), &request);
        let line = fields(&server.wait_for_log(&format!("request_id={id}"))).unwrap();
        assert_eq!(value(&line, "address"), Some(address), "{}", forwarded.escape_ascii());
    }
}

// --- whatever comes ------------------------------------------------------------------------------

/// The same numbers at every run.
struct Numbers(u64);

impl Numbers {
    /// One of `choices` (xorshift64).
    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        choices[usize::try_from(self.0 % choices.len() as u64).unwrap()]
    }
}

fn nonsense(numbers: &mut Numbers, genuine: &str) -> Ask {
    let methods = ["GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "X", "\u{1}"];
    let targets = [
        "/",
        "/",
        "/",
        "/login",
        "/login",
        "/logout",
        "/public/login.html",
        "/public/%",
        "/public/%00%0d%0a",
        "/healthz",
        "/?",
        "/??=&&%",
        "/#",
        "*",
        "%",
        "?",
        "http://",
        "://",
        "/\u{7f}",
        "/%ff%fe",
    ];
    let long = "x".repeat(6_000);
    let many_cookies = format!("{COOKIE}=A; ").repeat(200);
    let planted = format!("{COOKIE}={genuine}; __Host-{COOKIE}={genuine}");
    let values = [
        "",
        " ",
        ",",
        ";",
        "=",
        ",,,,;;;;====",
        "\"",
        "\u{1}\u{2}",
        "%",
        "null",
        "0",
        "-1",
        "18446744073709551616",
        "https",
        "https://",
        "://",
        "same-origin",
        "cross-site",
        "[::1",
        "::ffff:1.2.3.4",
        "W/",
        "*",
        "application/x-www-form-urlencoded",
        &long,
        &many_cookies,
        &planted,
    ];
    let names = [
        "Cookie",
        "Cookie",
        "Origin",
        "Sec-Fetch-Site",
        "Sec-Purpose",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Request-ID",
        "If-None-Match",
        "If-Match",
        "Content-Type",
        "Accept-Encoding",
        "Range",
        "Host",
    ];
    let too_large = [b"a=".to_vec(), vec![b'x'; 10_000]].concat();
    let bodies: [&[u8]; 9] = [
        b"",
        b"&",
        b"=",
        b"%",
        b"\xff\xfe\x00",
        b"username=foo&password=secret",
        b"username=%00&password=%0d%0a",
        &[b'&'; 3_000],
        &too_large,
    ];
    let request = ask(numbers.one_of(&methods), numbers.one_of(&targets));
    let count = numbers.one_of(&[0, 1, 2, 3, 5]);
    let request = (0..count).fold(request, |request, _| {
        let name = numbers.one_of(&names);
        request.with(name, numbers.one_of(&values))
    });
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let request =
        if numbers.one_of(&[true, false]) { request.with(form.0, form.1) } else { request };
    request.body(numbers.one_of(&bodies))
}

#[test]
fn whatever_is_sent_gets_an_answer_of_the_table_and_the_server_goes_on() {
    let open = Waxseal::start(&[]);
    let behind_a_proxy = Waxseal::start(&[("DYNO", "web.1"), ("SECURE_COOKIES", "always")]);
    let mut visitor = Browser::by_http();
    visitor.sign_in(&open);
    let mut numbers = Numbers(0x5eed);
    let mut statuses = BTreeSet::new();
    for server in [&open, &behind_a_proxy] {
        for _ in 0..300 {
            let request = nonsense(&mut numbers, visitor.cookie().unwrap());
            let answer = request.sent_to(server);
            let table = [200, 204, 303, 304, 308, 400, 403, 404, 405, 413, 415, 501];
            let sent = request.bytes();
            let sent = String::from_utf8_lossy(&sent);
            assert!(table.contains(&answer.status), "{sent}\n{answer:?}");
            statuses.insert(answer.status);
        }
    }
    assert!(statuses.len() >= 8, "the sweep reaches most rows: {statuses:?}");
    let mut newcomer = Browser::by_http();
    newcomer.sign_in(&open);
    assert!(newcomer.is_signed_in(&open));
    let mut newcomer = Browser::by_https();
    newcomer.sign_in(&behind_a_proxy);
    assert!(newcomer.is_signed_in(&behind_a_proxy));
    for mut server in [open, behind_a_proxy] {
        assert!(server.terminate().success());
        assert!(!server.log().contains("at=error"), "{}", server.log());
    }
}
