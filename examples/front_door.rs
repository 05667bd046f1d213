//! Any synchronous handler behind the front door: a small site with pages that are slow, large, or
//! panic, and every limit to be set on the command line. The tests of the front door
//! (`tests/front_door.rs`) talk to it; it is no part of the `waxseal` binary.
//!
//! ```text
//! cargo run --example front_door -- port=5000 workers=2 head_ms=700
//! ```

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use waxseal::http::{Request, Response};
use waxseal::server::{Config, ServeError, SlowWork, listen, serve};

/// As the `waxseal` binary has it.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MEGABYTE: usize = 1 << 20;
const PAGE: &str = "<!DOCTYPE html><title>Front door</title><p>Hello.";

/// The fields that `/head` shows.
const NAMES: [&str; 15] = [
    "Host",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Upgrade",
    "TE",
    "Trailer",
    "Expect",
    "Proxy-Authorization",
    "Proxy-Connection",
    "X-Y",
    "X-Name",
    "Cookie",
    "Waxseal-Request",
];

/// Requests that reached a worker.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Logs on standard error, and panics at one line: what the front calls is the only way to make it
/// panic from outside.
struct Logger {
    inner: env_logger::Logger,
    panics_at: Option<String>,
}

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.inner.enabled(metadata)
    }

    fn log(&self, record: &log::Record<'_>) {
        self.inner.log(record);
        assert!(self.panics_at.as_ref() != Some(&record.args().to_string()), "as asked");
    }

    fn flush(&self) {}
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            match error.downcast_ref() {
                Some(ServeError::Stuck(_)) => ExitCode::from(70),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut settings = Vec::new();
    for argument in &arguments {
        settings.push(argument.split_once('=').ok_or("settings are name=value")?);
    }
    let setting = |name| settings.iter().find(|(found, _)| *found == name).map(|(_, value)| *value);
    let inner = env_logger::Builder::new().filter_level(log::LevelFilter::Info).build();
    let panics_at = setting("panic_at").map(str::to_owned);
    log::set_boxed_logger(Box::new(Logger { inner, panics_at }))?;
    log::set_max_level(log::LevelFilter::Info);
    let port = setting("port").unwrap_or("0").parse()?;
    let listener = listen(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), port)?;
    let mut config = Config::new(listener);
    for (name, value) in settings {
        set(&mut config, name, value)?;
    }
    let slow = SlowWork::for_workers(config.workers);
    Ok(serve(config, move |request| page(request, &slow))?)
}

fn set(config: &mut Config, name: &str, value: &str) -> Result<(), Box<dyn Error>> {
    let limits = &mut config.limits;
    match name {
        "port" | "panic_at" => {}
        "workers" => config.workers = value.parse()?,
        "max_connections" => config.max_connections = value.parse()?,
        "reserved_descriptors" => config.reserved_descriptors = value.parse()?,
        "trusted_proxies" => config.trusted_proxies = value.parse()?,
        "queue" => limits.queue = value.parse()?,
        "memory" => limits.memory = value.parse()?,
        "answer_rate" => limits.answer_rate = value.parse()?,
        "head_ms" => limits.head_time = milliseconds(value)?,
        "body_ms" => limits.body_time = milliseconds(value)?,
        "idle_ms" => limits.idle_time = milliseconds(value)?,
        "answer_ms" => limits.answer_time = milliseconds(value)?,
        "linger_ms" => limits.linger_time = milliseconds(value)?,
        "lane_ms" => limits.lane_time = milliseconds(value)?,
        "stuck_ms" => limits.stuck_time = milliseconds(value)?,
        "drain_ms" => limits.drain_time = milliseconds(value)?,
        "grace_ms" => limits.drain_grace = milliseconds(value)?,
        "receive_timeout_ms" => {
            let socket = socket2::SockRef::from(&config.listener);
            socket.set_read_timeout(Some(milliseconds(value)?))?;
        }
        // A thread of the program's own, whose panic is no business of the server's.
        "panic_ms" => {
            let after = milliseconds(value)?;
            drop(thread::spawn(move || {
                thread::sleep(after);
                panic!("as asked");
            }));
        }
        _ => return Err(format!("there is no setting {name}").into()),
    }
    Ok(())
}

fn milliseconds(value: &str) -> Result<Duration, <u64 as FromStr>::Err> {
    value.parse().map(Duration::from_millis)
}

fn page(request: &mut Request, slow: &SlowWork) -> Response {
    let asked = ASKED.fetch_add(1, Ordering::Relaxed);
    let path = request.path().to_owned();
    match path.split('/').skip(1).collect::<Vec<_>>()[..] {
        [""] => Response::html(200, PAGE),
        ["healthz"] => Response::text(200, "ok"),
        ["asked"] => Response::text(200, asked.to_string()),
        ["whoami"] => whoami(request),
        ["whoami", ms] => {
            sleep(ms);
            whoami(request)
        }
        ["address"] => Response::text(200, request.address().to_string()),
        ["echo"] => echo(request),
        ["head"] => Response::text(200, head(request)),
        ["large"] => Response::new(200, "application/octet-stream", vec![b'x'; 3 * MEGABYTE]),
        ["huge"] => Response::new(200, "application/octet-stream", vec![b'x'; 5 * MEGABYTE]),
        ["nothing"] => Response::empty(204),
        ["same"] => Response::text(304, "not sent"),
        ["panic"] => panic!("as asked"),
        ["slow", ms] => {
            sleep(ms);
            Response::text(200, "slept")
        }
        ["work", ms] => match slow.begin() {
            Some(_leave) => {
                sleep(ms);
                Response::text(200, "worked")
            }
            None => Response::text(503, "busy").with_header("Retry-After", "1"),
        },
        _ => Response::text(404, "not found"),
    }
}

fn whoami(request: &Request) -> Response {
    Response::text(200, request.cookies().into_owned())
}

fn echo(request: &Request) -> Response {
    Response::new(200, "application/octet-stream", request.body().to_vec())
}

fn head(request: &Request) -> String {
    let mut lines = vec![format!("{} {}", request.method(), request.target())];
    for name in NAMES {
        lines
            .extend(request.headers(name).map(|value| format!("{name}: {}", value.escape_ascii())));
    }
    lines.join("\n")
}

fn sleep(ms: &str) {
    thread::sleep(Duration::from_millis(ms.parse().unwrap_or(1000)));
}
