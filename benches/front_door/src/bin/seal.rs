//! How long it takes to open and seal the session `username=foo`, both together: the seal alone, and
//! a whole session, loaded, changed and saved. Prints nanoseconds, a line each.

#![forbid(unsafe_code)]

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use waxseal::seal::{Header, Id, Keyring, Lifetimes, SessionLifetime, Version};
use waxseal::session::{Scheme, Sessions};

const TIMES: u32 = 20_000;
const HOUR: Duration = Duration::from_secs(3600);

fn main() -> Result<(), Box<dyn Error>> {
    let keyring = || Keyring::new(b"an authentication key", b"0123456789abcdef0123456789abcdef");
    println!("{}", seal(&keyring()?)?.as_nanos());
    println!("{}", sessions(&Sessions::sealed(keyring()?))?.as_nanos());
    Ok(())
}

fn seal(keyring: &Keyring) -> Result<Duration, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let lifetimes = Lifetimes { idle: HOUR, absolute: HOUR };
    let lifetime = SessionLifetime::default();
    let header = Header::new(Version::Values, Id::random(), now, now).with_lifetime(lifetime);
    let mut value = keyring.seal("waxseal", &header, b"username=foo");
    let began = Instant::now();
    for _ in 0..TIMES {
        let opened = keyring
            .open("waxseal", black_box(&value), Version::Values, lifetimes, now)
            .map_err(|error| format!("{error:?}"))?;
        value = keyring.seal("waxseal", black_box(&header), opened.payload());
    }
    Ok(began.elapsed() / TIMES)
}

fn sessions(sessions: &Sessions) -> Result<Duration, Box<dyn Error>> {
    let mut session = sessions.load("", Scheme::Http)?;
    session.insert("name", "foo")?;
    let mut cookie = sessions.save(&mut session)?.into_cookie().ok_or("a new session is saved")?;
    let began = Instant::now();
    // A value that has not changed would not be saved.
    for name in ["bar", "foo"].into_iter().cycle().take(TIMES as usize) {
        let mut session = sessions.load(&format!("waxseal={}", cookie.value()), Scheme::Http)?;
        session.insert("name", black_box(name))?;
        cookie = sessions.save(&mut session)?.into_cookie().ok_or("a changed session is saved")?;
    }
    Ok(began.elapsed() / TIMES)
}
