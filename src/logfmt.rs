//! Log lines in logfmt: one line an event, on standard error.

use std::env;
use std::io::{self, Write};
use std::panic;
use std::sync::OnceLock;
use std::time::SystemTime;

use env_logger::Target;
use env_logger::fmt::Formatter;
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record, error};

use crate::log_queue::{Kind, LogQueue};

/// The target of lines that tell who signed in or out, or was locked out.
pub const ACCOUNTS: &str = "waxseal::accounts";
/// The byte before a line on its way through env_logger, which tells its kind.
const ACCOUNT: u8 = b'a';
const OTHER: u8 = b'o';

static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// Starts logging what `filter` (the syntax of `RUST_LOG`) lets through, panics among it: what a
/// visitor sent may be part of a panic's message, and must not write lines of its own.
///
/// # Errors
///
/// If the thread that writes cannot be started.
pub fn init(filter: &str) -> io::Result<()> {
    let begin: fn() -> String = if is_timed_elsewhere() { String::new } else { time };
    let queue = LogQueue::start(io::stderr(), begin)?;
    let target = Target::Pipe(Box::new(Sorter(queue.clone())));
    let format = move |out: &mut Formatter, record: &Record<'_>| write_record(out, record, begin);
    env_logger::Builder::new().parse_filters(filter).format(format).target(target).init();
    let _ = QUEUE.set(queue);
    panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let message = text.or(payload.downcast_ref::<String>().map(String::as_str));
        let message = message.unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(message, place; "panic");
    }));
    Ok(())
}

/// Waits until all lines are written, for a moment at most: the process is about to end.
pub fn finish() {
    if let Some(queue) = QUEUE.get() {
        queue.finish();
    }
}

/// Takes a record whole, and puts it into the queue of its kind.
struct Sorter(LogQueue);

impl Write for Sorter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some((kind, line)) = bytes.split_first() {
            self.0.push(if *kind == ACCOUNT { Kind::Account } else { Kind::Other }, line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether what collects the log adds the time of each line: a dyno's router, or systemd's journal, which names
/// its socket by device and inode (systemd.exec(5)).
fn is_timed_elsewhere() -> bool {
    let journal = env::var("JOURNAL_STREAM").ok();
    let of_stderr = rustix::fs::fstat(io::stderr()).ok();
    let is_journal = of_stderr
        .zip(journal)
        .is_some_and(|(stat, journal)| journal == format!("{}:{}", stat.st_dev, stat.st_ino));
    is_journal || env::var_os("DYNO").is_some()
}

/// The first field of a line.
fn time() -> String {
    format!("time={} ", humantime::format_rfc3339_millis(SystemTime::now()))
}

fn write_record(out: &mut Formatter, record: &Record<'_>, begin: fn() -> String) -> io::Result<()> {
    out.write_all(&[if record.target() == ACCOUNTS { ACCOUNT } else { OTHER }])?;
    write!(out, "{}", begin())?;
    write!(out, "at={} msg={}", level(record.level()), Quoted(&record.args().to_string()))?;
    // The one error that writing a pair has is the one of `out`.
    record.key_values().visit(&mut Pairs(out)).map_err(io::Error::other)?;
    writeln!(out)
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

struct Pairs<'f>(&'f mut Formatter);

impl<'kv> VisitSource<'kv> for Pairs<'_> {
    fn visit_pair(&mut self, key: Key<'kv>, value: Value<'kv>) -> Result<(), Error> {
        write!(self.0, " {key}={}", Quoted(&value.to_string()))?;
        Ok(())
    }
}

/// A value that cannot end its field or its line: plain where every character is harmless, else in
/// quotes with Rust's escapes.
struct Quoted<'v>(&'v str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
        if !self.0.is_empty() && self.0.bytes().all(harmless) {
            f.write_str(self.0)
        } else {
            write!(f, "{:?}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_values_stand_plain() {
        for value in ["foo", "192.0.2.1", "[::1]".trim_matches(['[', ']']), "a/b_c-d"] {
            assert_eq!(Quoted(value).to_string(), value);
        }
    }

    #[test]
    fn no_value_can_forge_a_field_or_a_line() {
        for (value, quoted) in [
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            ("a\nat=error", r#""a\nat=error""#),
            ("\r\u{1b}[2J", r#""\r\u{1b}[2J""#),
            ("quote\" \\", r#""quote\" \\""#),
            ("\u{2028}", r#""\u{2028}""#),
        ] {
            assert_eq!(Quoted(value).to_string(), quoted);
        }
    }
}
