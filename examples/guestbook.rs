//! A guestbook on plain tiny_http: people say who they are, and leave a line.
//!
//! ```console
//! $ env $(cargo run -q -- keygen) PORT=5000 cargo run --example guestbook
//! ```

use std::env;
use std::error::Error;
use std::io::Read;
use std::net::IpAddr;
use std::sync::Mutex;

use html_escape::encode_safe;
use tiny_http::{Header, Request, Response, Server};
use waxseal::seal::Keyring;
use waxseal::session::{FlashTooLong, Level, Reply, Session, Sessions};
use waxseal::visitor::{TrustedProxies, Visitor, is_cross_site};

/// The longest name, entry and form, in bytes.
const LONGEST: usize = 500;

type Headers = Vec<(String, String)>;

struct Guestbook {
    sessions: Sessions,
    entries: Mutex<Vec<(String, String)>>,
}

/// An answer, of whatever server.
struct Page {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply for Page {
    fn status(&self) -> u16 {
        self.status
    }

    fn add_header(&mut self, name: &'static str, value: String) {
        self.headers.push((name, value));
    }
}

fn page(status: u16, body: impl Into<String>) -> Page {
    let headers = vec![("Content-Type", "text/html; charset=utf-8".to_owned())];
    Page { status, headers, body: body.into() }
}

/// To the page, by GET: loading it again does nothing twice.
fn back() -> Page {
    Page { status: 303, headers: vec![("Location", "/".to_owned())], body: String::new() }
}

impl Guestbook {
    /// The answer to a request, of whatever server.
    fn answer(
        &self,
        method: &str,
        path: &str,
        headers: &Headers,
        peer: IpAddr,
        form: &str,
    ) -> Page {
        if is_cross_site(method, headers, None) {
            return page(403, "Another site sent this form.");
        }
        let visit = Visitor::new(headers, peer, &TrustedProxies::NONE).visit();
        let handled = self.sessions.handle(&visit, |session| {
            self.page(method, path, form, session)
                .unwrap_or_else(|error| page(500, error.to_string()))
        });
        handled.unwrap_or_else(|error| page(503, error.to_string()))
    }

    fn page(
        &self,
        method: &str,
        path: &str,
        form: &str,
        session: &mut Session,
    ) -> Result<Page, FlashTooLong> {
        let field = |name: &str| {
            let mut fields = form_urlencoded::parse(form.as_bytes());
            let value =
                fields.find(|(found, _)| found == name).map(|(_, value)| value.into_owned());
            value.filter(|value| !value.is_empty() && value.len() <= LONGEST)
        };
        match (method, path) {
            ("GET", "/") => return Ok(page(200, self.list(session))),
            ("POST", "/name") => match field("name") {
                Some(name) => {
                    session.renew();
                    // It fails for reserved names alone.
                    session.insert("name", name).unwrap_or_default();
                }
                None => session.flash(Level::Error, "That is no name.")?,
            },
            ("POST", "/entries") => match (session.get("name"), field("entry")) {
                (Some(name), Some(entry)) => {
                    self.entries
                        .lock()
                        .unwrap_or_else(|e| e.into_inner())
                        .push((name.to_owned(), entry));
                    session.flash(Level::Success, "Thank you.")?;
                }
                _ => session.flash(Level::Error, "Say who you are, and something.")?,
            },
            ("POST", "/leave") => session.destroy(),
            _ => return Ok(page(404, "There is no such page.")),
        }
        Ok(back())
    }

    fn list(&self, session: &mut Session) -> String {
        let flashes = session.take_flashes();
        let flashes = flashes.iter().map(|flash| format!("<p>{}</p>", encode_safe(&flash.text)));
        let form = match session.get("name") {
            Some(name) => format!(
                "<p>Hello {}</p><form action=/entries method=post><input name=entry><button>Write</button></form>\
                 <form action=/leave method=post><button>Leave</button></form>",
                encode_safe(name)
            ),
            None => "<form action=/name method=post>I am <input name=name><button>Come in</button></form>".to_owned(),
        };
        let entries = self.entries.lock().unwrap_or_else(|e| e.into_inner());
        let entries = entries
            .iter()
            .map(|(name, entry)| format!("<p>{}: {}</p>", encode_safe(name), encode_safe(entry)));
        format!("{}{form}{}", flashes.collect::<String>(), entries.collect::<String>())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The same keys at every start, or nobody's session outlives a restart.
    let key = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let authentication = key("SESSION_AUTHENTICATION_KEY")?;
    let encryption = key("SESSION_ENCRYPTION_KEY")?;
    let keyring = Keyring::new(authentication.as_bytes(), encryption.as_bytes())?;
    let book = Guestbook { sessions: Sessions::sealed(keyring), entries: Mutex::default() };

    let port = env::var("PORT").unwrap_or_else(|_| "5000".to_owned());
    let server = Server::http(format!("127.0.0.1:{port}")).map_err(|error| error.to_string())?;
    println!("http://{}", server.server_addr());
    for request in server.incoming_requests() {
        if let Err(error) = serve(&book, request) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

/// The few lines that know tiny_http.
fn serve(book: &Guestbook, mut request: Request) -> Result<(), Box<dyn Error>> {
    let mut form = String::new();
    request.as_reader().take(4 * LONGEST as u64).read_to_string(&mut form)?;
    let field = |header: &Header| (header.field.to_string(), header.value.to_string());
    let headers = request.headers().iter().map(field).collect();
    let peer = request.remote_addr().ok_or("a Unix socket has no address")?.ip();
    let page = book.answer(request.method().as_str(), request.url(), &headers, peer, &form);
    let mut response = Response::from_string(page.body).with_status_code(page.status);
    for (name, value) in page.headers {
        response.add_header(Header::from_bytes(name, value).map_err(|()| "not a header")?);
    }
    Ok(request.respond(response)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Browser {
        book: Guestbook,
        cookie: String,
    }

    impl Browser {
        fn new() -> Browser {
            let keyring = Keyring::new(b"authentication", b"0123456789abcdef").unwrap();
            let book = Guestbook { sessions: Sessions::sealed(keyring), entries: Mutex::default() };
            Browser { book, cookie: String::new() }
        }

        fn send(&mut self, method: &str, path: &str, form: &str) -> Page {
            let headers = vec![("Cookie".to_owned(), self.cookie.clone())];
            let page = self.book.answer(method, path, &headers, [127, 0, 0, 1].into(), form);
            if let Some((_, set)) = page.headers.iter().find(|(name, _)| *name == "Set-Cookie") {
                self.cookie = set.split(';').next().unwrap().to_owned();
            }
            page
        }
    }

    #[test]
    fn people_come_in_write_and_leave() {
        let mut browser = Browser::new();
        assert!(browser.send("GET", "/", "").body.contains("I am"));
        assert_eq!(browser.send("POST", "/entries", "entry=too+early").status, 303);
        assert!(browser.send("GET", "/", "").body.contains("Say who you are"));
        browser.send("POST", "/name", "name=%3CAda%3E");
        browser.send("POST", "/entries", "entry=Hello+%26+thanks");
        let body = browser.send("GET", "/", "").body;
        assert!(body.contains("<p>Thank you.</p>"));
        assert!(body.contains("<p>&lt;Ada&gt;: Hello &amp; thanks</p>"));
        assert!(!browser.send("GET", "/", "").body.contains("Thank you"));
        let before = browser.cookie.clone();
        browser.send("POST", "/leave", "");
        browser.cookie = before;
        assert!(browser.send("GET", "/", "").body.contains("I am"), "a copied cookie is dead");
    }

    #[test]
    fn a_form_of_another_site_is_refused() {
        let book = Browser::new().book;
        let headers = vec![("Sec-Fetch-Site".to_owned(), "cross-site".to_owned())];
        assert_eq!(book.answer("POST", "/leave", &headers, [127, 0, 0, 1].into(), "").status, 403);
    }
}
