use ledger::{AccountKey, Guardians, Label, Ledger, Millis, Recovery, RecoveryId, RecoveryStatus};
use pbft_crypto::{Address, PublicKey, Signature};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::timestamp::rfc3339;

/// One more key for one's account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// A compressed P-256 point in hex. It never was a key of any account.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// The signature with it of the digest, under `popmarket.key.v1`, of chain id and address: `GET /v1/members/me/keys`
    /// has the bytes.
    #[schema(value_type = String)]
    pub proof: Signature,
    /// What you call it.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 40, example = "phone")]
    pub label: Label,
}

/// Another name for a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyNaming {
    /// What you call it from now on.
    #[schema(value_type = String, max_length = 40, example = "old phone")]
    pub label: Label,
}

/// A key of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// The key.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// What its owner calls it. Only its owner sees that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub label: Option<Label>,
    /// Whether it signs for the account.
    pub live: bool,
    /// Since when it has been one of the account's.
    #[schema(format = DateTime)]
    pub added_at: String,
    /// When it ceased to sign.
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
}

impl KeyView {
    fn new(public_key: PublicKey, row: &AccountKey, is_own: bool) -> Self {
        Self {
            public_key,
            label: is_own.then(|| row.label.clone()),
            live: row.is_live(),
            added_at: rfc3339(row.added_at),
            revoked_at: row.revoked_at.map(rfc3339),
        }
    }

    /// All keys that an account has or had, the first ones first.
    pub fn all(ledger: &Ledger, account: &Address, is_own: bool) -> Vec<Self> {
        let mut keys: Vec<_> = ledger.keys(account).collect();
        keys.sort_by_key(|(_, row)| row.added_at);
        keys.into_iter().map(|(key, row)| Self::new(key, row, is_own)).collect()
    }
}

/// One's own keys, and what a new one has to sign.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnKeys {
    /// All that there ever were, the first ones first.
    pub data: Vec<KeyView>,
    /// The bytes, in hex, whose SHA-256 a new key signs.
    pub to_sign: String,
}

/// Who may bring one's account back.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGuardians {
    /// The addresses of other accounts, 16 at most. Nobody, to have none.
    #[schema(value_type = Vec<String>, max_items = 16)]
    pub guardians: Vec<Address>,
    /// How many of them it takes.
    #[schema(example = 2)]
    pub threshold: u8,
    /// How long you may object before a new key holds, in seconds.
    #[schema(example = 172_800)]
    pub delay_seconds: u64,
}

impl NewGuardians {
    /// The delay as the ledger takes it.
    pub const fn delay(&self) -> Millis {
        Millis::new(self.delay_seconds.saturating_mul(1_000))
    }
}

/// Who may bring an account back.
#[derive(Debug, Serialize, ToSchema)]
pub struct GuardiansView {
    /// The addresses of their accounts.
    #[schema(value_type = Vec<String>)]
    pub guardians: Vec<Address>,
    /// How many of them it takes.
    pub threshold: u8,
    /// How long the owner may object, in seconds.
    pub delay_seconds: u64,
    /// Since when.
    #[schema(format = DateTime)]
    pub since: String,
}

impl GuardiansView {
    /// What the chain says now.
    pub fn new(ledger: &Ledger, account: &Address) -> Option<Self> {
        let Guardians { guardians, threshold, delay, since, .. } = ledger.guardians(account)?.clone();
        let delay_seconds = delay.value() / 1_000;
        Some(Self { guardians, threshold, delay_seconds, since: rfc3339(since) })
    }
}

/// A new key for an account whose own are lost.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecovery {
    /// The new key, which is to be the only one.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// The signature with it of the digest, under `popmarket.key.v1`, of chain id and address of the account.
    #[schema(value_type = String)]
    pub proof: Signature,
}

/// A wish of guardians that an account have another key.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryView {
    /// What names it.
    #[schema(value_type = String)]
    pub id: RecoveryId,
    /// Which account.
    #[schema(value_type = String)]
    pub account: Address,
    /// The new key.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// Which guardians agree.
    #[schema(value_type = Vec<String>)]
    pub agreed: Vec<Address>,
    /// When each of them did, in the same order. One whose account was frozen after that does not count until it agrees anew.
    pub agreed_at: Vec<String>,
    /// `PROPOSED`, `READY` (enough agree: it takes effect at `due`), `DONE`, `CANCELLED` (by the owner) or `LAPSED` (the
    /// guardians were others, too few agreed, or the key was in use, when its time came; or the guardian who had asked for it
    /// asked for another key).
    #[schema(example = "READY")]
    pub status: &'static str,
    /// When it takes effect.
    #[schema(format = DateTime)]
    pub due: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub proposed_at: String,
}

impl RecoveryView {
    /// What the chain says now.
    pub fn new(id: RecoveryId, row: &Recovery) -> Self {
        let Recovery { account, public_key, agreed, status, proposed_at, .. } = row.clone();
        let due = match status {
            RecoveryStatus::Ready { due } => Some(rfc3339(due)),
            _ => None,
        };
        Self {
            id,
            account,
            public_key,
            agreed: agreed.iter().map(|word| word.guardian).collect(),
            agreed_at: agreed.iter().map(|word| rfc3339(word.at)).collect(),
            status: status.code(),
            due,
            proposed_at: rfc3339(proposed_at),
        }
    }
}

/// Recoveries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryList {
    /// The items.
    pub data: Vec<RecoveryView>,
    /// Whether the list goes on in the direction in which this part was asked for.
    pub has_more: bool,
    /// If others have named you besides those whose recoveries these are: `guarded_after` of the request for theirs.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_guarded: Option<Address>,
}
