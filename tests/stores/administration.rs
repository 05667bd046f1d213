//! `waxseal sessions` beside the running server.

use std::collections::BTreeSet;
use std::process::Output;

use serde_json::Value;

use super::visitors::key_of;
use crate::support::{
    AUTHENTICATION_KEY, Browser, ENCRYPTION_KEY, SECRET_HASH, Waxseal, get, post, run,
};

const KEYS: [(&str, &str); 2] = [
    ("SESSION_AUTHENTICATION_KEY", AUTHENTICATION_KEY),
    ("SESSION_ENCRYPTION_KEY", ENCRYPTION_KEY),
];

/// What the command is given to find the store.
struct Operator<'v> {
    vars: Vec<(&'v str, &'v str)>,
}

impl Operator<'_> {
    fn ask(&self, arguments: &[&str]) -> Output {
        run(&[&["sessions"], arguments].concat(), &self.vars)
    }

    /// What it prints where all is well, and what it adds for a person.
    fn told(&self, arguments: &[&str]) -> (String, String) {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    }

    fn prints(&self, arguments: &[&str]) -> String {
        let (printed, told) = self.told(arguments);
        assert_eq!(told, "", "{arguments:?}");
        printed
    }

    fn objects(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.prints(&[&["list", "--json"], arguments].concat());
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Sessions are counted, listed and ended while the server runs, which knows of each end at once.
pub fn beside_the_server(name: &str, vars: &[(&str, &str)]) {
    let vars = [&[("SESSION_STORE", name), ("STORE_PREFIX", "site-")], vars].concat();
    let users = format!("foo:{SECRET_HASH} bar:{SECRET_HASH}");
    let served = [&[("USERS", users.as_str())], &vars[..]].concat();
    let waxseal = Waxseal::start(&served);
    let operator = Operator { vars: [&KEYS[..], &vars].concat() };
    let sign_in = |user: &str| {
        let answer = post("/login", &format!("username={user}&password=secret")).sent_to(&waxseal);
        answer.set_cookie().expect("signed in").value
    };
    let home = |cookie: &String| get("/").cookie(cookie).sent_to(&waxseal);
    assert_eq!(operator.prints(&["count"]), "0\n");
    assert_eq!(operator.prints(&["list"]).lines().count(), 1, "the names of the columns");
    assert!(operator.objects(&[]).is_empty());

    let foos: Vec<String> = (0..3).map(|_| sign_in("foo")).collect();
    let bar = sign_in("bar");
    assert_eq!(operator.prints(&["count"]), "4\n");
    assert_eq!(operator.prints(&["count", "--user", "foo"]), "3\n");
    let (table, _) = operator.told(&["list", "--user", "bar"]);
    let line = table.lines().nth(1).unwrap();
    let columns: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((columns[0], columns[4]), (&*key_of(&bar).to_string(), "\"bar\""), "{line}");
    assert!(columns[1..4].iter().all(|time| time.len() == 20 && time.ends_with('Z')), "{line}");

    // Page by page, while one that was listed ends and another begins.
    let (mut listed, mut after, mut pages) = (BTreeSet::new(), None::<String>, 0);
    loop {
        let next = after.as_deref().map(|cursor| ["--after", cursor]);
        let place = next.as_ref().map_or(&[][..], |place| &place[..]);
        let page = operator.objects(&[&["--limit", "1"], place].concat());
        let id = |object: &Value| Some(object["id"].as_str()?.to_owned());
        let ids: Vec<String> = page.iter().filter_map(id).collect();
        assert!(ids.len() <= 1, "{page:?}");
        if let ([id], true) = (&ids[..], pages == 0) {
            assert_eq!(operator.prints(&["end", id]), "ended 1 session\n");
            sign_in("bar");
        }
        listed.extend(ids);
        pages += 1;
        after = page.last().and_then(|last| Some(last["next"].as_str()?.to_owned()));
        if after.is_none() {
            break;
        }
    }
    let known: BTreeSet<String> =
        foos.iter().chain([&bar]).map(|cookie| key_of(cookie).to_string()).collect();
    assert!(known.is_subset(&listed), "all were there but for what had been listed: {listed:?}");
    let (_, told) = operator.told(&["list", "--limit", "1"]);
    assert!(told.contains("--after "), "{told}");

    let living = |cookies: &[String]| cookies.iter().filter(|c| home(c).status == 200).count();
    let cookies = [&foos[..], &[bar]].concat();
    assert_eq!(living(&cookies), 3, "one was ended");
    let output = operator.ask(&["end", listed.first().unwrap(), &"0".repeat(64)]);
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!("{}: there is no such session", "0".repeat(64))), "{told}");

    let anew = [sign_in("foo"), sign_in("bar")];
    let foos_now: u64 = operator.prints(&["count", "--user", "foo"]).trim().parse().unwrap();
    let ended = operator.prints(&["end", "--user", "foo"]);
    assert!(ended.starts_with(&format!("ended {foos_now} session")), "{ended}");
    assert!(home(&anew[0]).is_anonymous() && home(&anew[1]).greets("bar"));
    let left: u64 = operator.prints(&["count"]).trim().parse().unwrap();
    assert!(operator.prints(&["end", "--all"]).starts_with(&format!("ended {left} session")));
    assert!(home(&anew[1]).is_anonymous());
    assert_eq!(operator.prints(&["count"]), "0\n");
    // The server goes on as before.
    assert!(Browser::by_http().sign_in(&waxseal).status == 303);

    let output = operator.ask(&["list", "--after", "of-another-store"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}

/// A store that is away is told, and is none of the operator's mistakes.
pub fn away(name: &str, vars: &[(&str, &str)]) {
    let operator = Operator { vars: [&KEYS[..], &[("SESSION_STORE", name)], vars].concat() };
    for arguments in [&["count"][..], &["list"], &["list", "--json"], &["end", "--all"]] {
        let output = operator.ask(arguments);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.starts_with("waxseal: the session store failed: "), "{told}");
    }
}

/// A store without a list says so, and what to do instead.
pub fn is_refused(name: &str, vars: &[(&str, &str)]) {
    let operator = Operator { vars: [&KEYS[..], &[("SESSION_STORE", name)], vars].concat() };
    for arguments in [&["count"][..], &["list"], &["end", "--user", "foo"], &["end", "--all"]] {
        let output = operator.ask(arguments);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("cannot list") && told.contains("SESSION_NOT_BEFORE"), "{told}");
    }
}
