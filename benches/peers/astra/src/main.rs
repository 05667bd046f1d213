//! astra, the other synchronous server: hyper on its own small reactor, a pool of threads that grows
//! with what is asked at once. It has no sessions: the name is in a private cookie.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::io::Read;

use astra::{Body, Request, Response, ResponseBuilder, Server};
use cookie::{Cookie, CookieJar, Key};

const COOKIE: &str = "astra";
const LOGIN_PAGE: &str = "/public/login.html";

struct App {
    key: Key,
    home: String,
    login: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let app = App {
        key: Key::generate(),
        home: fs::read_to_string("benches/peers/home.html")?,
        login: fs::read_to_string("static/login.html")?,
    };
    let server = Server::bind("127.0.0.1:0");
    println!("port {}", server.local_addr()?.port());
    server.serve(move |mut request: Request, _| app.answer(&mut request))?;
    Ok(())
}

impl App {
    fn answer(&self, request: &mut Request) -> Response {
        match (request.method().as_str(), request.uri().path()) {
            ("GET", "/") => self.home(request),
            ("GET", "/fill") => self.fill(request),
            ("GET", LOGIN_PAGE) => html(self.login.clone()),
            ("POST", "/login") => self.login(request),
            _ => respond(404, None, Body::empty()),
        }
    }

    fn home(&self, request: &Request) -> Response {
        match self.session(request) {
            Some(session) => {
                let name = session.lines().next().unwrap_or_default();
                html(self.home.replace("{name}", &html_escape::encode_safe(name)))
            }
            None => see_other(LOGIN_PAGE, None),
        }
    }

    fn session(&self, request: &Request) -> Option<String> {
        let cookies = request.headers().get("cookie")?.to_str().ok()?;
        let sealed = Cookie::split_parse(cookies).flatten().find(|it| it.name() == COOKIE)?;
        let mut jar = CookieJar::new();
        jar.add_original(sealed.into_owned());
        Some(jar.private(&self.key).get(COOKIE)?.value().to_owned())
    }

    fn login(&self, request: &mut Request) -> Response {
        let mut body = Vec::new();
        let read = request.body_mut().reader().read_to_end(&mut body);
        let given: Vec<_> = form_urlencoded::parse(&body).collect();
        let field = |name| given.iter().find(|(key, _)| key == name).map(|(_, value)| &**value);
        match (read, field("username"), field("password")) {
            (Ok(_), Some("foo"), Some("secret")) => self.keep(""),
            _ => see_other("/public/login.html#failed", None),
        }
    }

    /// Keeps so many bytes in the session.
    fn fill(&self, request: &Request) -> Response {
        let query = request.uri().query().unwrap_or_default();
        let size = query.strip_prefix("size=").and_then(|size| size.parse().ok());
        self.keep(&"v".repeat(size.unwrap_or(0)))
    }

    /// A private cookie holds one string: the name, and a value on a line of its own.
    fn keep(&self, value: &str) -> Response {
        let mut jar = CookieJar::new();
        let cookie = Cookie::build((COOKIE, format!("foo\n{value}"))).path("/").http_only(true);
        jar.private_mut(&self.key).add(cookie);
        see_other("/", jar.get(COOKIE).map(|cookie| cookie.to_string()))
    }
}

fn html(page: String) -> Response {
    respond(200, Some(("content-type", "text/html; charset=utf-8")), Body::new(page))
}

fn see_other(location: &str, cookie: Option<String>) -> Response {
    let mut response = respond(303, Some(("location", location)), Body::empty());
    if let Some(value) = cookie.and_then(|cookie| cookie.parse().ok()) {
        response.headers_mut().insert("set-cookie", value);
    }
    response
}

fn respond(status: u16, header: Option<(&str, &str)>, body: Body) -> Response {
    let mut builder = ResponseBuilder::new().status(status);
    if let Some((name, value)) = header {
        builder = builder.header(name, value);
    }
    builder.body(body).expect("status and header are valid")
}
