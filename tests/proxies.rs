//! Waxseal behind nginx, Caddy, HAProxy and Apache, each with the very file that `docs/proxies.md` shows.
//!
//! `make test-proxies` installs them and runs the tests that need them.

#[path = "support/example.rs"]
mod example;
mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use support::{Ask, DEADLINE, HOST, Waxseal, get, post};

/// A proxy, and how it is started with a file.
struct Kind {
    name: &'static str,
    file: &'static str,
    command: fn(&Path) -> Command,
}

const KINDS: [Kind; 4] = [
    Kind { name: "nginx", file: "nginx.conf", command: nginx },
    Kind { name: "Caddy", file: "Caddyfile", command: caddy },
    Kind { name: "HAProxy", file: "haproxy.cfg", command: haproxy },
    Kind { name: "Apache", file: "apache.conf", command: apache },
];

fn nginx(file: &Path) -> Command {
    let mut command = Command::new("nginx");
    let settings = format!("daemon off; pid {};", file.with_extension("pid").display());
    command.args(["-e", "stderr", "-g", &settings, "-c"]).arg(file);
    command
}

fn caddy(file: &Path) -> Command {
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    command.env("HOME", file.with_file_name("caddy-home"));
    command
}

fn haproxy(file: &Path) -> Command {
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(file);
    command
}

/// The file is a virtual host: what Debian has around it comes first.
fn apache(file: &Path) -> Command {
    let modules = ["mpm_event", "authz_core", "proxy", "proxy_http", "headers"];
    let load = |name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n");
    let site = fs::read_to_string(file).unwrap();
    let address = site.split_once("<VirtualHost ").unwrap().1.split_once('>').unwrap().0;
    let around = file.with_file_name("apache2.conf");
    let server = format!(
        "ServerRoot {}\nPidFile {}\nErrorLog /dev/stderr\nServerName {HOST}\nListen {address}\n\
         User www-data\nGroup www-data\n{}Include {}\n",
        around.parent().unwrap().display(),
        file.with_extension("pid").display(),
        modules.map(load).concat(),
        file.display()
    );
    fs::write(&around, server).unwrap();
    let mut command = Command::new("apache2");
    command.args(["-D", "FOREGROUND", "-f"]).arg(around);
    command
}

fn deploy(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)).unwrap()
}

/// A port that is free, and that no connection gets of the kernel, whose range begins at 32768.
fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + std::process::id() as u16 % 10_000;
    let mut ports = (0..1000).map(|_| first + TRIED.fetch_add(1, Ordering::Relaxed));
    ports.find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}

/// A proxy that is running, before the server at some port.
struct Proxy {
    kind: &'static Kind,
    child: Child,
    port: u16,
    directory: PathBuf,
}

impl Proxy {
    fn start(kind: &'static Kind, server: u16) -> Proxy {
        let port = free_port();
        let directory = std::env::temp_dir().join(format!("waxseal-{}-{port}", kind.name));
        fs::create_dir_all(&directory).unwrap();
        let text = deploy(kind.file);
        assert!(text.contains(":5000") && text.contains(":8080"));
        let text =
            text.replace(":5000", &format!(":{server}")).replace(":8080", &format!(":{port}"));
        let file = directory.join(kind.file);
        fs::write(&file, text).unwrap();
        let log = fs::File::create(directory.join("log")).unwrap();
        let mut command = (kind.command)(&file);
        command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", kind.name));
        let proxy = Proxy { kind, child, port, directory };
        let began = Instant::now();
        while proxy.ask(&get("/healthz")).is_none_or(|answer| answer.status >= 500) {
            assert!(began.elapsed() < DEADLINE, "{} does not serve:\n{}", kind.name, proxy.log());
            thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    /// The answer to a request, on a connection of its own.
    fn ask(&self, request: &Ask) -> Option<Answer> {
        Client::connect(self.port)?.ask(request)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The shell's own `kill`; asked nicely, it ends its workers too.
        let kill = format!("kill -TERM {}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).status();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// The address of visitors: not the one that the server trusts as its proxy's.
const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A visitor of a proxy, for whom an answer that does not come is no reason to panic.
struct Client(BufReader<TcpStream>);

struct Answer {
    status: u16,
    head: String,
    body: String,
    /// The connection goes on.
    stays: bool,
}

impl Client {
    fn connect(port: u16) -> Option<Client> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((VISITOR, 0)).into()).unwrap();
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into()).ok()?;
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Some(Client(BufReader::new(socket.into())))
    }

    fn ask(&mut self, request: &Ask) -> Option<Answer> {
        self.0.get_mut().write_all(&request.bytes()).ok()?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.0.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let value = |name: &str| {
            let lower = head.to_ascii_lowercase();
            let line = lower.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned))?;
            Some(line.trim().to_owned())
        };
        let length = value("content-length:").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        let stays = value("connection:").is_none_or(|connection| connection != "close");
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head, body: String::from_utf8_lossy(&body).into_owned(), stays })
    }
}

/// A process that ends with the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const TRUSTING: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1");

/// Host, and the visitor's scheme: both are the proxy's word, whatever the visitor says.
#[test]
#[ignore = "needs nginx, Caddy, HAProxy and Apache: make test-proxies"]
fn what_proxies_say_of_visitors() {
    let server = Waxseal::start(&[TRUSTING, ("RUST_LOG", "debug")]);
    for kind in &KINDS {
        let proxy = Proxy::start(kind, server.port());
        // A form of the site's own page, as its Origin says, which only the right Host tells.
        let form = post("/login", "username=foo&password=secret")
            .with("Origin", &format!("http://{HOST}"))
            .with("X-Forwarded-Proto", "https")
            .with("X-Forwarded-For", "192.0.2.66");
        let answer = proxy.ask(&form).expect("an answer");
        assert_eq!(answer.status, 303, "{}: {}{}", kind.name, answer.head, answer.body);
        let sets = answer.head.to_ascii_lowercase();
        assert!(sets.contains("set-cookie: waxseal="), "{}: {}", kind.name, answer.head);
    }
}

/// The visitor's address: the proxy's word, whatever the visitor says.
#[test]
#[ignore = "needs nginx, Caddy, HAProxy and Apache: make test-proxies"]
fn whose_requests_proxies_pass_on() {
    let example = example::example("front_door");
    let mut server = Command::new(example);
    server.args(["trusted_proxies=127.0.0.1", "workers=2"]).stdin(Stdio::null());
    let mut server = Killed(server.stderr(Stdio::piped()).spawn().unwrap());
    let mut log = BufReader::new(server.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(" port=") {
        assert!(log.read_line(&mut line).unwrap() > 0, "{line}");
    }
    let port = line.split(" port=").nth(1).unwrap().split_whitespace().next().unwrap();
    let port = port.parse().unwrap();
    for kind in &KINDS {
        let proxy = Proxy::start(kind, port);
        let request = get("/address").with("X-Forwarded-For", "192.0.2.66");
        let address = proxy.ask(&request).map(|answer| answer.body);
        assert_eq!(address.as_deref(), Some("127.0.0.2"), "{}", kind.name);
    }
}

/// What became of the requests through one proxy.
#[derive(Debug, Default)]
struct Count {
    answered: usize,
    lost: Vec<String>,
    /// Of requests that are not idempotent: a proxy may not send these again when their connection closes.
    lost_posts: usize,
}

/// Asks through a proxy until `ends`, with a pause between two requests.
fn keep_asking(port: u16, pause: Duration, ends: &AtomicBool) -> Count {
    let mut count = Count::default();
    let (form, page) = (post("/logout", ""), get("/healthz"));
    while !ends.load(Ordering::Relaxed) {
        let Some(mut client) = Client::connect(port) else {
            count.lost.push("the proxy refuses".to_owned());
            continue;
        };
        while !ends.load(Ordering::Relaxed) {
            let is_post = count.answered % 8 == 7;
            let answer = client.ask(if is_post { &form } else { &page });
            let is_right = |answer: &Answer| answer.status == if is_post { 303 } else { 200 };
            match answer {
                Some(answer) if is_right(&answer) => {
                    count.answered += 1;
                    if !answer.stays {
                        break;
                    }
                }
                other if is_post => {
                    count.lost_posts += 1;
                    count.answered += 1;
                    if other.is_none() {
                        break;
                    }
                }
                Some(other) => count.lost.push(other.head),
                None => {
                    count.lost.push("no answer".to_owned());
                    break;
                }
            }
            thread::sleep(pause);
        }
    }
    count
}

const RESTARTS: usize = 5;

/// Restarts the server under load through all four proxies, with a grace time as it is by default.
fn restart_behind_proxies(restart: impl Fn(&TcpListener, &mut Waxseal)) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut server = Waxseal::start_on(&listener, &[TRUSTING]);
    let proxies: Vec<_> = KINDS.iter().map(|kind| Proxy::start(kind, port)).collect();
    let ends = &AtomicBool::new(false);
    // From those who ask all the time to those whose connection to the server is idle for long.
    let pauses = [1, 2, 3, 5, 10, 50, 200, 1000, 3000, 3900, 4100, 4700, 4900];
    thread::scope(|scope| {
        let clients: Vec<_> = proxies
            .iter()
            .map(|proxy| {
                let clients = pauses.map(Duration::from_millis).map(|pause| {
                    let port = proxy.port;
                    scope.spawn(move || keep_asking(port, pause, ends))
                });
                (proxy.kind.name, clients)
            })
            .collect();
        for _ in 0..RESTARTS {
            thread::sleep(Duration::from_millis(500));
            restart(&listener, &mut server);
        }
        ends.store(true, Ordering::Relaxed);
        for (name, clients) in clients {
            let mut total = Count::default();
            for client in clients {
                let count = client.join().expect("no panic");
                total.answered += count.answered;
                total.lost.extend(count.lost);
                total.lost_posts += count.lost_posts;
            }
            println!("{name}: {} answered, {} posts lost", total.answered, total.lost_posts);
            assert!(total.answered > 100 * RESTARTS, "{name}: {}", total.answered);
            assert_eq!(total.lost, [] as [String; 0], "{name}");
        }
    });
}

#[test]
#[ignore = "needs nginx, Caddy, HAProxy and Apache: make test-proxies"]
fn no_request_is_lost_where_the_next_process_starts_first() {
    restart_behind_proxies(|listener, server| {
        let next = Waxseal::start_on(listener, &[TRUSTING]);
        assert!(std::mem::replace(server, next).terminate().success());
    });
}

#[test]
#[ignore = "needs nginx, Caddy, HAProxy and Apache: make test-proxies"]
fn no_request_is_lost_where_the_next_process_starts_after_the_exit() {
    restart_behind_proxies(|listener, server| {
        assert!(server.terminate().success());
        *server = Waxseal::start_on(listener, &[TRUSTING]);
    });
}

/// The document shows the files as they are.
#[test]
fn the_document_has_the_files_that_are_tested() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/proxies.md");
    let document = fs::read_to_string(path).unwrap();
    for kind in &KINDS {
        assert!(document.contains(deploy(kind.file).trim()), "{}", kind.file);
    }
}
