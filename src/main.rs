//! The `waxseal` binary: its command line.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod app;
mod command;
mod config;
mod log_queue;
mod logfmt;

use std::error::Error;
use std::ffi::OsString;
use std::io;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use lexopt::prelude::*;
use log::{error, info, warn};
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use waxseal::seal::Keyring;
use waxseal::server::{self, ServeError, SlowWork};
use waxseal::session::Key;

use app::password_hash::Cost;
use app::{App, Metrics, Place, Site, Users};
use command::print;
use command::sessions::{Action, End, List};
use config::{Config, Faults, Listen, SessionConfig, StoredSessions};

/// It returns freed memory to the kernel where glibc's keeps most: after an attack the process is
/// as small as before.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELP: &str = "\
Waxseal keeps people signed in: sealed sessions, one binary, no async runtime.

Usage: waxseal [COMMAND]

Commands:
  serve               answer requests on $PORT (the default)
  keygen              print a fresh pair of keys, for a .env file or `heroku config:set`
  inspect [COOKIE]    tell what a session cookie holds, or why it does not open, with the keys of
                      the environment; COOKIE is its value, name=value or a whole header line, and
                      comes from standard input where it is left out; --json is for machines
  sessions count [--user NAME]
                      tell how many sessions are in the store, or how many a user has
  sessions list [--user NAME] [--limit N] [--after CURSOR] [--json]
                      list them: 100 or N of them, from the beginning or from where another list ended
  sessions end ID... | --user NAME | --all
                      end these, a user's, or all: at once, for all processes
  hash-password       print the hash of a password, for $USERS
  add-user FILE NAME  add somebody to the list of users in FILE ($USERS_FILE), or give a new password

`hash-password` and `add-user` ask for the password, or read it from standard input, and take these options:
  -m, --memory KIB       memory that a hash takes (19456)
  -t, --iterations N     passes over it (2)
  -p, --parallelism N    lanes (1)

Options:
  -h, --help     print this
  -V, --version  print the version

`serve`, `inspect` and `sessions` are configured by environment variables; the README has the
table.
";

/// A mistake of the operator's: in the environment, or on the command line.
const EXIT_USAGE: u8 = 2;
/// It cannot serve any more, and must be started again (EX_SOFTWARE).
const EXIT_STUCK: u8 = 70;

enum Command {
    Serve,
    Keygen,
    Inspect { cookie: Option<OsString>, json: bool },
    Sessions(Action),
    HashPassword(Cost),
    AddUser(PathBuf, String, Cost),
    Help,
    Version,
}

fn main() -> ExitCode {
    let outcome = match command(lexopt::Parser::from_env()) {
        Ok(Command::Serve) => return serve(),
        Ok(Command::Keygen) => command::keygen::run(),
        Ok(Command::Inspect { cookie, json }) => return inspect(cookie, json),
        Ok(Command::Sessions(action)) => return sessions(&action),
        Ok(Command::HashPassword(cost)) => command::hash_password::run(cost),
        Ok(Command::AddUser(file, name, cost)) => command::add_user::run(&file, &name, cost),
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("waxseal ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(error) => {
            eprintln!("waxseal: {error}; `waxseal --help` lists the commands");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    exit_code(outcome)
}

fn command(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let command = match arguments.next()? {
        Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Short('V') | Long("version")) => return Ok(Command::Version),
        Some(Value(name)) => match name.to_str() {
            Some("serve") => Command::Serve,
            Some("keygen") => Command::Keygen,
            Some("inspect") => return inspect_cookie(arguments),
            Some("sessions") => return sessions_action(arguments),
            Some("hash-password") => return hash_password(arguments),
            Some("add-user") => return add_user(arguments),
            _ => return Err(format!("there is no command {name:?}").into()),
        },
        Some(other) => return Err(other.unexpected()),
        None => Command::Serve,
    };
    match arguments.next()? {
        Some(Short('h') | Long("help")) => Ok(Command::Help),
        Some(Short('V') | Long("version")) => Ok(Command::Version),
        Some(other) => Err(other.unexpected()),
        None => Ok(command),
    }
}

fn inspect_cookie(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let (mut cookie, mut json) = (None, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Long("json") => json = true,
            Value(given) if cookie.is_none() => cookie = Some(given),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Inspect { cookie, json })
}

fn sessions_action(mut arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let word = match arguments.next()? {
        Some(Short('h') | Long("help")) => return Ok(Command::Help),
        Some(Short('V') | Long("version")) => return Ok(Command::Version),
        Some(Value(word)) => word,
        Some(other) => return Err(other.unexpected()),
        None => return Err("sessions takes count, list or end".into()),
    };
    let (mut list, mut keys, mut all) = (List::default(), Vec::new(), false);
    let word = word.to_str().unwrap_or_default();
    while let Some(argument) = arguments.next()? {
        match (word, argument) {
            (_, Short('h') | Long("help")) => return Ok(Command::Help),
            (_, Short('V') | Long("version")) => return Ok(Command::Version),
            (_, Long("user")) => list.user = Some(arguments.value()?.string()?),
            ("list", Long("limit")) => {
                let limit: NonZeroUsize = arguments.value()?.parse()?;
                list.limit = limit.get();
            }
            ("list", Long("after")) => list.after = Some(arguments.value()?.parse()?),
            ("list", Long("json")) => list.json = true,
            ("end", Long("all")) => all = true,
            ("end", Value(id)) => keys.push(id.parse::<Key>()?),
            (_, other) => return Err(other.unexpected()),
        }
    }
    Ok(Command::Sessions(match (word, list.user, keys.is_empty(), all) {
        ("count", user, ..) => Action::Count { user },
        ("list", user, ..) => Action::List(List { user, ..list }),
        ("end", None, false, false) => Action::End(End::These(keys)),
        ("end", Some(user), true, false) => Action::End(End::User(user)),
        ("end", None, true, true) => Action::End(End::All),
        ("end", ..) => {
            return Err("end takes IDs of sessions, --user NAME or --all, one of these".into());
        }
        _ => return Err("sessions takes count, list or end".into()),
    }))
}

fn hash_password(arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    Ok(match words_and_cost(arguments)? {
        Ok(([], cost)) => Command::HashPassword(cost),
        Err(instead) => instead,
    })
}

fn add_user(arguments: lexopt::Parser) -> Result<Command, lexopt::Error> {
    Ok(match words_and_cost(arguments)? {
        Ok(([file, name], cost)) => Command::AddUser(file.into(), name.string()?, cost),
        Err(instead) => instead,
    })
}

/// The words of a command that hashes, and its options; or what was asked for instead.
fn words_and_cost<const N: usize>(
    mut arguments: lexopt::Parser,
) -> Result<Result<([OsString; N], Cost), Command>, lexopt::Error> {
    let (mut words, mut cost) = (Vec::new(), Cost::default());
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Err(Command::Help)),
            Short('V') | Long("version") => return Ok(Err(Command::Version)),
            Short('m') | Long("memory") => cost.memory = arguments.value()?.parse()?,
            Short('t') | Long("iterations") => cost.iterations = arguments.value()?.parse()?,
            Short('p') | Long("parallelism") => cost.parallelism = arguments.value()?.parse()?,
            Value(word) if words.len() < N => words.push(word),
            other => return Err(other.unexpected()),
        }
    }
    let words = words.try_into().map_err(|_| "it takes FILE and NAME, both")?;
    Ok(Ok((words, cost)))
}

fn serve() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    if let Err(error) = logfmt::init(&config.log_filter) {
        eprintln!("waxseal: the log cannot be written: {error}");
        return ExitCode::FAILURE;
    }
    // A panic in the event loop, which the log has told of, leaves nobody who serves.
    let code = match catch_unwind(AssertUnwindSafe(|| run(config))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            error!("{error}");
            match error.downcast_ref() {
                Some(ServeError::Stuck(_)) => ExitCode::from(EXIT_STUCK),
                _ => ExitCode::FAILURE,
            }
        }
        Err(_) => ExitCode::from(EXIT_STUCK),
    };
    logfmt::finish();
    code
}

fn run(config: Config) -> Result<(), Box<dyn Error>> {
    info!(version = env!("CARGO_PKG_VERSION"); "starting");
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    ignore_user_signals()?;
    let SessionConfig { keyring, key_names, settings, revocations } = config.sessions;
    let mut serving = server_config(config.listen)?;
    serving.workers = config.workers;
    serving.max_connections = config.max_connections;
    serving.trusted_proxies = config.trusted_proxies;
    // A connection to a store is a descriptor, and three files with SQLite.
    let stores = usize::from(config.store.is_some()) + usize::from(revocations.is_some());
    serving.reserved_descriptors += 3 * stores * config.workers.div_ceil(2);
    serving.limits.idle_time = config.keep_alive;
    serving.limits.drain_grace = config.drain_grace;
    let slow_work = SlowWork::for_workers(config.workers);
    let users = users(config.users, Arc::clone(&keyring))?;
    let metrics = config.metrics.then(|| Metrics::new(key_names, log_queue::dropped));
    let place = match (config.store, revocations) {
        (Some(chosen), _) => Place::Store(chosen.name, chosen.store),
        (None, Some(chosen)) => Place::SharingCookie(chosen.name, chosen.revocations),
        (None, None) => Place::Cookie,
    };
    let site = Site { https_only: config.https_only, origin: config.public_url };
    let app = App::new(keyring, settings, place, users, slow_work, site, metrics)?;
    app.prepare();
    serving.rejection_pages = app.rejection_pages();
    server::serve(serving, move |request| app.answer(request))?;
    info!("stopped");
    Ok(())
}

/// The server's settings for this socket.
fn server_config(listen: Listen) -> Result<server::Config, String> {
    match listen {
        Listen::At { host, port } => server::listen(host, port)
            .map(server::Config::new)
            .map_err(|error| format!("cannot listen on port {port}: {error}")),
        Listen::Inherited(listener) => {
            let mut config = server::Config::new(listener);
            config.listener_is_shared = true;
            Ok(config)
        }
    }
}

/// SIGUSR1 and SIGUSR2 mean nothing here, and would end the process.
fn ignore_user_signals() -> io::Result<()> {
    for signal in [SIGUSR1, SIGUSR2] {
        signal_hook::flag::register(signal, Arc::default())?;
    }
    Ok(())
}

fn inspect(cookie: Option<OsString>, json: bool) -> ExitCode {
    let config = match SessionConfig::from_env() {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    match command::inspect::run(&config, cookie, json) {
        Ok(command::inspect::Verdict::Opens) => ExitCode::SUCCESS,
        Ok(command::inspect::Verdict::Refused) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("waxseal: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn sessions(action: &Action) -> ExitCode {
    let config = match StoredSessions::from_env() {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    match command::sessions::run(config, action) {
        Err(error) if command::sessions::is_mistake(&*error) => {
            eprintln!("waxseal: {error}");
            ExitCode::from(EXIT_USAGE)
        }
        outcome => exit_code(outcome),
    }
}

/// Tells what is wrong with the environment.
fn refuse(faults: &Faults) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::from(EXIT_USAGE)
}

/// Who may sign in, and a warning where that deserves one.
fn users(
    configured: Option<config::ConfiguredUsers>,
    keyring: Arc<Keyring>,
) -> Result<Arc<Users>, Box<dyn Error>> {
    let Some(configured) = configured else {
        warn!("no users are configured: anybody can sign in as foo with the password secret");
        return Ok(Arc::new(Users::demo(keyring)));
    };
    let (all, cheap) = (configured.user_list.len(), configured.user_list.cheap_hashes());
    info!(users = all; "users are configured");
    if cheap > 0 {
        warn!(users = cheap; "these users' hashes are cheaper to guess than those made today");
    }
    let users = Arc::new(Users::new(configured.user_list, keyring));
    if let Some(file) = configured.file {
        file.watch(Arc::clone(&users))?;
    }
    Ok(users)
}

fn exit_code(outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("waxseal: {error}");
            ExitCode::FAILURE
        }
    }
}
