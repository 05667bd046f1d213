//! The tables: their names, and how they are made.

use std::sync::Arc;

use super::super::Prefix;
use super::{PostgresRevocations, PostgresStore};

/// A table with its indexes.
pub(super) struct Kind {
    name: &'static str,
    schema: &'static str,
    indexes: [&'static str; 2],
    /// Run when the first connection is made; empty for nothing.
    on_start: &'static str,
}

pub(super) const SESSIONS: Kind = Kind {
    name: "waxseal_sessions",
    schema: PostgresStore::SCHEMA,
    indexes: ["waxseal_sessions_user", "waxseal_sessions_expires"],
    on_start: "",
};

/// Rows that came from another server by a dump may have higher numbers of transactions than this server gives:
/// they would be new for ever.
pub(super) const REVOCATIONS: Kind = Kind {
    name: "waxseal_revocations",
    schema: PostgresRevocations::SCHEMA,
    indexes: ["waxseal_revocations_transaction", "waxseal_revocations_expires"],
    on_start: "UPDATE \"waxseal_revocations\" SET transaction = txid_current() \
        WHERE transaction > txid_current()",
};

/// One site's table.
#[derive(Clone)]
pub(super) struct Table {
    kind: &'static Kind,
    prefix: Prefix,
}

impl Table {
    pub(super) fn new(kind: &'static Kind, prefix: Prefix) -> Table {
        Table { kind, prefix }
    }

    /// `sql` with the names of this site's table and indexes, which stand in quotes.
    pub(super) fn sql(&self, sql: &str) -> Arc<str> {
        let name = self.kind.name;
        sql.replace(&format!("\"{name}"), &format!("\"{}{name}", self.prefix)).into()
    }

    /// The name without the prefix.
    pub(super) fn name(&self) -> &'static str {
        self.kind.name
    }

    pub(super) fn schema(&self) -> Arc<str> {
        self.sql(self.kind.schema)
    }

    pub(super) fn on_start(&self) -> Option<Arc<str>> {
        Some(self.kind.on_start).filter(|sql| !sql.is_empty()).map(|sql| self.sql(sql))
    }

    /// Finds a row where libpq's lookups find the table.
    pub(super) fn is_there(&self) -> Arc<str> {
        self.sql(&format!("SELECT 1 WHERE to_regclass('\"{}\"') IS NOT NULL", self.kind.name))
    }

    /// The same for the table and all its indexes.
    pub(super) fn is_whole(&self) -> Arc<str> {
        let indexes =
            self.kind.indexes.map(|name| format!(" AND to_regclass('\"{name}\"') IS NOT NULL"));
        format!("{}{}", self.is_there(), self.sql(&indexes.concat())).into()
    }
}
