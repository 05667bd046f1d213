//! `/login`: signing in.

use log::{info, warn};
use waxseal::http::{Error, Form, Request, Response};

use super::{App, FORM_LIMIT, LOGIN_PAGE, USERNAME, users};

/// The login page, which shows its error by `:target`.
const FAILED: &str = "/public/login.html#failed";

/// The form itself is a file.
pub(super) fn redirect(_: &App, _: &mut Request<'_>) -> Result<Response, Error> {
    Ok(Response::redirect(303, LOGIN_PAGE))
}

pub(super) fn sign_in(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    let form = Form::read(request, FORM_LIMIT)?;
    let username = form.get("username").unwrap_or_default();
    let password = form.get("password").unwrap_or_default();
    if !users::is_right(username, password) {
        // Not the name: people type passwords into that field.
        warn!(address:% = request.address(), request_id = request.id(); "sign-in failed");
        return Ok(Response::redirect(303, FAILED));
    }
    let mut session = app.session(request)?;
    session.renew();
    session.insert(USERNAME, username).map_err(|_| Error::Internal)?;
    let response = app.save(request, &mut session, Response::redirect(303, "/"))?;
    info!(username, address:% = request.address(), request_id = request.id(); "signed in");
    Ok(response)
}
