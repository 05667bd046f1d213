//! The bytes in all buffers together: how many there may be, and who holds them.

use super::deadlines::{CLASSES, Class};

/// A body with no more than this to come is read even when memory is short: a form, so that nobody
/// who sends large ones can keep others from signing in.
pub(super) const SMALL_BODY: usize = 4 << 10;
/// An answer that leaves more than this to be taken is a large one.
pub(super) const LARGE_ANSWER: usize = 64 << 10;
/// Less than this is not worth being given back.
const SWOLLEN: usize = 1 << 20;
/// What is allocated to give memory back: more than allocators keep at hand for the next time.
const NUDGE: usize = 1 << 20;

/// So many bytes, held by somebody who is at this.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    pub(super) class: Option<Class>,
    pub(super) bytes: usize,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Budget {
    limit: usize,
    used: usize,
    by_class: [usize; CLASSES.len()],
    swollen: bool,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Budget { limit, used: 0, by_class: [0; CLASSES.len()], swollen: false }
    }

    /// Somebody's buffers have changed.
    pub(super) fn recount(&mut self, before: Holding, after: Holding) {
        self.used = self.used - before.bytes + after.bytes;
        if let Some(class) = before.class {
            self.by_class[class as usize] -= before.bytes;
        }
        if let Some(class) = after.class {
            self.by_class[class as usize] += after.bytes;
        }
        self.swollen |= self.used > SWOLLEN;
    }

    /// Somebody must go.
    pub(super) fn is_overdrawn(&self) -> bool {
        self.used > self.limit
    }

    /// Bodies are to stay in the kernel.
    pub(super) fn is_short(&self) -> bool {
        self.used > self.limit / 4 * 3
    }

    /// Bodies that had to stay in the kernel may come.
    pub(super) fn is_ample(&self) -> bool {
        self.used <= self.limit / 2
    }

    /// Those who can be shown out, the ones who together hold most of it first.
    pub(super) fn heaviest(&self) -> [Class; 4] {
        let mut classes = [Class::LargeAnswer, Class::Answer, Class::Head, Class::Body];
        classes.sort_by_key(|class| std::cmp::Reverse(self.by_class[*class as usize]));
        classes
    }

    /// Whether there has been anything to give back since the last call.
    pub(super) fn was_swollen(&mut self) -> bool {
        std::mem::replace(&mut self.swollen, self.used > SWOLLEN)
    }

    /// Whether there is something to give back.
    pub(super) fn is_swollen(&self) -> bool {
        self.swollen
    }
}

/// Lets the allocator return to the kernel what was freed a while ago: it does so when the next
/// large block is freed, and after an attack nobody may come to free one.
pub(super) fn give_back() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(NUDGE)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_most_goes_first() {
        let holding = |class, bytes| Holding { class: Some(class), bytes };
        let (head, body) = (holding(Class::Head, 30), holding(Class::Body, 40));
        let mut budget = Budget::new(100);
        budget.recount(Holding::default(), head);
        assert!(budget.is_ample() && !budget.is_short());
        budget.recount(Holding::default(), body);
        assert!(!budget.is_ample() && !budget.is_short());
        assert_eq!(budget.heaviest()[..2], [Class::Body, Class::Head]);
        budget.recount(body, holding(Class::Queue, 80));
        assert!(budget.is_short() && budget.is_overdrawn());
        assert_eq!(budget.heaviest()[0], Class::Head);
        budget.recount(head, Holding::default());
        assert!(budget.is_short() && !budget.is_overdrawn() && !budget.was_swollen());
    }

    #[test]
    fn remembers_what_was_large() {
        let large = Holding { class: None, bytes: 2 << 20 };
        let mut budget = Budget::new(usize::MAX);
        budget.recount(Holding::default(), large);
        assert!(budget.is_swollen() && budget.was_swollen() && budget.was_swollen());
        budget.recount(large, Holding::default());
        assert!(budget.was_swollen() && !budget.was_swollen());
    }
}
