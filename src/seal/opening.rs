//! Opening: one line of text in, header and payload out, or the reason why not.

use std::error::Error;
use std::fmt;

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Mac;

use super::keyring::Pair;
use super::{Header, Keyring, Lifetimes, MAX_COOKIE, SIV_LEN, STORED_PAYLOAD, TAG_LEN, Version};

/// Longest value, decoded.
const MAX_DECODED: usize = MAX_COOKIE / 4 * 3;

impl Keyring {
    /// Opens `value`, which came as the cookie called `name`, at `now` (unix seconds).
    ///
    /// # Errors
    ///
    /// [`Refusal`]: the first of the checks that failed, in the order of its variants.
    ///
    /// See the [module](super) for an example.
    pub fn open(
        &self,
        name: &str,
        value: &str,
        version: Version,
        lifetimes: Lifetimes,
        now: u64,
    ) -> Result<Opened, Refusal> {
        self.authenticate(name, value)?.open(version, lifetimes, now)
    }

    /// The same at any time, for a look at what has expired: neither lifetimes nor clocks are asked.
    ///
    /// # Errors
    ///
    /// [`Refusal`], as [`Keyring::open`], but for those that are about times.
    ///
    /// ```
    /// use waxseal::seal::{Header, Id, Keyring, SessionLifetime, Version};
    ///
    /// let keyring = Keyring::new(b"any length, but not empty", b"0123456789abcdef")?;
    /// let lifetime = SessionLifetime::default();
    /// let header = Header::new(Version::Values, Id::random(), 1, 2).with_lifetime(lifetime);
    /// let value = keyring.seal("waxseal", &header, b"username=foo");
    /// assert_eq!(keyring.open_at_any_time("waxseal", &value, Version::Values)?.header, header);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open_at_any_time(
        &self,
        name: &str,
        value: &str,
        version: Version,
    ) -> Result<Opened, Refusal> {
        self.authenticate(name, value)?.decrypt(version, |_| Ok(()))
    }

    /// Checks that a pair of the keyring made `value`, which came as the cookie called `name`. An
    /// error is one of the first four refusals.
    pub(crate) fn authenticate(&self, name: &str, value: &str) -> Result<Authentic<'_>, Refusal> {
        let (sealed, header) = Sealed::decode(name, value)?;
        match self.pairs().iter().position(|pair| sealed.is_made_by(pair)) {
            Some(first) => Ok(Authentic { pairs: self.pairs(), first, sealed, header }),
            None => Err(Refusal::Forged),
        }
    }
}

/// A value that a pair of the keyring made. Its header can be believed; it is not opened yet.
pub(crate) struct Authentic<'k> {
    pairs: &'k [Pair],
    /// The first pair whose authentication key made it.
    first: usize,
    sealed: Sealed,
    header: Header,
}

impl Authentic<'_> {
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// The rest of what [`Keyring::open`] does.
    pub(crate) fn open(
        self,
        version: Version,
        lifetimes: Lifetimes,
        now: u64,
    ) -> Result<Opened, Refusal> {
        self.decrypt(version, |header| lifetimes.check(header, now))
    }

    fn decrypt(
        mut self,
        version: Version,
        check_times: impl Fn(&Header) -> Result<(), Refusal>,
    ) -> Result<Opened, Refusal> {
        if self.header.version != version {
            return Err(Refusal::OtherVersion(self.header.version));
        }
        check_times(&self.header)?;
        for (index, pair) in self.pairs.iter().enumerate().skip(self.first) {
            // Two pairs may share the authentication key, where the other key alone was changed:
            // what this pair cannot decrypt, the next may.
            let is_made_by_it = index == self.first || self.sealed.is_made_by(pair);
            if is_made_by_it && self.sealed.decrypt(&pair.siv_key) {
                return self.sealed.into_opened(self.header, index);
            }
        }
        Err(Refusal::Undecryptable)
    }
}

/// A decoded value behind its context: name, NUL, header, synthetic IV, ciphertext, tag.
struct Sealed {
    buffer: Vec<u8>,
    siv_at: usize,
}

impl Sealed {
    fn decode(name: &str, value: &str) -> Result<(Sealed, Header), Refusal> {
        if value.len() > MAX_COOKIE {
            return Err(Refusal::TooLong(value.len()));
        }
        let header_at = name.len() + 1;
        let mut buffer = Vec::with_capacity(header_at + MAX_DECODED.min(value.len()));
        buffer.extend_from_slice(name.as_bytes());
        buffer.push(0);
        BASE64_URL_SAFE_NO_PAD.decode_vec(value, &mut buffer).map_err(|_| Refusal::NotBase64url)?;
        let is_too_short =
            |header_len: usize| buffer.len() - header_at <= header_len + SIV_LEN + TAG_LEN;
        if is_too_short(Header::MIN_LEN) {
            return Err(Refusal::TooShort);
        }
        let (header, header_len) = Header::read(&buffer[header_at..])?;
        if is_too_short(header_len) {
            return Err(Refusal::TooShort);
        }
        Ok((Sealed { buffer, siv_at: header_at + header_len }, header))
    }

    fn tag_at(&self) -> usize {
        self.buffer.len() - TAG_LEN
    }

    fn is_made_by(&self, pair: &Pair) -> bool {
        let mac = pair.mac.clone().chain_update(self.context_and_body());
        mac.verify_slice(self.tag()).is_ok()
    }

    fn context_and_body(&self) -> &[u8] {
        &self.buffer[..self.tag_at()]
    }

    fn tag(&self) -> &[u8] {
        &self.buffer[self.tag_at()..]
    }

    /// Decrypts in place; where that fails, the ciphertext is as it was.
    fn decrypt(&mut self, siv_key: &[u8; 64]) -> bool {
        let (siv_at, tag_at) = (self.siv_at, self.tag_at());
        let (context, body) = self.buffer[..tag_at].split_at_mut(siv_at);
        let (siv, text) = body.split_at_mut(SIV_LEN);
        let Ok(siv) = (&*siv).try_into() else { return false };
        Aes256Siv::new(siv_key.into())
            .decrypt_inout_detached([&*context], text.into(), &siv)
            .is_ok()
    }

    fn into_opened(mut self, header: Header, key: usize) -> Result<Opened, Refusal> {
        let payload_at = self.siv_at + SIV_LEN;
        self.buffer.truncate(self.tag_at());
        let opened = Opened { header, key, buffer: self.buffer, payload_at };
        let allowed = match opened.header.version {
            Version::Values => true,
            Version::Stored => opened.payload() == STORED_PAYLOAD,
        };
        if allowed { Ok(opened) } else { Err(Refusal::Payload) }
    }
}

/// What a cookie value held. The [module](super) has an example.
///
/// ```
/// use waxseal::seal::{Header, Id, Keyring, Lifetimes, Version};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let header = Header::new(Version::Values, Id::random(), 1, 2);
/// let value = keyring.seal("name", &header, b"theme=dark");
/// let opened = keyring.open("name", &value, Version::Values, Lifetimes::default(), 3).unwrap();
/// assert_eq!((opened.payload(), opened.header.id), (&b"theme=dark"[..], header.id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// What it says of its session.
    pub header: Header,
    /// Which pair of the keyring opened it: 0 is the current one.
    pub key: usize,
    buffer: Vec<u8>,
    payload_at: usize,
}

impl Opened {
    /// The payload, as it was sealed.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.buffer[self.payload_at..]
    }
}

impl fmt::Debug for Opened {
    /// Without the payload, which is the visitor's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("header", &self.header)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Why a value was not opened: the checks in the order in which they are made.
///
/// ```
/// use waxseal::seal::{Keyring, Lifetimes, Refusal, Version};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let refused = keyring.open("name", "AQ", Version::Values, Lifetimes::default(), 3).err();
/// assert_eq!(refused, Some(Refusal::TooShort));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Longer than [`MAX_COOKIE`]; it has this many bytes, and was not decoded.
    TooLong(usize),
    /// Not base64url, or not its one canonical spelling: padded, a stray character, trailing bits.
    NotBase64url,
    /// No room for a header, a body and a tag.
    TooShort,
    /// The first byte is no version that this code knows.
    UnknownVersion(u8),
    /// The tag is right under no key of the keyring: made without the keys, for another cookie,
    /// or changed since.
    Forged,
    /// The version is known, and not the one expected here.
    OtherVersion(Version),
    /// Made more than [`CLOCK_SKEW`](super::CLOCK_SKEW) seconds from now.
    Future,
    /// It claims that its session began after the cookie was made.
    CreatedAfterSealed,
    /// Older than the idle time.
    Idle,
    /// Its session is older than the absolute lifetime.
    TooOld,
    /// The authentication key is right, and the encryption key of no such pair.
    Undecryptable,
    /// Decrypted, to something that this version does not allow.
    Payload,
}

impl Refusal {
    /// The refusal as one lower-case word, for machines.
    ///
    /// ```
    /// use waxseal::seal::Refusal;
    ///
    /// assert_eq!(Refusal::TooLong(5000).as_str(), "too_long");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::TooLong(_) => "too_long",
            Refusal::NotBase64url => "not_base64url",
            Refusal::TooShort => "too_short",
            Refusal::UnknownVersion(_) => "unknown_version",
            Refusal::OtherVersion(_) => "other_version",
            Refusal::Forged => "forged",
            Refusal::Future => "future",
            Refusal::CreatedAfterSealed => "created_after_sealed",
            Refusal::Idle => "idle",
            Refusal::TooOld => "too_old",
            Refusal::Undecryptable => "undecryptable",
            Refusal::Payload => "payload",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooLong(length) => {
                write!(f, "it has {length} bytes, more than {MAX_COOKIE}")
            }
            Refusal::NotBase64url => f.write_str("it is not canonical base64url without padding"),
            Refusal::TooShort => f.write_str("it is too short for a seal"),
            Refusal::UnknownVersion(byte) => write!(f, "its version, {byte}, is unknown"),
            Refusal::OtherVersion(Version::Values) => {
                f.write_str("it carries values, and values are in a store here")
            }
            Refusal::OtherVersion(Version::Stored) => {
                f.write_str("its values are in a store, and there is none here")
            }
            Refusal::Forged => f.write_str("no key authenticates it under this cookie name"),
            Refusal::Future => f.write_str("it was sealed in the future"),
            Refusal::CreatedAfterSealed => f.write_str("it was sealed before its session began"),
            Refusal::Idle => f.write_str("its idle time has run out"),
            Refusal::TooOld => f.write_str("its session's lifetime has run out"),
            Refusal::Undecryptable => {
                f.write_str("its authentication key is right, its encryption key is not")
            }
            Refusal::Payload => f.write_str("its payload is not what its version allows"),
        }
    }
}

impl Error for Refusal {}
