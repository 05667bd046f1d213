//! The sign-outs that processes share, as a command sees them.

use std::sync::Arc;
use std::time::Duration;

use waxseal::session::{Outcome, Scheme, Sessions};

use crate::config::SessionConfig;

/// The longest that a command waits for them.
const PATIENCE: Duration = Duration::from_secs(30);

/// The list of what was signed out, learnt once.
pub struct SignOuts(Option<Sessions>);

impl SignOuts {
    /// Learns the list, where the environment names a store of sign-outs.
    ///
    /// # Errors
    ///
    /// If that store cannot be used.
    pub fn learn(config: &SessionConfig) -> Result<SignOuts, Box<dyn std::error::Error>> {
        let Some(chosen) = &config.revocations else { return Ok(SignOuts(None)) };
        let sessions = Sessions::sealed(Arc::clone(&config.keyring))
            .with_settings(config.settings.clone())?
            .with_revocations(Arc::clone(&chosen.revocations))?;
        match sessions.wait_until_learnt(PATIENCE) {
            true => Ok(SignOuts(Some(sessions))),
            false => Err(format!(
                "the sign-outs in {} cannot be read; to leave them out, unset SESSION_REVOCATIONS",
                chosen.name
            )
            .into()),
        }
    }

    /// Whether the session in this cookie was signed out; `None` where nobody was asked.
    pub fn has(&self, name: &str, value: &str) -> Option<bool> {
        let sessions = self.0.as_ref()?;
        let cookie = format!("{name}={value}");
        Some([Scheme::Https, Scheme::Http].into_iter().any(|scheme| {
            let loaded = sessions.load(&cookie, scheme);
            loaded.is_ok_and(|session| session.outcome() == Outcome::Revoked)
        }))
    }
}
