//! What both servers have in common: the product's own pages, and how they are set up.

#![forbid(unsafe_code)]

#[path = "../../../src/app/mod.rs"]
mod app;

use std::error::Error;

use waxseal::seal::Keyring;
use waxseal::session::Sessions;

pub use app::App;

/// The pages, with sessions sealed under keys that are nobody's.
pub fn app() -> Result<App, Box<dyn Error>> {
    let keyring = Keyring::new(b"an authentication key", b"0123456789abcdef0123456789abcdef")?;
    Ok(App::new(Sessions::sealed(keyring), false))
}

/// A number from the environment.
pub fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
