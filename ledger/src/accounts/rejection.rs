//! Why nothing happens to an account.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{RecoveryStatus, RoleRejection};
use crate::amount::AssetId;

/// Why nothing happens to an account, or why nothing may leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum AccountRejection {
    /// The sender has an account.
    #[error("the account is open already")]
    AlreadyRegistered,
    /// Another account has the name.
    #[error("the name is taken")]
    NameTaken,
    /// Nobody has this address.
    #[error("there is no such account")]
    UnknownAccount,
    /// Only admins do this.
    #[error("only an admin may do this")]
    NotAdmin,
    /// An account has the key, or had it.
    #[error("an account has or had this key")]
    KeyUsed,
    /// The new key has not signed that it is to act for the account.
    #[error("the new key has not signed for the account")]
    BadKeyProof,
    /// The account has had all the keys it can have.
    #[error("an account has at most {max} keys, revoked ones among them")]
    TooManyKeys {
        /// How many there may be.
        max: u16,
    },
    /// Not a key of the account, or one that was revoked.
    #[error("the account has no such key")]
    UnknownKey,
    /// Nobody could act for the account.
    #[error("the last key of an account cannot be revoked")]
    LastKey,
    /// Guardians are other accounts, each named once, and not too many.
    #[error("guardians are other accounts, each named once, {max} at most")]
    BadGuardians {
        /// How many there may be.
        max: u16,
    },
    /// It takes at least one guardian, and at most all of them; without guardians it takes none.
    #[error("the threshold does not fit the number of guardians")]
    BadThreshold,
    /// Shorter or longer than the chain allows.
    #[error("the delay is shorter or longer than the chain allows")]
    BadDelay,
    /// Only guardians do this.
    #[error("only a guardian of the account may do this")]
    NotGuardian,
    /// No such recovery.
    #[error("there is no such recovery")]
    UnknownRecovery,
    /// Only the owner does this.
    #[error("only the owner of the account may do this")]
    NotOwner,
    /// Nothing more can happen to it, or the guardians are not those of its beginning.
    #[error("the recovery is over: {}", status.code())]
    RecoveryOver {
        /// How far it came.
        status: RecoveryStatus,
    },
    /// The guardian has agreed, and that counts.
    #[error("the guardian has agreed to it already")]
    AlreadyAgreed,
    /// An admin has stopped the account from spending.
    #[error("the account is frozen")]
    Frozen,
    /// More than its owner lets go out in a day. How much that is and was is the owner's own: somebody with an allowance meets it too.
    #[error("more {asset} than the owner lets go out in a day")]
    LimitExceeded {
        /// Of what.
        asset: AssetId,
    },
    /// It is as it would be.
    #[error("the account is frozen already")]
    AlreadyFrozen,
    /// It is as it would be.
    #[error("the account is not frozen")]
    NotFrozen,
    /// One admin alone must not be able to lock out the others.
    #[error("the account of an admin cannot be frozen")]
    AdminAccount,
    /// Nobody lifts a freeze of their own.
    #[error("another admin lifts this freeze")]
    OwnFreeze,
    /// Roles.
    #[error(transparent)]
    Role(#[from] RoleRejection),
    /// The guardian has asked for a recovery of the account that runs, or with this key, or too often in the place of one. Last, since
    /// the order is in the bytes of receipts.
    #[error("the guardian has asked for a recovery that runs or has this key, or too often for another one")]
    RecoveryOpen,
}

codes_of! {
    pub(crate) AccountRejection {
        AlreadyRegistered => "ALREADY_REGISTERED",
        NameTaken => "NAME_TAKEN",
        UnknownAccount => "UNKNOWN_ACCOUNT",
        NotAdmin => "NOT_ADMIN",
        KeyUsed => "KEY_USED",
        BadKeyProof => "BAD_KEY_PROOF",
        TooManyKeys => "TOO_MANY_KEYS",
        UnknownKey => "UNKNOWN_KEY",
        LastKey => "LAST_KEY",
        BadGuardians => "BAD_GUARDIANS",
        BadThreshold => "BAD_THRESHOLD",
        BadDelay => "BAD_DELAY",
        NotGuardian => "NOT_GUARDIAN",
        UnknownRecovery => "UNKNOWN_RECOVERY",
        NotOwner => "NOT_ACCOUNT_OWNER",
        RecoveryOver => "RECOVERY_OVER",
        AlreadyAgreed => "ALREADY_AGREED",
        Frozen => "ACCOUNT_FROZEN",
        LimitExceeded => "SPENDING_LIMIT_EXCEEDED",
        AlreadyFrozen => "ALREADY_FROZEN",
        NotFrozen => "NOT_FROZEN",
        AdminAccount => "ADMIN_ACCOUNT",
        OwnFreeze => "OWN_FREEZE",
        RecoveryOpen => "RECOVERY_OPEN",
        ..Role => RoleRejection,
    }
}
