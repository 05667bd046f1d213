//! Pages on Waxseal's own server: people sign in, stay signed in if they wish, and read what is for members.
//!
//! ```console
//! $ env $(cargo run -q -- keygen) PORT=5000 cargo run --example members
//! ```

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use waxseal::http::{Error, Form, Request, Response, Route, Router, refuse_cross_site};
use waxseal::seal::{Fingerprint, Keyring};
use waxseal::server::{Config, listen, serve};
use waxseal::session::{Level, Session, SessionLifetime, Sessions};

const ARTICLES: [(&str, &str); 2] = [("wax", "Wax seals letters."), ("ink", "Ink dries slowly.")];

struct Club {
    sessions: Sessions,
    router: Router<Club>,
}

impl Club {
    fn new(keyring: Keyring) -> Club {
        let router = Router::new([
            Route::get("/", home),
            Route::post("/sign-in", sign_in),
            Route::post("/sign-out", sign_out),
            Route::get("/articles/:name", article),
        ]);
        Club { sessions: Sessions::sealed(keyring), router }
    }

    fn answer(&self, request: &mut Request) -> Response {
        refuse_cross_site(request, None)
            .and_then(|()| self.router.dispatch(self, request))
            .unwrap_or_else(Response::from)
            .with_header("Content-Security-Policy", "default-src 'none'; form-action 'self'")
    }

    /// The fingerprint of the only member. A real program passes the member's stored password hash.
    fn ada(&self) -> Fingerprint {
        self.sessions.fingerprint("ada", b"stored hash of ada's password")
    }

    /// Handles a visit; an error is a page too, so that flashes are on their way with it.
    fn visit(
        &self,
        request: &mut Request,
        handler: impl FnOnce(&mut Session, &mut Request) -> Result<Response, Error>,
    ) -> Result<Response, Error> {
        let handled = self.sessions.handle(&request.visit(), |session| {
            handler(session, request).unwrap_or_else(Response::from)
        });
        handled.map_err(|error| {
            eprintln!("{error}");
            Error::Unavailable
        })
    }
}

fn home(club: &Club, request: &mut Request) -> Result<Response, Error> {
    club.visit(request, |session, _| {
        let flashes = session.take_flashes();
        let flashes: String = flashes.iter().map(|flash| format!("<p>{}</p>", flash.text)).collect();
        let body = match session.confirm(&club.ada()) {
            true => "<form action=/sign-out method=post><button>Sign out</button></form>",
            false => {
                "<form action=/sign-in method=post><input name=password type=password>\
                 <label><input name=stay type=checkbox> Stay signed in</label><button>Sign in</button></form>"
            }
        };
        Ok(Response::html(200, flashes + body))
    })
}

fn sign_in(club: &Club, request: &mut Request) -> Result<Response, Error> {
    club.visit(request, |session, request| {
        let form = Form::read(request, 1024)?;
        if form.get("password") != Some("secret") {
            let _ = session.flash(Level::Error, "That was not right.");
            return Ok(Response::redirect(303, "/"));
        }
        session.sign_in(&club.ada());
        session.set_lifetime(match form.get("stay") {
            Some(_) => SessionLifetime::default(),
            None => SessionLifetime::default()
                .with_idle(Duration::from_secs(3600))
                .until_browser_closes(),
        });
        let _ = session.flash(Level::Success, "Welcome.");
        Ok(Response::redirect(303, "/"))
    })
}

fn sign_out(club: &Club, request: &mut Request) -> Result<Response, Error> {
    club.visit(request, |session, _| {
        session.destroy();
        Ok(Response::redirect(303, "/"))
    })
}

fn article(club: &Club, request: &mut Request) -> Result<Response, Error> {
    club.visit(request, |session, request| {
        if !session.confirm(&club.ada()) {
            return Err(Error::new(401, "This is for members."));
        }
        let name = request.param("name").unwrap_or_default();
        let (_, text) = ARTICLES.iter().find(|(found, _)| *found == name).ok_or(Error::NotFound)?;
        Ok(Response::text(200, *text).with_header("Cache-Control", "no-store"))
    })
}

fn main() -> Result<(), Box<dyn StdError>> {
    let key = |name: &str| env::var(name).map_err(|_| format!("{name} is not set"));
    let keyring = Keyring::new(
        key("SESSION_AUTHENTICATION_KEY")?.as_bytes(),
        key("SESSION_ENCRYPTION_KEY")?.as_bytes(),
    )?;
    let club = Club::new(keyring);
    let port = env::var("PORT").map_or(Ok(5000), |port| port.parse())?;
    let listener = listen(Some([127, 0, 0, 1].into()), port)?;
    println!("http://{}", listener.local_addr()?);
    Ok(serve(Config::new(listener), move |request| club.answer(request))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn club() -> Club {
        Club::new(Keyring::new(b"authentication", b"0123456789abcdef").unwrap())
    }

    /// The answer to a request with this cookie, and the cookie that it sets, whole.
    fn send(
        club: &Club,
        cookie: &str,
        path: &str,
        form: Option<&[(&str, &str)]>,
    ) -> (Response, String) {
        let request = Request::builder().target(path).header("Cookie", cookie);
        let request = match form {
            Some(form) => request.form(form.iter().copied()),
            None => request,
        };
        let response = club.answer(&mut request.build());
        let set = response.header("Set-Cookie").unwrap_or_default().to_owned();
        (response, set)
    }

    fn pair(set: &str) -> &str {
        set.split(';').next().unwrap()
    }

    #[test]
    fn members_read_what_is_for_them() {
        let club = club();
        assert_eq!(send(&club, "", "/articles/wax", None).0.status(), 401);
        let (response, set) = send(&club, "", "/sign-in", Some(&[("password", "secret")]));
        assert_eq!((response.status(), response.header("Location")), (303, Some("/")));
        assert!(!set.contains("Max-Age"), "it ends with the browser");
        let cookie = pair(&set);
        assert_eq!(send(&club, cookie, "/articles/wax", None).0.body(), b"Wax seals letters.");
        assert_eq!(send(&club, cookie, "/articles/sand", None).0.status(), 404);
        send(&club, cookie, "/sign-out", Some(&[]));
        assert_eq!(send(&club, cookie, "/articles/wax", None).0.status(), 401);
    }

    #[test]
    fn who_wishes_stays_signed_in() {
        let form = [("password", "secret"), ("stay", "on")];
        let (_, set) = send(&club(), "", "/sign-in", Some(&form));
        assert!(set.contains("Max-Age=604800"), "{set}");
    }

    #[test]
    fn a_wrong_password_is_told_once() {
        let club = club();
        let (_, set) = send(&club, "", "/sign-in", Some(&[("password", "guess")]));
        let (response, after) = send(&club, pair(&set), "/", None);
        assert!(String::from_utf8_lossy(response.body()).contains("That was not right."));
        let (response, _) = send(&club, pair(&after), "/", None);
        assert!(!String::from_utf8_lossy(response.body()).contains("That was not right."));
    }
}
