//! The seal against its vectors, against an independent implementation, and against everything
//! that must not open.

use std::process::Command;
use std::time::Duration;

use aes_siv::siv::Aes256Siv;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::Value;
use sha2::Sha256;
use waxseal::seal::{
    Header, Id, KeyError, Keyring, Lifetimes, MAX_COOKIE, Opened, Refusal, SessionLifetime,
    Version, looks_weak,
};

const NOW: u64 = 1_795_395_600;
const HOUR: u64 = 3600;
const LIFETIMES: Lifetimes =
    Lifetimes { idle: Duration::from_secs(HOUR), absolute: Duration::from_secs(24 * HOUR) };

fn keyring() -> Keyring {
    Keyring::new(b"an authentication key of any length", b"0123456789abcdef").unwrap()
}

fn header_of(created: u64, sealed: u64) -> Header {
    Header::new(Version::Values, Id([7; 16]), created, sealed)
}

fn header() -> Header {
    header_of(NOW - HOUR, NOW)
}

fn sealed() -> String {
    keyring().seal("waxseal", &header(), b"username=foo")
}

fn open(value: &str) -> Result<Opened, Refusal> {
    keyring().open("waxseal", value, Version::Values, LIFETIMES, NOW)
}

/// The refusal of a session that `created` and `sealed` this many seconds ago (negative: ahead).
fn refusal_at_age(created: i64, sealed: i64) -> Option<Refusal> {
    let ago = |seconds: i64| NOW.checked_add_signed(-seconds).unwrap();
    let header = header_of(ago(created), ago(sealed));
    open(&keyring().seal("waxseal", &header, b"a=1")).err()
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("seal/vectors.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap().clone();
    assert_eq!(vectors.len(), 18);
    vectors
}

fn text<'v>(vector: &'v Value, key: &str) -> &'v str {
    vector[key].as_str().unwrap()
}

fn vector_keyring(vector: &Value) -> Keyring {
    let authentication = text(vector, "authentication_key").as_bytes();
    Keyring::new(authentication, text(vector, "encryption_key").as_bytes()).unwrap()
}

fn vector_header(vector: &Value) -> Header {
    let id = u128::from_str_radix(text(vector, "id"), 16).unwrap().to_be_bytes();
    let version = match vector["version"].as_u64() {
        Some(1 | 3) => Version::Values,
        Some(2 | 4) => Version::Stored,
        other => panic!("{other:?}"),
    };
    let seconds = |key: &str| vector[key].as_u64().unwrap();
    let (created, sealed) = (seconds("created"), seconds("sealed"));
    Header::new(version, Id(id), created, sealed).with_lifetime(lifetime_of(&vector["lifetime"]))
}

/// The lifetime in a vector, or in what the reference opened; null where there is none.
fn lifetime_of(own: &Value) -> SessionLifetime {
    let time = |key: &str| own[key].as_u64();
    lifetime(time("idle"), time("absolute"), own["ends_with_browser"] == true)
}

fn lifetime(idle: Option<u64>, absolute: Option<u64>, ends_with_browser: bool) -> SessionLifetime {
    let mut lifetime = SessionLifetime::default();
    if let Some(idle) = idle {
        lifetime = lifetime.with_idle(Duration::from_secs(idle));
    }
    if let Some(absolute) = absolute {
        lifetime = lifetime.with_absolute(Duration::from_secs(absolute));
    }
    if ends_with_browser { lifetime.until_browser_closes() } else { lifetime }
}

/// A header with every part of a lifetime.
fn header_with_lifetime() -> Header {
    header().with_lifetime(lifetime(Some(900), Some(12 * HOUR), true))
}

/// A seal of `header` and `username=foo`, made by hand from the bytes of a header.
fn sealed_by_hand(header: &[u8]) -> String {
    let context = [b"waxseal\0", header].concat();
    let derive = |key: &[u8], info: &[u8], out: &mut [u8]| {
        Hkdf::<Sha256>::new(Some(b"waxseal/v1"), key).expand(info, out).unwrap();
    };
    let (mut mac_key, mut siv_key) = ([0; 32], [0; 64]);
    derive(b"an authentication key of any length", b"authenticate", &mut mac_key);
    derive(b"0123456789abcdef", b"encrypt", &mut siv_key);
    let mut text = *b"username=foo";
    let iv = Aes256Siv::new((&siv_key).into())
        .encrypt_inout_detached([&context[..]], text.as_mut_slice().into())
        .unwrap();
    let body = [&iv[..], &text].concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(&mac_key).unwrap();
    mac.update(&context);
    mac.update(&body);
    BASE64.encode([header, &body, &mac.finalize().into_bytes()].concat())
}

#[test]
fn every_vector_opens() {
    for vector in vectors() {
        let header = vector_header(&vector);
        let opened = vector_keyring(&vector)
            .open(
                text(&vector, "name"),
                text(&vector, "cookie_value"),
                header.version,
                LIFETIMES,
                NOW,
            )
            .unwrap();
        assert_eq!(opened.header, header, "{}", vector["title"]);
        assert_eq!(opened.payload(), text(&vector, "payload").as_bytes(), "{}", vector["title"]);
        assert_eq!(opened.key, 0);
    }
}

#[test]
fn every_vector_is_what_we_seal() {
    for vector in vectors() {
        let value = vector_keyring(&vector).seal(
            text(&vector, "name"),
            &vector_header(&vector),
            text(&vector, "payload").as_bytes(),
        );
        assert_eq!(value, text(&vector, "cookie_value"), "{}", vector["title"]);
    }
}

/// The other way round: what we seal, the independent implementation opens.
#[test]
#[ignore = "needs Python with `cryptography`: make test-reference"]
fn the_reference_opens_what_we_seal() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    for (name, payload, lifetime) in [
        ("waxseal", "username=foo", SessionLifetime::default()),
        ("__Host-cart", "a=1&b=%C3%86+%26&_flash=x", SessionLifetime::default()),
        ("waxseal", "username=foo", lifetime(None, None, true)),
        ("waxseal", "username=foo", lifetime(Some(1), Some(u64::MAX - 1), false)),
    ] {
        let header =
            Header::new(Version::Values, Id::random(), NOW - HOUR, NOW).with_lifetime(lifetime);
        let output = Command::new(&python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seal/reference.py"))
            .args(["open", name, &keyring().seal(name, &header, payload.as_bytes())])
            .env("SESSION_AUTHENTICATION_KEY", "an authentication key of any length")
            .env("SESSION_ENCRYPTION_KEY", "0123456789abcdef")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["created"], header.created);
        assert_eq!(found["sealed"], header.sealed);
        assert_eq!(lifetime_of(&found["lifetime"]), lifetime);
        assert_eq!(found["id"], format!("{:032x}", u128::from_be_bytes(header.id.0)));
        let values: Value = form_urlencoded::parse(payload.as_bytes())
            .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(found["values"], values);
    }
}

#[test]
fn every_single_bit_flip_is_refused() {
    let with_lifetime = keyring().seal("waxseal", &header_with_lifetime(), b"username=foo");
    for value in [sealed(), with_lifetime] {
        let bytes = BASE64.decode(value).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let refusal = open(&BASE64.encode(flipped)).unwrap_err();
            match bit {
                0..8 => assert!(
                    matches!(
                        refusal,
                        Refusal::UnknownVersion(_) | Refusal::TooShort | Refusal::Forged
                    ),
                    "bit {bit}: {refusal:?}"
                ),
                _ => assert_eq!(refusal, Refusal::Forged, "bit {bit}"),
            }
        }
    }
}

#[test]
fn every_changed_character_is_refused() {
    let value = sealed();
    for at in 0..value.len() {
        for other in ['A', 'B', '-', '_', '=', '+', '/', ' ', '\n', '\u{e9}'] {
            let changed = format!("{}{other}{}", &value[..at], &value[at + 1..]);
            if changed != value {
                assert!(open(&changed).is_err(), "{other:?} at {at}");
            }
        }
    }
}

#[test]
fn another_cookies_name_is_refused() {
    for name in ["waxsea", "waxseal2", "Waxseal", "__Host-waxseal", ""] {
        let opened = keyring().open(name, &sealed(), Version::Values, LIFETIMES, NOW);
        assert_eq!(opened.unwrap_err(), Refusal::Forged, "{name}");
    }
}

#[test]
fn two_cookies_cannot_swap_their_values() {
    let cart = keyring().seal("cart", &header(), b"item=1");
    assert_eq!(open(&cart).unwrap_err(), Refusal::Forged);
    let opened = keyring().open("cart", &sealed(), Version::Values, LIFETIMES, NOW);
    assert_eq!(opened.unwrap_err(), Refusal::Forged);
}

#[test]
fn a_name_cannot_borrow_bytes_of_the_header() {
    // The NUL between name and header keeps `a` + header apart from `a\0...`.
    let opened = keyring().open("waxseal\0", &sealed(), Version::Values, LIFETIMES, NOW);
    assert_eq!(opened.unwrap_err(), Refusal::Forged);
}

#[test]
fn every_truncation_is_refused() {
    let value = sealed();
    for length in 0..value.len() {
        let refusal = open(&value[..length]).unwrap_err();
        assert!(
            matches!(refusal, Refusal::NotBase64url | Refusal::TooShort | Refusal::Forged),
            "{length}: {refusal:?}"
        );
    }
    assert_eq!(open("").unwrap_err(), Refusal::TooShort);
}

#[test]
fn anything_appended_is_refused() {
    for tail in ["A", "AA", "AAA", "AAAA", "=", "==", " ", "\0"] {
        assert!(open(&format!("{}{tail}", sealed())).is_err(), "{tail:?}");
    }
}

#[test]
fn padding_is_refused() {
    // 94 bytes are 126 characters, which plain base64 would pad with two.
    let value = keyring().seal("waxseal", &header(), b"username=food");
    assert!(open(&value).is_ok());
    assert_eq!(value.len() % 4, 2);
    assert_eq!(open(&format!("{value}==")).unwrap_err(), Refusal::NotBase64url);
    assert_eq!(open(&format!("{value}=")).unwrap_err(), Refusal::NotBase64url);
}

#[test]
fn other_spellings_of_the_same_bytes_are_refused() {
    let value = keyring().seal("waxseal", &header(), b"username=food");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(value.chars().last().unwrap()).unwrap();
    for trailing_bits in 1..16 {
        let other = alphabet.as_bytes()[last ^ trailing_bits] as char;
        let respelled = format!("{}{other}", &value[..value.len() - 1]);
        assert_eq!(open(&respelled).unwrap_err(), Refusal::NotBase64url);
    }
    let standard = value.replace('-', "+").replace('_', "/");
    assert_ne!(standard, value, "the sample has neither - nor _: choose another");
    assert_eq!(open(&standard).unwrap_err(), Refusal::NotBase64url);
}

#[test]
fn more_than_4096_characters_are_not_even_decoded() {
    let longest = "A".repeat(MAX_COOKIE);
    assert_eq!(open(&longest).unwrap_err(), Refusal::UnknownVersion(0));
    assert_eq!(open(&format!("{longest}A")).unwrap_err(), Refusal::TooLong(MAX_COOKIE + 1));
    assert_eq!(open(&"!".repeat(5000)).unwrap_err(), Refusal::TooLong(5000));
}

#[test]
fn the_future_is_refused_beyond_a_minute_of_skew() {
    assert_eq!(refusal_at_age(0, -60), None);
    assert_eq!(refusal_at_age(-60, -60), None);
    assert_eq!(refusal_at_age(0, -61), Some(Refusal::Future));
    assert_eq!(refusal_at_age(0, -i64::from(u32::MAX)), Some(Refusal::Future));
}

#[test]
fn a_session_that_began_after_its_seal_is_refused() {
    assert_eq!(refusal_at_age(9, 10), Some(Refusal::CreatedAfterSealed));
    assert_eq!(refusal_at_age(10, 10), None);
}

#[test]
fn idle_age_is_refused() {
    assert_eq!(refusal_at_age(3600, 3599), None);
    assert_eq!(refusal_at_age(3600, 3600), Some(Refusal::Idle));
}

#[test]
fn absolute_age_is_refused_however_fresh_the_seal() {
    assert_eq!(refusal_at_age(24 * 3600 - 1, 0), None);
    assert_eq!(refusal_at_age(24 * 3600, 0), Some(Refusal::TooOld));
}

#[test]
fn times_at_the_ends_of_their_range_are_refused_without_overflow() {
    for (created, sealed) in [(0, u64::MAX), (u64::MAX, u64::MAX), (u64::MAX, 0), (0, 0)] {
        let header = header_of(created, sealed);
        let value = keyring().seal("waxseal", &header, b"a=1");
        assert!(open(&value).is_err());
        for now in [0, u64::MAX] {
            let _ = keyring().open("waxseal", &value, Version::Values, LIFETIMES, now);
        }
    }
}

/// How a genuine seal whose own times are these, made and begun so many seconds ago, is opened.
fn opened_with(own: SessionLifetime, created: u64, sealed: u64) -> Result<Opened, Refusal> {
    let header = header_of(NOW - created, NOW - sealed).with_lifetime(own);
    open(&keyring().seal("waxseal", &header, b"a=1"))
}

#[test]
fn a_lifetime_of_its_own_shortens_and_never_lengthens() {
    let own = |idle, absolute| lifetime(idle, absolute, false);
    for (lifetime, created, sealed, refusal) in [
        (own(Some(900), None), 899, 899, None),
        (own(Some(900), None), 900, 900, Some(Refusal::Idle)),
        (own(None, Some(900)), 899, 0, None),
        (own(None, Some(900)), 900, 0, Some(Refusal::TooOld)),
        (own(None, Some(900)), 900, 900, Some(Refusal::TooOld)),
        (own(Some(900), Some(900)), 900, 900, Some(Refusal::Idle)), // in the order of the format
        (own(Some(2 * HOUR), None), HOUR, HOUR, Some(Refusal::Idle)),
        (own(Some(2 * HOUR), None), HOUR - 1, HOUR - 1, None),
        (own(None, Some(u64::MAX - 1)), 24 * HOUR, 0, Some(Refusal::TooOld)),
        (own(Some(u64::MAX), Some(u64::MAX)), HOUR, HOUR, Some(Refusal::Idle)),
    ] {
        let result = opened_with(lifetime, created, sealed);
        assert_eq!(result.err(), refusal, "{lifetime:?} {created} {sealed}");
        let until_browser_closes = opened_with(lifetime.until_browser_closes(), created, sealed);
        assert_eq!(until_browser_closes.err(), refusal);
    }
}

#[test]
fn a_lifetime_comes_back_as_it_was_sealed() {
    for times in [None, Some(1), Some(900), Some(u64::MAX - 1)] {
        for ends_with_browser in [false, true] {
            for own in
                [lifetime(times, None, ends_with_browser), lifetime(None, times, ends_with_browser)]
            {
                assert_eq!(opened_with(own, 0, 0).unwrap().header.lifetime, own);
            }
        }
    }
}

#[test]
fn a_header_without_a_lifetime_is_33_bytes_and_with_one_50() {
    let plain = BASE64.decode(sealed()).unwrap();
    let long = keyring().seal("waxseal", &header_with_lifetime(), b"username=foo");
    let long = BASE64.decode(long).unwrap();
    assert_eq!((plain[0], long[0], long.len() - plain.len()), (1, 3, 17));
    assert_eq!(long[1..33], plain[1..33]);
    let flags = [1];
    let expected = [&900_u64.to_be_bytes()[..], &(12 * HOUR).to_be_bytes(), &flags].concat();
    assert_eq!(long[33..50], expected);
    assert_eq!(BASE64.encode(&long), sealed_by_hand(&long[..50]));
}

/// Nobody makes such headers, but somebody could who has the keys.
#[test]
fn no_lifetime_in_a_header_panics_or_lengthens() {
    let by_hand = |idle: u64, absolute: u64, flags: u8| {
        let (created, sealed) = ((NOW - HOUR).to_be_bytes(), NOW.to_be_bytes());
        let times = [created, sealed, idle.to_be_bytes(), absolute.to_be_bytes()].concat();
        sealed_by_hand(&[&[3], &[7; 16][..], &times, &[flags]].concat())
    };
    let at = |value: &str, now| keyring().open("waxseal", value, Version::Values, LIFETIMES, now);
    let times = [0, 1, 3600, 3601, u64::MAX / 2, u64::MAX - 1, u64::MAX];
    for (idle, absolute) in times.into_iter().flat_map(|a| times.map(|b| (a, b))) {
        for flags in [0, 1, 2, 0xff] {
            let value = by_hand(idle, absolute, flags);
            let refusal = match () {
                () if idle == 0 => Some(Refusal::Idle),
                () if absolute <= HOUR => Some(Refusal::TooOld),
                () => None,
            };
            let result = at(&value, NOW);
            assert_eq!(result.as_ref().err(), refusal.as_ref(), "{idle} {absolute} {flags}");
            if let Ok(opened) = result {
                assert_eq!(opened.header.lifetime.ends_with_browser(), flags & 1 == 1);
            }
            assert_eq!(at(&value, NOW + HOUR).unwrap_err(), Refusal::Idle);
            assert!(at(&value, 0).is_err() && at(&value, u64::MAX).is_err());
            assert!(keyring().open_at_any_time("waxseal", &value, Version::Values).is_ok());
        }
    }
}

#[test]
fn a_header_with_a_lifetime_needs_its_room() {
    // As long as a seal of version 1 with a payload of 1 to 17 bytes.
    for length in [1, 16, 17] {
        let bytes = [&[3][..], &[0; 33 + 16 + 32 - 1], &vec![0; length]].concat();
        assert_eq!(open(&BASE64.encode(&bytes)).unwrap_err(), Refusal::TooShort);
    }
    let bytes = [&[3][..], &[0; 33 + 16 + 32 - 1], &[0; 18]].concat();
    assert_eq!(open(&BASE64.encode(bytes)).unwrap_err(), Refusal::Forged);
}

#[test]
fn times_are_not_asked_of_what_is_opened_at_any_time() {
    let own = lifetime(Some(1), Some(1), false);
    for (created, sealed) in [(0, 0), (0, u64::MAX), (u64::MAX, 0), (NOW, NOW - 1)] {
        let header = header_of(created, sealed).with_lifetime(own);
        let value = keyring().seal("waxseal", &header, b"a=1");
        let opened = keyring().open_at_any_time("waxseal", &value, Version::Values).unwrap();
        assert_eq!((&opened.header, opened.payload()), (&header, &b"a=1"[..]));
        let other = keyring().open_at_any_time("waxseal", &value, Version::Stored);
        assert_eq!(other.unwrap_err(), Refusal::OtherVersion(Version::Values));
        let other = keyring().open_at_any_time("other", &value, Version::Values);
        assert_eq!(other.unwrap_err(), Refusal::Forged);
    }
}

#[test]
fn unknown_versions_are_refused() {
    let bytes = BASE64.decode(sealed()).unwrap();
    for version in (0..=255).filter(|version| !(1..=4).contains(version)) {
        let mut other = bytes.clone();
        other[0] = version;
        assert_eq!(open(&BASE64.encode(other)).unwrap_err(), Refusal::UnknownVersion(version));
    }
}

#[test]
fn a_seal_of_the_other_version_is_refused() {
    let stored = Header::new(Version::Stored, Id([7; 16]), NOW - HOUR, NOW);
    let value = keyring().seal("waxseal", &stored, b"stored");
    assert_eq!(open(&value).unwrap_err(), Refusal::OtherVersion(Version::Stored));
    let opened = keyring().open("waxseal", &sealed(), Version::Stored, LIFETIMES, NOW);
    assert_eq!(opened.unwrap_err(), Refusal::OtherVersion(Version::Values));
}

#[test]
fn a_stored_seal_carries_its_one_payload_alone() {
    let stored = Header::new(Version::Stored, Id([7; 16]), NOW - HOUR, NOW);
    for payload in [&b"username=foo"[..], b"store", b"stored "] {
        let value = keyring().seal("waxseal", &stored, payload);
        let opened = keyring().open("waxseal", &value, Version::Stored, LIFETIMES, NOW);
        assert_eq!(opened.unwrap_err(), Refusal::Payload);
    }
}

/// Its seal is right, and there is no room for a payload.
#[test]
fn an_empty_payload_is_refused() {
    let empty = keyring().seal("waxseal", &header(), b"");
    assert_eq!(open(&empty).unwrap_err(), Refusal::TooShort);
    let shortest = keyring().seal("waxseal", &header(), b"=");
    assert_eq!(open(&shortest).unwrap().payload(), b"=");
}

#[test]
fn a_previous_pair_opens_and_never_seals() {
    let (new, old) = (
        (b"new authentication", b"new encryption!!"),
        (b"old authentication", b"old encryption!!"),
    );
    let rotated = Keyring::new(new.0, new.1).unwrap().with_previous(old.0, old.1).unwrap();
    let before = Keyring::new(old.0, old.1).unwrap().seal("waxseal", &header(), b"a=1");
    let after = rotated.seal("waxseal", &header(), b"a=1");
    let key = |value| rotated.open("waxseal", value, Version::Values, LIFETIMES, NOW).unwrap().key;
    assert_eq!((key(&before), key(&after)), (1, 0));
    assert_eq!(after, Keyring::new(new.0, new.1).unwrap().seal("waxseal", &header(), b"a=1"));
}

#[test]
fn changing_one_key_of_the_pair_alone_signs_nobody_out() {
    let old = Keyring::new(b"the same", b"old encryption!!").unwrap();
    let value = old.seal("waxseal", &header(), b"a=1");
    let rotated = Keyring::new(b"the same", b"new encryption!!").unwrap();
    let refusal = rotated.open("waxseal", &value, Version::Values, LIFETIMES, NOW).unwrap_err();
    assert_eq!(refusal, Refusal::Undecryptable);
    let rotated = rotated.with_previous(b"the same", b"old encryption!!").unwrap();
    let opened = rotated.open("waxseal", &value, Version::Values, LIFETIMES, NOW).unwrap();
    assert_eq!((opened.key, opened.payload()), (1, &b"a=1"[..]));
}

#[test]
fn a_pair_opens_what_both_of_its_keys_made() {
    let value =
        Keyring::new(b"one", b"one encryption!!").unwrap().seal("waxseal", &header(), b"a=1");
    let mixed = Keyring::new(b"one", b"other encryption").unwrap();
    let mixed = mixed.with_previous(b"other", b"one encryption!!").unwrap();
    let refusal = mixed.open("waxseal", &value, Version::Values, LIFETIMES, NOW).unwrap_err();
    assert_eq!(refusal, Refusal::Undecryptable);
}

#[test]
fn keys_are_checked_when_the_keyring_is_made() {
    let error = |authentication: &str, encryption: &str| {
        Keyring::new(authentication.as_bytes(), encryption.as_bytes()).err()
    };
    assert_eq!(error("", "0123456789abcdef"), Some(KeyError::EmptyAuthentication));
    for length in 0..=80 {
        let refused = !matches!(length, 16 | 24 | 32..);
        let expected = refused.then_some(KeyError::EncryptionLength(length));
        assert_eq!(error("a", &"x".repeat(length)), expected);
    }
    assert_eq!(error("0123456789abcdef", "0123456789abcdef"), Some(KeyError::EqualKeys));
    assert!(matches!(
        error("<string of any length>", "0123456789abcdef"),
        Some(KeyError::Placeholder(_))
    ));
    assert!(matches!(
        error("a", "please-CHANGE-ME-now-and-here..."),
        Some(KeyError::Placeholder(_))
    ));
    // Random bytes may begin and end like a placeholder.
    for key in [&b"<0123456789abc\x80>"[..], b"<0123456789abc\x1f>", b"<0123456789abc\x7f>"] {
        assert!(Keyring::new(key, b"0123456789abcdef").is_ok(), "{}", key.escape_ascii());
        assert!(Keyring::new(b"a", key).is_ok(), "{}", key.escape_ascii());
    }
    let again =
        Keyring::new(b"a", b"0123456789abcdef").unwrap().with_previous(b"a", b"0123456789abcdef");
    assert_eq!(again.unwrap_err(), KeyError::RepeatedPair);
}

#[test]
fn a_key_with_fewer_than_eight_different_bytes_looks_weak() {
    assert!(looks_weak(b"") && looks_weak(&[b'a'; 100]));
    assert!(looks_weak(b"abcdefgabcdefg"), "seven");
    assert!(!looks_weak(b"abcdefghabcdefgh"), "eight");
}

#[test]
fn debug_shows_no_key_and_no_payload() {
    let keyring = Keyring::new(b"visible-auth", b"visible-encrypt!").unwrap();
    let opened = open(&sealed()).unwrap();
    for shown in [format!("{keyring:?} {keyring:#?}"), format!("{opened:?}")] {
        for secret in ["visible", "username", "foo"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        name in "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}",
        id: [u8; 16],
        age in 0..HOUR,
        life in 0..23 * HOUR,
        idle in proptest::option::of(HOUR..),
        absolute in proptest::option::of(24 * HOUR..),
        ends_with_browser: bool,
        payload in proptest::collection::vec(any::<u8>(), 1..2900),
        authentication in proptest::collection::vec(any::<u8>(), 1..100),
        encryption in proptest::collection::vec(any::<u8>(), 32..100),
    ) {
        prop_assume!(authentication != encryption);
        let keyring = Keyring::new(&authentication, &encryption).unwrap();
        let sealed = NOW - age;
        let lifetime = lifetime(idle, absolute, ends_with_browser);
        let header =
            Header::new(Version::Values, Id(id), sealed - life, sealed).with_lifetime(lifetime);
        let value = keyring.seal(&name, &header, &payload);
        prop_assert!(value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        let opened = keyring.open(&name, &value, Version::Values, LIFETIMES, NOW).unwrap();
        prop_assert_eq!(opened.payload(), &payload[..]);
        prop_assert_eq!(opened.header, header);
    }

    #[test]
    fn what_opens_is_within_both_lifetimes(
        created in 0..30 * HOUR,
        sealed in 0..2 * HOUR,
        idle in prop_oneof![1..2 * HOUR, any::<u64>()],
        absolute in prop_oneof![1..48 * HOUR, any::<u64>()],
    ) {
        prop_assume!(created >= sealed);
        let opened = opened_with(lifetime(Some(idle), Some(absolute), false), created, sealed);
        let is_within = sealed < HOUR.min(idle.max(1)) && created < (24 * HOUR).min(absolute.max(1));
        prop_assert_eq!(opened.is_ok(), is_within);
    }

    #[test]
    fn no_text_opens_or_panics(name in ".{0,20}", value in ".{0,300}") {
        prop_assert!(keyring().open(&name, &value, Version::Values, LIFETIMES, NOW).is_err());
    }

    #[test]
    fn no_bytes_open_or_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for version in 1..=4 {
            prop_assert!(open(&BASE64.encode([&[version], &bytes[..]].concat())).is_err());
        }
    }
}
