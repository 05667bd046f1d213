//! Sealing: header and payload in, one line of text out.

use aes_siv::KeyInit;
use aes_siv::siv::Aes256Siv;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Mac;

use super::{Header, Keyring, SIV_LEN, TAG_LEN};

impl Keyring {
    /// Seals `payload` under the current pair, for the cookie called `name`.
    ///
    /// The same arguments give the same value (AES-SIV is deterministic); the random id in the
    /// header is what sets two sessions apart.
    ///
    /// See the [module](super) for an example.
    #[must_use]
    pub fn seal(&self, name: &str, header: &Header, payload: &[u8]) -> String {
        let pair = self.current();
        // The context (name, NUL, header) stands right before the body, so that the tag is taken
        // over one run of bytes, and the value is the tail of the same buffer.
        let value_at = name.len() + 1;
        let siv_at = value_at + header.len();
        let payload_at = siv_at + SIV_LEN;
        let mut buffer = Vec::with_capacity(payload_at + payload.len() + TAG_LEN);
        buffer.extend_from_slice(name.as_bytes());
        buffer.push(0);
        header.write(&mut buffer);
        buffer.extend_from_slice(&[0; SIV_LEN]);
        buffer.extend_from_slice(payload);

        let (context, body) = buffer.split_at_mut(siv_at);
        let (siv, text) = body.split_at_mut(SIV_LEN);
        let iv = Aes256Siv::new((&**pair.siv_key).into())
            .encrypt_inout_detached([&*context], text.into())
            // The one error is more than 126 associated-data strings (RFC 5297); there is one.
            .expect("one associated-data string is allowed");
        siv.copy_from_slice(&iv);

        let tag = pair.mac.clone().chain_update(&buffer).finalize().into_bytes();
        buffer.extend_from_slice(&tag);
        BASE64_URL_SAFE_NO_PAD.encode(&buffer[value_at..])
    }
}
