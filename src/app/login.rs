//! `/login`: signing in; and the page with the form.

use std::time::Instant;

use log::{info, warn};
use waxseal::http::{Error, Form, Method, Request, Response, assets};
use waxseal::seal::Fingerprint;
use waxseal::session::Session;

use super::hashing::Claim;
use super::throttle::Attempt;
use super::{App, FORM_LIMIT, LOGIN_FILE, LOGIN_PAGE, browser, file, page};
use crate::logfmt::ACCOUNTS;

/// The login page, which shows its error by `:target`.
const FAILED: &str = "/public/login.html#failed";

/// The form has an address of its own.
pub(super) fn redirect(_: &App, _: &mut Request) -> Result<Response, Error> {
    Ok(Response::redirect(303, LOGIN_PAGE))
}

/// The form: a file, unless there is something to say to this visitor, or in the demonstration.
pub(super) fn show(app: &App, request: &mut Request) -> Result<Response, Error> {
    let mut browser = app.browser(request)?;
    // HEAD shows nobody anything: the name waits for the GET.
    let typed = match request.method() {
        Method::Get => browser::take_typed(&mut browser),
        _ => None,
    };
    let is_demo = app.users.is_demo();
    let response = match typed {
        Some(name) => Response::html(200, page::login(is_demo, &name)?)
            .with_header("Cache-Control", "no-store"),
        None if is_demo => assets::page(request, page::login(is_demo, "")?),
        None => file(request, LOGIN_FILE)?,
    };
    let response = response.with_header("Vary", "Cookie");
    app.save(&app.browsers, request, &mut browser, response)
}

/// Checks name and password: first how often they may be tried, then whether there is room to hash.
pub(super) fn sign_in(app: &App, request: &mut Request) -> Result<Response, Error> {
    let form = Form::read(request, FORM_LIMIT)?;
    let username = form.get("username").unwrap_or_default();
    let password = form.get("password").unwrap_or_default();
    let browser = app.browser(request)?;
    let attempt = Attempt {
        account: username,
        address: request.address(),
        browser: app.users.fingerprint(username).and_then(|user| browser::id_for(&browser, &user)),
    };
    let admission = app.throttle.admit(&attempt, Instant::now()).map_err(|refused| {
        log_refusal(app, request, username, Refusal::Throttled(refused.limit));
        Error::TooManyRequests(refused.wait)
    })?;
    let claim = Claim::new(&attempt, admission.is_frequent());
    match app.hashing.run(claim, |memory| app.users.verify(username, password, memory)) {
        Some(Some(fingerprint)) => {
            admission.succeed(Instant::now());
            succeed(app, request, browser, &fingerprint)
        }
        Some(None) => fail(app, request, browser, username),
        None => {
            admission.give_back();
            log_refusal(app, request, username, Refusal::PutOff);
            Err(Error::Busy)
        }
    }
}

fn succeed(
    app: &App,
    request: &Request,
    mut browser: Session,
    fingerprint: &Fingerprint,
) -> Result<Response, Error> {
    let username = fingerprint.user();
    let mut session = app.session(request)?;
    session.sign_in(fingerprint);
    let response = Response::redirect(303, "/");
    let response = app.save(&app.sessions, request, &mut session, response)?;
    // In the demonstration everybody is foo: nobody's device is to be told from another's.
    if !app.users.is_demo() {
        browser::remember(&mut browser, fingerprint);
    }
    let response = app.save(&app.browsers, request, &mut browser, response)?;
    let (address, request_id) = (request.address(), request.id());
    info!(target: ACCOUNTS, username, address:%, request_id; "signed in");
    Ok(response)
}

fn fail(
    app: &App,
    request: &Request,
    mut browser: Session,
    username: &str,
) -> Result<Response, Error> {
    log_refusal(app, request, username, Refusal::Failed);
    browser::keep_typed(&mut browser, username);
    app.save(&app.browsers, request, &mut browser, Response::redirect(303, FAILED))
}

/// Why a sign-in was refused.
#[derive(Clone, Copy)]
enum Refusal {
    /// The name or the password is wrong.
    Failed,
    /// Too many were tried, by the limit that these words tell.
    Throttled(&'static str),
    /// Too many are being checked.
    PutOff,
}

impl Refusal {
    /// Its words in the log, which are its kind as well.
    fn as_str(self) -> &'static str {
        match self {
            Refusal::Failed => "sign-in failed",
            Refusal::Throttled(limit) => limit,
            Refusal::PutOff => "sign-in put off: too many at once",
        }
    }
}

/// Names the user only where there is one: people type passwords into that field. A lock-out is a line
/// that no number of others keeps out of the log.
fn log_refusal(app: &App, request: &Request, username: &str, refusal: Refusal) {
    let (address, request_id, what) = (request.address(), request.id(), refusal.as_str());
    if !app.refusals.is_first(what, address, Instant::now()) {
        return;
    }
    let target = match refusal {
        Refusal::Throttled(_) => ACCOUNTS,
        Refusal::Failed | Refusal::PutOff => module_path!(),
    };
    if app.users.knows(username) {
        warn!(target: target, username, address:%, request_id; "{what}");
    } else {
        warn!(target: target, address:%, request_id; "{what}");
    }
}
