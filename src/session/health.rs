//! How a store is.

/// How a store is, as far as its last calls tell: for an operator.
///
/// ```
/// use waxseal::session::{Health, MemoryStore, Store};
///
/// assert_eq!(MemoryStore::default().health(), Health::Up);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It does what it is asked.
    Up,
    /// It can be read, and refused the last change: its memory is full, say, or it is a replica.
    Refuses,
    /// One of its several servers is down: sessions on the others are served.
    Partly,
    /// It is down: calls fail at once, but for one each second that tries whether it is back.
    Down,
}
