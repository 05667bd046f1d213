//! The crypto module: how bytes become a cookie value that nobody else can read or make.
//!
//! A [`Keyring`] holds the keys. [`Keyring::seal`] turns a [`Header`] and a payload into one line
//! of text; [`Keyring::open`] gives them back, or a [`Refusal`] that says why it does not.
//!
//! # The format
//!
//! | part | bytes | what |
//! |---|---|---|
//! | header | 33 or 50 | version, session id (16), `created` and `sealed` as big-endian unix seconds; where the session has a lifetime of its own, its idle and absolute time in seconds and a byte of flags |
//! | body | 16 + n | AES-256-SIV ([RFC 5297]) of the payload, bound to the cookie's name and the header |
//! | tag | 32 | HMAC-SHA256 ([RFC 2104]) of name, header and body |
//!
//! `docs/seal.md` has it byte by byte. The value is base64url ([RFC 4648] section 5) without padding, in its one canonical spelling.
//! Both keys are derived by HKDF-SHA256 ([RFC 5869]) with the salt `waxseal/v1`. Two more keys,
//! for the [`Fingerprint`] of a credential and for what binds it to a session in a store, are derived
//! from the authentication key with the infos `fingerprint` and `binding`; they are no part of the
//! seal.
//!
//! Two keys, because forging then takes both, and because a process that has the authentication
//! key alone can tell a genuine cookie from a forged one without being able to read it.
//!
//! ```
//! use std::time::Duration;
//! use waxseal::seal::{Header, Id, Keyring, Lifetimes, Refusal, SessionLifetime, Version};
//!
//! let keyring = Keyring::new(b"any length, but not empty", b"0123456789abcdef")?;
//! let lifetime = SessionLifetime::default();
//! let header =
//!     Header::new(Version::Values, Id::random(), 1_000, 1_000).with_lifetime(lifetime);
//! let value = keyring.seal("waxseal", &header, b"username=foo");
//!
//! let lifetimes = Lifetimes { idle: Duration::from_secs(60), absolute: Duration::from_secs(600) };
//! let opened = keyring.open("waxseal", &value, Version::Values, lifetimes, 1_030)?;
//! assert_eq!(opened.payload(), b"username=foo");
//! assert_eq!(
//!     keyring.open("waxseal", &value, Version::Values, lifetimes, 1_060).unwrap_err(),
//!     Refusal::Idle
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [RFC 2104]: https://www.rfc-editor.org/rfc/rfc2104
//! [RFC 4648]: https://www.rfc-editor.org/rfc/rfc4648
//! [RFC 5297]: https://www.rfc-editor.org/rfc/rfc5297
//! [RFC 5869]: https://www.rfc-editor.org/rfc/rfc5869

mod fingerprint;
mod header;
mod keyring;
mod lifetimes;
mod opening;
mod sealing;
mod session_lifetime;

pub use fingerprint::Fingerprint;
pub(crate) use fingerprint::Match;
pub use header::{Header, Id, Version};
pub use keyring::{
    KeyError, KeyKind, Keyring, check_authentication_key, check_encryption_key, looks_weak,
};
pub use lifetimes::{CLOCK_SKEW, Lifetimes};
pub(crate) use opening::Authentic;
pub use opening::{Opened, Refusal};
pub use session_lifetime::SessionLifetime;

/// Longest cookie value that is looked at, and longest name and value together that browsers keep
/// (RFC 6265, section 6.1), in bytes.
pub const MAX_COOKIE: usize = 4096;

/// Length of the synthetic IV in front of the ciphertext (RFC 5297), in bytes.
const SIV_LEN: usize = 16;
/// Length of the HMAC-SHA256 tag, not shortened, in bytes.
const TAG_LEN: usize = 32;
/// The one payload of a [`Version::Stored`] seal.
pub(crate) const STORED_PAYLOAD: &[u8] = b"stored";
