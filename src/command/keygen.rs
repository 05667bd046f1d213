//! `waxseal keygen`: a fresh pair of keys.

use std::error::Error;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::print;

/// Prints the pair as two lines of an environment.
pub fn run() -> Result<(), Box<dyn Error>> {
    print(&format!("SESSION_AUTHENTICATION_KEY={}\nSESSION_ENCRYPTION_KEY={}\n", key()?, key()?))
}

fn key() -> Result<String, Box<dyn Error>> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| format!("the system gives no random numbers: {error}"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}
