//! The values of a session as the bytes that are sealed, and back.
//!
//! `application/x-www-form-urlencoded`: the values in key order, then the flashes in their own
//! order, each as a pair named `_flash`, or `_flash.` and its level. In a [`Values`] map each flash has a name of its own, that
//! sorts by age, so that a store can add and remove one without touching another.

use form_urlencoded::Serializer;

use super::{Values, flashes};

/// The bytes to seal.
pub(super) fn encode(values: &Values) -> String {
    let mut payload = Serializer::new(String::new());
    payload.extend_pairs(values.iter().filter(|(name, _)| flashes::of_name(name).is_none()));
    for (name, text) in values {
        if let Some((_, level)) = flashes::of_name(name) {
            payload.append_pair(&flashes::payload_name(level), text);
        }
    }
    payload.finish()
}

/// The values that were sealed.
pub(super) fn decode(payload: &[u8]) -> Values {
    let mut values = Values::new();
    // One by one: collecting sorts them in a list first, where they are in order already.
    for ((name, value), order) in form_urlencoded::parse(payload).zip(0..) {
        let name = match flashes::of_payload_name(&name) {
            Some(level) => flashes::name(order, level),
            None => name.into_owned(),
        };
        values.insert(name, value.into_owned());
    }
    values
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Level;
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
                    let level = flashes::of_payload_name(&text(0));
                    let name = level.map_or_else(|| text(0), |level| flashes::name(order, level));
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
            (&flashes::name(2, Level::Info), "second"),
            (&flashes::name(1, Level::Error), "first"),
            ("Aardvark", "2"),
            ("_auth", "3"),
        ]);
        assert_eq!(encode(&values), "Aardvark=2&_auth=3&zebra=1&_flash.error=first&_flash=second");
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
