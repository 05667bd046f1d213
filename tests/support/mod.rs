//! Starts the real binary and talks to it over TCP, byte for byte, as visitors do.

#![allow(dead_code, reason = "each test binary uses a part of this")]

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Nothing that goes well takes this long.
pub const DEADLINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

pub const AUTHENTICATION_KEY: &str = "the tests' authentication key";
pub const ENCRYPTION_KEY: &str = "the tests' encryption key, 32 b.";
/// The keys, as variables.
pub const KEYS: [(&str, &str); 2] = [
    ("SESSION_AUTHENTICATION_KEY", AUTHENTICATION_KEY),
    ("SESSION_ENCRYPTION_KEY", ENCRYPTION_KEY),
];
/// The host that requests are sent to, by name.
pub const HOST: &str = "waxseal.test";
/// The cookie's name by HTTP, and by HTTPS.
pub const COOKIE: &str = "waxseal";
pub const SECURE_COOKIE: &str = "__Host-waxseal";
/// Behind either stands the name of the cookie that a browser is remembered by.
pub const BROWSER: &str = "-browser";
/// The stored hash of the demonstration's password, `secret`.
pub const SECRET_HASH: &str = concat!(
    "$argon2id$v=19$m=8,t=1,p=1$YKQMosCr6UP7NqpP7udA1g$",
    "Nsj+AImdJHXeXTK00DyfnUbZxCaOsseal6/kJ279yoA"
);

// --- the process ---------------------------------------------------------------------------------

fn command(arguments: &[&str], vars: &[(&str, impl AsRef<OsStr>)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.args(arguments).env_clear().envs(vars.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Hands the shell's standard input over as systemd does: as descriptor 3.
pub const HANDS_OVER: &str =
    r#"exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$0""#;

/// The binary, started by a shell script that has a socket as its standard input, and the binary as `$0`.
pub fn on_socket(socket: impl AsFd, script: &str, vars: &[(&str, impl AsRef<OsStr>)]) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_waxseal")]).env_clear();
    command.envs(vars.iter().map(|(name, value)| (name, value)));
    command.stdin(socket.as_fd().try_clone_to_owned().expect("a descriptor"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What the binary says, and how it ends, with this command line in this environment alone.
pub fn run(arguments: &[&str], vars: &[(&str, impl AsRef<OsStr> + fmt::Debug)]) -> Output {
    let mut child = command(arguments, vars).spawn().expect("the binary starts");
    if wait(&mut child).is_none() {
        let _ = child.kill();
        let output = child.wait_with_output().expect("output");
        panic!("waxseal {arguments:?} with {vars:?} goes on and on: {output:?}");
    }
    child.wait_with_output().expect("output")
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return Some(status);
        }
        thread::sleep(POLL);
    }
    None
}

/// A server that is running.
pub struct Waxseal {
    child: Child,
    port: u16,
    log: Arc<Mutex<String>>,
    log_reader: Option<JoinHandle<()>>,
}

impl Waxseal {
    /// Starts it on a free port of the loopback interface, with keys, and with `vars` alone beside
    /// these; a variable in `vars` takes the place of a default.
    pub fn start(vars: &[(&str, &str)]) -> Waxseal {
        let address = [("PORT", "0"), ("HOST", "127.0.0.1")];
        Waxseal::start_as(&[], &[&address, &KEYS, vars].concat())
    }

    /// Starts it with this command line, and in this environment alone.
    pub fn start_as(arguments: &[&str], vars: &[(&str, &str)]) -> Waxseal {
        Waxseal::spawn(command(arguments, vars))
    }

    /// Starts it on a socket that the caller keeps, as a supervisor hands one over.
    pub fn start_on(listener: &TcpListener, vars: &[(&str, &str)]) -> Waxseal {
        Waxseal::spawn(on_socket(listener, HANDS_OVER, &[&KEYS, vars].concat()))
    }

    fn spawn(mut command: Command) -> Waxseal {
        let mut child = command.spawn().expect("the binary starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is piped"));
        let log = Arc::new(Mutex::new(String::new()));
        let log_of_reader = Arc::clone(&log);
        let log_reader = thread::spawn(move || {
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                log_of_reader.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        let mut waxseal = Waxseal { child, port: 0, log, log_reader: Some(log_reader) };
        let line = waxseal.wait_for_log("at=info msg=listening port=");
        let port = line.split_once(" port=").expect("the port").1.split(' ').next();
        waxseal.port = port.and_then(|port| port.parse().ok()).expect("a port");
        waxseal
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The first line of the log that has `text` in it, once it is there.
    pub fn wait_for_log(&self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let log = self.log();
            // A line counts when it is whole.
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(line) = whole.lines().find(|line| line.contains(text)) {
                return line.to_owned();
            }
            assert!(began.elapsed() < DEADLINE, "no line with {text:?} in the log:\n{log}");
            thread::sleep(POLL);
        }
    }

    /// Asks it to stop, as the operating system does at a shutdown.
    pub fn signal_term(&self) {
        // The shell's own `kill`: there is no need of a program by that name.
        let kill = format!("kill -TERM {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success(), "{kill}: {status}");
    }

    /// How it ended, once it has; its log is whole then.
    pub fn wait(&mut self) -> ExitStatus {
        let status = wait(&mut self.child);
        let status = status.unwrap_or_else(|| panic!("it does not stop:\n{}", self.log()));
        if let Some(reader) = self.log_reader.take() {
            reader.join().expect("the log was read");
        }
        status
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal_term();
        self.wait()
    }
}

impl Drop for Waxseal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the log of the server ---\n{}", self.log());
        }
    }
}

// --- a request and its answer --------------------------------------------------------------------

/// A request to be sent.
#[derive(Clone)]
pub struct Ask {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

pub fn ask(method: &str, target: &str) -> Ask {
    let (method, target) = (method.to_owned(), target.to_owned());
    Ask { method, target, headers: Vec::new(), body: Vec::new() }
}

pub fn get(target: &str) -> Ask {
    ask("GET", target)
}

pub fn head(target: &str) -> Ask {
    ask("HEAD", target)
}

/// A form, posted.
pub fn post(target: &str, form: &str) -> Ask {
    ask("POST", target).with("Content-Type", "application/x-www-form-urlencoded").body(form)
}

impl Ask {
    pub fn with(mut self, name: &str, value: &str) -> Ask {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a trusted proxy says it of a visitor who came by HTTPS.
    pub fn by_https(self) -> Ask {
        self.with("X-Forwarded-Proto", "https")
    }

    /// With the session cookie of a visitor by HTTP.
    pub fn cookie(self, value: &str) -> Ask {
        self.with("Cookie", &format!("{COOKIE}={value}"))
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Ask {
        self.body = body.into();
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let Ask { method, target, headers, body } = self;
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: {HOST}\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || method == "POST" {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }

    /// The answer to it, on a connection of its own.
    #[track_caller]
    pub fn sent_to(&self, server: &Waxseal) -> Answer {
        exchange(server.port(), &self.bytes())
    }
}

/// The one answer to one request, on a connection of its own.
#[track_caller]
pub fn exchange(port: u16, request: &[u8]) -> Answer {
    let mut connection = Connection::open(port);
    connection.send(request);
    let answer = connection.answer(request.starts_with(b"HEAD "));
    connection.finish_sending();
    connection.expect_end();
    answer
}

/// A connection that never waits for ever.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn open(port: u16) -> Connection {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it is listening");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection(BufReader::new(stream))
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("it reads");
    }

    /// Ends the sending half; the answer can still come.
    pub fn finish_sending(&mut self) {
        // Where the server has closed already, there is nothing to end.
        let _ = self.0.get_ref().shutdown(Shutdown::Write);
    }

    /// Exactly one answer; to a HEAD it has no body, whatever its length says.
    #[track_caller]
    pub fn answer(&mut self, to_head: bool) -> Answer {
        let status_line = self.line();
        let rest = status_line.strip_prefix("HTTP/1.1 ").expect("an answer of HTTP/1.1");
        let (status, reason) = rest.split_once(' ').expect("status and reason");
        let status = status.parse().expect("a status");
        assert!(!reason.is_empty(), "{status_line}");
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("name and value");
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut answer = Answer { status, headers, body: Vec::new() };
        if !to_head && !matches!(status, 100..200 | 204 | 304) {
            assert_eq!(answer.header("Transfer-Encoding"), None);
            let length = answer.header("Content-Length").expect("a length").parse().unwrap();
            answer.body = vec![0; length];
            self.0.read_exact(&mut answer.body).expect("the whole body");
        }
        answer
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer in time, in ASCII");
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("broken off: {line:?}")).to_owned()
    }

    /// Nothing more comes.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut surplus = Vec::new();
        // A reset is an end too.
        let _ = self.0.read_to_end(&mut surplus);
        assert_eq!(String::from_utf8_lossy(&surplus), "", "more than one answer");
    }
}

#[derive(Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    /// As they came, in their order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The values of all lines with this name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the one line with this name.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} came twice: {self:?}");
        all.first().copied()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    pub fn location(&self) -> Option<&str> {
        self.header("Location")
    }

    /// The session's cookie that it sets, or removes.
    #[track_caller]
    pub fn set_cookie(&self) -> Option<SetCookie> {
        self.one_cookie(|name| !name.ends_with(BROWSER))
    }

    /// The cookie that the browser is remembered by, which it sets, or removes.
    #[track_caller]
    pub fn set_browser(&self) -> Option<SetCookie> {
        self.one_cookie(|name| name.ends_with(BROWSER))
    }

    #[track_caller]
    fn one_cookie(&self, is_it: impl Fn(&str) -> bool) -> Option<SetCookie> {
        let cookies = self.all("Set-Cookie").into_iter().map(SetCookie::parse);
        let mut found: Vec<SetCookie> = cookies.filter(|cookie| is_it(&cookie.name)).collect();
        assert!(found.len() < 2, "{self:?}");
        found.pop()
    }

    pub fn greets(&self, name: &str) -> bool {
        self.status == 200 && self.text().contains(&format!("<h1>Hello {name}</h1>"))
    }

    /// Whether it sends the visitor to the login page.
    pub fn is_anonymous(&self) -> bool {
        self.status == 303 && self.location() == Some("/public/login.html")
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        self.headers.iter().try_for_each(|(name, value)| writeln!(f, "{name}: {value}"))?;
        write!(f, "\n{}", String::from_utf8_lossy(&self.body))
    }
}

/// What a `Set-Cookie` line says.
#[derive(Clone, Debug, PartialEq)]
pub struct SetCookie {
    pub name: String,
    pub value: String,
    /// `Name` or `Name=value`, sorted.
    pub attributes: Vec<String>,
}

impl SetCookie {
    pub fn parse(line: &str) -> SetCookie {
        let mut parts = line.split("; ").map(str::to_owned);
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').expect("name and value");
        let mut attributes: Vec<String> = parts.collect();
        attributes.sort();
        SetCookie { name: name.to_owned(), value: value.to_owned(), attributes }
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find_map(|attribute| {
            let (found, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn max_age(&self) -> u64 {
        self.attribute("Max-Age").expect("Max-Age").parse().expect("seconds")
    }

    pub fn removes(&self) -> bool {
        self.value.is_empty() && self.max_age() == 0
    }
}

// --- a browser -----------------------------------------------------------------------------------

/// A visitor with a cookie jar.
#[derive(Clone, Default)]
pub struct Browser {
    by_https: bool,
    jar: Vec<SetCookie>,
}

impl Browser {
    pub fn by_http() -> Browser {
        Browser::default()
    }

    /// One that comes through a proxy that ends TLS.
    pub fn by_https() -> Browser {
        Browser { by_https: true, ..Browser::default() }
    }

    #[track_caller]
    pub fn get(&mut self, server: &Waxseal, path: &str) -> Answer {
        self.send(server, path, get(path))
    }

    /// Posts a form, as a page of the same site does.
    #[track_caller]
    pub fn post(&mut self, server: &Waxseal, path: &str, form: &str) -> Answer {
        let scheme = if self.by_https { "https" } else { "http" };
        let form = post(path, form).with("Origin", &format!("{scheme}://{HOST}"));
        self.send(server, path, form.with("Sec-Fetch-Site", "same-origin"))
    }

    #[track_caller]
    pub fn sign_in(&mut self, server: &Waxseal) -> Answer {
        let answer = self.post(server, "/login", "username=foo&password=secret");
        assert_eq!((answer.status, answer.location()), (303, Some("/")), "{answer:?}");
        answer
    }

    /// Whether the home page greets this visitor.
    #[track_caller]
    pub fn is_signed_in(&mut self, server: &Waxseal) -> bool {
        let answer = self.get(server, "/");
        assert!(answer.greets("foo") || answer.is_anonymous(), "{answer:?}");
        answer.greets("foo")
    }

    /// The value of the session's cookie, the one in the jar beside the one that the browser is
    /// remembered by.
    pub fn cookie(&self) -> Option<&str> {
        let is_session = |cookie: &&SetCookie| !cookie.name.ends_with(BROWSER);
        let sessions: Vec<&SetCookie> = self.jar.iter().filter(is_session).collect();
        assert!(sessions.len() < 2, "{:?}", self.jar);
        sessions.first().map(|cookie| cookie.value.as_str())
    }

    /// The value of the cookie with this name.
    pub fn cookie_called(&self, name: &str) -> Option<&str> {
        let cookie = self.jar.iter().find(|cookie| cookie.name == name);
        cookie.map(|cookie| cookie.value.as_str())
    }

    #[track_caller]
    fn send(&mut self, server: &Waxseal, path: &str, request: Ask) -> Answer {
        let request = if self.by_https { request.by_https() } else { request };
        let cookies = self.cookies_for(path);
        let request =
            if cookies.is_empty() { request } else { request.with("Cookie", &cookies.join("; ")) };
        let answer = request.sent_to(server);
        for line in answer.all("Set-Cookie") {
            self.keep(SetCookie::parse(line));
        }
        answer
    }

    fn cookies_for(&self, path: &str) -> Vec<String> {
        let goes = |cookie: &&SetCookie| {
            let folder = cookie.attribute("Path").unwrap_or("/");
            let is_below = path == folder
                || path.strip_prefix(folder).is_some_and(|rest| {
                    folder.ends_with('/') || rest.starts_with('/') || rest.starts_with('?')
                });
            is_below && (self.by_https || cookie.attribute("Secure").is_none())
        };
        let goes = self.jar.iter().filter(goes);
        goes.map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect()
    }

    fn keep(&mut self, cookie: SetCookie) {
        let secure = cookie.attribute("Secure").is_some();
        let is_host_only =
            cookie.attribute("Path") == Some("/") && cookie.attribute("Domain").is_none();
        // What browsers drop in silence.
        if (secure && !self.by_https)
            || (cookie.name.starts_with("__Secure-") && !secure)
            || (cookie.name.starts_with("__Host-") && !(secure && is_host_only))
        {
            return;
        }
        let path = |cookie: &SetCookie| cookie.attribute("Path").map(str::to_owned);
        self.jar.retain(|kept| kept.name != cookie.name || path(kept) != path(&cookie));
        if cookie.max_age() > 0 {
            self.jar.push(cookie);
        }
    }
}
