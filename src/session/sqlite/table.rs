//! The table, and the statements on it.

use super::super::Prefix;

/// How every name in the SQL of this module begins, in its quotes.
const NAME: &str = "\"waxseal_sessions";

/// A user and a key may be any bytes; times are milliseconds since 1970, but `seen`, which is in
/// seconds.
const SCHEMA: &str = r#"
CREATE TABLE IF NOT EXISTS "waxseal_sessions" (
    key BLOB PRIMARY KEY,
    "values" BLOB NOT NULL,
    user BLOB,
    seen INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS "waxseal_sessions_user"
    ON "waxseal_sessions" (user, expires) WHERE user IS NOT NULL;
CREATE INDEX IF NOT EXISTS "waxseal_sessions_expires" ON "waxseal_sessions" (expires);
"#;

const FIND: &str = r#"SELECT "values" FROM "waxseal_sessions" WHERE key = ? AND expires > ?"#;

const PUT: &str = r#"INSERT OR REPLACE INTO "waxseal_sessions" (key, "values", user, seen, expires)
    VALUES (?, ?, ?, ?, ?)"#;

const DELETE: &str = r#"DELETE FROM "waxseal_sessions" WHERE key = ?"#;

const FIND_BY_USER: &str = r#"SELECT key, "values" FROM "waxseal_sessions"
    WHERE user = ? AND expires > ? ORDER BY expires DESC LIMIT ?"#;

const DELETE_BY_USER: &str = r#"DELETE FROM "waxseal_sessions" WHERE user = ?"#;

/// Leaves a user, beside the record of this key, the so many that were seen last.
const LIMIT_USER: &str = r#"DELETE FROM "waxseal_sessions" WHERE key IN (
    SELECT key FROM "waxseal_sessions" WHERE user = ? AND key <> ?
    ORDER BY seen DESC, expires DESC LIMIT -1 OFFSET ?)"#;

/// Few enough that others wait for milliseconds.
const DELETE_EXPIRED: &str = r#"DELETE FROM "waxseal_sessions" WHERE key IN (
    SELECT key FROM "waxseal_sessions" WHERE expires <= ? ORDER BY expires LIMIT 1000)"#;

/// The statements, with the names of one site's table and indexes.
pub(super) struct Sql {
    pub(super) schema: String,
    pub(super) find: String,
    pub(super) put: String,
    pub(super) delete: String,
    pub(super) find_by_user: String,
    pub(super) delete_by_user: String,
    pub(super) limit_user: String,
    pub(super) delete_expired: String,
}

impl Sql {
    pub(super) fn of(prefix: &Prefix) -> Sql {
        let named = |sql: &str| sql.replace(NAME, &format!("\"{prefix}{}", &NAME[1..]));
        Sql {
            schema: named(SCHEMA),
            find: named(FIND),
            put: named(PUT),
            delete: named(DELETE),
            find_by_user: named(FIND_BY_USER),
            delete_by_user: named(DELETE_BY_USER),
            limit_user: named(LIMIT_USER),
            delete_expired: named(DELETE_EXPIRED),
        }
    }
}
