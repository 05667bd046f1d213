//! What visitors and operators see of a store, through the running binary.

use crate::support::{Browser, SECRET_HASH, Waxseal, run};

/// People sign in and out, with all processes knowing of it; `lists` tells whether the store has an
/// index of users.
pub fn people(name: &str, vars: &[(&str, &str)], lists: bool) {
    let users = format!("foo:{SECRET_HASH}");
    let demo = [&[("SESSION_STORE", name)], vars].concat();
    let vars = [&[("USERS", users.as_str())], &demo[..]].concat();
    let (one, other) = (Waxseal::start(&vars), Waxseal::start(&vars));
    let sign_in = || {
        let mut browser = Browser::by_http();
        browser.sign_in(&one);
        browser
    };
    let (mut phone, mut desk, mut tablet) = (sign_in(), sign_in(), sign_in());
    assert!(phone.cookie().unwrap().len() < 200, "the values are elsewhere");
    let home = phone.get(&other, "/");
    assert!(home.greets("foo"), "every process knows the session");
    assert_eq!(home.text().contains("Your sessions"), lists);

    if lists {
        let others = keys(home.text());
        assert_eq!(others.len(), 2, "{}", home.text());
        assert_eq!(home.text().matches("This one").count(), 1);
        for key in &others {
            assert_eq!(phone.post(&one, "/logout", &format!("session={key}")).status, 303);
        }
        assert!(!desk.is_signed_in(&one) && !tablet.is_signed_in(&other));
        assert!(phone.is_signed_in(&other) && keys(phone.get(&one, "/").text()).is_empty());
        assert_eq!(phone.post(&one, "/logout", "session=nonsense").status, 400);
        // One that is nobody's any more: nothing is ended, and the log does not say so.
        let mut third = Waxseal::start(&vars);
        assert_eq!(phone.post(&third, "/logout", &format!("session={}", others[0])).status, 303);
        assert!(third.terminate().success());
        assert!(!third.log().contains("ended another session"), "{}", third.log());
        (desk, tablet) = (sign_in(), sign_in());
    }

    let copied = phone.clone();
    phone.post(&one, "/logout", "");
    for waxseal in [&one, &other] {
        assert!(!copied.clone().is_signed_in(waxseal), "a copied cookie is dead everywhere");
    }
    assert!(desk.is_signed_in(&other));
    let mut last = desk.clone();
    desk.post(&one, "/logout", "everywhere=1");
    assert!(!last.is_signed_in(&one) && !tablet.is_signed_in(&one));
    nobody_is_shown_the_sessions_of_others_in_the_demonstration(&demo);
    two_sites_share_one_store(&vars);
    if lists {
        a_user_has_so_many_sessions(&demo, &users);
    }
    // Without an index, what one process remembers of it is all there is.
    assert_eq!(tablet.is_signed_in(&other), !lists);
}

/// There everybody is foo.
fn nobody_is_shown_the_sessions_of_others_in_the_demonstration(vars: &[(&str, &str)]) {
    let waxseal = Waxseal::start(vars);
    let (mut one, mut other) = (Browser::by_http(), Browser::by_http());
    one.sign_in(&waxseal);
    other.sign_in(&waxseal);
    assert!(!one.get(&waxseal, "/").text().contains("Your sessions"));
}

/// With the same keys and users, but each with a prefix of its own.
fn two_sites_share_one_store(vars: &[(&str, &str)]) {
    let site = |prefix| Waxseal::start(&[vars, &[("STORE_PREFIX", prefix)]].concat());
    let (shop, blog) = (site("shop:"), site("blog."));
    let (mut shopper, mut reader) = (Browser::by_http(), Browser::by_http());
    shopper.sign_in(&shop);
    reader.sign_in(&blog);
    let is_signed_in = |browser: &Browser, site| browser.clone().is_signed_in(site);
    assert!(is_signed_in(&shopper, &shop) && is_signed_in(&reader, &blog));
    assert!(!is_signed_in(&shopper, &blog) && !is_signed_in(&reader, &shop));
    assert!(keys(shopper.get(&shop, "/").text()).is_empty(), "none of the other site's is listed");
    shopper.post(&shop, "/logout", "everywhere=1");
    assert!(!is_signed_in(&shopper, &shop) && is_signed_in(&reader, &blog));
}

/// At the next one, that which was longest unused ends; in the demonstration, where everybody is the
/// same user, none does.
fn a_user_has_so_many_sessions(demo: &[(&str, &str)], users: &str) {
    let few = [demo, &[("SESSIONS_PER_USER", "2")]].concat();
    let signed_in = |waxseal: &Waxseal| {
        [(); 3].map(|()| {
            let mut browser = Browser::by_http();
            browser.sign_in(waxseal);
            browser
        })
    };
    let waxseal = Waxseal::start(&[&[("USERS", users)], &few[..]].concat());
    let browsers = signed_in(&waxseal);
    assert_eq!(browsers.map(|mut browser| browser.is_signed_in(&waxseal)), [false, true, true]);
    let waxseal = Waxseal::start(&few);
    let browsers = signed_in(&waxseal);
    assert_eq!(browsers.map(|mut browser| browser.is_signed_in(&waxseal)), [true; 3]);
}

/// The log of the start in this environment; the store is not asked yet.
pub fn logged_at_start(vars: &[(&str, &str)]) -> String {
    Waxseal::start(vars).log()
}

/// The keys of the sessions that a home page offers to end.
fn keys(page: &str) -> Vec<String> {
    let fields = page.split("name=\"session\" value=\"").skip(1);
    fields.map(|rest| rest[..64].to_owned()).collect()
}

/// A store whose address is missing, or can't be used, is refused by the name of its variable, and
/// without its password.
pub fn refused_at_start(name: &str, variable: &str, unusable: &str) {
    let keys = [
        ("PORT", "0"),
        ("SESSION_AUTHENTICATION_KEY", "an authentication key of some length"),
        ("SESSION_ENCRYPTION_KEY", "0123456789abcdef"),
        ("SESSION_STORE", name),
    ];
    for address in [None, Some(unusable)] {
        let address = address.map(|address| (variable, address));
        let vars: Vec<_> = keys.into_iter().chain(address).collect();
        let output = run(&["serve"], &vars);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("  {variable} ")), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
