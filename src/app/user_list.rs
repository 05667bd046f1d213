//! A list of users: one `name:hash` a line, `#` begins a comment.

use std::collections::HashMap;
use std::fmt;

use super::password_hash::{HashError, Memory, PasswordHash};

/// Longest name, in bytes.
pub const MAX_NAME: usize = 128;

/// The users who may sign in: one at least.
#[derive(Debug)]
pub struct UserList {
    hashes: Vec<PasswordHash>,
    /// Where each user's stands.
    by_name: HashMap<String, usize>,
}

impl UserList {
    /// The users in `text`: lines, or, within a line, parted by spaces.
    pub fn parse(text: &str) -> Result<UserList, Vec<BadEntry>> {
        let mut user_list = UserList { hashes: Vec::new(), by_name: HashMap::new() };
        let mut faults = Vec::new();
        for (line, entry) in entries(text) {
            if let Err(error) = user_list.add(entry) {
                // Without a colon it is no name: it may be a password, or half of a hash.
                let name = entry.split_once(':').map(|(name, _)| name.to_owned());
                faults.push(BadEntry { line, name, error });
            }
        }
        if faults.is_empty() && user_list.hashes.is_empty() {
            faults.push(BadEntry { line: 1, name: None, error: EntryError::Nobody });
        }
        if faults.is_empty() { Ok(user_list) } else { Err(faults) }
    }

    fn add(&mut self, entry: &str) -> Result<(), EntryError> {
        let (name, hash) = entry.split_once(':').ok_or(EntryError::NoColon)?;
        check_name(name)?;
        let hash = PasswordHash::parse(hash).map_err(EntryError::Hash)?;
        if self.by_name.insert(name.to_owned(), self.hashes.len()).is_some() {
            return Err(EntryError::Twice);
        }
        self.hashes.push(hash);
        Ok(())
    }

    /// Each user's name and stored hash.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PasswordHash)> {
        self.by_name.iter().map(|(name, &index)| (name.as_str(), &self.hashes[index]))
    }

    /// Whether `password` is right for the user called `name`.
    ///
    /// For a name that is unknown somebody's hash is verified all the same, always the same one's
    /// (`decoy` says whose), so that unknown names take the times that known ones do, even where
    /// hashes differ in their cost.
    pub fn verify(&self, name: &str, password: &str, decoy: u64, memory: &mut Memory) -> bool {
        let known = self.by_name.get(name).map(|&index| &self.hashes[index]);
        // Below the length of a list in memory.
        let decoy = &self.hashes[(decoy % self.hashes.len() as u64) as usize];
        let fits = known.unwrap_or(decoy).fits(password, memory);
        fits && known.is_some()
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// How many users have a hash that took less work than one made today.
    pub fn cheap_hashes(&self) -> usize {
        self.hashes.iter().filter(|hash| hash.is_cheap()).count()
    }
}

/// The entries in `text`, each with its line.
pub fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.lines().zip(1..).flat_map(move |(line, number)| {
        line.split_whitespace()
            .take_while(|word| !word.starts_with('#'))
            .map(move |entry| (number, entry))
    })
}

/// Whether `name` can stand in a list of users.
pub fn check_name(name: &str) -> Result<(), EntryError> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == ':';
    if name.is_empty() || name.len() > MAX_NAME || name.starts_with('#') || name.contains(is_odd) {
        return Err(EntryError::Name);
    }
    Ok(())
}

/// An entry that cannot be used. Never holds anything of it but the name.
#[derive(Debug, PartialEq, Eq)]
pub struct BadEntry {
    pub line: usize,
    pub name: Option<String>,
    pub error: EntryError,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryError {
    /// It is no `name:hash`.
    NoColon,
    /// The name is empty, too long, or has a character that names may not have.
    Name,
    /// The hash cannot be used.
    Hash(HashError),
    /// The name stands above already.
    Twice,
    /// There is no entry at all.
    Nobody,
}

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(name) = &self.name {
            write!(f, ", {name:?}")?;
        }
        write!(f, ": {}", self.error)
    }
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EntryError::NoColon => f.write_str("there is no colon between a name and a hash"),
            EntryError::Name => write!(
                f,
                "a name has 1 to {MAX_NAME} bytes, no space, no colon, and begins with no #"
            ),
            EntryError::Hash(error) => error.fmt(f),
            EntryError::Twice => f.write_str("the name stands above already"),
            EntryError::Nobody => f.write_str("there is no user"),
        }
    }
}

impl std::error::Error for EntryError {}

#[cfg(test)]
mod tests {
    use super::super::password_hash::Cost;
    use super::*;

    fn hash(password: &str) -> String {
        let cost = Cost { memory: 8, iterations: 1, parallelism: 1 };
        PasswordHash::new(password, cost).unwrap().as_str().to_owned()
    }

    fn parse(text: &str) -> Result<UserList, Vec<BadEntry>> {
        UserList::parse(text)
    }

    #[test]
    fn users_stand_one_a_line_or_parted_by_spaces() {
        let (a, b) = (hash("a"), hash("b"));
        for text in [
            format!("alice:{a}\nbob:{b}"),
            format!("\u{feff}# people\r\n\r\nalice:{a}\r\n  # more\r\n\tbob:{b} # he\r\n"),
            format!("alice:{a} bob:{b}"),
        ] {
            let user_list = parse(&text).unwrap();
            assert_eq!(user_list.len(), 2);
            assert!(
                user_list.verify("alice", "a", 0, &mut Memory::new())
                    && user_list.verify("bob", "b", 0, &mut Memory::new())
            );
            assert!(
                !user_list.verify("alice", "b", 0, &mut Memory::new())
                    && user_list.iter().all(|(name, _)| name != "carol")
            );
        }
    }

    #[test]
    fn every_bad_line_is_told_by_number_and_name_and_never_by_content() {
        let good = hash("a");
        let text = format!(
            "alice:{good}\n# comment\nbob:hunter2\nhunter3\n:{good}\nalice:{good}\nna\u{7f}me:{good}"
        );
        let faults = parse(&text).err().unwrap();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "line 3, \"bob\": there is no hash of a password",
                "line 4: there is no colon between a name and a hash",
                "line 5, \"\": a name has 1 to 128 bytes, no space, no colon, and begins with no #",
                "line 6, \"alice\": the name stands above already",
                "line 7, \"na\\u{7f}me\": a name has 1 to 128 bytes, no space, no colon, and begins \
                 with no #",
            ]
        );
    }

    #[test]
    fn an_empty_list_is_a_fault_and_not_an_open_door() {
        for text in ["", "\n\n", "# nobody\n"] {
            assert_eq!(parse(text).err().unwrap()[0].error, EntryError::Nobody);
        }
    }

    #[test]
    fn an_unknown_name_signs_nobody_in_whoevers_hash_is_verified() {
        let user_list = parse(&format!("alice:{} bob:{}", hash("a"), hash("b"))).unwrap();
        for decoy in 0..4 {
            assert!(!user_list.verify("carol", "a", decoy, &mut Memory::new()));
            assert!(!user_list.verify("carol", "b", decoy, &mut Memory::new()));
            assert!(!user_list.verify("", "", decoy, &mut Memory::new()));
        }
    }

    #[test]
    fn cheap_hashes_are_counted() {
        let today = PasswordHash::new("a", Cost::default()).unwrap();
        let user_list = parse(&format!("alice:{} bob:{}", hash("a"), today.as_str())).unwrap();
        assert_eq!((user_list.len(), user_list.cheap_hashes()), (2, 1));
    }
}
