//! What can be done with wallets.

use std::{fs, io::Read, path::Path};

use pbft_crypto::{Address, KeyPair};
use serde_json::{Value, json};
use wallet::{Kdf, Keystore, KeystoreError};
use zeroize::Zeroizing;

use super::{
    KeyFolder, PassphraseArgs, WalletName,
    folder::{Locked, keystore_error},
};
use crate::{
    commands::{CommandError, answer::Answer},
    config::write_private,
};

/// No file with a key or a transaction in it is larger.
const MOST_BYTES: u64 = 256 << 10;

pub(super) fn new(
    folder: &KeyFolder,
    name: &WalletName,
    passphrase: &PassphraseArgs,
) -> Result<Answer, CommandError> {
    keep(folder, name, &KeyPair::generate(), passphrase)
}

pub(super) fn import(
    folder: &KeyFolder,
    name: &WalletName,
    file: &Path,
    passphrase: &PassphraseArgs,
) -> Result<Answer, CommandError> {
    let key = parse_key(&read(file)?);
    let key = key.map_err(|why| CommandError::Usage(format!("{}: {why}", file.display())))?;
    keep(folder, name, &key, passphrase)
}

/// A key in PEM, or in hex as the files of nodes have it.
fn parse_key(bytes: &[u8]) -> Result<KeyPair, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a text")?.trim();
    if text.starts_with("-----") {
        return KeyPair::from_pkcs8_pem(text).map_err(|error| error.to_string());
    }
    let mut secret = Zeroizing::new([0; 32]);
    let neither = |_| "neither a key in PEM (PKCS #8) nor 64 hex digits";
    hex::decode_to_slice(text, &mut *secret).map_err(neither)?;
    KeyPair::from_secret_bytes(&secret).map_err(|error| error.to_string())
}

fn keep(
    folder: &KeyFolder,
    name: &WalletName,
    key: &KeyPair,
    passphrase: &PassphraseArgs,
) -> Result<Answer, CommandError> {
    let file = folder.file(name);
    if file.exists() {
        return Err(taken(name));
    }
    let passphrase = passphrase.choose(&format!("New passphrase for wallet {name}"))?;
    folder.make()?;
    Keystore::create(&file, key, &passphrase, Kdf::default()).map_err(|error| match error {
        KeystoreError::Exists(_) => taken(name),
        error => keystore_error(&error),
    })?;
    let public_key = key.public_key();
    let address = Address::from_public_key(&public_key);
    let words = format!(
        "wallet {name}\n  address     {address}\n  public key  {public_key}\n  file        {}\n\n\
         Keep a copy of the file and the passphrase: without them nobody can get at the account.",
        file.display()
    );
    Ok(Answer::done(describe(name, address, public_key, &file), words))
}

fn taken(name: &WalletName) -> CommandError {
    CommandError::Usage(format!("there is a wallet {name} already: choose another --name"))
}

fn describe(name: &WalletName, address: Address, public_key: pbft_crypto::PublicKey, file: &Path) -> Value {
    json!({
        "name": name.to_string(),
        "address": address,
        "public_key": public_key,
        "file": file.display().to_string(),
    })
}

/// A file that cannot be read is told of, and does not hide the others.
pub(super) fn list(folder: &KeyFolder) -> Result<Answer, CommandError> {
    let (mut wallets, mut lines) = (Vec::new(), Vec::new());
    for name in folder.names()? {
        match folder.find(name) {
            Ok(wallet) => {
                let Locked { name, public_key, .. } = &wallet;
                wallets.push(describe(name, wallet.address(), *public_key, &folder.file(name)));
                lines.push(format!("{}  {name}", wallet.address()));
            }
            Err(error) => complain!("popmarket: {error}"),
        }
    }
    if lines.is_empty() {
        lines.push(format!("no wallets in {}", folder.path().display()));
    }
    Ok(Answer::new(json!({ "wallets": wallets }), lines.join("\n")))
}

pub(super) fn export(
    folder: &KeyFolder,
    name: &WalletName,
    file: &Path,
    passphrase: &PassphraseArgs,
) -> Result<Answer, CommandError> {
    if file.exists() {
        return Err(CommandError::Usage(format!("{} exists: nothing is overwritten", file.display())));
    }
    let wallet = folder.find(name.clone())?;
    let key = wallet.unlock(passphrase)?;
    write_private(file, key.to_pkcs8_pem().as_bytes())?;
    complain!("Whoever reads {} can spend what the account has: it is not encrypted.", file.display());
    let shown = file.display().to_string();
    let words = format!("the key of {} is in {shown}", wallet.address());
    Ok(Answer::done(
        json!({ "name": name.to_string(), "address": wallet.address(), "exported": shown }),
        words,
    ))
}

pub(super) fn change_passphrase(
    folder: &KeyFolder,
    name: &WalletName,
    old: &PassphraseArgs,
    new: &PassphraseArgs,
) -> Result<Answer, CommandError> {
    let mut keystore = folder.find(name.clone())?.into_keystore();
    let old = old.ask(&format!("Passphrase of wallet {name}"))?;
    // Before the new one is typed.
    keystore.unlock::<KeyPair>(&old).map_err(|error| keystore_error(&error))?;
    let new = new.choose(&format!("New passphrase for wallet {name}"))?;
    let changed = keystore.change_password::<KeyPair>(&old, &new, Kdf::default());
    changed.map_err(|error| keystore_error(&error))?;
    let words = format!("wallet {name} has a new passphrase. Copies of its old file still have the old one.");
    Ok(Answer::done(json!({ "name": name.to_string() }), words))
}

pub(super) fn rename(folder: &KeyFolder, name: &WalletName, to: &WalletName) -> Result<Answer, CommandError> {
    let wallet = folder.find(name.clone())?;
    let (old, new) = (folder.file(name), folder.file(to));
    // Unlike a rename, a link never takes the place of another file.
    fs::hard_link(&old, &new).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => taken(to),
        _ => CommandError::Usage(format!("{}: {error}", new.display())),
    })?;
    remove_file(&old)?;
    let described = describe(to, wallet.address(), wallet.public_key, &new);
    Ok(Answer::done(described, format!("wallet {name} is called {to} now")))
}

pub(super) fn remove(
    folder: &KeyFolder,
    name: &WalletName,
    confirm: &Address,
) -> Result<Answer, CommandError> {
    let wallet = folder.find(name.clone())?;
    if wallet.address() != *confirm {
        return Err(CommandError::Usage(format!(
            "the address of wallet {name} is {}, not {confirm}: nothing was removed",
            wallet.address()
        )));
    }
    let file = folder.file(name);
    remove_file(&file)?;
    let described = describe(name, wallet.address(), wallet.public_key, &file);
    Ok(Answer::done(described, format!("wallet {name} is removed")))
}

fn remove_file(path: &Path) -> Result<(), CommandError> {
    fs::remove_file(path).map_err(|error| CommandError::Usage(format!("{}: {error}", path.display())))
}

/// A small file, or standard input.
pub(in crate::commands) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = MOST_BYTES + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) if bytes.len() as u64 <= MOST_BYTES => Ok(bytes),
        Ok(_) => Err(CommandError::Usage(format!("{}: more than {MOST_BYTES} bytes", path.display()))),
        Err(error) => Err(CommandError::Usage(format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_pem_and_hex() {
        let key = KeyPair::from_secret_bytes(&[7; 32]).unwrap();
        let (pem, hex) = (key.to_pkcs8_pem(), hex::encode([7; 32]));
        for text in [pem.as_str(), &format!("\n{}\n", *pem), &hex, &format!("{hex}\n")] {
            assert_eq!(parse_key(text.as_bytes()).unwrap().public_key(), key.public_key(), "{text}");
        }
        for bad in ["", "07", "-----BEGIN", &pem.replace("PRIVATE", "PUBLIC"), &"00".repeat(32), "\u{fffd}"] {
            assert!(parse_key(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse_key(&[0xff, 0xfe]).is_err());
    }

    #[test]
    fn a_wallet_is_one_file_that_nothing_takes_the_place_of() {
        let temporary = crate::load::TemporaryFolder::new("popmarket-test").unwrap();
        let passphrase = temporary.path().join("passphrase");
        fs::write(&passphrase, "correct horse\n").unwrap();
        let passphrase = PassphraseArgs::from_file(Some(passphrase));
        let folder = KeyFolder::at(temporary.path().join("a/b"));
        let name = |text: &str| text.parse::<WalletName>().unwrap();
        let made = new(&folder, &name("ann"), &passphrase).unwrap().json;
        new(&folder, &name("bob"), &passphrase).unwrap();
        assert!(matches!(new(&folder, &name("ann"), &passphrase), Err(CommandError::Usage(_))));
        assert!(matches!(rename(&folder, &name("ann"), &name("bob")), Err(CommandError::Usage(_))));
        assert!(folder.choose(None).is_err(), "there are two, and none is called default");
        rename(&folder, &name("ann"), &name("default")).unwrap();
        let wallet = folder.choose(None).unwrap();
        assert_eq!(json!(wallet.address()), made["address"]);
        let key = wallet.unlock(&passphrase).unwrap();
        assert_eq!(key.public_key(), wallet.public_key);

        let file = temporary.path().join("ann.pem");
        export(&folder, &name("default"), &file, &passphrase).unwrap();
        assert!(matches!(export(&folder, &name("bob"), &file, &passphrase), Err(CommandError::Usage(_))));
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(folder.path()).unwrap().permissions().mode() & 0o777, 0o700);

        let address = wallet.address();
        assert!(remove(&folder, &name("bob"), &address).is_err(), "the address is another wallet's");
        remove(&folder, &name("default"), &address).unwrap();
        let back = import(&folder, &name("back"), &file, &passphrase).unwrap().json;
        assert_eq!(back["address"], made["address"]);
        assert_eq!(list(&folder).unwrap().json["wallets"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn names_of_wallets_stay_in_their_folder() {
        for good in ["a", "ann", "_x", "A-1.b", &"x".repeat(64)] {
            assert_eq!(good.parse::<WalletName>().unwrap().to_string(), good);
        }
        for bad in ["", ".", "..", "-x", "a/b", "../a", "a b", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<WalletName>().is_err(), "{bad}");
        }
    }
}
