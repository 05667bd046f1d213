//! Opening a cookie value: whatever it is, no panic; and what opens is the one text that sealing
//! what it holds would give.
//!
//! A mutated seal is found out at its tag, so the input is used twice: as the value itself, and as
//! header and payload of a genuine seal, whose way leads on through the times and the decryption.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use waxseal::seal::{Header, Id, Keyring, Lifetimes, Refusal, SessionLifetime, Version};

const NAME: &str = "waxseal";
const NOW: u64 = 1_800_000_000;
const LIFETIMES: Lifetimes =
    Lifetimes { idle: Duration::from_secs(7 * 86_400), absolute: Duration::from_secs(30 * 86_400) };

/// The keys of the seeds.
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    Keyring::new(b"the fuzzer's authentication key", b"the fuzzer's encryption key, 32b")
        .and_then(|keyring| {
            keyring.with_previous(b"an older key", b"an older encryption key, 32 byte")
        })
        .expect("good keys")
});

fuzz_target!(|input: &[u8]| {
    if let Ok(value) = std::str::from_utf8(input) {
        for version in [Version::Values, Version::Stored] {
            open_as_it_is(value, version);
        }
    }
    if let Some((head, payload)) = input.split_first_chunk() {
        open_sealed(head, payload);
    }
});

fn open_as_it_is(value: &str, version: Version) {
    if let Ok(opened) = KEYRING.open(NAME, value, version, LIFETIMES, NOW)
        && opened.key == 0
    {
        assert_eq!(KEYRING.seal(NAME, &opened.header, opened.payload()), value);
    }
}

/// Two times and the kinds of version, which say whether two times of the session's own follow.
fn open_sealed(head: &[u8; 17], rest: &[u8]) {
    let (created, kinds) = head.split_first_chunk().expect("17 bytes");
    let (sealed, kinds) = kinds.split_first_chunk().expect("9 bytes");
    let version = if kinds[0] & 1 == 0 { Version::Values } else { Version::Stored };
    let (created, sealed) = (u64::from_be_bytes(*created), u64::from_be_bytes(*sealed));
    let (lifetime, payload) = match rest.split_first_chunk() {
        Some((own, payload)) if kinds[0] & 2 != 0 => (lifetime(own, kinds[0] & 4 != 0), payload),
        _ => (SessionLifetime::default(), rest),
    };
    let header = Header::new(version, Id([7; Id::LEN]), created, sealed).with_lifetime(lifetime);
    let [idle, absolute] = [(lifetime.idle(), 7), (lifetime.absolute(), 30)]
        .map(|(own, days)| own.map_or(u64::MAX, |own| own.as_secs()).min(days * 86_400));
    let value = KEYRING.seal(NAME, &header, payload);
    match KEYRING.open(NAME, &value, version, LIFETIMES, NOW) {
        Ok(opened) => {
            assert_eq!((opened.header, opened.key), (header, 0));
            assert!(created <= sealed && sealed <= NOW + 60);
            assert!(NOW < sealed.saturating_add(idle));
            assert!(NOW < created.saturating_add(absolute));
        }
        Err(Refusal::TooShort) => assert!(payload.is_empty()),
        Err(Refusal::TooLong(length)) => assert_eq!(length, value.len()),
        Err(Refusal::Future) => assert!(sealed > NOW + 60),
        Err(Refusal::CreatedAfterSealed) => assert!(created > sealed),
        Err(Refusal::Idle) => assert!(NOW - sealed >= idle),
        Err(Refusal::TooOld) => assert!(NOW - created >= absolute),
        Err(Refusal::Payload) => assert!(version == Version::Stored && payload != b"stored"),
        Err(refusal) => panic!("a genuine seal was refused: {refusal}"),
    }
}

fn lifetime(own: &[u8; 16], ends_with_browser: bool) -> SessionLifetime {
    let [idle, absolute] = [0, 8]
        .map(|at| Duration::from_secs(u64::from_be_bytes(std::array::from_fn(|i| own[at + i]))));
    let times = SessionLifetime::default().with_idle(idle).with_absolute(absolute);
    if ends_with_browser { times.until_browser_closes() } else { times }
}
