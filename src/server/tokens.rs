//! Keys of connections and lanes, and the tokens by which the kernel's events name them.
//!
//! A slot is used again, a key is not: it carries the generation of its slot. The key of a
//! connection that has gone, in a late event or a late answer, finds nothing.

use mio::Token;
use slotmap::{Key, new_key_type};

new_key_type! {
    /// Names a connection.
    pub(super) struct ConnectionKey;
    /// Names a lane.
    pub(super) struct LaneKey;
}

pub(super) const LISTENER: Token = Token(usize::MAX);
pub(super) const SIGNALS: Token = Token(usize::MAX - 1);
pub(super) const COMPLETIONS: Token = Token(usize::MAX - 2);

/// Tells a lane's token from a connection's. It is the highest bit of the slot's number, which no
/// table is large enough to need.
const LANE_BIT: usize = 1 << 31;
const SLOT: usize = LANE_BIT - 1;

pub(super) fn is_lane(token: Token) -> bool {
    token.0 & LANE_BIT != 0
}

/// A key that has a token.
pub(super) trait TokenKey: Key {
    /// Marks the tokens of this kind.
    const MARK: usize;

    /// The key's token: slot and generation, or the slot alone where a `usize` has 32 bits.
    fn token(self) -> Token {
        Token(self.data().as_ffi() as usize | Self::MARK)
    }
}

impl TokenKey for ConnectionKey {
    const MARK: usize = 0;
}

impl TokenKey for LaneKey {
    const MARK: usize = LANE_BIT;
}

/// The key that was last given out for each slot.
pub(super) struct Keys<K> {
    by_slot: Vec<K>,
}

impl<K: TokenKey> Keys<K> {
    pub(super) fn new() -> Self {
        Keys { by_slot: Vec::new() }
    }

    /// Notes a new key, and makes its token.
    pub(super) fn note(&mut self, key: K) -> Token {
        let token = key.token();
        let slot = token.0 & SLOT;
        if slot >= self.by_slot.len() {
            self.by_slot.resize(slot + 1, K::null());
        }
        self.by_slot[slot] = key;
        token
    }

    /// The key of a token, if it is not one of an older generation. Whether there is still
    /// something under the key, its table tells.
    pub(super) fn find(&self, token: Token) -> Option<K> {
        let key = *self.by_slot.get(token.0 & SLOT)?;
        (key.token() == token).then_some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    #[test]
    fn an_older_key_names_nothing() {
        let mut table: SlotMap<ConnectionKey, char> = SlotMap::with_key();
        let mut keys = Keys::new();
        let first = table.insert('a');
        let token = keys.note(first);
        assert_eq!(keys.find(token), Some(first));
        table.remove(first);
        let second = table.insert('b');
        let again = keys.note(second);
        assert_eq!((token.0 & SLOT, token == again), (again.0 & SLOT, false));
        assert_eq!((keys.find(token), keys.find(again)), (None, Some(second)));
        assert_eq!((table.get(first), table.get(second)), (None, Some(&'b')));
    }

    /// With 32 bits a token is the slot alone: then the table knows that the key is too old.
    #[test]
    fn a_slot_leads_to_the_last_key_that_it_had() {
        let mut table: SlotMap<LaneKey, ()> = SlotMap::with_key();
        let mut keys = Keys::new();
        let key = table.insert(());
        let token = keys.note(key);
        assert_eq!(keys.by_slot[token.0 & SLOT], key);
        table.remove(key);
        assert_eq!(table.get(keys.by_slot[token.0 & SLOT]), None);
    }

    #[test]
    fn tokens_tell_lanes_from_connections() {
        let mut lanes: SlotMap<LaneKey, ()> = SlotMap::with_key();
        let mut connections: SlotMap<ConnectionKey, ()> = SlotMap::with_key();
        let (lane, connection) = (lanes.insert(()), connections.insert(()));
        assert!(is_lane(lane.token()) && !is_lane(connection.token()));
        for other in [LISTENER, SIGNALS, COMPLETIONS] {
            assert!(other != lane.token() && other != connection.token());
        }
    }
}
