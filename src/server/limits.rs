//! The limits of size and time, all in one place.

use std::time::Duration;

/// The most header fields a head may have.
///
/// A constant, because it is the size of an array on the stack.
pub(super) const MAX_HEADERS: usize = 100;

/// The limits of the front door. [`Limits::default`] is what the documentation promises. A time above
/// a year counts as a year.
///
/// ```
/// use std::time::Duration;
/// use waxseal::server::{Config, listen};
///
/// let mut config = Config::new(listen(None, 0)?);
/// config.limits.body = 1 << 20;
/// config.limits.drain_grace = Duration::from_secs(10);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a request line; beyond it 414.
    pub request_line: usize,
    /// Bytes of a whole head; beyond it 431.
    pub head: usize,
    /// Bytes of a body, decoded; beyond it 413.
    pub body: usize,
    /// Bytes of an answer, head and body together.
    pub answer: usize,
    /// Requests that may wait for a lane; beyond it 503.
    pub queue: usize,
    /// Bytes of all buffers together.
    pub memory: usize,
    /// Bytes discarded after a closing answer.
    pub linger_bytes: usize,
    /// Time to send a head, from its first byte.
    pub head_time: Duration,
    /// Time to send a body, from the end of the head.
    pub body_time: Duration,
    /// Time between two requests.
    pub idle_time: Duration,
    /// Time to take an answer, beside what its size allows.
    pub answer_time: Duration,
    /// Bytes a second at which a client must take an answer, at least.
    pub answer_rate: usize,
    /// Time for which input is discarded after a closing answer.
    pub linger_time: Duration,
    /// Time in which a request must be answered; beyond it 504, or 503 where no lane had taken it.
    pub lane_time: Duration,
    /// Time for a new lane to answer its probe.
    pub probe_time: Duration,
    /// Time without a lane, or with every worker stuck, after which the process ends.
    pub stuck_time: Duration,
    /// Time for a drain.
    pub drain_time: Duration,
    /// Of that, the time in which the server goes on accepting and answering, each time with
    /// `Connection: close`, so that clients and proxies learn of the drain from an answer. It is skipped
    /// where nobody is connected but clients whose request has not begun.
    pub drain_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_line: 8 << 10,
            head: 16 << 10,
            body: 64 << 10,
            answer: 4 << 20,
            queue: 1024,
            memory: 128 << 20,
            linger_bytes: 256 << 10,
            head_time: Duration::from_secs(10),
            body_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(95),
            answer_time: Duration::from_secs(10),
            answer_rate: 4 << 10,
            linger_time: Duration::from_secs(1),
            lane_time: Duration::from_secs(30),
            probe_time: Duration::from_secs(5),
            stuck_time: Duration::from_secs(60),
            drain_time: Duration::from_secs(25),
            drain_grace: Duration::from_secs(5),
        }
    }
}

/// No deadline lies further off: beyond it a clock could not tell it.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl Limits {
    /// The same with nothing that no connection could keep: a time counts as a year at most, and a
    /// byte at least is read of whatever is read at all.
    pub(super) fn within_reason(mut self) -> Limits {
        for time in [
            &mut self.head_time,
            &mut self.body_time,
            &mut self.idle_time,
            &mut self.answer_time,
            &mut self.linger_time,
            &mut self.lane_time,
            &mut self.probe_time,
            &mut self.stuck_time,
            &mut self.drain_time,
            &mut self.drain_grace,
        ] {
            *time = LONGEST.min(*time);
        }
        self.head = self.head.max(1);
        self.linger_bytes = self.linger_bytes.max(1);
        self
    }

    /// How long a client may take over an answer of this size.
    pub(super) fn time_for_answer(&self, size: usize) -> Duration {
        self.answer_time + Duration::from_secs_f64(size as f64 / self.answer_rate.max(1) as f64)
    }
}
