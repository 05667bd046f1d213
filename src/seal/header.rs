//! The header of a sealed cookie: 33 bytes, and 17 more if its session has a lifetime of its own.

use std::fmt;

use super::{Refusal, SessionLifetime};

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

/// A header with a lifetime has a version that is greater by this number.
const WITH_LIFETIME: u8 = 2;

impl Version {
    /// The version that this byte of a header says, and whether a lifetime is part of it.
    fn from_byte(byte: u8) -> Option<(Version, bool)> {
        match byte {
            1 => Some((Version::Values, false)),
            2 => Some((Version::Stored, false)),
            3 => Some((Version::Values, true)),
            4 => Some((Version::Stored, true)),
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
/// use waxseal::seal::{Header, Id, SessionLifetime, Version};
///
/// let header = Header::new(Version::Values, Id([7; 16]), 1, 2);
/// assert_eq!((header.created, header.sealed), (1, 2));
/// assert_eq!(header.lifetime, SessionLifetime::default());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Where the values are.
    pub version: Version,
    /// The session's id.
    pub id: Id,
    /// When the session began, in unix seconds: its absolute age counts from here.
    pub created: u64,
    /// When this cookie was made, in unix seconds: its idle age counts from here.
    pub sealed: u64,
    /// Its own lifetime; it takes no room where it is the settings' one.
    pub lifetime: SessionLifetime,
}

impl Header {
    /// Length in bytes of the shortest: version, id, two times.
    pub(super) const MIN_LEN: usize = 1 + Id::LEN + 8 + 8;

    /// The header of a session with the settings' lifetime, that began and was sealed at these times, in unix seconds.
    #[must_use]
    pub fn new(version: Version, id: Id, created: u64, sealed: u64) -> Header {
        Header { version, id, created, sealed, lifetime: SessionLifetime::default() }
    }

    /// The same with a lifetime of its own.
    #[must_use]
    pub fn with_lifetime(self, lifetime: SessionLifetime) -> Header {
        Header { lifetime, ..self }
    }

    /// The first byte of the sealed cookie: 1 or 2, as the [`Version`]; where the session has a lifetime of its
    /// own, 3 for values inside and 4 for values in a store.
    ///
    /// ```
    /// use waxseal::seal::{Header, Id, SessionLifetime, Version};
    ///
    /// let lifetime = SessionLifetime::default();
    /// let header = Header::new(Version::Stored, Id([7; 16]), 1, 2);
    /// assert_eq!(header.version_byte(), 2);
    /// assert_eq!(header.with_lifetime(lifetime.until_browser_closes()).version_byte(), 4);
    /// ```
    #[must_use]
    pub fn version_byte(&self) -> u8 {
        let more = if self.lifetime.is_default() { 0 } else { WITH_LIFETIME };
        self.version as u8 + more
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> usize {
        Header::MIN_LEN + if self.lifetime.is_default() { 0 } else { SessionLifetime::LEN }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(self.version_byte());
        out.extend_from_slice(&self.id.0);
        out.extend_from_slice(&self.created.to_be_bytes());
        out.extend_from_slice(&self.sealed.to_be_bytes());
        if !self.lifetime.is_default() {
            out.extend_from_slice(&self.lifetime.to_bytes());
        }
    }

    /// The header that `bytes` begin with, and its length there.
    pub(super) fn read(bytes: &[u8]) -> Result<(Header, usize), Refusal> {
        let mut rest = bytes;
        let [byte] = take(&mut rest)?;
        let (version, has_lifetime) =
            Version::from_byte(byte).ok_or(Refusal::UnknownVersion(byte))?;
        let header = Header {
            version,
            id: Id(take(&mut rest)?),
            created: u64::from_be_bytes(take(&mut rest)?),
            sealed: u64::from_be_bytes(take(&mut rest)?),
            lifetime: match has_lifetime {
                true => SessionLifetime::from_bytes(&take(&mut rest)?),
                false => SessionLifetime::default(),
            },
        };
        Ok((header, bytes.len() - rest.len()))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Refusal> {
    let (first, rest) = bytes.split_first_chunk().ok_or(Refusal::TooShort)?;
    *bytes = rest;
    Ok(*first)
}

const _: () = assert!(Header::MIN_LEN == 33 && Header::MIN_LEN + SessionLifetime::LEN == 50);
