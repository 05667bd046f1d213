//! How long the running server takes over a wrong password, and over a name that it does not know.
//!
//! Prints both distributions, and how often an unknown name takes longer than a wrong password: one
//! half where they cannot be told apart. Ends with an error where they can.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use support::{Waxseal, post};

const TRIES: usize = 150;
/// Three standard deviations around a half, for so many tries of each.
const INDISTINGUISHABLE: std::ops::RangeInclusive<f64> = 0.4..=0.6;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let today = "$argon2id$v=19$m=19456,t=2,p=1$YKQMosCr6UP7NqpP7udA1g$\
                 Nsj+AImdJHXeXTK00DyfnUbZxCaOsseal6/kJ279yoA";
    let cheaper = today.replace("m=19456", "m=9728");
    compare("all hashes cost the same", |_| today);
    compare("one hash in two costs half", |number| if number % 2 == 0 { today } else { &cheaper });
}

fn compare<'h>(title: &str, hash: impl Fn(usize) -> &'h str) {
    let users: Vec<String> =
        (0..TRIES).map(|number| format!("known{number}:{}", hash(number))).collect();
    let server = Waxseal::start(&[("USERS", &users.join("\n")), ("TRUSTED_PROXIES", "1")]);
    let time = |name: String, address: usize| {
        let form = format!("username={name}&password=wrong");
        let address = format!("10.0.{}.{}", address / 256, address % 256);
        let request = post("/login", &form).with("X-Forwarded-For", &address);
        let began = Instant::now();
        assert_eq!(request.sent_to(&server).status, 303);
        began.elapsed()
    };
    // In turn, so that whatever else the machine does meets both.
    let (mut wrong, mut unknown): (Vec<_>, Vec<_>) = (0..TRIES)
        .map(|number| {
            (time(format!("known{number}"), number), time(format!("other{number}"), TRIES + number))
        })
        .unzip();
    println!("\n{title}");
    print("wrong password", &mut wrong);
    print("unknown name", &mut unknown);
    let longer = how_often_longer(&unknown, &wrong);
    println!("  an unknown name takes longer in {:.0} of 100 pairs", longer * 100.0);
    assert!(INDISTINGUISHABLE.contains(&longer), "the two can be told apart");
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let quantile = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1000.0;
    let [low, quarter, half, three, high] = [5, 25, 50, 75, 95].map(quantile);
    println!(
        "  {what:<14}  5 % {low:6.2}  25 % {quarter:6.2}  50 % {half:6.2}  75 % {three:6.2}  \
         95 % {high:6.2} ms"
    );
}

/// The share of all pairs in which the first takes longer (Mann and Whitney's U).
fn how_often_longer(first: &[Duration], second: &[Duration]) -> f64 {
    let longer: usize = first.iter().map(|a| second.iter().filter(|b| a > *b).count()).sum();
    longer as f64 / (first.len() * second.len()) as f64
}
