//! Text as `jsonb` can hold it: any but U+0000.

use std::borrow::Cow;

/// Stands before a digit that says which character was meant: `0` a NUL, `1` itself.
const ESCAPE: char = '\u{1a}';

/// `text` without a NUL. Only where one is in it, or the escape character, does it change.
pub(super) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1a}1").replace('\0', "\u{1a}0"))
}

/// What [`escape`] was given.
pub(super) fn unescape(text: String) -> String {
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
    fn most_text_is_left_as_it_is() {
        assert!(matches!(escape("any text: ä\u{1}🦭"), Cow::Borrowed(_)));
    }
}
