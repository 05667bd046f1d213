//! Every row of the table of answers, asked of the running server.

mod support;

use std::time::{Duration, SystemTime};

use support::{
    Answer, Ask, Browser, COOKIE, Connection, HOST, SECRET_HASH, SECURE_COOKIE, Waxseal, ask,
    exchange, get, head, post,
};
use waxseal::seal::Keyring;
use waxseal::session::{Level, Scheme, Session, Sessions};

const SIGN_IN: &str = "username=foo&password=secret";
const LIMIT: usize = 8 * 1024;
const HTML: (&str, &str) = ("Content-Type", "text/html; charset=utf-8");
const TEXT: (&str, &str) = ("Content-Type", "text/plain; charset=utf-8");
const NO_STORE: (&str, &str) = ("Cache-Control", "no-store");
const VARY: (&str, &str) = ("Vary", "Cookie");
const TO_LOGIN: (&str, &str) = ("Location", "/public/login.html");
const SECURITY: [(&str, &str); 5] = [
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
];
const HSTS: (&str, &str) = ("Strict-Transport-Security", "max-age=31536000");

fn behind_a_proxy() -> Waxseal {
    Waxseal::start(&[("TRUSTED_PROXIES", "1")])
}

fn https_only() -> Waxseal {
    Waxseal::start(&[("TRUSTED_PROXIES", "1"), ("HTTPS_ONLY", "1")])
}

/// The status, and exactly these headers beside those that every answer has.
#[track_caller]
fn assert_answer(answer: &Answer, status: u16, headers: &[(&str, &str)]) {
    let mut expected: Vec<(&str, &str)> = [&SECURITY, headers].concat();
    let mut found: Vec<(&str, &str)> =
        answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // The length was checked against the body when it was read.
    found.retain(|(name, _)| !matches!(*name, "Date" | "Content-Length"));
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!((answer.status, found), (status, expected), "{answer:?}");

    let date = httpdate::parse_http_date(answer.header("Date").expect("a date")).unwrap();
    let now = SystemTime::now();
    let apart = now.duration_since(date).or_else(|_| date.duration_since(now)).unwrap();
    assert!(apart < Duration::from_secs(60), "{answer:?}");
}

/// An error page: it says what is wrong, and leads home.
#[track_caller]
fn assert_error_page(answer: &Answer, status: u16, heading: &str, headers: &[(&str, &str)]) {
    assert_answer(answer, status, &[&[HTML, NO_STORE], headers].concat());
    let page = answer.text();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert!(page.contains(&format!("<title>{heading} – Waxseal</title>")), "{page}");
    assert!(page.contains(&format!("<h1>{heading}</h1>")), "{page}");
    assert!(page.contains(r#"href="/""#), "{page}");
}

/// What is no valid request never reaches a page: the front door refuses it, with a page of the site's, and closes.
#[track_caller]
fn assert_refused_at_the_door(answer: &Answer, status: u16) {
    assert_answer(answer, status, &[HTML, NO_STORE, ("Connection", "close")]);
}

/// Sessions as the server makes them: with its keys a test can seal what no page would.
fn sessions() -> Sessions {
    Sessions::sealed(
        Keyring::new(support::AUTHENTICATION_KEY.as_bytes(), support::ENCRYPTION_KEY.as_bytes())
            .unwrap(),
    )
}

/// The value of a cookie with what `fill` puts into its session.
fn sealed(fill: impl FnOnce(&mut Session)) -> String {
    let sessions = sessions();
    let mut session = sessions.load("", Scheme::Http).unwrap();
    fill(&mut session);
    sessions.save(&mut session).unwrap().into_cookie().expect("values to seal").value().to_owned()
}

fn sign_in(session: &mut Session, name: &str) {
    session.sign_in(&sessions().fingerprint(name, SECRET_HASH.as_bytes()));
}

fn signed_in() -> String {
    sealed(|session| sign_in(session, "foo"))
}

#[track_caller]
fn set_cookie_line(answer: &Answer) -> (&str, &str) {
    ("Set-Cookie", answer.header("Set-Cookie").expect("a cookie"))
}

// --- home ----------------------------------------------------------------------------------------

#[test]
fn home_greets_who_is_signed_in_and_offers_to_sign_out_by_a_posted_form() {
    let server = Waxseal::start(&[]);
    let answer = get("/").cookie(&signed_in()).sent_to(&server);
    assert_answer(&answer, 200, &[HTML, NO_STORE, VARY]);
    let page = answer.text();
    assert!(page.contains("<h1>Hello foo</h1>"), "{page}");
    let form = "<form method=\"post\" action=\"/logout\">\n\
                <button class=\"quiet\" type=\"submit\">Logout</button>\n</form>";
    assert!(page.contains(form), "{page}");
    assert!(!page.contains("<script") && !page.contains("role=\"status\""), "{page}");
}

#[test]
fn home_sends_the_anonymous_to_the_login_page() {
    let server = Waxseal::start(&[]);
    for request in [get("/"), head("/"), get("/?a=b"), get("/").with("Cookie", "theme=dark")] {
        let answer = request.sent_to(&server);
        assert_answer(&answer, 303, &[TO_LOGIN, NO_STORE, VARY]);
        assert_eq!(answer.header("Content-Length"), Some("0"));
    }
}

#[test]
fn a_session_without_a_user_is_anonymous_and_keeps_its_cookie() {
    let server = Waxseal::start(&[]);
    let carts = [
        sealed(|session| session.insert("cart", "3").unwrap()),
        sealed(|session| session.insert("name", "foo").unwrap()),
    ];
    for cart in carts {
        let answer = get("/").cookie(&cart).sent_to(&server);
        assert_answer(&answer, 303, &[TO_LOGIN, NO_STORE, VARY]);
    }
}

#[test]
fn names_are_escaped_wherever_they_stand() {
    let hostile = r#"<script>alert('x')</script>"&amp;"#;
    let server = Waxseal::start(&[("USERS", &format!("{hostile}:{SECRET_HASH}"))]);
    let cookie = sealed(|session| {
        sign_in(session, hostile);
        session.flash(Level::Info, "<img src=x onerror=\"alert(1)\">").unwrap();
    });
    let answer = get("/").cookie(&cookie).sent_to(&server);
    assert_eq!(answer.status, 200);
    let page = answer.text();
    let greeting = "Hello &lt;script&gt;alert(&#x27;x&#x27;)&lt;&#x2F;script&gt;&quot;&amp;amp;<";
    assert!(page.contains(greeting), "{page}");
    assert!(page.contains("<li>&lt;img src=x onerror=&quot;alert(1)&quot;&gt;</li>"), "{page}");
    assert!(!page.contains("<script") && !page.contains("src=x on\""), "{page}");
}

#[test]
fn flashes_are_shown_once_in_their_order_and_not_to_head() {
    let server = Waxseal::start(&[]);
    let cookie = sealed(|session| {
        sign_in(session, "foo");
        session.flash(Level::Info, "first").unwrap();
        session.flash(Level::Info, "second").unwrap();
    });
    let answer = head("/").cookie(&cookie).sent_to(&server);
    assert_answer(&answer, 200, &[HTML, NO_STORE, VARY]);

    let answer = get("/").cookie(&cookie).sent_to(&server);
    assert_answer(&answer, 200, &[HTML, NO_STORE, VARY, set_cookie_line(&answer)]);
    assert!(answer.text().contains("<li>first</li>\n<li>second</li>"), "{answer:?}");

    let without = answer.set_cookie().unwrap().value;
    let answer = get("/").cookie(&without).sent_to(&server);
    assert_answer(&answer, 200, &[HTML, NO_STORE, VARY]);
    assert!(!answer.text().contains("<li>"), "{answer:?}");
}

#[test]
fn flashes_wait_for_the_visitor_to_sign_in() {
    let server = Waxseal::start(&[]);
    let cookie = sealed(|session| session.flash(Level::Info, "Welcome back.").unwrap());
    let answer = get("/").cookie(&cookie).sent_to(&server);
    assert_answer(&answer, 303, &[TO_LOGIN, NO_STORE, VARY]);
    let answer = post("/login", SIGN_IN).cookie(&cookie).sent_to(&server);
    let answer = get("/").cookie(&answer.set_cookie().unwrap().value).sent_to(&server);
    assert!(answer.greets("foo") && answer.text().contains("<li>Welcome back.</li>"));
}

// --- login ---------------------------------------------------------------------------------------

#[test]
fn the_right_password_signs_in() {
    let server = Waxseal::start(&[]);
    let answer = post("/login", SIGN_IN).sent_to(&server);
    assert_answer(&answer, 303, &[("Location", "/"), NO_STORE, set_cookie_line(&answer)]);
    let cookie = answer.set_cookie().unwrap();
    assert_eq!(cookie.name, COOKIE);
    let attributes = ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax"];
    assert_eq!(cookie.attributes, attributes);
    assert!(get("/").cookie(&cookie.value).sent_to(&server).greets("foo"));
}

#[test]
fn signing_in_makes_a_new_session_id_and_keeps_the_values() {
    let server = Waxseal::start(&[]);
    let planted = sealed(|session| session.insert("cart", "3").unwrap());
    let answer = post("/login", SIGN_IN).cookie(&planted).sent_to(&server);
    let load = |value: &str| sessions().load(&format!("{COOKIE}={value}"), Scheme::Http).unwrap();
    let (before, after) = (load(&planted), load(&answer.set_cookie().unwrap().value));
    assert_ne!(before.id(), after.id());
    assert_eq!((after.get("cart"), after.get("username")), (Some("3"), Some("foo")));

    // The planted cookie is dead, and left where it is: a request under way while the visitor signed
    // in brings it too, and removing it would remove the new one, which has the same name.
    let answer = get("/").cookie(&planted).sent_to(&server);
    assert_answer(&answer, 303, &[TO_LOGIN, NO_STORE, VARY]);
    let answer = post("/login", SIGN_IN).cookie(&planted).sent_to(&server);
    assert_eq!(load(&answer.set_cookie().unwrap().value).get("cart"), None);
}

#[test]
fn a_wrong_name_or_password_leads_to_the_error_and_begins_no_session() {
    let server = Waxseal::start(&[]);
    for form in [
        "username=foo&password=wrong",
        "username=Foo&password=secret",
        "username=foo&password=Secret",
        "username=foo&password=secret+",
        "username=foo%00&password=secret",
        "username=bar&password=secret",
        "username=foo",
        "password=secret",
        "username=&password=",
        "user=foo&pass=secret",
        // Of two fields with one name the first counts.
        "username=foo&password=wrong&password=secret",
        "",
    ] {
        let answer = post("/login", form).sent_to(&server);
        let mut headers = vec![("Location", "/public/login.html#failed")];
        if answer.set_browser().is_some() {
            headers.extend([NO_STORE, set_cookie_line(&answer)]);
        }
        assert_answer(&answer, 303, &headers);
        assert_eq!(answer.set_cookie(), None, "no session begins");
    }
}

#[test]
fn the_login_page_shows_its_error_without_a_script() {
    let server = Waxseal::start(&[]);
    let page = get("/public/login.html").sent_to(&server);
    let page = page.text();
    assert!(page.contains(r#"<p id="failed" role="alert""#), "{page}");
    assert!(page.contains(r#"<form method="post" action="/login">"#), "{page}");
    assert!(page.contains(r#"autocomplete="username""#), "{page}");
    assert!(page.contains(r#"autocomplete="current-password""#), "{page}");
    assert!(!page.contains("<script") && !page.contains("style="), "{page}");
    let style = get("/public/style.css").sent_to(&server);
    assert!(style.text().contains("#failed:not(:target) { display: none; }"));
}

#[test]
fn fields_are_decoded_as_browsers_send_them() {
    let server = Waxseal::start(&[]);
    for form in [
        "username=%66oo&password=s%65cret",
        "password=secret&username=foo&remember=on",
        "username=foo&password=secret&username=bar",
        "&&username=foo&&password=secret&",
    ] {
        let answer = post("/login", form).sent_to(&server);
        assert_eq!((answer.status, answer.location()), (303, Some("/")), "{form}: {answer:?}");
    }
}

#[test]
fn get_login_leads_to_the_login_page() {
    let server = Waxseal::start(&[]);
    for request in [get("/login"), head("/login"), get("/login?next=/")] {
        assert_answer(&request.sent_to(&server), 303, &[TO_LOGIN]);
    }
}

// --- logout --------------------------------------------------------------------------------------

#[test]
fn posting_to_logout_ends_the_session_and_removes_the_cookie() {
    let server = Waxseal::start(&[]);
    let cookie = signed_in();
    let answer = post("/logout", "").cookie(&cookie).sent_to(&server);
    assert_answer(&answer, 303, &[("Location", "/"), NO_STORE, set_cookie_line(&answer)]);
    let removal = answer.set_cookie().unwrap();
    assert_eq!((removal.name.as_str(), removal.value.as_str()), (COOKIE, ""));
    assert_eq!(removal.max_age(), 0);
    assert_eq!((removal.attribute("Path"), removal.attribute("HttpOnly")), (Some("/"), Some("")));
    let expires = httpdate::parse_http_date(removal.attribute("Expires").unwrap()).unwrap();
    assert!(expires < SystemTime::now());
    assert!(get("/").cookie(&cookie).sent_to(&server).is_anonymous(), "a copy is dead");
}

#[test]
fn posting_to_logout_without_a_session_sets_no_cookie() {
    let server = Waxseal::start(&[]);
    for request in [ask("POST", "/logout"), post("/logout", "a=b")] {
        assert_answer(&request.sent_to(&server), 303, &[("Location", "/"), NO_STORE]);
    }
}

#[test]
fn a_logout_link_signs_out_only_where_it_was_followed_from_here_or_from_nowhere() {
    let server = Waxseal::start(&[]);
    for (sites, purpose, acts) in [
        (&["same-origin"][..], None, true),
        (&["none"], None, true),
        (&[], None, false),
        (&["same-site"], None, false),
        (&["cross-site"], None, false),
        (&[""], None, false),
        (&["Same-Origin"], None, false),
        (&["same-origin, cross-site"], None, false),
        (&["same-origin", "cross-site"], None, false),
        (&["same-origin"], Some("prefetch"), false),
        (&["none"], Some("prefetch;prerender"), false),
        (&["none"], Some(""), false),
        (&["cross-site"], Some("prefetch"), false),
    ] {
        let cookie = signed_in();
        let with_headers = |method: &str| -> Ask {
            let request = ask(method, "/logout").cookie(&cookie);
            let request =
                sites.iter().fold(request, |request, site| request.with("Sec-Fetch-Site", site));
            purpose.iter().fold(request, |request, purpose| request.with("Sec-Purpose", purpose))
        };
        let still_signed_in = || get("/").cookie(&cookie).sent_to(&server).greets("foo");

        let answer = with_headers("HEAD").sent_to(&server);
        assert_answer(&answer, 200, &[HTML, NO_STORE]);
        assert!(still_signed_in(), "HEAD never acts: {sites:?} {purpose:?}");

        let answer = with_headers("GET").sent_to(&server);
        if acts {
            assert_answer(&answer, 303, &[("Location", "/"), NO_STORE, set_cookie_line(&answer)]);
            assert!(answer.set_cookie().unwrap().removes());
        } else {
            assert_answer(&answer, 200, &[HTML, NO_STORE]);
            let page = answer.text();
            assert!(page.contains("<h1>Sign out?</h1>"), "{page}");
            assert!(page.contains("<form method=\"post\" action=\"/logout\">\n<button"), "{page}");
        }
        assert_eq!(still_signed_in(), !acts, "{sites:?} {purpose:?}");
    }
}

/// A field that is no text does not count as one that is missing.
#[test]
fn a_sign_out_heeds_fields_that_are_no_text() {
    let server = Waxseal::start(&[]);
    for (request, name, status) in [
        (get("/logout").with("Sec-Fetch-Site", "none"), "Sec-Purpose", 200),
        (ask("POST", "/logout").body("everywhere=1"), "Content-Type", 415),
    ] {
        let cookie = signed_in();
        let request = String::from_utf8(request.cookie(&cookie).bytes()).unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let field = format!("\r\n{name}: ");
        let request =
            [head.as_bytes(), field.as_bytes(), b"\xff\r\n\r\n", body.as_bytes()].concat();
        let answer = exchange(server.port(), &request);
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(get("/").cookie(&cookie).sent_to(&server).greets("foo"), "{name}");
    }
}

// --- files ---------------------------------------------------------------------------------------

const FILES: [(&str, &str, &str, &[u8]); 5] = [
    (
        "/public/login.html",
        "text/html; charset=utf-8",
        "no-cache",
        include_bytes!("../static/login.html"),
    ),
    (
        "/public/style.css",
        "text/css; charset=utf-8",
        "max-age=3600",
        include_bytes!("../static/style.css"),
    ),
    ("/public/icon.svg", "image/svg+xml", "max-age=3600", include_bytes!("../static/icon.svg")),
    (
        "/public/favicon.ico",
        "image/x-icon",
        "max-age=3600",
        include_bytes!("../static/favicon.ico"),
    ),
    ("/favicon.ico", "image/x-icon", "max-age=3600", include_bytes!("../static/favicon.ico")),
];

#[test]
fn files_come_whole_with_their_type_an_entity_tag_and_a_rule_for_caches() {
    let server = Waxseal::start(&[("USERS", &format!("foo:{SECRET_HASH}"))]);
    for (path, content_type, caching, content) in FILES {
        let answer = get(path).sent_to(&server);
        let etag = answer.header("ETag").unwrap();
        assert!(etag.len() > 10 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
        let mut headers =
            vec![("Content-Type", content_type), ("Cache-Control", caching), ("ETag", etag)];
        headers.extend(path.ends_with(".html").then_some(VARY));
        assert_answer(&answer, 200, &headers);
        assert_eq!(answer.body, content, "{path}");
        let with_query = get(&format!("{path}?v=2")).sent_to(&server);
        assert_eq!((with_query.status, with_query.body), (200, content.to_vec()), "{path}");
    }
    let etag = |path: &str| get(path).sent_to(&server).header("ETag").unwrap().to_owned();
    assert_ne!(etag("/public/login.html"), etag("/public/style.css"));
    assert_eq!(etag("/public/favicon.ico"), etag("/favicon.ico"));
}

#[test]
fn a_file_that_the_visitor_has_is_not_sent_again() {
    let server = Waxseal::start(&[]);
    let first = get("/public/style.css").sent_to(&server);
    let etag = first.header("ETag").unwrap();
    let caching = ("Cache-Control", "max-age=3600");
    for lines in [
        vec![etag.to_owned()],
        vec![format!("W/{etag}")],
        vec!["*".to_owned()],
        vec![format!("\"other\", {etag}")],
        vec![format!("W/\"other\",{etag},\"third\"")],
        vec!["\"other\"".to_owned(), etag.to_owned()],
    ] {
        let with_tags = |request: Ask| -> Ask {
            lines.iter().fold(request, |request, line| request.with("If-None-Match", line))
        };
        for request in [get("/public/style.css"), head("/public/style.css")] {
            let answer = with_tags(request).sent_to(&server);
            assert_answer(&answer, 304, &[caching, ("ETag", etag)]);
            assert_eq!(answer.header("Content-Length"), None);
        }
    }
    let unquoted = etag.trim_matches('"');
    for line in ["\"other\"", "", unquoted, "\"\"", "**", &etag[..etag.len() - 1]] {
        let answer = get("/public/style.css").with("If-None-Match", line).sent_to(&server);
        assert_eq!((answer.status, answer.body), (200, first.body.clone()), "{line}");
    }
}

/// RFC 9110, sections 13.1.1 and 13.2.2: a strong comparison, and before `If-None-Match`.
#[test]
fn a_version_that_does_not_exist_any_more_is_not_sent() {
    let server = Waxseal::start(&[]);
    let first = get("/public/style.css").sent_to(&server);
    let etag = first.header("ETag").unwrap();
    let two = format!("\"other\", {etag}");
    let weak = format!("W/{etag}");
    let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (lines, status) in [
        (vec![("If-Match", etag)], 200),
        (vec![("If-Match", "*")], 200),
        (vec![("If-Match", &*two)], 200),
        (vec![("If-Match", "\"other\""), ("If-Match", etag)], 200),
        (vec![("If-Match", etag), ("If-None-Match", etag)], 304),
        (vec![("If-Match", "\"other\"")], 412),
        (vec![("If-Match", &*weak)], 412),
        (vec![("If-Match", "\"other\""), ("If-None-Match", etag)], 412),
        // There is no modification date: sections 13.1.3 and 13.1.4 have these ignored.
        (vec![("If-Unmodified-Since", long_ago)], 200),
        (vec![("If-Modified-Since", long_ago)], 200),
    ] {
        for request in [get("/public/style.css"), head("/public/style.css")] {
            let request =
                lines.iter().fold(request, |request, (name, tags)| request.with(name, tags));
            assert_eq!(request.sent_to(&server).status, status, "{lines:?}");
        }
    }
}

#[test]
fn nothing_outside_the_folder_is_served_however_the_path_is_written() {
    let server = Waxseal::start(&[]);
    let root = env!("CARGO_MANIFEST_DIR");
    let mut paths: Vec<String> = [
        "/public/../Cargo.toml",
        "/public/../static/login.html",
        "/public/..",
        "/public/../",
        "/public/%2e%2e/Cargo.toml",
        "/public/%2E%2E/Cargo.toml",
        "/public/.%2e/Cargo.toml",
        "/public/..%2fCargo.toml",
        "/public/..%2FCargo.toml",
        "/public/%2e%2e%2fCargo.toml",
        "/public/%252e%252e%252fCargo.toml",
        "/public/..%5cCargo.toml",
        "/public/..\\Cargo.toml",
        "/public/x/../../Cargo.toml",
        "/public/x/..%2f..%2fCargo.toml",
        "/public/....//Cargo.toml",
        "/public/..;/Cargo.toml",
        "/public/./login.html",
        "/public/%2e/login.html",
        "/public//login.html",
        "/public/%2flogin.html",
        "/public/login.html/",
        "/public/login.html%2f",
        "/public/login.html/..",
        "/public/login.html%00",
        "/public/%00",
        "/public/login.html%00.css",
        "/public/..%00/Cargo.toml",
        "/public/..%c0%afCargo.toml",
        "/public/%c0%ae%c0%ae/Cargo.toml",
        "/public/%uff0e%uff0e/Cargo.toml",
        "/public/%",
        "/public/%2",
        "/public/%ff",
        "/public/",
        "/public//",
        "/public/.",
        "/public",
        "/public/.gitignore",
        "/public/C:%5cWindows%5cwin.ini",
        "/public//etc/passwd",
        "/public/%2fetc%2fpasswd",
        "/public/~root/.bashrc",
        "/../Cargo.toml",
        "//public/login.html",
        "/Public/login.html",
        "/%70ublic/login.html",
        "/public%2flogin.html",
        "/favicon.ico/../Cargo.toml",
        "/static/login.html",
        "/Cargo.toml",
        "/.env",
    ]
    .map(str::to_owned)
    .into();
    paths.push(format!("/public/{root}/Cargo.toml"));
    paths.push(format!("/public/{}", format!("{root}/Cargo.toml").replace('/', "%2f")));
    paths.push(format!("/public/{}", "a".repeat(5_000)));
    paths.push(format!("/public/{}login.html", "x/../".repeat(500)));
    paths.push(format!("/public/{}Cargo.toml", "../".repeat(500)));
    paths.push(format!("/public/{}", "%61".repeat(2_000)));
    for path in paths {
        let answer = get(&path).sent_to(&server);
        assert_error_page(&answer, 404, "Not found", &[]);
        assert!(!answer.text().contains("[package]"), "{path}");
    }
}

#[test]
fn a_name_written_with_escapes_is_the_same_file() {
    let server = Waxseal::start(&[]);
    let plain = get("/public/login.html").sent_to(&server);
    let escaped = get("/public/%6cogin%2Ehtml").sent_to(&server);
    assert_eq!((escaped.status, escaped.body), (200, plain.body));
}

// --- healthz, HEAD, 405, 404 ---------------------------------------------------------------------

#[test]
fn healthz_is_ok() {
    let server = Waxseal::start(&[]);
    let answer = get("/healthz").sent_to(&server);
    assert_answer(&answer, 200, &[TEXT, NO_STORE]);
    assert_eq!(answer.text(), "ok");
}

#[test]
fn head_is_answered_as_get_without_the_body_on_every_route() {
    let server = Waxseal::start(&[]);
    let cookie = signed_in();
    for path in [
        "/",
        "/login",
        "/logout",
        "/public/login.html",
        "/public/style.css",
        "/public/icon.svg",
        "/public/nothing",
        "/favicon.ico",
        "/healthz",
        "/nothing",
    ] {
        for cookie in [None, Some(&cookie)] {
            let with_cookie =
                |request: Ask| cookie.iter().fold(request, |request, value| request.cookie(value));
            // The second may have changed meanwhile.
            let but_date = |answer: &Answer| {
                let mut headers = answer.headers.clone();
                headers.retain(|(name, _)| name != "Date");
                (answer.status, headers)
            };
            let to_get = with_cookie(get(path)).sent_to(&server);
            let to_head = with_cookie(head(path)).sent_to(&server);
            assert_eq!(but_date(&to_head), but_date(&to_get), "{path}");
            assert_eq!(to_get.header("Content-Length").unwrap(), to_get.body.len().to_string());
        }
    }
}

#[test]
fn a_method_that_the_path_has_not_is_told_which_it_has() {
    let server = Waxseal::start(&[]);
    let (get_alone, both) = ("GET, HEAD, OPTIONS", "GET, HEAD, POST, OPTIONS");
    for (path, allow) in [
        ("/", get_alone),
        ("/login", both),
        ("/logout", both),
        ("/public/login.html", get_alone),
        ("/public/nothing", get_alone),
        ("/favicon.ico", get_alone),
        ("/healthz", get_alone),
    ] {
        let options = ask("OPTIONS", path).cookie(&signed_in()).sent_to(&server);
        assert_answer(&options, 204, &[("Allow", allow)]);
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            if method == "POST" && allow == both {
                continue;
            }
            let answer = ask(method, path).cookie(&signed_in()).sent_to(&server);
            let allow = [("Allow", allow)];
            assert_error_page(&answer, 405, "Not possible here", &allow);
        }
    }
}

#[test]
fn a_refusal_at_the_door_has_a_page_that_says_why() {
    let server = Waxseal::start(&[]);
    let close = [("Connection", "close")];
    let two_hosts = get("/").with("Host", "b").sent_to(&server);
    assert_error_page(&two_hosts, 400, "Not understood", &close);
    assert!(two_hosts.text().contains("<p>400 Bad Request: two Host fields</p>"));
    let long = get(&format!("/{}", "x".repeat(20_000))).sent_to(&server);
    assert_error_page(&long, 414, "Too large", &close);
    assert_error_page(&ask("BREW", "/").sent_to(&server), 501, "Not possible here", &close);
    let head = ask("HEAD", "/").with("Expect", "tea").sent_to(&server);
    assert_answer(&head, 417, &[HTML, NO_STORE, close[0]]);
}

#[test]
fn a_method_that_nothing_here_has_is_refused_at_the_door() {
    let server = Waxseal::start(&[]);
    for method in ["TRACE", "BREW", "get"] {
        assert_refused_at_the_door(&ask(method, "/").sent_to(&server), 501);
    }
}

#[test]
fn anything_else_is_a_page_that_says_not_found() {
    let server = Waxseal::start(&[]);
    for path in [
        "/nothing",
        "/login/",
        "/logout/x",
        "/healthz/",
        "/Login",
        "/LOGIN",
        "//",
        "/login%20",
        "/%6cogin",
        "/login;a=b",
        "/login/..",
        "/index.html",
        "/\"<script>alert(1)</script>",
        "http://waxseal.test/nothing",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = ask(method, path).cookie(&signed_in()).sent_to(&server);
            assert_error_page(&answer, 404, "Not found", &[]);
            assert!(!answer.text().contains("alert"), "the address is not repeated");
        }
    }
    for target in ["*", "login"] {
        assert_refused_at_the_door(&ask("GET", target).sent_to(&server), 400);
    }
}

// --- forms ---------------------------------------------------------------------------------------

fn padded(length: usize) -> String {
    let form = format!("{SIGN_IN}&padding=");
    let padding = "x".repeat(length - form.len());
    form + &padding
}

/// The answer to a form that is sent in chunks, its length not declared.
fn chunked(server: &Waxseal, form: &str, chunk: usize) -> Answer {
    let mut connection = Connection::open(server.port());
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    connection.send(head.as_bytes());
    for part in form.as_bytes().chunks(chunk) {
        connection.send(&[format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
    }
    connection.send(b"0\r\n\r\n");
    connection.answer(false)
}

#[test]
fn a_form_of_8_kib_is_taken_and_a_longer_one_is_too_large() {
    let server = Waxseal::start(&[]);
    let answer = post("/login", &padded(LIMIT)).sent_to(&server);
    assert_eq!((answer.status, answer.location()), (303, Some("/")), "{answer:?}");
    for length in [LIMIT + 1, 2 * LIMIT] {
        let answer = post("/login", &padded(length)).sent_to(&server);
        assert_error_page(&answer, 413, "Too large", &[]);
    }
}

#[test]
fn a_form_in_chunks_has_the_same_limit() {
    let server = Waxseal::start(&[]);
    for chunk in [7, 1_000, LIMIT] {
        let answer = chunked(&server, &padded(LIMIT), chunk);
        assert_eq!((answer.status, answer.location()), (303, Some("/")), "{answer:?}");
    }
    let answer = chunked(&server, &padded(LIMIT + 1), LIMIT + 1);
    assert_error_page(&answer, 413, "Too large", &[("Connection", "close")]);
}

#[test]
fn a_form_in_another_format_is_not_read() {
    let server = Waxseal::start(&[]);
    for content_type in [
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded-2",
        "application/x-www-form-urlencoded, text/plain",
        "",
    ] {
        let answer =
            ask("POST", "/login").with("Content-Type", content_type).body(SIGN_IN).sent_to(&server);
        assert_error_page(&answer, 415, "Not understood", &[]);
    }
    let answer = ask("POST", "/login").body(SIGN_IN).sent_to(&server);
    assert_error_page(&answer, 415, "Not understood", &[]);
    for content_type in [
        "application/x-www-form-urlencoded; charset=UTF-8",
        "Application/X-WWW-Form-URLEncoded ;charset=utf-8",
    ] {
        let answer =
            ask("POST", "/login").with("Content-Type", content_type).body(SIGN_IN).sent_to(&server);
        assert_eq!((answer.status, answer.location()), (303, Some("/")), "{answer:?}");
    }
}

#[test]
fn a_form_that_cannot_be_decoded_is_refused() {
    let server = Waxseal::start(&[]);
    for form in [
        "username=foo&password=%",
        "username=foo&password=%4",
        "username=foo&password=%zz",
        "username=foo&password=%FF",
        "username=%C3&password=%A9",
        "username=%ED%A0%80&password=secret",
    ] {
        assert_error_page(&post("/login", form).sent_to(&server), 400, "Not understood", &[]);
    }
    let answer = post("/login", "").body(&b"username=\xff&password=secret"[..]).sent_to(&server);
    assert_error_page(&answer, 400, "Not understood", &[]);
}

#[test]
fn a_form_that_breaks_off_signs_nobody_in() {
    let server = Waxseal::start(&[]);
    let mut connection = Connection::open(server.port());
    let head = format!(
        "POST /login HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 2000\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{SIGN_IN}"
    );
    connection.send(head.as_bytes());
    connection.finish_sending();
    assert_refused_at_the_door(&connection.answer(false), 400);
}

// --- HTTPS ---------------------------------------------------------------------------------------

#[test]
fn by_http_only_get_and_head_are_sent_to_https_and_nothing_else_is_taken() {
    let on_dyno = Waxseal::start(&[("DYNO", "web.1")]);
    for server in [&https_only(), &on_dyno] {
        for path in ["/", "/login", "/public/login.html", "/nothing?a=b&c=%2f", "//evil.example/"] {
            let location = format!("https://{HOST}{path}");
            for method in ["GET", "HEAD"] {
                for proto in [None, Some("http"), Some("https, http"), Some("")] {
                    let request = ask(method, path).cookie(&signed_in());
                    let request = proto
                        .iter()
                        .fold(request, |request, proto| request.with("X-Forwarded-Proto", proto));
                    let answer = request.sent_to(server);
                    assert_answer(&answer, 308, &[("Location", &location)]);
                    assert_eq!(answer.header("Content-Length"), Some("0"));
                }
            }
            let options = ask("OPTIONS", path).sent_to(server);
            let is_page = ["/", "/login", "/public/login.html"].contains(&path);
            assert_eq!(options.status, if is_page { 204 } else { 404 }, "{path}");
            for method in ["POST", "PUT", "DELETE", "PATCH"] {
                let answer = ask(method, path).sent_to(server);
                assert_error_page(&answer, 403, "Not allowed", &[]);
            }
        }
        let answer = post("/login", SIGN_IN).sent_to(server);
        assert_error_page(&answer, 403, "Not allowed", &[]);
        let cookie = signed_in();
        let logout = get("/logout").cookie(&cookie).with("Sec-Fetch-Site", "none").sent_to(server);
        assert_eq!(logout.status, 308, "a link in the clear signs nobody out");
    }
}

#[test]
fn by_https_all_rows_hold_where_https_is_a_must() {
    let server = https_only();
    let mut visitor = Browser::by_https();
    assert!(!visitor.is_signed_in(&server));
    visitor.sign_in(&server);
    assert!(visitor.is_signed_in(&server));
    assert_eq!(visitor.post(&server, "/logout", "").status, 303);
    assert!(!visitor.is_signed_in(&server));
    let answer = get("/nothing").by_https().sent_to(&server);
    assert_error_page(&answer, 404, "Not found", &[HSTS]);
}

#[test]
fn the_way_to_https_leads_to_no_other_host() {
    let server = https_only();
    for target in ["@evil.example/", ".evil.example/", ":x@evil.example/", "evil", "*"] {
        for method in ["GET", "HEAD"] {
            let answer = ask(method, target).sent_to(&server);
            assert_eq!((answer.status, answer.location()), (400, None), "{answer:?}");
        }
    }
    for host in ["evil.example/", "a@evil.example", "evil.example#", "evil.example?", "a b"] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = exchange(server.port(), request.as_bytes());
        assert_answer(&answer, 400, &[HTML, NO_STORE, HSTS, ("Connection", "close")]);
    }
    let nowhere = exchange(server.port(), b"GET / HTTP/1.1\r\nHost:\r\n\r\n");
    assert_error_page(&nowhere, 403, "Not allowed", &[]);
    for host in ["waxseal.test:8080", "192.0.2.1", "[2001:db8::1]", "xn--80ak6aa92e.com"] {
        let request = format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = exchange(server.port(), request.as_bytes());
        assert_answer(&answer, 308, &[("Location", &format!("https://{host}/a"))]);
    }
}

#[test]
fn with_a_public_url_neither_host_decides() {
    let server = Waxseal::start(&[
        ("PUBLIC_URL", "https://Www.Waxseal.test:443/"),
        ("TRUSTED_PROXIES", "1"),
        ("HTTPS_ONLY", "1"),
    ]);
    let told = [("X-Forwarded-Host", "evil.example")];
    for (name, value) in told.into_iter().chain([("X-Test", "nothing")]) {
        let answer = get("/a?b=c").with(name, value).sent_to(&server);
        assert_answer(&answer, 308, &[("Location", "https://www.waxseal.test/a?b=c")]);
        let sign_in = |origin: &str| {
            let form = post("/login", "username=foo&password=secret").by_https();
            form.with("Origin", origin).with(name, value).sent_to(&server).status
        };
        assert_eq!(sign_in("https://www.waxseal.test"), 303);
        for other in ["https://evil.example", &format!("https://{HOST}"), "http://www.waxseal.test"]
        {
            assert_eq!(sign_in(other), 403, "{other}");
        }
    }
}

#[test]
fn options_of_the_server_are_those_of_all_its_pages() {
    let server = Waxseal::start(&[]);
    let allow = [("Allow", "GET, HEAD, POST, OPTIONS")];
    assert_answer(&ask("OPTIONS", "*").sent_to(&server), 204, &allow);
}

#[test]
fn a_probe_by_http_is_answered_where_https_is_a_must() {
    let server = https_only();
    for request in [get("/healthz"), head("/healthz"), get("/healthz?probe=1")] {
        assert_answer(&request.sent_to(&server), 200, &[TEXT, NO_STORE]);
    }
    assert_answer(&get("/healthz").by_https().sent_to(&server), 200, &[TEXT, NO_STORE, HSTS]);
    let posted = ask("POST", "/healthz").sent_to(&server);
    assert_error_page(&posted, 405, "Not possible here", &[("Allow", "GET, HEAD, OPTIONS")]);
}

#[test]
fn every_answer_has_the_security_headers_and_hsts_by_https_alone() {
    let behind_a_proxy = behind_a_proxy();
    let in_the_open = Waxseal::start(&[]);
    let requests = [
        get("/"),
        get("/").cookie(&signed_in()),
        get("/login"),
        get("/logout"),
        get("/public/login.html"),
        get("/public/login.html").with("If-None-Match", "*"),
        get("/favicon.ico"),
        get("/healthz"),
        get("/nothing"),
        ask("DELETE", "/"),
        post("/login", SIGN_IN),
        post("/login", "username=foo&password=wrong"),
        post("/login", "%"),
        post("/login", &padded(LIMIT + 1)),
        ask("POST", "/login").body(SIGN_IN),
        post("/login", SIGN_IN).with("Sec-Fetch-Site", "cross-site"),
        post("/logout", ""),
    ];
    for request in requests {
        for (server, proto, is_https) in [
            (&behind_a_proxy, Some("https"), true),
            (&behind_a_proxy, Some("HTTPS"), true),
            (&behind_a_proxy, Some("http, https"), true),
            (&behind_a_proxy, Some("https, http"), false),
            (&behind_a_proxy, None, false),
            // Where no proxy is trusted, the header is the visitor's own word.
            (&in_the_open, Some("https"), false),
        ] {
            let request = proto
                .iter()
                .fold(request.clone(), |request, proto| request.with("X-Forwarded-Proto", proto));
            let answer = request.sent_to(server);
            for (name, value) in SECURITY {
                assert_eq!(answer.header(name), Some(value), "{answer:?}");
            }
            let hsts = answer.header(HSTS.0);
            assert_eq!(hsts, is_https.then_some(HSTS.1), "{proto:?}: {answer:?}");
            assert_eq!(answer.header("Server"), None);
        }
    }
}

#[test]
fn by_https_the_cookie_is_secure_and_has_the_prefix() {
    let server = behind_a_proxy();
    let answer = post("/login", SIGN_IN).by_https().sent_to(&server);
    assert_answer(&answer, 303, &[("Location", "/"), NO_STORE, set_cookie_line(&answer), HSTS]);
    let cookie = answer.set_cookie().unwrap();
    assert_eq!(cookie.name, SECURE_COOKIE);
    let attributes = ["HttpOnly", "Max-Age=604800", "Path=/", "SameSite=Lax", "Secure"];
    assert_eq!(cookie.attributes, attributes);

    let secure = format!("{SECURE_COOKIE}={}", cookie.value);
    let bare = format!("{COOKIE}={}", signed_in());
    let home = |cookies: &str| get("/").with("Cookie", cookies);
    assert!(home(&secure).by_https().sent_to(&server).greets("foo"));
    assert!(home(&bare).sent_to(&server).greets("foo"));
    assert!(home(&bare).by_https().sent_to(&server).is_anonymous(), "a bare one was planted");
    assert!(home(&secure).sent_to(&server).is_anonymous(), "a secure one is not read by HTTP");
    let renamed = format!("{SECURE_COOKIE}={}", signed_in());
    assert!(home(&renamed).by_https().sent_to(&server).is_anonymous(), "sealed for another name");

    let answer = post("/logout", "").by_https().with("Cookie", &secure).sent_to(&server);
    let removal = answer.set_cookie().unwrap();
    assert!(removal.removes() && removal.name == SECURE_COOKIE, "{removal:?}");
    assert_eq!((removal.attribute("Secure"), removal.attribute("Path")), (Some(""), Some("/")));
}

#[test]
fn an_answer_that_sets_a_cookie_is_kept_by_no_cache() {
    let server = behind_a_proxy();
    let with_flash = sealed(|session| {
        sign_in(session, "foo");
        session.flash(Level::Info, "hello").unwrap();
    });
    for request in [
        post("/login", SIGN_IN),
        post("/login", SIGN_IN).by_https(),
        get("/").cookie(&with_flash),
        get("/").cookie("forged"),
        post("/logout", "").cookie(&signed_in()),
        post("/logout", "").cookie("forged"),
        get("/logout").cookie(&signed_in()).with("Sec-Fetch-Site", "none"),
    ] {
        let answer = request.sent_to(&server);
        assert!(answer.set_cookie().is_some(), "{answer:?}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{answer:?}");
    }
}

// --- other sites ---------------------------------------------------------------------------------

#[test]
fn a_state_change_from_another_site_is_refused_and_changes_nothing() {
    let server = Waxseal::start(&[]);
    let here = format!("https://{HOST}");
    for (site, origin, passes) in [
        (None, None, true),
        (Some("same-origin"), None, true),
        (Some("none"), None, true),
        (Some("same-site"), None, false),
        (Some("cross-site"), None, false),
        (Some("CROSS-SITE"), None, false),
        (Some("nonsense"), None, false),
        // Sec-Fetch-Site decides where it is there.
        (Some("same-origin"), Some("https://evil.example"), true),
        (Some("cross-site"), Some(here.as_str()), false),
        (None, Some(here.as_str()), true),
        (None, Some("http://waxseal.test"), true),
        (None, Some("https://evil.example"), false),
        (None, Some("https://waxseal.test.evil.example"), false),
        (None, Some("https://evil.example/waxseal.test"), false),
        (None, Some("https://waxseal.test:8443"), false),
        (None, Some("https://sub.waxseal.test"), false),
        (None, Some("null"), false),
        (None, Some(""), false),
    ] {
        let cookie = signed_in();
        let as_sent = |request: Ask| -> Ask {
            let request =
                site.iter().fold(request, |request, site| request.with("Sec-Fetch-Site", site));
            origin.iter().fold(request, |request, origin| request.with("Origin", origin))
        };
        for request in [
            post("/login", SIGN_IN),
            post("/logout", "").cookie(&cookie),
            ask("DELETE", "/").cookie(&cookie),
        ] {
            let answer = as_sent(request).sent_to(&server);
            if passes {
                assert_ne!(answer.status, 403, "{site:?} {origin:?}");
            } else {
                assert_error_page(&answer, 403, "Not allowed", &[]);
            }
        }
        let is_signed_in = get("/").cookie(&cookie).sent_to(&server).greets("foo");
        assert_eq!(is_signed_in, !passes, "{site:?} {origin:?}");

        // What changes nothing is shown to whoever asks.
        for (request, status) in
            [(get("/login"), 303), (head("/login"), 303), (ask("OPTIONS", "/login"), 204)]
        {
            assert_eq!(as_sent(request).sent_to(&server).status, status, "{site:?} {origin:?}");
        }
    }
}
