//! A shopping basket: pages of one's own on Waxseal's server, values of several types in the
//! session, and messages that are shown once.
//!
//! ```console
//! $ env $(cargo run -q -- keygen) PORT=5000 cargo run --example basket
//! ```

use std::env;
use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::str::FromStr;

use html_escape::encode_safe;
use waxseal::http::{Error, Form, Request, Response, Route, Router, assets, refuse_cross_site};
use waxseal::seal::Keyring;
use waxseal::server::{Config, listen, serve};
use waxseal::session::{Flash, Level, Scheme, Session, Sessions};

/// What is sold: its name in the session, its name on the page, its price in cents.
const PRODUCTS: [(&str, &str, u32); 3] =
    [("wax", "Sealing wax", 450), ("quill", "Goose quill", 620), ("paper", "Letter paper", 380)];
/// Longest note, in characters: with the message that repeats it, it has to fit into a cookie.
const NOTE_LENGTH: usize = 80;
const FORM_LIMIT: usize = 4096;
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'";

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Static;

struct Shop {
    router: Router<Shop>,
    sessions: Sessions,
}

fn main() -> Result<(), Box<dyn StdError>> {
    // The same keys at every start, or everybody's basket is empty after a restart.
    let key = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let authentication = key("SESSION_AUTHENTICATION_KEY")?;
    let encryption = key("SESSION_ENCRYPTION_KEY")?;
    let keyring = Keyring::new(authentication.as_bytes(), encryption.as_bytes())?;
    let router = Router::new([
        Route::get("/", show),
        Route::post("/add", add),
        Route::post("/order", order),
        Route::post("/empty", empty),
        Route::get("/basket.css", style),
        Route::get("/public/*", file),
    ]);
    let shop = Shop { router, sessions: Sessions::sealed(keyring) };

    let port = env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let listener = listen(Some([127, 0, 0, 1].into()), port)?;
    println!("http://{}", listener.local_addr()?);
    Ok(serve(Config::new(listener), move |request| shop.answer(request))?)
}

impl Shop {
    fn answer(&self, request: &mut Request) -> Response {
        refuse_cross_site(request, None)
            .and_then(|()| self.router.dispatch(self, request))
            .unwrap_or_else(Response::from)
            .with_header("Content-Security-Policy", POLICY)
            .with_header("X-Content-Type-Options", "nosniff")
    }

    fn session(&self, request: &Request) -> Result<Session, Error> {
        let scheme = if request.is_https() { Scheme::Https } else { Scheme::Http };
        self.sessions.load(&request.cookies(), scheme).map_err(fault)
    }

    fn save(&self, session: &mut Session, response: Response) -> Result<Response, Error> {
        let cookie = self.sessions.save(session).map_err(fault)?;
        Ok(cookie.cookie().into_iter().fold(response, Response::with_cookie))
    }
}

/// The cause is for the log, the visitor sees a page.
fn fault(cause: impl Display) -> Error {
    eprintln!("{cause}");
    Error::Internal
}

// --- what visitors do ----------------------------------------------------------------------------

fn show(shop: &Shop, request: &mut Request) -> Result<Response, Error> {
    let mut session = shop.session(request)?;
    let flashes = session.take_flashes();
    let page = Response::html(200, page(&session, &flashes));
    shop.save(&mut session, page.with_header("Cache-Control", "no-store"))
}

fn add(shop: &Shop, request: &mut Request) -> Result<Response, Error> {
    let form = Form::read(request, FORM_LIMIT)?;
    let wanted = form.get("product").unwrap_or_default();
    let (product, name, _) =
        PRODUCTS.into_iter().find(|(product, ..)| *product == wanted).ok_or(Error::NotFound)?;
    let mut session = shop.session(request)?;
    session.insert(product, count(&session, product).saturating_add(1)).map_err(fault)?;
    session.flash(Level::Success, format!("{name} is in your basket.")).map_err(fault)?;
    back(shop, &mut session)
}

fn order(shop: &Shop, request: &mut Request) -> Result<Response, Error> {
    let form = Form::read(request, FORM_LIMIT)?;
    let note: String = form.get("note").unwrap_or_default().chars().take(NOTE_LENGTH).collect();
    let delivery: Delivery =
        form.get("delivery").and_then(|by| by.parse().ok()).unwrap_or_default();
    let mut session = shop.session(request)?;
    session.insert("note", &note).map_err(fault)?;
    session.insert("delivery", delivery).map_err(fault)?;
    session.insert("gift", form.get("gift").is_some()).map_err(fault)?;
    session.flash(Level::Info, format!("It will come by {delivery}.")).map_err(fault)?;
    if !note.is_empty() {
        session.flash(Level::Info, format!("We noted: {note}")).map_err(fault)?;
    }
    back(shop, &mut session)
}

fn empty(shop: &Shop, request: &mut Request) -> Result<Response, Error> {
    let mut session = shop.session(request)?;
    session.clear();
    session.flash(Level::Success, "Your basket is empty.").map_err(fault)?;
    back(shop, &mut session)
}

/// To the page, by GET: loading it again does nothing twice.
fn back(shop: &Shop, session: &mut Session) -> Result<Response, Error> {
    shop.save(session, Response::redirect(303, "/"))
}

fn style(_: &Shop, _: &mut Request) -> Result<Response, Error> {
    Ok(Response::new(200, "text/css; charset=utf-8", include_str!("basket.css").as_bytes()))
}

fn file(_: &Shop, request: &mut Request) -> Result<Response, Error> {
    let path = request.path().strip_prefix("/public/").ok_or(Error::NotFound)?;
    assets::serve(request, path, |name| {
        let file = Static::get(name)?;
        Some(assets::File::with_sha256(file.data, file.metadata.sha256_hash()))
    })
}

// --- what the session holds ----------------------------------------------------------------------

fn count(session: &Session, product: &str) -> u32 {
    session.get_as(product).unwrap_or(0)
}

/// A type of one's own is kept as its text, and read back from it.
#[derive(Clone, Copy, Default, PartialEq)]
enum Delivery {
    #[default]
    Coach,
    Pigeon,
}

impl Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Delivery::Coach => "coach",
            Delivery::Pigeon => "pigeon",
        })
    }
}

impl FromStr for Delivery {
    type Err = ();

    fn from_str(text: &str) -> Result<Delivery, ()> {
        match text {
            "coach" => Ok(Delivery::Coach),
            "pigeon" => Ok(Delivery::Pigeon),
            _ => Err(()),
        }
    }
}

// --- the page ------------------------------------------------------------------------------------

fn page(session: &Session, flashes: &[Flash]) -> String {
    let shelf: String = PRODUCTS.iter().map(|product| shelf_row(session, product)).collect();
    let cents: u64 = PRODUCTS
        .iter()
        .map(|(product, _, price)| u64::from(count(session, product)) * u64::from(*price))
        .sum();
    let delivery: Delivery = session.get_as("delivery").unwrap_or_default();
    let option = |by: Delivery| {
        format!("<option{}>{by}</option>", if by == delivery { " selected" } else { "" })
    };
    let gift = if session.get_as("gift") == Some(true) { " checked" } else { "" };
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Your basket</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/public/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/public/style.css">
<link rel="stylesheet" href="/basket.css">
</head>
<body>
<header>
<a class="brand" href="/"><img src="/public/icon.svg" alt="" width="80" height="80">Wax &amp; Paper</a>
</header>
<main>
<h1>Your basket</h1>
{messages}<form method="post" action="/add">
<ul class="shelf">
{shelf}</ul>
</form>
<p>Together: <strong>{total}</strong></p>
<form method="post" action="/order">
<label for="delivery">Delivered by</label>
<select id="delivery" name="delivery">{coach}{pigeon}</select>
<label for="note">Note</label>
<input id="note" name="note" maxlength="{NOTE_LENGTH}" autocomplete="off" value="{note}">
<label class="check"><input type="checkbox" name="gift"{gift}> Wrap it as a gift</label>
<button type="submit">Save</button>
</form>
<form method="post" action="/empty">
<button class="quiet" type="submit">Empty the basket</button>
</form>
</main>
</body>
</html>
"#,
        messages = messages(flashes),
        total = money(cents),
        coach = option(Delivery::Coach),
        pigeon = option(Delivery::Pigeon),
        note = encode_safe(session.get("note").unwrap_or_default()),
    )
}

fn shelf_row(session: &Session, (product, name, price): &(&str, &str, u32)) -> String {
    let count = count(session, product);
    let price = money((*price).into());
    format!(
        r#"<li><span>{count} × {name}, {price}</span>
<button name="product" value="{product}" aria-label="Add {name}">Add</button></li>
"#
    )
}

fn messages(flashes: &[Flash]) -> String {
    if flashes.is_empty() {
        return String::new();
    }
    let items: String =
        flashes.iter().map(|flash| format!("<li>{}</li>\n", encode_safe(&flash.text))).collect();
    format!("<div role=\"status\">\n<ul class=\"flashes\">\n{items}</ul>\n</div>\n")
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
