//! A Cookie header through `Sessions::load`: no panic, no error, and what was loaded can be saved
//! and comes back.
//!
//! The input is two lines: a payload, and the header, in which each `@` becomes a genuine seal of
//! that payload; so the way behind the seal is found without forging it.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use libfuzzer_sys::fuzz_target;
use waxseal::seal::{Header, Id, Keyring, SessionLifetime, Version};
use waxseal::session::{ManualClock, Outcome, SaveError, Saved, Scheme, Session, Sessions};

const NOW: u64 = 1_800_000_000;

static KEYRING: LazyLock<Arc<Keyring>> = LazyLock::new(|| {
    let keyring =
        Keyring::new(b"the fuzzer's authentication key", b"the fuzzer's encryption key, 32b");
    Arc::new(keyring.expect("good keys"))
});

static SESSIONS: LazyLock<Sessions> = LazyLock::new(|| {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    Sessions::sealed(Arc::clone(&KEYRING)).with_clock(Arc::new(ManualClock::new(now)))
});

fuzz_target!(|input: &[u8]| {
    let mut lines = input.splitn(2, |&byte| byte == b'\n');
    let (Some(payload), Some(header)) = (lines.next(), lines.next()) else { return };
    let Ok(header) = std::str::from_utf8(header) else { return };
    for scheme in [Scheme::Http, Scheme::Https] {
        let header = header.replace('@', &seal(payload, scheme));
        let mut session = SESSIONS.load(&header, scheme).expect("no visitor can cause an error");
        assert_ne!(session.outcome(), Outcome::PreviousKey);
        assert_ne!(session.outcome(), Outcome::Revoked);
        comes_back(&mut session, scheme);
    }
});

fn seal(payload: &[u8], scheme: Scheme) -> String {
    let id = Id([7; Id::LEN]);
    let lifetime = SessionLifetime::default();
    let header = Header::new(Version::Values, id, NOW, NOW).with_lifetime(lifetime);
    let name = if scheme == Scheme::Https { "__Host-waxseal" } else { "waxseal" };
    KEYRING.seal(name, &header, payload)
}

fn comes_back(session: &mut Session, scheme: Scheme) {
    session.insert("visit", 1).expect("the name is not reserved");
    match SESSIONS.save(session).map(Saved::into_cookie) {
        Ok(Some(cookie)) => {
            let header = format!("{}={}", cookie.name(), cookie.value());
            let again = SESSIONS.load(&header, scheme).expect("a store that needs nothing");
            assert_eq!(again.outcome(), Outcome::Valid);
            assert!(again.iter().eq(session.iter()));
        }
        // Nothing is due where the value was there already.
        Ok(None) => assert_eq!(session.outcome(), Outcome::Valid),
        Err(SaveError::SessionTooLarge { size, limit }) => assert!(size > limit),
        Err(error) => panic!("{error}"),
    }
}
