//! A dropped keyring leaves no key behind in this process's memory.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};

use waxseal::seal::Keyring;

const ENCRYPTION_KEY: &[u8] = b"an encryption key to look for in memory";
/// Bytes 32 to 47 of the AES-SIV key that HKDF derives of it, each bit turned over: the test's own
/// copy must not be what it finds.
const INVERTED: [u8; 16] = [55, 41, 31, 99, 82, 16, 230, 32, 58, 199, 218, 152, 195, 194, 38, 123];

/// How often the key is in the writable memory of this process.
fn copies_of_the_key() -> usize {
    let mut memory = File::open("/proc/self/mem").unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let writable = maps.lines().filter(|line| line.split_whitespace().nth(1) == Some("rw-p"));
    writable
        .map(|line| {
            let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
            memory.seek(SeekFrom::Start(from)).unwrap();
            let mut bytes = Vec::new();
            // Some special mappings cannot be read.
            let _ = memory.by_ref().take(to - from).read_to_end(&mut bytes);
            bytes.windows(16).filter(|window| is_the_key(window)).count()
        })
        .sum()
}

fn is_the_key(window: &[u8]) -> bool {
    window.iter().zip(INVERTED).all(|(byte, inverted)| *byte == !inverted)
}

#[test]
fn dropping_a_keyring_wipes_its_key() {
    let keyring = Box::new(Keyring::new(b"authentication", ENCRYPTION_KEY).unwrap());
    assert!(copies_of_the_key() > 0, "the key in use must be found, or this test finds nothing");
    drop(keyring);
    assert_eq!(copies_of_the_key(), 0);
}
