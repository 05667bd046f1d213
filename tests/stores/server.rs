//! A real server of a store: on a free port, with a directory of its own, ended with its test.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest that a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command that starts a server on a port, with a directory.
type Start = dyn Fn(u16, &Path) -> Command + Send + Sync;

/// A server that can be stopped, paused and started again on the same port.
pub struct Server {
    pub port: u16,
    /// Private, and gone with the server.
    pub directory: PathBuf,
    command: Box<Start>,
    process: Option<Child>,
}

impl Server {
    /// A server that `command` starts, on the port and with the directory that it is given; it
    /// stays in the foreground. Not running yet.
    pub fn new(command: impl Fn(u16, &Path) -> Command + Send + Sync + 'static) -> Server {
        let directory = std::env::temp_dir().join(format!("waxseal-stores-{:016x}", random()));
        fs::create_dir(&directory).unwrap();
        Server { port: free_port(), directory, command: Box::new(command), process: None }
    }

    /// Starts it; returns when it accepts connections.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it is running");
        let mut command = (self.command)(self.port, &self.directory);
        let log = self.directory.join("log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("{command:?}: {error}")));
        self.wait(|server| TcpStream::connect((Ipv4Addr::LOCALHOST, server.port)).is_ok());
    }

    /// Waits until `is_so`; panics with what the server wrote where that takes too long.
    pub fn wait(&self, is_so: impl Fn(&Server) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            let log = || fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "the server did not get ready:\n{}", log());
            sleep(Duration::from_millis(20));
        }
    }

    /// Ends it at once, as a crash would.
    pub fn stop(&mut self) {
        if self.process.is_some() {
            // One that is paused ends all the same, and leaves nobody behind.
            self.signal("-KILL");
        }
        if let Some(mut process) = self.process.take() {
            process.wait().unwrap();
        }
    }

    /// It keeps its connections, and says nothing any more.
    pub fn pause(&self) {
        self.signal("-STOP");
        // Of several threads some may go on for a moment after the signal was sent.
        self.wait(|server| server.processes().iter().all(|process| is_stopped(process)));
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Sends a signal, by its option of kill(1), to all of its processes.
    fn signal(&self, option: &str) {
        for (at, process) in self.processes().iter().enumerate() {
            let sent = Command::new("kill").args([option, process]).output().unwrap();
            // A child may have ended by itself.
            assert!(sent.status.success() || at > 0, "{sent:?}");
        }
    }

    /// Its number, then those of the processes that it has started: a signal reaches it first, so
    /// that it begins no more of them.
    fn processes(&self) -> Vec<String> {
        let id = self.process.as_ref().expect("it is running").id().to_string();
        let children = Command::new("pgrep").args(["-P", &id]).output().unwrap().stdout;
        let children = String::from_utf8(children).unwrap();
        std::iter::once(id.as_str()).chain(children.split_whitespace()).map(str::to_owned).collect()
    }
}

/// Whether each thread of a process is stopped, or has ended; see proc_pid_stat(5).
fn is_stopped(process: &str) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return true };
    threads.flatten().all(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        !state.starts_with(['R', 'S', 'D'])
    })
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A port that nobody listens on. It is none of those that the kernel gives to whoever asks for any, and
/// no other server of these tests gets it too.
pub fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    static START: LazyLock<u16> = LazyLock::new(|| (random() % u64::from(COUNT)) as u16);
    let mut ports = (0..COUNT).map(|_| {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed);
        FIRST + (*START + given % COUNT) % COUNT
    });
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(is_free).expect("a free port")
}

fn random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
