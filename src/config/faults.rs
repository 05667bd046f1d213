//! What is wrong with the environment.

use std::fmt;

/// What is wrong with one variable. Never holds any part of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) variable: String,
    pub(super) found: String,
    pub(super) remedy: String,
}

/// Everything that is wrong with the environment.
#[derive(Debug)]
pub struct Faults(pub(super) Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("waxseal: the environment cannot be used; nothing was started.\n")?;
        for Fault { variable, found, remedy } in &self.0 {
            write!(f, "\n  {variable} {found}.\n      {remedy}")?;
        }
        Ok(())
    }
}
