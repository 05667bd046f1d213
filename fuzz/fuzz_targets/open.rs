//! Opening a cookie value: whatever it is, no panic; and what opens is the one text that sealing
//! what it holds would give.
//!
//! A mutated seal is found out at its tag, so the input is used twice: as the value itself, and as
//! header and payload of a genuine seal, whose way leads on through the times and the decryption.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use waxseal::seal::{Header, Id, Keyring, Lifetimes, Refusal, Version};

const NAME: &str = "waxseal";
const NOW: u64 = 1_800_000_000;
const LIFETIMES: Lifetimes =
    Lifetimes { idle: Duration::from_secs(7 * 86_400), absolute: Duration::from_secs(30 * 86_400) };

/// The keys of the seeds.
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    Keyring::new(b"the fuzzer's authentication key", b"the fuzzer's encryption key, 32b")
        .and_then(|keyring| keyring.with_previous(b"an older key", b"an older encryption key, 32 byte"))
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

fn open_sealed(head: &[u8; 17], payload: &[u8]) {
    let (created, rest) = head.split_first_chunk().expect("17 bytes");
    let (sealed, version) = rest.split_first_chunk().expect("9 bytes");
    let version = if version[0] & 1 == 0 { Version::Values } else { Version::Stored };
    let (created, sealed) = (u64::from_be_bytes(*created), u64::from_be_bytes(*sealed));
    let header = Header { version, id: Id([7; Id::LEN]), created, sealed };
    let value = KEYRING.seal(NAME, &header, payload);
    match KEYRING.open(NAME, &value, version, LIFETIMES, NOW) {
        Ok(opened) => {
            assert_eq!((opened.header, opened.key), (header, 0));
            assert!(created <= sealed && sealed <= NOW + 60);
            assert!(NOW < sealed.saturating_add(7 * 86_400));
            assert!(NOW < created.saturating_add(30 * 86_400));
        }
        Err(Refusal::TooShort) => assert!(payload.is_empty()),
        Err(Refusal::TooLong(length)) => assert_eq!(length, value.len()),
        Err(Refusal::Future) => assert!(sealed > NOW + 60),
        Err(Refusal::CreatedAfterSealed) => assert!(created > sealed),
        Err(Refusal::Idle) => assert!(NOW - sealed >= 7 * 86_400),
        Err(Refusal::TooOld) => assert!(NOW - created >= 30 * 86_400),
        Err(Refusal::Payload) => assert!(version == Version::Stored && payload != b"stored"),
        Err(refusal) => panic!("a genuine seal was refused: {refusal}"),
    }
}
