//! The `Date` header, written once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    /// The unix second, and how it is written.
    static WRITTEN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Appends the time as an IMF-fixdate (RFC 9110, section 5.6.7) to `out`.
pub(super) fn write_date(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    WRITTEN.with_borrow_mut(|written| {
        if written.0 != second || written.1.is_empty() {
            *written = (second, httpdate::fmt_http_date(now));
        }
        out.extend_from_slice(written.1.as_bytes());
    });
}
