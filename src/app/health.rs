//! `/healthz`: that this process answers, and how its store is. A store that is down is no reason to end
//! it: another one would not reach that store either.

use waxseal::http::{Error, Request, Response};
use waxseal::session::Health;

use super::App;

pub(super) fn show(app: &App, _: &mut Request) -> Result<Response, Error> {
    let store = app.store.unwrap_or_default();
    let text = match app.sessions.health() {
        Health::Up => "ok".to_owned(),
        Health::Refuses => format!("ok, but the session store refuses changes: {store}"),
        Health::Partly => format!("ok, but a server of the session store is down: {store}"),
        Health::Down => format!("ok, but the session store is down: {store}"),
    };
    Ok(Response::text(200, text).with_header("Cache-Control", "no-store"))
}
