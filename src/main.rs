//! The `waxseal` binary: its command line.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod app;
mod config;
mod inspect;
mod logfmt;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use lexopt::prelude::*;
use log::{error, info, warn};
use waxseal::server;
use waxseal::session::Sessions;

use app::{App, Metrics};
use config::{Config, Faults, SessionConfig};

const HELP: &str = "\
Waxseal keeps people signed in: sealed sessions, one binary, no async runtime.

Usage: waxseal [COMMAND]

Commands:
  serve   answer requests on $PORT (the default)
  keygen  print a fresh pair of keys, for a .env file or `heroku config:set`
  inspect [--json] [COOKIE]
          tell what a session cookie holds, or why it does not open, with the keys
          of the environment; COOKIE is its value, name=value or a whole header
          line, and comes from standard input where it is left out

Options:
  -h, --help     print this
  -V, --version  print the version

`serve` and `inspect` are configured by environment variables; the README has the
table.
";

/// A mistake of the operator's: in the environment, or on the command line.
const EXIT_USAGE: u8 = 2;

enum Command {
    Serve,
    Keygen,
    Inspect { cookie: Option<OsString>, json: bool },
    Help,
    Version,
}

fn main() -> ExitCode {
    let outcome = match command(lexopt::Parser::from_env()) {
        Ok(Command::Serve) => return serve(),
        Ok(Command::Keygen) => keygen(),
        Ok(Command::Inspect { cookie, json }) => return inspect(cookie, json),
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
    let mut command = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Value(name) if command.is_none() => {
                command = Some(match name.to_str() {
                    Some("serve") => Command::Serve,
                    Some("keygen") => Command::Keygen,
                    Some("inspect") => Command::Inspect { cookie: None, json: false },
                    _ => return Err(format!("there is no command {name:?}").into()),
                });
            }
            other => match (&mut command, other) {
                (Some(Command::Inspect { json, .. }), Long("json")) => *json = true,
                (Some(Command::Inspect { cookie, .. }), Value(given)) if cookie.is_none() => {
                    *cookie = Some(given);
                }
                (_, other) => return Err(other.unexpected()),
            },
        }
    }
    Ok(command.unwrap_or(Command::Serve))
}

fn serve() -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    logfmt::init(&config.log_filter);
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), Box<dyn Error>> {
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    let listener = server::listen(config.host, config.port)
        .map_err(|error| format!("cannot listen on port {}: {error}", config.port))?;
    let port = listener.local_addr()?.port();
    let SessionConfig { keyring, key_names, settings } = config.sessions;
    let sessions = Sessions::sealed(keyring).with(settings)?;
    let metrics = config.metrics.then(|| Metrics::new(key_names));
    let app = App::new(sessions, config.https_only, metrics);
    warn!("no users are configured: anybody can sign in as foo with the password secret");
    info!(port, workers = config.workers, version = env!("CARGO_PKG_VERSION"); "listening");
    let mut serving = server::Config::new(listener);
    serving.workers = config.workers;
    serving.max_connections = config.max_connections;
    serving.trusted_proxies = config.trusted_proxies;
    server::serve(serving, move |request| app.answer(request))?;
    info!("stopped");
    Ok(())
}

fn inspect(cookie: Option<OsString>, json: bool) -> ExitCode {
    let config = match SessionConfig::from_env() {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    match inspect::run(&config, cookie, json) {
        Ok(inspect::Verdict::Opens) => ExitCode::SUCCESS,
        Ok(inspect::Verdict::Refused) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("waxseal: {error}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Tells what is wrong with the environment.
fn refuse(faults: &Faults) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::from(EXIT_USAGE)
}

fn keygen() -> Result<(), Box<dyn Error>> {
    let key = || -> Result<String, Box<dyn Error>> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)
            .map_err(|error| format!("the system gives no random numbers: {error}"))?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    };
    print(&format!("SESSION_AUTHENTICATION_KEY={}\nSESSION_ENCRYPTION_KEY={}\n", key()?, key()?))
}

fn print(text: &str) -> Result<(), Box<dyn Error>> {
    Ok(io::stdout().write_all(text.as_bytes())?)
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
