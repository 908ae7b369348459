//! What can be read of the state, and asked of it before a transaction is made.

use pbft_crypto::{Address, Digest, PublicKey};

use super::Ledger;
use crate::accounts::{check_agreement, check_proposal, check_spending};
use crate::exchange;
use crate::ids::TxId;
use crate::text::{Name, Reference};
use crate::time::UnixMillis;
use crate::tokens;
use crate::trades;
use crate::{
    Account, AccountKey, AccountRejection, Amount, AssetId, Balance, Charge, ChargeId, ChargeRules,
    ExchangeOp, Freeze, Guardians, Listing, ListingId, Market, MarketId, NonceWindow, Order, OrderId,
    OrderSide, Payment, PaymentId, Poll, PollId, Record, Recovery, RecoveryId, RecoveryPlace, Rejection,
    Replica, ReplicaChange, ReplicaChangeId, ReplicaEdit, ReplicaId, ReplicaRejection, Review,
    ReviewRejection, ReviewSide, Role, RoleChange, RoleChangeId, RoleRejection, SoleApprovals, SpendingLimit,
    Supply, Token, TokenId, TokenOp, Trade, TradeId, TradeOp, Vote, Voters, Withdrawal, WithdrawalId,
};

impl Ledger {
    /// An account.
    pub fn account(&self, address: &Address) -> Option<&Account> {
        self.state.accounts.find(address)
    }

    /// The keys that an account has or had, in the order of their bytes.
    pub fn keys(&self, account: &Address) -> impl Iterator<Item = (PublicKey, &AccountKey)> {
        self.state.accounts.keys.of(account)
    }

    /// A key of some account, revoked or not.
    pub fn key(&self, key: &PublicKey) -> Option<&AccountKey> {
        self.state.accounts.keys.find(key)
    }

    /// Who may bring an account back.
    pub fn guardians(&self, account: &Address) -> Option<&Guardians> {
        self.state.accounts.guardians.find(account)
    }

    /// A wish of guardians that an account have another key.
    pub fn recovery(&self, id: &RecoveryId) -> Option<&Recovery> {
        self.state.accounts.recoveries.rows.find(id)
    }

    /// Whose guardian an account is, after one of them, in the order of their addresses. Anybody may name anybody: there is no end
    /// to them.
    pub fn guarded_by(&self, guardian: &Address, after: Option<Address>) -> impl Iterator<Item = &Address> {
        self.state.accounts.guardians.guarded_by(guardian, after)
    }

    /// The recoveries of an account, or those of them whose status has a [`code`](crate::RecoveryStatus::code), newest first, after
    /// one of them.
    pub fn recoveries_after(
        &self,
        account: &Address,
        status: Option<&'static str>,
        after: Option<RecoveryPlace>,
    ) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        self.state.accounts.recoveries.after(account, status, after)
    }

    /// The same that are newer than one of them, from there back to the newest.
    pub fn recoveries_before(
        &self,
        account: &Address,
        status: Option<&'static str>,
        before: RecoveryPlace,
    ) -> impl Iterator<Item = (RecoveryId, &Recovery)> {
        self.state.accounts.recoveries.before(account, status, before)
    }

    /// Whether a guardian could ask for this new key for an account now. Whether the key is one is another question.
    ///
    /// # Errors
    /// [`AccountRejection`].
    pub fn check_recovery(
        &self,
        who: &Address,
        account: &Address,
        public_key: &PublicKey,
    ) -> Result<(), AccountRejection> {
        check_proposal(&self.state, who, account, public_key, self.tip.time).map(drop)
    }

    /// Whether a guardian could agree to a recovery now.
    ///
    /// # Errors
    /// [`AccountRejection`].
    pub fn check_agreement(&self, who: &Address, recovery: &RecoveryId) -> Result<(), AccountRejection> {
        check_agreement(&self.state, who, recovery).map(drop)
    }

    /// What its owner lets go out of an account.
    pub fn spending_limit(&self, account: &Address, asset: AssetId) -> Option<&SpendingLimit> {
        self.state.accounts.limits.find(&(*account, asset))
    }

    /// Whether and why an account may not spend now.
    pub fn freeze(&self, account: &Address) -> Option<&Freeze> {
        self.state.accounts.freezes.of(account)
    }

    /// Whether freeze and limit of an account let so much go out at a time. Its balance is another question.
    ///
    /// # Errors
    /// [`AccountRejection`].
    pub fn check_spending(
        &self,
        account: &Address,
        asset: AssetId,
        amount: Amount,
        now: UnixMillis,
    ) -> Result<(), AccountRejection> {
        check_spending(&self.state, now, *account, asset, amount)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = (Address, &Account)> {
        self.state.accounts.rows.iter().map(|(address, account)| (*address, account))
    }

    /// All with the role of an admin, frozen or not, in the order of their addresses.
    pub fn admins(&self) -> impl Iterator<Item = &Address> {
        self.state.accounts.admins()
    }

    /// Whether an account decides as an admin: it has the role, and is not frozen.
    pub fn is_admin(&self, account: &Address) -> bool {
        self.state.accounts.is_admin(account)
    }

    /// The account with a name, in whatever case its Latin letters are.
    pub fn account_by_name(&self, name: &Name) -> Option<(Address, &Account)> {
        let address = self.state.accounts.address_of(name)?;
        Some((address, self.account(&address)?))
    }

    /// What an account has of an asset.
    pub fn balance(&self, account: &Address, asset: AssetId) -> Balance {
        self.state.money.balance(*account, asset)
    }

    /// What an account has, by asset, where it ever had something; from the asset after `after` on.
    pub fn balances(
        &self,
        account: &Address,
        after: Option<AssetId>,
    ) -> impl Iterator<Item = (AssetId, Balance)> {
        self.state.money.balances_of(*account, after)
    }

    /// Which nonces a sender has used.
    pub fn nonces(&self, sender: &Address) -> NonceWindow {
        self.state.nonces_of(sender)
    }

    /// How much of an asset was made and destroyed.
    pub fn supply(&self, asset: AssetId) -> Supply {
        self.state.money.supply(asset)
    }

    /// A charge.
    pub fn charge(&self, id: &ChargeId) -> Option<&Charge> {
        self.state.charges.find(id)
    }

    /// What is approved automatically, and what an admin asks for instead.
    pub fn charge_rules(&self) -> ChargeRules {
        self.state.charges.rules()
    }

    /// What an account approved, or got, by the word of one admin.
    pub fn sole_approvals(&self, account: &Address) -> SoleApprovals {
        self.state.charges.alone_of(account)
    }

    /// A withdrawal.
    pub fn withdrawal(&self, id: &WithdrawalId) -> Option<&Withdrawal> {
        self.state.withdrawals.find(id)
    }

    /// The payment that a payee got under a reference.
    pub fn payment_by_reference(&self, payee: &Address, reference: &Reference) -> Option<TxId> {
        self.state.payments.references.find(&(*payee, reference.clone())).map(|payment| payment.tx)
    }

    /// A payment.
    pub fn payment(&self, id: &PaymentId) -> Option<&Payment> {
        self.state.payments.find(id)
    }

    /// A poll.
    pub fn poll(&self, id: &PollId) -> Option<&Poll> {
        self.state.polls.find(id)
    }

    /// How an account has voted in a poll.
    pub fn vote(&self, poll: &PollId, voter: &Address) -> Option<Vote> {
        self.state.polls.vote_of(*poll, *voter)
    }

    /// Those whom a poll asks by name; none if it asks everyone.
    pub fn voters(&self, poll: &PollId) -> Option<&Voters> {
        self.state.polls.censuses.find(poll)
    }

    /// A listing in its last version.
    pub fn listing(&self, id: &ListingId) -> Option<&Listing> {
        self.state.listings.find(id)
    }

    /// A trade.
    pub fn trade(&self, id: &TradeId) -> Option<&Trade> {
        self.state.trades.find(id)
    }

    /// Whether somebody could do this with a trade, or buy this, now, if there is money for it.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn check_trade(&self, sender: &Address, op: &TradeOp) -> Result<(), Rejection> {
        trades::check(&self.state, sender, op)
    }

    /// What one side of a trade says of the other one.
    pub fn review(&self, trade: &TradeId, side: ReviewSide) -> Option<&Review> {
        self.state.reviews.rows.find(&(*trade, side))
    }

    /// Whether someone may review a trade now, and from which side about whom.
    ///
    /// # Errors
    /// [`ReviewRejection`].
    pub fn check_review(
        &self,
        author: &Address,
        trade: &TradeId,
    ) -> Result<(ReviewSide, Address), ReviewRejection> {
        self.state.may_review(author, trade)
    }

    /// What a member has behind them.
    pub fn record(&self, who: &Address) -> Record {
        self.state.reviews.records.find(who).copied().unwrap_or_default()
    }

    /// A change of somebody's role that an admin asked for.
    pub fn role_change(&self, id: &RoleChangeId) -> Option<&RoleChange> {
        self.state.accounts.role_changes.find(id)
    }

    /// All changes of roles that admins have asked for.
    pub fn role_changes(&self) -> impl Iterator<Item = (RoleChangeId, &RoleChange)> {
        self.state.accounts.role_changes.iter().map(|(id, row)| (*id, row))
    }

    /// Whether an account's role can be changed now. Shows the present one.
    ///
    /// # Errors
    /// [`RoleRejection`].
    pub fn check_role(&self, account: &Address, role: Role) -> Result<Role, RoleRejection> {
        self.state.accounts.check_role(account, role)
    }

    /// A token.
    pub fn token(&self, token: &TokenId) -> Option<&Token> {
        self.state.tokens.find(token)
    }

    /// How much of what an owner has a spender may transfer.
    pub fn allowance(&self, owner: &Address, spender: &Address, token: TokenId) -> Amount {
        self.state.tokens.allowance(*owner, *spender, token)
    }

    /// Whom an owner lets transfer how much of what, and whom it once let: then it is zero. In the order of their addresses and of the
    /// symbols, after one of them.
    pub fn allowances_of(
        &self,
        owner: &Address,
        after: Option<(Address, TokenId)>,
    ) -> impl Iterator<Item = (Address, TokenId, Amount)> {
        self.state.tokens.allowances_of(*owner, after)
    }

    /// A market.
    pub fn market(&self, id: &MarketId) -> Option<&Market> {
        self.state.exchange.markets.find(id)
    }

    /// An order.
    pub fn order(&self, id: &OrderId) -> Option<&Order> {
        self.state.exchange.orders.find(id)
    }

    /// The open orders of one side of a market, the best first.
    pub fn book(&self, market: &MarketId, side: OrderSide) -> impl Iterator<Item = (OrderId, &Order)> {
        self.state.exchange.side(market, side)
    }

    /// Whether an account could do this with a token now, if it has enough of it.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn check_token(&self, sender: &Address, op: &TokenOp) -> Result<(), Rejection> {
        tokens::check(&self.state, *sender, op)
    }

    /// Whether an account could do this on the exchange in a block of this time.
    ///
    /// # Errors
    /// [`Rejection`].
    pub fn check_exchange(
        &self,
        sender: &Address,
        op: &ExchangeOp,
        now: UnixMillis,
    ) -> Result<(), Rejection> {
        exchange::check(&self.state, *sender, op, now)
    }

    /// All replicas that there ever were, ascending by id.
    pub fn replicas(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.state.replicas.iter()
    }

    /// Those that the state asks for.
    pub fn members(&self) -> impl Iterator<Item = (ReplicaId, &Replica)> {
        self.state.replicas.members()
    }

    /// What the set of [`members`](Self::members) is called.
    pub fn replica_set_hash(&self) -> Digest {
        self.state.replicas.set_hash()
    }

    /// Whether a change of the replicas could be carried out now.
    ///
    /// # Errors
    /// [`ReplicaRejection`].
    pub fn check_replica_edit(&self, edit: &ReplicaEdit) -> Result<(), ReplicaRejection> {
        self.state.replicas.check(edit, self.state.params.max_replicas)
    }

    /// All changes of the replicas that were ever asked for, by id.
    pub fn replica_changes(&self) -> impl Iterator<Item = (ReplicaChangeId, &ReplicaChange)> {
        self.state.replicas.changes.iter().map(|(id, row)| (*id, row))
    }

    /// A change of the replicas that an admin asked for.
    pub fn replica_change(&self, id: &ReplicaChangeId) -> Option<&ReplicaChange> {
        self.state.replicas.changes.find(id)
    }
}
