//! All records of a site, by Redis's SCAN: in no order, and without a list of their own.

use std::time::Duration;

use ::redis::{FromRedisValue, Script, ScriptInvocation};

use super::super::StoreSettings;
use super::super::listing::{Counted, Cursor, Listed, ListedRecord, Listing};
use super::super::store::StoreError;
use super::connection::failure;
use super::{RECORD, RedisStore, field, script};

/// Keys that are looked at while others wait.
const LOOKED_AT: usize = 1000;
/// The same where records are read or deleted.
const TOUCHED: usize = 250;
/// A record that somebody has made to live for ever lives as long as any may.
const FOR_EVER: Duration = Duration::from_secs(1000 * 365 * 24 * 3600);

/// What a cursor of a scan begins with, so that it is no other store's.
const SCAN: &str = "s";

pub(super) struct Scans {
    list: Script,
    count: Script,
    count_of_user: Script,
    delete: Script,
}

impl Scans {
    pub(super) fn new(settings: &StoreSettings) -> Scans {
        let with_scan = |body| script(settings, &[include_str!("scan.lua"), body]);
        Scans {
            list: with_scan(include_str!("list.lua")),
            count: script(settings, &[include_str!("count.lua")]),
            count_of_user: script(settings, &[include_str!("count_of_user.lua")]),
            delete: with_scan(include_str!("delete_some.lua")),
        }
    }
}

/// A place in a scan.
struct Place {
    cursor: u64,
    /// The key up to which all were told, in digits.
    floor: String,
    /// The first digits of those that were told at this cursor already.
    told: Vec<String>,
}

impl Place {
    fn of(cursor: Option<&Cursor>) -> Result<Place, StoreError> {
        let Some(cursor) = cursor else {
            return Ok(Place { cursor: 0, floor: String::new(), told: Vec::new() });
        };
        let text = cursor.as_str().strip_prefix(SCAN).ok_or(StoreError::UnknownCursor)?;
        let mut parts = text.splitn(3, '-');
        let cursor = parts.next().and_then(|digits| digits.parse().ok());
        let [floor, told] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
        let told = told.split('.').filter(|digits| !digits.is_empty()).map(str::to_owned);
        Ok(Place {
            cursor: cursor.ok_or(StoreError::UnknownCursor)?,
            floor: floor.to_owned(),
            told: told.collect(),
        })
    }

    fn cursor(&self) -> Cursor {
        let text = format!("{SCAN}{}-{}-{}", self.cursor, self.floor, self.told.join("."));
        Cursor::of(text.trim_end_matches('-').to_owned())
    }
}

type Fields = Vec<Option<Vec<u8>>>;

impl Listing for RedisStore {
    fn list_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
        limit: usize,
        names: &[&str],
    ) -> Result<Listed, StoreError> {
        let place = Place::of(after)?;
        let whose = if user.is_some() { "user" } else { "all" };
        let mut call = self.scans.list.arg(whose);
        call.arg(user.unwrap_or_default())
            .arg(place.cursor)
            .arg(place.floor)
            .arg(limit.min(TOUCHED));
        call.arg(names.len() + 1).arg(RECORD).arg(fields(names)).arg(place.told);
        type Found = (u64, String, Vec<String>, bool, Vec<(String, i64, Fields)>);
        let (cursor, floor, told, is_part, found): Found =
            self.step(&call, |found: &Found| found.0 == 0)?;
        // A damaged record is left to the visitor who comes with it.
        let record = |(key, millis, fields): (String, i64, Fields)| {
            let text = |(name, value): (&&str, Option<Vec<u8>>)| {
                Some(((*name).to_owned(), String::from_utf8(value?).ok()?))
            };
            let values = names.iter().zip(fields.into_iter().skip(1)).filter_map(text).collect();
            let lifetime = u64::try_from(millis).map_or(FOR_EVER, Duration::from_millis);
            Some(ListedRecord { key: key.parse().ok()?, values, lifetime })
        };
        let next = Place { cursor, floor, told };
        Ok(Listed {
            records: found.into_iter().filter_map(record).collect(),
            next: (cursor != 0 || is_part).then(|| next.cursor()),
        })
    }

    fn count_some(
        &self,
        user: Option<&str>,
        after: Option<&Cursor>,
    ) -> Result<Counted, StoreError> {
        let Some(user) = user else {
            let place = Place::of(after)?;
            let mut call = self.scans.count.arg(place.cursor);
            call.arg(LOOKED_AT);
            return Ok(counted(self.step(&call, |(cursor, _)| *cursor == 0)?));
        };
        let records = self.step(&self.scans.count_of_user.arg(user), |_| true)?;
        Ok(Counted { records, next: None })
    }

    fn delete_some(&self, after: Option<&Cursor>) -> Result<Counted, StoreError> {
        let place = Place::of(after)?;
        let mut call = self.scans.delete.arg(place.cursor);
        call.arg(TOUCHED);
        Ok(counted(self.write(|connection| call.invoke(connection))?))
    }
}

impl RedisStore {
    /// What a script answers. By Sentinel, what is no master any more may have lost records: once all were
    /// looked at, it is asked.
    fn step<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        is_last: impl Fn(&T) -> bool,
    ) -> Result<T, StoreError> {
        self.pool.run(|link, patience| {
            let found = call.invoke(link.within(patience)?).map_err(failure)?;
            if is_last(&found) {
                link.check_master()?;
            }
            Ok(found)
        })
    }
}

fn fields(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| field(name)).collect()
}

fn counted((cursor, records): (u64, u64)) -> Counted {
    let place = Place { cursor, floor: String::new(), told: Vec::new() };
    Counted { records, next: (cursor != 0).then(|| place.cursor()) }
}
