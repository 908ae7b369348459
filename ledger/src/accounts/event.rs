//! What happens to accounts.

use pbft_crypto::{Address, PublicKey};
use serde::{Deserialize, Serialize};

use super::{LimitRaise, Role, RoleEvent};
use crate::amount::{Amount, AssetId};
use crate::event::event_names;
use crate::ids::RecoveryId;
use crate::text::{Label, Name, Reason};
use crate::time::{Millis, UnixMillis};

/// What happens to accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountEvent {
    /// Someone takes part from now on.
    Registered {
        /// The new account.
        address: Address,
        /// Its name.
        name: Name,
        /// Its key.
        public_key: PublicKey,
        /// What it may do.
        role: Role,
        /// When.
        at: UnixMillis,
    },
    /// One more key signs for an account.
    KeyAdded {
        /// Whose.
        address: Address,
        /// Which.
        public_key: PublicKey,
        /// What the owner calls it.
        label: Label,
        /// When.
        at: UnixMillis,
    },
    /// A key signs for its account no more.
    KeyRevoked {
        /// Whose.
        address: Address,
        /// Which.
        public_key: PublicKey,
        /// When.
        at: UnixMillis,
    },
    /// A key has another name.
    KeyLabelled {
        /// Whose.
        address: Address,
        /// Which.
        public_key: PublicKey,
        /// What the owner calls it.
        label: Label,
        /// When.
        at: UnixMillis,
    },
    /// Others may bring the account back.
    GuardiansSet {
        /// Whose.
        address: Address,
        /// Who they are.
        guardians: Vec<Address>,
        /// How many of them it takes.
        threshold: u8,
        /// How long the owner may object.
        delay: Millis,
        /// When.
        at: UnixMillis,
    },
    /// A guardian asks for a new key.
    RecoveryProposed {
        /// Which recovery.
        recovery: RecoveryId,
        /// Of which account.
        address: Address,
        /// The new key.
        public_key: PublicKey,
        /// Who asks.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// A guardian agrees, or does so anew. Also told of the one who asked.
    RecoveryAgreed {
        /// Which recovery.
        recovery: RecoveryId,
        /// Of which account.
        address: Address,
        /// Who agrees.
        by: Address,
        /// When it takes effect, if that are enough now.
        due: Option<UnixMillis>,
        /// When.
        at: UnixMillis,
    },
    /// The new key is the only one. That the others are revoked is told by events of their own.
    Recovered {
        /// Which recovery.
        recovery: RecoveryId,
        /// Of which account.
        address: Address,
        /// The new key.
        public_key: PublicKey,
        /// When.
        at: UnixMillis,
    },
    /// The owner stopped it.
    RecoveryCancelled {
        /// Which recovery.
        recovery: RecoveryId,
        /// Of which account.
        address: Address,
        /// When.
        at: UnixMillis,
    },
    /// Its time came, but its guardians or its key would not do any more; or who had asked for it asked anew.
    RecoveryLapsed {
        /// Which recovery.
        recovery: RecoveryId,
        /// Of which account.
        address: Address,
        /// When.
        at: UnixMillis,
    },
    /// Another amount may leave an account in a day.
    LimitSet {
        /// Whose.
        address: Address,
        /// Of what.
        asset: AssetId,
        /// How much; nothing said is no limit.
        per_day: Option<Amount>,
        /// What will hold later, if the owner asked for more.
        raise: Option<LimitRaise>,
        /// When.
        at: UnixMillis,
    },
    /// An admin stopped an account from spending.
    Frozen {
        /// Whose.
        address: Address,
        /// By whom.
        by: Address,
        /// Why.
        reason: Reason,
        /// When.
        at: UnixMillis,
    },
    /// Another admin lets it spend again.
    Unfrozen {
        /// Whose.
        address: Address,
        /// By whom.
        by: Address,
        /// When.
        at: UnixMillis,
    },
    /// Roles.
    Role(RoleEvent),
}

event_names! {
    AccountEvent {
        Self::Registered { .. } => "account.registered",
        Self::KeyAdded { .. } => "account.key_added",
        Self::KeyRevoked { .. } => "account.key_revoked",
        Self::KeyLabelled { .. } => "account.key_labelled",
        Self::GuardiansSet { .. } => "account.guardians_set",
        Self::RecoveryProposed { .. } => "account.recovery_proposed",
        Self::RecoveryAgreed { .. } => "account.recovery_agreed",
        Self::Recovered { .. } => "account.recovered",
        Self::RecoveryCancelled { .. } => "account.recovery_cancelled",
        Self::RecoveryLapsed { .. } => "account.recovery_lapsed",
        Self::LimitSet { .. } => "account.limit_set",
        Self::Frozen { .. } => "account.frozen",
        Self::Unfrozen { .. } => "account.unfrozen",
    } and RoleEvent in Role
}

impl AccountEvent {
    /// Whose account it is about.
    pub const fn address(&self) -> &Address {
        match self {
            Self::Registered { address, .. }
            | Self::KeyAdded { address, .. }
            | Self::KeyRevoked { address, .. }
            | Self::KeyLabelled { address, .. }
            | Self::GuardiansSet { address, .. }
            | Self::RecoveryProposed { address, .. }
            | Self::RecoveryAgreed { address, .. }
            | Self::Recovered { address, .. }
            | Self::RecoveryCancelled { address, .. }
            | Self::RecoveryLapsed { address, .. }
            | Self::LimitSet { address, .. }
            | Self::Frozen { address, .. }
            | Self::Unfrozen { address, .. } => address,
            Self::Role(event) => event.account(),
        }
    }
}
