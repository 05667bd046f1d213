//! `waxseal sessions`: how many there are in the store, which, and their end.

use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::time::SystemTime;

use waxseal::session::{
    Administration, CannotList, Cursor, Key, LARGEST_PAGE, SessionEntry, Sessions, StoreError,
};

use super::inspect::{date, seconds};
use super::print;
use crate::config::StoredSessions;

/// An action on the sessions: count, list or end them.
pub enum Action {
    Count { user: Option<String> },
    List(List),
    End(End),
}

/// Which sessions are listed, and how.
pub struct List {
    pub user: Option<String>,
    pub limit: usize,
    pub after: Option<Cursor>,
    pub json: bool,
}

impl Default for List {
    fn default() -> List {
        List { user: None, limit: 100, after: None, json: false }
    }
}

/// Which sessions end.
pub enum End {
    These(Vec<Key>),
    User(String),
    All,
}

/// Does it, in the store of the environment.
///
/// # Errors
///
/// [`CannotList`] where there is no list of sessions, [`StoreError`] where the store did not do its part.
pub fn run(config: StoredSessions, action: &Action) -> Result<(), Box<dyn Error>> {
    let StoredSessions { sessions, store } = config;
    let sessions = match store {
        Some(chosen) => Sessions::stored(sessions.keyring, chosen.store),
        None => Sessions::sealed(sessions.keyring),
    };
    let administration = sessions.administration()?;
    match action {
        Action::Count { user: None } => print(&format!("{}\n", administration.count()?)),
        Action::Count { user: Some(user) } => {
            print(&format!("{}\n", administration.count_of(user)?))
        }
        Action::List(list) => print_list(&administration, list),
        Action::End(end) => print(&ended(&administration, end)?),
    }
}

/// Whether the operator can mend it: the store is one without a list, or the cursor is another's.
pub fn is_mistake(error: &(dyn Error + 'static)) -> bool {
    error.is::<CannotList>() || matches!(error.downcast_ref(), Some(StoreError::UnknownCursor))
}

fn print_list(administration: &Administration<'_>, list: &List) -> Result<(), Box<dyn Error>> {
    let (mut left, mut next) = (list.limit, list.after.clone());
    let line = if list.json { json } else { columns };
    let head = row("ID", "BEGUN", "LAST SEEN", "EXPIRES", "USER");
    let mut lines = if list.json { String::new() } else { head };
    loop {
        let limit = left.min(LARGEST_PAGE);
        let page = match &list.user {
            None => administration.list(next.as_ref(), limit)?,
            Some(user) => administration.list_of(user, next.as_ref(), limit)?,
        };
        lines.extend(page.sessions.iter().map(line));
        print(&std::mem::take(&mut lines))?;
        left = left.saturating_sub(page.sessions.len());
        next = page.next;
        let Some(next) = &next else { return Ok(()) };
        if left == 0 {
            return tell_next(next, list.json);
        }
    }
}

/// Tells how to go on: a machine reads it among the lines, and a person below them.
fn tell_next(next: &Cursor, json: bool) -> Result<(), Box<dyn Error>> {
    if json {
        return print(&format!("{}\n", nojson::object(|f| f.member("next", next.as_str()))));
    }
    Ok(writeln!(io::stderr(), "waxseal: there may be more: go on with --after {next}")?)
}

fn row(
    id: impl Display,
    begun: impl Display,
    last_seen: impl Display,
    expires: impl Display,
    user: impl Display,
) -> String {
    format!("{id:<64}  {begun:<20}  {last_seen:<20}  {expires:<20}  {user}\n")
}

/// A name in quotes, so that no visitor's name looks like anything else; `-` for what is not known.
fn columns(entry: &SessionEntry) -> String {
    let time = |time: Option<SystemTime>| time.map_or("-".to_owned(), |time| date(seconds(time)));
    let user = entry.user.as_ref().map_or("-".to_owned(), |user| format!("{user:?}"));
    row(entry.key, time(entry.begun), time(entry.last_seen), time(Some(entry.expires)), user)
}

/// One line for machines; the README lists its members.
fn json(entry: &SessionEntry) -> String {
    let object = nojson::object(|f| {
        f.member("id", entry.key.to_string())?;
        f.member("user", entry.user.as_deref())?;
        f.member("begun", entry.begun.map(seconds))?;
        f.member("last_seen", entry.last_seen.map(seconds))?;
        f.member("expires", seconds(entry.expires))
    });
    format!("{object}\n")
}

/// Ends them, and says how many.
fn ended(administration: &Administration<'_>, end: &End) -> Result<String, StoreError> {
    let (mut told, mut count) = (String::new(), 0);
    match end {
        End::These(keys) => {
            for key in keys {
                match administration.end(key)? {
                    true => count += 1,
                    // Writing to a String does not fail.
                    false => _ = writeln!(told, "{key}: there is no such session"),
                }
            }
        }
        End::User(user) => count = administration.end_user(user)?,
        End::All => count = administration.end_all()?,
    }
    let noun = if count == 1 { "session" } else { "sessions" };
    Ok(format!("{told}ended {count} {noun}\n"))
}
