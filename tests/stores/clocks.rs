//! The clock of this machine is another than the server's.

use std::fs;

use crate::support::{Browser, Waxseal};

/// The library that shows a program another time.
pub fn library() -> String {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let found = libraries.into_iter().find(|library| library.exists());
    found.expect("libfaketime is installed: make test-stores").to_str().unwrap().to_owned()
}

/// Visitors sign in and out, however wrong the clock is.
pub fn another_clock(name: &str, vars: &[(&str, &str)]) {
    let library = library();
    for time in ["-2h", "+2h", "-400d"] {
        let clock = [
            ("LD_PRELOAD", library.as_str()),
            ("FAKETIME", time),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("SESSION_STORE", name),
            ("SESSION_IDLE_TIMEOUT", "1h"),
        ];
        let waxseal = Waxseal::start(&[&clock, vars].concat());
        let mut browser = Browser::by_http();
        browser.sign_in(&waxseal);
        assert!(browser.is_signed_in(&waxseal), "{time}");
        browser.post(&waxseal, "/logout", "");
        assert!(!browser.is_signed_in(&waxseal));
    }
}
