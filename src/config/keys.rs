//! `SESSION_AUTHENTICATION_KEY`, `SESSION_ENCRYPTION_KEY` and the previous pairs.

use std::collections::BTreeSet;

use waxseal::seal::{
    KeyError, KeyKind, Keyring, check_authentication_key, check_encryption_key, looks_weak,
};

use super::Reader;

const AUTHENTICATION_KEY: &str = "SESSION_AUTHENTICATION_KEY";
const ENCRYPTION_KEY: &str = "SESSION_ENCRYPTION_KEY";
const PREVIOUS: &str = "_PREVIOUS";
const FRESH_KEYS: &str = "`waxseal keygen` prints a fresh pair";

impl Reader {
    /// The keyring, and what its pairs are called.
    pub(super) fn keyring(&mut self) -> Option<(Keyring, Vec<String>)> {
        let current = self.pair("");
        let mut names = vec!["current".to_owned()];
        let previous = self.previous_suffixes();
        let mut keyring = match current {
            Some((authentication, encryption)) => {
                let made = Keyring::new(&authentication, &encryption);
                made.map_err(|error| self.key_fault("", error)).ok()
            }
            None => None,
        };
        for suffix in previous {
            let Some((authentication, encryption)) = self.pair(&suffix) else { continue };
            // Without a current pair the previous ones are checked all the same.
            let made = match keyring.take() {
                Some(keyring) => keyring.with_previous(&authentication, &encryption),
                None => Keyring::new(&authentication, &encryption),
            };
            keyring = made.map_err(|error| self.key_fault(&suffix, error)).ok();
            names.push(suffix.trim_start_matches('_').to_ascii_lowercase());
        }
        Some((keyring?, names))
    }

    /// The suffixes of previous pairs of which one half at least is set, youngest first.
    fn previous_suffixes(&mut self) -> Vec<String> {
        let suffix = |number: u32| match number {
            0 | 1 => PREVIOUS.to_owned(),
            number => format!("{PREVIOUS}_{number}"),
        };
        let mut numbers = BTreeSet::new();
        let mut misnamed = Vec::new();
        for (name, value) in &self.vars {
            let key = [AUTHENTICATION_KEY, ENCRYPTION_KEY];
            let Some(found) = key.iter().find_map(|key| name.strip_prefix(key)) else { continue };
            if value.is_empty() || !found.starts_with(PREVIOUS) {
                continue;
            }
            let digits = found.rsplit_once('_').and_then(|(_, digits)| digits.parse().ok());
            let number = digits.unwrap_or(1);
            // A pair that is passed over because of its name would sign everybody out.
            if found == suffix(number) {
                numbers.insert(number);
            } else {
                misnamed.push(name.clone());
            }
        }
        for name in misnamed {
            let remedy = "Previous keys end in _PREVIOUS, _PREVIOUS_2, _PREVIOUS_3 and so on.";
            self.fault(&name, "is no name of a key", remedy);
        }
        numbers.into_iter().map(suffix).collect()
    }

    /// Both keys of a pair, as bytes, each of which can be used; else a fault for each that is
    /// wrong or missing. A previous pair may be missing.
    fn pair(&mut self, suffix: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let names = [format!("{AUTHENTICATION_KEY}{suffix}"), format!("{ENCRYPTION_KEY}{suffix}")];
        let [authentication, encryption] = names.each_ref().map(|name| {
            let value = self.vars.get(name).filter(|value| !value.is_empty());
            value.map(|value| value.as_encoded_bytes().to_vec())
        });
        for (name, key) in names.iter().zip([&authentication, &encryption]) {
            match key {
                Some(key) if looks_weak(key) => self.warnings.push(format!(
                    "{name} has fewer than 8 different bytes: it is easy to guess; {FRESH_KEYS}"
                )),
                Some(_) => {}
                None if authentication.is_none() && encryption.is_none() && !suffix.is_empty() => {}
                None => self.fault(name, "is not set", format!("Set it: {FRESH_KEYS}.")),
            }
        }
        let errors = [
            authentication.as_deref().and_then(|key| check_authentication_key(key).err()),
            encryption.as_deref().and_then(|key| check_encryption_key(key).err()),
        ];
        for &error in errors.iter().flatten() {
            self.key_fault(suffix, error);
        }
        let pair = authentication.zip(encryption);
        pair.filter(|_| errors == [None, None])
    }

    fn key_fault(&mut self, suffix: &str, error: KeyError) {
        let key = match error {
            KeyError::EmptyAuthentication | KeyError::Placeholder(KeyKind::Authentication) => {
                AUTHENTICATION_KEY
            }
            _ => ENCRYPTION_KEY,
        };
        let remedy = match error {
            KeyError::RepeatedPair => "Leave one of the two out.".to_owned(),
            _ => format!("Set another: {FRESH_KEYS}."),
        };
        self.fault(&format!("{key}{suffix}"), format!("cannot be used: {error}"), remedy);
    }
}
