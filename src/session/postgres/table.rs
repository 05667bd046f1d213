//! The names of the table and its indexes.

use std::sync::Arc;

use super::super::Prefix;

/// How every name in the SQL of this module begins, in its quotes.
const NAME: &str = "\"waxseal_sessions";

/// The names of one site's table and indexes.
#[derive(Clone)]
pub(super) struct Table(Prefix);

impl Table {
    pub(super) fn new(prefix: Prefix) -> Table {
        Table(prefix)
    }

    /// `sql` with these names.
    pub(super) fn sql(&self, sql: &str) -> Arc<str> {
        sql.replace(NAME, &format!("\"{}{}", self.0, &NAME[1..])).into()
    }
}
