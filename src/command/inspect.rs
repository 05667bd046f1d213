//! `waxseal inspect`: what a session cookie holds, or why it does not open.
//!
//! Who runs it holds the keys, so it hides nothing: the id stands whole, and the values with it.

use std::ffi::OsString;
use std::fmt::{self, Display, Write as _};
use std::io::{self, Read, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use waxseal::seal::{Header, Keyring, Lifetimes, Opened, Refusal, Version};
use waxseal::session::{Key, Settings};

use super::sign_outs::SignOuts;
use crate::config::SessionConfig;

/// More than any header line that a browser would send.
const INPUT_LIMIT: u64 = 64 * 1024;
/// What a cookie's name may begin with.
const PREFIXES: [&str; 3] = ["", "__Host-", "__Secure-"];
/// The last second that has a date of four digits for its year.
const LAST_DATE: u64 = 253_402_300_799;

/// How an inspection ended.
pub enum Verdict {
    Opens,
    Refused,
}

/// Prints a report on each session cookie in `input`, or in what standard input holds.
///
/// # Errors
///
/// If there is no cookie to look at, or the shared sign-outs cannot be read.
pub fn run(
    config: &SessionConfig,
    input: Option<OsString>,
    json: bool,
) -> Result<Verdict, Box<dyn std::error::Error>> {
    let input = match input {
        Some(argument) => argument.to_string_lossy().into_owned(),
        None => read_standard_input()?,
    };
    let now = seconds(SystemTime::now());
    let names = PREFIXES.map(|prefix| format!("{prefix}{}", config.settings.name));
    let sign_outs = SignOuts::learn(config)?;
    let mut verdict = Verdict::Refused;
    let mut out = String::new();
    for (number, cookie) in cookies(&input, &names)?.into_iter().enumerate() {
        let report = Report::new(config, &sign_outs, &names, cookie, now);
        if report.reason.is_none() {
            verdict = Verdict::Opens;
        }
        if json {
            writeln!(out, "{}", report.json())?;
        } else {
            let gap = if number > 0 { "\n" } else { "" };
            write!(out, "{gap}{report}")?;
        }
    }
    io::stdout().write_all(out.as_bytes())?;
    Ok(verdict)
}

fn read_standard_input() -> io::Result<String> {
    let mut bytes = Vec::new();
    io::stdin().take(INPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A cookie, as it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Given<'t> {
    name: Option<&'t str>,
    value: &'t str,
}

/// The session cookies in `text`: a bare value, `name=value`, or a header line, of which those with
/// one of `names` count.
fn cookies<'t>(text: &'t str, names: &[String]) -> Result<Vec<Given<'t>>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("there is no cookie to look at".to_owned());
    }
    let pairs = match (after(text, "Set-Cookie:"), after(text, "Cookie:")) {
        // What follows the first `;` are attributes.
        (Some(set), _) => set.split(';').next().unwrap_or_default(),
        (None, Some(cookies)) => cookies,
        (None, None) => text,
    };
    // A base64url value has no `=` inside; behind it, it is padding that is one too many.
    if !pairs.trim_end_matches('=').contains(['=', ';']) {
        return Ok(vec![Given { name: None, value: pairs.trim() }]);
    }
    let trim = |text: &'t str| text.trim_matches([' ', '\t']);
    let pairs: Vec<Given> = pairs
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| Given { name: Some(trim(name)), value: trim(value) })
        .collect();
    if let [only] = pairs[..] {
        return Ok(vec![only]);
    }
    let is_session = |cookie: &Given| names.iter().any(|name| cookie.name == Some(name));
    let sessions: Vec<Given> = pairs.into_iter().filter(is_session).collect();
    if sessions.is_empty() {
        return Err(format!("none of these cookies is called {}", names.join(", ")));
    }
    Ok(sessions)
}

/// What follows `prefix`, however its letters are written.
fn after<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// What is known of one cookie.
struct Report<'c> {
    settings: &'c Settings,
    now: u64,
    /// The name that it came under, where it came with one.
    came_as: Option<&'c str>,
    /// The name that it was sealed for, where a key of ours tells.
    sealed_for: Option<&'c str>,
    /// Why it does not open.
    reason: Option<Reason>,
    /// What is inside, where it can be read at all, too late or not.
    opened: Option<Opened>,
    /// What the pair of keys is called that opens it.
    keys: Option<&'c str>,
    /// Whether its session was signed out, where that is known.
    signed_out: Option<bool>,
}

/// Why a cookie does not open.
enum Reason {
    Refused(Refusal),
    OtherName,
    NotBefore,
    SignedOut,
}

impl<'c> Report<'c> {
    fn new(
        config: &'c SessionConfig,
        sign_outs: &SignOuts,
        names: &'c [String],
        cookie: Given<'c>,
        now: u64,
    ) -> Report<'c> {
        let SessionConfig { keyring, key_names, settings, .. } = config;
        let (name, result) = open_under_any(keyring, settings, names, cookie, now);
        let opened = match &result {
            Ok(opened) => Some(opened.clone()),
            Err(_) => {
                of_either_version(|version| keyring.open_at_any_time(name, cookie.value, version))
                    .ok()
            }
        };
        let is_sealed = |opened: &&Opened| opened.header.version == Version::Values;
        let signed_out =
            opened.as_ref().filter(is_sealed).and_then(|_| sign_outs.has(name, cookie.value));
        let created = opened.as_ref().map(|opened| opened.header.created);
        let reason = match result {
            Ok(_) if cookie.name.is_some_and(|given| given != name) => Some(Reason::OtherName),
            Ok(_) if created < settings.not_before.map(seconds) => Some(Reason::NotBefore),
            Ok(_) if signed_out == Some(true) => Some(Reason::SignedOut),
            Ok(_) => None,
            Err(refusal) => Some(Reason::Refused(refusal)),
        };
        let is_ours = match reason {
            Some(Reason::Refused(refusal)) => is_authenticated(refusal),
            _ => true,
        };
        Report {
            settings,
            now,
            came_as: cookie.name,
            sealed_for: is_ours.then_some(name),
            reason,
            keys: opened.as_ref().map(|opened| key_names[opened.key].as_str()),
            opened,
            signed_out,
        }
    }

    fn lifetimes(&self, header: &Header) -> Lifetimes {
        self.settings.lifetimes.shortened_by(&header.lifetime)
    }

    fn idle_end(&self, header: &Header) -> u64 {
        header.sealed.saturating_add(self.lifetimes(header).idle.as_secs())
    }

    fn lifetime_end(&self, header: &Header) -> u64 {
        header.created.saturating_add(self.lifetimes(header).absolute.as_secs())
    }

    fn message(&self) -> Option<String> {
        let header = self.opened.as_ref().map(|opened| &opened.header);
        let since =
            |end: Option<u64>| end.map_or(String::new(), |end| format!(", since {}", date(end)));
        Some(match self.reason.as_ref()? {
            Reason::Refused(refusal @ Refusal::Idle) => {
                format!("{refusal}{}", since(header.map(|header| self.idle_end(header))))
            }
            Reason::Refused(refusal @ Refusal::TooOld) => {
                format!("{refusal}{}", since(header.map(|header| self.lifetime_end(header))))
            }
            Reason::Refused(refusal) => refusal.to_string(),
            Reason::OtherName => format!(
                "it opens under another name: it was sealed for {}, and came as {}",
                self.sealed_for.unwrap_or_default(),
                self.came_as.unwrap_or_default()
            ),
            Reason::NotBefore => "its session began before SESSION_NOT_BEFORE".to_owned(),
            Reason::SignedOut => "its session was signed out".to_owned(),
        })
    }

    /// One line for machines; the README lists its members.
    fn json(&self) -> impl Display {
        let header = self.opened.as_ref().map(|opened| &opened.header);
        let own = header.map(|header| header.lifetime);
        nojson::object(move |f| {
            f.member("opens", self.reason.is_none())?;
            f.member("reason", self.reason.as_ref().map(Reason::as_str))?;
            f.member("message", self.message())?;
            f.member("name", self.sealed_for)?;
            f.member("version", header.map(Header::version_byte))?;
            f.member("id", header.map(|header| hex(&header.id.0)))?;
            f.member("keys", self.keys)?;
            f.member("signed_out", self.signed_out)?;
            f.member("created", header.map(|header| header.created))?;
            f.member("sealed", header.map(|header| header.sealed))?;
            f.member("idle_end", header.map(|header| self.idle_end(header)))?;
            f.member("lifetime_end", header.map(|header| self.lifetime_end(header)))?;
            f.member("own_idle", own.and_then(|own| own.idle()).map(|time| time.as_secs()))?;
            f.member(
                "own_lifetime",
                own.and_then(|own| own.absolute()).map(|time| time.as_secs()),
            )?;
            f.member("ends_with_browser", own.map(|own| own.ends_with_browser()))?;
            f.member("values", self.opened.as_ref().and_then(values))
        })
    }
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            None => row(f, "opens", "yes")?,
            Some(message) => row(f, "opens", format_args!("no: {message}"))?,
        }
        if let Some(name) = self.sealed_for {
            row(f, "name", name)?;
        }
        let (Some(opened), Some(keys)) = (&self.opened, self.keys) else { return Ok(()) };
        let header = &opened.header;
        let place = match header.version {
            Version::Values => "inside",
            Version::Stored => "in a store",
        };
        let time = |seconds| Time { seconds, now: self.now };
        row(f, "version", format_args!("{}, its values are {place}", header.version_byte()))?;
        row(f, "id", hex(&header.id.0))?;
        row(f, "keys", keys)?;
        if let Some(signed_out) = self.signed_out {
            row(f, "signed out", if signed_out { "yes" } else { "no" })?;
        }
        row(f, "begun", time(header.created))?;
        row(f, "sealed", time(header.sealed))?;
        row(f, "idle end", time(self.idle_end(header)))?;
        row(f, "lifetime end", time(self.lifetime_end(header)))?;
        let own = header.lifetime;
        for (name, time) in [("own idle", own.idle()), ("own lifetime", own.absolute())] {
            if let Some(time) = time {
                row(f, name, humantime::format_duration(time))?;
            }
        }
        if own.ends_with_browser() {
            row(f, "cookie", "ends with the browser")?;
        }
        match values(opened) {
            None => row(f, "record", Key::of(header.id)),
            Some(values) => values.iter().try_for_each(|[name, value]| {
                row(f, "value", format_args!("{name:?} = {value:?}"))
            }),
        }
    }
}

impl Reason {
    fn as_str(&self) -> &'static str {
        match self {
            Reason::Refused(refusal) => refusal.as_str(),
            Reason::OtherName => "other_name",
            Reason::NotBefore => "not_before",
            Reason::SignedOut => "signed_out",
        }
    }
}

/// Opens `cookie` under the name it came with, or else under the first of `names` that a key of
/// ours authenticates it for.
fn open_under_any<'c>(
    keyring: &Keyring,
    settings: &Settings,
    names: &'c [String],
    cookie: Given<'c>,
    now: u64,
) -> (&'c str, Result<Opened, Refusal>) {
    let names = cookie.name.into_iter().chain(names.iter().map(String::as_str));
    let attempts = names.map(|name| {
        let opened = of_either_version(|version| {
            keyring.open(name, cookie.value, version, settings.lifetimes, now)
        });
        (name, opened)
    });
    let mut forged = ("", Err(Refusal::Forged));
    for attempt in attempts {
        if !matches!(attempt.1, Err(Refusal::Forged)) {
            return attempt;
        }
        forged = attempt;
    }
    forged
}

/// Opens a seal of either version.
fn of_either_version(open: impl Fn(Version) -> Result<Opened, Refusal>) -> Result<Opened, Refusal> {
    match open(Version::Values) {
        Err(Refusal::OtherVersion(version)) => open(version),
        result => result,
    }
}

/// Whether what was refused has the tag of one of our keys.
fn is_authenticated(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Future
            | Refusal::CreatedAfterSealed
            | Refusal::Idle
            | Refusal::TooOld
            | Refusal::Undecryptable
            | Refusal::Payload
    )
}

/// Names and values as they stand in the payload, flashes among them; none where a store has them.
fn values(opened: &Opened) -> Option<Vec<[String; 2]>> {
    let pairs = form_urlencoded::parse(opened.payload());
    let pairs = pairs.map(|(name, value)| [name.into_owned(), value.into_owned()]);
    (opened.header.version == Version::Values).then(|| pairs.collect())
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl Display) -> fmt::Result {
    writeln!(f, "{name:<14}{value}")
}

/// A time, and how far away it is.
struct Time {
    seconds: u64,
    now: u64,
}

impl Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distance = Duration::from_secs(self.seconds.abs_diff(self.now));
        let distance = humantime::format_duration(distance);
        let date = date(self.seconds);
        if self.seconds > self.now {
            write!(f, "{date} (in {distance})")
        } else {
            write!(f, "{date} ({distance} ago)")
        }
    }
}

/// RFC 3339 in UTC, as far as that goes.
pub(super) fn date(seconds: u64) -> String {
    let last = seconds.min(LAST_DATE);
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(last)).to_string()
}

pub(super) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String does not fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
