//! Keys of many members in a folder.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use ledger::{AccountOp, Body, UnixMillis};
use pbft_crypto::{Address, Digest, KeyPair};
use tempfile::tempdir;
use wallet::{Custody, CustodyError, Kdf, Keystore, MasterKey};

use crate::names_in;

fn open_with(folder: &Path, master: u8, cached: usize) -> Result<Custody, CustodyError> {
    Custody::open(folder, MasterKey::from_bytes([master; 32]), NonZeroUsize::new(cached).unwrap())
}

fn open(folder: &Path) -> Custody {
    open_with(folder, 1, 4).unwrap()
}

fn body(sender: Address) -> Body {
    Body {
        chain_id: Digest::ZERO,
        operation: AccountOp::Register { name: "alice".parse().unwrap() }.into(),
        sender,
        nonce: 0,
        valid_until: UnixMillis::MAX,
        client_ref: [0; 16],
    }
}

fn assert_signs(custody: &Custody, account: Address) {
    let transaction = custody.sign(body(account)).unwrap();
    assert_eq!(transaction.verify_signature(), Ok(()));
    assert_eq!(Address::from_public_key(transaction.public_key()), account);
    assert_eq!(transaction.body(), &body(account));
}

/// Files made with another program, by the tables of `Custody`: they must open for ever.
const GOLDEN_CHECK: &str = "01000102030405060708090a0bbba6952620fe0679fe6ae7c42069c8a3aec66b0af591450071ca38\
     80a1873db24917188d0c5d7bfcfbe7fd564b38375a";
const GOLDEN_KEY: &str = "016465666768696a6b6c6d6e6f560522469e5b0097094f2269bed14d4a425b6b05017a0dd3ca01b2\
     ece0b41be8570d93bf014b5a57042fa88e540a20a9";

#[test]
fn files_of_version_1_open() {
    let folder = tempdir().unwrap();
    let account = Address::from_public_key(&KeyPair::from_secret_bytes(&[9; 32]).unwrap().public_key());
    fs::create_dir(folder.path().join("keys")).unwrap();
    fs::write(folder.path().join("check"), hex::decode(GOLDEN_CHECK).unwrap()).unwrap();
    fs::write(folder.path().join("keys").join(account.to_string()), hex::decode(GOLDEN_KEY).unwrap())
        .unwrap();
    assert_signs(&open(folder.path()), account);
}

#[test]
fn keys_sign_now_and_after_a_restart() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let public_keys: Vec<_> = (0..10).map(|_| custody.create_key().unwrap()).collect();
    let custody_again = open(folder.path());
    for public_key in public_keys {
        let account = Address::from_public_key(&public_key);
        for custody in [&custody, &custody_again] {
            assert_eq!(custody.public_key(&account).unwrap(), public_key);
            assert_signs(custody, account);
        }
    }
}

/// With room for one key the others are read from their files each time; the answers are the same.
#[test]
fn the_smallest_cache_is_enough() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), 1, 1).unwrap();
    let accounts: Vec<_> = (0..3).map(|_| Address::from_public_key(&custody.create_key().unwrap())).collect();
    for account in accounts.iter().cycle().take(9) {
        assert_signs(&custody, *account);
    }
}

/// A cached key signs even if its file is gone: no file is read.
#[test]
fn a_cached_key_signs_without_its_file() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), 1, 1).unwrap();
    let [first, second] = [(); 2].map(|()| Address::from_public_key(&custody.create_key().unwrap()));
    fs::remove_dir_all(folder.path().join("keys")).unwrap();
    assert_signs(&custody, second);
    assert!(matches!(custody.sign(body(first)), Err(CustodyError::UnknownAccount(a)) if a == first));
}

#[test]
fn a_key_from_elsewhere_is_kept_once() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let key = || KeyPair::from_secret_bytes(&[9; 32]).unwrap();
    let account = custody.keep(key()).unwrap();
    assert_eq!(account, Address::from_public_key(&key().public_key()));
    assert!(matches!(custody.keep(key()), Err(CustodyError::AlreadyKept(a)) if a == account));
    assert!(matches!(open(folder.path()).keep(key()), Err(CustodyError::AlreadyKept(_))));
    assert_signs(&open(folder.path()), account);
}

#[test]
fn unknown_accounts_are_named() {
    let folder = tempdir().unwrap();
    let stranger = Address::from_bytes([3; 32]);
    let refused = open(folder.path()).sign(body(stranger)).unwrap_err();
    assert_eq!(refused.to_string(), format!("no key is kept for {stranger}"));
}

#[test]
fn another_master_key_is_refused() {
    let folder = tempdir().unwrap();
    open(folder.path()).create_key().unwrap();
    assert!(matches!(open_with(folder.path(), 2, 4), Err(CustodyError::WrongMasterKey)));
    let check = folder.path().join("check");
    let bytes = fs::read(&check).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&check, flipped).unwrap();
        assert!(matches!(open_with(folder.path(), 1, 4), Err(CustodyError::WrongMasterKey)), "bit {bit}");
    }
}

/// Else a wrong master key would be taken for the right one.
#[test]
fn a_folder_of_keys_without_its_check_is_refused() {
    let folder = tempdir().unwrap();
    open(folder.path()).create_key().unwrap();
    let check = folder.path().join("check");
    fs::remove_file(&check).unwrap();
    assert!(matches!(open_with(folder.path(), 1, 4), Err(CustodyError::CheckMissing(at)) if at == check));
}

#[test]
fn every_flipped_bit_and_every_other_length_of_a_key_file_is_refused() {
    let folder = tempdir().unwrap();
    let account = Address::from_public_key(&open(folder.path()).create_key().unwrap());
    let path = folder.path().join("keys").join(account.to_string());
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len(), 61);
    let assert_damaged = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let refused = open(folder.path()).sign(body(account));
        assert!(matches!(refused, Err(CustodyError::Damaged(a)) if a == account), "{what}");
    };
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_damaged(&flipped, &format!("bit {bit}"));
    }
    for length in 0..bytes.len() {
        assert_damaged(&bytes[..length], &format!("{length} bytes"));
    }
    assert_damaged(&[&bytes[..], &[0]].concat(), "one byte more");
    fs::write(&path, bytes).unwrap();
    assert_signs(&open(folder.path()), account);
}

/// Someone who can write to the folder cannot make one member sign with another's key.
#[test]
fn files_of_two_members_cannot_be_exchanged() {
    let folder = tempdir().unwrap();
    let custody = open(folder.path());
    let [a, b] = [(); 2].map(|()| Address::from_public_key(&custody.create_key().unwrap()));
    let path = |account: Address| folder.path().join("keys").join(account.to_string());
    fs::copy(path(a), path(b)).unwrap();
    let refused = open(folder.path()).sign(body(b));
    assert!(matches!(refused, Err(CustodyError::Damaged(account)) if account == b));
}

#[test]
fn a_temporary_file_left_behind_is_harmless() {
    let folder = tempdir().unwrap();
    let account = Address::from_public_key(&open(folder.path()).create_key().unwrap());
    fs::write(folder.path().join("keys/.wallet-Ab12Cd.tmp"), "torn").unwrap();
    let custody = open(folder.path());
    assert_signs(&custody, account);
    custody.create_key().unwrap();
    assert_eq!(names_in(&folder.path().join("keys")).len(), 3);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it() {
    use crate::mode_of;
    let folder = tempdir().unwrap();
    let inner = folder.path().join("deep/custody");
    let account = Address::from_public_key(&open(&inner).create_key().unwrap());
    assert_eq!((mode_of(&inner), mode_of(&inner.join("keys"))), (0o700, 0o700));
    assert_eq!(mode_of(&inner.join("check")), 0o600);
    assert_eq!(mode_of(&inner.join("keys").join(account.to_string())), 0o600);
}

#[test]
fn threads_share_a_custody() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), 1, 2).unwrap();
    let accounts: Vec<Address> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mine = [(); 3].map(|()| Address::from_public_key(&custody.create_key().unwrap()));
                    for account in mine.iter().cycle().take(12) {
                        assert_signs(&custody, *account);
                    }
                    mine
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let names: Vec<String> = accounts.iter().map(ToString::to_string).collect();
    let mut sorted = names.clone();
    sorted.sort();
    assert_eq!(names_in(&folder.path().join("keys")), sorted);
}

/// The way that a server starts: password, master key, custody.
#[test]
fn the_master_key_lives_in_a_keystore() {
    let folder = tempdir().unwrap();
    let (file, keys) = (folder.path().join("master.json"), folder.path().join("custody"));
    let cached = NonZeroUsize::MIN;
    let created = Keystore::create(&file, &MasterKey::generate(), "password", Kdf::LEAST).unwrap();
    let custody = Custody::open(&keys, created.unlock("password").unwrap(), cached).unwrap();
    let account = Address::from_public_key(&custody.create_key().unwrap());

    let master = Keystore::open(&file).unwrap().unlock("password").unwrap();
    assert_signs(&Custody::open(&keys, master, cached).unwrap(), account);
}

#[test]
fn a_master_key_is_read_from_hex() {
    let hex = "0f".repeat(32);
    assert_eq!(hex.parse::<MasterKey>().unwrap().as_bytes(), &[0x0f; 32]);
    for wrong in ["", "0f", &hex[1..], &format!("{hex}0f"), &hex.replace('f', "g")] {
        assert!(wrong.parse::<MasterKey>().is_err(), "{wrong}");
    }
}

#[test]
fn debug_prints_no_secret() {
    let folder = tempdir().unwrap();
    let custody = open_with(folder.path(), 0x5a, 1).unwrap();
    custody.keep(KeyPair::from_secret_bytes(&[0x5a; 32]).unwrap()).unwrap();
    let shown = format!("{custody:?}");
    assert_eq!(shown, format!("Custody {{ folder: {:?}, .. }}", folder.path()));
}
