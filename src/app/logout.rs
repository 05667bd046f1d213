//! `/logout`: signing out, here, everywhere, or in another browser.

use log::info;
use waxseal::http::{Error, Form, FormError, Method, Request, Response};
use waxseal::session::{Key, Reach};

use super::{App, FORM_LIMIT, page};
use crate::logfmt::ACCOUNTS;

/// What is to be ended.
enum What {
    ThisOne,
    /// All sessions of the user.
    Everywhere,
    /// One of the user's, by its key.
    One(Key),
}

pub(super) fn sign_out(app: &App, request: &mut Request) -> Result<Response, Error> {
    // A program may post nothing at all, and mean this session.
    if request.headers("Content-Type").next().is_none() {
        return end(app, request, &What::ThisOne);
    }
    let form = Form::read(request, FORM_LIMIT)?;
    let what = match form.get("session").map(str::parse) {
        Some(key) => What::One(key.map_err(|_| Error::Form(FormError::Undecodable))?),
        None if form.get("everywhere") == Some("1") => What::Everywhere,
        None => What::ThisOne,
    };
    end(app, request, &what)
}

/// Ends a session, or all of its user's.
fn end(app: &App, request: &Request, what: &What) -> Result<Response, Error> {
    let mut session = app.session(request)?;
    let username = session.user().map(str::to_owned);
    let is_another = matches!(what, What::One(key) if *key != Key::of(session.id()));
    let mut is_pending = false;
    let ended = match (&username, what) {
        // In the demonstration everybody is the same user.
        (Some(_), What::Everywhere) if app.users.is_demo() => Ok(true),
        (Some(user), What::Everywhere) => app.sessions.revoke_user(user).map(|reach| {
            is_pending = reach == Reach::Pending;
            true
        }),
        (Some(_), What::One(_)) if is_another && app.users.is_demo() => Ok(false),
        (Some(user), What::One(key)) if is_another => app.sessions.revoke(key, user),
        _ => Ok(true),
    };
    let ended =
        ended.map_err(|error| app.unavailable(request, &error, "a session could not be ended"))?;
    if !is_another {
        session.destroy();
    }
    let cookies = app.saved(&app.sessions, request, &mut session)?;
    let response = match is_pending || session.has_pending_sign_out() {
        true => Response::html(200, page::signed_out_here()),
        false => Response::redirect(303, "/"),
    };
    let response = response.with_header("Cache-Control", "no-store");
    let response = cookies.iter().fold(response, Response::with_cookie);
    if let Some(username) = username.filter(|_| ended) {
        let done = match what {
            What::Everywhere if !app.users.is_demo() => "signed out everywhere",
            What::One(_) if is_another => "ended another session",
            What::Everywhere | What::One(_) | What::ThisOne => "signed out",
        };
        let (address, request_id) = (request.address(), request.id());
        info!(target: ACCOUNTS, username, address:%, request_id; "{done}");
    }
    Ok(response)
}

/// A link signs out only where the visitor followed it, from here or from nowhere: any site can
/// make a browser fetch an address. Where it is not sure, a button asks.
pub(super) fn ask_or_sign_out(app: &App, request: &mut Request) -> Result<Response, Error> {
    if request.method() == Method::Get && is_followed_here(request) {
        return end(app, request, &What::ThisOne);
    }
    Ok(Response::html(200, page::sign_out()).with_header("Cache-Control", "no-store"))
}

fn is_followed_here(request: &Request) -> bool {
    let mut sites = request.headers("Sec-Fetch-Site").peekable();
    let from_here =
        sites.peek().is_some() && sites.all(|site| site == b"same-origin" || site == b"none");
    let is_prefetched = request.headers("Sec-Purpose").next().is_some();
    from_here && !is_prefetched
}
