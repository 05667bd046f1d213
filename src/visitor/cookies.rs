//! The cookies of a request, as one header.

use std::borrow::Cow;

/// All `Cookie` fields as one; empty where there are none.
///
/// A pair that is not UTF-8 is left out, so that one that another site planted does not hide the others.
pub(crate) fn joined<'h>(fields: impl Iterator<Item = &'h [u8]>) -> Cow<'h, str> {
    let mut fields = fields.map(pairs);
    let Some(first) = fields.next() else { return Cow::Borrowed("") };
    fields.fold(first, |all, field| {
        let mut all = all.into_owned();
        all.push_str("; ");
        all.push_str(&field);
        Cow::Owned(all)
    })
}

/// The pairs of a `Cookie` field that are UTF-8.
fn pairs(value: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(value) {
        return Cow::Borrowed(text);
    }
    let pairs = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let kept: Vec<&str> = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()).collect();
    Cow::Owned(kept.join("; "))
}
