//! `/healthz`: that this process answers, and how its store is. A store that is down is no reason to end
//! it: another one would not reach that store either.

use waxseal::http::{Error, Request, Response};
use waxseal::session::{Health, RevocationStatus};

use super::App;

pub(super) fn show(app: &App, _: &mut Request) -> Result<Response, Error> {
    let text = match app.sessions.revocation_status() {
        Some(status) => of_sign_outs(app, status),
        None => of_store(app),
    };
    Ok(Response::text(200, text).with_header("Cache-Control", "no-store"))
}

fn of_store(app: &App) -> String {
    let store = app.store;
    match app.sessions.health() {
        Health::Up => "ok".to_owned(),
        Health::Refuses => format!("ok, but the session store refuses changes: {store}"),
        Health::Partly => format!("ok, but a server of the session store is down: {store}"),
        _ => format!("ok, but the session store is down: {store}"),
    }
}

fn of_sign_outs(app: &App, status: RevocationStatus) -> String {
    let (store, behind) = (app.store, status.behind.as_secs());
    match (status.is_learnt, status.is_up) {
        (true, true) => "ok".to_owned(),
        (true, false) => format!(
            "ok, but sign-outs are not shared: {store} cannot be used; {behind} s behind, {} to tell",
            status.unpublished
        ),
        (false, _) => {
            format!("ok, but the sign-outs of other processes are not known yet: {store}")
        }
    }
}
