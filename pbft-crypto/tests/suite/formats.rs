//! Golden bytes: what is on disks and on the wire must not change by accident.

use std::fmt::Debug;

use pbft_crypto::{Address, Digest, PublicKey, Signature, sha256};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::key;

const KEY: &str = "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";

fn golden<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, binary: &str, json: &str) {
    let bytes = postcard::to_stdvec(value).unwrap();
    assert_eq!(hex::encode(&bytes), binary);
    assert_eq!(&postcard::from_bytes::<T>(&bytes).unwrap(), value);
    assert!(postcard::from_bytes::<T>(&bytes[1..]).is_err(), "one byte short");
    assert_eq!(serde_json::to_string(value).unwrap(), format!("\"{json}\""));
    assert_eq!(&serde_json::from_str::<T>(&format!("\"{json}\"")).unwrap(), value);
    for wrong in
        ["1", "null", "\"\"", "\"0\"", "[1]", &format!("\"{json}0\""), &format!("\"{}\"", &json[1..])]
    {
        assert!(serde_json::from_str::<T>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn digests() {
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    golden(&sha256(b"abc"), abc, abc);
}

#[test]
fn public_keys() {
    let mut one = [0; 32];
    one[31] = 1;
    let generator = pbft_crypto::KeyPair::from_secret_bytes(&one).unwrap().public_key();
    golden(&generator, KEY, KEY);
}

#[test]
fn signatures() {
    let hex = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
               0834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a901";
    let signature: Signature = hex.parse().unwrap();
    assert!(signature.hint());
    golden(&signature, hex, hex);
}

#[test]
fn addresses() {
    let bytes = "ea86a1f16be203c82cc2042118bc41968a528fdb15e9639deffbcc5bc63af7df";
    let text = "pop1a2r2ruttugpustxzqss330zpj6999r7mzh5k8800l0x9h3367l0sysvje2";
    golden(&text.parse::<Address>().unwrap(), bytes, text);
}

/// They are written one after the other, with nothing in between, also as keys of a map.
#[test]
fn fields_are_bare() {
    let public = key(1).public_key();
    let signature = key(1).sign(&Digest::ZERO);
    let bytes = postcard::to_stdvec(&(Digest::ZERO, public, signature)).unwrap();
    assert_eq!(bytes, [&[0; 32][..], public.as_bytes(), signature.as_bytes()].concat());
    let map = std::collections::BTreeMap::from([(public, 1)]);
    assert_eq!(serde_json::to_string(&map).unwrap(), format!("{{\"{public}\":1}}"));
}

/// Reading checks the shape, so that one value has one encoding.
#[test]
fn wrong_shapes_are_refused() {
    let mut signature = *key(1).sign(&Digest::ZERO).as_bytes();
    for hint in 2..=255 {
        signature[64] = hint;
        assert!(postcard::from_bytes::<Signature>(&signature).is_err());
        assert!(serde_json::from_str::<Signature>(&format!("\"{}\"", hex::encode(signature))).is_err());
    }
    let mut public = *key(1).public_key().as_bytes();
    for first in (0..=255).filter(|b| !matches!(b, 2 | 3)) {
        public[0] = first;
        assert!(postcard::from_bytes::<PublicKey>(&public).is_err());
        assert!(serde_json::from_str::<PublicKey>(&format!("\"{}\"", hex::encode(public))).is_err());
    }
}
