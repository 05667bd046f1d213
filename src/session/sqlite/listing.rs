//! All records of the table, in the order of their keys.

use std::time::Duration;

use rusqlite::{Row, params};

use super::super::listing::{Counted, Cursor, Listed, ListedRecord, Listing};
use super::super::record;
use super::super::store::{Key, StoreError};
use super::SqliteStore;
use super::connection::{bytes, now};

/// The key, the values and the expiry of a row.
type Found = (Vec<u8>, Vec<u8>, i64);

impl Listing for SqliteStore {
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError> {
        let place = place(after)?;
        // One more tells whether others follow.
        let most = i64::try_from(limit + 1).unwrap_or(i64::MAX);
        let found = |row: &Row<'_>| Ok((bytes(row, 0)?, bytes(row, 1)?, row.get(2)?));
        let mut rows: Vec<Found> = self.connections.run(|connection| match user {
            None => {
                let mut list = connection.prepare_cached(&self.sql.list)?;
                list.query_map(params![place, most], found)?.collect()
            }
            Some(user) => {
                let mut list = connection.prepare_cached(&self.sql.list_of_user)?;
                list.query_map(params![user.as_bytes(), place, most], found)?.collect()
            }
        })?;
        let follows = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| follows).map(|(key, ..)| cursor(key));
        let now = now();
        // A damaged record is left to the visitor who comes with it.
        let record = |(key, values, expires): Found| {
            let left = u64::try_from(expires.saturating_sub(now)).ok().filter(|left| *left > 0)?;
            let mut values = record::read(&values)?;
            values.retain(|name, _| names.contains(&name.as_str()));
            let (key, lifetime) = (key.try_into().ok()?, Duration::from_millis(left));
            Some(ListedRecord { key: Key::from_bytes(key), values, lifetime })
        };
        Ok(Listed { records: rows.into_iter().filter_map(record).collect(), next })
    }

    fn count_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Counted, StoreError> {
        let place = place(after)?;
        self.connections.run(|connection| match user {
            None => {
                let mut count = connection.prepare_cached(&self.sql.count)?;
                count.query_row(params![now(), place], counted)
            }
            Some(user) => {
                let mut count = connection.prepare_cached(&self.sql.count_of_user)?;
                let asked = params![user.as_bytes(), now()];
                let records = count.query_row(asked, |row| row.get::<_, i64>(0))?;
                Ok(Counted { records: records.unsigned_abs(), next: None })
            }
        })
    }

    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError> {
        let place = place(after)?;
        self.connections.write(|transaction| {
            let mut next = transaction.prepare_cached(&self.sql.count_next)?;
            let (last, counted) =
                next.query_row(params![now(), place], |row| Ok((bytes(row, 0)?, counted(row)?)))?;
            let mut delete = transaction.prepare_cached(&self.sql.delete_between)?;
            delete.execute(params![place, last])?;
            Ok(counted)
        })
    }
}

/// The bytes of the key after which a step begins: none at the beginning.
fn place(after: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
    after.map_or(Ok(Vec::new()), Cursor::key_bytes)
}

fn cursor(key: &[u8]) -> Cursor {
    Cursor::of(key.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A step, of the last key that it looked at and how many lived; the end, where there was none.
fn counted(row: &Row<'_>) -> rusqlite::Result<Counted> {
    let last = bytes(row, 0)?;
    // A whole number, which SQLite's total() gives as a fraction.
    let records = row.get::<_, f64>(1)? as u64;
    Ok(Counted { records, next: Some(last).filter(|last| !last.is_empty()).map(|k| cursor(&k)) })
}
