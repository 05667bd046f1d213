//! Log lines in logfmt: one line an event, on standard error.

use std::io::{self, Write};
use std::panic;

use env_logger::fmt::Formatter;
use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, Record, error};

/// Starts logging what `filter` (the syntax of `RUST_LOG`) lets through, panics among it: what a
/// visitor sent may be part of a panic's message, and must not write lines of its own.
pub fn init(filter: &str) {
    env_logger::Builder::new().parse_filters(filter).format(write_record).init();
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        error!(message, place; "panic");
    }));
}

fn write_record(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
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
