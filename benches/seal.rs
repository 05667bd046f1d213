//! Sealing and opening `username=foo`, beside cookie-rs's private jar in the same run.

use std::hint::black_box;
use std::time::Duration;

use cookie::{Cookie, CookieJar, Key};
use criterion::{Criterion, criterion_group, criterion_main};
use waxseal::seal::{Header, Id, Keyring, Lifetimes, SessionLifetime, Version};

fn waxseal(c: &mut Criterion) {
    let keyring =
        Keyring::new(b"an authentication key", b"0123456789abcdef0123456789abcdef").unwrap();
    let now = 1_795_395_600;
    let lifetime = SessionLifetime::default();
    let header = Header::new(Version::Values, Id::random(), now, now).with_lifetime(lifetime);
    let hour = Duration::from_secs(3600);
    let lifetimes = Lifetimes { idle: hour, absolute: hour };
    let value = keyring.seal("waxseal", &header, b"username=foo");
    c.bench_function("seal/waxseal", |b| {
        b.iter(|| keyring.seal("waxseal", black_box(&header), black_box(b"username=foo")));
    });
    c.bench_function("open/waxseal", |b| {
        b.iter(|| {
            keyring.open("waxseal", black_box(&value), Version::Values, lifetimes, now).unwrap()
        });
    });
}

fn private_jar(c: &mut Criterion) {
    let key = Key::generate();
    c.bench_function("seal/cookie-rs private", |b| {
        b.iter(|| {
            let mut jar = CookieJar::new();
            jar.private_mut(&key).add(Cookie::new("waxseal", black_box("username=foo")));
            jar
        });
    });
    let mut jar = CookieJar::new();
    jar.private_mut(&key).add(Cookie::new("waxseal", "username=foo"));
    let sealed = jar.get("waxseal").unwrap().clone();
    c.bench_function("open/cookie-rs private", |b| {
        b.iter(|| jar.private(&key).decrypt(black_box(sealed.clone())).unwrap());
    });
}

criterion_group!(benches, waxseal, private_jar);
criterion_main!(benches);
