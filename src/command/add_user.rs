//! `waxseal add-user`: a line in a list of users, appended or replaced.

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::{password, print};
use crate::app::password_hash::{Cost, PasswordHash};
use crate::app::user_list::{self, check_name};

/// Reads a password and gives it to the user called `name` in the list at `path`.
pub fn run(path: &Path, name: &str, cost: Cost) -> Result<(), Box<dyn Error>> {
    check_name(name)?;
    let hash = PasswordHash::new(&password::read()?, cost)?;
    // Through a symbolic link, so that it stays one.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_new = replace(&path, |text| with_user(text, name, hash.as_str()))?;
    let done = if is_new { "added" } else { "has another password now" };
    print(&format!("{name}: {done}\n"))
}

/// `text` with the entry of `name`, and whether there was none.
fn with_user(text: &str, name: &str, hash: &str) -> (String, bool) {
    let is_theirs = |entry: &str| entry.split_once(':').is_some_and(|(found, _)| found == name);
    match user_list::entries(text).find(|&(_, entry)| is_theirs(entry)) {
        Some((_, entry)) => {
            // The entry is a part of the text: where it begins is a difference of addresses.
            let start = entry.as_ptr() as usize - text.as_ptr() as usize;
            let (before, after) = (&text[..start], &text[start + entry.len()..]);
            (format!("{before}{name}:{hash}{after}"), false)
        }
        None => {
            let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            (format!("{text}{end}{name}:{hash}\n"), true)
        }
    }
}

/// Replaces the text of the file at `path` by what `change` makes of it: as a whole or not at all,
/// and never together with somebody else, since the new file exists while one is at it.
fn replace<T>(path: &Path, change: impl FnOnce(&str) -> (String, T)) -> Result<T, Box<dyn Error>> {
    let new = with_suffix(path, ".new");
    let mut file = private(&new).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => format!(
            "{} exists: somebody else is changing the list; if nobody is, remove it",
            new.display()
        ),
        _ => format!("{} cannot be made: {error}", new.display()),
    })?;
    let written = write_changed(path, &mut file, change);
    let replaced = written.and_then(|outcome| fs::rename(&new, path).map(|()| outcome));
    match replaced {
        Ok(outcome) => {
            sync_directory(path)?;
            Ok(outcome)
        }
        Err(error) => {
            // What is reported is the error before.
            let _ = fs::remove_file(&new);
            Err(format!("{} cannot be changed: {error}", path.display()).into())
        }
    }
}

fn write_changed<T>(
    path: &Path,
    file: &mut File,
    change: impl FnOnce(&str) -> (String, T),
) -> io::Result<T> {
    let old = match fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        read => {
            let known = fs::metadata(path)?;
            keep_owner(file, &known)?;
            file.set_permissions(known.permissions())?;
            read?
        }
    };
    let (text, outcome) = change(&old);
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(outcome)
}

/// Who could read the old file can read the new one.
fn keep_owner(file: &File, known: &fs::Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (known.uid(), known.gid()) {
        return Ok(());
    }
    fchown(file, Some(known.uid()), Some(known.gid()))
}

/// A new file that its owner alone can read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// So that the new name outlives a loss of power.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_user_stands_at_the_end() {
        for (text, expected) in [
            ("", "bob:HASH\n"),
            ("alice:A\n", "alice:A\nbob:HASH\n"),
            ("# people\nalice:A", "# people\nalice:A\nbob:HASH\n"),
            ("bobby:A\n# bob:B\n", "bobby:A\n# bob:B\nbob:HASH\n"),
        ] {
            assert_eq!(with_user(text, "bob", "HASH"), (expected.to_owned(), true));
        }
    }

    #[test]
    fn a_known_user_keeps_the_place_and_everything_else_its_bytes() {
        for (text, expected) in [
            ("bob:B", "bob:HASH"),
            (
                "# bob:B\r\n\talice:A # x\r\n bob:B  # he\r\nc:C",
                "# bob:B\r\n\talice:A # x\r\n bob:HASH  # he\r\nc:C",
            ),
            ("alice:A bob:B carol:C\n", "alice:A bob:HASH carol:C\n"),
            ("\u{feff}bob:B\n", "\u{feff}bob:HASH\n"),
        ] {
            assert_eq!(with_user(text, "bob", "HASH"), (expected.to_owned(), false));
        }
    }
}
