//! RFC 6979, appendix A.2.5: P-256 with SHA-256.

use hex::FromHex;
use pbft_crypto::{KeyPair, sha256};

use crate::{point_r, verdict};

fn bytes(hex: &str) -> [u8; 32] {
    <[u8; 32]>::from_hex(hex).unwrap()
}

fn rfc_key() -> KeyPair {
    let secret = bytes("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
    KeyPair::from_secret_bytes(&secret).unwrap()
}

#[test]
fn public_key() {
    let uncompressed = "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
                        7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
    assert_eq!(
        rfc_key().public_key().to_uncompressed().unwrap().to_vec(),
        Vec::from_hex(uncompressed).unwrap()
    );
}

/// The vector's `s` is high here: we sign its twin n - s.
#[test]
fn message_sample() {
    check(
        b"sample",
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
        "0834E36AD29A83BF2BC9385E491D6099C8FDF9D1ED67AA7EA5F51F93782857A9",
    );
}

#[test]
fn message_test() {
    check(
        b"test",
        "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
        "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
    );
}

fn check(message: &[u8], r: &str, s: &str) {
    let key = rfc_key();
    let digest = sha256(message);
    let signature = key.sign(&digest);
    assert_eq!((*signature.r(), *signature.s()), (bytes(r), bytes(s)));
    assert_eq!(verdict(&key.public_key(), &digest, &signature), Ok(()));
    assert_eq!(point_r(&key.public_key(), &digest, &signature), (bytes(r), signature.hint()));
}
