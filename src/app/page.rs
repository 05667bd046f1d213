//! What the pages that we write look like; `static/style.css` gives them their face.

use std::fmt::{Display, Write};
use std::time::SystemTime;

use html_escape::{encode_safe, encode_text};
use humantime::format_rfc3339_seconds;
use waxseal::http::{Error, Response};
use waxseal::seal::Id;
use waxseal::server::Rejection;
use waxseal::session::{Flash, Key, UserSession};

use super::{LOGIN_FILE, Static, users};

/// The places in the login page that we fill.
const NOTE: &str = "<!-- note -->";
const FIELD: &str = "name=\"username\"";

/// A whole page around `main`, which is HTML already.
fn frame(title: &str, main: impl Display) -> String {
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title} – Waxseal</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.ico" sizes="48x48">
<link rel="icon" href="/public/icon.svg" sizes="any" type="image/svg+xml">
<link rel="stylesheet" href="/public/style.css">
</head>
<body>
<header>
<a class="brand" href="/"><img src="/public/icon.svg" alt="" width="80" height="80">Waxseal</a>
</header>
<main>
{main}
</main>
</body>
</html>
"#
    )
}

/// The home page of somebody who is signed in, with their sessions, as far as they are known, of
/// which `own` is the id of this one.
pub(super) fn home(username: &str, flashes: &[Flash], sessions: &[UserSession], own: Id) -> String {
    let main = format_args!(
        r#"<h1>Hello {}</h1>
{}<form method="post" action="/logout">
<button class="quiet" type="submit">Logout</button>
</form>
<form method="post" action="/logout">
<input type="hidden" name="everywhere" value="1">
<button class="way" type="submit">Sign out everywhere</button>
</form>{}"#,
        encode_safe(username),
        flash_list(flashes),
        session_list(sessions, own)
    );
    frame("Home", main)
}

/// Each session with a button that ends it; but for this one, which has its own above.
fn session_list(sessions: &[UserSession], own: Id) -> String {
    if sessions.is_empty() {
        return String::new();
    }
    let own = Key::of(own);
    let items = sessions.iter().fold(String::new(), |mut items, session| {
        let (begun, seen) = (time(session.begun), time(session.last_seen));
        let end = match session.key == own {
            true => "<strong>This one</strong>".to_owned(),
            false => end_button(session),
        };
        // Writing to a String does not fail.
        let _ = writeln!(items, "<li><span>Begun {begun}<br>Last seen {seen}</span>\n{end}</li>");
        items
    });
    format!("\n<h2 id=\"sessions\">Your sessions</h2>\n<ul class=\"sessions\">\n{items}</ul>")
}

fn end_button(session: &UserSession) -> String {
    format!(
        "<form method=\"post\" action=\"/logout\">\n\
         <input type=\"hidden\" name=\"session\" value=\"{}\">\n\
         <button class=\"quiet\" type=\"submit\" aria-label=\"End the session begun {}\">End</button>\n\
         </form>",
        session.key,
        minute(session.begun)
    )
}

fn time(time: SystemTime) -> String {
    format!("<time datetime=\"{}\">{}</time>", format_rfc3339_seconds(time), minute(time))
}

/// In UTC: without a script, nobody knows the visitor's own time.
fn minute(time: SystemTime) -> String {
    let text = format_rfc3339_seconds(time).to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date}, {} UTC", &time[..time.len().min(5)])
}

/// `role="status"` stands on an element around the list, whose own role it would take away.
fn flash_list(flashes: &[Flash]) -> String {
    if flashes.is_empty() {
        return String::new();
    }
    let items = flashes.iter().fold(String::new(), |mut items, flash| {
        // Writing to a String does not fail.
        let _ = writeln!(items, "<li>{}</li>", encode_safe(&flash.text));
        items
    });
    format!("<div role=\"status\">\n<ul class=\"flashes\">\n{items}</ul>\n</div>\n")
}

/// The login page: `static/login.html`, with the name that was typed before, and in the
/// demonstration with a note that it is one.
pub(super) fn login(is_demo: bool, typed: &str) -> Result<String, Error> {
    let page = Static::get(LOGIN_FILE).ok_or(Error::NotFound)?;
    let page = String::from_utf8_lossy(&page.data);
    let note = if is_demo { demonstration() } else { String::new() };
    let value = match typed {
        "" => String::new(),
        name => format!(" value=\"{}\"", encode_safe(name)),
    };
    Ok(page.replace(NOTE, &note).replace(FIELD, &format!("{FIELD}{value}")))
}

fn demonstration() -> String {
    let (name, password) = users::DEMO;
    format!(
        "<p id=\"demonstration\" class=\"note\">This is a demonstration. Sign in as \
         <strong>{name}</strong> with the password <strong>{password}</strong>.</p>"
    )
}

/// The page that asks whether to sign out.
pub(super) fn sign_out() -> String {
    let main = r#"<h1>Sign out?</h1>
<p>This ends your session in this browser.</p>
<form method="post" action="/logout">
<button type="submit">Sign out</button>
</form>
<a class="way" href="/">Stay signed in</a>"#;
    frame("Sign out", main)
}

/// The page of somebody whose sign-out other processes do not know yet.
pub(super) fn signed_out_here() -> String {
    let main = r#"<h1>Signed out</h1>
<p>You are signed out. In other places it may take a while until your old session ends: this will happen
by itself.</p>
<a class="way" href="/">Back to the home page</a>"#;
    frame("Signed out", main)
}

/// The page for an error.
pub(super) fn error(error: &Error) -> Response {
    error.with_headers(refusal(error.status(), error))
}

/// The page of a request that reached no page, or whose page failed.
pub(super) fn rejection(rejection: Rejection) -> Response {
    refusal(rejection.status(), &rejection)
}

fn refusal(status: u16, why: &dyn Display) -> Response {
    let heading = match status {
        403 => "Not allowed",
        404 => "Not found",
        405 | 501 | 505 => "Not possible here",
        408 | 504 => "Too slow",
        413 | 414 | 431 => "Too large",
        429 => "Too many tries",
        503 => "Back in a moment",
        500.. => "Something went wrong",
        _ => "Not understood",
    };
    let main = format!(
        r#"<h1>{heading}</h1>
<p>{}</p>
<a class="way" href="/">Back to the home page</a>"#,
        encode_text(&why.to_string())
    );
    Response::html(status, frame(heading, main)).with_header("Cache-Control", "no-store")
}

#[cfg(test)]
mod tests {
    use waxseal::seal::Keyring;
    use waxseal::session::{Level, MemoryStore, Scheme, Sessions};

    use super::*;

    fn home_of(username: &str, flashes: &[&str]) -> String {
        let keyring = Keyring::new(b"authentication", b"0123456789abcdef").unwrap();
        let mut session = Sessions::sealed(keyring).load("", Scheme::Http).unwrap();
        flashes.iter().for_each(|text| session.flash(Level::Info, *text).unwrap());
        let flashes = session.take_flashes();
        home(username, &flashes, &[], Id([0; 16]))
    }

    #[test]
    fn names_and_flashes_are_escaped() {
        let page = home_of("<script>alert('x')</script>", &["a & \"b\""]);
        assert!(page.contains("Hello &lt;script&gt;alert(&#x27;x&#x27;)&lt;&#x2F;script&gt;"));
        assert!(page.contains("<li>a &amp; &quot;b&quot;</li>"));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn an_error_of_one_s_own_has_a_page() {
        let page = error(&Error::new(409, "Nobody is <b> here & now."));
        let text = String::from_utf8(page.body().to_vec()).unwrap();
        assert_eq!(page.status(), 409);
        assert!(text.contains("<p>Nobody is &lt;b&gt; here &amp; now.</p>"), "{text}");
    }

    #[test]
    fn the_login_page_keeps_the_name_and_tells_of_the_demonstration() {
        let file = String::from_utf8(Static::get(LOGIN_FILE).unwrap().data.into_owned()).unwrap();
        for place in [NOTE, FIELD] {
            assert_eq!(file.matches(place).count(), 1, "{place}");
        }
        assert_eq!(login(false, ""), Ok(file.replace(NOTE, "")));
        let page = login(true, "\"><b>'&").unwrap();
        assert!(page.contains(r#"name="username" value="&quot;&gt;&lt;b&gt;&#x27;&amp;" type="#));
        assert!(page.contains("<strong>foo</strong>") && page.contains("<strong>secret</strong>"));
        assert!(!login(false, "foo").unwrap().contains("demonstration"));
    }

    #[test]
    fn each_session_but_this_one_has_a_button_that_ends_it() {
        let sessions = Sessions::stored(
            Keyring::new(b"authentication", b"0123456789abcdef").unwrap(),
            MemoryStore::default(),
        );
        let begun = [(); 3].map(|()| {
            let mut session = sessions.load("", Scheme::Http).unwrap();
            session.sign_in(&sessions.fingerprint("foo", b"hash"));
            let _ = sessions.save(&mut session).unwrap();
            session.id()
        });
        let all = sessions.of_user("foo").unwrap().unwrap();
        let page = home("foo", &[], &all, begun[1]);
        for session in &all {
            let is_own = session.key == Key::of(begun[1]);
            assert_eq!(page.contains(&format!("value=\"{}\"", session.key)), !is_own);
        }
        assert_eq!(page.matches("<strong>This one</strong>").count(), 1);
        let begun = format_rfc3339_seconds(all[0].begun).to_string();
        assert!(page.contains(&format!("<time datetime=\"{begun}\">{}, ", &begun[..10])), "{page}");
    }

    #[test]
    fn flashes_stand_in_their_order_and_not_at_all_where_there_are_none() {
        let two = home_of("foo", &["first", "second"]);
        assert!(two.contains("<li>first</li>\n<li>second</li>"));
        assert!(!home_of("foo", &[]).contains("role=\"status\""));
    }
}
