//! The pages: what they share, and the one table of routes.

mod address_range;
mod browser;
mod hashing;
mod health;
mod home;
mod login;
mod logout;
mod metrics;
mod page;
pub mod password_hash;
mod refusals;
mod site;
mod throttle;
pub mod user_list;
mod users;
mod users_file;

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{Level, debug, error, info, log, warn};
use waxseal::http::{Error, Method, Request, Response, Route, Router, assets};
use waxseal::seal::Keyring;
use waxseal::server::{RejectionPages, SlowWork};
use waxseal::session::{
    Cookie, Health, Revocations, SaveError, Scheme, Session, Sessions, Settings, Store, StoreError,
    UserSession,
};

use hashing::Hashing;
use refusals::Refusals;
pub use site::Site;
use throttle::Throttle;
pub use users::Users;
pub use users_file::{UsersFile, UsersFileError};

use crate::logfmt::ACCOUNTS;

pub use metrics::Metrics;

/// Largest form that any route takes, in bytes.
const FORM_LIMIT: usize = 8 * 1024;
/// The page with the form for signing in, among the files.
const LOGIN_FILE: &str = "login.html";
/// Its address.
const LOGIN_PAGE: &str = "/public/login.html";
/// What is served without TLS even where HTTPS is a must: a probe comes from inside.
const HEALTH: &str = "/healthz";
/// What the operator is shown, and nobody else.
const METRICS: &str = "/metrics";

/// Every page is plain HTML with one stylesheet: nothing else may load, and nobody may frame it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A year, this host alone.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

/// The table of routes.
fn routes() -> Router<App> {
    Router::new([
        Route::get("/", home::show),
        Route::get("/login", login::redirect),
        Route::post("/login", login::sign_in),
        Route::get("/logout", logout::ask_or_sign_out),
        Route::post("/logout", logout::sign_out),
        Route::get("/public/*", public),
        Route::get("/favicon.ico", |_, request| file(request, "favicon.ico")),
        Route::get(HEALTH, health::show),
        Route::get(METRICS, metrics::show),
    ])
}

/// Read from disk, so that a change shows at once.
#[cfg(debug_assertions)]
#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Static;

// The same folder, embedded, and with gzipped twins.
#[cfg(not(debug_assertions))]
include!(concat!(env!("OUT_DIR"), "/static.rs"));

/// The place where sessions are, with what the operator calls its store.
pub enum Place {
    /// In their cookies.
    Cookie,
    /// In their cookies, with sign-outs that processes share through a store.
    SharingCookie(&'static str, Arc<dyn Revocations>),
    /// In a store.
    Store(&'static str, Arc<dyn Store>),
}

/// The longest that a start waits for the sign-outs of other processes.
const LEARNING: Duration = Duration::from_secs(10);

/// What all pages share.
pub struct App {
    routes: Router<App>,
    sessions: Sessions,
    /// What browsers are remembered for while nobody is signed in.
    browsers: Sessions,
    users: Arc<Users>,
    throttle: Throttle,
    hashing: Hashing,
    refusals: Refusals,
    site: Site,
    metrics: Option<Metrics>,
    /// The operator's name for the store; empty where there is none.
    store: &'static str,
}

impl App {
    pub fn new(
        keyring: Arc<Keyring>,
        settings: Settings,
        place: Place,
        users: Arc<Users>,
        slow_work: SlowWork,
        site: Site,
        metrics: Option<Metrics>,
    ) -> Result<App, Box<dyn StdError>> {
        let settings = settings.with_shared_users(users.is_demo());
        let refusals = Refusals::default();
        refusals.start()?;
        let browsers =
            Sessions::sealed(Arc::clone(&keyring)).with_settings(browser::settings(&settings))?;
        let (store, sessions) = match place {
            Place::Cookie => ("", Sessions::sealed(keyring)),
            Place::SharingCookie(name, revocations) => {
                (name, Sessions::sealed(keyring).with_revocations(revocations)?)
            }
            Place::Store(name, store) => (name, Sessions::stored(keyring, store)),
        };
        Ok(App {
            routes: routes(),
            browsers,
            sessions: sessions.with_settings(settings)?,
            users,
            throttle: Throttle::new(),
            hashing: Hashing::new(slow_work),
            refusals,
            site,
            metrics,
            store,
        })
    }

    /// Learns which sessions other processes have ended, before the first request; the log says where
    /// sessions are.
    pub fn prepare(&self) {
        let store = self.store;
        match self.sessions.revocation_status() {
            None => info!(store; "sessions are in a store"),
            Some(_) if store.is_empty() => {}
            Some(_) if self.sessions.wait_until_learnt(LEARNING) => {
                info!(store; "sessions are in their cookies, and sign-outs are shared");
            }
            Some(_) => warn!(
                store; "the sign-outs of other processes are not known yet; until they are, {}",
                match self.sessions.health() {
                    Health::Up => "sessions that were signed out may open",
                    _ => "no session is opened",
                }
            ),
        }
    }

    /// The pages of what the server answers by itself. It cannot tell how a visitor came who sent nothing valid:
    /// they name HTTPS where it is a must.
    pub fn rejection_pages(&self) -> RejectionPages {
        RejectionPages::new(|rejection| {
            with_security_headers(page::rejection(rejection), self.site.https_only)
        })
    }

    /// The answer to `request`.
    pub fn answer(&self, request: &mut Request) -> Response {
        let began = Instant::now();
        let response = self.route(request).unwrap_or_else(|error| page::error(&error));
        debug!(
            method:% = request.method(), path = request.path(), status = response.status(),
            micros = began.elapsed().as_micros(), request_id = request.id();
            "request"
        );
        with_security_headers(response, request.is_https())
    }

    fn route(&self, request: &mut Request) -> Result<Response, Error> {
        let is_metrics = request.path() == METRICS;
        let shows_metrics = is_metrics && metrics::is_shown(self, request);
        // A proxy's plain check asks for the options, and gets no page.
        let is_probe = request.path() == HEALTH || request.method() == Method::Options;
        let from_inside = shows_metrics || is_probe;
        if self.site.https_only && !request.is_https() && !from_inside {
            return self.site.to_https(request);
        }
        if is_metrics && !shows_metrics {
            return Err(Error::NotFound);
        }
        self.site.refuse_cross_site(request)?;
        self.routes.dispatch(self, request)
    }

    /// The visitor's session. It has a user only where that user may sign in today, with the same
    /// password.
    fn session(&self, request: &Request) -> Result<Session, Error> {
        let mut session = self.load(&self.sessions, request)?;
        let Some(username) = session.user() else { return Ok(session) };
        let fingerprint = self.users.fingerprint(username);
        if !fingerprint.is_some_and(|fingerprint| session.confirm(&fingerprint)) {
            let (username, address) = (session.user().unwrap_or_default(), request.address());
            let request_id = request.id();
            info!(target: ACCOUNTS, username, address:%, request_id; "session ended: no such user, or another password");
            session.destroy();
        }
        Ok(session)
    }

    /// What the visitor's browser is remembered for.
    fn browser(&self, request: &Request) -> Result<Session, Error> {
        self.load(&self.browsers, request)
    }

    fn load(&self, sessions: &Sessions, request: &Request) -> Result<Session, Error> {
        let scheme = if request.is_https() { Scheme::Https } else { Scheme::Http };
        let loaded = sessions.load(&request.cookies(), scheme);
        loaded.map_err(|error| self.unavailable(request, &error, "a session could not be loaded"))
    }

    /// The answer where a store did not do its part.
    fn unavailable(&self, request: &Request, error: &StoreError, what: &str) -> Error {
        // An outage is logged once: each request that it fails would be a line more.
        let is_known = self.sessions.health() != Health::Up;
        let level = if is_known { Level::Debug } else { Level::Error };
        log!(level, error:%, request_id = request.id(); "{what}");
        Error::Unavailable
    }

    /// The user's sessions, as far as they are known. In the demonstration everybody is the same
    /// user: nobody is shown another's, nor may end it.
    fn sessions_of(&self, request: &Request, user: &str) -> Result<Vec<UserSession>, Error> {
        if self.users.is_demo() {
            return Ok(Vec::new());
        }
        let sessions = self.sessions.of_user(user).map_err(|error| {
            self.unavailable(request, &error, "the sessions of a user could not be listed")
        })?;
        Ok(sessions.unwrap_or_default())
    }

    /// `response`, with the cookie that saving `session`, one of `sessions`, makes due.
    fn save(
        &self,
        sessions: &Sessions,
        request: &Request,
        session: &mut Session,
        response: Response,
    ) -> Result<Response, Error> {
        let cookies = self.saved(sessions, request, session)?;
        Ok(cookies.iter().fold(response, Response::with_cookie))
    }

    /// The cookies that saving `session`, one of `sessions`, makes due: its own, and those that remove what an
    /// earlier `SESSION_DOMAIN` left in the browser.
    fn saved(
        &self,
        sessions: &Sessions,
        request: &Request,
        session: &mut Session,
    ) -> Result<Vec<Cookie<'static>>, Error> {
        match sessions.save(session) {
            Ok(cookie) => {
                let leftovers = sessions.leftovers(session, self.site.host(request));
                Ok(cookie.into_cookie().into_iter().chain(leftovers).collect())
            }
            Err(SaveError::Store(error)) => {
                Err(self.unavailable(request, &error, "a session could not be saved"))
            }
            Err(error) => {
                error!(error:% = error, request_id = request.id(); "a session could not be saved");
                Err(Error::Internal)
            }
        }
    }
}

fn file(request: &Request, path: &str) -> Result<Response, Error> {
    assets::serve(request, path, |name| {
        let file = Static::get(name)?;
        Some(assets::File::with_sha256(file.data, file.metadata.sha256_hash()))
    })
}

fn public(app: &App, request: &mut Request) -> Result<Response, Error> {
    let path = request.path().strip_prefix("/public/").ok_or(Error::NotFound)?;
    if assets::name(path)? == LOGIN_FILE { login::show(app, request) } else { file(request, path) }
}

fn with_security_headers(response: Response, is_https: bool) -> Response {
    let response = response
        .with_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        .with_header("X-Content-Type-Options", "nosniff")
        .with_header("Referrer-Policy", "same-origin")
        // No window of another site keeps a hand on ours, and no page of another site embeds us.
        .with_header("Cross-Origin-Opener-Policy", "same-origin")
        .with_header("Cross-Origin-Resource-Policy", "same-origin");
    if is_https {
        response.with_header("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY)
    } else {
        response
    }
}
