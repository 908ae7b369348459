//! Where wallets are: one keystore file for each, in a folder that only its owner can enter.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use pbft_crypto::{Address, KeyPair, PublicKey};
use wallet::{Content, Keystore, KeystoreError};

use super::PassphraseArgs;
use crate::commands::CommandError;

/// The end of the files' names.
const SUFFIX: &str = ".wallet.json";

/// Which folder.
#[derive(Clone, Debug, Args)]
pub(in crate::commands) struct KeyFolderArgs {
    /// The folder with the wallets; $XDG_DATA_HOME/popmarket/wallets, or ~/.local/share/popmarket/wallets, if not given
    #[arg(long, env = "POPMARKET_KEYSTORE", value_name = "DIR", global = true)]
    keystore: Option<PathBuf>,
}

impl KeyFolderArgs {
    /// The folder, whether it exists or not.
    pub(in crate::commands) fn open(self) -> Result<KeyFolder, CommandError> {
        let folder = self.keystore.or_else(usual_folder);
        folder.map(KeyFolder).ok_or_else(|| {
            CommandError::Usage("neither XDG_DATA_HOME nor HOME is set: name a folder with --keystore".into())
        })
    }
}

fn usual_folder() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(data.join("popmarket/wallets"))
}

/// What a wallet is called on this computer: 1 to 64 letters, digits, `.`, `_` and `-`, and neither `.` nor `-` first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands) struct WalletName(String);

impl WalletName {
    /// Who has one wallet need not name it.
    pub(in crate::commands) const DEFAULT: &'static str = "default";
}

impl FromStr for WalletName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=64).contains(&text.len()) && text.chars().all(known);
        if fits && !text.starts_with(['.', '-']) {
            Ok(Self(text.to_owned()))
        } else {
            Err(
                "a wallet's name has 1 to 64 letters, digits, '.', '_' and '-', and a letter, digit or '_' first",
            )
        }
    }
}

impl fmt::Display for WalletName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of wallets.
#[derive(Clone, Debug)]
pub(in crate::commands) struct KeyFolder(PathBuf);

/// A wallet that is locked.
#[derive(Debug)]
pub(in crate::commands) struct Locked {
    pub(in crate::commands) name: WalletName,
    pub(in crate::commands) public_key: PublicKey,
    keystore: Keystore,
}

impl KeyFolder {
    #[cfg(test)]
    pub(in crate::commands) const fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder.
    pub(in crate::commands) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, so that only its owner can enter.
    pub(in crate::commands) fn make(&self) -> Result<(), CommandError> {
        use std::os::unix::fs::DirBuilderExt;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(|error| self.io(&error))
    }

    /// Where a wallet is, or would be.
    pub(super) fn file(&self, name: &WalletName) -> PathBuf {
        self.0.join(format!("{name}{SUFFIX}"))
    }

    /// The names of all wallets, in order.
    pub(super) fn names(&self) -> Result<Vec<WalletName>, CommandError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io(&error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(|error| self.io(&error))?.file_name();
            names.extend(file.to_str().and_then(|file| file.strip_suffix(SUFFIX)?.parse().ok()));
        }
        names.sort();
        Ok(names)
    }

    /// The wallet that is named, or the only one, or the one that is called `default`.
    pub(in crate::commands) fn choose(&self, name: Option<WalletName>) -> Result<Locked, CommandError> {
        if let Some(name) = name {
            return self.find(name);
        }
        let names = self.names()?;
        let usual = names.iter().find(|name| name.0 == WalletName::DEFAULT);
        match (names.as_slice(), usual) {
            ([only], _) => self.find(only.clone()),
            (_, Some(usual)) => self.find(usual.clone()),
            ([], None) => Err(CommandError::Usage(format!(
                "there is no wallet in {}: make one with `popmarket wallet new`",
                self.0.display()
            ))),
            (names, None) => {
                let names: Vec<_> = names.iter().map(ToString::to_string).collect();
                Err(CommandError::Usage(format!("which wallet? There are: {}", names.join(", "))))
            }
        }
    }

    /// The wallet with this name.
    pub(in crate::commands) fn find(&self, name: WalletName) -> Result<Locked, CommandError> {
        let path = self.file(&name);
        let keystore = Keystore::open(&path).map_err(|error| match error {
            KeystoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                CommandError::Usage(format!(
                    "there is no wallet {name} in {}: see `popmarket wallet list`",
                    self.0.display()
                ))
            }
            error => CommandError::Usage(format!("{}: {error}", path.display())),
        })?;
        match keystore.content() {
            Content::P256Key { public_key } => {
                let public_key = *public_key;
                Ok(Locked { name, public_key, keystore })
            }
            Content::CustodyMasterKey => {
                Err(CommandError::Usage(format!("{}: holds no key of an account", path.display())))
            }
        }
    }

    fn io(&self, error: &io::Error) -> CommandError {
        CommandError::Usage(format!("{}: {error}", self.0.display()))
    }
}

impl Locked {
    /// The account that begins with the wallet's key.
    pub(in crate::commands) fn address(&self) -> Address {
        Address::from_public_key(&self.public_key)
    }

    /// The key.
    pub(in crate::commands) fn unlock(&self, passphrase: &PassphraseArgs) -> Result<KeyPair, CommandError> {
        let text = passphrase.ask(&format!("Passphrase of wallet {}", self.name))?;
        self.keystore.unlock(&text).map_err(|error| keystore_error(&error))
    }

    pub(super) fn into_keystore(self) -> Keystore {
        self.keystore
    }
}

pub(super) fn keystore_error(error: &KeystoreError) -> CommandError {
    match error {
        KeystoreError::HashPassword(_) => CommandError::Failed(error.to_string()),
        _ => CommandError::Usage(error.to_string()),
    }
}
