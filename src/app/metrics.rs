//! `/metrics`: how sessions were loaded, in the text format of Prometheus.
//!
//! Shown to this machine alone, and to nobody where a proxy has left its trace: what it says is the
//! operator's, and no visitor, signed in or not, is one. To all others there is no such page.

use std::fmt::{self, Write};

use waxseal::http::{Error, Request, Response};
use waxseal::session::{Counts, RevocationStatus};

use super::App;

/// The version is that of the text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What `/metrics` needs where it is on.
pub struct Metrics {
    /// What the pairs of the keyring are called, in its order.
    key_names: Vec<String>,
    /// Tells how many lines of the log were dropped.
    log_dropped: fn() -> u64,
}

impl Metrics {
    pub fn new(key_names: Vec<String>, log_dropped: fn() -> u64) -> Metrics {
        Metrics { key_names, log_dropped }
    }

    fn write(&self, out: &mut String, counts: &Counts) -> fmt::Result {
        writeln!(out, "# HELP waxseal_sessions_loaded_total Sessions loaded, by how it went.")?;
        writeln!(out, "# TYPE waxseal_sessions_loaded_total counter")?;
        for (outcome, count) in counts.outcomes() {
            let outcome = outcome.as_str();
            writeln!(out, "waxseal_sessions_loaded_total{{outcome=\"{outcome}\"}} {count}")?;
        }
        writeln!(
            out,
            "# HELP waxseal_sessions_opened_total Sessions opened, by the pair of keys."
        )?;
        writeln!(out, "# TYPE waxseal_sessions_opened_total counter")?;
        for (keys, count) in self.key_names.iter().zip(counts.keys()) {
            writeln!(out, "waxseal_sessions_opened_total{{keys=\"{keys}\"}} {count}")?;
        }
        writeln!(out, "# HELP waxseal_cookies_forged_total Cookies that no key authenticates.")?;
        writeln!(out, "# TYPE waxseal_cookies_forged_total counter")?;
        writeln!(out, "waxseal_cookies_forged_total {}", counts.forged_cookies())?;
        writeln!(
            out,
            "# HELP waxseal_log_lines_dropped_total Log lines that nobody read in time."
        )?;
        writeln!(out, "# TYPE waxseal_log_lines_dropped_total counter")?;
        writeln!(out, "waxseal_log_lines_dropped_total {}", (self.log_dropped)())
    }
}

fn write_revocations(out: &mut String, status: &RevocationStatus) -> fmt::Result {
    let behind = status.behind.as_secs_f64();
    let RevocationStatus { known, unpublished, dropped, .. } = *status;
    writeln!(
        out,
        "# HELP waxseal_revocations Sessions and marks in the list of what was signed out."
    )?;
    writeln!(out, "# TYPE waxseal_revocations gauge")?;
    writeln!(out, "waxseal_revocations {known}")?;
    writeln!(
        out,
        "# HELP waxseal_revocations_unpublished Revocations that no store has confirmed."
    )?;
    writeln!(out, "# TYPE waxseal_revocations_unpublished gauge")?;
    writeln!(out, "waxseal_revocations_unpublished {unpublished}")?;
    writeln!(
        out,
        "# HELP waxseal_revocations_behind_seconds Time since all were learnt and told."
    )?;
    writeln!(out, "# TYPE waxseal_revocations_behind_seconds gauge")?;
    writeln!(out, "waxseal_revocations_behind_seconds {behind:.3}")?;
    writeln!(
        out,
        "# HELP waxseal_revocations_dropped_total Revocations dropped for want of room."
    )?;
    writeln!(out, "# TYPE waxseal_revocations_dropped_total counter")?;
    writeln!(out, "waxseal_revocations_dropped_total {dropped}")
}

/// Whether the page is there for `request`.
pub(super) fn is_shown(app: &App, request: &Request) -> bool {
    app.metrics.is_some() && request.is_local()
}

pub(super) fn show(app: &App, _: &mut Request) -> Result<Response, Error> {
    let metrics = app.metrics.as_ref().ok_or(Error::NotFound)?;
    let mut text = String::with_capacity(2048);
    metrics.write(&mut text, app.sessions.counts()).map_err(|_| Error::Internal)?;
    if let Some(status) = app.sessions.revocation_status() {
        write_revocations(&mut text, &status).map_err(|_| Error::Internal)?;
    }
    Ok(Response::new(200, CONTENT_TYPE, text.into_bytes()).with_header("Cache-Control", "no-store"))
}
