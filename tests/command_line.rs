//! The command line, and the environment that is checked before anything else happens.

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::time::{Duration, Instant, SystemTime};

use support::{
    AUTHENTICATION_KEY, Browser, Connection, DEADLINE, ENCRYPTION_KEY, SetCookie, Waxseal, get,
    on_socket, post, run,
};

const NO_VARS: [(&str, &str); 0] = [];
const AUTHENTICATION: &str = "SESSION_AUTHENTICATION_KEY";
const ENCRYPTION: &str = "SESSION_ENCRYPTION_KEY";

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

// --- commands and options ------------------------------------------------------------------------

#[test]
fn help_is_printed_wherever_it_is_asked_for() {
    let help = run(&["--help"], &NO_VARS);
    assert_eq!((help.status.code(), stderr(&help)), (Some(0), ""));
    for line in ["Usage: waxseal [COMMAND]", "  serve ", "  keygen ", "--help", "--version"] {
        assert!(stdout(&help).contains(line), "{line} in {}", stdout(&help));
    }
    for arguments in [
        &["-h"][..],
        &["serve", "--help"],
        &["keygen", "-h"],
        &["keygen", "--help"],
        &["inspect", "--help"],
        &["sessions", "-h"],
        &["sessions", "list", "--user", "foo", "--help"],
        &["hash-password", "-h"],
        &["add-user", "--help"],
    ] {
        assert_eq!(run(arguments, &NO_VARS), help, "{arguments:?}");
    }
}

#[test]
fn the_version_is_printed_wherever_it_is_asked_for() {
    for arguments in [
        &["--version"][..],
        &["-V"],
        &["serve", "--version"],
        &["keygen", "--version"],
        &["inspect", "-V"],
        &["sessions", "count", "-V"],
        &["hash-password", "--version"],
        &["add-user", "-V"],
    ] {
        let version = run(arguments, &NO_VARS);
        assert_eq!((version.status.code(), stderr(&version)), (Some(0), ""), "{arguments:?}");
        assert_eq!(stdout(&version), concat!("waxseal ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}

#[test]
fn what_is_no_command_or_option_is_told_with_the_way_to_the_help() {
    let vars = [("PORT", "0"), (AUTHENTICATION, AUTHENTICATION_KEY), (ENCRYPTION, ENCRYPTION_KEY)];
    for (arguments, told) in [
        (&["brew"][..], "brew"),
        (&["Serve"], "Serve"),
        (&[""], "\"\""),
        (&["--port"], "--port"),
        (&["--port=5000"], "--port"),
        (&["-x"], "-x"),
        (&["serve", "keygen"], "keygen"),
        (&["keygen", "2"], "2"),
        (&["keygen", "--force"], "--force"),
        (&["serve", "-p", "80"], "-p"),
        (&["sessions"], "count, list or end"),
        (&["sessions", "show"], "count, list or end"),
        (&["sessions", "--all"], "--all"),
        (&["sessions", "count", "5"], "5"),
        (&["sessions", "count", "--json"], "--json"),
        (&["sessions", "list", "--all"], "--all"),
        (&["sessions", "list", "--limit", "0"], "0"),
        (&["sessions", "list", "--limit"], "--limit"),
        (&["sessions", "list", "--after", "a cursor?"], "no cursor"),
        (&["sessions", "end"], "--all"),
        (&["sessions", "end", "8d34c6b2"], "64 lower-case hexadecimal digits"),
        (&["sessions", "end", "--all", "--user", "foo"], "one of these"),
        (&["sessions", "end", "--all", &"0".repeat(64)], "one of these"),
    ] {
        let output = run(arguments, &vars);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}");
        let told_of = stderr(&output);
        assert!(told_of.starts_with("waxseal: ") && told_of.contains(told), "{told_of}");
        assert!(told_of.contains("waxseal --help"), "{told_of}");
    }
}

#[test]
fn sessions_in_their_cookies_are_in_no_list_and_what_works_instead_is_told() {
    let keys = [(AUTHENTICATION, AUTHENTICATION_KEY), (ENCRYPTION, ENCRYPTION_KEY)];
    for store in [&[][..], &[("SESSION_STORE", "cookie")]] {
        let vars = [&keys[..], store].concat();
        let one = "0".repeat(64);
        for arguments in
            [&["count"][..], &["list"], &["list", "--json"], &["end", "--all"], &["end", &one]]
        {
            let output = run(&[&["sessions"], arguments].concat(), &vars);
            assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{arguments:?}");
            for told in ["in its own cookie", "SESSION_NOT_BEFORE", "SESSION_REVOCATIONS"] {
                assert!(stderr(&output).contains(told), "{told} in {}", stderr(&output));
            }
        }
    }
    // What is wrong with the environment is told as by the server.
    let output = run(&["sessions", "count"], &[("SESSION_STORE", "shelf")]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    for told in [AUTHENTICATION, "SESSION_STORE is \"shelf\""] {
        assert!(stderr(&output).contains(told), "{told} in {}", stderr(&output));
    }
}

#[test]
fn keygen_prints_two_variables_fresh_each_time_that_a_server_starts_with() {
    let mut values: Vec<String> = Vec::new();
    for _ in 0..3 {
        let output = run(&["keygen"], &NO_VARS);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
        let pairs: Vec<(&str, &str)> =
            stdout(&output).lines().map(|line| line.split_once('=').unwrap()).collect();
        let [(first, authentication), (second, encryption)] = pairs[..] else {
            panic!("{output:?}");
        };
        assert_eq!([first, second], [AUTHENTICATION, ENCRYPTION]);
        for key in [authentication, encryption] {
            // Nothing that a shell or a .env file would read in another way.
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            assert!(key.len() >= 43 && key.bytes().all(plain), "{key}");
            assert!(!values.iter().any(|known| known == key), "not fresh");
            values.push(key.to_owned());
        }
        let vars = [&pairs[..], &[("PORT", "0"), ("HOST", "127.0.0.1")]].concat();
        let server = Waxseal::start_as(&["serve"], &vars);
        let mut visitor = Browser::by_http();
        visitor.sign_in(&server);
        assert!(visitor.is_signed_in(&server));
        assert!(!server.log().contains("easy to guess"), "{}", server.log());
    }
}

#[test]
fn keygen_needs_no_environment_and_looks_at_none() {
    let output = run(&["keygen"], &[("PORT", "nonsense"), (ENCRYPTION, "short")]);
    assert_eq!(output.status.code(), Some(0));
}

// --- an environment that cannot be used ----------------------------------------------------------

/// A fault as it is printed: variable, what was found, how to mend it.
type Fault = (String, String, String);

/// The faults that a start with these variables ends with: exit code 2, and nothing else happens.
#[track_caller]
fn faults(vars: &[(&str, &str)]) -> Vec<Fault> {
    let output = run(&["serve"], vars);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{vars:?}: {output:?}");
    let text = stderr(&output);
    for (name, value) in vars.iter().filter(|(name, _)| name.contains("_KEY")) {
        assert!(value.is_empty() || !text.contains(value), "{name} is shown: {text}");
    }
    let (title, faults) = text.split_once("\n\n").expect("a title and the faults");
    assert_eq!(title, "waxseal: the environment cannot be used; nothing was started.");
    let lines: Vec<&str> = faults.lines().collect();
    let fault = |lines: &[&str]| -> Fault {
        let told = lines[0].strip_prefix("  ").and_then(|line| line.strip_suffix('.'));
        let (variable, found) = told.expect(text).split_once(' ').expect(text);
        let remedy = lines[1].strip_prefix("      ").expect(text);
        assert!(remedy.len() > 8 && remedy.ends_with('.'), "{remedy}");
        (variable.to_owned(), found.to_owned(), remedy.to_owned())
    };
    lines.chunks(2).map(fault).collect()
}

fn defaults() -> Vec<(&'static str, &'static str)> {
    vec![("PORT", "0"), (AUTHENTICATION, AUTHENTICATION_KEY), (ENCRYPTION, ENCRYPTION_KEY)]
}

/// Checks that the only fault is `variable`'s, and that `found` stands in what is told of it.
#[track_caller]
fn assert_fault(vars: &[(&str, &str)], variable: &str, found: &str) {
    let told = faults(&[&defaults(), vars].concat());
    let [fault] = &told[..] else { panic!("one fault alone is due with {vars:?}: {told:?}") };
    assert_eq!(fault.0, variable, "{vars:?}: {fault:?}");
    assert!(fault.1.contains(found), "{vars:?}: {fault:?}");
}

#[test]
fn an_empty_environment_is_told_of_all_that_is_required() {
    for vars in [&NO_VARS[..], &[("PORT", ""), (AUTHENTICATION, ""), (ENCRYPTION, "")]] {
        let told = faults(vars);
        let variables: Vec<&str> = told.iter().map(|fault| fault.0.as_str()).collect();
        assert_eq!(variables, ["PORT", AUTHENTICATION, ENCRYPTION]);
        assert!(told.iter().all(|fault| fault.1 == "is not set"), "{told:?}");
        assert!(told[1].2.contains("waxseal keygen") && told[2].2.contains("waxseal keygen"));
    }
}

#[test]
fn a_value_that_cannot_be_used_is_told_with_its_name_and_what_was_found() {
    for (variable, values) in [
        ("PORT", &["x", "-1", "65536", "80 ", "0x50", "5000.0", "http"][..]),
        ("HOST", &["localhost", "127.0.0.1:80", "256.0.0.1", "*", "[::1]", "fe80::1%eth0"]),
        ("SESSION_COOKIE_NAME", &["a b", "a;b", "a=b", "ü", "__Host-x", "__secure-x", "\"a\""]),
        ("SESSION_IDLE_TIMEOUT", &["0s", "500ms", "7", "-1h", "soon", "7 parsecs", "1h;"]),
        ("SESSION_LIFETIME", &["0", "0s", "999ms", "30", "forever", "1d1"]),
        (
            "SESSION_NOT_BEFORE",
            &[
                "yesterday",
                "2026-13-01T00:00:00Z",
                "1700000000",
                "2026-01-31",
                "2999-01-01T00:00:00Z",
            ],
        ),
        ("SESSION_SAME_SITE", &["always", "laxx", "lax,strict", "0"]),
        (
            "SESSION_DOMAIN",
            &[
                ".example.com",
                "a b",
                "example.com/",
                "-a.com",
                "a..b",
                "ü.example",
                "com",
                "localhost",
            ],
        ),
        ("SECURE_COOKIES", &["1", "yes", "secure"]),
        ("HTTPS_ONLY", &["2", "maybe", "https"]),
        ("PUBLIC_URL", &["example.com", "https://example.com/app", "ftp://a.b", "https://"]),
        ("SESSION_REVOCATIONS_REQUIRED", &["2", "maybe"]),
        ("SESSION_REVOCATIONS", &["memcached", "cookie", "yes"]),
        ("TRUSTED_PROXIES", &["-1", "17", "1.5", "all", "10.0.0.0/33"]),
        ("METRICS", &["2", "prometheus"]),
        ("WORKER_THREADS", &["0", "129", "-8", "many", "8.0"]),
        ("KEEP_ALIVE_TIMEOUT", &["0s", "95", "for ever"]),
        ("DRAIN_GRACE", &["26s", "5", "-1s", "none"]),
        ("RUST_LOG", &["loud", "info,loud", "waxseal=loud", "info=debug=trace", "=,=="]),
    ] {
        for value in values {
            let found = if value.starts_with("2999") { "future" } else { &format!("{value:?}") };
            assert_fault(&[(variable, value)], variable, found);
        }
    }
}

#[test]
fn a_key_that_cannot_be_used_is_told_without_being_shown() {
    let previous = format!("{AUTHENTICATION}_PREVIOUS");
    let previous_encryption = format!("{ENCRYPTION}_PREVIOUS");
    let second = format!("{AUTHENTICATION}_PREVIOUS_2");
    let second_encryption = format!("{ENCRYPTION}_PREVIOUS_2");
    let other = "another key of 24 bytes.";
    for length in [7, 15, 17, 23, 25, 31] {
        let key = &"kq7Zx-Wm2_Rv9Tj4Lp8Hs1Dg6Fb3NcYa"[..length];
        let found = format!("{length} bytes long; 16, 24, 32 or more");
        assert_fault(&[(ENCRYPTION, key)], ENCRYPTION, &found);
        let pair = [(&*previous, "an older key"), (&*previous_encryption, key)];
        assert_fault(&pair, &previous_encryption, &found);
    }
    for placeholder in ["changeme", "please-CHANGE-ME-please!!", "<authentication key>"] {
        assert_fault(&[(AUTHENTICATION, placeholder)], AUTHENTICATION, "placeholder");
    }
    assert_fault(&[(ENCRYPTION, "replace_me_with_32_bytes_of_noise")], ENCRYPTION, "placeholder");
    assert_fault(&[(AUTHENTICATION, ENCRYPTION_KEY)], ENCRYPTION, "the same");

    assert_fault(&[(AUTHENTICATION, "")], AUTHENTICATION, "is not set");
    assert_fault(&[(ENCRYPTION, "")], ENCRYPTION, "is not set");
    assert_fault(&[(&previous, other)], &previous_encryption, "is not set");
    assert_fault(&[(&second_encryption, other)], &second, "is not set");

    let current = [(&*previous, AUTHENTICATION_KEY), (&*previous_encryption, ENCRYPTION_KEY)];
    assert_fault(&current, &previous_encryption, "twice");
    let twice = [
        (&*previous, "an older key"),
        (&*previous_encryption, other),
        (&*second, "an older key"),
        (&*second_encryption, other),
    ];
    assert_fault(&twice, &second_encryption, "twice");
}

#[test]
fn a_previous_key_under_a_name_that_is_none_is_not_passed_over() {
    for suffix in ["_PREVIOUS_1", "_PREVIOUS_0", "_PREVIOUS_02", "_PREVIOUS2", "_PREVIOUS_OLD"] {
        let name = format!("{AUTHENTICATION}{suffix}");
        assert_fault(&[(&name, "an older key")], &name, "no name of a key");
    }
}

#[test]
fn what_contradicts_is_told() {
    assert_fault(&[("SESSION_SAME_SITE", "none")], "SESSION_SAME_SITE", "always Secure");
    let never = [("SESSION_SAME_SITE", "none"), ("SECURE_COOKIES", "never")];
    assert_fault(&never, "SESSION_SAME_SITE", "always Secure");
    assert_fault(&[("HTTPS_ONLY", "1")], "HTTPS_ONLY", "TRUSTED_PROXIES is 0");
    let dyno = [("DYNO", "web.1"), ("TRUSTED_PROXIES", "0")];
    assert_fault(&dyno, "HTTPS_ONLY", "TRUSTED_PROXIES is 0");
    let dyno = [("DYNO", "web.1"), ("SECURE_COOKIES", "never")];
    assert_fault(&dyno, "SECURE_COOKIES", "HTTPS_ONLY is on");
    let clear = [("DYNO", "web.1"), ("PUBLIC_URL", "http://example.com")];
    assert_fault(&clear, "PUBLIC_URL", "HTTPS_ONLY is on");
}

#[test]
fn a_store_that_is_unknown_or_was_not_built_in_is_refused_by_name() {
    assert_fault(&[("SESSION_STORE", "mysql")], "SESSION_STORE", "is \"mysql\"");
    // Those that this binary was built with are tested with their servers.
    let built_in = [
        ("redis", cfg!(feature = "redis")),
        ("memcached", cfg!(feature = "memcached")),
        ("postgres", cfg!(feature = "postgres")),
        ("sqlite", cfg!(feature = "sqlite")),
    ];
    for (store, _) in built_in.into_iter().filter(|(_, built_in)| !built_in) {
        let found = format!("is {store}, which this waxseal was built without");
        assert_fault(&[("SESSION_STORE", store)], "SESSION_STORE", &found);
    }
    Waxseal::start(&[("SESSION_STORE", "cookie")]);
}

#[test]
fn every_fault_is_told_at_once() {
    let previous = format!("{AUTHENTICATION}_PREVIOUS");
    let previous_encryption = format!("{ENCRYPTION}_PREVIOUS");
    let told = faults(&[
        ("PORT", "many"),
        ("HOST", "here"),
        (AUTHENTICATION, "changeme"),
        (ENCRYPTION, "Sh0rt"),
        (&previous, "<old key>"),
        (&previous_encryption, "T00-short"),
        (&format!("{ENCRYPTION}_PREVIOUS_2"), "half a pair"),
        ("SESSION_COOKIE_NAME", "a b"),
        ("SESSION_IDLE_TIMEOUT", "now"),
        ("SESSION_LIFETIME", "then"),
        ("SESSION_NOT_BEFORE", "ever"),
        ("SESSION_SAME_SITE", "none"),
        ("SESSION_DOMAIN", "."),
        ("SECURE_COOKIES", "perhaps"),
        ("HTTPS_ONLY", "perhaps"),
        ("TRUSTED_PROXIES", "none"),
        ("WORKER_THREADS", "none"),
        ("RUST_LOG", "waxseal=loud"),
    ]);
    let mut variables: Vec<&str> = told.iter().map(|fault| fault.0.as_str()).collect();
    variables.sort_unstable();
    assert_eq!(
        variables,
        [
            "HOST",
            "HTTPS_ONLY",
            "PORT",
            "RUST_LOG",
            "SECURE_COOKIES",
            "SESSION_AUTHENTICATION_KEY",
            "SESSION_AUTHENTICATION_KEY_PREVIOUS",
            "SESSION_AUTHENTICATION_KEY_PREVIOUS_2",
            "SESSION_COOKIE_NAME",
            "SESSION_DOMAIN",
            "SESSION_ENCRYPTION_KEY",
            "SESSION_ENCRYPTION_KEY_PREVIOUS",
            "SESSION_ENCRYPTION_KEY_PREVIOUS_2",
            "SESSION_IDLE_TIMEOUT",
            "SESSION_LIFETIME",
            "SESSION_NOT_BEFORE",
            "SESSION_SAME_SITE",
            "TRUSTED_PROXIES",
            "WORKER_THREADS",
        ]
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_told_and_a_key_may_be_any_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let key = OsStr::from_bytes(b"\xff\xfe a key of 23 bytes \xff");
    let vars = [("PORT", OsStr::from_bytes(b"\xff")), (AUTHENTICATION, key), (ENCRYPTION, key)];
    let output = run(&[], &vars);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("  PORT is not UTF-8.\n"), "{output:?}");
    assert!(stderr(&output).contains("  SESSION_ENCRYPTION_KEY cannot be used"), "{output:?}");
    assert!(!stderr(&output).contains("SESSION_AUTHENTICATION_KEY"), "{output:?}");
    assert!(!stderr(&output).contains("a key of"), "{output:?}");
}

#[test]
fn the_environment_is_checked_before_the_port_is_bound() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let vars = [&defaults()[..], &[("PORT", &port), ("HOST", "127.0.0.1")]].concat();

    let output = run(&[], &[&vars[..], &[("WORKER_THREADS", "x")]].concat());
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(!stderr(&output).contains("listen"), "{output:?}");

    let output = run(&[], &vars);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = format!("at=error msg=\"cannot listen on port {port}: ");
    assert!(stderr(&output).contains(&told), "{output:?}");
}

// --- an environment that can be used -------------------------------------------------------------

/// The cookie that a sign-in sets.
fn signed_in(vars: &[(&str, &str)], by_https: bool) -> SetCookie {
    let server = Waxseal::start(vars);
    let form = post("/login", "username=foo&password=secret");
    let form = if by_https { form.by_https() } else { form };
    form.sent_to(&server).set_cookie().expect("a session")
}

fn connects(address: impl Into<IpAddr>, port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::new(address.into(), port), DEADLINE).is_ok()
}

/// The address of another interface, as far as that goes on one machine.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[test]
fn serve_is_the_default_command() {
    let vars = [&defaults()[..], &[("HOST", "127.0.0.1")]].concat();
    for arguments in [&[][..], &["serve"]] {
        let server = Waxseal::start_as(arguments, &vars);
        assert_eq!(get("/healthz").sent_to(&server).status, 200);
    }
}

#[test]
fn port_says_where_to_listen() {
    // A port that was free a moment ago may be taken by now.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let server = Waxseal::start(&[("PORT", &port.to_string())]);
    assert_eq!(server.port(), port);
    assert_eq!(get("/healthz").sent_to(&server).status, 200);
}

#[test]
fn host_is_the_one_address_to_listen_on_and_all_without_it() {
    let here = Waxseal::start(&[("HOST", "127.0.0.1")]);
    let everywhere = Waxseal::start(&[("HOST", "")]);
    assert!(connects(Ipv4Addr::LOCALHOST, here.port()));
    assert!(connects(Ipv4Addr::LOCALHOST, everywhere.port()));
    // Not every system has the whole of 127.0.0.0/8.
    if TcpListener::bind((ELSEWHERE, 0)).is_ok() {
        assert!(connects(ELSEWHERE, everywhere.port()) && !connects(ELSEWHERE, here.port()));
    }
    post("/login", "").with("X-Request-ID", "by-ipv4").sent_to(&everywhere);
    let line = everywhere.wait_for_log("by-ipv4");
    assert!(line.contains(" address=127.0.0.1 "), "not as IPv6: {line}");

    // Some machines have no IPv6.
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        assert!(connects(Ipv6Addr::LOCALHOST, everywhere.port()));
        let by_ipv6 = Waxseal::start(&[("HOST", "::1")]);
        assert!(connects(Ipv6Addr::LOCALHOST, by_ipv6.port()));
        assert!(!connects(Ipv4Addr::LOCALHOST, by_ipv6.port()));
    }
}

#[test]
fn keys_of_every_accepted_length_work() {
    let long = "0123456789abcdef".repeat(64);
    for length in [16, 24, 32, 33, 1024] {
        signed_in(&[(ENCRYPTION, &long[..length])], false);
    }
    for authentication in ["x", &long, "key with spaces = and \"quotes\""] {
        signed_in(&[(AUTHENTICATION, authentication)], false);
    }
}

#[test]
fn a_key_that_is_easy_to_guess_is_warned_of_without_being_shown() {
    let key = "ababababababababab-ababababababab";
    let server = Waxseal::start(&[(ENCRYPTION, key)]);
    let line = server.wait_for_log("easy to guess");
    assert!(line.contains(" at=warn ") && line.contains(ENCRYPTION), "{line}");
    assert!(!server.log().contains("abab"), "{line}");
}

#[test]
fn the_demo_pair_is_warned_of() {
    let server = Waxseal::start(&[]);
    let line = server.wait_for_log("at=warn");
    assert!(line.contains("foo") && line.contains("secret"), "{line}");
}

#[test]
fn the_cookie_has_the_configured_name() {
    assert_eq!(signed_in(&[], false).name, "waxseal");
    let vars = [("SESSION_COOKIE_NAME", "sid_2.a"), ("TRUSTED_PROXIES", "1")];
    assert_eq!(signed_in(&vars, false).name, "sid_2.a");
    assert_eq!(signed_in(&vars, true).name, "__Host-sid_2.a");
}

#[test]
fn lifetimes_are_taken_as_people_write_them() {
    for (variable, value, seconds) in [
        ("SESSION_IDLE_TIMEOUT", "1s", 1),
        ("SESSION_IDLE_TIMEOUT", "30m", 1_800),
        ("SESSION_IDLE_TIMEOUT", "12h", 43_200),
        ("SESSION_IDLE_TIMEOUT", "1h 30m", 5_400),
        ("SESSION_IDLE_TIMEOUT", "", 604_800),
        // Never more than the lifetime.
        ("SESSION_IDLE_TIMEOUT", "60d", 2_592_000),
        ("SESSION_LIFETIME", "1h", 3_600),
        ("SESSION_LIFETIME", "365d", 604_800),
        ("SESSION_LIFETIME", "500000000000years", 604_800),
    ] {
        assert_eq!(signed_in(&[(variable, value)], false).max_age(), seconds, "{variable}={value}");
    }
}

#[test]
fn session_not_before_takes_a_time_in_the_past() {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    for time in ["1970-01-01T00:00:00Z", "2020-01-31T18:30:00Z", "2020-01-31 18:30:00", &now] {
        let server = Waxseal::start(&[("SESSION_NOT_BEFORE", time)]);
        let mut visitor = Browser::by_http();
        visitor.sign_in(&server);
        assert!(visitor.is_signed_in(&server), "{time}");
    }
}

#[test]
fn same_site_domain_and_secure_are_the_configured_ones() {
    let proxy = ("TRUSTED_PROXIES", "1");
    let same_site = |vars: &[_]| signed_in(vars, false).attribute("SameSite").unwrap().to_owned();
    for (value, attribute) in [("", "Lax"), ("lax", "Lax"), ("Strict", "Strict")] {
        assert_eq!(same_site(&[("SESSION_SAME_SITE", value)]), attribute);
    }
    let none = [("SESSION_SAME_SITE", "NONE"), ("SECURE_COOKIES", "always")];
    assert_eq!(same_site(&none), "None");

    let domain = [("SESSION_DOMAIN", "waxseal.test"), proxy];
    for (by_https, name) in [(false, "waxseal"), (true, "__Secure-waxseal")] {
        let cookie = signed_in(&domain, by_https);
        assert_eq!((&*cookie.name, cookie.attribute("Domain")), (name, Some("waxseal.test")));
    }
    assert_eq!(signed_in(&[proxy], true).attribute("Domain"), None);

    for (value, by_https, is_secure) in [
        ("", false, false),
        ("", true, true),
        ("auto", false, false),
        ("AUTO", true, true),
        ("always", false, true),
        ("always", true, true),
        ("never", false, false),
        ("never", true, false),
    ] {
        let cookie = signed_in(&[("SECURE_COOKIES", value), proxy], by_https);
        assert_eq!(cookie.attribute("Secure").is_some(), is_secure, "{value} {by_https}");
        let name = if is_secure { "__Host-waxseal" } else { "waxseal" };
        assert_eq!(cookie.name, name, "{value} {by_https}");
    }
}

#[test]
fn a_cookie_for_a_domain_is_removed_with_that_domain() {
    let server = Waxseal::start(&[("SESSION_DOMAIN", "waxseal.test")]);
    let cookie = post("/login", "username=foo&password=secret").sent_to(&server);
    let cookie = cookie.set_cookie().unwrap().value;
    let answer = post("/logout", "").cookie(&cookie).sent_to(&server);
    let removals: Vec<_> = answer.all("Set-Cookie").into_iter().map(SetCookie::parse).collect();
    assert!(removals.iter().all(|it| it.removes() && it.attribute("Path") == Some("/")));
    let domains: Vec<_> = removals.iter().map(|it| it.attribute("Domain")).collect();
    assert_eq!(domains, [Some("waxseal.test"), None], "its own, and one for this host alone");
}

#[test]
fn https_only_is_switched_as_people_write_it_and_on_by_default_on_a_dyno() {
    let is_on = |vars: &[_]| match get("/login").sent_to(&Waxseal::start(vars)).status {
        308 => true,
        303 => false,
        status => panic!("{status}"),
    };
    for (value, on) in [
        ("1", true),
        ("true", true),
        ("ON", true),
        ("yes", true),
        ("0", false),
        ("false", false),
        ("off", false),
        ("No", false),
        ("", false),
    ] {
        assert_eq!(is_on(&[("HTTPS_ONLY", value), ("TRUSTED_PROXIES", "1")]), on, "{value}");
    }
    assert!(is_on(&[("DYNO", "web.1")]));
    assert!(!is_on(&[("DYNO", "web.1"), ("HTTPS_ONLY", "0")]));
    assert!(!is_on(&[("DYNO", "")]), "what is set to nothing counts as not set");
}

#[test]
fn proxies_are_trusted_as_configured_and_one_by_default_on_a_dyno() {
    for (vars, address) in [
        (&[][..], "127.0.0.1"),
        (&[("TRUSTED_PROXIES", "0")], "127.0.0.1"),
        (&[("TRUSTED_PROXIES", "1")], "192.0.2.3"),
        (&[("TRUSTED_PROXIES", "2")], "192.0.2.2"),
        (&[("TRUSTED_PROXIES", "16")], "127.0.0.1"),
        (&[("TRUSTED_PROXIES", "10.0.0.0/8")], "127.0.0.1"),
        (&[("TRUSTED_PROXIES", "127.0.0.0/8, 192.0.2.3")], "192.0.2.2"),
        (&[("DYNO", "web.1"), ("HTTPS_ONLY", "0")], "192.0.2.3"),
    ] {
        let server = Waxseal::start(vars);
        let request = post("/login", "").with("X-Forwarded-For", "192.0.2.1, 192.0.2.2");
        request.with("X-Forwarded-For", "192.0.2.3").sent_to(&server);
        let line = server.wait_for_log("sign-in failed");
        assert!(line.contains(&format!(" address={address} ")), "{vars:?}: {line}");
    }
}

#[test]
fn worker_threads_are_as_many_as_configured() {
    for (value, workers) in [("", 8), ("1", 1), ("128", 128)] {
        let server = Waxseal::start(&[("WORKER_THREADS", value)]);
        let line = server.wait_for_log("msg=listening");
        assert!(line.ends_with(&format!(" workers={workers}")), "{line}");
        assert_eq!(get("/healthz").sent_to(&server).status, 200);
    }
}

#[test]
fn an_idle_connection_stays_as_long_as_configured() {
    let server = Waxseal::start(&[("KEEP_ALIVE_TIMEOUT", "1s")]);
    let mut connection = Connection::open(server.port());
    connection.send(&get("/healthz").bytes());
    assert_eq!(connection.answer(false).status, 200);
    let answered = Instant::now();
    connection.expect_end();
    assert!(answered.elapsed() >= Duration::from_millis(900));
}

#[test]
fn a_drain_goes_on_answering_as_long_as_configured() {
    for (vars, at_least) in [
        (&[("DRAIN_GRACE", "1500ms")][..], Duration::from_millis(1400)),
        (&[("DRAIN_GRACE", "0s")], Duration::ZERO),
        (&[("DYNO", "web.1"), ("HTTPS_ONLY", "0")], Duration::ZERO),
    ] {
        let mut server = Waxseal::start(vars);
        let mut connection = Connection::open(server.port());
        connection.send(&get("/healthz").bytes());
        assert_eq!(connection.answer(false).status, 200);
        let began = Instant::now();
        assert!(server.terminate().success());
        assert!(began.elapsed() >= at_least);
        assert!(at_least > Duration::ZERO || began.elapsed() < Duration::from_secs(3));
    }
}

/// With a limit of open files, as the shell sets it.
fn refused_with_open_files(limit: usize, workers: &str) -> String {
    let script = format!("ulimit -n {limit}; exec \"$0\"");
    let vars = [&defaults()[..], &[("WORKER_THREADS", workers)]].concat();
    let output = on_socket(std::fs::File::open("/dev/null").unwrap(), &script, &vars).output();
    let output = output.expect("a shell");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    stderr(&output).to_owned()
}

#[test]
fn too_few_open_files_are_told_at_the_start() {
    for (limit, workers, needed) in [(32, "8", 76), (256, "128", 436)] {
        let said = refused_with_open_files(limit, workers);
        let why = format!("the limit of open files is {limit}, and {needed} are needed");
        assert!(said.contains(&why), "{said}");
    }
}

#[test]
fn rust_log_says_what_is_logged() {
    for (filter, requests) in [
        ("", false),
        ("info", false),
        ("warn,waxseal=info", false),
        ("debug", true),
        ("waxseal=debug", true),
        ("trace", true),
    ] {
        let mut server = Waxseal::start(&[("RUST_LOG", filter)]);
        get("/healthz?secret=1").with("X-Request-ID", "probe").sent_to(&server);
        assert!(server.terminate().success());
        let log = server.log();
        let line = log.lines().find(|line| line.contains(" at=debug msg=request "));
        assert_eq!(line.is_some(), requests, "{filter}: {log}");
        if let Some(line) = line {
            let told = " method=GET path=/healthz status=200 micros=";
            assert!(line.contains(told) && line.ends_with(" request_id=probe"), "{line}");
        }
    }
}

#[test]
fn a_line_has_its_time_unless_something_else_adds_it() {
    let line = Waxseal::start(&[]).wait_for_log("msg=listening");
    let time = line.strip_prefix("time=").and_then(|rest| rest.split(' ').next());
    assert!(time.is_some_and(|time| humantime::parse_rfc3339(time).is_ok()), "{line}");
    let on_a_dyno = Waxseal::start(&[("DYNO", "web.1")]).wait_for_log("msg=listening");
    assert!(on_a_dyno.starts_with("at=info "), "{on_a_dyno}");
}
