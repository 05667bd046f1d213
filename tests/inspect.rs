//! `waxseal inspect`: what it tells of a cookie, and how it ends.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use waxseal::seal::{Header, Id, Keyring, SessionLifetime, Version};

const KEYS: (&str, &str) = ("the tests' authentication key", "the tests' encryption key, 32 b.");
const OLD_KEYS: (&str, &str) = ("an older authentication key", "an older encryption key, 32 by..");
const NAME: &str = "waxseal";
const ID: Id = Id([0xa5; Id::LEN]);
const DAY: u64 = 86_400;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn keyring(keys: (&str, &str)) -> Keyring {
    Keyring::new(keys.0.as_bytes(), keys.1.as_bytes()).unwrap()
}

fn header(version: Version, created: u64, sealed: u64) -> Header {
    Header::new(version, ID, created, sealed)
}

/// A seal by `keys` of a session that began and was last seen so many seconds ago.
fn seal(keys: (&str, &str), name: &str, begun: u64, sealed: u64, payload: &str) -> String {
    let (created, sealed) = (now() - begun, now() - sealed);
    let header = header(Version::Values, created, sealed);
    keyring(keys).seal(name, &header, payload.as_bytes())
}

fn foo(name: &str) -> String {
    seal(KEYS, name, 2 * DAY, DAY, "username=foo")
}

fn inspect_with(arguments: &[&str], input: &str, vars: &[(&str, &str)]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .arg("inspect")
        .args(arguments)
        .env_clear()
        .envs(vars.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It does not read where an argument says all.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

const VARS: [(&str, &str); 4] = [
    ("SESSION_AUTHENTICATION_KEY", KEYS.0),
    ("SESSION_ENCRYPTION_KEY", KEYS.1),
    ("SESSION_AUTHENTICATION_KEY_PREVIOUS_2", OLD_KEYS.0),
    ("SESSION_ENCRYPTION_KEY_PREVIOUS_2", OLD_KEYS.1),
];

/// The exit code and the lines of the report.
fn inspect(arguments: &[&str]) -> (i32, Vec<String>) {
    let output = inspect_with(arguments, "", &VARS);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let lines = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), lines.lines().map(str::to_owned).collect())
}

fn inspect_json(cookie: &str, vars: &[(&str, &str)]) -> (i32, Value) {
    let output = inspect_with(&["--json", cookie], "", &[&VARS, vars].concat());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

/// The exit code and the reason for which `cookie` does not open.
fn reason(cookie: &str, vars: &[(&str, &str)]) -> (i32, String) {
    let (code, report) = inspect_json(cookie, vars);
    assert_eq!(report["opens"], json!(false), "{report}");
    assert!(!report["message"].as_str().unwrap().is_empty());
    (code, report["reason"].as_str().unwrap().to_owned())
}

#[test]
fn it_tells_all_that_a_cookie_holds() {
    let cookie = seal(KEYS, NAME, 2 * DAY, DAY, "cart=a+%26+b&username=foo&_flash=Hello%0A");
    let (code, lines) = inspect(&[&cookie]);
    assert_eq!(code, 0);
    let id = format!("id            {}", "a5".repeat(16));
    let expected = [
        "opens         yes",
        "name          waxseal",
        "version       1, its values are inside",
        &id,
        "keys          current",
        "begun         20",
        "sealed        20",
        "idle end      20",
        "lifetime end  20",
        r#"value         "cart" = "a & b""#,
        r#"value         "username" = "foo""#,
        r#"value         "_flash" = "Hello\n""#,
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(lines[5].contains("Z (2days") && lines[5].ends_with(" ago)"), "{}", lines[5]);
    assert!(lines[7].contains("Z (in 5days 23h 59m") || lines[7].contains("Z (in 6days"));
    assert!(lines[8].contains("Z (in 27days 23h 59m") || lines[8].contains("Z (in 28days"));
}

#[test]
fn the_report_for_machines_is_one_line_with_these_members() {
    let began = now();
    let cookie = foo(NAME);
    let (code, report) = inspect_json(&cookie, &[]);
    assert_eq!(code, 0);
    let created = report["created"].as_u64().unwrap();
    let sealed = report["sealed"].as_u64().unwrap();
    assert!((began - 2 * DAY..=now() - 2 * DAY).contains(&created));
    assert!((began - DAY..=now() - DAY).contains(&sealed));
    assert_eq!(
        report,
        json!({
            "opens": true, "reason": null, "message": null, "name": "waxseal", "version": 1,
            "id": "a5".repeat(16), "keys": "current", "signed_out": null, "created": created, "sealed": sealed,
            "idle_end": sealed + 7 * DAY, "lifetime_end": created + 30 * DAY,
            "own_idle": null, "own_lifetime": null, "ends_with_browser": false,
            "values": [["username", "foo"]],
        })
    );
    let output = inspect_with(&["--json", &cookie], "", &VARS);
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
}

#[test]
fn a_value_a_pair_and_a_whole_line_are_taken() {
    let (bare, host) = (foo(NAME), foo("__Host-waxseal"));
    for (input, name) in [
        (bare.clone(), "waxseal"),
        (host.clone(), "__Host-waxseal"),
        (foo("__Secure-waxseal"), "__Secure-waxseal"),
        (format!("waxseal={bare}"), "waxseal"),
        (format!("__Host-waxseal={host}"), "__Host-waxseal"),
        (format!("theme=dark; __Host-waxseal={host};x=y"), "__Host-waxseal"),
        (format!("Cookie: theme=dark; waxseal={bare}"), "waxseal"),
        (format!("cookie:waxseal={bare}"), "waxseal"),
        (format!("Set-Cookie: __Host-waxseal={host}; Path=/; Max-Age=604800"), "__Host-waxseal"),
        (format!("set-cookie: basket={}; Path=/", foo("basket")), "basket"),
    ] {
        let (code, report) = inspect_json(&input, &[]);
        assert_eq!((code, &report["name"]), (0, &json!(name)), "{input}: {report}");
        for input in [input.clone(), format!("  {input}\r\n")] {
            let output = inspect_with(&[], &input, &VARS);
            assert_eq!(output.status.code(), Some(0), "{input}");
        }
    }
}

#[test]
fn each_session_cookie_of_a_line_has_its_report() {
    let header = format!("waxseal=stray; waxseal={}; __Host-waxseal={}", foo(NAME), foo("x"));
    let output = inspect_with(&["--json"], &header, &VARS);
    let reports: Vec<Value> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let reasons: Vec<&Value> = reports.iter().map(|report| &report["reason"]).collect();
    assert_eq!(reasons, [&json!("not_base64url"), &json!(null), &json!("forged")]);
    assert_eq!(output.status.code(), Some(0), "one opens");
}

#[test]
fn the_name_of_a_previous_pair_is_that_of_its_variables() {
    let (code, report) = inspect_json(&seal(OLD_KEYS, NAME, 5, 5, "a=b"), &[]);
    assert_eq!((code, &report["keys"]), (0, &json!("previous_2")));
}

#[test]
fn a_session_in_a_store_shows_the_key_of_its_record() {
    let header = header(Version::Stored, now(), now());
    let cookie = keyring(KEYS).seal(NAME, &header, b"stored");
    let (code, lines) = inspect(&[&cookie]);
    assert_eq!(code, 0);
    assert!(lines.contains(&"version       2, its values are in a store".to_owned()));
    let record = format!("record        {}", waxseal::session::Key::of(ID));
    assert_eq!(lines.last(), Some(&record));
    let (_, report) = inspect_json(&cookie, &[]);
    assert_eq!((&report["version"], &report["values"]), (&json!(2), &json!(null)));
}

/// A seal with a lifetime of two days idle and three in all, whose cookie ends with the browser.
fn seal_with_lifetime(version: Version, begun: u64, sealed: u64, payload: &str) -> String {
    let day = Duration::from_secs(DAY);
    let lifetime = SessionLifetime::default().with_idle(2 * day).with_absolute(3 * day);
    let header = header(version, now() - begun, now() - sealed)
        .with_lifetime(lifetime.until_browser_closes());
    keyring(KEYS).seal(NAME, &header, payload.as_bytes())
}

#[test]
fn a_lifetime_of_its_own_is_told() {
    for (version, number, payload) in
        [(Version::Values, 3, "username=foo"), (Version::Stored, 4, "stored")]
    {
        let cookie = seal_with_lifetime(version, DAY, DAY / 2, payload);
        let (code, report) = inspect_json(&cookie, &[]);
        assert_eq!((code, &report["version"]), (0, &json!(number)));
        let seconds = |member: &str| report[member].as_u64().unwrap();
        assert_eq!(seconds("idle_end"), seconds("sealed") + 2 * DAY);
        assert_eq!(seconds("lifetime_end"), seconds("created") + 3 * DAY);
        assert_eq!((seconds("own_idle"), seconds("own_lifetime")), (2 * DAY, 3 * DAY));
        assert_eq!(report["ends_with_browser"], json!(true));

        let (_, lines) = inspect(&[&cookie]);
        let place = if number == 3 { "inside" } else { "in a store" };
        for line in [
            &*format!("version       {number}, its values are {place}"),
            "own idle      2days",
            "own lifetime  3days",
            "cookie        ends with the browser",
        ] {
            assert!(lines.iter().any(|found| found == line), "{line}: {lines:#?}");
        }
        let shorter = [("SESSION_IDLE_TIMEOUT", "1d"), ("SESSION_LIFETIME", "2d")];
        let (_, report) = inspect_json(&cookie, &shorter);
        let seconds = |member: &str| report[member].as_u64().unwrap();
        assert_eq!(seconds("idle_end"), seconds("sealed") + DAY);
        assert_eq!(seconds("lifetime_end"), seconds("created") + 2 * DAY);
        assert_eq!(seconds("own_lifetime"), 3 * DAY);
    }
}

#[test]
fn what_has_expired_by_its_own_lifetime_tells_what_it_held() {
    for (begun, sealed, expected) in [(DAY * 5 / 2, 2 * DAY, "idle"), (3 * DAY, 0, "too_old")] {
        let cookie = seal_with_lifetime(Version::Values, begun, sealed, "username=foo");
        assert_eq!(reason(&cookie, &[]), (1, expected.to_owned()));
        let (_, report) = inspect_json(&cookie, &[]);
        assert!(report["message"].as_str().unwrap().contains(", since "), "{report}");
        assert_eq!(report["values"], json!([["username", "foo"]]));
    }
}

#[test]
fn every_refusal_is_told() {
    let good = foo(NAME);
    let version_9 = format!("CQ{}", &good[2..]);
    let other_encryption = (KEYS.0, "another encryption key, 32 bytes");
    let stored_not = keyring(KEYS).seal(NAME, &header(Version::Stored, now(), now()), b"values");
    let future = keyring(KEYS).seal(NAME, &header(Version::Values, now(), now() + 3600), b"a=b");
    let backwards = keyring(KEYS).seal(NAME, &header(Version::Values, now(), now() - 9), b"a=b");
    for (cookie, expected) in [
        ("A".repeat(4097), "too_long"),
        (format!("{good}="), "not_base64url"),
        ("no cookie".to_owned(), "not_base64url"),
        ("AQAA".to_owned(), "too_short"),
        (version_9, "unknown_version"),
        (format!("Aw{}", &good[2..]), "too_short"),
        (seal(("unknown", OLD_KEYS.1), NAME, 0, 0, "a=b"), "forged"),
        (foo("another-name"), "forged"),
        (future, "future"),
        (backwards, "created_after_sealed"),
        (seal(KEYS, NAME, 8 * DAY, 7 * DAY, "a=b"), "idle"),
        (seal(KEYS, NAME, 30 * DAY, DAY, "a=b"), "too_old"),
        (seal(other_encryption, NAME, 0, 0, "a=b"), "undecryptable"),
        (stored_not, "payload"),
    ] {
        assert_eq!(reason(&cookie, &[]), (1, expected.to_owned()));
    }
}

#[test]
fn what_has_expired_tells_since_when_and_what_it_held() {
    let cookie = seal(KEYS, NAME, 10 * DAY, 9 * DAY, "username=foo");
    let (code, lines) = inspect(&[&cookie]);
    assert_eq!(code, 1);
    assert!(lines[0].starts_with("opens         no: its idle time has run out, since 20"));
    assert!(lines[7].starts_with("idle end      ") && lines[7].contains("(2days"), "{}", lines[7]);
    assert_eq!(lines[9], r#"value         "username" = "foo""#);

    let old = seal(KEYS, NAME, 40 * DAY, DAY, "username=foo");
    assert!(inspect(&[&old]).1[0].contains("its session's lifetime has run out, since 20"));
    let longer = [("SESSION_LIFETIME", "60d")];
    assert_eq!(inspect_json(&old, &longer).0, 0, "by the configured lifetimes");
}

#[test]
fn a_cookie_under_another_name_than_its_own_does_not_open() {
    let input = format!("waxseal={}", foo("__Host-waxseal"));
    assert_eq!(reason(&input, &[]), (1, "other_name".to_owned()));
    let (_, lines) = inspect(&[&input]);
    assert!(lines[0].ends_with("it was sealed for __Host-waxseal, and came as waxseal"));

    let renamed = [("SESSION_COOKIE_NAME", "cart")];
    assert_eq!(reason(&foo(NAME), &renamed), (1, "forged".to_owned()));
    assert_eq!(inspect_json(&foo("__Host-cart"), &renamed).0, 0);
}

#[test]
fn session_not_before_is_told() {
    let later = [("SESSION_NOT_BEFORE", "2001-01-01T00:00:00Z")];
    assert_eq!(inspect_json(&foo(NAME), &later).0, 0);
    let yesterday = now() - DAY;
    let yesterday = [("SESSION_NOT_BEFORE", &*rfc3339(yesterday))];
    assert_eq!(reason(&foo(NAME), &yesterday), (1, "not_before".to_owned()));
}

fn rfc3339(seconds: u64) -> String {
    let date = format!("@{seconds}");
    let output = Command::new("date").args(["-u", "-d", &date, "+%FT%TZ"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn times_beyond_the_calendar_are_no_fault() {
    let far = [("SESSION_IDLE_TIMEOUT", "500000000000y"), ("SESSION_LIFETIME", "500000000000y")];
    let output = inspect_with(&[&foo(NAME)], "", &[&VARS[..], &far].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn port_is_not_needed_and_the_session_variables_are_checked_as_ever() {
    let short = [("SESSION_AUTHENTICATION_KEY", "x"), ("SESSION_ENCRYPTION_KEY", "too short")];
    let lifetimes = [("SESSION_LIFETIME", "for ever"), ("PORT", "no port")];
    let output = inspect_with(&[&foo(NAME)], "", &[short, lifetimes].concat());
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let faults = String::from_utf8(output.stderr).unwrap();
    assert!(faults.contains("SESSION_ENCRYPTION_KEY cannot be used"), "{faults}");
    assert!(faults.contains("SESSION_LIFETIME is \"for ever\""), "{faults}");
    assert!(!faults.contains("PORT"), "{faults}");
    assert!(!faults.contains("too short;") && !faults.contains("\"too short\""), "{faults}");
}

#[test]
fn a_mistake_on_the_command_line_is_2() {
    for (arguments, input) in [
        (&["--jsn"][..], ""),
        (&["a", "b"], ""),
        (&[], ""),
        (&[], " \n"),
        (&["Cookie: theme=dark; x=y"], ""),
    ] {
        let output = inspect_with(arguments, input, &VARS);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    }
    for arguments in [&["--json"][..], &["keygen", "--json"], &["serve", "x"]] {
        let status = Command::new(env!("CARGO_BIN_EXE_waxseal"))
            .args(arguments)
            .env_clear()
            .stderr(Stdio::null())
            .status();
        assert_eq!(status.unwrap().code(), Some(2), "{arguments:?}");
    }
}
