//! What both servers have in common: a home page like the product's, the same work with sessions
//! behind it, and a way to sign in.

#![forbid(unsafe_code)]

use std::error::Error;

use waxseal::http::{Method, Request, Response};
use waxseal::seal::Keyring;
use waxseal::session::{Flash, Scheme, Sessions};

const NAME: &str = "name";
/// Keeps so many bytes in the session.
const FILL: &str = "/fill?size=";

/// The pages, with sessions sealed under keys that are nobody's.
pub struct App {
    sessions: Sessions,
}

impl App {
    pub fn new() -> Result<App, Box<dyn Error>> {
        let keyring = Keyring::new(b"an authentication key", b"0123456789abcdef0123456789abcdef")?;
        Ok(App { sessions: Sessions::sealed(keyring) })
    }

    /// The answer to `request`: the session is loaded and saved for each.
    pub fn answer(&self, request: &mut Request) -> Response {
        self.page(request)
            .unwrap_or_else(|error| Response::text(500, error.to_string()))
            .with_header("Content-Security-Policy", "default-src 'none'; style-src 'self'")
            .with_header("X-Content-Type-Options", "nosniff")
            .with_header("Referrer-Policy", "same-origin")
    }

    fn page(&self, request: &mut Request) -> Result<Response, Box<dyn Error>> {
        let mut session = self.sessions.load(&request.cookies(), Scheme::Http)?;
        let signs_in = request.method() == Method::Post;
        if signs_in {
            session.renew();
            session.insert(NAME, "foo")?;
        }
        let size = request.target().strip_prefix(FILL);
        if let Some(size) = size {
            session.insert("values", "v".repeat(size.parse()?))?;
        }
        let response = match session.get(NAME).map(str::to_owned) {
            _ if signs_in || size.is_some() => Response::redirect(303, "/"),
            Some(username) => Response::html(200, home(&username, session.take_flashes())),
            None => Response::redirect(303, "/login"),
        };
        let response =
            response.with_header("Vary", "Cookie").with_header("Cache-Control", "no-store");
        Ok(match self.sessions.save(&mut session)?.cookie() {
            Some(cookie) => response.with_cookie(cookie),
            None => response,
        })
    }
}

fn home(username: &str, flashes: Vec<Flash>) -> String {
    let username = html_escape::encode_safe(username);
    let flashes: Vec<String> = flashes.into_iter().map(|flash| flash.text).collect();
    let flashes = flashes.join("</li><li>");
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Home</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.ico" sizes="48x48">
<link rel="icon" href="/public/icon.svg" sizes="any" type="image/svg+xml">
<link rel="stylesheet" href="/public/style.css">
</head>
<body>
<header>
<a class="brand" href="/"><img src="/public/icon.svg" alt="" width="80" height="80">Home</a>
</header>
<main>
<h1>Hello {username}</h1>
<ul><li>{flashes}</li></ul>
<form method="post" action="/logout">
<button class="quiet" type="submit">Logout</button>
</form>
</main>
</body>
</html>
"#
    )
}

/// A number from the environment.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
