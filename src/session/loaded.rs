//! The session as it came with a request, and the cookies of its name.

use super::store::Values;
use crate::seal::{Header, Id, SessionLifetime};

/// The cookie of the name that the browser holds.
#[derive(Clone, Copy)]
pub(super) struct BrowserCookie {
    /// There is one.
    pub(super) is_held: bool,
    /// It is to go if the session has no values.
    pub(super) is_to_go: bool,
}

impl BrowserCookie {
    pub(super) const NONE: BrowserCookie = BrowserCookie { is_held: false, is_to_go: false };
}

/// Another session whose cookie the browser holds.
pub(super) struct Other {
    pub(super) header: Header,
    /// The user who signed in, where the cookie opens.
    pub(super) user: Option<String>,
}

/// A session as it was before this request.
pub(super) struct Loaded {
    pub(super) id: Id,
    /// Unix seconds.
    pub(super) created: u64,
    /// When its cookie was made, in unix seconds.
    pub(super) sealed: u64,
    /// Its own lifetime.
    pub(super) lifetime: SessionLifetime,
    /// The seal says another lifetime than the record: while it was made, another request changed it.
    pub(super) is_seal_outdated: bool,
    /// Which pair of keys opened it: 0 is the current one.
    pub(super) key: usize,
    /// Its values; `None` as long as they are the session's own.
    pub(super) values: Option<Values>,
}
