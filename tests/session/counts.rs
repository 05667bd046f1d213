//! How loading went, counted.

use waxseal::session::{Outcome, Scheme, Settings};

use super::support::{DAY, IDLE, NAME, Place, Site, Which, keyring, new_keyring, rotated_keyring};

fn counted(site: &Site) -> Vec<(&'static str, u64)> {
    let counts = site.sessions.counts().outcomes().filter(|&(_, count)| count > 0);
    counts.map(|(outcome, count)| (outcome.as_str(), count)).collect()
}

#[test]
fn all_outcomes_are_counted_from_nought() {
    let site = Site::sealed();
    let names = ["new", "valid", "previous_key", "malformed", "forged", "expired", "revoked"];
    let counts: Vec<_> = site.sessions.counts().outcomes().collect();
    assert!(counts.iter().map(|(outcome, _)| outcome.as_str()).eq(names));
    assert!(counts.iter().all(|&(_, count)| count == 0));
}

#[test]
fn each_load_is_counted_once_under_its_outcome() {
    for place in [Place::Cookie, Place::Store] {
        let before = Site::new(place, keyring(), Settings::default());
        let expired = before.foo();
        before.wait(IDLE);
        let site = before.other_process(place, rotated_keyring());
        let foo = site.foo();
        let signed_out = site.foo();
        let mut session = site.load(&signed_out);
        session.destroy();
        site.save(&mut session);
        let fresh_old = before.foo();

        assert_eq!(site.outcome(&foo), Outcome::Valid);
        assert_eq!(site.outcome(&fresh_old), Outcome::PreviousKey);
        assert_eq!(site.outcome(&format!("{NAME}=x; {foo}")), Outcome::Valid);
        assert_eq!(site.outcome(&format!("{NAME}=x; {NAME}=y")), Outcome::Malformed);
        let stranger = site.other_process(place, new_keyring());
        assert_eq!(stranger.outcome(&fresh_old), Outcome::Forged);
        assert_eq!(site.outcome(&expired), Outcome::Expired);
        assert_eq!(site.outcome(&signed_out), Outcome::Revoked);

        assert_eq!(
            counted(&site),
            [
                ("new", 2),
                ("valid", 3),
                ("previous_key", 1),
                ("malformed", 1),
                ("expired", 1),
                ("revoked", 1)
            ]
        );
        assert_eq!(counted(&stranger), [("forged", 1)]);
    }
}

#[test]
fn the_pair_of_keys_that_opened_is_counted_so_that_an_old_one_can_go() {
    let before = Site::sealed();
    let (often, never_again) = (before.foo(), before.foo());
    let site = before.other_process(Place::Cookie, rotated_keyring());
    let keys = |site: &Site| site.sessions.counts().keys().collect::<Vec<_>>();
    assert_eq!(keys(&site), [0, 0]);

    let mut session = site.load(&often);
    let often = site.saved(&mut session);
    assert_eq!(keys(&site), [0, 1]);
    for _ in 0..6 {
        site.wait(DAY);
        site.load(&often);
    }
    assert_eq!(keys(&site), [6, 1], "sealed anew at its first visit");

    site.wait(DAY);
    assert_eq!(site.outcome(&never_again), Outcome::Expired);
    assert_eq!(keys(&site), [6, 1], "what has expired needs no key");
}

#[test]
fn a_load_that_the_store_failed_is_not_counted() {
    let site = Site::stored();
    let foo = site.foo();
    let all: Which = |_| true;
    site.store.fail(all);
    assert!(site.sessions.load(&foo, Scheme::Https).is_err());
    assert_eq!(counted(&site), [("new", 1)]);
    assert!(site.sessions.counts().keys().eq([0]));
}
