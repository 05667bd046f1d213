//! What a browser is remembered for while nobody is signed in, in a sealed cookie of its own: for
//! which accounts it has signed in before, and once, the name that was typed with a wrong password.
//!
//! The name is in a cookie, and not in the address or in a store, since people type passwords into
//! the name field.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use waxseal::seal::{Fingerprint, Id, Lifetimes};
use waxseal::session::{Session, Settings};

use super::user_list::MAX_NAME;

/// As long as browsers keep a cookie at most (RFC 6265bis, section 5.5).
const LIFETIME: Duration = Duration::from_secs(400 * 24 * 3600);
/// Accounts of one browser that are remembered: those that signed in last.
const MAX_ACCOUNTS: usize = 4;
/// What the names of accounts begin with; the value is when each signed in, and with what.
const ACCOUNT: &str = "account:";
/// When a name was typed, and which.
const TYPED: &str = "typed";
/// Seconds for which a typed name is kept: the next page comes at once. Who uses the browser later
/// does not get to see it.
const TYPED_FOR: u64 = 60;

/// The settings of that cookie, beside a session's with these.
pub(super) fn settings(session: &Settings) -> Settings {
    let name = format!("{}-browser", session.name);
    session.clone().with_name(name).with_lifetimes(Lifetimes { idle: LIFETIME, absolute: LIFETIME })
}

/// The browser's id, if the account with this fingerprint has signed in with it before, with the
/// credential of today: who knew an older password is a stranger.
pub(super) fn id_for(browser: &Session, fingerprint: &Fingerprint) -> Option<Id> {
    let (_, mark) = browser.get(&account(fingerprint.user()))?.split_once(' ')?;
    fingerprint.is(mark).then(|| browser.id())
}

/// Remembers that the account with this fingerprint has signed in.
pub(super) fn remember(browser: &mut Session, fingerprint: &Fingerprint) {
    let signed_in = format!("{} {}", unix_seconds(), fingerprint.mark());
    insert(browser, &account(fingerprint.user()), &signed_in);
    let accounts = browser.iter().filter(|(name, _)| name.starts_with(ACCOUNT));
    let seconds = |value: &str| value.split(' ').next().and_then(|at| at.parse().ok());
    let mut by_age: Vec<(u64, String)> =
        accounts.map(|(name, value)| (seconds(value).unwrap_or(0), name.to_owned())).collect();
    by_age.sort_unstable();
    for (_, oldest) in by_age.iter().take(by_age.len().saturating_sub(MAX_ACCOUNTS)) {
        browser.remove(oldest);
    }
}

fn account(name: &str) -> String {
    format!("{ACCOUNT}{name}")
}

/// Keeps the name that was typed, where it can be one, for the next page.
pub(super) fn keep_typed(browser: &mut Session, name: &str) {
    if (1..=MAX_NAME).contains(&name.len()) {
        insert(browser, TYPED, &format!("{} {name}", unix_seconds()));
    }
}

/// The name that was typed before this page, once.
pub(super) fn take_typed(browser: &mut Session) -> Option<String> {
    let typed = browser.remove(TYPED)?;
    let (at, name) = typed.split_once(' ')?;
    let age = unix_seconds().saturating_sub(at.parse().ok()?);
    (age <= TYPED_FOR).then(|| name.to_owned())
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn insert(browser: &mut Session, name: &str, value: &str) {
    // The one error is for names that begin with an underscore.
    browser.insert(name, value).expect("no name of ours is reserved");
}

#[cfg(test)]
mod tests {
    use waxseal::seal::Keyring;
    use waxseal::session::{Scheme, Sessions};

    use super::*;

    fn sessions() -> Sessions {
        let keyring = Keyring::new(b"authentication", b"0123456789abcdef").unwrap();
        Sessions::sealed(keyring).with_settings(settings(&Settings::default())).unwrap()
    }

    #[test]
    fn a_browser_is_known_for_the_accounts_that_signed_in_with_it() {
        let sessions = sessions();
        let fingerprint = |name: &str, hash: &[u8]| sessions.fingerprint(name, hash);
        let alice = fingerprint("alice", b"hash");
        let mut browser = sessions.load("", Scheme::Https).unwrap();
        assert_eq!(id_for(&browser, &alice), None);
        remember(&mut browser, &alice);
        let cookie = sessions.save(&mut browser).unwrap().into_cookie().unwrap();
        assert_eq!(cookie.name(), "__Host-waxseal-browser");
        let browser = sessions.load(&cookie.stripped().to_string(), Scheme::Https).unwrap();
        assert_eq!(id_for(&browser, &alice), Some(browser.id()));
        assert_eq!(id_for(&browser, &fingerprint("alice", b"a new password's hash")), None);
        assert_eq!(id_for(&browser, &fingerprint("bob", b"hash")), None);
        assert_eq!(id_for(&browser, &fingerprint("", b"hash")), None);
    }

    #[test]
    fn the_longest_names_fit_and_the_oldest_account_goes() {
        let sessions = sessions();
        let mut browser = sessions.load("", Scheme::Https).unwrap();
        let names: Vec<String> = (0..6).map(|n| format!("{n}{}", "ü".repeat(63))).collect();
        let fingerprint = |name: &String| sessions.fingerprint(name, b"hash");
        for (name, at) in names.iter().zip(0..5) {
            let signed_in = format!("{at} {}", fingerprint(name).mark());
            insert(&mut browser, &account(name), &signed_in);
        }
        remember(&mut browser, &fingerprint(&names[5]));
        keep_typed(&mut browser, &"ü".repeat(64));
        let known: Vec<bool> =
            names.iter().map(|name| id_for(&browser, &fingerprint(name)).is_some()).collect();
        assert_eq!(known, [false, false, true, true, true, true]);
        assert!(sessions.save(&mut browser).unwrap().into_cookie().is_some());
    }

    #[test]
    fn the_typed_name_is_there_once() {
        let mut browser = sessions().load("", Scheme::Http).unwrap();
        for not_kept in ["", &"x".repeat(MAX_NAME + 1)] {
            keep_typed(&mut browser, not_kept);
            assert_eq!(take_typed(&mut browser), None);
        }
        keep_typed(&mut browser, "_alice <b>");
        assert_eq!(take_typed(&mut browser).as_deref(), Some("_alice <b>"));
        assert_eq!(take_typed(&mut browser), None);
        insert(&mut browser, TYPED, &format!("{} alice", unix_seconds() - TYPED_FOR - 1));
        assert_eq!(take_typed(&mut browser), None, "somebody else may sit there by now");
    }
}
