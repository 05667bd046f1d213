//! Counts of the workers' requests, and whether more of them can come.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// See the module's documentation.
#[derive(Default)]
pub(in crate::server) struct WorkerStatistics {
    busy: AtomicUsize,
    finished: AtomicUsize,
    has_ended: AtomicBool,
}

impl WorkerStatistics {
    /// Workers that are at a request.
    pub(in crate::server) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Requests that workers are done with, ever.
    pub(in crate::server) fn finished(&self) -> usize {
        self.finished.load(Ordering::Relaxed)
    }

    /// The accept loop has ended, though nobody told it to.
    pub(in crate::server) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    pub(super) fn set_ended(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    pub(super) fn begin(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.finished.fetch_add(1, Ordering::Relaxed);
    }
}
