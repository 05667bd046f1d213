//! Values of any type that serde knows.

use std::error::Error;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ReservedName, Session};

impl Session {
    /// Sets the value under `name` to the JSON of `value`: any type of serde's.
    ///
    /// # Errors
    ///
    /// [`JsonError`] where the name is reserved, or where the value has no JSON, as a map whose keys are no text.
    ///
    /// ```
    /// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Item {
    ///     product: String,
    ///     count: u32,
    /// }
    ///
    /// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
    /// # let mut session = sessions.load("", Scheme::Http)?;
    /// let basket = vec![Item { product: "tea".to_owned(), count: 2 }];
    /// session.insert_json("basket", &basket)?;
    /// assert_eq!(session.get_json("basket"), Some(basket));
    /// assert_eq!(session.get("basket"), Some(r#"[{"product":"tea","count":2}]"#));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn insert_json<T: Serialize + ?Sized>(
        &mut self,
        name: &str,
        value: &T,
    ) -> Result<(), JsonError> {
        let text = serde_json::to_string(value).map_err(|error| JsonError::Value(error.into()))?;
        self.insert(name, text).map_err(JsonError::Name)
    }

    /// The value under `name`, read as the JSON of a `T`; `None` where there is none, or where it is no `T`.
    #[must_use]
    pub fn get_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.get(name)?).ok()
    }
}

/// Why [`Session::insert_json`] changed nothing.
///
/// ```
/// # use waxseal::{seal::Keyring, session::{Scheme, Sessions}};
/// use waxseal::session::JsonError;
///
/// # let sessions = Sessions::sealed(Keyring::new(b"key", b"0123456789abcdef")?);
/// # let mut session = sessions.load("", Scheme::Http)?;
/// assert!(matches!(session.insert_json("username", "admin"), Err(JsonError::Name(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum JsonError {
    /// The name is Waxseal's own.
    Name(ReservedName),
    /// The value has no JSON.
    Value(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JsonError::Name(error) => error.fmt(f),
            JsonError::Value(_) => f.write_str("the value has no JSON"),
        }
    }
}

impl Error for JsonError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            JsonError::Name(_) => None,
            JsonError::Value(error) => Some(error.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::seal::Keyring;
    use crate::session::{Scheme, Sessions};

    #[test]
    fn other_types_and_other_names_are_refused() {
        let keyring = Keyring::new(b"authentication", b"0123456789abcdef").unwrap();
        let mut session = Sessions::sealed(keyring).load("", Scheme::Http).unwrap();
        assert!(matches!(session.insert_json("_x", &1), Err(JsonError::Name(_))));
        let keys_are_lists = BTreeMap::from([(vec![1], 1)]);
        assert!(matches!(session.insert_json("x", &keys_are_lists), Err(JsonError::Value(_))));
        assert!(!session.is_changed());
        session.insert_json("x", &[1, 2]).unwrap();
        assert_eq!(session.get_json::<Vec<u8>>("x"), Some(vec![1, 2]));
        assert_eq!(session.get_json::<Vec<bool>>("x"), None);
        assert_eq!(session.get_json::<u8>("y"), None);
        session.keep_what_must_hold();
    }
}
