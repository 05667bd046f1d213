//! A record in one piece, for stores that keep it so.

use form_urlencoded::Serializer;

use super::Values;

/// Every record begins with the version of its format; the rest is `application/x-www-form-urlencoded`.
const VERSION: &str = "1\n";
/// The character that bytes which are no text are decoded to, and its own encoding.
const REPLACEMENT: (char, &[u8]) = ('\u{fffd}', b"%EF%BF%BD");

/// The record of `values`.
pub(super) fn write(values: &Values) -> Vec<u8> {
    let mut record = Serializer::for_suffix(VERSION.to_owned(), VERSION.len());
    record.extend_pairs(values);
    record.finish().into_bytes()
}

/// The values of a record; none where it is damaged.
pub(super) fn read(record: &[u8]) -> Option<Values> {
    let pairs = record.strip_prefix(VERSION.as_bytes())?;
    let values: Values = form_urlencoded::parse(pairs).into_owned().collect();
    let is_replaced = |text: &String| text.contains(REPLACEMENT.0);
    let is_damaged = !pairs.is_ascii()
        || values.iter().any(|(name, value)| is_replaced(name) || is_replaced(value))
            && !pairs.windows(REPLACEMENT.1.len()).any(|part| part == REPLACEMENT.1);
    (!is_damaged).then_some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(values: Values) {
            prop_assert_eq!(read(&write(&values)), Some(values));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            read(&bytes);
        }
    }

    #[test]
    fn what_was_not_written_is_damaged() {
        assert_eq!(read(b"1\n"), Some(Values::new()));
        for damaged in [&b""[..], b"x", b"1", b"2\na=1", b"1\na=\xff", b"1\na=%FF", b"1\n%80=1"] {
            assert_eq!(read(damaged), None, "{damaged:?}");
        }
    }
}
