//! A stored hash of a password: what may stand in a list of users, and whether a password fits.

use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::{Algorithm, Argon2, Block, Params, PasswordHasher, Version};
use subtle::ConstantTimeEq;

/// Longest password, in bytes. It is taken whole.
pub const MAX_PASSWORD: usize = 1024;
/// Memory that a hash may take: two at once must fit into a small machine.
const MAX_MEMORY_KIB: u32 = 128 * 1024;
/// Memory in KiB times iterations that a hash may take: about a second.
const MAX_WORK: u64 = 8 * (MAX_MEMORY_KIB as u64);
/// Longest password that bcrypt can take whole, in bytes.
#[cfg(feature = "bcrypt")]
const MAX_BCRYPT_PASSWORD: usize = 72;
/// Costs of bcrypt; 10 is OWASP's least, and what counts as cheaper is below it.
#[cfg(feature = "bcrypt")]
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=15;
#[cfg(feature = "bcrypt")]
const BCRYPT_COST: u32 = 10;

/// What a hash of argon2id is computed in. It is kept from one to the next: allocated anew for each,
/// in whichever thread, the system's allocator would keep many times as much.
pub type Memory = Vec<Block>;

/// How much work a hash of argon2id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB (m).
    pub memory: u32,
    /// Passes over it (t).
    pub iterations: u32,
    /// Lanes (p).
    pub parallelism: u32,
}

impl Default for Cost {
    /// What OWASP recommends.
    fn default() -> Cost {
        Cost { memory: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Cost {
    fn params(self) -> Option<Params> {
        let affordable = self.memory <= MAX_MEMORY_KIB && self.work() <= MAX_WORK;
        let params = Params::new(self.memory, self.iterations, self.parallelism, None).ok();
        params.filter(|_| affordable)
    }

    /// Blocks that are filled.
    fn work(self) -> u64 {
        u64::from(self.memory) * u64::from(self.iterations)
    }
}

/// A stored hash.
#[derive(Clone)]
pub struct PasswordHash {
    /// As it was written.
    text: String,
    scheme: Scheme,
}

#[derive(Clone)]
enum Scheme {
    Argon2id(Box<Phc>),
    #[cfg(feature = "bcrypt")]
    Bcrypt(u32),
}

impl PasswordHash {
    /// Hashes a new password with a fresh salt.
    pub fn new(password: &str, cost: Cost) -> Result<PasswordHash, HashError> {
        if password.is_empty() {
            return Err(HashError::Empty);
        }
        if password.len() > MAX_PASSWORD {
            return Err(HashError::TooLong);
        }
        let params = cost.params().ok_or(HashError::Cost)?;
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(|_| HashError::Random)?;
        let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|_| HashError::Cost)?;
        Ok(PasswordHash { text: hash.to_string(), scheme: Scheme::Argon2id(Box::new(hash)) })
    }

    /// The hash in an entry of a list of users.
    pub fn parse(text: &str) -> Result<PasswordHash, HashError> {
        let scheme = if text.starts_with("$2") { bcrypt(text) } else { argon2id(text) }?;
        Ok(PasswordHash { text: text.to_owned(), scheme })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the hash of `password`. An empty one, or one that is too long, never fits, and
    /// takes the same time.
    pub fn fits(&self, password: &str, memory: &mut Memory) -> bool {
        let is_right = match &self.scheme {
            Scheme::Argon2id(hash) => argon2id_fits(hash, password, memory).unwrap_or(false),
            #[cfg(feature = "bcrypt")]
            Scheme::Bcrypt(_) => {
                bcrypt::verify(password, &self.text).unwrap_or(false)
                    && password.len() <= MAX_BCRYPT_PASSWORD
            }
        };
        is_right && (1..=MAX_PASSWORD).contains(&password.len())
    }

    /// Whether it took less work than a hash made today.
    pub fn is_cheap(&self) -> bool {
        match &self.scheme {
            Scheme::Argon2id(hash) => cost(hash).is_some_and(|c| c.work() < Cost::default().work()),
            #[cfg(feature = "bcrypt")]
            Scheme::Bcrypt(cost) => *cost < BCRYPT_COST,
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordHash").finish_non_exhaustive()
    }
}

fn argon2id(text: &str) -> Result<Scheme, HashError> {
    let hash = Phc::new(text).map_err(|_| HashError::Unknown)?;
    if hash.algorithm.as_str() != "argon2id" || hash.version != Some(Version::V0x13.into()) {
        return Err(HashError::Unknown);
    }
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(HashError::Unknown);
    }
    cost(&hash).and_then(Cost::params).ok_or(HashError::Cost)?;
    Ok(Scheme::Argon2id(Box::new(hash)))
}

/// Whether `hash` is one of `password`; `None` for what [`PasswordHash::parse`] does not let pass.
fn argon2id_fits(hash: &Phc, password: &str, memory: &mut Memory) -> Option<bool> {
    let params = Params::try_from(hash).ok()?;
    let (salt, expected) = (hash.salt.as_ref()?, hash.hash.as_ref()?.as_bytes());
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    let mut output = vec![0; expected.len()];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, &mut output, memory)
        .ok()?;
    Some(output.ct_eq(expected).into())
}

fn cost(hash: &Phc) -> Option<Cost> {
    let params = Params::try_from(hash).ok()?;
    Some(Cost {
        memory: params.m_cost(),
        iterations: params.t_cost(),
        parallelism: params.p_cost(),
    })
}

#[cfg(feature = "bcrypt")]
fn bcrypt(text: &str) -> Result<Scheme, HashError> {
    let hash: bcrypt::HashParts = text.parse().map_err(|_| HashError::Unknown)?;
    match hash.get_cost() {
        cost if BCRYPT_COSTS.contains(&cost) => Ok(Scheme::Bcrypt(cost)),
        _ => Err(HashError::Cost),
    }
}

#[cfg(not(feature = "bcrypt"))]
fn bcrypt(_: &str) -> Result<Scheme, HashError> {
    Err(HashError::NoBcrypt)
}

/// Why there is no hash. Never holds any part of a password or of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashError {
    /// The password is empty.
    Empty,
    /// The password is longer than [`MAX_PASSWORD`].
    TooLong,
    /// The parameters are none of argon2id, or more than a small machine can take.
    Cost,
    /// The text is no hash that is known.
    Unknown,
    /// The text is a hash of bcrypt, and this program was built without it.
    #[cfg(not(feature = "bcrypt"))]
    NoBcrypt,
    /// The operating system gives no random numbers.
    Random,
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HashError::Empty => f.write_str("the password is empty"),
            HashError::TooLong => {
                write!(f, "the password is longer than {MAX_PASSWORD} bytes")
            }
            HashError::Cost => write!(
                f,
                "the hash's parameters are not usable: memory is at most {MAX_MEMORY_KIB} KiB, \
                 and memory times iterations at most {MAX_WORK}"
            ),
            HashError::Unknown => f.write_str("there is no hash of a password"),
            #[cfg(not(feature = "bcrypt"))]
            HashError::NoBcrypt => {
                f.write_str("the hash is one of bcrypt, and this program was built without it")
            }
            HashError::Random => f.write_str("the operating system gives no random numbers"),
        }
    }
}

impl std::error::Error for HashError {}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory: 8, iterations: 1, parallelism: 1 };

    impl PasswordHash {
        fn fits_now(&self, password: &str) -> bool {
            self.fits(password, &mut Memory::new())
        }
    }

    fn hash(password: &str) -> PasswordHash {
        PasswordHash::new(password, CHEAP).unwrap()
    }

    #[test]
    fn a_password_fits_its_own_hash() {
        let written = hash("correct horse");
        let read = PasswordHash::parse(written.as_str()).unwrap();
        assert_eq!(read.as_str(), written.as_str());
        for hash in [read, written] {
            assert!(hash.fits_now("correct horse"));
            assert!(
                !hash.fits_now("correct hors")
                    && !hash.fits_now("Correct horse")
                    && !hash.fits_now("")
            );
        }
        assert_ne!(hash("a").as_str(), hash("a").as_str(), "each has a salt of its own");
    }

    #[test]
    fn a_hash_of_another_tool_is_read() {
        // argon2-cffi 25: PasswordHasher(time_cost=2, memory_cost=64, parallelism=2)
        let hash = "$argon2id$v=19$m=64,t=2,p=2$Bfcvk2z2p5DPMzESXQnhzQ$\
                    85OP9LDP8ko2hHoroAILYjs8hCbeif0gZt2MlC4M/IM";
        let hash = PasswordHash::parse(hash).unwrap();
        assert!(hash.fits_now("Pässwort") && !hash.fits_now("Passwort"));
    }

    #[test]
    fn passwords_of_up_to_1024_bytes_are_taken_whole() {
        let longest = "x".repeat(MAX_PASSWORD);
        let hash = hash(&longest);
        assert!(hash.fits_now(&longest));
        assert!(!hash.fits_now(&longest[1..]) && !hash.fits_now(&format!("{}y", &longest[1..])));
        let too_long = format!("{longest}x");
        assert_eq!(PasswordHash::new(&too_long, CHEAP).err(), Some(HashError::TooLong));
        assert_eq!(PasswordHash::new("", CHEAP).err(), Some(HashError::Empty));
    }

    #[test]
    fn an_empty_or_overlong_password_fits_not_even_its_own_hash() {
        for password in ["", &"x".repeat(MAX_PASSWORD + 1)] {
            let hash = Argon2::from(CHEAP.params().unwrap())
                .hash_password_with_salt(password.as_bytes(), b"0123456789abcdef")
                .unwrap();
            assert!(!PasswordHash::parse(&hash.to_string()).unwrap().fits_now(password));
        }
    }

    #[test]
    fn what_is_no_usable_hash_is_refused() {
        let good = hash("a").as_str().to_owned();
        for text in [
            "",
            "secret",
            "$argon2id$",
            &good.replace("argon2id", "argon2i"),
            &good.replace("v=19", "v=16"),
            good.rsplit_once('$').unwrap().0,
            "$apr1$saltsalt$abcdefghijklmnopqrstuv",
        ] {
            assert_eq!(PasswordHash::parse(text).err(), Some(HashError::Unknown), "{text}");
        }
        for parameters in ["m=131073,t=1", "m=131072,t=9", "m=19456,t=1000000", "m=1,t=1"] {
            let text = good.replace("m=8,t=1", parameters);
            assert_eq!(PasswordHash::parse(&text).err(), Some(HashError::Cost), "{text}");
        }
    }

    #[test]
    fn memory_of_another_hash_may_be_used_again() {
        let larger = Cost { memory: 64, iterations: 2, parallelism: 2 };
        let hashes = [hash("a"), PasswordHash::new("a", larger).unwrap(), hash("b")];
        let mut memory = Memory::new();
        for _ in 0..2 {
            let fits = hashes.each_ref().map(|hash| hash.fits("a", &mut memory));
            assert_eq!(fits, [true, true, false]);
            assert_eq!(memory.len(), 64);
        }
    }

    #[test]
    fn what_took_less_work_than_today_is_cheap() {
        let with = |parameters| {
            let text = hash("a").as_str().replace("m=8,t=1", parameters);
            PasswordHash::parse(&text).unwrap().is_cheap()
        };
        assert!(with("m=8,t=1") && with("m=19456,t=1") && with("m=19455,t=2"));
        assert!(!with("m=19456,t=2") && !with("m=47104,t=1") && !with("m=65536,t=3"));
    }

    #[cfg(feature = "bcrypt")]
    #[test]
    fn entries_of_htpasswd_are_read() {
        // htpasswd -nbB -C 5 bob Pässwort
        let text = "$2y$05$O7G26JQViDKrNvrpm6e5N.vpAqig4/12ZUICYJI8D2J8fNX0sgvZG";
        let hash = PasswordHash::parse(text).unwrap();
        assert!(hash.fits_now("Pässwort") && !hash.fits_now("Passwort") && !hash.fits_now(""));
        assert!(hash.is_cheap());
        assert_eq!(PasswordHash::parse(&text[1..]).err(), Some(HashError::Unknown));
        assert_eq!(PasswordHash::parse(&text[..59]).err(), Some(HashError::Unknown));
        let costly = text.replace("$05$", "$16$");
        assert_eq!(PasswordHash::parse(&costly).err(), Some(HashError::Cost));
    }

    #[cfg(feature = "bcrypt")]
    #[test]
    fn bcrypt_never_takes_a_part_of_a_password_for_the_whole() {
        let longest = "x".repeat(MAX_BCRYPT_PASSWORD);
        let hash = PasswordHash::parse(&bcrypt::hash(&longest, 4).unwrap()).unwrap();
        assert!(hash.fits_now(&longest));
        assert!(!hash.fits_now(&format!("{longest}x")) && !hash.fits_now(&longest[1..]));
    }

    #[cfg(not(feature = "bcrypt"))]
    #[test]
    fn an_entry_of_htpasswd_names_the_feature_that_is_missing() {
        let text = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";
        assert_eq!(PasswordHash::parse(text).err(), Some(HashError::NoBcrypt));
    }
}
