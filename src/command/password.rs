//! Reading a new password: from the terminal, twice and without echo, or from standard input.

use std::error::Error;
use std::io::{self, IsTerminal, Read};

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::app::password_hash::MAX_PASSWORD;

/// The password, without the end of its line.
pub(super) fn read() -> Result<Zeroizing<String>, Box<dyn Error>> {
    if io::stdin().is_terminal() { ask_twice() } else { read_line(io::stdin()) }
}

fn ask_twice() -> Result<Zeroizing<String>, Box<dyn Error>> {
    let first = Zeroizing::new(rpassword::prompt_password("Password: ")?);
    let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
    if !bool::from(first.as_bytes().ct_eq(again.as_bytes())) {
        return Err("the two passwords are not the same; nothing was done".into());
    }
    Ok(first)
}

/// The one line of `input`. A longer password than is allowed is read far enough to be noticed.
fn read_line(input: impl Read) -> Result<Zeroizing<String>, Box<dyn Error>> {
    let most = MAX_PASSWORD + "x\r\n".len();
    let mut text = Zeroizing::new(String::with_capacity(most));
    input
        .take(most as u64)
        .read_to_string(&mut text)
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\r', '\n']) {
        return Err("standard input has more than one line; a password is one".into());
    }
    Ok(Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_line_is_no_part_of_the_password() {
        for input in ["päss word", "päss word\n", "päss word\r\n"] {
            assert_eq!(**read_line(input.as_bytes()).unwrap(), *"päss word");
        }
        assert_eq!(**read_line(" \t \n".as_bytes()).unwrap(), *" \t ");
        assert_eq!(**read_line("".as_bytes()).unwrap(), *"");
    }

    #[test]
    fn more_than_a_line_or_less_than_text_is_refused() {
        for input in [&b"a\nb"[..], b"a\n\n", b"\xff"] {
            assert!(read_line(input).is_err());
        }
    }

    #[test]
    fn the_longest_is_whole_and_one_byte_more_is_noticed() {
        let longest = format!("{}\r\n", "x".repeat(MAX_PASSWORD));
        assert_eq!(read_line(longest.as_bytes()).unwrap().len(), MAX_PASSWORD);
        let longer = "x".repeat(5000);
        assert!(read_line(longer.as_bytes()).unwrap().len() > MAX_PASSWORD);
    }
}
