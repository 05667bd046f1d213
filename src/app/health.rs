//! `/healthz`: that this process answers. A store that is down is no reason to end it: another one
//! would not reach that store either.

use waxseal::http::{Error, Request, Response};

use super::App;

pub(super) fn show(app: &App, _: &mut Request) -> Result<Response, Error> {
    let down = app.store.as_ref().filter(|store| store.breaker.is_open());
    let text = match down {
        Some(store) => format!("ok, but the session store is down: {}", store.name),
        None => "ok".to_owned(),
    };
    Ok(Response::text(200, text).with_header("Cache-Control", "no-store"))
}
