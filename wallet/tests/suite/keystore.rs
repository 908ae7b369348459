//! Keystore files: made, opened, replaced, and never lost.

use std::fs;

use pbft_crypto::KeyPair;
use tempfile::tempdir;
use wallet::{Content, Kdf, Keystore, KeystoreError, MasterKey};

use crate::names_in;

const PASSWORD: &str = "correct horse 배터리 staple";

fn key() -> KeyPair {
    KeyPair::from_secret_bytes(&[0x5a; 32]).unwrap()
}

#[test]
fn a_key_comes_back() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("alice.json");
    let made = Keystore::create(&path, &key(), PASSWORD, Kdf::LEAST).unwrap();
    let opened = Keystore::open(&path).unwrap();
    for keystore in [made, opened] {
        assert_eq!(keystore.path(), path);
        assert_eq!(*keystore.content(), Content::P256Key { public_key: key().public_key() });
        let unlocked: KeyPair = keystore.unlock(PASSWORD).unwrap();
        assert_eq!(unlocked.secret_bytes(), key().secret_bytes());
    }
    assert_eq!(names_in(folder.path()), ["alice.json"], "no temporary file is left");
}

#[test]
fn a_master_key_comes_back() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("master.json");
    let master = MasterKey::generate();
    Keystore::create(&path, &master, PASSWORD, Kdf::LEAST).unwrap();
    let unlocked: MasterKey = Keystore::open(&path).unwrap().unlock(PASSWORD).unwrap();
    assert_eq!(unlocked.as_bytes(), master.as_bytes());
}

#[test]
fn a_secret_is_not_taken_for_one_of_another_kind() {
    let folder = tempdir().unwrap();
    let keystore = Keystore::create(folder.path().join("k"), &key(), PASSWORD, Kdf::LEAST).unwrap();
    assert!(matches!(keystore.unlock::<MasterKey>(PASSWORD), Err(KeystoreError::OtherContent)));
}

#[test]
fn wrong_passwords_are_refused() {
    let folder = tempdir().unwrap();
    let keystore = Keystore::create(folder.path().join("k"), &key(), PASSWORD, Kdf::LEAST).unwrap();
    for wrong in ["", "wrong", &PASSWORD[1..], &format!("{PASSWORD} "), &PASSWORD.to_uppercase()] {
        let refused = keystore.unlock::<KeyPair>(wrong).unwrap_err();
        assert!(matches!(refused, KeystoreError::WrongPassword), "{wrong:?}: {refused}");
        assert_eq!(refused.to_string(), "the password is wrong, or the keystore is damaged");
    }
}

/// The same secret under the same password, twice: nothing in the files shows it.
#[test]
fn salt_and_nonce_are_fresh() {
    let folder = tempdir().unwrap();
    let sealed = |name| {
        let path = folder.path().join(name);
        Keystore::create(&path, &key(), PASSWORD, Kdf::LEAST).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        ["/header/kdf/salt", "/sealed/nonce", "/sealed/ciphertext", "/sealed/tag"]
            .map(|pointer| json.pointer(pointer).unwrap().to_string())
    };
    for (a, b) in sealed("a").iter().zip(&sealed("b")) {
        assert_ne!(a, b);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("k");
    let mut keystore = Keystore::create(&path, &key(), PASSWORD, Kdf::LEAST).unwrap();
    assert_eq!(crate::mode_of(&path), 0o600);
    keystore.change_password::<KeyPair>(PASSWORD, "new", Kdf::LEAST).unwrap();
    assert_eq!(crate::mode_of(&path), 0o600);
}

#[test]
fn an_existing_file_is_never_overwritten() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "whatever it is").unwrap();
    let refused = Keystore::create(&path, &key(), PASSWORD, Kdf::LEAST).unwrap_err();
    assert!(matches!(refused, KeystoreError::Exists(at) if at == path));
    assert_eq!(fs::read(&path).unwrap(), b"whatever it is");
    assert_eq!(names_in(folder.path()), ["precious"]);
}

/// All find that there is no file, hash their passwords, and then one is first.
#[test]
fn of_many_who_create_one_file_one_succeeds() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("k");
    let passwords: Vec<String> = (0..8).map(|n| format!("password {n}")).collect();
    let successes: Vec<&String> = std::thread::scope(|scope| {
        let threads: Vec<_> = passwords
            .iter()
            .map(|password| (password, scope.spawn(|| Keystore::create(&path, &key(), password, Kdf::LEAST))))
            .collect();
        threads.into_iter().filter_map(|(p, thread)| thread.join().unwrap().is_ok().then_some(p)).collect()
    });
    assert_eq!(successes.len(), 1);
    assert!(Keystore::open(&path).unwrap().unlock::<KeyPair>(successes[0]).is_ok());
    assert_eq!(names_in(folder.path()), ["k"]);
}

#[test]
fn the_password_can_be_changed() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("k");
    let mut keystore = Keystore::create(&path, &key(), "old", Kdf::LEAST).unwrap();
    let refused = keystore.change_password::<KeyPair>("wrong", "new", Kdf::LEAST);
    assert!(matches!(refused, Err(KeystoreError::WrongPassword)));
    assert!(Keystore::open(&path).unwrap().unlock::<KeyPair>("old").is_ok(), "nothing has changed");

    keystore.change_password::<KeyPair>("old", "new", Kdf::new(8 * 1024, 2, 2).unwrap()).unwrap();
    for keystore in [keystore, Keystore::open(&path).unwrap()] {
        assert!(keystore.unlock::<KeyPair>("old").is_err());
        assert_eq!(keystore.unlock::<KeyPair>("new").unwrap().public_key(), key().public_key());
    }
    assert_eq!(names_in(folder.path()), ["k"]);
}

/// What a crash leaves behind: before the rename a temporary file, whole or torn, beside the old file.
#[test]
fn a_temporary_file_left_behind_is_harmless() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("k");
    fs::write(folder.path().join(".wallet-Ab12Cd.tmp"), "{ \"header\": to").unwrap();
    let mut keystore = Keystore::create(&path, &key(), PASSWORD, Kdf::LEAST).unwrap();
    fs::copy(&path, folder.path().join(".wallet-Xy34Zz.tmp")).unwrap();
    keystore.change_password::<KeyPair>(PASSWORD, "new", Kdf::LEAST).unwrap();
    assert!(Keystore::open(&path).unwrap().unlock::<KeyPair>("new").is_ok());
    assert_eq!(names_in(folder.path()), [".wallet-Ab12Cd.tmp", ".wallet-Xy34Zz.tmp", "k"]);
}

/// The new file cannot be written, as its folder is gone: the keystore in memory still is the old one.
#[test]
fn a_failed_replacement_changes_nothing() {
    let folder = tempdir().unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let mut keystore = Keystore::create(inner.join("k"), &key(), "old", Kdf::LEAST).unwrap();
    fs::rename(&inner, folder.path().join("moved")).unwrap();
    let failed = keystore.change_password::<KeyPair>("old", "new", Kdf::LEAST);
    assert!(matches!(failed, Err(KeystoreError::Io { path, .. }) if path == inner.join("k")));
    assert!(keystore.unlock::<KeyPair>("old").is_ok() && keystore.unlock::<KeyPair>("new").is_err());
    assert!(Keystore::open(folder.path().join("moved/k")).unwrap().unlock::<KeyPair>("old").is_ok());
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("nobody.json");
    let missing = Keystore::open(&path).unwrap_err();
    assert!(missing.to_string().contains("nobody.json"), "{missing}");
    assert!(
        matches!(missing, KeystoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
}

#[test]
fn debug_prints_no_secret() {
    let folder = tempdir().unwrap();
    let keystore = Keystore::create(folder.path().join("k"), &key(), PASSWORD, Kdf::LEAST).unwrap();
    let shown = format!("{keystore:?} {:?}", MasterKey::from_bytes([0x5a; 32]));
    for secret in ["5a5a", "90, 90", "correct horse"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn secrets_are_wiped() {
    fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
    wiped(&MasterKey::generate());
    wiped(&wallet::StoredSecret::secret_bytes(&key()));
}
