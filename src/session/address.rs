//! Why a store's address cannot be used.

use std::error::Error;
use std::fmt;

/// What is wrong with the address of a store's server. It never repeats the address, which may hold
/// a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError(&'static str);

impl AddressError {
    pub(super) const fn new(problem: &'static str) -> AddressError {
        AddressError(problem)
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the store's address {}", self.0)
    }
}

impl Error for AddressError {}
