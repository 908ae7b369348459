//! The envelope of every transaction: what its sender signs, and the signature.

use pbft_crypto::{Address, Digest, Domain, KeyPair, PublicKey, Signature, digest, verify};
use serde::{Deserialize, Serialize};

use crate::accounts::AccountOp;
use crate::charges::ChargeOp;
use crate::codec::{DecodeError, decode, decode_lenient, encode};
use crate::deadlines::ObjectId;
use crate::exchange::ExchangeOp;
use crate::ids::{ListingId, TxId};
use crate::listings::ListingOp;
use crate::payments::PaymentOp;
use crate::polls::PollOp;
use crate::refusal::Refusal;
use crate::replicas::ReplicaOp;
use crate::reviews::ReviewOp;
use crate::time::UnixMillis;
use crate::tokens::TokenOp;
use crate::trades::TradeOp;
use crate::withdrawals::WithdrawalOp;

const DOMAIN: Domain = Domain::new("popmarket.transaction.v1");

/// The most bytes that a transaction may have.
pub const MAX_TRANSACTION_BYTES: usize = 16 * 1024;

/// Why bytes are not a transaction.
pub type EnvelopeError = DecodeError;

/// What a transaction does. A new kind of business is a new variant at the end: the number of a variant is in the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Accounts.
    Account(AccountOp),
    /// Topping up.
    Charge(ChargeOp),
    /// Payments.
    Payment(PaymentOp),
    /// Things for sale.
    Listing(ListingOp),
    /// Purchases.
    Trade(TradeOp),
    /// Who the replicas are.
    Replica(ReplicaOp),
    /// What buyers and sellers say of each other.
    Review(ReviewOp),
    /// Taking money out.
    Withdrawal(WithdrawalOp),
    /// Tokens.
    Token(TokenOp),
    /// The exchange.
    Exchange(ExchangeOp),
    /// Votes.
    Poll(PollOp),
}

impl Operation {
    /// The existing object that it is about, if that is of a kind that can have a deadline.
    pub(crate) fn object(&self) -> Option<ObjectId> {
        match self {
            Self::Trade(op) => op.trade().map(ObjectId::Trade),
            Self::Review(ReviewOp::Post { trade, .. }) => Some(ObjectId::Trade(*trade)),
            Self::Account(op) => op.recovery().map(ObjectId::Recovery),
            Self::Exchange(op) => op.order().map(ObjectId::Order),
            Self::Payment(op) => op.payment().map(ObjectId::Payment),
            Self::Poll(op) => op.poll().map(ObjectId::Poll),
            Self::Charge(_) | Self::Listing(_) | Self::Replica(_) | Self::Withdrawal(_) | Self::Token(_) => {
                None
            }
        }
    }

    /// The existing listing that it is about.
    pub(crate) const fn listing(&self) -> Option<ListingId> {
        match self {
            Self::Trade(TradeOp::Open { listing, .. })
            | Self::Listing(ListingOp::Update { listing, .. } | ListingOp::Close { listing }) => {
                Some(*listing)
            }
            _ => None,
        }
    }
}

macro_rules! operation_from {
    ($($variant:ident($op:ty)),*) => {
        $(impl From<$op> for Operation {
            fn from(op: $op) -> Self {
                Self::$variant(op)
            }
        })*
    };
}

operation_from!(
    Account(AccountOp),
    Charge(ChargeOp),
    Payment(PaymentOp),
    Listing(ListingOp),
    Trade(TradeOp),
    Replica(ReplicaOp),
    Review(ReviewOp),
    Withdrawal(WithdrawalOp),
    Token(TokenOp),
    Exchange(ExchangeOp),
    Poll(PollOp)
);

/// Everything that the sender signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The one chain it is for: the digest of its genesis.
    pub chain_id: Digest,
    /// What to do.
    pub operation: Operation,
    /// Whose account does it.
    pub sender: Address,
    /// A number that the account has not used yet: see [`NonceWindow`](crate::NonceWindow).
    pub nonce: u64,
    /// The last block time at which it may be recorded.
    pub valid_until: UnixMillis,
    /// Whatever the sender wants to find it by.
    pub client_ref: [u8; 16],
}

/// Proof that the sender wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// An ECDSA signature of the transaction's id with a P-256 key.
    P256 {
        /// The key, one of the sender's.
        public_key: PublicKey,
        /// The signature, with a low `s`.
        signature: Signature,
    },
}

/// A transaction: body and proof, and the id that follows from the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Parts")]
pub struct Transaction {
    body: Body,
    auth: Auth,
    #[serde(skip)]
    id: TxId,
}

#[derive(Deserialize)]
struct Parts {
    body: Body,
    auth: Auth,
}

impl From<Parts> for Transaction {
    fn from(Parts { body, auth }: Parts) -> Self {
        Self::new(body, auth)
    }
}

impl Body {
    /// The id of the transaction with this body, which is what its sender signs.
    pub fn tx_id(&self) -> TxId {
        TxId::new(digest(DOMAIN, &self.encode()))
    }

    /// The canonical bytes, with which every encoded transaction begins.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        decode(bytes, MAX_TRANSACTION_BYTES)
    }

    /// The bytes whose plain SHA-256 is the id: what a signer that hashes by itself, such as a browser, is given.
    pub fn preimage(&self) -> Vec<u8> {
        let tag = DOMAIN.tag().as_bytes();
        let mut bytes: Vec<u8> = u8::try_from(tag.len()).into_iter().chain(tag.iter().copied()).collect();
        bytes.append(&mut self.encode());
        bytes
    }
}

impl Transaction {
    /// Puts a body and a proof together, checking neither.
    pub fn new(body: Body, auth: Auth) -> Self {
        let id = body.tx_id();
        Self { body, auth, id }
    }

    /// Signs a body.
    pub fn sign(body: Body, key: &KeyPair) -> Self {
        let id = body.tx_id();
        let auth = Auth::P256 { public_key: key.public_key(), signature: key.sign(id.digest()) };
        Self { body, auth, id }
    }

    /// Reads the canonical bytes of a transaction. This is all that can be checked of its form: the texts, shares and
    /// lists in it cannot hold what is not allowed.
    ///
    /// # Errors
    /// [`EnvelopeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let Parts { body, auth } = decode_lenient(bytes, MAX_TRANSACTION_BYTES)?;
        let body_bytes = encode(&body);
        if bytes.strip_prefix(body_bytes.as_slice()) != Some(encode(&auth).as_slice()) {
            return Err(EnvelopeError::NotCanonical);
        }
        Ok(Self { body, auth, id: TxId::new(digest(DOMAIN, &body_bytes)) })
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Names the transaction. Two with the same id do the same, whatever their proofs.
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// What is signed.
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// The proof.
    pub const fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The key that the proof is made with.
    pub const fn public_key(&self) -> &PublicKey {
        match &self.auth {
            Auth::P256 { public_key, .. } => public_key,
        }
    }

    /// The signature over [`id`](Self::id).
    pub const fn signature(&self) -> &Signature {
        match &self.auth {
            Auth::P256 { signature, .. } => signature,
        }
    }

    /// What can be checked without the state and without curve arithmetic.
    ///
    /// # Errors
    /// [`Refusal::WrongChain`].
    pub fn check_stateless(&self, chain_id: &Digest) -> Result<(), Refusal> {
        if self.body.chain_id == *chain_id { Ok(()) } else { Err(Refusal::WrongChain) }
    }

    /// Checks the signature. Costs more than all else together, so hosts may check many at once instead: the signature is
    /// [`signature`](Self::signature) by [`public_key`](Self::public_key) over the digest [`id`](Self::id).
    ///
    /// # Errors
    /// [`Refusal::BadSignature`] or [`Refusal::HighS`].
    pub fn verify_signature(&self) -> Result<(), Refusal> {
        Ok(verify(self.public_key(), self.id.digest(), self.signature())?)
    }
}
