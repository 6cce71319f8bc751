//! Control records on topics where foreigners write are signed with the installation's secret.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::avro;
use crate::messages::{Bytes, Signed};

/// The installation's secret: signs control records and keys the identities of usage records.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(masked)")
    }
}

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Secret {
        Secret(bytes)
    }

    /// Another secret for another purpose.
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        self.mac(purpose.as_bytes())
    }

    fn mac(&self, payload: &[u8]) -> [u8; 32] {
        let mut mac = self.begin();
        mac.update(payload);
        mac.finalize().into_bytes().into()
    }

    #[allow(clippy::expect_used)] // HMAC takes keys of any length
    fn begin(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length")
    }

    /// A signed message around `payload`, for the topic `topic` and no other.
    pub fn sign(&self, topic: &str, payload: Vec<u8>) -> Vec<u8> {
        let mut mac = self.begin();
        mac.update(topic.as_bytes());
        mac.update(&payload);
        let signature = Bytes(mac.finalize().into_bytes().to_vec());
        let mut message = Vec::with_capacity(payload.len() + 64);
        avro::put_header(&mut message, crate::schemas::SIGNED.fingerprint());
        avro::encode_into(&mut message, &Signed { signature, payload: Bytes(payload) });
        message
    }

    /// The payload of a signed message, if it is one and the signature is ours. None: not signed at all.
    pub fn open(&self, topic: &str, message: &[u8]) -> Option<Result<Vec<u8>, ForgedSignature>> {
        let (fingerprint, value) = avro::split_header(message)?;
        if fingerprint != crate::schemas::SIGNED.fingerprint() {
            return None;
        }
        let Ok(signed) = avro::decode::<Signed>(value) else { return Some(Err(ForgedSignature)) };
        let mut mac = self.begin();
        mac.update(topic.as_bytes());
        mac.update(&signed.payload.0);
        let verified = mac.verify_slice(&signed.signature.0);
        Some(verified.map(|()| signed.payload.0).map_err(|_| ForgedSignature))
    }
}

/// Somebody else wrote a control record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a control record whose signature is not ours")]
pub struct ForgedSignature;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_control_records_open() {
        let (own, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let message = own.sign("usage", b"tick".to_vec());
        assert_eq!(own.open("usage", &message), Some(Ok(b"tick".to_vec())));
        assert_eq!(other.open("usage", &message), Some(Err(ForgedSignature)));
        assert_eq!(own.open("commands", &message), Some(Err(ForgedSignature)));
        for place in 10..message.len() {
            let mut flipped = message.clone();
            flipped[place] ^= 1;
            assert_ne!(own.open("usage", &flipped), Some(Ok(b"tick".to_vec())), "{place}");
        }
        assert_eq!(own.open("usage", b"{}"), None);
    }
}
