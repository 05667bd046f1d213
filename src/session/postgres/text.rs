//! Text as `jsonb` can hold it, any but U+0000, and values as it gives them.

use std::borrow::Cow;

use nojson::{RawJson, RawJsonValue};

use super::super::Values;

/// Stands before a digit that says which character was meant: `0` a NUL, `1` itself.
const ESCAPE: char = '\u{1a}';

/// `text` without a NUL. Only where one is in it, or the escape character, does it change.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1a}1").replace('\0', "\u{1a}0"))
}

/// The values in a text of JSON; none where it is no object of texts.
pub(super) fn values_of(json: &str) -> Option<Values> {
    let json = RawJson::parse(json).ok()?;
    let text = |value: RawJsonValue<'_, '_>| {
        Some(unescape(value.to_unquoted_string_str().ok()?.into_owned()))
    };
    let pairs = json.value().to_object().ok()?;
    pairs.map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

/// What [`escape`] was given.
fn unescape(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    text.replace("\u{1a}0", "\0").replace("\u{1a}1", "\u{1a}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_survives(text in "[\0\u{1a}01a]{0,12}") {
            let escaped = escape(&text);
            prop_assert!(!escaped.contains('\0'));
            prop_assert_eq!(unescape(escaped.into_owned()), text);
        }
    }

    #[test]
    fn values_are_an_object_of_texts() {
        let json = r#"{"a": "1", "b\u001a1": "\\ \"ä\" \n\u001a0", "": ""}"#;
        let expected = [("a", "1"), ("b\u{1a}", "\\ \"ä\" \n\0"), ("", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(values_of(json), Some(expected.into()));
        assert_eq!(values_of("{}"), Some(Values::new()));
        for damaged in ["", "{", "[]", "\"a\"", "null", "{\"a\": 1}", "{\"a\": null}"] {
            assert_eq!(values_of(damaged), None, "{damaged}");
        }
    }

    #[test]
    fn most_text_is_left_as_it_is() {
        assert!(matches!(escape("any text: ä\u{1}🦭"), Cow::Borrowed(_)));
    }
}
