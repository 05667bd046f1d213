//! All records of the table, in the order of their keys.

use std::time::Duration;

use super::super::listing::{Counted, Cursor, Listed, ListedRecord, Listing};
use super::super::store::StoreError;
use super::PostgresStore;
use super::statement::{Row, Value};
use super::text::values_of;
use super::{text, texts};

/// Of each row, the milliseconds that it lives and, in JSON, those of its values that are asked for;
/// nothing where it has expired or is damaged.
const TOLD: &str = "SELECT encode(key, 'hex'), \
    CASE WHEN expires > now() AND jsonb_typeof(values) = 'object' THEN \
        (extract(epoch FROM least(expires, now() + interval '1000 years') - now()) * 1000)::bigint::text \
        || ' ' || (\
            SELECT coalesce(jsonb_object_agg(name, values->name), '{}') \
            FROM unnest($) AS name WHERE values ? name)::text \
    ELSE '' END ";

const LIST: &str = "FROM \"waxseal_sessions\" WHERE key > decode($, 'hex') ORDER BY key LIMIT $";

/// Without the fence of OFFSET, the server may walk all keys in order, in search of a user who has few.
const LIST_OF_USER: &str = "FROM (SELECT * FROM \"waxseal_sessions\" \
        WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
            AND values->>'username' = $ AND values ? '_auth' OFFSET 0) AS theirs \
    WHERE key > decode($, 'hex') ORDER BY key LIMIT $";

/// Few enough that it takes little time where each row is another page of the disk.
const COUNT: &str = "WITH step AS (\
        SELECT key, expires FROM \"waxseal_sessions\" \
        WHERE key > decode($, 'hex') ORDER BY key LIMIT 2000) \
    SELECT encode(key, 'hex'), (SELECT count(*) FROM step WHERE expires > now())::text \
    FROM step ORDER BY key DESC LIMIT 1";

const COUNT_OF_USER: &str = "SELECT count(*)::text, '' FROM \"waxseal_sessions\" \
    WHERE left(values->>'username', 500) COLLATE \"C\" = left($, 500) \
        AND values->>'username' = $ AND values ? '_auth' AND expires > now()";

/// What is told of is the last row that was looked at, though somebody else may have deleted it.
const DELETE: &str = "WITH step AS (\
        SELECT key FROM \"waxseal_sessions\" WHERE key > decode($, 'hex') ORDER BY key LIMIT 2000), \
    gone AS (\
        DELETE FROM \"waxseal_sessions\" WHERE key = ANY (ARRAY(SELECT key FROM step)) \
        RETURNING expires) \
    SELECT encode(key, 'hex'), (SELECT count(*) FROM gone WHERE expires > now())::text \
    FROM step ORDER BY key DESC LIMIT 1";

/// The statements, before they have the names of a site's table.
pub(super) fn statements() -> [String; 5] {
    let list = [LIST, LIST_OF_USER].map(|rows| format!("{TOLD}{rows}"));
    let [list, list_of_user] = list;
    [list, list_of_user, COUNT.to_owned(), COUNT_OF_USER.to_owned(), DELETE.to_owned()]
}

impl Listing for PostgresStore {
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError> {
        // One more tells whether others follow.
        let most = Value::Number(i64::try_from(limit + 1).unwrap_or(i64::MAX));
        let [list, list_of_user, ..] = &self.sql.listing;
        let mut rows = match user {
            None => self.rows(list, vec![texts(names), place(after)?, most])?,
            Some(user) => {
                let asked = vec![texts(names), text(user), text(user), place(after)?, most];
                self.rows(list_of_user, asked)?
            }
        };
        let follows = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| follows).map(|(key, _)| Cursor::of(key.clone()));
        Ok(Listed { records: rows.into_iter().filter_map(record).collect(), next })
    }

    fn count_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Counted, StoreError> {
        let [_, _, count, count_of_user, _] = &self.sql.listing;
        match user {
            None => Ok(counted(self.rows(count, vec![place(after)?])?)),
            Some(user) => {
                let rows = self.rows(count_of_user, vec![text(user), text(user)])?;
                let count = rows.first().and_then(|(count, _)| count.parse().ok());
                Ok(Counted { records: count.unwrap_or(0), next: None })
            }
        }
    }

    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError> {
        let [.., delete] = &self.sql.listing;
        Ok(counted(self.rows(delete, vec![place(after)?])?))
    }
}

/// The digits of the key after which a step begins: none at the beginning.
fn place(after: Option<&Cursor>) -> Result<Value, StoreError> {
    let Some(after) = after else { return Ok(text("")) };
    after.key_bytes()?;
    Ok(text(after.as_str()))
}

/// A damaged record is left to the visitor who comes with it.
fn record((key, told): Row) -> Option<ListedRecord> {
    let (millis, json) = told.split_once(' ')?;
    let lifetime = Duration::from_millis(millis.parse().ok()?);
    Some(ListedRecord { key: key.parse().ok()?, values: values_of(json)?, lifetime })
}

/// A step, of the last key that it looked at and how many lived; the end, where there was none.
fn counted(rows: Vec<Row>) -> Counted {
    rows.into_iter().next().map_or_else(Counted::default, |(key, count)| Counted {
        records: count.parse().unwrap_or(0),
        next: Some(Cursor::of(key)),
    })
}
