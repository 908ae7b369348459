use ledger::{Amount, AssetId, Balance, Ledger, Name, Role, TokenId};
use pbft_crypto::{Address, Digest, PublicKey};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FreezeView, LimitView};
use crate::accounts_db::{KeyKeeping, Member, Session, SessionToken};
use crate::http::timestamp::rfc3339;
use crate::read_model::{AccountRecord, BalanceRecord, Balances, Page};
use crate::service::Holdings;

/// Someone who wants to take part. The server keeps a key for members who give a `name`; who gives a `registration` keeps
/// the key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Latin letters, digits, Hangul syllables, `.`, `_`, `-` and single spaces, 1 to 32.
    #[schema(value_type = Option<String>, example = "ann")]
    pub name: Option<Name>,
    /// With a name: the address of a key that `POST /v1/wallets` made.
    #[schema(value_type = Option<String>)]
    pub wallet: Option<Address>,
    /// A signed transaction that opens the account, in hex.
    pub registration: Option<SignedHex>,
    /// With a registration: 32 bytes in hex, drawn by the signer. The first half of their SHA-256 is the registration's
    /// `client_ref`.
    #[schema(value_type = Option<String>)]
    pub proof: Option<Digest>,
    /// 8 to 128 characters.
    #[schema(value_type = String, format = Password, example = "correct horse")]
    pub password: Secret,
}

/// A signed transaction in hex.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct SignedHex(pub String);

/// A text that is wiped from memory and never shown.
#[derive(Deserialize, zeroize::ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text out.
    pub fn into_inner(mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// The name of the account.
    #[schema(example = "ann")]
    pub name: String,
    /// The password.
    #[schema(value_type = String, format = Password, example = "correct horse")]
    pub password: Secret,
}

/// Someone who can sign in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The account.
    #[schema(value_type = String)]
    pub address: Address,
    /// The name of the account.
    #[schema(value_type = String)]
    pub name: Name,
    /// Whether this server keeps the key and signs.
    pub custodial: bool,
    /// `member`, `admin`, `arbiter` or `courier`: what the account may do.
    #[schema(value_type = String, example = "member")]
    pub role: Role,
}

impl MemberView {
    /// A member whose account may do this.
    pub fn new(member: &Member, role: Role) -> Self {
        let custodial = member.keeping == KeyKeeping::Custodial;
        Self { address: member.address, name: member.name.clone(), custodial, role }
    }
}

/// A session that has begun.
#[derive(Serialize, ToSchema)]
pub struct SessionView {
    /// To be sent as `Authorization: Bearer ...`.
    pub token: String,
    /// Until when it is good.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Who has signed in.
    pub member: MemberView,
}

impl SessionView {
    /// Someone has signed in.
    pub fn new(token: &SessionToken, session: &Session, role: Role) -> Self {
        let expires_at = rfc3339(session.expires_at);
        Self { token: token.to_string(), expires_at, member: MemberView::new(&session.member, role) }
    }
}

/// A key that this server keeps and that has no account yet.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct WalletKey {
    /// The address of the account that it can open.
    #[schema(value_type = String)]
    pub address: Address,
    /// The key.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
}

impl WalletKey {
    /// Where what the account has will be.
    pub fn location(&self) -> String {
        format!("/v1/wallets/{}", self.address)
    }
}

/// An account as everyone sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// What names it.
    #[schema(value_type = String)]
    pub address: Address,
    /// The name it shows.
    #[schema(value_type = String)]
    pub name: Name,
    /// The key that its address comes from. Those that sign for it are at `/v1/accounts/{address}/keys`.
    #[schema(value_type = String)]
    pub public_key: PublicKey,
    /// `member`, `admin`, `arbiter` or `courier`: what it may do.
    #[schema(value_type = String, example = "member")]
    pub role: Role,
    /// How many of its charges were approved.
    pub charge_count: u64,
    /// The loyalty points that it has for them.
    pub points: u64,
    /// Why it may not spend, if an admin has stopped it.
    pub frozen: Option<FreezeView>,
    /// The lowest nonce above all that it has used: for whoever signs its transactions alone. They are on the chain, so
    /// this is no secret.
    pub next_nonce: u64,
    /// Since when it exists.
    #[schema(format = DateTime)]
    pub registered_at: String,
}

impl AccountView {
    /// An account, with what only the ledger nearby has.
    pub fn new(record: AccountRecord, ledger: &Ledger) -> Self {
        let AccountRecord { address, name, public_key, role, charge_count, registered_at } = record;
        let points = ledger.params().charges.points(charge_count);
        let frozen = ledger.freeze(&address).map(FreezeView::from);
        let next_nonce = ledger.nonces(&address).after_last_used();
        let registered_at = rfc3339(registered_at);
        Self { address, name, public_key, role, charge_count, points, frozen, next_nonce, registered_at }
    }
}

/// What an account has of one asset.
#[derive(Debug, Serialize, ToSchema)]
pub struct BalanceView {
    /// Of what.
    #[schema(value_type = String, example = "POP")]
    pub asset: AssetId,
    /// Free to spend, in minor units.
    #[schema(value_type = String, example = "12000")]
    pub available: Amount,
    /// Set aside for trades, withdrawals and orders that are not over, in minor units.
    #[schema(value_type = String, example = "0")]
    pub held: Amount,
}

impl From<(AssetId, Balance)> for BalanceView {
    fn from((asset, Balance { available, held }): (AssetId, Balance)) -> Self {
        Self { asset, available, held }
    }
}

/// What an account has.
#[derive(Debug, Serialize, ToSchema)]
pub struct WalletView {
    /// The account.
    #[schema(value_type = String)]
    pub address: Address,
    /// The coin, and at most 100 tokens of which there is something: the first ones, or those after `starting_after`. The
    /// shortest symbols come first, and those that are as long by their letters: `SUN`, `TEA`, `SHOP`.
    pub balances: Vec<BalanceView>,
    /// Whether there may be tokens after these.
    pub has_more: bool,
    /// Then: `starting_after` of the next part. Mostly the last symbol here, but it may be one of which there is nothing any
    /// more.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<TokenId>,
    /// The lowest nonce above all that the account has used: for whoever signs its transactions alone.
    pub next_nonce: u64,
    /// How much may leave it in a day, if its owner has said so: as the replica nearby knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitView>,
    /// Why it may not spend, if an admin has stopped it: as the replica nearby knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<FreezeView>,
    /// Only with `consistency=quorum`: the last block of the state that a quorum of replicas shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_at: Option<u64>,
}

impl WalletView {
    /// An account's balances.
    pub fn new(address: Address, balances: Balances, next_nonce: u64) -> Self {
        let Balances { coin, tokens: Page { items, has_more } } = balances;
        let next = items.last().filter(|_| has_more).map(|last| last.token);
        let of_token = |BalanceRecord { token, balance, .. }| (token, balance);
        let tokens = items.into_iter().map(of_token).collect();
        Self::with(address, coin, (tokens, next), next_nonce)
    }

    fn with(
        address: Address,
        coin: Balance,
        (tokens, next): (Vec<(TokenId, Balance)>, Option<TokenId>),
        next_nonce: u64,
    ) -> Self {
        let tokens = tokens.into_iter().map(|(token, balance)| (AssetId::from(token), balance));
        let balances = std::iter::once((AssetId::Pop, coin)).chain(tokens).map(BalanceView::from).collect();
        let has_more = next.is_some();
        Self { address, balances, has_more, next, next_nonce, limit: None, frozen: None, shown_at: None }
    }

    /// With what keeps money in it.
    pub fn guarded(self, ledger: &Ledger) -> Self {
        let pop = AssetId::Pop;
        let limit =
            ledger.spending_limit(&self.address, pop).map(|_| LimitView::new(ledger, &self.address, pop));
        Self { limit, frozen: ledger.freeze(&self.address).map(FreezeView::from), ..self }
    }

    /// What a quorum of replicas shows.
    pub fn shown(address: Address, holdings: Holdings) -> Self {
        let Holdings { height, coin, tokens, next, next_nonce } = holdings;
        Self { shown_at: Some(height.value()), ..Self::with(address, coin, (tokens, next), next_nonce) }
    }
}
