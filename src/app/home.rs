//! `/`: who you are, or the way to sign in.

use waxseal::http::{Error, Method, Request, Response};

use super::{App, LOGIN_PAGE, page};

pub(super) fn show(app: &App, request: &mut Request<'_>) -> Result<Response, Error> {
    let mut session = app.session(request)?;
    let response = match session.user().map(str::to_owned) {
        Some(username) => {
            // HEAD shows nobody anything: the messages wait for the GET.
            let flashes = match request.method() {
                Method::Head => Vec::new(),
                _ => session.take_flashes(),
            };
            Response::html(200, page::home(&username, &flashes))
        }
        None => Response::redirect(303, LOGIN_PAGE),
    };
    let response = response.with_header("Vary", "Cookie").with_header("Cache-Control", "no-store");
    app.save(&app.sessions, request, &mut session, response)
}
