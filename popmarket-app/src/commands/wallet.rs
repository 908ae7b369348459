//! `popmarket wallet`: keys on this computer, each in a file under a passphrase.

mod folder;
mod keys;
mod passphrase;
mod sign;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(super) use self::{
    folder::{KeyFolder, KeyFolderArgs, Locked, WalletName},
    keys::read as read_file,
    passphrase::PassphraseArgs,
};
use super::{
    CommandError,
    answer::{Answer, give},
};

/// What to do with which wallets.
#[derive(Debug, Args)]
pub(super) struct WalletArgs {
    #[command(subcommand)]
    command: WalletCommand,
    #[command(flatten)]
    folder: KeyFolderArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Print one JSON object instead of words
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum WalletCommand {
    /// Make a key, and keep it under a passphrase
    New {
        /// What the wallet is called here
        #[arg(long, default_value = WalletName::DEFAULT)]
        name: WalletName,
    },
    /// Show the wallets and their addresses; takes no passphrase
    List,
    /// Keep a key that comes from elsewhere
    Import {
        /// A PKCS #8 key in PEM, or 64 hex digits; - is standard input
        file: PathBuf,
        /// What the wallet is called here
        #[arg(long, default_value = WalletName::DEFAULT)]
        name: WalletName,
    },
    /// Write a key to a new file, readable by whoever gets at the file
    Export {
        /// Which wallet
        name: WalletName,
        /// The file to make, in PEM (PKCS #8)
        file: PathBuf,
    },
    /// Sign a transaction, as `popmarket tx ... --dry-run --json` prints it; prints it signed, in hex
    Sign {
        /// The transaction's body: JSON, hex, or its canonical bytes; - is standard input
        file: PathBuf,
        /// With which wallet, if there are several
        #[arg(long)]
        name: Option<WalletName>,
    },
    /// Keep a key under another passphrase
    Passphrase {
        /// Which wallet
        name: WalletName,
        /// The new passphrase in a file, instead of asking for it
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
    },
    /// Call a wallet something else
    Rename {
        /// Which wallet
        name: WalletName,
        /// Its new name
        to: WalletName,
    },
    /// Remove a wallet: without another copy of its key, whatever the account holds is lost
    Remove {
        /// Which wallet
        name: WalletName,
        /// Its address, to show that it is the one that is meant
        #[arg(long, value_name = "ADDRESS")]
        confirm: pbft_crypto::Address,
    },
}

pub(super) fn run(args: WalletArgs) -> Result<(), CommandError> {
    let json = args.json;
    give(carry_out(args), json)
}

fn carry_out(args: WalletArgs) -> Result<Answer, CommandError> {
    let WalletArgs { command, folder, passphrase, .. } = args;
    let folder = folder.open()?;
    match command {
        WalletCommand::New { name } => keys::new(&folder, &name, &passphrase),
        WalletCommand::List => keys::list(&folder),
        WalletCommand::Import { file, name } => keys::import(&folder, &name, &file, &passphrase),
        WalletCommand::Export { name, file } => keys::export(&folder, &name, &file, &passphrase),
        WalletCommand::Sign { file, name } => sign::sign(&folder, name, &file, &passphrase),
        WalletCommand::Passphrase { name, new_passphrase_file } => {
            let new = PassphraseArgs::from_file(new_passphrase_file);
            keys::change_passphrase(&folder, &name, &passphrase, &new)
        }
        WalletCommand::Rename { name, to } => keys::rename(&folder, &name, &to),
        WalletCommand::Remove { name, confirm } => keys::remove(&folder, &name, &confirm),
    }
}
