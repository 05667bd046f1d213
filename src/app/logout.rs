//! `/logout`: signing out, here or everywhere.

use log::{error, info};
use waxseal::http::{Error, Form, Method, Request, Response};

use super::{App, FORM_LIMIT, page};

pub(super) fn sign_out(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    // A program may post nothing at all, and mean this session.
    let everywhere = match request.header("Content-Type") {
        Some(_) => Form::read(request, FORM_LIMIT)?.get("everywhere") == Some("1"),
        None => false,
    };
    end(app, request, everywhere)
}

/// Ends this session, or all of its user's.
fn end(app: &App, request: &Request<'_>, everywhere: bool) -> Result<Response, Error> {
    let mut session = app.session(request)?;
    let username = session.user().map(str::to_owned);
    if let Some(username) = username.as_deref().filter(|_| everywhere) {
        revoke(app, request, username)?;
    }
    session.destroy();
    let response = Response::redirect(303, "/").with_header("Cache-Control", "no-store");
    let response = app.save(&app.sessions, request, &mut session, response)?;
    if let Some(username) = username {
        let what = if everywhere { "signed out everywhere" } else { "signed out" };
        info!(username, address:% = request.address(), request_id = request.id(); "{what}");
    }
    Ok(response)
}

fn revoke(app: &App, request: &Request<'_>, username: &str) -> Result<(), Error> {
    app.sessions.revoke_user(username).map_err(|error| {
        error!(error:%, request_id = request.id(); "the sessions of a user could not be ended");
        Error::Unavailable
    })
}

/// A link signs out only where the visitor followed it, from here or from nowhere: any site can
/// make a browser fetch an address. Where it is not sure, a button asks.
pub(super) fn ask_or_sign_out(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    if *request.method() == Method::Get && is_followed_here(request) {
        return end(app, request, false);
    }
    Ok(Response::html(200, page::sign_out()).with_header("Cache-Control", "no-store"))
}

fn is_followed_here(request: &Request<'_>) -> bool {
    let mut sites = request.headers("Sec-Fetch-Site").peekable();
    let from_here =
        sites.peek().is_some() && sites.all(|site| site == "same-origin" || site == "none");
    let is_prefetched = request.header("Sec-Purpose").is_some();
    from_here && !is_prefetched
}
