//! Each example, started as a program and used as its visitors do.

#[path = "support/example.rs"]
mod example;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use support::{AUTHENTICATION_KEY, Answer, Ask, ENCRYPTION_KEY, exchange, get, post};

/// An example that is running.
struct Example {
    child: Child,
    port: u16,
}

impl Example {
    /// Starts it on a free port, which it prints.
    fn start(name: &str) -> Example {
        let mut child = Command::new(example::example(name))
            .env_clear()
            .env("PORT", "0")
            .env("SESSION_AUTHENTICATION_KEY", AUTHENTICATION_KEY)
            .env("SESSION_ENCRYPTION_KEY", ENCRYPTION_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut example = Example { child, port: 0 };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("its address");
        let port = line.trim().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        example.port = port.unwrap_or_else(|| panic!("no address in {line:?}"));
        example
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One browser's cookies at one example.
struct Visitor<'e> {
    example: &'e Example,
    jar: BTreeMap<String, String>,
}

impl<'e> Visitor<'e> {
    fn of(example: &'e Example) -> Visitor<'e> {
        Visitor { example, jar: BTreeMap::new() }
    }

    #[track_caller]
    fn get(&mut self, path: &str) -> Answer {
        self.send(get(path))
    }

    /// Posts a form, and follows the redirect.
    #[track_caller]
    fn post(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.send(post(path, form).with("Sec-Fetch-Site", "same-origin"));
        assert_eq!((answer.status, answer.location()), (303, Some("/")), "{answer:?}");
        self.get("/")
    }

    #[track_caller]
    fn send(&mut self, ask: Ask) -> Answer {
        let cookies: Vec<String> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let ask = if cookies.is_empty() { ask } else { ask.with("Cookie", &cookies.join("; ")) };
        let answer = exchange(self.example.port, &ask.bytes());
        if let Some(cookie) = answer.set_cookie() {
            if cookie.removes() {
                self.jar.remove(&cookie.name);
            } else {
                self.jar.insert(cookie.name, cookie.value);
            }
        }
        answer
    }
}

#[test]
fn a_plain_tiny_http_program_counts_each_visitor_s_visits() {
    let example = Example::start("sessions_in_tiny_http");
    let mut visitor = Visitor::of(&example);
    for count in 1..=3 {
        let answer = visitor.get("/");
        assert_eq!((answer.status, answer.text()), (200, &*format!("Visits: {count}\n")));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        let cookie = answer.set_cookie().expect("a cookie");
        assert_eq!(cookie.name, "waxseal");
        assert!(cookie.attribute("HttpOnly").is_some(), "{cookie:?}");
    }
    assert_eq!(Visitor::of(&example).get("/").text(), "Visits: 1\n", "another visitor");

    let forged = get("/").cookie("made-up");
    assert_eq!(Visitor::of(&example).send(forged).text(), "Visits: 1\n");
}

#[test]
fn the_plain_tiny_http_program_is_short() {
    let source = include_str!("../examples/sessions_in_tiny_http.rs");
    assert!(source.lines().count() < 60);
    for module in ["waxseal::http", "waxseal::server"] {
        assert!(!source.contains(module), "{module}");
    }
}

#[test]
fn the_basket_keeps_numbers_a_choice_a_yes_and_a_text() {
    let example = Example::start("basket");
    let mut visitor = Visitor::of(&example);
    visitor.post("/add", "product=wax");
    visitor.post("/add", "product=wax");
    visitor.post("/add", "product=quill");
    visitor.post("/order", "delivery=pigeon&gift=on&note=By%20noon");

    let page = visitor.get("/");
    for part in [
        "2 × Sealing wax, 4.50",
        "1 × Goose quill, 6.20",
        "0 × Letter paper, 3.80",
        "<strong>15.20</strong>",
        "<option selected>pigeon</option>",
        "name=\"gift\" checked>",
        "value=\"By noon\"",
    ] {
        assert!(page.text().contains(part), "{part}: {page:?}");
    }
    assert!(Visitor::of(&example).get("/").text().contains("<strong>0.00</strong>"));

    let emptied = visitor.post("/empty", "");
    assert!(emptied.text().contains("<strong>0.00</strong>"), "{emptied:?}");
}

#[test]
fn the_basket_s_messages_are_shown_once() {
    let example = Example::start("basket");
    let mut visitor = Visitor::of(&example);
    let message = "<li>Sealing wax is in your basket.</li>";
    assert!(visitor.post("/add", "product=wax").text().contains(message));
    assert!(!visitor.get("/").text().contains(message));

    let two = visitor.post("/order", "delivery=coach&note=Knock");
    assert!(two.text().contains("<li>It will come by coach.</li>\n<li>We noted: Knock</li>"));
    assert!(!visitor.get("/").text().contains("role=\"status\""));
}

#[test]
fn what_visitors_write_into_the_basket_is_escaped() {
    let example = Example::start("basket");
    let mut visitor = Visitor::of(&example);
    let page =
        visitor.post("/order", "note=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E&delivery=%3Cb%3E");
    assert!(!page.text().contains("<script"), "{page:?}");
    assert!(page.text().contains("value=\"&quot;&gt;&lt;script&gt;"), "{page:?}");
    assert!(page.text().contains("We noted: &quot;&gt;&lt;script&gt;"), "{page:?}");
    assert!(page.text().contains("<option selected>coach</option>"), "{page:?}");
}

#[test]
fn the_longest_note_fits_into_the_basket() {
    let example = Example::start("basket");
    let note = "%F0%9F%A6%80".repeat(100);
    let page = Visitor::of(&example).post("/order", &format!("note={note}"));
    assert!(page.text().contains(&format!("value=\"{}\"", "🦀".repeat(80))), "{page:?}");
}

#[test]
fn the_basket_refuses_what_it_does_not_sell_and_what_another_site_sends() {
    let example = Example::start("basket");
    let mut visitor = Visitor::of(&example);
    assert_eq!(visitor.send(post("/add", "product=gold")).status, 404);
    let foreign = post("/add", "product=wax").with("Sec-Fetch-Site", "cross-site");
    assert_eq!(visitor.send(foreign).status, 403);
    assert!(visitor.jar.is_empty());
}

#[test]
fn the_basket_s_page_has_its_sheets() {
    let example = Example::start("basket");
    let mut visitor = Visitor::of(&example);
    for sheet in ["/public/style.css", "/basket.css"] {
        assert!(visitor.get("/").text().contains(&format!("href=\"{sheet}\"")), "{sheet}");
        let answer = visitor.get(sheet);
        assert_eq!(answer.header("Content-Type"), Some("text/css; charset=utf-8"), "{sheet}");
    }
}

#[test]
fn two_sessions_live_side_by_side() {
    let example = Example::start("two_sessions");
    let mut visitor = Visitor::of(&example);
    assert!(visitor.get("/").text().contains("<h1>Hello!</h1>"));
    assert!(visitor.jar.is_empty(), "nothing to remember yet");

    visitor.post("/language", "language=eo");
    let page = visitor.post("/enter", "name=%3Cb%3EZamenhof");
    assert!(page.text().contains("<h1>Saluton, &lt;b&gt;Zamenhof!</h1>"), "{page:?}");
    assert_eq!(visitor.jar.keys().collect::<Vec<_>>(), ["taste", "visit"]);

    let before = visitor.jar["visit"].clone();
    let page = visitor.post("/leave", "");
    assert!(page.text().contains("<h1>Saluton!</h1>"), "the language stays: {page:?}");
    assert_eq!(visitor.jar.keys().collect::<Vec<_>>(), ["taste"]);

    visitor.jar.insert("visit".to_owned(), before);
    assert!(visitor.get("/").text().contains("<h1>Saluton!</h1>"), "the copied cookie is dead");
}

#[test]
fn a_cookie_of_one_name_opens_under_no_other() {
    let example = Example::start("two_sessions");
    let mut visitor = Visitor::of(&example);
    visitor.post("/enter", "name=Ada");
    let visit = visitor.jar.remove("visit").expect("a visit");
    visitor.jar.insert("taste".to_owned(), visit);
    assert!(visitor.get("/").text().contains("<h1>Hello!</h1>"));
    assert_eq!(visitor.jar.keys().collect::<Vec<_>>(), ["taste"], "it may open elsewhere");
}

#[test]
fn each_session_has_a_lifetime_of_its_own() {
    let example = Example::start("two_sessions");
    let mut visitor = Visitor::of(&example);
    for (path, form, seconds) in
        [("/language", "language=eo", 365 * 24 * 60 * 60), ("/enter", "name=Ada", 30 * 60)]
    {
        let cookie = visitor.send(post(path, form)).set_cookie().expect("a cookie");
        assert_eq!(cookie.max_age(), seconds, "{cookie:?}");
    }
}

/// What the documentation of each example says to do before it runs.
#[test]
fn without_keys_an_example_says_which_is_missing() {
    for name in ["sessions_in_tiny_http", "basket", "two_sessions"] {
        let output = Command::new(example::example(name)).env_clear().output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success());
        assert!(stderr.contains("SESSION_AUTHENTICATION_KEY is not set"), "{name}: {stderr}");
    }
}
