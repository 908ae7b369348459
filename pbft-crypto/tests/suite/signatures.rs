//! Signing and what becomes of a signature that is changed on its way.

use p256::ecdsa::SigningKey;
use pbft_crypto::{Digest, KeyPair, PublicKey, Signature, SignatureError, sha256};
use proptest::prelude::*;

use crate::{key, point_r, verdict};

prop_compose! {
    fn any_key()(bytes in any::<[u8; 32]>().prop_filter_map("out of range", |b| KeyPair::from_secret_bytes(&b).ok()))
        -> KeyPair { bytes }
}

fn any_digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn flip<const N: usize>(bytes: &[u8; N], bit: usize) -> [u8; N] {
    let mut flipped = *bytes;
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_signature_verifies_with_either_hint(key in any_key(), digest in any_digest()) {
        let signature = key.sign(&digest);
        prop_assert_eq!(verdict(&key.public_key(), &digest, &signature), Ok(()));
        prop_assert_eq!(verdict(&key.public_key(), &digest, &signature.with_hint(!signature.hint())), Ok(()));
    }

    #[test]
    fn the_hint_is_the_parity_of_r(key in any_key(), digest in any_digest()) {
        let signature = key.sign(&digest);
        prop_assert_eq!(point_r(&key.public_key(), &digest, &signature), (*signature.r(), signature.hint()));
    }

    /// Our signer and `p256`'s give the same bytes, but that ours puts `s` into the lower half.
    #[test]
    fn signing_agrees_with_p256(key in any_key(), digest in any_digest()) {
        let reference = SigningKey::from_slice(&key.secret_bytes()[..]).unwrap();
        let (theirs, recovery) = reference.sign_prehash_recoverable(digest.as_bytes());
        let ours = key.sign(&digest);
        prop_assert_eq!(ours.r_and_s().to_vec(), theirs.normalize_s().to_vec());
        let was_high = theirs.normalize_s() != theirs;
        prop_assert_eq!(ours.hint(), recovery.is_y_odd() ^ was_high);
        prop_assert_eq!(ours, key.sign(&digest));
    }

    #[test]
    fn another_digest_or_key_is_refused(key in any_key(), digest in any_digest(), other in any_digest(), bit in 0..256_usize) {
        prop_assume!(digest != other);
        let signature = key.sign(&digest);
        prop_assert_eq!(verdict(&key.public_key(), &other, &signature), Err(SignatureError::Mismatch));
        let near = Digest::from_bytes(flip(digest.as_bytes(), bit));
        prop_assert_eq!(verdict(&key.public_key(), &near, &signature), Err(SignatureError::Mismatch));
        let stranger = crate::key(99).public_key();
        prop_assume!(stranger != key.public_key());
        prop_assert_eq!(verdict(&stranger, &digest, &signature), Err(SignatureError::Mismatch));
    }
}

#[test]
fn every_flipped_bit_of_a_signature_is_refused_but_the_hint() {
    let (key, digest) = (key(1), sha256(b"every bit"));
    let signature = key.sign(&digest);
    for bit in 0..Signature::LEN * 8 {
        let flipped = Signature::from_bytes(&flip(signature.as_bytes(), bit));
        match bit {
            0..512 => {
                let refused = verdict(&key.public_key(), &digest, &flipped.unwrap());
                assert!(refused.is_err(), "bit {bit}");
            }
            512 => assert_eq!(verdict(&key.public_key(), &digest, &flipped.unwrap()), Ok(())),
            _ => assert_eq!(flipped, Err(SignatureError::Hint)),
        }
    }
}

#[test]
fn every_flipped_bit_of_a_key_is_refused() {
    let (key, digest) = (key(1), sha256(b"every bit"));
    let signature = key.sign(&digest);
    let (mut points, mut others) = (0, 0);
    for bit in 0..PublicKey::LEN * 8 {
        let bytes = flip(key.public_key().as_bytes(), bit);
        // Read with serde, as from the network: what is not a point gets as far as the verification.
        match (postcard::from_bytes::<PublicKey>(&bytes), PublicKey::from_sec1_bytes(&bytes)) {
            (Ok(flipped), Ok(_)) => {
                assert_eq!(
                    verdict(&flipped, &digest, &signature),
                    Err(SignatureError::Mismatch),
                    "bit {bit}"
                );
                points += 1;
            }
            (Ok(flipped), Err(_)) => {
                assert_eq!(verdict(&flipped, &digest, &signature), Err(SignatureError::BadKey), "bit {bit}");
                others += 1;
            }
            (Err(_), on_curve) => assert!(on_curve.is_err() && bit < 8, "bit {bit}"),
        }
    }
    // About half of all x coordinates belong to a point.
    assert!(points > 64 && others > 64, "{points} points, {others} others");
}

#[test]
fn wrong_lengths_are_refused() {
    let bytes = *key(1).sign(&Digest::ZERO).as_bytes();
    let longer = [&bytes[..], &[0]].concat();
    for length in [0, 1, 63, 64, 66] {
        assert_eq!(Signature::from_bytes(&longer[..length]), Err(SignatureError::Length), "{length}");
    }
    assert_eq!(Signature::from_bytes(&bytes).unwrap().as_bytes(), &bytes);
}
