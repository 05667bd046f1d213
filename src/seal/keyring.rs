//! The keys: checked and derived once, wiped when dropped, shown to nobody.

use std::error::Error;
use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// Salt of every derivation; a new format would take a new one.
const SALT: &[u8] = b"waxseal/v1";
/// Length of an AES-256-SIV key: one AES-256 key for the MAC, one for the cipher (RFC 5297).
const SIV_KEY_LEN: usize = 64;
/// A key with fewer distinct bytes than this was typed by hand.
const FEW_DISTINCT_BYTES: usize = 8;

/// A current pair of keys, which seals and opens, and previous pairs, which open.
///
/// Both keys of a pair are stretched by HKDF-SHA256 (RFC 5869) at once, so that every accepted
/// length is as good as another afterwards. Nothing of a keyring is shown by `Debug`, and its
/// memory is wiped when it is dropped.
///
/// ```
/// use waxseal::seal::{KeyError, Keyring};
///
/// let keyring = Keyring::new(b"authentication: any length", b"encryption: 16, 24, 32 and above")?
///     .with_previous(b"last year's authentication", b"last year's 24-byte key.")?;
/// assert_eq!(format!("{keyring:?}"), "Keyring { pairs: 2, .. }");
///
/// assert_eq!(
///     Keyring::new(b"authentication", b"too short").unwrap_err(),
///     KeyError::EncryptionLength(9)
/// );
/// # Ok::<(), KeyError>(())
/// ```
pub struct Keyring {
    /// Newest first, never empty.
    pairs: Vec<Pair>,
}

impl Keyring {
    /// A keyring of one pair: `authentication` of any length but empty; `encryption` of 16, 24 or
    /// 32 bytes, or longer.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says which of the two is wrong, and how.
    pub fn new(authentication: &[u8], encryption: &[u8]) -> Result<Keyring, KeyError> {
        Ok(Keyring { pairs: vec![Pair::new(authentication, encryption)?] })
    }

    /// Adds a pair that still opens what it sealed; the pairs added first are tried first.
    ///
    /// # Errors
    ///
    /// As [`Keyring::new`], and [`KeyError::RepeatedPair`] where the keyring has the pair already.
    pub fn with_previous(
        mut self,
        authentication: &[u8],
        encryption: &[u8],
    ) -> Result<Keyring, KeyError> {
        let pair = Pair::new(authentication, encryption)?;
        if self.pairs.iter().any(|known| known.is(&pair)) {
            return Err(KeyError::RepeatedPair);
        }
        self.pairs.push(pair);
        Ok(self)
    }

    /// How many pairs it has.
    pub(crate) fn pair_count(&self) -> usize {
        self.pairs.len()
    }

    /// The pair that seals.
    pub(super) fn current(&self) -> &Pair {
        &self.pairs[0]
    }

    /// All pairs, the current one first.
    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("pairs", &self.pairs.len()).finish_non_exhaustive()
    }
}

/// One derived pair. Not `Debug`, not `Clone`.
pub(super) struct Pair {
    /// HMAC-SHA256 with its key already absorbed, to be cloned for each use.
    pub(super) mac: Hmac<Sha256>,
    /// The same for fingerprints, under a key of its own.
    pub(super) fingerprint_mac: Hmac<Sha256>,
    /// The same for what binds a mark to a session, under yet another.
    pub(super) binding_mac: Hmac<Sha256>,
    pub(super) siv_key: Derived<SIV_KEY_LEN>,
}

/// A derived key. Boxed, so that moving it leaves no copy behind on the stack.
type Derived<const N: usize> = Box<Zeroizing<[u8; N]>>;

impl Pair {
    fn new(authentication: &[u8], encryption: &[u8]) -> Result<Pair, KeyError> {
        check(authentication, encryption)?;
        // First, so that what HKDF leaves of it on the stack is written over by the others.
        let siv_key = derive(encryption, b"encrypt");
        Ok(Pair {
            mac: mac(authentication, b"authenticate"),
            fingerprint_mac: mac(authentication, b"fingerprint"),
            binding_mac: mac(authentication, b"binding"),
            siv_key,
        })
    }

    /// Whether both keys are the same, in constant time.
    fn is(&self, other: &Pair) -> bool {
        let fingerprint = |pair: &Pair| pair.mac.clone().chain_update(**pair.siv_key).finalize();
        fingerprint(self) == fingerprint(other)
    }
}

// What a pair is made of is wiped when dropped; the compiler holds us to it. (`Hmac<Sha256>` is two
// states of `Sha256`, each of which wipes itself.)
const _: () = {
    const fn wiped_on_drop<T: ZeroizeOnDrop>() {}
    wiped_on_drop::<Zeroizing<[u8; SIV_KEY_LEN]>>();
    wiped_on_drop::<Sha256>();
};

fn mac(key: &[u8], info: &[u8]) -> Hmac<Sha256> {
    // RFC 2104 takes keys of any length.
    Hmac::new_from_slice(&**derive::<32>(key, info)).expect("any length will do")
}

fn derive<const N: usize>(key: &[u8], info: &[u8]) -> Derived<N> {
    let mut derived = Box::new(Zeroizing::new([0; N]));
    Hkdf::<Sha256>::new(Some(SALT), key)
        .expand(info, &mut **derived)
        // RFC 5869 allows 255 × 32 bytes; ours are 32 and 64.
        .expect("the length is allowed");
    derived
}

fn check(authentication: &[u8], encryption: &[u8]) -> Result<(), KeyError> {
    check_authentication_key(authentication)?;
    check_encryption_key(encryption)?;
    if authentication == encryption {
        return Err(KeyError::EqualKeys);
    }
    Ok(())
}

/// Checks an authentication key by itself, as [`Keyring::new`] does.
///
/// # Errors
///
/// [`KeyError::EmptyAuthentication`] or [`KeyError::Placeholder`].
pub fn check_authentication_key(key: &[u8]) -> Result<(), KeyError> {
    if key.is_empty() {
        return Err(KeyError::EmptyAuthentication);
    }
    if is_placeholder(key) {
        return Err(KeyError::Placeholder(KeyKind::Authentication));
    }
    Ok(())
}

/// Checks an encryption key by itself, as [`Keyring::new`] does.
///
/// # Errors
///
/// [`KeyError::EncryptionLength`] or [`KeyError::Placeholder`].
pub fn check_encryption_key(key: &[u8]) -> Result<(), KeyError> {
    if !matches!(key.len(), 16 | 24 | 32..) {
        return Err(KeyError::EncryptionLength(key.len()));
    }
    if is_placeholder(key) {
        return Err(KeyError::Placeholder(KeyKind::Encryption));
    }
    Ok(())
}

/// Whether a key is a sample's text that somebody forgot to replace.
fn is_placeholder(key: &[u8]) -> bool {
    const WORDS: [&str; 7] = [
        "changeme",
        "change-me",
        "change_me",
        "change this",
        "replace-me",
        "replace_me",
        "placeholder",
    ];
    let text = String::from_utf8_lossy(key).to_ascii_lowercase();
    // Random bytes may begin and end with these too, but are not all printable.
    let bracketed = text.starts_with('<') && text.ends_with('>');
    let printable = key.iter().all(|byte| (b' '..=b'~').contains(byte));
    (bracketed && printable) || WORDS.iter().any(|word| text.contains(word))
}

/// Whether a key has so few distinct bytes (under 8) that it deserves a warning.
///
/// ```
/// use waxseal::seal::looks_weak;
///
/// assert!(looks_weak(b"aaaaaaaaaaaaaaaa"));
/// assert!(!looks_weak(b"0123456789abcdef"));
/// ```
#[must_use]
pub fn looks_weak(key: &[u8]) -> bool {
    let mut seen = [false; 256];
    key.iter().for_each(|&byte| seen[usize::from(byte)] = true);
    seen.into_iter().filter(|&seen| seen).count() < FEW_DISTINCT_BYTES
}

/// One of the two keys of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// The key of the HMAC.
    Authentication,
    /// The key of AES-SIV.
    Encryption,
}

/// Why a pair of keys was not taken. Never holds any part of a key. [`Keyring`] has an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The authentication key is empty.
    EmptyAuthentication,
    /// The encryption key has this many bytes.
    EncryptionLength(usize),
    /// Both keys of the pair are the same.
    EqualKeys,
    /// The key is a placeholder from a sample file.
    Placeholder(KeyKind),
    /// The keyring has this pair already.
    RepeatedPair,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::EmptyAuthentication => f.write_str("the authentication key is empty"),
            KeyError::EncryptionLength(length) => write!(
                f,
                "the encryption key is {length} bytes long; 16, 24, 32 or more are needed"
            ),
            KeyError::EqualKeys => f.write_str("both keys of the pair are the same"),
            KeyError::Placeholder(KeyKind::Authentication) => {
                f.write_str("the authentication key is a sample file's placeholder")
            }
            KeyError::Placeholder(KeyKind::Encryption) => {
                f.write_str("the encryption key is a sample file's placeholder")
            }
            KeyError::RepeatedPair => f.write_str("the same pair of keys is given twice"),
        }
    }
}

impl Error for KeyError {}
