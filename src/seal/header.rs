//! The 33 bytes that every sealed cookie begins with.

use std::fmt;

/// Where the values of a sealed session are.
///
/// ```
/// use waxseal::seal::Version;
///
/// assert_eq!([Version::Values as u8, Version::Stored as u8], [1, 2]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Version {
    /// Inside the cookie (`0x01`).
    Values = 1,
    /// In a store, under the SHA-256 of the id (`0x02`); the payload is the word `stored`.
    Stored = 2,
}

impl Version {
    pub(super) fn from_byte(byte: u8) -> Option<Version> {
        match byte {
            1 => Some(Version::Values),
            2 => Some(Version::Stored),
            _ => None,
        }
    }
}

/// A session's id: 16 random bytes, new at every sign-in, named by a revocation.
///
/// Its `Debug` shows the first four bytes alone: enough to follow a session through a log, too
/// little to name it to a store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; Id::LEN]);

impl Id {
    /// Length of an id in bytes.
    pub const LEN: usize = 16;

    /// A fresh id from the operating system's random numbers.
    ///
    /// # Panics
    ///
    /// Where the operating system has no random numbers to give, which on every supported system
    /// means that it is broken: a predictable id would be worse than none.
    ///
    /// ```
    /// use waxseal::seal::Id;
    ///
    /// assert_ne!(Id::random(), Id::random());
    /// ```
    #[must_use]
    pub fn random() -> Id {
        let mut bytes = [0; Id::LEN];
        // Linux's getrandom(2) cannot fail for 16 bytes once the pool is ready, and blocks before.
        getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
        Id(bytes)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Id({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// What a sealed cookie says of its session in the clear, and cannot be changed without the keys.
///
/// ```
/// use waxseal::seal::{Header, Id, Version};
///
/// let header = Header { version: Version::Values, id: Id([7; 16]), created: 1, sealed: 2 };
/// assert_eq!(header, header.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Where the values are.
    pub version: Version,
    /// The session's id.
    pub id: Id,
    /// When the session began, in unix seconds: its absolute age counts from here.
    pub created: u64,
    /// When this cookie was made, in unix seconds: its idle age counts from here.
    pub sealed: u64,
}

impl Header {
    /// Length of a header in bytes: version, id, two times.
    pub(super) const LEN: usize = 1 + Id::LEN + 8 + 8;

    pub(super) fn to_bytes(&self) -> [u8; Header::LEN] {
        let mut bytes = [0; Header::LEN];
        bytes[0] = self.version as u8;
        bytes[1..17].copy_from_slice(&self.id.0);
        bytes[17..25].copy_from_slice(&self.created.to_be_bytes());
        bytes[25..].copy_from_slice(&self.sealed.to_be_bytes());
        bytes
    }

    /// The header in `bytes`, or the byte that is no known version.
    pub(super) fn from_bytes(bytes: &[u8; Header::LEN]) -> Result<Header, u8> {
        let mut id = [0; Id::LEN];
        id.copy_from_slice(&bytes[1..17]);
        Ok(Header {
            version: Version::from_byte(bytes[0]).ok_or(bytes[0])?,
            id: Id(id),
            created: be_u64(bytes, 17),
            sealed: be_u64(bytes, 25),
        })
    }
}

fn be_u64(bytes: &[u8; Header::LEN], at: usize) -> u64 {
    u64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]))
}

const _: () = assert!(Header::LEN == 33);
