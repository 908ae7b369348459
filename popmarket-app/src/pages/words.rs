//! Transactions in plain words.

use std::collections::HashMap;

use ledger::{
    AccountOp, Amount, AssetId, ChargeOp, ExchangeOp, ListingOp, MarketId, Operation, OrderSide, Outcome,
    PaymentId, PaymentOp, PollOp, ReplicaOp, ReviewOp, RoleOp, TokenOp, TradeOp, TxId, WithdrawalOp,
};
use pbft_crypto::Address;

use super::Lang;
use super::ui::Ui;
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
pub(super) struct Writer<'a> {
    read: &'a ReadModel,
    lang: Lang,
    names: HashMap<Address, String>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(read: &'a ReadModel, lang: Lang) -> Self {
        Self { read, lang, names: HashMap::new() }
    }

    /// What a transaction does, and whether it did.
    pub(super) async fn line(&mut self, ui: &Ui, record: &TransactionRecord) -> Result<Line, ReadError> {
        let body = record.transaction.body();
        let who = self.name(&body.sender).await?;
        let words = self.words(ui, &who, &body.operation).await?;
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

    async fn words(&mut self, ui: &Ui, who: &str, operation: &Operation) -> Result<String, ReadError> {
        let say = |key, values: &[(&str, &str)]| {
            let all: Vec<_> = std::iter::once(("who", who)).chain(values.iter().copied()).collect();
            self.lang.fill(key, &all)
        };
        let money = |amount: &Amount| ui.money(amount);
        Ok(match operation {
            Operation::Account(AccountOp::Register { name }) => {
                say("words.register", &[("name", name.as_str())])
            }
            Operation::Payment(PaymentOp::Pay { to, asset, amount, .. }) => {
                let (to, amount) = (self.name(to).await?, self.amount(ui, *asset, *amount).await?);
                self.lang.fill("words.pay", &[("who", who), ("to", &to), ("amount", &amount)])
            }
            Operation::Payment(PaymentOp::Authorize { to, asset, amount, .. }) => {
                let (to, amount) = (self.name(to).await?, self.amount(ui, *asset, *amount).await?);
                self.lang.fill("words.authorize", &[("who", who), ("to", &to), ("amount", &amount)])
            }
            Operation::Payment(PaymentOp::Capture { payment, amount }) => {
                let amount = self.part(ui, *payment, *amount).await?;
                self.lang.fill("words.capture", &[("who", who), ("amount", &amount)])
            }
            Operation::Payment(PaymentOp::Void { .. }) => say("words.void", &[]),
            Operation::Payment(PaymentOp::Refund { payment, amount }) => {
                let amount = self.part(ui, *payment, *amount).await?;
                self.lang.fill("words.refund", &[("who", who), ("amount", &amount)])
            }
            Operation::Listing(ListingOp::Create { content }) => {
                say("words.list", &[("title", content.title.as_str()), ("amount", &money(&content.price))])
            }
            Operation::Listing(ListingOp::Update { content, .. }) => {
                say("words.relist", &[("title", content.title.as_str()), ("amount", &money(&content.price))])
            }
            Operation::Listing(ListingOp::Close { .. }) => say("words.close", &[]),
            Operation::Trade(TradeOp::Open { .. }) => say("words.buy", &[]),
            Operation::Trade(TradeOp::Accept { .. }) => say("words.accept", &[]),
            Operation::Trade(TradeOp::Ship { .. }) => say("words.ship", &[]),
            Operation::Trade(TradeOp::Confirm { .. }) => say("words.confirm", &[]),
            Operation::Trade(TradeOp::Cancel { .. }) => say("words.cancel", &[]),
            Operation::Trade(TradeOp::Attest { .. }) => say("words.attest", &[]),
            Operation::Trade(TradeOp::Extend { .. }) => say("words.extend", &[]),
            Operation::Trade(TradeOp::ProposeSplit { .. }) => say("words.split", &[]),
            Operation::Trade(TradeOp::AcceptSplit { .. }) => say("words.accept_split", &[]),
            Operation::Trade(TradeOp::Dispute { .. }) => say("words.dispute", &[]),
            Operation::Trade(TradeOp::AddEvidence { .. }) => say("words.evidence", &[]),
            Operation::Trade(TradeOp::Resolve { .. }) => say("words.resolve", &[]),
            Operation::Trade(TradeOp::ReturnShip { .. }) => say("words.return_ship", &[]),
            Operation::Trade(TradeOp::ReturnConfirm { .. }) => say("words.return_confirm", &[]),
            Operation::Trade(TradeOp::GiveBack { .. }) => say("words.give_back", &[]),
            Operation::Trade(TradeOp::HandOver { .. }) => say("words.hand_over", &[]),
            Operation::Trade(TradeOp::Collect { .. }) => say("words.collect", &[]),
            Operation::Review(ReviewOp::Post { .. }) => say("words.review", &[]),
            Operation::Replica(ReplicaOp::Propose { .. }) => say("words.replica_propose", &[]),
            Operation::Replica(ReplicaOp::Approve { .. }) => say("words.replica_approve", &[]),
            Operation::Replica(ReplicaOp::Reject { .. }) => say("words.replica_reject", &[]),
            Operation::Account(op) => say(account_words(op), &[]),
            // How much, and why, concerns others as little here as in the API.
            Operation::Charge(op) => say(charge_words(op), &[]),
            Operation::Withdrawal(WithdrawalOp::Request { .. }) => say("words.withdraw", &[]),
            Operation::Withdrawal(WithdrawalOp::Settle { .. }) => say("words.withdrawal_settle", &[]),
            Operation::Withdrawal(WithdrawalOp::Void { .. }) => say("words.withdrawal_void", &[]),
            Operation::Token(op) => self.token(ui, who, op).await?,
            Operation::Exchange(op) => self.exchange(ui, who, op).await?,
            Operation::Poll(PollOp::Create { content, .. }) => {
                say("words.poll_create", &[("question", content.question.as_str())])
            }
            Operation::Poll(PollOp::Vote { .. }) => say("words.poll_vote", &[]),
            Operation::Poll(PollOp::Commit { .. }) => say("words.poll_commit", &[]),
            Operation::Poll(PollOp::Reveal { .. }) => say("words.poll_reveal", &[]),
            Operation::Poll(PollOp::Close { .. }) => say("words.poll_close", &[]),
        })
    }

    /// An amount of whatever it is, with its decimals.
    async fn amount(&self, ui: &Ui, asset: AssetId, amount: Amount) -> Result<String, ReadError> {
        let Some(symbol) = asset.token() else { return Ok(ui.money(&amount)) };
        let decimals = self.read.token(symbol).await?.map_or(0, |token| token.decimals.value());
        Ok(ui.units(amount, decimals, symbol))
    }

    /// An amount of what a payment is made in.
    async fn part(&self, ui: &Ui, payment: PaymentId, amount: Amount) -> Result<String, ReadError> {
        let payment = self.read.payment(&TxId::new(*payment.digest())).await?;
        self.amount(ui, payment.map_or(AssetId::Pop, |payment| payment.asset), amount).await
    }

    async fn token(&mut self, ui: &Ui, who: &str, op: &TokenOp) -> Result<String, ReadError> {
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
            Some(amount) => self.amount(ui, (*asset).into(), *amount).await?,
            None => String::new(),
        };
        let to = match to {
            Some(to) => self.name(to).await?,
            None => String::new(),
        };
        let values = [("who", who), ("asset", asset.as_str()), ("amount", &amount), ("to", &to)];
        Ok(self.lang.fill(key, &values))
    }

    async fn exchange(&mut self, ui: &Ui, who: &str, op: &ExchangeOp) -> Result<String, ReadError> {
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
            ExchangeOp::Cancel { .. } => ("words.order_cancel", None, None),
            ExchangeOp::Reduce { .. } => ("words.order_reduce", None, None),
        };
        let amount = match (market, amount) {
            (Some(market), Some(amount)) => self.amount(ui, market.base.into(), amount).await?,
            _ => String::new(),
        };
        let market = market.map(|market| market.to_string()).unwrap_or_default();
        Ok(self.lang.fill(key, &[("who", who), ("market", &market), ("amount", &amount)]))
    }
}

/// What is said of keys, guardians, limits, freezes and roles: as little as the API shows to everyone.
const fn account_words(op: &AccountOp) -> &'static str {
    match op {
        AccountOp::Register { .. } => "words.register",
        AccountOp::AddKey { .. } => "words.key_add",
        AccountOp::RevokeKey { .. } => "words.key_revoke",
        AccountOp::RotateKey { .. } => "words.key_rotate",
        AccountOp::LabelKey { .. } => "words.key_label",
        AccountOp::SetGuardians { .. } => "words.guardians",
        AccountOp::ProposeRecovery { .. } => "words.recovery_propose",
        AccountOp::AgreeToRecovery { .. } => "words.recovery_agree",
        AccountOp::CancelRecovery { .. } => "words.recovery_cancel",
        AccountOp::SetLimit { .. } => "words.limit",
        AccountOp::Freeze { .. } => "words.freeze",
        AccountOp::Unfreeze { .. } => "words.unfreeze",
        AccountOp::Role(RoleOp::Propose { .. }) => "words.role_propose",
        AccountOp::Role(RoleOp::Approve { .. }) => "words.role_approve",
        AccountOp::Role(RoleOp::Reject { .. }) => "words.role_reject",
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
