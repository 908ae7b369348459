//! The Wycheproof vectors for ECDSA with P-256 and SHA-256, in both encodings of a signature.
//!
//! They accept a high `s`. We refuse it as `HighS` and accept its low twin, so that is what is expected here.

use pbft_crypto::{PublicKey, Signature, SignatureError, sha256};
use wycheproof::TestResult;
use wycheproof::ecdsa::{Test, TestName, TestSet};

use crate::verdict;

/// What happened to the vectors of one set.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    accepted: u32,
    accepted_as_low_twin: u32,
    refused: u32,
    /// Refused because the bytes are not 64 or not strict DER, before there is a signature to verify.
    malformed: u32,
}

fn run(name: TestName, parse: fn(&[u8]) -> Option<Signature>) -> Tally {
    let mut tally = Tally::default();
    for group in TestSet::load(name).unwrap().test_groups {
        let key = PublicKey::from_sec1_bytes(&group.key.key).unwrap();
        for test in group.tests {
            match parse(&test.sig) {
                Some(signature) => check(&mut tally, &key, &test, &signature),
                None => {
                    assert_eq!(test.result, TestResult::Invalid, "{test:?}");
                    tally.malformed += 1;
                }
            }
        }
    }
    tally
}

fn check(tally: &mut Tally, key: &PublicKey, test: &Test, signature: &Signature) {
    let digest = sha256(&test.msg);
    let first = verdict(key, &digest, signature);
    let low = signature.to_low_s().and_then(|twin| verdict(key, &digest, &twin));
    match test.result {
        TestResult::Valid if first.is_ok() => tally.accepted += 1,
        TestResult::Valid => {
            assert_eq!((first, low), (Err(SignatureError::HighS), Ok(())), "{test:?}");
            tally.accepted_as_low_twin += 1;
        }
        TestResult::Invalid => {
            assert!(first.is_err() && low.is_err(), "accepted: {test:?}");
            tally.refused += 1;
        }
        TestResult::Acceptable => panic!("this set leaves nothing to taste: {test:?}"),
    }
}

fn from_p1363(bytes: &[u8]) -> Option<Signature> {
    let (r, s) = bytes.split_first_chunk::<32>()?;
    Some(Signature::from_r_and_s(r, s.try_into().ok()?))
}

/// Out-of-range numbers end here too: this DER parser knows the order of the curve.
fn from_der(bytes: &[u8]) -> Option<Signature> {
    let (r, s) = p256::ecdsa::Signature::from_der(bytes).ok()?.split_bytes();
    Some(Signature::from_r_and_s(&r.into(), &s.into()))
}

#[test]
fn p1363() {
    let tally = run(TestName::EcdsaSecp256r1Sha256P1363, from_p1363);
    assert_eq!(tally, Tally { accepted: 103, accepted_as_low_twin: 70, refused: 68, malformed: 21 });
}

#[test]
fn der() {
    let tally = run(TestName::EcdsaSecp256r1Sha256, from_der);
    assert_eq!(tally, Tally { accepted: 103, accepted_as_low_twin: 71, refused: 23, malformed: 287 });
}
