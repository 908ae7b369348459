use ledger::TxId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ReplyStatus {
    /// On its way: not known yet what comes of it.
    Submitted,
    /// Recorded and carried out.
    Applied,
}

/// What a transaction is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A request to be topped up.
    Charge,
    /// Something for sale.
    Listing,
    /// A purchase.
    Trade,
    /// A payment.
    Payment,
    /// An account.
    Account,
    /// A question to many.
    Poll,
    /// A change of the replicas.
    ReplicaChange,
    /// A change of somebody's role.
    RoleChange,
    /// A request to take money out.
    Withdrawal,
    /// Terms of automatic approval.
    ChargePolicy,
    /// A wish of guardians that an account have another key.
    Recovery,
    /// A token.
    Token,
    /// A market.
    Market,
    /// An order on a market.
    Order,
    /// Only the transaction itself.
    Transaction,
}

impl Kind {
    /// Where things of this kind are.
    pub fn href(self, id: &str) -> String {
        let room = match self {
            Self::Charge => "charges",
            Self::Listing => "listings",
            Self::Trade => "trades",
            Self::Payment => "payments",
            Self::Poll => "polls",
            Self::Account => "accounts",
            Self::ReplicaChange => "network/replicas/changes",
            Self::RoleChange => "roles/changes",
            Self::Withdrawal => "withdrawals",
            // There is one at a time.
            Self::ChargePolicy => return "/v1/charges/policy".to_owned(),
            Self::Recovery => "recoveries",
            Self::Token => "tokens",
            Self::Market => "markets",
            Self::Order => "orders",
            Self::Transaction => "transactions",
        };
        format!("/v1/{room}/{id}")
    }
}

impl Reply {
    /// Where to look next: at what is there now, or at what becomes of the transaction.
    pub fn location(&self) -> String {
        match self.status {
            ReplyStatus::Submitted => Kind::Transaction.href(&self.tx_id.to_string()),
            ReplyStatus::Applied => self.href.clone(),
        }
    }
}

/// A transaction that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reply {
    /// The transaction: see `/v1/transactions/{tx_id}`.
    #[schema(value_type = String)]
    pub tx_id: TxId,
    /// How far it is.
    pub status: ReplyStatus,
    /// Its block, once it is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// What it is about.
    pub kind: Kind,
    /// The id of that. It is known from the start, also of things that the transaction makes.
    pub id: String,
    /// Where that is.
    #[schema(example = "/v1/trades/2c26b46b...")]
    pub href: String,
}
