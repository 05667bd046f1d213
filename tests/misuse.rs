//! What a program is told that forgets something. What the compiler tells is in the documentation of
//! `Saved` and `Session::confirm`.

use std::sync::Mutex;

use log::{Log, Metadata, Record};
use waxseal::seal::Keyring;
use waxseal::session::{Scheme, Session, Sessions};

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Kept;

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        LINES.lock().unwrap().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// In one test, because a program has one log.
#[test]
fn a_change_that_is_not_saved_is_told_of() {
    log::set_logger(&Kept).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let keyring = Keyring::new(b"authentication", b"0123456789abcdef").unwrap();
    let sessions = Sessions::sealed(keyring);
    let is_told = |visit: &dyn Fn(&mut Session)| {
        let mut session = sessions.load("", Scheme::Http).unwrap();
        session.insert("theme", "dark").unwrap();
        let cookie = sessions.save(&mut session).unwrap().into_cookie().unwrap();
        drop(session);
        let mut session = sessions.load(&cookie.stripped().to_string(), Scheme::Http).unwrap();
        visit(&mut session);
        drop(session);
        let lines: Vec<String> = LINES.lock().unwrap().drain(..).collect();
        lines.iter().any(|line| line.contains("changed and not saved"))
    };
    assert!(is_told(&|session| session.insert("theme", "light").unwrap()));
    assert!(is_told(&|session| drop(session.remove("theme"))));
    assert!(is_told(&Session::renew));
    assert!(is_told(&Session::destroy));
    assert!(is_told(&|session| {
        let _ = sessions.save(session).unwrap();
        session.insert("theme", "light").unwrap();
    }));
    assert!(!is_told(&|session| assert_eq!(session.get("theme"), Some("dark"))));
    assert!(!is_told(&|session| {
        session.insert("theme", "light").unwrap();
        let _ = sessions.save(session).unwrap();
    }));
    assert!(!is_told(&|session| {
        session.destroy();
        let _ = sessions.save(session).unwrap();
    }));
}
