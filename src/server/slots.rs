//! A table whose keys are never mistaken for older ones.
//!
//! Places are used again, keys are not: each carries the generation of its place. Whoever holds the
//! key of a connection that has gone, a late event or a late answer, finds nothing.

/// A key. As a number it is the token of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    place: u32,
    generation: u32,
}

// A key fits into a token.
const _: () = assert!(usize::BITS >= 64, "the front door needs 64-bit tokens");

impl Key {
    /// A key of no slot: a name for something there is one of.
    pub(super) const fn name(number: u32) -> Key {
        Key { place: number, generation: 0 }
    }

    /// The key as a number.
    pub(super) fn number(self) -> usize {
        (self.generation as usize) << 32 | self.place as usize
    }

    /// The key of a number.
    pub(super) fn from_number(number: usize) -> Key {
        // Cutting off is what is meant: each half has its 32 bits.
        Key { place: number as u32, generation: (number >> 32) as u32 }
    }
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// See the module's documentation.
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    vacant: Vec<u32>,
}

/// Generations stay below this, so that the highest bit of a token is free to tell lanes from visitors.
const GENERATIONS: u32 = 1 << 31;

impl<T> Slots<T> {
    pub(super) fn new() -> Self {
        Slots::with_capacity(0)
    }

    /// With room for so many: a table that never grows never lies in the way of memory that is
    /// given back. Room that is not used costs address space only.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Slots { slots: Vec::with_capacity(capacity), vacant: Vec::with_capacity(capacity) }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    pub(super) fn insert(&mut self, value: T) -> Key {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, value: None });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[place as usize];
        slot.value = Some(value);
        Key { place, generation: slot.generation }
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.place as usize)?;
        slot.value.as_mut().filter(|_| slot.generation == key.generation)
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.place as usize)?;
        if slot.generation != key.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = (slot.generation + 1) % GENERATIONS;
        self.vacant.push(key.place);
        Some(value)
    }

    /// All that are in use, by place.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (Key, &T)> {
        self.slots.iter().enumerate().filter_map(|(place, Slot { generation, value })| {
            let key = Key { place: place as u32, generation: *generation };
            value.as_ref().map(|value| (key, value))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_used_again() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b');
        assert_eq!(first.place, second.place);
        assert_eq!(slots.get_mut(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get_mut(Key::from_number(second.number())), Some(&mut 'b'));
        assert_eq!((slots.len(), slots.iter().collect::<Vec<_>>()), (1, vec![(second, &'b')]));
    }
}
