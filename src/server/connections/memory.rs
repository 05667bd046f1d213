//! The bytes in all buffers together, and giving back what was freed.

use std::time::{Duration, Instant};

/// Less than this is not worth being given back.
const SWOLLEN: usize = 1 << 20;
/// Allocated to give memory back: more than allocators keep at hand for the next time.
const NUDGE: usize = 1 << 20;
/// How long what was freed is kept for the next who needs it.
const GIVE_BACK_PAUSE: Duration = Duration::from_secs(2);
/// The same while memory is short. The allocator keeps it for 10 ms in any case.
const GIVE_BACK_SOON: Duration = Duration::from_millis(20);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    used: usize,
    /// More was used since memory was last given back than is always kept.
    swollen: bool,
    give_back_at: Option<Instant>,
    /// The same once more before that, because connections had to make room.
    give_back_soon_at: Option<Instant>,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Memory { limit, used: 0, swollen: false, give_back_at: None, give_back_soon_at: None }
    }

    /// Buffers that held `before` bytes hold `after`.
    pub(super) fn recount(&mut self, before: usize, after: usize) {
        self.used = self.used - before + after;
        self.swollen |= self.used > SWOLLEN;
    }

    /// How much must be freed, if the limit is passed: an eighth of it more than is over, so that
    /// it is not looked for again at once.
    pub(super) fn excess(&self) -> Option<usize> {
        (self.used > self.limit).then(|| self.used - self.limit / 8 * 7)
    }

    /// Bodies are to stay in the kernel.
    pub(super) fn is_short(&self) -> bool {
        self.used > self.limit / 4 * 3
    }

    /// Bodies that had to stay in the kernel may come.
    pub(super) fn is_ample(&self) -> bool {
        self.used <= self.limit / 2
    }

    /// When memory is to be given back; sets that time where it is due some time.
    pub(super) fn give_back_at(&mut self, now: Instant) -> Option<Instant> {
        if self.swollen && self.give_back_at.is_none() {
            self.give_back_at = Some(now + GIVE_BACK_PAUSE);
        }
        self.give_back_soon_at.into_iter().chain(self.give_back_at).min()
    }

    /// Connections had to make room. The memory that this freed is given back soon, since others need
    /// it in pieces of another size.
    pub(super) fn room_was_made(&mut self, now: Instant) {
        self.give_back_soon_at.get_or_insert(now + GIVE_BACK_SOON);
    }

    /// Gives memory back, where the time for that has come.
    pub(super) fn give_back(&mut self, now: Instant) {
        if self.give_back_soon_at.take_if(|due| *due <= now).is_some() {
            nudge_allocator();
        }
        if self.give_back_at.is_none_or(|due| due > now) {
            return;
        }
        nudge_allocator();
        // Once more later, where some of it may have been freed only just now.
        self.give_back_at = self.swollen.then(|| now + GIVE_BACK_PAUSE);
        self.swollen = self.used > SWOLLEN;
    }
}

/// Lets the allocator return to the kernel what was freed a while ago: it does so when the next
/// large block is freed, and after an attack nobody may come to free one.
fn nudge_allocator() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(NUDGE)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_before_the_limit_is_passed() {
        let mut memory = Memory::new(800);
        for (used, short, ample, excess) in [
            (0, false, true, None),
            (400, false, true, None),
            (401, false, false, None),
            (601, true, false, None),
            (800, true, false, None),
            (801, true, false, Some(101)),
        ] {
            memory.recount(memory.used, used);
            assert_eq!(
                (memory.is_short(), memory.is_ample(), memory.excess()),
                (short, ample, excess)
            );
        }
    }

    #[test]
    fn gives_back_until_nothing_is_left_to_give() {
        let begin = Instant::now();
        let after = |seconds| begin + Duration::from_secs(seconds);
        let mut memory = Memory::new(usize::MAX);
        memory.recount(0, SWOLLEN);
        assert_eq!(memory.give_back_at(begin), None);
        memory.recount(SWOLLEN, 2 * SWOLLEN);
        assert_eq!(memory.give_back_at(begin), Some(after(2)));
        memory.give_back(after(1));
        assert_eq!(memory.give_back_at(after(1)), Some(after(2)));
        // While much is in use, and once more when that is over.
        memory.give_back(after(2));
        assert_eq!(memory.give_back_at(after(2)), Some(after(4)));
        memory.recount(2 * SWOLLEN, 0);
        memory.give_back(after(4));
        assert_eq!(memory.give_back_at(after(4)), Some(after(6)));
        memory.give_back(after(6));
        assert_eq!(memory.give_back_at(after(6)), None);
    }

    #[test]
    fn where_room_was_made_memory_is_given_back_soon() {
        let begin = Instant::now();
        let mut memory = Memory::new(usize::MAX);
        memory.recount(0, 2 * SWOLLEN);
        assert_eq!(memory.give_back_at(begin), Some(begin + GIVE_BACK_PAUSE));
        memory.room_was_made(begin);
        memory.room_was_made(begin + GIVE_BACK_SOON / 2);
        assert_eq!(memory.give_back_at(begin), Some(begin + GIVE_BACK_SOON));
        memory.give_back(begin + GIVE_BACK_SOON);
        assert_eq!(memory.give_back_at(begin), Some(begin + GIVE_BACK_PAUSE));
    }
}
