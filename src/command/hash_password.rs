//! `waxseal hash-password`: the hash of a password, for a list of users.

use std::error::Error;

use super::{password, print};
use crate::app::password_hash::{Cost, PasswordHash};

/// Reads a password and prints its hash.
pub fn run(cost: Cost) -> Result<(), Box<dyn Error>> {
    let hash = PasswordHash::new(&password::read()?, cost)?;
    print(&format!("{}\n", hash.as_str()))
}
