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

/// What has expired is passed over by whoever asks, so that a step is never long.
const LIST: &str = r#"SELECT key, "values", expires FROM "waxseal_sessions"
    WHERE key > ? ORDER BY key LIMIT ?"#;

/// By the index of users alone, however the planner counts: a `+` keeps it from walking all keys.
const LIST_OF_USER: &str = r#"SELECT key, "values", expires FROM "waxseal_sessions"
    WHERE user = ? AND +key > ? ORDER BY +key LIMIT ?"#;

/// Few enough that it takes milliseconds.
const COUNT: &str = r#"SELECT max(key), total(expires > ?) FROM (
    SELECT key, expires FROM "waxseal_sessions" WHERE key > ? ORDER BY key LIMIT 5000)"#;

const COUNT_OF_USER: &str =
    r#"SELECT count(*) FROM "waxseal_sessions" WHERE user = ? AND expires > ?"#;

/// The same for those that are deleted next, while others wait to write.
const COUNT_NEXT: &str = r#"SELECT max(key), total(expires > ?) FROM (
    SELECT key, expires FROM "waxseal_sessions" WHERE key > ? ORDER BY key LIMIT 1000)"#;

const DELETE_BETWEEN: &str = r#"DELETE FROM "waxseal_sessions" WHERE key > ? AND key <= ?"#;

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
    pub(super) list: String,
    pub(super) list_of_user: String,
    pub(super) count: String,
    pub(super) count_of_user: String,
    pub(super) count_next: String,
    pub(super) delete_between: String,
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
            list: named(LIST),
            list_of_user: named(LIST_OF_USER),
            count: named(COUNT),
            count_of_user: named(COUNT_OF_USER),
            count_next: named(COUNT_NEXT),
            delete_between: named(DELETE_BETWEEN),
        }
    }
}
