//! `/`: who you are, or the way to sign in.

use waxseal::http::{Error, Method, Request, Response};

use super::{App, LOGIN_PAGE, USERNAME, page};

pub(super) fn show(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    let mut session = app.session(request)?;
    // HEAD shows nobody anything: the messages wait for the GET.
    let flashes = match request.method() {
        Method::Head => Vec::new(),
        _ if session.get(USERNAME).is_none() => Vec::new(),
        _ => session.take_flashes(),
    };
    let response = match session.get(USERNAME) {
        Some(username) if !username.is_empty() => {
            Response::html(200, page::home(username, &flashes))
        }
        _ => Response::redirect(303, LOGIN_PAGE),
    };
    let response = response.with_header("Vary", "Cookie").with_header("Cache-Control", "no-store");
    app.save(request, &mut session, response)
}
