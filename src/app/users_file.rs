//! The file with the list of users, read again when it changes.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use log::{error, info};

use super::user_list::{BadEntry, UserList};
use super::users::Users;

/// How often it is looked at. A change counts once it has been left alone for that long: half of a
/// list, as an editor may leave it for a moment, would sign the other half out.
const POLL: Duration = Duration::from_millis(500);

/// A file with a list of users.
#[derive(Debug)]
pub struct UsersFile {
    path: PathBuf,
    /// What it was like when it was last read.
    read: Option<Stamp>,
    /// What it was like when it was last looked at.
    seen: Option<Stamp>,
}

/// What changes when a file does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// The file itself, where it is replaced by another.
    number: u64,
}

impl UsersFile {
    /// The file at `path`, which need not be there.
    pub fn new(path: PathBuf) -> UsersFile {
        UsersFile { path, read: None, seen: None }
    }

    /// Its users.
    pub fn read(&mut self) -> Result<UserList, UsersFileError> {
        // Before its content: what changes in between is read again; and so is what could not be.
        let stamp = self.stamp();
        let text = fs::read_to_string(&self.path).map_err(UsersFileError::Unreadable)?;
        self.read = stamp;
        UserList::parse(&text).map_err(UsersFileError::Entries)
    }

    /// Keeps `users` as the file says, from a thread of its own.
    pub fn watch(mut self, users: Arc<Users>) -> io::Result<()> {
        let watch = move || {
            loop {
                thread::sleep(POLL);
                self.look(&users);
            }
        };
        thread::Builder::new().name("users".to_owned()).spawn(watch)?;
        Ok(())
    }

    /// Reads it if it has changed, and not since the last look.
    fn look(&mut self, users: &Users) {
        let now = self.stamp();
        let before = std::mem::replace(&mut self.seen, now);
        if self.seen == self.read || self.seen != before {
            return;
        }
        match self.read() {
            Ok(user_list) => {
                info!(users = user_list.len(); "the users have changed");
                users.replace(user_list);
            }
            Err(UsersFileError::Unreadable(error)) => {
                error!(error:% = error; "USERS_FILE cannot be read; the old users stay");
            }
            Err(UsersFileError::Entries(entries)) => {
                for entry in entries {
                    error!(entry:% = entry; "USERS_FILE cannot be used; the old users stay");
                }
            }
        }
    }

    fn stamp(&self) -> Option<Stamp> {
        fs::metadata(&self.path).ok().map(|metadata| Stamp::of(&metadata))
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp { modified: metadata.modified().ok(), length: metadata.len(), number: metadata.ino() }
    }
}

/// Why a file gives no users.
#[derive(Debug)]
pub enum UsersFileError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// These entries cannot be used.
    Entries(Vec<BadEntry>),
}
