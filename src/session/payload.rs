//! The values of a session as the bytes that are sealed, and back.
//!
//! `application/x-www-form-urlencoded`: the values in key order, then the flashes in their own
//! order, each as a pair named `_flash`. In a [`Values`] map each flash has a name of its own, that
//! sorts by age, so that a store can add and remove one without touching another.

use form_urlencoded::Serializer;

use super::Values;

/// Name of a flash in the payload; in a map, what its names begin with, before a dot.
const FLASH: &str = "_flash";

/// The name of a flash in a map; `order` is greater for a younger one.
pub(super) fn flash_name(order: u64) -> String {
    format!("{FLASH}.{order:016x}")
}

/// The order of the flash with this name, where it is one.
pub(super) fn flash_order(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(FLASH)?.strip_prefix('.')?;
    u64::from_str_radix(digits, 16).ok()
}

/// The bytes to seal.
pub(super) fn encode(values: &Values) -> String {
    let is_flash = |name: &str| flash_order(name).is_some();
    let mut payload = Serializer::new(String::new());
    payload.extend_pairs(values.iter().filter(|(name, _)| !is_flash(name)));
    payload.extend_pairs(
        values.iter().filter(|(name, _)| is_flash(name)).map(|(_, text)| (FLASH, text)),
    );
    payload.finish()
}

/// The values that were sealed.
pub(super) fn decode(payload: &[u8]) -> Values {
    let mut values = Values::new();
    // One by one: collecting sorts them in a list first, where they are in order already.
    for ((name, value), order) in form_urlencoded::parse(payload).zip(0..) {
        let name = if name == FLASH { flash_name(order) } else { name.into_owned() };
        values.insert(name, value.into_owned());
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn the_vectors_pairs_make_their_payloads() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/seal/vectors.json")).unwrap();
        let of_version_1 = |vector: &&serde_json::Value| vector["version"] == 1;
        let vectors = file["vectors"].as_array().unwrap();
        assert_eq!(vectors.iter().filter(of_version_1).count(), 11);
        for vector in vectors.iter().filter(of_version_1) {
            let pairs = vector["pairs"].as_array().unwrap().iter().zip(0..);
            let values: Values = pairs
                .map(|(pair, order)| {
                    let text = |at: usize| pair[at].as_str().unwrap().to_owned();
                    let name = if text(0) == FLASH { flash_name(order) } else { text(0) };
                    (name, text(1))
                })
                .collect();
            assert_eq!(encode(&values), vector["payload"].as_str().unwrap());
            assert_eq!(decode(vector["payload"].as_str().unwrap().as_bytes()), values);
        }
    }

    #[test]
    fn flashes_come_last_and_in_their_own_order() {
        let values = values(&[
            ("zebra", "1"),
            (&flash_name(2), "second"),
            (&flash_name(1), "first"),
            ("Aardvark", "2"),
            ("_auth", "3"),
        ]);
        assert_eq!(encode(&values), "Aardvark=2&_auth=3&zebra=1&_flash=first&_flash=second");
    }

    #[test]
    fn flash_names_sort_by_age() {
        let orders = [0, 1, 15, 16, 255, 1 << 40, u64::MAX];
        assert!(orders.map(flash_name).is_sorted());
        assert_eq!(orders.map(|order| flash_order(&flash_name(order))), orders.map(Some));
        assert_eq!(flash_order("_flash"), None);
        assert_eq!(flash_order("username"), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(values: Values) {
            prop_assume!(values.keys().all(|name| !name.starts_with('_')));
            prop_assert_eq!(decode(encode(&values).as_bytes()), values);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            decode(&bytes);
        }
    }
}
