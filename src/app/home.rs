//! `/`: who you are, or the way to sign in.

use waxseal::http::{Error, Method, Request, Response};

use super::{App, LOGIN_PAGE, page};

pub(super) fn show(app: &App, request: &mut Request) -> Result<Response, Error> {
    let mut session = app.session(request)?;
    // HEAD shows nobody anything: the messages wait for the GET.
    let flashes = match request.method() {
        Method::Get if session.user().is_some() => session.take_flashes(),
        _ => Vec::new(),
    };
    let response = match session.user() {
        Some(username) => {
            let sessions = app.sessions_of(request, username)?;
            let home = page::home(username, &flashes, &sessions, session.id());
            Response::html(200, home)
        }
        None => Response::redirect(303, LOGIN_PAGE),
    };
    let response = response.with_header("Vary", "Cookie").with_header("Cache-Control", "no-store");
    app.save(&app.sessions, request, &mut session, response)
}
