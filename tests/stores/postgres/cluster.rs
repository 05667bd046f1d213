//! A PostgreSQL of a test's own.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use waxseal::session::PostgresStore;

use super::super::outage::Away;
use super::super::server::Server;

/// Who runs it where the tests run as root, which PostgreSQL refuses to: nobody.
const NOBODY: u32 = 65534;

impl Away for Cluster {
    fn server(&mut self) -> &mut Server {
        &mut self.server
    }

    fn start(&mut self) {
        self.start_again();
    }
}

/// Its superuser is `admin`, who needs no password.
pub struct Cluster {
    pub server: Server,
}

impl Cluster {
    /// With more `settings`, running.
    pub fn start(settings: &'static [&'static str]) -> Cluster {
        let mut cluster = Cluster::new(settings);
        cluster.start_again();
        cluster
    }

    /// Not running yet.
    pub fn new(settings: &'static [&'static str]) -> Cluster {
        let server = Server::new(move |port, directory| {
            // Of one that crashed.
            let _ = fs::remove_file(directory.join("data/postmaster.pid"));
            let mut command = as_owner(directory, program("postgres"));
            command.arg("-D").arg(directory.join("data")).args(["-p", &port.to_string()]);
            let common = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
            for setting in common.iter().chain(settings) {
                command.args(["-c", setting]);
            }
            command
        });
        give_away(&server.directory);
        let mut initdb = as_owner(&server.directory, program("initdb"));
        initdb.args(["--no-sync", "-A", "trust", "-U", "admin", "-E", "UTF8", "--locale=C", "-D"]);
        succeed(initdb.arg(server.directory.join("data")));
        Cluster { server }
    }

    pub fn start_again(&mut self) {
        self.server.start();
        self.server.wait(|server| {
            let port = server.port.to_string();
            let mut is_ready = program("pg_isready");
            is_ready.args(["-q", "-h", "127.0.0.1", "-p", &port]).status().unwrap().success()
        });
    }

    pub fn address(&self) -> String {
        format!("postgres://admin@127.0.0.1:{}/postgres", self.server.port)
    }

    pub fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.address()).unwrap()
    }

    /// What psql prints, a line a row.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_at(&self.address(), sql)
    }

    /// The same at another address.
    pub fn sql_at(&self, address: &str, sql: &str) -> String {
        let mut psql = program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", address]);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        psql.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = psql.wait_with_output().unwrap();
        assert!(output.status.success(), "{sql}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A psql that is told one thing after the other.
    pub fn psql(&self) -> Psql {
        let mut psql = program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", &self.address()]);
        let mut process = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Psql { process, said }
    }

    pub fn dump(&self) -> Vec<u8> {
        succeed(program("pg_dump").args(["-d", &self.address()]))
    }

    /// So many more sessions; `user` and `expires` are expressions, with `g` for their number.
    pub fn fill(&self, sessions: usize, user: &str, expires: &str) {
        self.sql(&format!(
            "INSERT INTO waxseal_sessions SELECT sha256(g::text::bytea), \
                 jsonb_strip_nulls(jsonb_build_object('username', {user}, '_auth', 'mark', '_seen', '1')), {expires} \
             FROM generate_series(1, {sessions}) AS g; ANALYZE waxseal_sessions;"
        ));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.server.directory.join("log")).unwrap()
    }

    pub fn wait_until_logged(&self, text: &str) {
        self.server.wait(|_| self.log().contains(text));
    }

    /// The lines that the server logs meanwhile.
    pub fn logged(&self, meanwhile: impl FnOnce()) -> Vec<String> {
        let before = self.log().len();
        meanwhile();
        // How long it took is logged after the answer.
        sleep(Duration::from_millis(300));
        self.log()[before..].lines().map(str::to_owned).collect()
    }

    /// A certificate that nobody signed but its own key.
    pub fn make_certificate(&self) {
        let data = self.server.directory.join("data");
        let (key, certificate) = (data.join("server.key"), data.join("server.crt"));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]);
        succeed(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
        let owner = fs::metadata(&data).unwrap().uid();
        for file in [key, certificate] {
            chown(file, Some(owner), None).unwrap();
        }
    }

    pub fn ask_for_the_password_of(&self, role: &str) {
        let rules = self.server.directory.join("data/pg_hba.conf");
        let others = fs::read_to_string(&rules).unwrap();
        let rule = format!("host all {role} 127.0.0.1/32 scram-sha-256\n");
        fs::write(rules, rule + &others).unwrap();
        self.sql("SELECT pg_reload_conf()");
        sleep(Duration::from_millis(500));
    }
}

/// It ends with its test.
pub struct Psql {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Psql {
    pub fn say(&mut self, text: &str) {
        self.process.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Waits for a line.
    pub fn wait_for(&mut self, line: &str) {
        let said = self.said.by_ref().lines().map(Result::unwrap).find(|said| said == line);
        assert!(said.is_some(), "psql ended");
    }
}

impl Drop for Psql {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program of PostgreSQL.
fn program(name: &str) -> Command {
    let configured = Command::new("pg_config").arg("--bindir").output().ok();
    let configured = configured.and_then(|output| String::from_utf8(output.stdout).ok());
    let configured = configured.map(|place| PathBuf::from(place.trim()));
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let installed = installed.map(|version| version.unwrap().path().join("bin"));
    let mut places = configured.into_iter().chain(installed);
    let place = places.find(|place| place.join("initdb").exists() && place.join(name).exists());
    Command::new(place.expect("PostgreSQL is installed: make test-stores").join(name))
}

/// `program`, run by the owner of `directory`.
pub fn as_owner(directory: &Path, program: Command) -> Command {
    if fs::metadata(directory).unwrap().uid() != NOBODY {
        return program;
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]);
    command.arg(program.get_program()).current_dir(directory);
    command
}

/// Gives a directory to whoever runs PostgreSQL.
pub fn give_away(directory: &Path) {
    if fs::metadata(directory).unwrap().uid() == 0 {
        chown(directory, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// What it wrote.
fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output.stdout
}
