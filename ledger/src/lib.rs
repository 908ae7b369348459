//! The ledger of POP Market: blocks, transactions, accounts, charges, payments, listings, escrow trades, replicas, reviews,
//! withdrawals, tokens and their exchange, and polls, as a deterministic state machine. It has no clock, no disk and no
//! network: the same [`Genesis`] and the same batches lead to the same blocks on every machine.
//!
//! ```text
//! bytes -> Transaction::decode -> verify_signature, Ledger::check     refused: nothing is recorded
//!       -> a place in the one order (not here)
//!       -> Ledger::apply(BatchInput) -> Applied { block, outcomes, events, changes }
//! ```
//!
//! * **A refusal** ([`Refusal`]) leaves no trace. **A rejection** ([`Rejection`]) is recorded and uses the nonce up, so that
//!   sending the same transaction again cannot change what came of it.
//! * **A block** ([`Block`]) is made by each batch that records a transaction or in which a deadline fires. Its header binds
//!   the transactions, the receipts and the whole state; each of them can be proven by itself.
//! * **Each kind of business has a room of its own**, with its operations, rows, rejections and events: accounts, charges,
//!   payments, listings, trades, replicas, reviews, withdrawals, tokens, exchange, polls. Those that move money do so by
//!   postings, which can only be carried out in full and only move what is there.
//!
//! # Buying something
//! ```
//! use ledger::*;
//! use pbft_crypto::{Address, Digest, KeyPair};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let [admin, seller, buyer] = [1, 2, 3].map(|n| KeyPair::from_secret_bytes(&[n; 32]).unwrap());
//! let account = |name: &str, key: &KeyPair, role, coins| GenesisAccount {
//!     name: name.parse().unwrap(),
//!     public_key: key.public_key(),
//!     role,
//!     coins: Amount::new(coins),
//! };
//! let genesis = Genesis {
//!     chain: "example".parse()?,
//!     time: UnixMillis::new(1_700_000_000_000),
//!     fee_account: Address::from_public_key(&admin.public_key()),
//!     params: Params::STANDARD,
//!     accounts: vec![
//!         account("admin", &admin, Role::Admin, 0),
//!         account("seller", &seller, Role::Member, 0),
//!         account("buyer", &buyer, Role::Member, 50_000),
//!     ],
//!     replicas: vec![NewReplica { public_key: admin.public_key(), address: "localhost:9000".parse()? }],
//! };
//! let mut ledger = Ledger::from_genesis(&genesis)?;
//!
//! // Signs an operation and records it in a block of its own, one minute after the last one.
//! let record = |ledger: &mut Ledger, key: &KeyPair, operation: Operation| {
//!     let sender = Address::from_public_key(&key.public_key());
//!     let body = Body {
//!         chain_id: *ledger.chain_id(),
//!         operation,
//!         sender,
//!         nonce: ledger.nonces(&sender).base(),
//!         valid_until: UnixMillis::MAX,
//!         client_ref: [0; 16],
//!     };
//!     let transaction = Transaction::sign(body, key);
//!     transaction.verify_signature().unwrap();
//!     let time = ledger.tip().time.plus(Millis::new(60_000));
//!     let seq = ledger.tip().seq + 1;
//!     let applied =
//!         ledger.apply(BatchInput { seq, view: 0, time, transactions: std::slice::from_ref(&transaction), replicas: Digest::ZERO });
//!     let block = applied.block.expect("recorded");
//!     assert!(block.receipts[0].outcome.is_applied());
//!     transaction.id()
//! };
//!
//! let content = ListingContent {
//!     title: "자전거".parse()?,
//!     description: "Two wheels.".parse()?,
//!     price: Amount::new(30_000),
//!     photos: Photos::default(),
//! };
//! let content_hash = content.hash();
//! let listing = ListingId::from(record(&mut ledger, &seller, ListingOp::Create { content }.into()));
//!
//! let buy = TradeOp::Open { listing, version: 1, content_hash };
//! let trade = TradeId::from(record(&mut ledger, &buyer, buy.into()));
//! let buyer_address = Address::from_public_key(&buyer.public_key());
//! let balance = ledger.balance(&buyer_address, AssetId::Pop);
//! assert_eq!((balance.available, balance.held), (Amount::new(20_000), Amount::new(30_000)));
//!
//! record(&mut ledger, &buyer, TradeOp::Confirm { trade }.into());
//! assert_eq!(ledger.trade(&trade).unwrap().state, TradeState::Released);
//! let seller_address = Address::from_public_key(&seller.public_key());
//! // The price less a fee of 1 %.
//! assert_eq!(ledger.balance(&seller_address, AssetId::Pop).available, Amount::new(29_700));
//!
//! // Anyone who knows the block's header can check the seller's balance.
//! let entry = ledger.prove(&StateKey::Balance(seller_address, AssetId::Pop)).unwrap();
//! assert!(entry.verify(&ledger.tip().state_root));
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

#[macro_use]
mod codes;

mod accounts;
mod amount;
mod block;
mod charges;
mod codec;
mod day_total;
mod deadlines;
mod event;
mod exchange;
mod execution;
mod genesis;
mod ids;
mod invariants;
mod ledger;
mod listings;
pub mod merkle;
mod money;
mod nonce;
mod payments;
mod polls;
mod refusal;
mod rejection;
mod replicas;
mod reviews;
mod state;
mod state_key;
pub mod state_tree;
mod table;
mod text;
mod time;
mod tokens;
mod trades;
mod transaction;
mod withdrawals;

pub use accounts::{
    Account, AccountEvent, AccountKey, AccountOp, AccountParams, AccountRejection, Agreement, Freeze,
    Guardians, LimitRaise, MAX_ACCOUNT_KEYS, MAX_GUARDIANS, MAX_LAPSED_WISHES, Recovery, RecoveryPlace,
    RecoveryStatus, Role, RoleChange, RoleChangeStatus, RoleEvent, RoleOp, RoleRejection, SpendingLimit,
    binding_preimage, key_binding,
};
pub use amount::{Amount, AssetId, BasisPoints, ShareTooLarge, SymbolError, TokenId, UnknownAsset};
pub use block::{Block, BlockHeader, Cause, MAX_BLOCK_BYTES, Outcome, Receipt, transactions_root};
pub use charges::{
    Approver, AutoCharges, Charge, ChargeEvent, ChargeOp, ChargeParams, ChargePolicy, ChargeRejection,
    ChargeRules, ChargeStatus, LoyaltyTier, PolicyProposal, SoleApprovals,
};
pub use codec::DecodeError;
pub use day_total::DayTotal;
pub use deadlines::{MAX_DEADLINES_PER_BLOCK, ObjectId};
pub use event::{Event, EventKind};
pub use exchange::{
    CancelReason, ExchangeEvent, ExchangeOp, ExchangeParams, ExchangeRejection, Lifetime, MAX_MEETINGS,
    Market, MarketId, MarketStatus, NewOrder, Order, OrderSide, OrderStatus, SelfTrade, UnknownMarketName,
};
pub use execution::{Applied, BatchInput, TxOutcome};
pub use genesis::{Genesis, GenesisAccount, GenesisError, Params};
pub use ids::{
    ChargeId, Height, ListingId, OrderId, PaymentId, PolicyProposalId, PollId, RecoveryId, ReplicaChangeId,
    ReplicaId, RoleChangeId, Salt, TradeId, TxId, WithdrawalId,
};
pub use invariants::InvariantViolation;
pub use ledger::{Ledger, RestoreError};
pub use listings::{
    Listing, ListingContent, ListingEvent, ListingOp, ListingRejection, ListingStatus, MAX_PHOTOS,
    MAX_VERSIONS, Photos, TooManyPhotos,
};
pub use money::{Balance, MoneyEvent, MoneyRejection, Supply};
pub use nonce::{NONCE_WINDOW, NonceWindow};
pub use payments::{
    Payment, PaymentEvent, PaymentOp, PaymentParams, PaymentRejection, PaymentStatus, ReferencedPayment,
    VoidedBy,
};
pub use polls::{
    BadOptions, BadVoters, Ballot, Census, MAX_POLL_OPTIONS, MAX_VOTERS, Poll, PollClosing, PollContent,
    PollEvent, PollOp, PollOptions, PollParams, PollPhase, PollRejection, PollTimes, Vote, Voters,
    vote_commitment,
};
pub use refusal::Refusal;
pub use rejection::Rejection;
pub use replicas::{
    MAX_REPLICAS, NewReplica, Replica, ReplicaChange, ReplicaChangeStatus, ReplicaEdit, ReplicaEvent,
    ReplicaKey, ReplicaOp, ReplicaRejection, ReplicaStatus, replica_set_hash,
};
pub use reviews::{
    End, Rating, Record, Review, ReviewEvent, ReviewOp, ReviewRejection, ReviewSide, Tally, UnknownRating,
    review_hash,
};
pub use state_key::{ProvenEntry, StateKey};
pub use table::{EntryError, StateChange};
pub use text::{
    Description, HandoverCode, HostPort, Label, Memo, Name, PollOption, Question, Reason, Reference,
    ReviewText, TextError, Title, TokenName, Tracking,
};
pub use time::{Millis, UnixMillis};
pub use tokens::{Allowance, Decimals, Token, TokenEvent, TokenOp, TokenRejection, TooManyDecimals};
pub use trades::{
    DeadlineKind, Dispute, MAX_EVIDENCE, MAX_GIVE_BACKS, MAX_HANDOVERS, MAX_OFFERS, Mover, Party, Payout,
    PossibleMove, Repeats, Return, Ruling, Split, SplitOffer, Trade, TradeAction, TradeChange, TradeDeadline,
    TradeEvent, TradeOp, TradeParams, TradeRejection, TradeState, handover_hash,
};
pub use transaction::{Auth, Body, EnvelopeError, MAX_TRANSACTION_BYTES, Operation, Transaction};
pub use withdrawals::{Withdrawal, WithdrawalEvent, WithdrawalOp, WithdrawalRejection, WithdrawalStatus};
