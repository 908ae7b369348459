//! Transactions in plain words: on pages, and as the `summary` of the API.
//!
//! They say no more than the API shows to everyone. A kind of transaction without words does not compile, and a test
//! reads the words of each in both languages.

use std::collections::HashMap;

use ledger::{
    AccountOp, Amount, AssetId, ChargeOp, ExchangeOp, ListingOp, MarketId, Operation, OrderId, OrderSide,
    Outcome, PaymentId, PaymentOp, PollId, PollOp, ReplicaOp, ReviewOp, RoleOp, TokenOp, TradeId, TradeOp,
    TxId, WithdrawalOp,
};
use pbft_crypto::Address;

use super::Lang;
use super::ui::{coins, units};
use crate::http::Code;
use crate::read_model::{ReadError, ReadModel, TransactionRecord};

/// A transaction in plain words.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) words: String,
    /// Why it failed, if it did.
    pub(super) rejected: Option<String>,
}

/// Puts transactions into words, and remembers the names of accounts while it does.
pub(crate) struct Writer<'a> {
    read: &'a ReadModel,
    lang: Lang,
    names: HashMap<Address, String>,
}

impl<'a> Writer<'a> {
    /// In this language.
    pub(crate) fn new(read: &'a ReadModel, lang: Lang) -> Self {
        Self { read, lang, names: HashMap::new() }
    }

    /// What a transaction does, and whether it did, in one line.
    pub(crate) async fn summary(&mut self, record: &TransactionRecord) -> Result<String, ReadError> {
        let Line { words, rejected, .. } = self.line(record).await?;
        Ok(match rejected {
            None => words,
            Some(why) => self.lang.fill("words.failed", &[("what", &words), ("why", &why)]),
        })
    }

    /// What a transaction does, and whether it did.
    pub(super) async fn line(&mut self, record: &TransactionRecord) -> Result<Line, ReadError> {
        let body = record.transaction.body();
        let words = self.words(&body.sender, &body.operation).await?;
        let rejected = match &record.outcome {
            Outcome::Applied => None,
            Outcome::Rejected(why) => {
                Some(self.lang.text(&format!("code.{}", Code::of_ledger(why.code()).name)).to_owned())
            }
        };
        Ok(Line { id: record.transaction.id().to_string(), words, rejected })
    }

    async fn name(&mut self, address: &Address) -> Result<String, ReadError> {
        if let Some(name) = self.names.get(address) {
            return Ok(name.clone());
        }
        let account = self.read.account(address).await?;
        let name = account.map_or_else(|| address.to_string(), |account| account.name.to_string());
        self.names.insert(*address, name.clone());
        Ok(name)
    }

    /// What is called so, if there is such a thing.
    fn called(&self, name: Option<impl ToString>) -> String {
        name.map_or_else(|| self.lang.text("words.unknown").to_owned(), |name| name.to_string())
    }

    fn say(&self, key: &str, who: &str, values: &[(&str, &str)]) -> String {
        let all: Vec<_> = std::iter::once(("who", who)).chain(values.iter().copied()).collect();
        self.lang.fill(key, &all)
    }

    async fn words(&mut self, sender: &Address, operation: &Operation) -> Result<String, ReadError> {
        let who = self.name(sender).await?;
        let who = who.as_str();
        Ok(match operation {
            Operation::Account(op) => self.account(who, op).await?,
            // How much, and why, concerns others as little here as in the API.
            Operation::Charge(op) => self.say(charge_words(op), who, &[]),
            Operation::Withdrawal(op) => self.say(withdrawal_words(op), who, &[]),
            Operation::Replica(op) => self.say(replica_words(op), who, &[]),
            Operation::Payment(op) => self.payment(who, op).await?,
            Operation::Listing(op) => self.listing(who, op).await?,
            Operation::Trade(op) => self.trade(who, op).await?,
            Operation::Review(ReviewOp::Post { trade, rating, .. }) => {
                let (title, stars) = (self.title(trade).await?, rating.value().to_string());
                self.say("words.review", who, &[("title", &title), ("stars", &stars)])
            }
            Operation::Token(op) => self.token(who, op).await?,
            Operation::Exchange(op) => self.exchange(who, op).await?,
            Operation::Poll(op) => self.poll(who, op).await?,
        })
    }

    /// Of keys, guardians, limits, freezes and roles.
    async fn account(&mut self, who: &str, op: &AccountOp) -> Result<String, ReadError> {
        let (key, name, other) = match op {
            AccountOp::Register { name } => ("words.register", name.as_str(), None),
            AccountOp::AddKey { .. } => ("words.key_add", "", None),
            AccountOp::RevokeKey { .. } => ("words.key_revoke", "", None),
            AccountOp::RotateKey { .. } => ("words.key_rotate", "", None),
            AccountOp::LabelKey { .. } => ("words.key_label", "", None),
            AccountOp::SetGuardians { .. } => ("words.guardians", "", None),
            AccountOp::ProposeRecovery { account, .. } => ("words.recovery_propose", "", Some(account)),
            AccountOp::AgreeToRecovery { .. } => ("words.recovery_agree", "", None),
            AccountOp::CancelRecovery { .. } => ("words.recovery_cancel", "", None),
            AccountOp::SetLimit { .. } => ("words.limit", "", None),
            AccountOp::Freeze { account, .. } => ("words.freeze", "", Some(account)),
            AccountOp::Unfreeze { account } => ("words.unfreeze", "", Some(account)),
            AccountOp::Role(RoleOp::Propose { account, .. }) => ("words.role_propose", "", Some(account)),
            AccountOp::Role(RoleOp::Approve { .. }) => ("words.role_approve", "", None),
            AccountOp::Role(RoleOp::Reject { .. }) => ("words.role_reject", "", None),
        };
        let to = match other {
            Some(account) => self.name(account).await?,
            None => String::new(),
        };
        Ok(self.say(key, who, &[("name", name), ("to", &to)]))
    }

    async fn payment(&mut self, who: &str, op: &PaymentOp) -> Result<String, ReadError> {
        let (key, to, amount) = match op {
            PaymentOp::Pay { to, asset, amount, .. } => {
                ("words.pay", self.name(to).await?, self.amount(*asset, *amount).await?)
            }
            PaymentOp::Authorize { to, asset, amount, .. } => {
                ("words.authorize", self.name(to).await?, self.amount(*asset, *amount).await?)
            }
            PaymentOp::Capture { payment, amount } => {
                ("words.capture", String::new(), self.part(*payment, *amount).await?)
            }
            PaymentOp::Void { .. } => ("words.void", String::new(), String::new()),
            PaymentOp::Refund { payment, amount } => {
                ("words.refund", String::new(), self.part(*payment, *amount).await?)
            }
        };
        Ok(self.say(key, who, &[("to", &to), ("amount", &amount)]))
    }

    /// An amount of whatever it is, with its decimals.
    async fn amount(&self, asset: AssetId, amount: Amount) -> Result<String, ReadError> {
        let Some(symbol) = asset.token() else { return Ok(coins(amount)) };
        let decimals = self.read.token_decimals(symbol).await?.unwrap_or_default();
        Ok(units(amount, decimals, symbol))
    }

    /// An amount of what a payment is made in.
    async fn part(&self, payment: PaymentId, amount: Amount) -> Result<String, ReadError> {
        let payment = self.read.payment(&TxId::new(*payment.digest())).await?;
        self.amount(payment.map_or(AssetId::Pop, |payment| payment.asset), amount).await
    }

    async fn listing(&self, who: &str, op: &ListingOp) -> Result<String, ReadError> {
        let (key, content) = match op {
            ListingOp::Create { content } => ("words.list", content),
            ListingOp::Update { content, .. } => ("words.relist", content),
            ListingOp::Close { listing } => {
                let title = self.called(self.read.listing_title(listing, None).await?);
                return Ok(self.say("words.close", who, &[("title", &title)]));
            }
        };
        let values = [("title", content.title.as_str()), ("amount", &coins(content.price))];
        Ok(self.say(key, who, &values))
    }

    async fn trade(&self, who: &str, op: &TradeOp) -> Result<String, ReadError> {
        let title = match op {
            TradeOp::Open { listing, version, .. } => {
                self.called(self.read.listing_title(listing, Some(*version)).await?)
            }
            other => match other.trade() {
                Some(trade) => self.title(&trade).await?,
                None => String::new(),
            },
        };
        let amount = match op {
            TradeOp::GiveBack { amount, .. } => coins(*amount),
            _ => String::new(),
        };
        Ok(self.say(trade_words(op), who, &[("title", &title), ("amount", &amount)]))
    }

    /// What is bought in a trade.
    async fn title(&self, trade: &TradeId) -> Result<String, ReadError> {
        Ok(self.called(self.read.trade_title(trade).await?))
    }

    async fn poll(&self, who: &str, op: &PollOp) -> Result<String, ReadError> {
        let (key, poll) = match op {
            PollOp::Create { content, .. } => {
                return Ok(self.say("words.poll_create", who, &[("question", content.question.as_str())]));
            }
            PollOp::Vote { poll, .. } => ("words.poll_vote", poll),
            PollOp::Commit { poll, .. } => ("words.poll_commit", poll),
            PollOp::Reveal { poll, .. } => ("words.poll_reveal", poll),
            PollOp::Close { poll } => ("words.poll_close", poll),
        };
        let question = self.question(poll).await?;
        Ok(self.say(key, who, &[("question", &question)]))
    }

    async fn question(&self, poll: &PollId) -> Result<String, ReadError> {
        Ok(self.called(self.read.poll_question(poll).await?))
    }

    async fn token(&mut self, who: &str, op: &TokenOp) -> Result<String, ReadError> {
        let (key, asset, amount, to) = match op {
            TokenOp::Create { token, .. } => ("words.token_create", token, None, None),
            TokenOp::Mint { token, to, amount } => ("words.token_mint", token, Some(amount), Some(to)),
            TokenOp::Burn { token, amount } => ("words.token_burn", token, Some(amount), None),
            TokenOp::Transfer { token, to, amount } | TokenOp::TransferFrom { token, to, amount, .. } => {
                ("words.token_transfer", token, Some(amount), Some(to))
            }
            TokenOp::Approve { token, spender, to, .. } => {
                ("words.token_approve", token, Some(to), Some(spender))
            }
            TokenOp::HandOver { token, to } => ("words.token_hand_over", token, None, Some(to)),
        };
        let amount = match amount {
            Some(amount) => self.amount((*asset).into(), *amount).await?,
            None => String::new(),
        };
        let to = match to {
            Some(to) => self.name(to).await?,
            None => String::new(),
        };
        Ok(self.say(key, who, &[("asset", asset.as_str()), ("amount", &amount), ("to", &to)]))
    }

    async fn exchange(&self, who: &str, op: &ExchangeOp) -> Result<String, ReadError> {
        let (key, market, amount) = match op {
            ExchangeOp::OpenMarket { base, quote, .. } => {
                ("words.market_open", Some(MarketId { base: *base, quote: *quote }), None)
            }
            ExchangeOp::Halt { market } => ("words.market_halt", Some(*market), None),
            ExchangeOp::Resume { market } => ("words.market_resume", Some(*market), None),
            ExchangeOp::Place { order } => {
                let buys = order.side == OrderSide::Buy;
                let key = if buys { "words.order_buy" } else { "words.order_sell" };
                (key, Some(order.market), Some(order.quantity))
            }
            ExchangeOp::Cancel { order } => ("words.order_cancel", self.market_of(order).await?, None),
            ExchangeOp::Reduce { order, by } => {
                ("words.order_reduce", self.market_of(order).await?, Some(*by))
            }
        };
        let amount = match (market, amount) {
            (Some(market), Some(amount)) => self.amount(market.base.into(), amount).await?,
            (None, Some(amount)) => amount.to_string(),
            (_, None) => String::new(),
        };
        Ok(self.say(key, who, &[("market", &self.called(market)), ("amount", &amount)]))
    }

    async fn market_of(&self, order: &OrderId) -> Result<Option<MarketId>, ReadError> {
        Ok(self.read.order(order).await?.map(|order| order.market))
    }
}

/// What is said of charges and the terms of automatic approval.
const fn charge_words(op: &ChargeOp) -> &'static str {
    match op {
        ChargeOp::Request { .. } => "words.charge_request",
        ChargeOp::Approve { .. } => "words.charge_approve",
        ChargeOp::Reject { .. } => "words.charge_reject",
        ChargeOp::ProposePolicy { .. } => "words.policy_propose",
        ChargeOp::ApprovePolicy { .. } => "words.policy_approve",
        ChargeOp::RejectPolicy { .. } => "words.policy_reject",
    }
}

const fn withdrawal_words(op: &WithdrawalOp) -> &'static str {
    match op {
        WithdrawalOp::Request { .. } => "words.withdraw",
        WithdrawalOp::Settle { .. } => "words.withdrawal_settle",
        WithdrawalOp::Void { .. } => "words.withdrawal_void",
    }
}

const fn replica_words(op: &ReplicaOp) -> &'static str {
    match op {
        ReplicaOp::Propose { .. } => "words.replica_propose",
        ReplicaOp::Approve { .. } => "words.replica_approve",
        ReplicaOp::Reject { .. } => "words.replica_reject",
    }
}

const fn trade_words(op: &TradeOp) -> &'static str {
    match op {
        TradeOp::Open { .. } => "words.buy",
        TradeOp::Accept { .. } => "words.accept",
        TradeOp::Ship { .. } => "words.ship",
        TradeOp::Confirm { .. } => "words.confirm",
        TradeOp::Cancel { .. } => "words.cancel",
        TradeOp::Attest { .. } => "words.attest",
        TradeOp::Extend { .. } => "words.extend",
        TradeOp::ProposeSplit { .. } => "words.split",
        TradeOp::AcceptSplit { .. } => "words.accept_split",
        TradeOp::Dispute { .. } => "words.dispute",
        TradeOp::AddEvidence { .. } => "words.evidence",
        TradeOp::Resolve { .. } => "words.resolve",
        TradeOp::ReturnShip { .. } => "words.return_ship",
        TradeOp::ReturnConfirm { .. } => "words.return_confirm",
        TradeOp::GiveBack { .. } => "words.give_back",
        TradeOp::HandOver { .. } => "words.hand_over",
        TradeOp::Collect { .. } => "words.collect",
    }
}
