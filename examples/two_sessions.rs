//! Two named sessions in one site: the language, which a browser keeps for a year, and the name of
//! who came in, which is forgotten after half an hour and at leaving.
//!
//! ```console
//! $ env $(cargo run -q -- keygen) PORT=5000 cargo run --example two_sessions
//! ```

use std::env;
use std::error::Error as StdError;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use html_escape::encode_safe;
use waxseal::http::{Error, Form, Request, Response, Route, Router, refuse_cross_site};
use waxseal::seal::{Keyring, Lifetimes};
use waxseal::server::{Config, listen, serve};
use waxseal::session::{Scheme, Session, Sessions, Settings};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const FORM_LIMIT: usize = 1024;

struct Site {
    router: Router<Site>,
    taste: Sessions,
    visit: Sessions,
}

fn main() -> Result<(), Box<dyn StdError>> {
    let key = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let authentication = key("SESSION_AUTHENTICATION_KEY")?;
    let encryption = key("SESSION_ENCRYPTION_KEY")?;
    // One keyring for both: what was sealed under one name opens under no other.
    let keyring = Arc::new(Keyring::new(authentication.as_bytes(), encryption.as_bytes())?);
    let named = |name: &str, idle, absolute| {
        let lifetimes = Lifetimes { idle, absolute };
        let settings = Settings::default().with_name(name).with_lifetimes(lifetimes);
        Sessions::sealed(Arc::clone(&keyring)).with_settings(settings)
    };
    let site = Site {
        router: Router::new([
            Route::get("/", show),
            Route::post("/language", choose_language),
            Route::post("/enter", enter),
            Route::post("/leave", leave),
        ]),
        taste: named("taste", 365 * DAY, 365 * DAY)?,
        visit: named("visit", 30 * MINUTE, DAY)?,
    };

    let port = env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let listener = listen(Some([127, 0, 0, 1].into()), port)?;
    println!("http://{}", listener.local_addr()?);
    Ok(serve(Config::new(listener), move |request| answer(&site, request))?)
}

fn answer(site: &Site, request: &mut Request) -> Response {
    refuse_cross_site(request, None)
        .and_then(|()| site.router.dispatch(site, request))
        .unwrap_or_else(Response::from)
        .with_header("Content-Security-Policy", "default-src 'none'; form-action 'self'")
}

fn show(site: &Site, request: &mut Request) -> Result<Response, Error> {
    let (mut taste, mut visit) = (load(&site.taste, request)?, load(&site.visit, request)?);
    let page = Response::html(200, page(taste.get("language"), visit.get("name")));
    let page = page.with_header("Cache-Control", "no-store");
    // Both, since each visit prolongs both.
    save(&site.visit, &mut visit, save(&site.taste, &mut taste, page)?)
}

fn choose_language(site: &Site, request: &mut Request) -> Result<Response, Error> {
    let language = Form::read(request, FORM_LIMIT)?.get("language").unwrap_or("en").to_owned();
    let mut taste = load(&site.taste, request)?;
    taste.insert("language", language).map_err(fault)?;
    save(&site.taste, &mut taste, Response::redirect(303, "/"))
}

fn enter(site: &Site, request: &mut Request) -> Result<Response, Error> {
    let name = Form::read(request, FORM_LIMIT)?
        .get("name")
        .unwrap_or_default()
        .chars()
        .take(80)
        .collect::<String>();
    let mut visit = load(&site.visit, request)?;
    visit.renew();
    visit.insert("name", name).map_err(fault)?;
    save(&site.visit, &mut visit, Response::redirect(303, "/"))
}

/// Ends the visit; the language stays.
fn leave(site: &Site, request: &mut Request) -> Result<Response, Error> {
    let mut visit = load(&site.visit, request)?;
    visit.destroy();
    save(&site.visit, &mut visit, Response::redirect(303, "/"))
}

fn load(sessions: &Sessions, request: &Request) -> Result<Session, Error> {
    let scheme = if request.is_https() { Scheme::Https } else { Scheme::Http };
    sessions.load(&request.cookies(), scheme).map_err(fault)
}

fn save(sessions: &Sessions, session: &mut Session, response: Response) -> Result<Response, Error> {
    let cookie = sessions.save(session).map_err(fault)?;
    Ok(cookie.cookie().into_iter().fold(response, Response::with_cookie))
}

/// The cause is for the log, the visitor sees a page.
fn fault(cause: impl Display) -> Error {
    eprintln!("{cause}");
    Error::Internal
}

fn page(language: Option<&str>, name: Option<&str>) -> String {
    let (language, greeting) = match language {
        Some("eo") => ("eo", "Saluton"),
        _ => ("en", "Hello"),
    };
    let visit = match name {
        Some(name) => format!(
            r#"<h1>{greeting}, {}!</h1>
<form method="post" action="/leave"><button>Leave</button></form>"#,
            encode_safe(name)
        ),
        None => format!(
            r#"<h1>{greeting}!</h1>
<form method="post" action="/enter"><label>Name <input name="name" required></label><button>Enter</button></form>"#
        ),
    };
    format!(
        r#"<!DOCTYPE html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Two sessions</title>
<main>
{visit}
<form method="post" action="/language">
<button name="language" value="en">English</button> <button name="language" value="eo">Esperanto</button>
</form>
</main>
</html>
"#
    )
}
