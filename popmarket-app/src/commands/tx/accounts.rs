//! Accounts: names, keys, limits, guardians, and what admins do about them.

use std::path::PathBuf;

use clap::Subcommand;
use ledger::{
    AccountOp, Amount, AssetId, Label, Name, Operation, Reason, RecoveryId, Role, RoleChangeId, RoleOp,
    key_binding,
};
use pbft_crypto::{Address, PublicKey, Signature};

use super::{
    Facts, trades,
    values::{Span, named},
};
use crate::commands::{
    CommandError,
    wallet::{PassphraseArgs, WalletName},
};

#[derive(Debug, Subcommand)]
pub(super) enum AccountKind {
    /// Open an account for the wallet's key
    Register {
        /// The account's name, which no other account has
        name: Name,
    },
    /// Say what you think of the other one, after a trade
    Review(trades::Opinion),
    /// Set the most that may leave your account in a day
    Limit {
        /// How much; nothing is no limit
        per_day: Option<Amount>,
        /// Of what: POP, or a token
        #[arg(long, default_value = "POP")]
        asset: AssetId,
    },
    /// Stop an account from spending; for admins
    Freeze {
        /// Whose
        #[arg(value_name = "ADDRESS")]
        whose: Address,
        /// Why; everybody can read it
        reason: Reason,
    },
    /// Let it spend again; for another admin
    Unfreeze {
        /// Whose
        #[arg(value_name = "ADDRESS")]
        whose: Address,
    },
    /// What accounts may do; for admins
    #[command(subcommand)]
    Role(RoleKind),
}

#[derive(Debug, Subcommand)]
pub(super) enum RoleKind {
    /// Ask for another role for an account
    Propose {
        /// Whose
        #[arg(value_name = "ADDRESS")]
        whose: Address,
        /// member, admin, arbiter or courier
        #[arg(value_parser = named::<Role>)]
        role: Role,
    },
    /// Agree, as another admin
    Approve {
        /// The change
        change: RoleChangeId,
    },
    /// Turn it down, as another admin
    Reject {
        /// The change
        change: RoleChangeId,
        /// Why
        reason: Reason,
    },
}

impl AccountKind {
    pub(super) fn operation(self) -> Operation {
        match self {
            Self::Register { name } => AccountOp::Register { name }.into(),
            Self::Review(opinion) => opinion.operation().into(),
            Self::Limit { per_day, asset } => AccountOp::SetLimit { asset, per_day }.into(),
            Self::Freeze { whose: account, reason } => AccountOp::Freeze { account, reason }.into(),
            Self::Unfreeze { whose: account } => AccountOp::Unfreeze { account }.into(),
            Self::Role(kind) => AccountOp::Role(match kind {
                RoleKind::Propose { whose: account, role } => RoleOp::Propose { account, role },
                RoleKind::Approve { change } => RoleOp::Approve { change },
                RoleKind::Reject { change, reason } => RoleOp::Reject { change, reason },
            })
            .into(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyKind {
    /// Have another wallet's key sign for the account, too
    Add {
        /// The other wallet; the one that signs is given with --wallet
        other: WalletName,
        /// What you call it
        #[arg(long, default_value = "")]
        label: Label,
        /// The other wallet's passphrase in a file, instead of asking for it
        #[arg(long, value_name = "FILE")]
        other_passphrase_file: Option<PathBuf>,
    },
    /// Have another wallet's key sign for the account in place of the one that signs this
    Rotate {
        /// The other wallet; the one that signs is given with --wallet
        other: WalletName,
        /// What you call it
        #[arg(long, default_value = "")]
        label: Label,
        /// The other wallet's passphrase in a file, instead of asking for it
        #[arg(long, value_name = "FILE")]
        other_passphrase_file: Option<PathBuf>,
    },
    /// Have a key sign no more, for good
    Revoke {
        /// The public key
        key: PublicKey,
    },
    /// Call a key something else
    Label {
        /// The public key
        key: PublicKey,
        /// What you call it
        label: Label,
    },
}

impl KeyKind {
    pub(super) fn operation(self, facts: &Facts<'_>) -> Result<AccountOp, CommandError> {
        Ok(match self {
            Self::Add { other, label, other_passphrase_file } => {
                let (public_key, proof) = bind(facts, &facts.sender, other, other_passphrase_file)?;
                AccountOp::AddKey { public_key, proof, label }
            }
            Self::Rotate { other, label, other_passphrase_file } => {
                let (public_key, proof) = bind(facts, &facts.sender, other, other_passphrase_file)?;
                AccountOp::RotateKey { public_key, proof, label }
            }
            Self::Revoke { key: public_key } => AccountOp::RevokeKey { public_key },
            Self::Label { key: public_key, label } => AccountOp::LabelKey { public_key, label },
        })
    }
}

/// A wallet's key, and its signature that it wants to be one of the account's.
fn bind(
    facts: &Facts<'_>,
    account: &Address,
    name: WalletName,
    passphrase_file: Option<PathBuf>,
) -> Result<(PublicKey, Signature), CommandError> {
    let key = facts.wallets.find(name)?.unlock(&PassphraseArgs::from_file(passphrase_file))?;
    Ok((key.public_key(), key.sign(&key_binding(&facts.chain_id, account))))
}

#[derive(Debug, Subcommand)]
pub(super) enum RecoveryKind {
    /// Set who may bring your account back; nobody, to have no guardians
    Guardians {
        /// Their accounts
        #[arg(value_name = "ADDRESS")]
        guardians: Vec<Address>,
        /// How many of them it takes
        #[arg(long, default_value_t = 1)]
        threshold: u8,
        /// How long you may object
        #[arg(long, value_name = "SPAN", default_value = "7d")]
        delay: Span,
    },
    /// Ask, as a guardian, for another key for an account
    Propose {
        /// Whose
        #[arg(value_name = "ADDRESS")]
        whose: Address,
        /// The wallet with the new key
        other: WalletName,
        /// That wallet's passphrase in a file, instead of asking for it
        #[arg(long, value_name = "FILE")]
        other_passphrase_file: Option<PathBuf>,
    },
    /// Agree, as another guardian
    Agree {
        /// The recovery
        recovery: RecoveryId,
    },
    /// Stop it: you have a key after all
    Cancel {
        /// The recovery
        recovery: RecoveryId,
    },
}

impl RecoveryKind {
    pub(super) fn operation(self, facts: &Facts<'_>) -> Result<AccountOp, CommandError> {
        Ok(match self {
            Self::Guardians { guardians, threshold, delay: Span(delay) } => {
                AccountOp::SetGuardians { guardians, threshold, delay }
            }
            Self::Propose { whose: account, other, other_passphrase_file } => {
                let (public_key, proof) = bind(facts, &account, other, other_passphrase_file)?;
                AccountOp::ProposeRecovery { account, public_key, proof }
            }
            Self::Agree { recovery } => AccountOp::AgreeToRecovery { recovery },
            Self::Cancel { recovery } => AccountOp::CancelRecovery { recovery },
        })
    }
}
