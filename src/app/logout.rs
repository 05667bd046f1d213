//! `/logout`: signing out.

use log::info;
use waxseal::http::{Error, Method, Request, Response};

use super::{App, USERNAME, page};

pub(super) fn sign_out(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    let mut session = app.session(request)?;
    let username = session.get(USERNAME).map(str::to_owned);
    session.destroy();
    let response = Response::redirect(303, "/").with_header("Cache-Control", "no-store");
    let response = app.save(request, &mut session, response)?;
    if let Some(username) = username {
        info!(username, address:% = request.address(), request_id = request.id(); "signed out");
    }
    Ok(response)
}

/// A link signs out only where the visitor followed it, from here or from nowhere: any site can
/// make a browser fetch an address. Where it is not sure, a button asks.
pub(super) fn ask_or_sign_out(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    if *request.method() == Method::Get && is_followed_here(request) {
        return sign_out(app, request);
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
