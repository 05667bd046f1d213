//! `/login`: signing in; and the page with the form.

use std::time::Instant;

use log::{info, warn};
use waxseal::http::{Error, Form, Method, Request, Response, assets};
use waxseal::seal::Fingerprint;
use waxseal::session::Session;

use super::throttle::Attempt;
use super::{App, FORM_LIMIT, LOGIN_FILE, LOGIN_PAGE, browser, file, page};

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
        log_refusal(app, request, username, &format!("sign-in throttled by {}", refused.limit));
        Error::TooManyRequests(refused.wait)
    })?;
    match app.hashing.run(|memory| app.users.verify(username, password, memory)) {
        Some(Some(fingerprint)) => {
            admission.give_back();
            succeed(app, request, browser, &fingerprint)
        }
        Some(None) => fail(app, request, browser, username),
        None => {
            admission.give_back();
            log_refusal(app, request, username, "sign-in put off: too many at once");
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
    info!(username, address:% = request.address(), request_id = request.id(); "signed in");
    Ok(response)
}

fn fail(
    app: &App,
    request: &Request,
    mut browser: Session,
    username: &str,
) -> Result<Response, Error> {
    log_refusal(app, request, username, "sign-in failed");
    browser::keep_typed(&mut browser, username);
    app.save(&app.browsers, request, &mut browser, Response::redirect(303, FAILED))
}

/// Names the user only where there is one: people type passwords into that field.
fn log_refusal(app: &App, request: &Request, username: &str, what: &str) {
    let (address, request_id) = (request.address(), request.id());
    if app.users.knows(username) {
        warn!(username, address:%, request_id; "{what}");
    } else {
        warn!(address:%, request_id; "{what}");
    }
}
