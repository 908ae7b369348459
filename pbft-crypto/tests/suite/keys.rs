//! Public and secret keys.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use hex::FromHex;
use p256::elliptic_curve::sec1::ToSec1Point;
use pbft_crypto::{HexError, KeyError, KeyPair, PublicKey, SignatureError, VerifyingKey};
use proptest::prelude::*;

use crate::key;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn public_key_is_that_of_p256(secret in any::<[u8; 32]>()) {
        let reference = p256::SecretKey::from_slice(&secret);
        let ours = KeyPair::from_secret_bytes(&secret);
        prop_assert_eq!(reference.is_ok(), ours.is_ok());
        if let (Ok(reference), Ok(ours)) = (reference, ours) {
            let point = reference.public_key().to_sec1_point(true);
            prop_assert_eq!(ours.public_key().as_bytes().to_vec(), point.as_bytes().to_vec());
            prop_assert_eq!(*ours.secret_bytes(), secret);
        }
    }
}

#[cfg(feature = "native")]
#[test]
fn generated_keys_differ() {
    assert_ne!(KeyPair::generate().public_key(), KeyPair::generate().public_key());
}

#[test]
fn secrets_out_of_range_are_refused() {
    let order =
        <[u8; 32]>::from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let mut last = order;
    last[31] -= 1;
    for refused in [[0; 32], order, [0xff; 32]] {
        assert_eq!(KeyPair::from_secret_bytes(&refused).unwrap_err(), KeyError::SecretOutOfRange);
    }
    assert!(KeyPair::from_secret_bytes(&last).is_ok());
}

#[test]
fn both_forms_of_a_point_are_read() {
    let public = key(1).public_key();
    let uncompressed = public.to_uncompressed().unwrap();
    assert_eq!(PublicKey::from_sec1_bytes(public.as_bytes()), Ok(public));
    assert_eq!(PublicKey::from_sec1_bytes(&uncompressed), Ok(public));
}

#[test]
fn what_is_no_point_is_refused() {
    let uncompressed = key(1).public_key().to_uncompressed().unwrap();
    let mut off_curve = uncompressed;
    off_curve[64] ^= 1;
    // x = 5 belongs to a point of P-256, x = 1 does not; 0 alone is the point at infinity.
    let mut no_such_x = [0; 33];
    (no_such_x[0], no_such_x[32]) = (2, 1);
    let refused: [&[u8]; 8] = [
        &[],
        &[0],
        &[0; 33],
        &off_curve,
        &no_such_x,
        &uncompressed[..64],
        &uncompressed[..33],
        &[&uncompressed[..], &[0]].concat(),
    ];
    for bytes in refused {
        assert_eq!(PublicKey::from_sec1_bytes(bytes), Err(KeyError::NotAPoint), "{bytes:?}");
    }
    let read_with_serde: PublicKey = postcard::from_bytes(&no_such_x).unwrap();
    assert_eq!(read_with_serde.to_uncompressed(), Err(KeyError::NotAPoint));
    assert_eq!(VerifyingKey::new(&read_with_serde).unwrap_err(), SignatureError::BadKey);
    assert_eq!(read_with_serde.to_string().parse::<PublicKey>(), Err(KeyError::NotAPoint));
}

#[test]
fn text_form() {
    let public = key(1).public_key();
    assert_eq!(public.to_string().parse(), Ok(public));
    assert_eq!(public.to_string().to_uppercase().parse(), Ok(public));
    let wrong_length = Err(KeyError::Hex(HexError { expected: 33 }));
    assert_eq!("02".parse::<PublicKey>(), wrong_length);
    assert_eq!("zz".repeat(33).parse::<PublicKey>(), wrong_length);
}

#[test]
fn tls_libraries_read_the_secret_key() {
    let key = key(1);
    let theirs = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key.to_pkcs8_der()).unwrap();
    assert_eq!(theirs.public_key().as_ref(), key.public_key().to_uncompressed().unwrap());
}

#[test]
fn a_key_comes_back_from_its_text() {
    let key = key(1);
    let text = key.to_pkcs8_pem();
    assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let back = KeyPair::from_pkcs8_pem(&text).unwrap();
    assert_eq!(back.secret_bytes(), key.secret_bytes());
    assert_eq!(back.public_key(), key.public_key());
    let other_kind = text.replace("PRIVATE KEY", "PUBLIC KEY");
    let cut = text.replace("-----END", "");
    for bad in ["", "PRIVATE KEY", &other_kind, &cut, &"ab".repeat(32)] {
        assert_eq!(KeyPair::from_pkcs8_pem(bad).unwrap_err(), KeyError::Pem, "{bad}");
    }
}

/// What a `KeyPair` holds, and what it hands out, wipe themselves: this compiles or not.
#[test]
fn secrets_are_wiped() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    wiped(&p256::SecretKey::from_slice(&[1; 32]).unwrap());
    wiped(&key(1).secret_bytes());
    wiped(&key(1).to_pkcs8_der());
}

#[test]
fn debug_prints_no_secret() {
    let secret: [u8; 32] = std::array::from_fn(|i| 101 + u8::try_from(i).unwrap());
    let key = KeyPair::from_secret_bytes(&secret).unwrap();
    for shown in [format!("{key:?}"), format!("{key:#?}"), format!("{key:x?}")] {
        let shown = shown.to_lowercase();
        assert!(shown.contains(&key.public_key().to_string()), "{shown}");
        let without_key = shown.replace(&key.public_key().to_string(), "");
        assert!(!without_key.contains(|c: char| c.is_ascii_digit()), "{shown}");
        assert!(!shown.contains(&hex::encode(&secret[..4])), "{shown}");
    }
}
