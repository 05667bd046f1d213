//! The environment, checked whole at start: everything that is wrong is told at once.

mod faults;
mod keys;
mod listen;
mod store;
mod users;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use log::LevelFilter;
use waxseal::seal::{Keyring, Lifetimes};
use waxseal::server::Limits;
use waxseal::session::{SameSite, Secure, Settings, SettingsError};
use waxseal::visitor::{Origin, TrustedProxies};

use faults::Fault;
pub use faults::Faults;
pub use listen::Listen;
pub use store::{ChosenRevocations, ChosenStore};
pub use users::ConfiguredUsers;

const DEFAULT_WORKERS: usize = 8;
const DEFAULT_CONNECTIONS: usize = 10_000;
/// More threads than a small dyno has room for help nobody.
const WORKERS: RangeInclusive<usize> = 1..=128;
const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;

/// Everything that can be configured.
#[derive(Debug)]
pub struct Config {
    /// `LISTEN_FDS`, or `HOST` and `PORT`.
    pub listen: Listen,
    /// The keys, `SESSION_…` and `SECURE_COOKIES`.
    pub sessions: SessionConfig,
    /// `HTTPS_ONLY`.
    pub https_only: bool,
    /// `PUBLIC_URL`: the origin by which visitors know this server.
    pub public_url: Option<Origin>,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: TrustedProxies,
    /// `WORKER_THREADS`.
    pub workers: usize,
    /// `MAX_CONNECTIONS`.
    pub max_connections: usize,
    /// `KEEP_ALIVE_TIMEOUT`.
    pub keep_alive: Duration,
    /// `DRAIN_GRACE`.
    pub drain_grace: Duration,
    /// `METRICS`.
    pub metrics: bool,
    /// `SESSION_STORE` and the address that it needs; none is the cookie.
    pub store: Option<ChosenStore>,
    /// `USERS_FILE` or `USERS`; none is the demonstration.
    pub users: Option<ConfiguredUsers>,
    /// `RUST_LOG`.
    pub log_filter: String,
    /// What works, and should be looked at all the same.
    pub warnings: Vec<String>,
}

/// The part that sessions need, and `inspect` too.
#[derive(Debug)]
pub struct SessionConfig {
    /// The keys and the previous keys.
    pub keyring: Arc<Keyring>,
    /// What the pairs of the keyring are called, in its order: `current`, `previous`, `previous_2`.
    pub key_names: Vec<String>,
    /// `SESSION_…` and `SECURE_COOKIES`.
    pub settings: Settings,
    /// `SESSION_REVOCATIONS` and the address that it needs; none is not to share sign-outs.
    pub revocations: Option<ChosenRevocations>,
}

impl Config {
    /// Reads the environment of this process.
    pub fn from_env() -> Result<Config, Faults> {
        Reader::new(env::vars_os()).config(SystemTime::now())
    }
}

impl SessionConfig {
    /// Reads its part of the environment of this process.
    pub fn from_env() -> Result<SessionConfig, Faults> {
        Reader::new(env::vars_os()).session_config(SystemTime::now())
    }
}

/// The part that `sessions` needs.
#[derive(Debug)]
pub struct StoredSessions {
    /// The keys, and what else sessions need.
    pub sessions: SessionConfig,
    /// `SESSION_STORE` and the address that it needs; none is the cookie.
    pub store: Option<ChosenStore>,
}

impl StoredSessions {
    /// Reads its part of the environment of this process.
    pub fn from_env() -> Result<StoredSessions, Faults> {
        Reader::new(env::vars_os()).stored_sessions(SystemTime::now())
    }
}

/// Reads variables, and collects what is wrong with them.
struct Reader {
    vars: BTreeMap<String, OsString>,
    faults: Vec<Fault>,
    warnings: Vec<String>,
}

impl Reader {
    fn new(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Reader {
        let utf8 = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let vars = vars.into_iter().filter_map(utf8).collect();
        Reader { vars, faults: Vec::new(), warnings: Vec::new() }
    }

    fn session_config(mut self, now: SystemTime) -> Result<SessionConfig, Faults> {
        let keys = self.keyring();
        let settings = self.settings(now);
        let revocations = self.revocations(1);
        match keys {
            Some((keyring, key_names)) if self.faults.is_empty() => {
                let keyring = Arc::new(keyring);
                Ok(SessionConfig { keyring, key_names, settings, revocations })
            }
            _ => Err(Faults(self.faults)),
        }
    }

    fn stored_sessions(mut self, now: SystemTime) -> Result<StoredSessions, Faults> {
        let store = self.store_that_is_there();
        Ok(StoredSessions { sessions: self.session_config(now)?, store })
    }

    fn config(mut self, now: SystemTime) -> Result<Config, Faults> {
        let on_dyno = self.text("DYNO").is_some();
        let listen = self.listen();
        let keys = self.keyring();
        let settings = self.settings(now);
        let https_only = self.switch("HTTPS_ONLY", on_dyno);
        let public_url = self.public_url(https_only);
        let proxies = self.proxies(listen.as_ref().and_then(Listen::host), on_dyno);
        let workers = self.number("WORKER_THREADS", DEFAULT_WORKERS, WORKERS);
        let max_connections = self.number("MAX_CONNECTIONS", DEFAULT_CONNECTIONS, CONNECTIONS);
        let keep_alive = self.duration("KEEP_ALIVE_TIMEOUT", Limits::default().idle_time);
        let drain_grace = self.drain_grace(on_dyno);
        let metrics = self.switch("METRICS", false);
        let users = self.users();
        let store = self.store(workers, users.is_none());
        let revocations = self.revocations(workers);
        let log_filter = self.log_filter();
        self.check_https(https_only, &proxies, settings.secure);
        match (listen, keys) {
            (Some(listen), Some((keyring, key_names))) if self.faults.is_empty() => Ok(Config {
                listen,
                sessions: SessionConfig {
                    keyring: Arc::new(keyring),
                    key_names,
                    settings,
                    revocations,
                },
                https_only,
                public_url,
                trusted_proxies: proxies,
                workers,
                max_connections,
                keep_alive,
                drain_grace,
                metrics,
                store,
                users,
                log_filter,
                warnings: self.warnings,
            }),
            _ => Err(Faults(self.faults)),
        }
    }

    fn fault(&mut self, variable: &str, found: impl Into<String>, remedy: impl Into<String>) {
        let (found, remedy) = (found.into(), remedy.into());
        self.faults.push(Fault { variable: variable.to_owned(), found, remedy });
    }

    /// The text of a variable; one that is set to nothing counts as not set.
    fn text(&mut self, name: &str) -> Option<String> {
        let value = self.vars.get(name).filter(|value| !value.is_empty())?;
        let text = value.to_str().map(str::to_owned);
        if text.is_none() {
            self.fault(name, "is not UTF-8", "Write it in plain text.");
        }
        text
    }

    /// A variable that something makes a `T` of.
    fn read<T>(
        &mut self,
        name: &str,
        remedy: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.fault(name, format!("is {text:?}"), remedy);
        }
        value
    }

    fn parsed<T: FromStr>(&mut self, name: &str, remedy: &str) -> Option<T> {
        self.read(name, remedy, |text| text.parse().ok())
    }

    fn number(&mut self, name: &str, default: usize, range: RangeInclusive<usize>) -> usize {
        let remedy = format!("Give a whole number from {} to {}.", range.start(), range.end());
        let number = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.read(name, &remedy, number).unwrap_or(default)
    }

    fn switch(&mut self, name: &str, default: bool) -> bool {
        let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "on" | "yes" => Some(true),
            "0" | "false" | "off" | "no" => Some(false),
            _ => None,
        };
        self.read(name, "Give 1 or 0.", parse).unwrap_or(default)
    }

    fn duration(&mut self, name: &str, default: Duration) -> Duration {
        let remedy = "Give a time of a second or more with its unit: 30m, 12h, 7d.";
        let parse = |text: &str| {
            humantime::parse_duration(text).ok().filter(|time| *time >= Duration::from_secs(1))
        };
        self.read(name, remedy, parse).unwrap_or(default)
    }

    /// On a dyno none: its router sends nothing more to a dyno that is told to stop.
    fn drain_grace(&mut self, on_dyno: bool) -> Duration {
        let Limits { drain_grace, drain_time, .. } = Limits::default();
        let default = if on_dyno { Duration::ZERO } else { drain_grace };
        let remedy = "Give a time from 0s to 25s with its unit: 5s, 1500ms.";
        let parse =
            |text: &str| humantime::parse_duration(text).ok().filter(|grace| *grace <= drain_time);
        self.read("DRAIN_GRACE", remedy, parse).unwrap_or(default)
    }

    fn settings(&mut self, now: SystemTime) -> Settings {
        let mut settings = Settings::default();
        if let Some(name) = self.text("SESSION_COOKIE_NAME") {
            settings.name = name;
        }
        let Lifetimes { idle, absolute } = settings.lifetimes;
        settings.lifetimes = Lifetimes {
            idle: self.duration("SESSION_IDLE_TIMEOUT", idle),
            absolute: self.duration("SESSION_LIFETIME", absolute),
        };
        settings.not_before = self.not_before(now);
        settings.same_site = self
            .read("SESSION_SAME_SITE", "Give lax, strict or none.", same_site)
            .unwrap_or(settings.same_site);
        settings.domain = self.text("SESSION_DOMAIN");
        settings.secure = self
            .read("SECURE_COOKIES", "Give auto, always or never.", secure)
            .unwrap_or(settings.secure);
        settings.open_before_learnt = !self.switch("SESSION_REVOCATIONS_REQUIRED", true);
        self.check_settings(&settings);
        settings
    }

    /// Checks the settings that can contradict one by one, so that no fault hides another.
    fn check_settings(&mut self, settings: &Settings) {
        let name = Settings::default().with_name(&settings.name);
        let mut domain = Settings::default();
        domain.domain.clone_from(&settings.domain);
        let Settings { same_site, secure, .. } = *settings;
        let same_site = Settings::default().with_same_site(same_site).with_secure(secure);
        for part in [name, domain, same_site] {
            let Err(error) = part.check() else { continue };
            let (variable, found, remedy) = match error {
                SettingsError::SameSiteNoneNeedsSecure => (
                    "SESSION_SAME_SITE",
                    "none",
                    "Set SECURE_COOKIES=always beside it, or choose lax or strict.",
                ),
                SettingsError::Domain => (
                    "SESSION_DOMAIN",
                    part.domain.as_deref().unwrap_or_default(),
                    "Give a host name with a dot in it, such as example.com, or leave it out.",
                ),
                _ => (
                    "SESSION_COOKIE_NAME",
                    part.name.as_str(),
                    "Choose a name such as waxseal, or leave it out.",
                ),
            };
            self.fault(variable, format!("is {found:?}: {error}"), remedy);
        }
    }

    fn not_before(&mut self, now: SystemTime) -> Option<SystemTime> {
        let name = "SESSION_NOT_BEFORE";
        let remedy = "Give a time in UTC: 2026-01-31T18:30:00Z.";
        let time = self.read(name, remedy, |text| humantime::parse_rfc3339_weak(text).ok())?;
        if time > now {
            self.fault(name, "lies in the future: nobody could sign in until then", remedy);
        }
        Some(time)
    }

    fn log_filter(&mut self) -> String {
        let remedy = "Give a level (error, warn, info, debug, trace) or module=level, with commas.";
        // A bare word that is no level would be taken for a module, and silence all others.
        let is_directive =
            |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
        let check = |text: &str| {
            let parses = env_filter::Builder::new().try_parse(text).is_ok();
            (parses && text.split(',').all(is_directive)).then(|| text.to_owned())
        };
        self.read("RUST_LOG", remedy, check).unwrap_or_else(|| "info".to_owned())
    }

    /// Whom to believe; on a dyno its router, which alone reaches the port.
    fn proxies(&mut self, host: Option<IpAddr>, on_dyno: bool) -> TrustedProxies {
        let name = "TRUSTED_PROXIES";
        let remedy = "Give how many proxies stand before this server (0 to 16), or better their addresses \
            and networks: 10.0.0.0/8, 192.0.2.1.";
        let told = self.read(name, remedy, |text| text.parse().ok());
        let proxies: TrustedProxies =
            told.unwrap_or_else(|| TrustedProxies::count(usize::from(on_dyno)));
        let is_open = host.is_none_or(|host| !host.is_loopback());
        if proxies.believes_anybody() && is_open && !on_dyno {
            self.warnings.push(
                "TRUSTED_PROXIES is a number, and HOST is open: whoever reaches the port without a proxy \
                 chooses an address, and is neither slowed down nor limited; give the proxies' addresses, or \
                 let the port be reached by them alone"
                    .into(),
            );
        }
        proxies
    }

    fn public_url(&mut self, https_only: bool) -> Option<Origin> {
        let remedy =
            "Give scheme, host and port as browsers show them, and no path: https://example.com.";
        let url: Origin = self.read("PUBLIC_URL", remedy, |text| text.parse().ok())?;
        if https_only && !url.is_https() {
            let remedy = "Begin it with https://, or set HTTPS_ONLY=0.";
            self.fault("PUBLIC_URL", format!("is {url}, and HTTPS_ONLY is on"), remedy);
        }
        Some(url)
    }

    fn check_https(&mut self, https_only: bool, proxies: &TrustedProxies, secure: Secure) {
        if https_only && proxies.is_none() {
            self.fault(
                "HTTPS_ONLY",
                "is on, and TRUSTED_PROXIES is 0: no visitor would ever count as coming by HTTPS",
                "Set TRUSTED_PROXIES to the number of proxies before this server, or HTTPS_ONLY=0.",
            );
        }
        if https_only && secure == Secure::Never {
            self.fault(
                "SECURE_COOKIES",
                "is never, and HTTPS_ONLY is on",
                "Leave SECURE_COOKIES out, or set HTTPS_ONLY=0.",
            );
        }
    }
}

fn same_site(text: &str) -> Option<SameSite> {
    match text.to_ascii_lowercase().as_str() {
        "lax" => Some(SameSite::Lax),
        "strict" => Some(SameSite::Strict),
        "none" => Some(SameSite::None),
        _ => None,
    }
}

fn secure(text: &str) -> Option<Secure> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => Some(Secure::Auto),
        "always" => Some(Secure::Always),
        "never" => Some(Secure::Never),
        _ => None,
    }
}
