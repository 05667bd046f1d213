//! The commands beside `serve`.

pub mod add_user;
pub mod hash_password;
pub mod inspect;
pub mod keygen;
mod password;
pub mod sessions;
mod sign_outs;

use std::error::Error;
use std::io::{self, Write};

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}
