//! Log lines on their way to standard error, which nobody ever waits for.
//!
//! The reader of standard error may be slow, or stop, as a container's log driver does by default. A line is put into a queue of bounded size, and a thread writes it; what does not fit is
//! dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of lines that may wait, for each kind.
const ROOM: usize = 256 << 10;
/// Lines that are written at a time.
const BATCH: usize = 64;
/// The longest that the end of the process waits for lines that are being written.
const FAREWELL: Duration = Duration::from_millis(200);

/// Lines dropped since the start.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines were dropped since the start, because nobody had read those before.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// The kind of a line. Each has room of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somebody signed in or out, or was locked out: no number of other lines keeps it from its room.
    Account,
    Other,
}

/// The queue, as whoever writes a line has it.
#[derive(Clone)]
pub struct LogQueue(Arc<Shared>);

struct Shared {
    lines: Mutex<Lines>,
    changed: Condvar,
    /// The beginning of a line of the queue's own.
    begin: fn() -> String,
}

#[derive(Default)]
struct Lines {
    account: Room,
    other: Room,
    /// The number of the next line, by which lines of both kinds are written in their order.
    next: u64,
    not_told: u64,
    /// The thread is writing.
    is_writing: bool,
}

#[derive(Default)]
struct Room {
    lines: VecDeque<(u64, Vec<u8>)>,
    bytes: usize,
}

impl LogQueue {
    /// A queue whose lines a thread writes to `out`. A line of its own begins with what `begin` gives.
    pub fn start(out: impl Write + Send + 'static, begin: fn() -> String) -> io::Result<LogQueue> {
        let lines = Mutex::default();
        let queue = LogQueue(Arc::new(Shared { lines, changed: Condvar::new(), begin }));
        let shared = Arc::clone(&queue.0);
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_all(out))?;
        Ok(queue)
    }

    /// Puts a line into the queue, or drops it.
    pub fn push(&self, kind: Kind, line: &[u8]) {
        let mut lines = self.0.lines();
        let number = lines.next;
        lines.next += 1;
        let room = match kind {
            Kind::Account => &mut lines.account,
            Kind::Other => &mut lines.other,
        };
        if room.bytes + line.len() > ROOM {
            lines.not_told += 1;
            DROPPED.fetch_add(1, Ordering::Relaxed);
            return;
        }
        room.bytes += line.len();
        room.lines.push_back((number, line.to_vec()));
        let is_idle = !lines.is_writing;
        drop(lines);
        if is_idle {
            self.0.changed.notify_all();
        }
    }

    /// Waits until all lines are written, for a moment at most.
    pub fn finish(&self) {
        let deadline = Instant::now() + FAREWELL;
        let mut lines = self.0.lines();
        while lines.is_writing || !lines.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.0.changed.wait_timeout(lines, left);
            lines = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Shared {
    fn write_all(&self, mut out: impl Write) {
        loop {
            let text = self.next_lines();
            // If standard error is closed or full, there is no place to report it.
            let _ = out.write_all(&text);
            self.lines().is_writing = false;
            self.changed.notify_all();
        }
    }

    /// Waits for lines, and takes some.
    fn next_lines(&self) -> Vec<u8> {
        let mut lines = self.lines();
        while lines.is_empty() {
            lines = self.changed.wait(lines).unwrap_or_else(PoisonError::into_inner);
        }
        lines.is_writing = true;
        let mut text = Vec::new();
        for _ in 0..BATCH {
            text.extend(lines.pop().into_iter().flatten());
        }
        if lines.not_told > 0 {
            let dropped = std::mem::take(&mut lines.not_told);
            let begin = (self.begin)();
            let told = format!("{begin}at=warn msg=\"log lines were dropped\" dropped={dropped}\n");
            text.extend_from_slice(told.as_bytes());
        }
        text
    }

    /// No code panics while it holds the lock.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.account.lines.is_empty() && self.other.lines.is_empty()
    }

    /// The line that came first.
    fn pop(&mut self) -> Option<Vec<u8>> {
        let first = |room: &Room| room.lines.front().map(|(number, _)| *number);
        let room = match (first(&self.account), first(&self.other)) {
            (Some(account), Some(other)) if other < account => &mut self.other,
            (Some(_), _) => &mut self.account,
            (None, _) => &mut self.other,
        };
        let (_, line) = room.lines.pop_front()?;
        room.bytes -= line.len();
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// A reader that takes a batch each time that it is allowed to.
    struct Slow {
        allowed: Receiver<()>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.allowed.recv().map_err(io::Error::other)?;
            self.read.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (LogQueue, Sender<()>, Receiver<Vec<u8>>) {
        let (allow, allowed) = channel();
        let (read, text) = channel();
        (LogQueue::start(Slow { allowed, read }, String::new).unwrap(), allow, text)
    }

    #[test]
    fn lines_are_written_in_their_order() {
        let (queue, allow, text) = slow();
        for (number, kind) in (0..6).zip([Kind::Other, Kind::Account].into_iter().cycle()) {
            queue.push(kind, format!("{number}\n").as_bytes());
        }
        (0..6).for_each(|_| allow.send(()).unwrap());
        queue.finish();
        let all: Vec<u8> = text.try_iter().flatten().collect();
        assert_eq!(all, b"0\n1\n2\n3\n4\n5\n");
    }

    #[test]
    fn nobody_waits_and_no_flood_keeps_an_account_s_line_out() {
        let (queue, allow, text) = slow();
        let before = dropped();
        for _ in 0..20_000 {
            queue.push(Kind::Other, &[b'x'; 100]);
        }
        queue.push(Kind::Account, b"signed in\n");
        queue.finish(); // though nobody reads
        assert!(dropped() - before > 10_000);
        let mut all = Vec::new();
        while !all.ends_with(b"signed in\n") {
            allow.send(()).unwrap();
            all.extend(text.recv_timeout(Duration::from_secs(30)).unwrap());
        }
        assert!(all.len() < ROOM + BATCH * 100 + 1000, "{}", all.len());
        let told = String::from_utf8_lossy(&all);
        assert!(told.contains("msg=\"log lines were dropped\" dropped="), "it is told");
    }
}
