//! Chooses the connection that makes room: for a newcomer, and when memory is short.

use std::time::{Duration, Instant};

use super::lazy_order::LazyOrder;
use crate::server::connection::{Connection, Stage};
use crate::server::message::LARGE_ANSWER;
use crate::server::tokens::ConnectionKey;

/// Makes room for a newcomer: the longest idle goes first, then the oldest unfinished head, then
/// the oldest unfinished body. A connection in any other stage stays.
pub(super) struct EvictionOrder(LazyOrder<(Stage, Instant)>);

impl EvictionOrder {
    pub(super) fn new() -> Self {
        EvictionOrder(LazyOrder::new())
    }

    /// Something has happened on a connection.
    pub(super) fn set(&mut self, key: ConnectionKey, connection: &Connection) {
        if let Some(rank) = rank(connection) {
            self.0.set(key, rank);
        }
    }

    pub(super) fn remove(&mut self, key: ConnectionKey) {
        self.0.remove(key);
    }

    /// The connection that goes first, if any can.
    pub(super) fn first<'c>(
        &mut self,
        connection: impl Fn(ConnectionKey) -> Option<&'c Connection>,
    ) -> Option<ConnectionKey> {
        self.0.first(|key| connection(key).and_then(rank)).map(|(_, key)| key)
    }
}

fn rank(connection: &Connection) -> Option<(Stage, Instant)> {
    let stage = connection.stage();
    matches!(stage, Stage::Idle | Stage::Head | Stage::Body).then(|| (stage, connection.since()))
}

/// Bytes that count as moved before any are, and time that counts as passed: a connection whose stage
/// has just begun has had no chance yet, and one that holds little is no help.
const HEAD_START: usize = 16 << 10;
const BEGINNING: Duration = Duration::from_millis(1);

/// A kind of thing that connections hold.
#[derive(Clone, Copy)]
enum Kind {
    Head,
    Body,
    Answer,
    LargeAnswer,
}

/// A connection that can make room when memory is short.
struct Holder {
    key: ConnectionKey,
    held: usize,
    burden: f64,
}

/// The connections that can make room when memory is short, by the kind of thing that they hold.
///
/// The kind that takes most memory pays for it, so that few large answers do not cost many small
/// bodies. Of that kind, the connection goes first that makes least progress for what it holds.
#[derive(Default)]
pub(super) struct Holders {
    by_kind: [Vec<Holder>; 4],
    held: [usize; 4],
}

impl Holders {
    pub(super) fn add(&mut self, key: ConnectionKey, connection: &Connection, now: Instant) {
        let held = connection.memory();
        let Some(kind) = kind(connection).filter(|_| held > 0) else { return };
        let burden = burden(connection, now);
        self.by_kind[kind as usize].push(Holder { key, held, burden });
        self.held[kind as usize] += held;
    }

    /// Brings them into the order of [`Holders::pop`].
    pub(super) fn sort(&mut self) {
        for holders in &mut self.by_kind {
            holders.sort_by(|one, other| one.burden.total_cmp(&other.burden));
        }
    }

    /// The connection that goes next, and what it holds.
    pub(super) fn pop(&mut self) -> Option<(ConnectionKey, usize)> {
        let (heaviest, _) = self.held.iter().enumerate().max_by_key(|(_, held)| **held)?;
        let Holder { key, held, .. } = self.by_kind[heaviest].pop()?;
        self.held[heaviest] -= held;
        Some((key, held))
    }
}

/// What a connection holds; nothing that can be taken from it while its request is under way.
fn kind(connection: &Connection) -> Option<Kind> {
    match connection.stage() {
        Stage::Head => Some(Kind::Head),
        Stage::Body => Some(Kind::Body),
        Stage::Answering if connection.memory() > LARGE_ANSWER => Some(Kind::LargeAnswer),
        Stage::Answering => Some(Kind::Answer),
        Stage::Idle | Stage::Waiting | Stage::Closing => None,
    }
}

/// How dispensable a connection is: by what it holds, by how long nothing of an answer was taken, and less by
/// what was taken before. A client that reads, if slowly, so outlasts many that take what their kernel has room
/// for and then nothing.
pub(super) fn burden(connection: &Connection, now: Instant) -> f64 {
    let time = now.saturating_duration_since(connection.waits_since()) + BEGINNING;
    let pace = (connection.progress() + HEAD_START) as f64 / time.as_secs_f64();
    connection.memory() as f64 / pace
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;
    use crate::http::{Method, Response};
    use crate::server::connection::Moment;
    use crate::server::limits::Limits;
    use crate::server::message::Answer;
    use crate::server::phase::Phase;
    use crate::server::rejection_pages::RejectionPages;

    /// A connection that has got an answer of `size` bytes, of which it has taken some.
    fn answering(begin: Instant, size: usize, taken: usize) -> Connection {
        let limits = Limits::default();
        let moment = Moment {
            now: begin,
            limits: &limits,
            pages: &RejectionPages::default(),
            phase: Phase::Serving,
        };
        let mut connection = Connection::new(moment);
        connection.receive(moment, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.take_request(moment).unwrap();
        let response = Response::new(200, "text/plain", vec![b'x'; size]);
        connection.answer(moment, Answer::render(response, Method::Get));
        connection.wrote(moment, connection.output().len().min(taken));
        connection.wrote(moment, taken.saturating_sub(connection.progress()));
        connection
    }

    /// The order in which they go.
    fn order<const N: usize>(connections: [(Connection, &str); N], now: Instant) -> Vec<&str> {
        let mut keys: SlotMap<ConnectionKey, &str> = SlotMap::with_key();
        let mut holders = Holders::default();
        for (connection, name) in &connections {
            holders.add(keys.insert(name), connection, now);
        }
        holders.sort();
        std::iter::from_fn(|| holders.pop()).map(|(key, _)| keys[key]).collect()
    }

    const MEGABYTE: usize = 1 << 20;

    #[test]
    fn who_makes_least_progress_for_what_it_holds_goes_first() {
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let connections = [
            (answering(begin, 4 * MEGABYTE, MEGABYTE), "reads"),
            (answering(begin, 4 * MEGABYTE, MEGABYTE / 5), "has filled the kernel's buffers"),
            (answering(begin, 4 * MEGABYTE, 0), "takes nothing"),
            (answering(after(4990), 4 * MEGABYTE, 0), "has just begun"),
        ];
        let expected =
            ["takes nothing", "has filled the kernel's buffers", "reads", "has just begun"];
        assert_eq!(order(connections, after(5000)), expected);
        let pages = [
            (answering(after(5000), 800, 0), "has just got a page"),
            (answering(begin, 800, 0), "leaves a page"),
        ];
        assert_eq!(order(pages, after(5000)), ["leaves a page", "has just got a page"]);
    }

    /// Three heads of 15 kB would not make up for one large answer.
    #[test]
    fn the_kind_that_takes_most_pays() {
        let begin = Instant::now();
        let now = begin + Duration::from_secs(5);
        let head = |name| {
            let limits = Limits::default();
            let moment = Moment {
                now: begin,
                limits: &limits,
                pages: &RejectionPages::default(),
                phase: Phase::Serving,
            };
            let mut connection = Connection::new(moment);
            let bytes = [b"GET / HTTP/1.1\r\nX: ", &[b'x'; 15_000][..]].concat();
            connection.receive(moment, &bytes);
            (connection, name)
        };
        let fresh = answering(now, 100_000, 90_000);
        let page = answering(begin, 800, 0);
        let connections =
            [head("a head"), head("a head"), head("a head"), (fresh, "large"), (page, "page")];
        assert_eq!(order(connections, now), ["large", "a head", "a head", "a head", "page"]);
    }

    #[test]
    fn a_request_under_way_does_not_go() {
        let limits = Limits::default();
        let moment = Moment {
            now: Instant::now(),
            limits: &limits,
            pages: &RejectionPages::default(),
            phase: Phase::Serving,
        };
        let mut connection = Connection::new(moment);
        let goes = |connection: &Connection| {
            let mut holders = Holders::default();
            holders.add(ConnectionKey::default(), connection, moment.now);
            holders.pop().is_some()
        };
        assert!(!goes(&connection), "it holds nothing");
        connection.receive(moment, b"GET / HTTP/1.1\r\nHost: a\r\n");
        assert!(goes(&connection));
        connection.receive(moment, b"\r\n");
        assert!(!goes(&connection));
    }
}
