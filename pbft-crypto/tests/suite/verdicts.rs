//! Where the range of `r` and `s` ends, and what is said beyond it.

use hex::FromHex;
use pbft_crypto::{Signature, SignatureError, sha256};
use proptest::prelude::*;

use crate::{key, verdict};

const ONE: &str = "0000000000000000000000000000000000000000000000000000000000000001";
const HALF: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";
const HALF_PLUS_1: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a9";
const N_MINUS_1: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
const N: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const MAX: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const ZERO: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn made_of(r: &str, s: &str) -> Signature {
    let bytes = |hex| <[u8; 32]>::from_hex(hex).unwrap();
    Signature::from_r_and_s(&bytes(r), &bytes(s))
}

#[test]
fn range_is_checked_at_its_ends() {
    use SignatureError::{HighS, Mismatch, OutOfRange};
    let (key, digest) = (key(1).public_key(), sha256(b"range"));
    let expected = [
        (ONE, ONE, Mismatch),
        (N_MINUS_1, HALF, Mismatch),
        (ONE, HALF_PLUS_1, HighS),
        (ONE, N_MINUS_1, HighS),
        (ONE, N, OutOfRange),
        (ONE, MAX, OutOfRange),
        (ONE, ZERO, OutOfRange),
        (ZERO, ONE, OutOfRange),
        (N, ONE, OutOfRange),
        (MAX, ONE, OutOfRange),
        (ZERO, ZERO, OutOfRange),
        (N, HALF_PLUS_1, OutOfRange),
    ];
    for (r, s, error) in expected {
        assert_eq!(verdict(&key, &digest, &made_of(r, s)), Err(error), "r {r}, s {s}");
    }
}

#[test]
fn to_low_s_at_the_ends() {
    assert_eq!(made_of(ONE, HALF).to_low_s(), Ok(made_of(ONE, HALF)));
    assert_eq!(made_of(ONE, HALF_PLUS_1).to_low_s(), Ok(made_of(ONE, HALF).with_hint(true)));
    assert_eq!(made_of(ONE, N_MINUS_1).with_hint(true).to_low_s(), Ok(made_of(ONE, ONE)));
    assert_eq!(made_of(ONE, N).to_low_s(), Err(SignatureError::OutOfRange));
    assert_eq!(made_of(ZERO, ONE).to_low_s(), Err(SignatureError::OutOfRange));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the bytes, aws-lc, p256 and the cached key say the same: `verdict` compares them.
    #[test]
    fn libraries_agree_on_anything(
        r in any::<[u8; 32]>(),
        s in any::<[u8; 32]>(),
        low in any::<bool>(),
        x in any::<[u8; 32]>(),
        odd in any::<bool>(),
        real_key in any::<bool>(),
    ) {
        let mut s = s;
        if low {
            s[0] &= 0x7f;
        }
        let key = if real_key {
            key(2).public_key()
        } else {
            let bytes = [&[2 + u8::from(odd)][..], &x].concat();
            postcard::from_bytes(&bytes).unwrap()
        };
        prop_assert!(verdict(&key, &sha256(&x), &Signature::from_r_and_s(&r, &s)).is_err());
    }

    /// The high twin of a good signature is refused by name, and its low twin is the good one again, hint and all.
    #[test]
    fn high_s_is_refused_and_has_one_low_twin(message in any::<[u8; 8]>()) {
        let (key, digest) = (key(3), sha256(&message));
        let good = key.sign(&digest);
        let s = p256::NonZeroScalar::from_repr((*good.s()).into()).unwrap();
        let high = Signature::from_r_and_s(good.r(), &p256::FieldBytes::from(-s).into()).with_hint(!good.hint());
        prop_assert_eq!(verdict(&key.public_key(), &digest, &high), Err(SignatureError::HighS));
        prop_assert_eq!(high.to_low_s(), Ok(good));
    }
}
