//! Chooses the connection that makes room: for a newcomer, and when memory is short.

use std::time::{Duration, Instant};

use super::lazy_order::LazyOrder;
use crate::server::connection::{Connection, Stage};
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

/// How dispensable a connection is when memory is short: the seconds that it would take to move
/// what it holds at the pace that it has had in this stage. `None` where it holds nothing, or its
/// request is under way.
pub(super) fn burden(connection: &Connection, now: Instant) -> Option<f64> {
    let held = connection.memory();
    if held == 0 || !matches!(connection.stage(), Stage::Head | Stage::Body | Stage::Answering) {
        return None;
    }
    let time = now.saturating_duration_since(connection.since()) + BEGINNING;
    let pace = (connection.progress() + HEAD_START) as f64 / time.as_secs_f64();
    Some(held as f64 / pace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Method, Response};
    use crate::server::connection::Moment;
    use crate::server::limits::Limits;
    use crate::server::message::Answer;

    /// A connection that has got an answer of `size` bytes, of which it has taken some.
    fn answering(begin: Instant, size: usize, taken: usize) -> Connection {
        let limits = Limits::default();
        let moment = Moment { now: begin, limits: &limits, draining: false };
        let mut connection = Connection::new(moment);
        connection.receive(moment, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.take_request(moment).unwrap();
        let response = Response::new(200, "text/plain", vec![b'x'; size]);
        connection.answer(moment, Answer::render(response, Method::Get));
        connection.wrote(moment, connection.output().len().min(taken));
        connection.wrote(moment, taken.saturating_sub(connection.progress()));
        connection
    }

    /// The order in which they go: the first goes first.
    fn order<const N: usize>(connections: [(Connection, &str); N], now: Instant) -> Vec<&str> {
        let mut burdens: Vec<_> =
            connections.iter().map(|(c, name)| (burden(c, now).unwrap(), *name)).collect();
        burdens.sort_by(|one, other| other.0.total_cmp(&one.0));
        burdens.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn who_makes_least_progress_for_what_it_holds_goes_first() {
        const MEGABYTE: usize = 1 << 20;
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let connections = [
            (answering(begin, 4 * MEGABYTE, MEGABYTE), "reads"),
            (answering(begin, 4 * MEGABYTE, MEGABYTE / 5), "has filled the kernel's buffers"),
            (answering(begin, 4 * MEGABYTE, 0), "takes nothing"),
            (answering(after(4990), 4 * MEGABYTE, 0), "has just begun"),
            (answering(after(5000), 800, 0), "has just got a page"),
            (answering(begin, 800, 0), "leaves a page"),
        ];
        let expected = [
            "takes nothing",
            "has filled the kernel's buffers",
            "reads",
            "has just begun",
            "leaves a page",
            "has just got a page",
        ];
        assert_eq!(order(connections, after(5000)), expected);
    }

    #[test]
    fn a_request_under_way_does_not_go() {
        let limits = Limits::default();
        let moment = Moment { now: Instant::now(), limits: &limits, draining: false };
        let mut connection = Connection::new(moment);
        assert_eq!(burden(&connection, moment.now), None, "it holds nothing");
        connection.receive(moment, b"GET / HTTP/1.1\r\nHost: a\r\n");
        assert!(burden(&connection, moment.now).is_some());
        connection.receive(moment, b"\r\n");
        assert_eq!(burden(&connection, moment.now), None);
    }
}
