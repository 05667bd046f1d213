//! A running server, and what its process costs.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};

use crate::example::example;

use super::visitor::{Answer, ask, read_all, read_answer};

/// Workers of a server that is not told how many.
const WORKERS: usize = 8;
/// No exchange of a test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const MEGABYTE: usize = 1 << 20;
/// The most that a server may hold, whatever comes: the default limit of all buffers, half as much
/// again that the allocator rounds up or keeps for a second, and two answers of the largest size
/// for each of eight workers.
pub const BUDGET: usize = (128 + 64 + 8 * 8) * MEGABYTE;
/// What must be in the home page's answer.
const GREETING: &str = "Hello";

/// A server under test.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// A request for the home page, and the first line of a request for anything else.
    pub home: Vec<u8>,
    log: Arc<Mutex<String>>,
    temporary: PathBuf,
}

impl Server {
    /// The `waxseal` binary with its defaults, and a visitor who is signed in.
    pub fn waxseal() -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command.env_clear().env("PORT", "0").env("HOST", "127.0.0.1");
        command.env("SESSION_AUTHENTICATION_KEY", "the tests' authentication key");
        command.env("SESSION_ENCRYPTION_KEY", "the tests' encryption key, 32 b.");
        let mut server = Server::start(command);
        let form = "username=foo&password=secret";
        let login = format!(
            "POST /login HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let answer = read_answer(&mut ask(server.address, login.as_bytes())).expect("an answer");
        let cookie = answer.header("Set-Cookie").and_then(|set| set.split(';').next());
        let cookie = cookie.expect("signed in").to_owned();
        server.home = format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n").into_bytes();
        server.settle(WORKERS);
        server
    }

    /// The example with these settings.
    pub fn example(settings: &[&str]) -> Server {
        Server::start_example(Command::new(example("front_door")), settings)
    }

    /// The same with a limit of open files.
    pub fn example_with_open_files(limit: usize, settings: &[&str]) -> Server {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\""));
        command.arg(example("front_door"));
        Server::start_example(command, settings)
    }

    fn start_example(mut command: Command, settings: &[&str]) -> Server {
        command.args(settings);
        let server = Server::start(command);
        let workers = settings.iter().find_map(|setting| setting.strip_prefix("workers="));
        server.settle(workers.map_or(WORKERS, |workers| workers.parse().unwrap()));
        server
    }

    fn start(mut command: Command) -> Server {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("waxseal-test-{}-{number}", std::process::id());
        let temporary = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&temporary).unwrap();
        command.env("TMPDIR", &temporary).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (kept, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut kept = kept.lock().unwrap();
                kept.push_str(&line);
                kept.push('\n');
            }
        });
        let home = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        let address = (Ipv4Addr::LOCALHOST, 0).into();
        let mut server = Server { child, address, home, log, temporary };
        until("it listens", || server.log().contains(" port="));
        let log = server.log();
        let port = log.split(" port=").nth(1).and_then(|rest| rest.split_whitespace().next());
        server.address.set_port(port.unwrap().parse().unwrap());
        server
    }

    /// All lanes are open when each worker's has its thread, of which tiny_http has four at least,
    /// beside the front, the accept loop, and tiny_http's own; and no more threads come.
    fn settle(&self, workers: usize) {
        self.assert_serves();
        until("all threads are there", || {
            let threads = self.threads();
            thread::sleep(Duration::from_millis(500));
            threads >= workers + workers.max(4) + 3 && self.threads() == threads
        });
    }

    // Visits.

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Connects and sends.
    pub fn ask(&self, bytes: &[u8]) -> TcpStream {
        ask(self.address, bytes)
    }

    /// Sends, and reads until the server closes or says nothing for long.
    pub fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        read_all(&mut self.ask(bytes))
    }

    /// The answer to a request on a fresh connection; `None` where it is refused or broken off.
    pub fn get(&self, path: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).ok()?;
        read_answer(&mut stream)
    }

    /// A request after it, on a fresh connection, is served.
    pub fn assert_serves(&self) {
        let answer = read_answer(&mut self.ask(&self.home)).expect("an answer");
        assert!(answer.status == 200 && answer.text().contains(GREETING), "{answer:?}");
    }

    /// Asks until an answer was so quick that the front takes it for one: then more is passed on.
    pub fn warm_up(&self) {
        until("an answer is quick", || {
            let begin = Instant::now();
            self.assert_serves();
            begin.elapsed() < Duration::from_millis(40)
        });
    }

    /// Requests that reached a worker of the example, without this one.
    pub fn asked(&self) -> usize {
        self.get("/asked").unwrap().text().parse().unwrap()
    }

    // Its process.

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    pub fn threads(&self) -> usize {
        std::fs::read_dir(self.proc("task")).unwrap().count()
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).unwrap().count()
    }

    /// Memory in bytes that is its own: what of its file is mapped is not counted.
    pub fn memory(&self) -> usize {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
    }

    /// CPU time used so far, in steps of 10 ms.
    pub fn cpu(&self) -> Duration {
        let fields = stat(&self.proc("stat"));
        Duration::from_millis((fields[11] + fields[12]) as u64 * 10)
    }

    /// Of all threads, from -20, who gets most of the processor, to 19, who gets hardly any.
    pub fn niceness(&self) -> BTreeSet<i64> {
        let threads = std::fs::read_dir(self.proc("task")).unwrap();
        threads.map(|thread| stat(&thread.unwrap().path().join("stat"))[16]).collect()
    }

    /// Lowers or raises the limit of open files while it runs.
    pub fn limit_descriptors(&self, limit: usize) {
        let limits = prlimit(Some(self.pid()), Resource::Nofile, getrlimit(Resource::Nofile));
        let limits = Rlimit { current: Some(limit as u64), ..limits.unwrap() };
        prlimit(Some(self.pid()), Resource::Nofile, limits).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Directories that it left behind.
    pub fn leftovers(&self) -> usize {
        std::fs::read_dir(&self.temporary).unwrap().count()
    }

    /// How it ended, within this time.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if let Some(status) = self.child.try_wait().unwrap() {
                thread::sleep(Duration::from_millis(50));
                return Some(status);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.temporary);
        if thread::panicking() {
            eprintln!("--- the log of the server ---\n{}", self.log());
        }
    }
}

/// The numbers of a `stat` file, without those before the state; that one, a letter, is 0. See
/// proc_pid_stat(5).
fn stat(path: &Path) -> Vec<i64> {
    let stat = std::fs::read_to_string(path).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    // The last ones can be larger, and nobody wants them.
    fields.map(|field| field.parse().unwrap_or_default()).collect()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Leave to bring a crowd, for one test at a time, and how many of those who want to come can: each
/// costs a descriptor here and one there, and both processes have the same limit.
pub fn crowd(wanted: usize) -> (MutexGuard<'static, ()>, usize) {
    static CROWD: Mutex<()> = Mutex::new(());
    let leave = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let spare = 1000;
    let allowed = limit.maximum.map_or(usize::MAX, |n| n as usize).saturating_sub(spare);
    (leave, wanted.min(allowed))
}
