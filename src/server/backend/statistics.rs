//! Counts of the workers' requests.

use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module's documentation.
#[derive(Default)]
pub(in crate::server) struct WorkerStatistics {
    busy: AtomicUsize,
    finished: AtomicUsize,
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

    pub(super) fn begin(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self) {
        self.busy.fetch_sub(1, Ordering::Relaxed);
        self.finished.fetch_add(1, Ordering::Relaxed);
    }
}
