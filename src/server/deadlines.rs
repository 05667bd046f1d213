//! Everything that is due some time, in the order in which it is due.
//!
//! Each class has an order of its own, which also tells who has been doing what for the longest: the
//! idle connection that goes for a newcomer, the slowest reader that goes when memory is short.

use std::collections::BTreeSet;
use std::time::Instant;

use super::slots::Key;

/// What is going on until the deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// A connection between two requests.
    Idle,
    /// A head is being sent.
    Head,
    /// A body is being sent.
    Body,
    /// An answer is being taken.
    Answer,
    /// A large answer is being taken.
    LargeAnswer,
    /// Input is discarded after the last answer.
    Linger,
    /// A request waits for a lane.
    Queue,
    /// The same, but the last answer on this connection was a large one.
    QueueForMore,
    /// A lane is to answer.
    Lane,
    /// The front's own affairs.
    Own,
}

/// All of them, in their order.
pub(super) const CLASSES: [Class; 10] = [
    Class::Idle,
    Class::Head,
    Class::Body,
    Class::Answer,
    Class::LargeAnswer,
    Class::Linger,
    Class::Queue,
    Class::QueueForMore,
    Class::Lane,
    Class::Own,
];

impl Class {
    /// A request waits for a lane.
    pub(super) fn is_queue(self) -> bool {
        matches!(self, Class::Queue | Class::QueueForMore)
    }
}

/// Whose deadline it is: a key of the class's own kind.
pub(super) type Deadline = (Class, Instant, Key);

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Deadlines {
    by_class: [BTreeSet<(Instant, Key)>; CLASSES.len()],
}

impl Deadlines {
    pub(super) fn insert(&mut self, (class, instant, key): Deadline) {
        self.by_class[class as usize].insert((instant, key));
    }

    pub(super) fn remove(&mut self, &(class, instant, key): &Deadline) {
        self.by_class[class as usize].remove(&(instant, key));
    }

    /// The one of this class that is due first.
    pub(super) fn first(&self, class: Class) -> Option<Deadline> {
        self.by_class[class as usize].first().map(|&(instant, key)| (class, instant, key))
    }

    /// The one of this class that is due last.
    pub(super) fn last(&self, class: Class) -> Option<Deadline> {
        self.by_class[class as usize].last().map(|&(instant, key)| (class, instant, key))
    }

    /// When something is due next.
    pub(super) fn next(&self) -> Option<Instant> {
        CLASSES.iter().filter_map(|class| self.first(*class)).map(|(_, instant, _)| instant).min()
    }

    /// Takes out something that is due.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Deadline> {
        let due = CLASSES.iter().filter_map(|class| self.first(*class)).find(|due| due.1 <= now)?;
        self.remove(&due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::slots::Slots;
    use std::time::Duration;

    #[test]
    fn ordered_by_class_and_time() {
        let (now, mut slots) = (Instant::now(), Slots::new());
        let mut deadlines = Deadlines::default();
        let due = |s: u64| now + Duration::from_secs(s);
        let mut add = |class, s| {
            let deadline = (class, due(s), slots.insert(()));
            deadlines.insert(deadline);
            deadline
        };
        let (late, soon, head) = (add(Class::Idle, 9), add(Class::Idle, 5), add(Class::Head, 7));
        assert_eq!(deadlines.first(Class::Idle), Some(soon));
        assert_eq!(deadlines.first(Class::Head), Some(head));
        assert_eq!(deadlines.first(Class::Body), None);
        assert_eq!(deadlines.last(Class::Idle), Some(late));
        assert_eq!(deadlines.last(Class::Head), Some(head));
        assert_eq!(deadlines.last(Class::Body), None);
        assert_eq!(deadlines.next(), Some(due(5)));
        assert_eq!(deadlines.pop_due(due(4)), None);
        assert_eq!(deadlines.pop_due(due(8)), Some(soon));
        assert_eq!(deadlines.pop_due(due(8)), Some(head));
        deadlines.remove(&late);
        assert_eq!(deadlines.next(), None);
    }
}
