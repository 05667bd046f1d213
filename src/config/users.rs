//! `USERS_FILE` and `USERS`: who may sign in.

use std::path::PathBuf;

use super::Reader;
use crate::app::user_list::{BadEntry, UserList};
use crate::app::{UsersFile, UsersFileError};

const USERS_FILE: &str = "USERS_FILE";
const USERS: &str = "USERS";

/// The users that are configured.
#[derive(Debug)]
pub struct ConfiguredUsers {
    /// Who they are.
    pub user_list: UserList,
    /// The file that they stand in, where it is one.
    pub file: Option<UsersFile>,
}

impl Reader {
    /// The users; none is the demonstration.
    pub(super) fn users(&mut self) -> Option<ConfiguredUsers> {
        let file = self.vars.get(USERS_FILE).filter(|path| !path.is_empty()).cloned();
        let text = self.text(USERS);
        match (file, text) {
            (Some(_), Some(_)) => {
                self.fault(USERS, "is set, and USERS_FILE too", "Leave one of the two out.");
                None
            }
            (Some(path), None) => self.users_of_file(path.into()),
            (None, Some(text)) => self.users_of_text(&text),
            (None, None) => None,
        }
    }

    fn users_of_file(&mut self, path: PathBuf) -> Option<ConfiguredUsers> {
        let mut file = UsersFile::new(path);
        match file.read() {
            Ok(user_list) => Some(ConfiguredUsers { user_list, file: Some(file) }),
            Err(UsersFileError::Unreadable(error)) => {
                let remedy = "`waxseal add-user FILE NAME` makes one.";
                self.fault(
                    USERS_FILE,
                    format!("names a file that cannot be read: {error}"),
                    remedy,
                );
                None
            }
            Err(UsersFileError::Entries(entries)) => self.bad_entries(USERS_FILE, entries),
        }
    }

    fn users_of_text(&mut self, text: &str) -> Option<ConfiguredUsers> {
        match UserList::parse(text) {
            Ok(user_list) => Some(ConfiguredUsers { user_list, file: None }),
            Err(entries) => self.bad_entries(USERS, entries),
        }
    }

    fn bad_entries(&mut self, variable: &str, entries: Vec<BadEntry>) -> Option<ConfiguredUsers> {
        for entry in entries {
            let remedy = "Write name:hash; `waxseal hash-password` prints a hash.";
            self.fault(variable, entry.to_string(), remedy);
        }
        None
    }
}
