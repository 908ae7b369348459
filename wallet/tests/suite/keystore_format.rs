//! The bytes of a keystore file: fixed, bounded, and none of them can be changed.

use std::fs;

use pbft_crypto::KeyPair;
use tempfile::{TempDir, tempdir};
use wallet::{Kdf, KdfError, Keystore, KeystoreError};

const PASSWORD: &str = "password";
const GOLDEN: &str = include_str!("../vectors/keystore-v1.json");

/// A folder with one file whose bytes are given.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempdir().unwrap() }
    }

    fn open(&self, bytes: impl AsRef<[u8]>) -> Result<Keystore, KeystoreError> {
        let path = self.folder.path().join("k");
        fs::write(&path, bytes).unwrap();
        Keystore::open(path)
    }

    fn unlock(&self, bytes: impl AsRef<[u8]>) -> Result<KeyPair, KeystoreError> {
        self.open(bytes)?.unlock(PASSWORD)
    }

    fn error_with(&self, from: &str, to: &str) -> KeystoreError {
        assert!(GOLDEN.contains(from), "{from}");
        self.open(GOLDEN.replace(from, to)).unwrap_err()
    }
}

/// Written by the first version of this format, and read with another program too: it must open for ever.
#[test]
fn a_file_of_version_1_opens() {
    let key = Fixture::new().unlock(GOLDEN).unwrap();
    assert_eq!(*key.secret_bytes(), [7; 32]);
}

#[test]
fn every_flipped_bit_is_refused() {
    let fixture = Fixture::new();
    let bytes = GOLDEN.as_bytes();
    let (mut refused_when_read, mut refused_when_unlocked) = (0, 0);
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match fixture.open(&flipped) {
            Err(_) => refused_when_read += 1,
            Ok(keystore) => {
                let refused = keystore.unlock::<KeyPair>(PASSWORD).unwrap_err();
                assert!(matches!(refused, KeystoreError::WrongPassword), "bit {bit}: {refused}");
                refused_when_unlocked += 1;
            }
        }
    }
    assert!(refused_when_read > 1_000, "{refused_when_read}");
    assert!(refused_when_unlocked > 300, "{refused_when_unlocked}");
}

#[test]
fn every_shorter_and_some_longer_files_are_refused() {
    let fixture = Fixture::new();
    for length in 0..GOLDEN.len() {
        assert!(fixture.open(&GOLDEN[..length]).is_err(), "{length} bytes");
    }
    for more in ["\n", " ", "{}", "\0"] {
        assert!(fixture.open(format!("{GOLDEN}{more}")).is_err(), "{more:?} more");
    }
    let huge = format!("{GOLDEN}{}", " ".repeat(1 << 20));
    assert!(matches!(fixture.open(huge), Err(KeystoreError::Altered)));
}

/// Parameters are checked when the file is read, before any memory is taken.
#[test]
fn costs_out_of_bounds_are_refused() {
    use KdfError::{Iterations, Lanes, Memory};
    let fixture = Fixture::new();
    let expected = [
        ("\"memory_kib\": 7168", "\"memory_kib\": 7167", Memory(7167)),
        ("\"memory_kib\": 7168", "\"memory_kib\": 0", Memory(0)),
        ("\"memory_kib\": 7168", "\"memory_kib\": 1048577", Memory(1_048_577)),
        ("\"memory_kib\": 7168", "\"memory_kib\": 4294967295", Memory(u32::MAX)),
        ("\"iterations\": 1", "\"iterations\": 0", Iterations(0)),
        ("\"iterations\": 1", "\"iterations\": 17", Iterations(17)),
        ("\"lanes\": 1", "\"lanes\": 0", Lanes(0)),
        ("\"lanes\": 1", "\"lanes\": 9", Lanes(9)),
    ];
    for (from, to, error) in expected {
        let refused = fixture.error_with(from, to);
        assert!(matches!(refused, KeystoreError::Kdf(e) if e == error), "{to}: {refused}");
    }
    assert!(Kdf::new(7168, 1, 1).is_ok() && Kdf::new(1_048_576, 16, 8).is_ok());
    assert_eq!(Kdf::new(7168, 1, 1), Ok(Kdf::LEAST));
    assert_eq!(Kdf::new(65_536, 3, 1), Ok(Kdf::default()));
}

/// Weaker parameters within the bounds do not open the file either: they are authenticated.
#[test]
fn each_fault_has_its_error() {
    let fixture = Fixture::new();
    let later = fixture.error_with("\"version\": 1,", "\"version\": 2, \"new\": 5,");
    assert!(matches!(later, KeystoreError::UnknownVersion(2)), "{later}");
    for (from, to) in [
        ("popmarket_keystore", "another_keystore"),
        ("argon2id", "argon2i"),
        ("aes256_gcm", "aes128_gcm"),
        ("\"lanes\": 1", "\"lanes\": -1"),
        ("\"lanes\": 1,", ""),
        ("\"lanes\": 1,", "\"lanes\": 1, \"lanes\": 1,"),
        ("\"lanes\": 1,", "\"lanes\": 1, \"extra\": 1,"),
        ("\"nonce\": \"", "\"nonce\": \"00"),
    ] {
        let refused = fixture.error_with(from, to);
        assert!(matches!(refused, KeystoreError::NotAKeystore(_)), "{to}: {refused}");
    }
    for text in ["", "{}", "[]", "null", "not json at all"] {
        assert!(matches!(fixture.open(text), Err(KeystoreError::NotAKeystore(_))), "{text}");
    }
    let reformatted = fixture.error_with("\n", " ");
    assert!(matches!(reformatted, KeystoreError::Altered), "{reformatted}");
}
