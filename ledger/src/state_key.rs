//! Names of the entries of the state, for those who want proof of one.

use pbft_crypto::{Address, Digest, PublicKey};
use serde::{Deserialize, Serialize};

use crate::amount::{AssetId, TokenId};
use crate::exchange::MarketId;
use crate::ids::{
    ChargeId, ListingId, OrderId, PaymentId, PollId, RecoveryId, ReplicaChangeId, ReplicaId, RoleChangeId,
    TradeId, WithdrawalId,
};
use crate::nonce::NonceWindow;
use crate::payments::ReferencedPayment;
use crate::state_tree::StateProof;
use crate::table::entry_key;
use crate::text::Reference;
use crate::{
    Account, AccountKey, Allowance, AutoCharges, Balance, Charge, ChargeRules, Freeze, Guardians, Listing,
    Market, Order, Payment, Poll, Record, Recovery, Replica, ReplicaChange, ReplicaKey, Review, ReviewSide,
    RoleChange, SoleApprovals, SpendingLimit, Supply, Token, Trade, Vote, Voters, Withdrawal,
};

/// An entry of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateKey {
    /// An [`Account`].
    Account(Address),
    /// A [`NonceWindow`].
    Nonces(Address),
    /// A [`Balance`].
    Balance(Address, AssetId),
    /// A [`Supply`].
    Supply(AssetId),
    /// A [`Charge`].
    Charge(ChargeId),
    /// A [`ReferencedPayment`].
    Reference(Address, Reference),
    /// A [`Listing`].
    Listing(ListingId),
    /// A [`Trade`].
    Trade(TradeId),
    /// A [`Replica`].
    Replica(ReplicaId),
    /// A [`ReplicaKey`].
    ReplicaKey(PublicKey),
    /// A [`ReplicaChange`].
    ReplicaChange(ReplicaChangeId),
    /// A [`Review`].
    Review(TradeId, ReviewSide),
    /// A [`Record`].
    Record(Address),
    /// A [`RoleChange`].
    RoleChange(RoleChangeId),
    /// An [`AccountKey`].
    AccountKey(PublicKey),
    /// The [`Guardians`] of an account.
    Guardians(Address),
    /// A [`Recovery`].
    Recovery(RecoveryId),
    /// The [`AutoCharges`] of an account.
    AutoCharges(Address),
    /// A [`Withdrawal`].
    Withdrawal(WithdrawalId),
    /// The [`ChargeRules`].
    ChargeRules,
    /// The last [`Freeze`] of an account.
    Freeze(Address),
    /// A [`SpendingLimit`].
    SpendingLimit(Address, AssetId),
    /// The [`SoleApprovals`] of an account.
    SoleApprovals(Address),
    /// A [`Token`].
    Token(TokenId),
    /// An [`Allowance`]: of whom, for whom, of what.
    Allowance(Address, Address, TokenId),
    /// A [`Market`].
    Market(MarketId),
    /// An [`Order`].
    Order(OrderId),
    /// A [`Poll`].
    Poll(PollId),
    /// A [`Vote`].
    Vote(PollId, Address),
    /// The [`Voters`] that a poll names.
    Census(PollId),
    /// A [`Payment`].
    Payment(PaymentId),
}

impl StateKey {
    /// The key under which a host stores the entry, and which the state tree is over.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Account(address) => entry_key::<Account>(address),
            Self::Nonces(address) => entry_key::<NonceWindow>(address),
            Self::Balance(address, asset) => entry_key::<Balance>(&(*address, *asset)),
            Self::Supply(asset) => entry_key::<Supply>(asset),
            Self::Charge(id) => entry_key::<Charge>(id),
            Self::Reference(payee, reference) => entry_key::<ReferencedPayment>(&(*payee, reference.clone())),
            Self::Listing(id) => entry_key::<Listing>(id),
            Self::Trade(id) => entry_key::<Trade>(id),
            Self::Replica(id) => entry_key::<Replica>(&id.to_bytes()),
            Self::ReplicaKey(key) => entry_key::<ReplicaKey>(key),
            Self::ReplicaChange(id) => entry_key::<ReplicaChange>(id),
            Self::Review(trade, side) => entry_key::<Review>(&(*trade, *side)),
            Self::Record(address) => entry_key::<Record>(address),
            Self::RoleChange(id) => entry_key::<RoleChange>(id),
            Self::AccountKey(key) => entry_key::<AccountKey>(key),
            Self::Guardians(address) => entry_key::<Guardians>(address),
            Self::Recovery(id) => entry_key::<Recovery>(id),
            Self::AutoCharges(address) => entry_key::<AutoCharges>(address),
            Self::Withdrawal(id) => entry_key::<Withdrawal>(id),
            Self::ChargeRules => entry_key::<ChargeRules>(&()),
            Self::Freeze(address) => entry_key::<Freeze>(address),
            Self::SpendingLimit(address, asset) => entry_key::<SpendingLimit>(&(*address, *asset)),
            Self::SoleApprovals(address) => entry_key::<SoleApprovals>(address),
            Self::Token(token) => entry_key::<Token>(token),
            Self::Allowance(owner, spender, token) => entry_key::<Allowance>(&(*owner, *spender, *token)),
            Self::Market(id) => entry_key::<Market>(id),
            Self::Order(id) => entry_key::<Order>(id),
            Self::Poll(id) => entry_key::<Poll>(id),
            Self::Vote(poll, voter) => entry_key::<Vote>(&(*poll, *voter)),
            Self::Census(id) => entry_key::<Voters>(id),
            Self::Payment(id) => entry_key::<Payment>(id),
        }
    }
}

/// An entry of the state with the way up to the state root of a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenEntry {
    /// The key.
    pub key: Vec<u8>,
    /// The encoded row.
    pub value: Vec<u8>,
    /// The way up.
    pub proof: StateProof,
}

impl ProvenEntry {
    /// Whether the state with this root has the entry.
    pub fn verify(&self, state_root: &Digest) -> bool {
        self.proof.verify(state_root, &self.key, &self.value)
    }
}
