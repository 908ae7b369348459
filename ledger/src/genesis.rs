//! How a chain begins: who is there, and by which rules it goes on.

use std::collections::BTreeSet;

use pbft_crypto::{Address, Digest, Domain, PublicKey, digest};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::accounts::{Account, AccountParams, AccountRejection, Role};
use crate::amount::{Amount, BasisPoints};
use crate::charges::ChargeParams;
use crate::codec::encode;
use crate::event::EventKind;
use crate::exchange::ExchangeParams;
use crate::ids::ReplicaId;
use crate::money::{MoneyRejection, Posting, Side};
use crate::payments::PaymentParams;
use crate::polls::PollParams;
use crate::replicas::{MAX_REPLICAS, NewReplica, ReplicaRejection, replica_set_hash};
use crate::state::State;
use crate::text::Name;
use crate::time::UnixMillis;
use crate::trades::TradeParams;

const DOMAIN: Domain = Domain::new("popmarket.genesis.v1");

/// The beginning of a chain. Everyone who starts from the same one gets the same first block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// What the chain is called.
    pub chain: Name,
    /// The time of the first block.
    pub time: UnixMillis,
    /// The account that fees go to: one of `accounts`.
    pub fee_account: Address,
    /// The rules that operators choose.
    pub params: Params,
    /// Who is there from the start. At least one is an admin.
    pub accounts: Vec<GenesisAccount>,
    /// The first replicas. Their ids are their places in the list, from 0.
    pub replicas: Vec<NewReplica>,
}

/// An account that is there from the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisAccount {
    /// Its name.
    pub name: Name,
    /// Its key, which its address comes from.
    pub public_key: PublicKey,
    /// What it may do.
    pub role: Role,
    /// What is minted for it.
    pub coins: Amount,
}

impl GenesisAccount {
    /// Its address.
    pub fn address(&self) -> Address {
        Address::from_public_key(&self.public_key)
    }
}

/// The rules that operators choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Params {
    /// The share of each sale that goes to the fee account.
    pub fee: BasisPoints,
    /// How many replicas there may be, at most [`MAX_REPLICAS`].
    pub max_replicas: u16,
    /// How long everyone may take in a trade.
    pub trade: TradeParams,
    /// The rules about charges.
    pub charges: ChargeParams,
    /// The rules about keys and limits.
    pub accounts: AccountParams,
    /// The exchange's.
    pub exchange: ExchangeParams,
    /// Payments.
    pub payments: PaymentParams,
    /// Polls.
    pub polls: PollParams,
}

impl Params {
    /// A fee of 1 %, [`MAX_REPLICAS`] replicas, and the standard of each room.
    pub const STANDARD: Self = Self {
        fee: match BasisPoints::new(100) {
            Some(fee) => fee,
            None => unreachable!(),
        },
        max_replicas: MAX_REPLICAS,
        trade: TradeParams::STANDARD,
        charges: ChargeParams::STANDARD,
        accounts: AccountParams::STANDARD,
        exchange: ExchangeParams::STANDARD,
        payments: PaymentParams::STANDARD,
        polls: PollParams::STANDARD,
    };
}

/// Why no chain can begin like this.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// Nobody could approve a charge.
    #[error("no account is an admin")]
    NoAdmin,
    /// Fees would go to nobody.
    #[error("the fee account is not among the accounts")]
    UnknownFeeAccount,
    /// Not a point of the curve: nobody could sign for the account.
    #[error("the key of {0} is not a point of the curve")]
    BadKey(Name),
    /// Two accounts have the same name or key.
    #[error("account {name}: {rejection}")]
    Account {
        /// The second one.
        name: Name,
        /// What is wrong with it.
        rejection: AccountRejection,
    },
    /// More replicas may join than the consensus can have.
    #[error("{0} replicas are more than {MAX_REPLICAS}")]
    MaxReplicas(u16),
    /// The first tier does not begin with the first charge, or a tier begins before the one before it ends.
    #[error("the tiers of loyalty points do not come one after the other from 1 on")]
    LoyaltyTiers,
    /// Somebody in a trade would have no time at all.
    #[error("a span of time in a trade is zero")]
    NoTime,
    /// Nobody would order transactions, or too many would, or two have the same key or address.
    #[error("replicas: {0}")]
    Replicas(#[from] ReplicaRejection),
    /// The coins are too many.
    #[error(transparent)]
    Coins(#[from] MoneyRejection),
}

impl Genesis {
    /// What names the chain in every transaction.
    pub fn chain_id(&self) -> Digest {
        digest(DOMAIN, &encode(self))
    }

    /// What the set of the first replicas is called.
    pub fn replica_set_hash(&self) -> Digest {
        let keys = self.replicas.iter().map(|replica| replica.public_key);
        replica_set_hash((0..=u16::MAX).map(ReplicaId::new).zip(keys))
    }

    /// The state that the chain begins with, and how it came to be.
    pub(crate) fn state(&self) -> Result<(State, Vec<EventKind>), GenesisError> {
        self.check()?;
        let mut state = State::new(self);
        let mut events = Vec::new();
        for account in &self.accounts {
            let GenesisAccount { name, public_key, role, coins } = account;
            let row = Account {
                name: name.clone(),
                key: *public_key,
                role: *role,
                charge_count: 0,
                registered_at: self.time,
            };
            state
                .accounts
                .open(account.address(), row, &mut events)
                .map_err(|rejection| GenesisError::Account { name: name.clone(), rejection })?;
            let mint = Posting::new(*coins, Side::Issuer, Side::Available(account.address()));
            state.money.post(&[mint], &mut events)?;
        }
        state.replicas.begin(&self.replicas, self.params.max_replicas, self.time, &mut events)?;
        Ok((state, events))
    }

    pub(crate) fn check(&self) -> Result<(), GenesisError> {
        if !self.accounts.iter().any(|account| account.role == Role::Admin) {
            return Err(GenesisError::NoAdmin);
        }
        let addresses: BTreeSet<Address> = self.accounts.iter().map(GenesisAccount::address).collect();
        if !addresses.contains(&self.fee_account) {
            return Err(GenesisError::UnknownFeeAccount);
        }
        if self.params.max_replicas > MAX_REPLICAS {
            return Err(GenesisError::MaxReplicas(self.params.max_replicas));
        }
        if !self.params.charges.are_sound() {
            return Err(GenesisError::LoyaltyTiers);
        }
        if !self.params.trade.are_sound() {
            return Err(GenesisError::NoTime);
        }
        let is_bad =
            |account: &&GenesisAccount| PublicKey::from_sec1_bytes(account.public_key.as_bytes()).is_err();
        match self.accounts.iter().find(is_bad) {
            Some(account) => Err(GenesisError::BadKey(account.name.clone())),
            None => Ok(()),
        }
    }
}
