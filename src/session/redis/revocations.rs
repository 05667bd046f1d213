//! Sign-outs in Redis.

use std::fmt;
use std::sync::Arc;

use ::redis::{Script, ScriptInvocation};

use super::super::address::AddressError;
use super::super::pool::Pool;
use super::super::revocations::random_name;
use super::super::store::StoreError;
use super::super::{Learned, Position, Revocation, Revocations, StoreSettings};
use super::connection::{Link, failure};
use super::{Tls, address};

/// [`Revocations`] in Redis, tested with its version 7.0: one sorted set, `waxseal:revocations`, and what is
/// known of it in a hash, `waxseal:revocations:about`; before both stands what
/// [`StoreSettings::prefix`] says. A revocation takes some 150 bytes.
///
/// - What Redis has confirmed it may forget in a crash, as far as its settings allow: with `appendfsync
///   always` nothing, with `everysec` the last second. The processes that know it tell it again as soon
///   as they notice, within a second of the restart.
/// - With Sentinel, a sign-out is confirmed once all replicas have it.
/// - `maxmemory-policy` should be `noeviction`: what Redis evicts is told again, as long as a process is
///   there that knows it.
///
/// ```no_run
/// use waxseal::seal::Keyring;
/// use waxseal::session::{RedisRevocations, Sessions, Tls};
///
/// let keyring = Keyring::new(b"authentication key", b"0123456789abcdef")?;
/// let store = RedisRevocations::open("rediss://:password@redis.example:6380", Tls::Verified)?;
/// let sessions = Sessions::sealed(keyring).with_revocations(store)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RedisRevocations {
    /// Connections for telling: a sign-out waits for one of them.
    telling: Pool<Link>,
    /// A connection of its own, so that no number of sign-outs keeps it from learning.
    learning: Pool<Link>,
    publish: Script,
    withdraw: Script,
    learn: Script,
}

macro_rules! script {
    ($name:literal, $prefix:expr) => {
        Script::new(&format!(
            "local PREFIX = '{}'\n{}{}",
            $prefix,
            include_str!("revocations.lua"),
            include_str!($name)
        ))
    };
}

impl RedisRevocations {
    /// The sign-outs in the server at `address`, as [`RedisStore::open`](super::RedisStore::open) takes it.
    ///
    /// # Errors
    ///
    /// With what is wrong with `address`.
    pub fn open(address: &str, tls: Tls) -> Result<RedisRevocations, AddressError> {
        RedisRevocations::open_with(address, tls, &StoreSettings::default())
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`RedisRevocations::open`].
    pub fn open_with(
        address: &str,
        tls: Tls,
        settings: &StoreSettings,
    ) -> Result<RedisRevocations, AddressError> {
        let endpoint = Arc::new(address::parse(address, tls)?);
        let pool = |most| {
            let endpoint = Arc::clone(&endpoint);
            Pool::new("redis of sign-outs", most, move || Link::open(&endpoint))
        };
        Ok(RedisRevocations {
            telling: pool(settings.connections),
            learning: pool(1),
            publish: script!("publish.lua", settings.prefix),
            withdraw: script!("withdraw.lua", settings.prefix),
            learn: script!("learn.lua", settings.prefix),
        })
    }

    fn tell(&self, script: &Script, revocations: &[Revocation]) -> Result<(), StoreError> {
        let mut call: ScriptInvocation<'_> = script.arg(random_name());
        for revocation in revocations {
            call.arg(&revocation.as_bytes()[..]);
        }
        self.telling.run(|link, patience| {
            call.invoke::<()>(link.within(patience)?).map_err(failure)?;
            link.confirm()
        })
    }
}

impl Revocations for RedisRevocations {
    fn publish(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.tell(&self.publish, revocations)
    }

    fn withdraw(&self, revocations: &[Revocation]) -> Result<(), StoreError> {
        self.tell(&self.withdraw, revocations)
    }

    fn learn(&self, after: Option<&Position>) -> Result<Learned, StoreError> {
        let after = after.map_or("", |Position(position)| position);
        let mut call = self.learn.arg(random_name());
        call.arg(after);
        let told: Vec<Vec<u8>> = self.learning.run(|link, patience| {
            let told = call.invoke(link.within(patience)?).map_err(failure)?;
            link.check_master().map(|()| told)
        })?;
        let mut told = told.into_iter();
        let (Some(position), Some(is_last)) = (told.next(), told.next()) else {
            return Ok(Learned::Lost);
        };
        Ok(Learned::Page {
            revocations: told.filter_map(|bytes| Revocation::from_bytes(&bytes)).collect(),
            position: Position(String::from_utf8_lossy(&position).into_owned()),
            is_last: is_last == b"1",
        })
    }
}

impl fmt::Debug for RedisRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisRevocations").finish_non_exhaustive()
    }
}
