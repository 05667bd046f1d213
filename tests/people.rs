//! Real users: who may sign in, how often one may try, and how all of it ends.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{
    AUTHENTICATION_KEY, Answer, Ask, Browser, Connection, DEADLINE, ENCRYPTION_KEY, SECRET_HASH,
    Waxseal, exchange, get, head, post, run,
};

/// Parameters for tests that are not about cost.
const CHEAP: [&str; 4] = ["--memory", "8", "--iterations", "1"];

// --- users and their files -----------------------------------------------------------------------

/// What the binary says to this command line, with `input` as its standard input.
fn with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_waxseal"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may refuse before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    std::str::from_utf8(&output.stderr).unwrap()
}

fn hash(password: &str) -> String {
    let output = with_input(&[&["hash-password"][..], &CHEAP].concat(), password);
    stdout(&output).trim_end().to_owned()
}

fn entry(name: &str, password: &str) -> String {
    format!("{name}:{}", hash(password))
}

/// A path of its own for each test, in an empty directory.
fn users_file() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("people-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&directory).unwrap();
    directory.join("users")
}

fn with_users(entries: &[String]) -> Waxseal {
    Waxseal::start(&[("USERS", &entries.join(" "))])
}

/// Behind a proxy that tells the visitors' addresses.
fn behind_a_proxy(entries: &[String]) -> Waxseal {
    Waxseal::start(&[("USERS", &entries.join("\n")), ("TRUSTED_PROXIES", "1")])
}

fn form(name: &str, password: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("username", name), ("password", password)])
        .finish()
}

fn try_as(name: &str, password: &str) -> Ask {
    post("/login", &form(name, password))
}

fn sign_in(browser: &mut Browser, server: &Waxseal, name: &str, password: &str) -> Answer {
    browser.post(server, "/login", &form(name, password))
}

fn signs_in(answer: &Answer) -> bool {
    (answer.status, answer.location()) == (303, Some("/"))
}

fn fails(answer: &Answer) -> bool {
    (answer.status, answer.location()) == (303, Some("/public/login.html#failed"))
}

#[test]
fn users_of_a_file_sign_in_and_nobody_else() {
    let path = users_file();
    let (alice, bob) = (entry("alice", "a pass phrase"), entry("bøb@example.com", "ß"));
    fs::write(&path, format!("# people\n\n{alice}\r\n{bob} # he\n")).unwrap();
    let server = Waxseal::start(&[("USERS_FILE", path.to_str().unwrap())]);
    for (name, password) in [("alice", "a pass phrase"), ("bøb@example.com", "ß")] {
        let mut browser = Browser::by_http();
        assert!(signs_in(&sign_in(&mut browser, &server, name, password)));
        assert!(browser.get(&server, "/").greets(name));
    }
    for (name, password) in [("alice", "ß"), ("Alice", "a pass phrase"), ("alice", "")] {
        assert!(fails(&try_as(name, password).sent_to(&server)));
    }
    assert!(fails(&try_as("foo", "secret").sent_to(&server)), "no demonstration");
    assert!(!server.log().contains("no users are configured"));
}

#[test]
fn every_bad_line_is_told_at_start_by_number_and_name_and_never_by_content() {
    let path = users_file();
    let good = hash("a");
    fs::write(&path, format!("alice:{good}\nbob:hunter2\nhunter3\nalice:{good}\n")).unwrap();
    let port = ("PORT", "0");
    let text = format!("{}\ncarol:$2y$05$hunter4", entry("alice", "a"));
    for (vars, expected) in [
        (
            [port, ("USERS_FILE", path.to_str().unwrap())],
            &[
                "USERS_FILE line 2, \"bob\": ",
                "USERS_FILE line 3: ",
                "USERS_FILE line 4, \"alice\": ",
            ][..],
        ),
        ([port, ("USERS", &text)], &["USERS line 2, \"carol\": "]),
        ([port, ("USERS", "# nobody")], &["USERS line 1: there is no user"]),
        ([port, ("USERS_FILE", "/nowhere")], &["USERS_FILE names a file that cannot be read"]),
    ] {
        let output = run(&[], &vars);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(expected.iter().all(|fault| told.contains(fault)), "{told}");
        assert!(!told.contains("hunter") && !told.contains(&good[30..]), "{told}");
    }
}

#[test]
fn two_lists_at_once_are_refused() {
    let path = users_file();
    fs::write(&path, entry("alice", "a")).unwrap();
    let text = entry("bob", "b");
    let output = run(&[], &[("USERS", text.as_str()), ("USERS_FILE", path.to_str().unwrap())]);
    assert!(stderr(&output).contains("USERS is set, and USERS_FILE too"), "{output:?}");
}

#[test]
fn a_change_of_the_file_counts_without_a_restart() {
    let path = users_file();
    fs::write(&path, entry("alice", "a")).unwrap();
    let server = Waxseal::start(&[("USERS_FILE", path.to_str().unwrap())]);
    let [mut alice, mut bob] = [Browser::by_http(), Browser::by_http()];
    assert!(signs_in(&sign_in(&mut alice, &server, "alice", "a")));

    // A change that does not parse keeps the old users.
    fs::write(&path, "alice:hunter2\n").unwrap();
    let line = server.wait_for_log("USERS_FILE cannot be used; the old users stay");
    assert!(
        line.contains(" at=error ") && line.contains("line 1") && line.contains("alice"),
        "{line}"
    );
    assert!(!server.log().contains("hunter2"));
    assert!(alice.get(&server, "/").greets("alice"));

    // So does a file that is gone.
    fs::remove_file(&path).unwrap();
    server.wait_for_log("USERS_FILE cannot be read; the old users stay");
    assert!(alice.get(&server, "/").greets("alice"));

    let output =
        with_input(&[&["add-user", path.to_str().unwrap(), "bob"][..], &CHEAP].concat(), "b");
    assert!(stdout(&output).contains("bob"));
    server.wait_for_log("the users have changed");
    assert!(signs_in(&sign_in(&mut bob, &server, "bob", "b")));
    assert!(bob.get(&server, "/").greets("bob"));
    assert!(alice.get(&server, "/").is_anonymous(), "who was removed is signed out");
    assert_eq!(alice.cookie(), None);
    server.wait_for_log("session ended: no such user, or another password");
}

#[test]
fn another_password_ends_all_sessions_of_its_user_across_restarts_and_processes() {
    let (alice, bob) = (entry("alice", "a"), entry("bob", "b"));
    let first = with_users(&[alice.clone(), bob.clone()]);
    let [mut alices, mut bobs] = [Browser::by_http(), Browser::by_http()];
    assert!(signs_in(&sign_in(&mut alices, &first, "alice", "a")));
    assert!(signs_in(&sign_in(&mut bobs, &first, "bob", "b")));
    let copied = alices.clone();

    let restarted = with_users(&[alice, bob.clone()]);
    assert!(alices.get(&restarted, "/").greets("alice") && bobs.get(&restarted, "/").greets("bob"));

    // The same password, hashed anew, is another one too: who changes it means it.
    let changed = with_users(&[entry("alice", "a"), bob]);
    assert!(alices.get(&changed, "/").is_anonymous() && bobs.get(&changed, "/").greets("bob"));
    assert!(copied.clone().get(&changed, "/").is_anonymous());
    let logout = copied.clone().post(&changed, "/logout", "everywhere=1");
    assert!(signs_in(&logout), "it only leads home");
    assert!(!changed.log().contains("everywhere"), "{}", changed.log());
}

#[test]
fn a_rotation_of_keys_in_two_steps_signs_nobody_out() {
    let users = entry("alice", "a");
    let old = ["the old authentication key", "the old encryption key, 32 bytes"];
    let new = ["the new authentication key", "the new encryption key, 32 bytes"];
    let start = |pairs: &[[&str; 2]]| {
        let mut vars = vec![("USERS", users.as_str())];
        let names = [
            ["SESSION_AUTHENTICATION_KEY", "SESSION_ENCRYPTION_KEY"],
            ["SESSION_AUTHENTICATION_KEY_PREVIOUS", "SESSION_ENCRYPTION_KEY_PREVIOUS"],
        ];
        for (pair, names) in pairs.iter().zip(names) {
            vars.extend([(names[0], pair[0]), (names[1], pair[1])]);
        }
        Waxseal::start(&vars)
    };
    let (first_step, second_step) = (start(&[old, new]), start(&[new, old]));
    let mut alice = Browser::by_http();
    assert!(signs_in(&sign_in(&mut alice, &first_step, "alice", "a")));
    // Processes are replaced one by one: she meets the one and the other.
    for server in [&first_step, &second_step, &first_step, &second_step] {
        assert!(alice.get(server, "/").greets("alice"));
    }
    assert!(alice.get(&start(&[new]), "/").greets("alice"), "the old pair is gone");
}

#[test]
fn a_session_of_the_demonstration_is_none_of_a_user_with_that_name() {
    let (demonstration, real) = (Waxseal::start(&[]), with_users(&[entry("foo", "secret")]));
    let mut browser = Browser::by_http();
    browser.sign_in(&demonstration);
    assert!(browser.get(&demonstration, "/").greets("foo"));
    assert!(browser.get(&real, "/").is_anonymous());
}

#[test]
fn the_start_says_how_many_hashes_are_cheap_and_they_sign_in() {
    let server = with_users(&[entry("alice", "a"), entry("bob", "b")]);
    let line = server.wait_for_log("cheaper");
    assert!(line.contains(" at=warn ") && line.ends_with(" users=2"), "{line}");
    assert_eq!(server.log().matches("cheaper").count(), 1);
    assert!(signs_in(&try_as("bob", "b").sent_to(&server)));
}

#[cfg(feature = "bcrypt")]
#[test]
fn entries_of_htpasswd_sign_in() {
    // htpasswd -nbB -C 5 bob Pässwort
    let bob = "bob:$2y$05$hW8g1tLf84b6t3ZZCo9gj.yLNU/MXjkJlnMin8DCHpeydmy8qK.Vi";
    let server = with_users(&[bob.to_owned(), entry("alice", "a")]);
    assert!(signs_in(&try_as("bob", "Pässwort").sent_to(&server)));
    assert!(fails(&try_as("bob", "Passwort").sent_to(&server)));
    assert!(signs_in(&try_as("alice", "a").sent_to(&server)));
}

#[cfg(not(feature = "bcrypt"))]
#[test]
fn an_entry_of_htpasswd_names_what_is_missing() {
    let bob = "bob:$2y$05$hW8g1tLf84b6t3ZZCo9gj.yLNU/MXjkJlnMin8DCHpeydmy8qK.Vi";
    let output = run(&[], &[("PORT", "0"), ("USERS", bob)]);
    assert!(stderr(&output).contains("this program was built without it"), "{output:?}");
}

// --- the command line ----------------------------------------------------------------------------

#[test]
fn hash_password_prints_what_owasp_recommends_unless_told_otherwise() {
    let default = with_input(&["hash-password"], "secret\n");
    assert!(stdout(&default).starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{default:?}");
    let told = with_input(&["hash-password", "-m", "64", "-t3", "--parallelism=2"], "secret");
    assert!(stdout(&told).starts_with("$argon2id$v=19$m=64,t=3,p=2$"), "{told:?}");
    let server = with_users(&[format!("alice:{}", stdout(&default).trim_end())]);
    assert!(signs_in(&try_as("alice", "secret").sent_to(&server)));
    assert!(!server.log().contains("cheaper"));
}

#[test]
fn passwords_of_up_to_1024_bytes_are_taken_whole() {
    let longest = "ü".repeat(512);
    let server = with_users(&[entry("alice", &longest)]);
    assert!(signs_in(&try_as("alice", &longest).sent_to(&server)));
    assert!(fails(&try_as("alice", &longest[2..]).sent_to(&server)));
    assert!(fails(&try_as("alice", &format!("{longest}x")).sent_to(&server)));
    assert!(fails(&try_as("alice", &format!("{}x", &longest[2..])).sent_to(&server)));
}

#[test]
fn passwords_and_costs_that_cannot_be_are_refused() {
    for (arguments, input, fault) in [
        (&["hash-password"][..], "", "the password is empty"),
        (&["hash-password"], "\n", "the password is empty"),
        (&["hash-password"], &"x".repeat(1025), "longer than 1024 bytes"),
        (&["hash-password"], "hunter2\nhunter2\n", "more than one line"),
        (&["hash-password", "-m", "1000000"], "hunter2", "parameters are not usable"),
        (&["hash-password", "-t", "0"], "hunter2", "parameters are not usable"),
        (&["hash-password", "-t", "x"], "hunter2", "x"),
        (&["hash-password", "hunter2"], "", "unexpected argument"),
        (&["add-user"], "hunter2", "it takes FILE and NAME, both"),
        (&["add-user", "file"], "hunter2", "it takes FILE and NAME, both"),
        (&["add-user", "/nowhere/users", "bob"], "hunter2", "/nowhere/users.new cannot be made"),
        (&["add-user", "/nowhere/users", "b:b"], "hunter2", "a name has"),
    ] {
        let output = with_input(arguments, input);
        let told = stderr(&output);
        assert!(told.contains(fault), "{arguments:?}: {told}");
        assert!(!told.contains("hunter2") || arguments.contains(&"hunter2"), "{told}");
    }
}

#[test]
fn add_user_appends_or_replaces_one_line_and_leaves_the_rest_as_it_is() {
    let path = users_file();
    let add = |name: &str, password: &str| {
        let arguments = ["add-user", path.to_str().unwrap(), name];
        with_input(&[&arguments[..], &CHEAP].concat(), password)
    };
    assert_eq!(stdout(&add("alice", "a")), "alice: added\n");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("alice:$argon2id$") && text.ends_with('\n'), "{text}");
    fs::write(&path, format!("# people\n{text}")).unwrap();
    assert_eq!(stdout(&add("bob", "b")), "bob: added\n");
    let before = fs::read_to_string(&path).unwrap();
    assert_eq!(stdout(&add("alice", "c")), "alice: has another password now\n");
    let after = fs::read_to_string(&path).unwrap();
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (lines(&before), lines(&after));
    assert_eq!((after.len(), &after[0], &after[2]), (3, &before[0], &before[2]));
    assert_ne!(after[1], before[1]);

    let server = Waxseal::start(&[("USERS_FILE", path.to_str().unwrap())]);
    assert!(signs_in(&try_as("alice", "c").sent_to(&server)));
    assert!(fails(&try_as("alice", "a").sent_to(&server)));
    assert!(signs_in(&try_as("bob", "b").sent_to(&server)));
}

#[cfg(unix)]
#[test]
fn add_user_keeps_the_list_private_a_link_a_link_and_two_from_writing_at_once() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let path = users_file();
    let add = |path: &PathBuf, name: &str| {
        let arguments = ["add-user", path.to_str().unwrap(), name];
        with_input(&[&arguments[..], &CHEAP].concat(), "password")
    };
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    stdout(&add(&path, "alice"));
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    stdout(&add(&path, "bob"));
    assert_eq!(mode(), 0o640, "as it was");

    let link = path.with_file_name("link");
    symlink(&path, &link).unwrap();
    stdout(&add(&link, "carol"));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let before = fs::read_to_string(&path).unwrap();
    assert!(before.contains("\ncarol:"), "{before}");

    let new = path.with_file_name("users.new");
    fs::write(&new, "somebody is at it").unwrap();
    assert!(stderr(&add(&path, "dave")).contains("users.new exists"));
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    fs::remove_file(&new).unwrap();
    stdout(&add(&path, "dave"));
    assert!(!new.exists());
}

/// Types `lines` at the prompts of `waxseal ARGUMENTS`, in a terminal; what the terminal showed,
/// and the exit code on the last line.
fn in_a_terminal(arguments: &[&str], lines: &[&str]) -> String {
    const TYPIST: &str = r#"
import os, pty, sys, termios, time
binary, count = sys.argv[1], int(sys.argv[2])
lines, arguments = sys.argv[3:3 + count], sys.argv[3 + count:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(binary, [binary] + arguments)
shown = b""
def read():
    global shown
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        piece = b""
    shown += piece
    return piece
for number, line in enumerate(lines):
    while shown.count(b": ") <= number and read():
        pass
    # Whoever types sees the prompt for a while before the first key.
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        time.sleep(0.001)
    os.write(terminal, line.encode() + b"\n")
while read():
    pass
status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown + b"\nexit %d" % os.waitstatus_to_exitcode(status))
"#;
    let count = lines.len().to_string();
    let output = Command::new("timeout")
        .args(["30", "python3", "-c", TYPIST, env!("CARGO_BIN_EXE_waxseal"), &count])
        .args(lines)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[cfg(unix)]
#[test]
fn at_a_terminal_the_password_is_asked_for_twice_and_not_shown() {
    let path = users_file();
    let add = [&["add-user", path.to_str().unwrap(), "alice"][..], &CHEAP].concat();
    let shown = in_a_terminal(&add, &["hunter2 ü", "hunter2 ü"]);
    assert!(shown.contains("Password: ") && shown.contains("Once more: "), "{shown}");
    assert!(shown.contains("alice: added") && shown.ends_with("exit 0"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let server = Waxseal::start(&[("USERS_FILE", path.to_str().unwrap())]);
    assert!(signs_in(&try_as("alice", "hunter2 ü").sent_to(&server)));

    let shown = in_a_terminal(&["hash-password", "-m", "8"], &["hunter2", "hunter3"]);
    assert!(shown.contains("not the same") && shown.ends_with("exit 1"), "{shown}");
    assert!(!shown.contains("hunter") && !shown.contains("$argon2id$"), "{shown}");
}

// --- one answer for all failures -----------------------------------------------------------------

#[test]
fn an_unknown_user_and_a_wrong_password_get_the_same_answer() {
    let server = with_users(&[entry("alice", "a")]);
    let said = |name: &str| {
        let mut answer = try_as(name, "wrong").sent_to(&server);
        assert!(fails(&answer));
        let cookie = answer.set_browser().unwrap();
        answer.headers.retain(|(name, _)| name != "Set-Cookie" && name != "Date");
        (answer, cookie.attributes, cookie.value.len())
    };
    assert_eq!(said("alice"), said("carol"));
}

#[test]
fn after_a_wrong_password_the_page_keeps_the_name_once_and_tells_nobody_else() {
    let server = with_users(&[entry("alice", "a")]);
    let mut browser = Browser::by_http();
    let odd = r#"my password"><script>&"#;
    let answer = sign_in(&mut browser, &server, odd, "hunter2");
    assert!(fails(&answer), "the name is not in the address: {answer:?}");
    assert!(!format!("{answer:?}").contains("my password"));

    let page = browser.get(&server, "/public/login.html");
    let field = r#"name="username" value="my password&quot;&gt;&lt;script&gt;&amp;" type="text""#;
    assert!(page.text().contains(field), "{page:?}");
    assert_eq!((page.header("Cache-Control"), page.header("ETag")), (Some("no-store"), None));
    assert!(page.set_browser().unwrap().removes());
    let again = browser.get(&server, "/public/login.html");
    assert!(!again.text().contains("value="), "{again:?}");
    assert_eq!(again.header("Cache-Control"), Some("no-cache"));
    assert!(again.header("ETag").is_some() && again.all("Set-Cookie").is_empty());
    assert!(!server.log().contains("my password") && !server.log().contains("hunter2"));
}

#[test]
fn head_and_other_browsers_leave_the_name_where_it_is() {
    let server = with_users(&[entry("alice", "a")]);
    let mut browser = Browser::by_http();
    sign_in(&mut browser, &server, "alice", "wrong");
    let cookie = browser.cookie_called("waxseal-browser").unwrap().to_owned();
    let with_cookie = |ask: Ask| ask.with("Cookie", &format!("waxseal-browser={cookie}"));
    let page = with_cookie(head("/public/login.html")).sent_to(&server);
    assert!(page.all("Set-Cookie").is_empty(), "{page:?}");
    assert!(!get("/public/login.html").sent_to(&server).text().contains("alice"));
    let page = with_cookie(get("/public/%6cogin.html")).sent_to(&server);
    assert!(page.text().contains(r#"value="alice""#), "{page:?}");
}

#[test]
fn without_users_the_page_and_the_start_say_that_this_is_a_demonstration() {
    let server = Waxseal::start(&[]);
    let line = server.wait_for_log("anybody can sign in as foo with the password secret");
    assert!(line.contains(" at=warn "), "{line}");
    let page = get("/public/login.html").sent_to(&server);
    let note = "This is a demonstration. Sign in as <strong>foo</strong> with the password \
                <strong>secret</strong>.";
    assert!(page.text().contains(note), "{page:?}");
    let etag = page.header("ETag").unwrap();
    let again = get("/public/login.html").with("If-None-Match", etag).sent_to(&server);
    assert_eq!(again.status, 304, "{again:?}");

    let real = with_users(&[entry("alice", "a")]);
    let page = get("/public/login.html").sent_to(&real);
    assert!(!page.text().contains("demonstration") && !page.text().contains("secret"));
}

// --- guessing ------------------------------------------------------------------------------------

#[track_caller]
fn assert_throttled(answer: &Answer, longest_wait: u64) {
    assert_eq!(answer.status, 429, "{answer:?}");
    let wait: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=longest_wait).contains(&wait), "{answer:?}");
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert!(answer.text().contains("<h1>Too many tries</h1>"), "{answer:?}");
    assert!(answer.text().contains("Please try again in "), "{answer:?}");
}

fn from(address: &str, ask: Ask) -> Ask {
    ask.with("X-Forwarded-For", address)
}

#[test]
fn an_account_from_one_address_has_five_tries_and_the_right_password_does_not_help_then() {
    let server = with_users(&[entry("alice", "a"), entry("bob", "b")]);
    for _ in 0..20 {
        assert!(signs_in(&try_as("alice", "a").sent_to(&server)), "who is right does not guess");
    }
    for _ in 0..5 {
        assert!(fails(&try_as("alice", "wrong").sent_to(&server)));
    }
    assert_throttled(&try_as("alice", "wrong").sent_to(&server), 60);
    assert_throttled(&try_as("alice", "a").sent_to(&server), 60);
    // An unknown name is not told from a known one by it.
    for _ in 0..5 {
        assert!(fails(&try_as("carol", "wrong").sent_to(&server)));
    }
    assert_throttled(&try_as("carol", "wrong").sent_to(&server), 60);
    // Whoever says to come from elsewhere is not believed without a proxy.
    assert_throttled(&from("192.0.2.9", try_as("alice", "a")).sent_to(&server), 60);
    assert!(signs_in(&try_as("bob", "b").sent_to(&server)));
}

#[test]
fn an_address_has_thirty_tries_and_an_ipv6_network_counts_as_one() {
    let server = behind_a_proxy(&[entry("alice", "a")]);
    let guess = |address: &str, number: usize| {
        from(address, try_as(&format!("user{number}"), "wrong")).sent_to(&server)
    };
    for number in 0..30 {
        assert!(fails(&guess("192.0.2.1", number)), "{number}");
        assert!(fails(&guess(&format!("2001:db8:0:1::{number:x}"), number)), "{number}");
    }
    for address in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:0:1:ffff::1"] {
        assert_throttled(&guess(address, 99), 6);
    }
    for address in ["192.0.2.2", "2001:db8:0:2::1"] {
        assert!(signs_in(&from(address, try_as("alice", "a")).sent_to(&server)), "{address}");
    }
}

#[test]
fn nobody_locks_another_out_of_a_browser_that_has_signed_in() {
    let server = behind_a_proxy(&[entry("alice", "a"), entry("bob", "b")]);
    let home = "198.51.100.7";
    let mut first = from(home, try_as("alice", "a")).sent_to(&server);
    let remembered = first.set_browser().expect("a browser is remembered");
    assert!(signs_in(&first));
    first.headers.clear();
    for number in 0..100 {
        let address = format!("203.0.113.{number}");
        assert!(fails(&from(&address, try_as("alice", "wrong")).sent_to(&server)), "{number}");
    }
    assert_throttled(&from("192.0.2.1", try_as("alice", "a")).sent_to(&server), 36);
    for _ in 0..5 {
        from(home, try_as("alice", "wrong")).sent_to(&server);
    }
    assert_throttled(&from(home, try_as("alice", "a")).sent_to(&server), 60);

    let cookie = format!("{}={}", remembered.name, remembered.value);
    let with_cookie = |name, password| {
        from(home, try_as(name, password)).with("Cookie", &cookie).sent_to(&server)
    };
    assert!(signs_in(&with_cookie("alice", "a")), "the device in use");
    for _ in 0..5 {
        assert!(fails(&with_cookie("alice", "wrong")));
    }
    assert_throttled(&with_cookie("alice", "a"), 60);

    // Nor does it prove anything once the password is another one.
    let hasty = &[("TRUSTED_PROXIES", "1")];
    let entries = [entry("alice", "another")].join("\n");
    let later = Waxseal::start(&[&hasty[..], &[("USERS", &entries)]].concat());
    let old = |address: &str| from(address, try_as("alice", "guess")).with("Cookie", &cookie);
    for number in 0..100 {
        let answer = old(&format!("203.0.113.{number}")).sent_to(&later);
        assert!(fails(&answer), "{number}: {answer:?}");
    }
    assert_throttled(&old("192.0.2.1").sent_to(&later), 36);

    // It proves nothing for another account.
    let bob = |address: &str| from(address, try_as("bob", "wrong")).with("Cookie", &cookie);
    for _ in 0..5 {
        assert!(fails(&bob("192.0.2.3").sent_to(&server)));
    }
    assert_throttled(&bob("192.0.2.3").sent_to(&server), 60);
    // Nor does one that nobody sealed.
    let forged = remembered.value.replace('A', "B");
    let forged = format!("{}={forged}", remembered.name);
    let answer = from("192.0.2.4", try_as("alice", "a")).with("Cookie", &forged).sent_to(&server);
    assert_throttled(&answer, 36);
}

#[test]
fn the_demonstration_is_throttled_like_everything_else() {
    let server = Waxseal::start(&[]);
    for _ in 0..5 {
        assert!(fails(&try_as("foo", "wrong").sent_to(&server)));
    }
    assert_throttled(&try_as("foo", "secret").sent_to(&server), 60);
}

// --- hashing does not starve the rest ------------------------------------------------------------

#[test]
fn with_200_logins_in_flight_other_pages_are_answered() {
    let made = with_input(&["hash-password"], "a");
    let server = behind_a_proxy(&[format!("alice:{}", stdout(&made).trim_end())]);
    let done = AtomicUsize::new(0);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let visitors: Vec<_> = (0..200)
            .map(|number| {
                let (server, done) = (&server, &done);
                let address = format!("192.0.{}.{}", number / 100, number % 100);
                scope.spawn(move || {
                    let ask = from(&address, try_as(&format!("user{number}"), "wrong"));
                    let answer = ask.sent_to(server);
                    done.fetch_add(1, Ordering::SeqCst);
                    answer
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        let mut pages = 0;
        while done.load(Ordering::SeqCst) < 200 || pages < 20 {
            let began = Instant::now();
            for path in ["/healthz", "/public/style.css", "/public/login.html"] {
                assert_eq!(get(path).sent_to(&server).status, 200);
            }
            slowest = slowest.max(began.elapsed());
            pages += 1;
        }
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
        visitors.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    let put_off = answers.iter().filter(|answer| answer.status == 503);
    for answer in put_off.clone() {
        assert_eq!(answer.header("Retry-After"), Some("1"));
        assert!(answer.text().contains("Many people are signing in right now"), "{answer:?}");
    }
    let hashed = answers.iter().filter(|answer| fails(answer)).count();
    assert!(hashed > 0 && hashed + put_off.count() == 200, "{hashed} of 200 were hashed");
    assert!(signs_in(&try_as("alice", "a").sent_to(&server)), "and afterwards all is well");
}

// --- signing out everywhere ----------------------------------------------------------------------

#[test]
fn signing_out_everywhere_ends_all_sessions_of_that_user() {
    let server = with_users(&[entry("alice", "a"), entry("bob", "b")]);
    let [mut here, mut there, mut bob] = std::array::from_fn(|_| Browser::by_http());
    for browser in [&mut here, &mut there] {
        assert!(signs_in(&sign_in(browser, &server, "alice", "a")));
    }
    sign_in(&mut bob, &server, "bob", "b");
    let page = here.get(&server, "/");
    let button = "<form method=\"post\" action=\"/logout\">\n\
                  <input type=\"hidden\" name=\"everywhere\" value=\"1\">\n\
                  <button class=\"way\" type=\"submit\">Sign out everywhere</button>\n</form>";
    assert!(page.text().contains(button), "{page:?}");

    let copied = here.clone();
    assert!(signs_in(&here.post(&server, "/logout", "everywhere=1")), "it leads home");
    assert_eq!(here.cookie(), None);
    for mut browser in [here.clone(), there, copied] {
        assert!(browser.get(&server, "/").is_anonymous());
    }
    assert!(bob.get(&server, "/").greets("bob"));
    assert!(signs_in(&sign_in(&mut here, &server, "alice", "a")), "at once");
    assert!(here.get(&server, "/").greets("alice"), "and stays");
}

#[test]
fn signing_out_here_leaves_the_others_signed_in() {
    let server = with_users(&[entry("alice", "a")]);
    for form in ["", "everywhere=", "everywhere=0", "everywhere=yes"] {
        let [mut here, mut there] = [Browser::by_http(), Browser::by_http()];
        sign_in(&mut here, &server, "alice", "a");
        sign_in(&mut there, &server, "alice", "a");
        here.post(&server, "/logout", form);
        assert!(here.get(&server, "/").is_anonymous());
        assert!(there.get(&server, "/").greets("alice"), "{form:?}");
    }
}

#[test]
fn in_the_demonstration_it_ends_the_visitor_s_own_session_alone() {
    let server = Waxseal::start(&[]);
    let [mut own, mut other] = [Browser::by_http(), Browser::by_http()];
    own.sign_in(&server);
    other.sign_in(&server);
    let copied = own.clone();
    own.post(&server, "/logout", "everywhere=1");
    assert!(!copied.clone().is_signed_in(&server) && other.is_signed_in(&server));
}

// --- fair: whoever asks for many hashes bears it -------------------------------------------------

/// Sixteen sign in to their account again and again; somebody else, from the same network, gets in.
#[test]
fn right_passwords_over_and_over_keep_nobody_else_from_signing_in() {
    let hash = |password| stdout(&with_input(&["hash-password"], password)).trim_end().to_owned();
    let users = [format!("mallory:{}", hash("m")), format!("alice:{}", hash("a"))];
    let server = behind_a_proxy(&users);
    let stop = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                while stop.load(Ordering::SeqCst) == 0 {
                    from("192.0.2.1", try_as("mallory", "m")).sent_to(&server);
                }
            });
        }
        // Until so many have succeeded that they are frequent.
        let signed_in = || server.log().matches("signed in").count();
        let began = Instant::now();
        while signed_in() < 60 && began.elapsed() < DEADLINE {
            thread::sleep(Duration::from_millis(10));
        }
        let tries: Vec<_> = (0..40)
            .map(|_| {
                let began = Instant::now();
                let answer = from("192.0.2.2", try_as("alice", "a")).sent_to(&server);
                (signs_in(&answer), began.elapsed())
            })
            .collect();
        stop.store(1, Ordering::SeqCst);
        let succeeded = tries.iter().filter(|(signs_in, _)| *signs_in).count();
        let longest = tries.iter().map(|(_, took)| *took).max().unwrap();
        assert!(succeeded >= 38, "{succeeded} of 40 got in");
        assert!(longest < Duration::from_secs(5), "{longest:?}");
    });
}

/// Eight guess, each from a new network every thirty tries; somebody else gets in, in a browser that is known
/// and in one that is not.
#[test]
fn wrong_passwords_from_many_networks_keep_nobody_else_from_signing_in() {
    let made = with_input(&["hash-password"], "a");
    let server = behind_a_proxy(&[format!("alice:{}", stdout(&made).trim_end())]);
    let sign_in = |ask: Ask| from("192.0.2.2", ask).sent_to(&server);
    let first = sign_in(try_as("alice", "a"));
    let browser = first.set_browser().unwrap().value;
    let known = || try_as("alice", "a").with("Cookie", &format!("waxseal-browser={browser}"));
    let (stop, next) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while stop.load(Ordering::SeqCst) == 0 {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let address =
                        format!("2001:db8:{:x}:{:x}::1", number >> 10, number / 30 * 256 % 65536);
                    from(&address, try_as(&format!("user{number}"), "x")).sent_to(&server);
                }
            });
        }
        let began = Instant::now();
        while next.load(Ordering::SeqCst) < 100 && began.elapsed() < DEADLINE {
            thread::sleep(Duration::from_millis(10));
        }
        let tries = |is_known: bool| {
            let one = || if is_known { known() } else { try_as("alice", "a") };
            (0..20).filter(|_| signs_in(&sign_in(one()))).count()
        };
        let (in_known, in_other) = (tries(true), tries(false));
        stop.store(1, Ordering::SeqCst);
        assert!(in_known >= 19 && in_other >= 12, "{in_known} and {in_other} of 20 got in");
    });
}

// --- the security log ----------------------------------------------------------------------------

#[test]
fn the_log_tells_who_did_what_from_where_and_never_a_name_that_may_be_a_password() {
    let server = behind_a_proxy(&[entry("alice", "a")]);
    let as_request = |ask: Ask, id: &str| from("192.0.2.1", ask).with("X-Request-ID", id);
    let elsewhere = from("192.0.2.2", try_as("hunter2", "hunter3"));
    elsewhere.with("X-Request-ID", "unknown").sent_to(&server);
    let session = as_request(try_as("alice", "a"), "right").sent_to(&server).set_cookie().unwrap();
    as_request(post("/logout", "").cookie(&session.value), "out").sent_to(&server);
    let session = try_as("alice", "a").sent_to(&server).set_cookie().unwrap();
    as_request(post("/logout", "everywhere=1").cookie(&session.value), "all").sent_to(&server);
    for _ in 0..5 {
        as_request(try_as("alice", "hunter4"), "wrong").sent_to(&server);
    }
    as_request(try_as("alice", "hunter5"), "throttled").sent_to(&server);
    for (id, expected) in [
        ("unknown", "at=warn msg=\"sign-in failed\" address=192.0.2.2 request_id=unknown"),
        (
            "wrong",
            "at=warn msg=\"sign-in failed\" username=alice address=192.0.2.1 request_id=wrong",
        ),
        (
            "throttled",
            "at=warn msg=\"sign-in throttled by account and address\" username=alice \
             address=192.0.2.1 request_id=throttled",
        ),
        ("right", "at=info msg=\"signed in\" username=alice address=192.0.2.1 request_id=right"),
        ("out", "at=info msg=\"signed out\" username=alice address=192.0.2.1 request_id=out"),
        (
            "all",
            "at=info msg=\"signed out everywhere\" username=alice address=192.0.2.1 request_id=all",
        ),
    ] {
        let line = server.wait_for_log(&format!("request_id={id}"));
        // The time comes first.
        assert_eq!(line.split_once(' ').map(|(_, rest)| rest), Some(expected));
    }
    let log = server.log();
    assert_eq!(log.matches("sign-in failed").count(), 2, "the first from each address: {log}");
    assert!(!log.contains("hunter") && !log.contains(&SECRET_HASH[..20]), "{log}");
}

/// Nobody reads standard error, and a flood of lines, from everybody, fills what there is room for.
#[test]
fn no_request_waits_for_the_log_and_a_flood_keeps_no_sign_in_out_of_it() {
    let users = entry("alice", "a");
    let vars = [("USERS", users.as_str()), ("TRUSTED_PROXIES", "1"), ("RUST_LOG", "debug")];
    let mut server = Unread::start(&vars);
    let flood = |count: usize| {
        let mut connection = Connection::open(server.port);
        for number in 0..count {
            let address = format!("192.0.{}.{}", number / 250, number % 250);
            connection.send(&from(&address, get("/healthz")).bytes());
            assert_eq!(connection.answer(false).status, 200);
        }
    };
    flood(5_000);
    let sign_in = from("198.51.100.1", try_as("alice", "a"));
    assert_eq!(exchange(server.port, &sign_in.bytes()).status, 303);
    let guess = from("198.51.100.2", try_as("alice", "b"));
    let statuses: Vec<u16> = (0..6).map(|_| exchange(server.port, &guess.bytes()).status).collect();
    assert_eq!(statuses, [303, 303, 303, 303, 303, 429]);
    flood(5_000);
    let lines = server.read_until("throttled by account and address");
    assert!(lines.contains("msg=\"signed in\" username=alice address=198.51.100.1"), "{lines}");
    assert!(lines.contains("msg=\"log lines were dropped\" dropped="));
}

#[test]
fn the_end_of_the_process_waits_for_no_log() {
    for flood in [false, true] {
        let mut server = Unread::start(&[("RUST_LOG", "debug")]);
        if flood {
            let mut connection = Connection::open(server.port);
            for _ in 0..3_000 {
                connection.send(&get("/healthz").bytes());
                assert_eq!(connection.answer(false).status, 200);
            }
        }
        let id = server.child.id();
        let kill = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().unwrap();
        assert!(kill.success());
        let began = Instant::now();
        while server.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < DEADLINE, "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(server.child.wait().unwrap().success());
    }
}

/// A server whose standard error nobody reads once it listens.
struct Unread {
    child: Child,
    stderr: BufReader<ChildStderr>,
    port: u16,
}

impl Unread {
    fn start(vars: &[(&str, &str)]) -> Unread {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command.env_clear().env("PORT", "0").env("HOST", "127.0.0.1").envs(vars.iter().copied());
        command.env("SESSION_AUTHENTICATION_KEY", AUTHENTICATION_KEY);
        command.env("SESSION_ENCRYPTION_KEY", ENCRYPTION_KEY);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let mut server = Unread { child, stderr, port: 0 };
        let line = server.read_until("msg=listening");
        let port = line.split(" port=").nth(1).and_then(|rest| rest.split(' ').next());
        server.port = port.unwrap().parse().unwrap();
        server
    }

    /// The lines up to one with these words.
    fn read_until(&mut self, words: &str) -> String {
        let mut lines = String::new();
        while !lines.contains(words) || !lines.ends_with('\n') {
            assert!(self.stderr.read_line(&mut lines).unwrap() > 0, "it has ended");
        }
        lines
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
