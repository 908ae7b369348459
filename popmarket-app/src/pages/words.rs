//! Transactions in plain words.

use std::collections::HashMap;

use ledger::{
    AccountOp, Amount, ChargeOp, ListingOp, Operation, Outcome, PaymentOp, PollOp, ReplicaOp, TradeOp,
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
            // How much, and why, concerns others as little here as in the API.
            Operation::Charge(ChargeOp::Request { .. }) => say("words.charge_request", &[]),
            Operation::Charge(ChargeOp::Approve { .. }) => say("words.charge_approve", &[]),
            Operation::Charge(ChargeOp::Reject { .. }) => say("words.charge_reject", &[]),
            Operation::Payment(PaymentOp::Pay { to, amount, .. }) => {
                let to = self.name(to).await?;
                let values = [("who", who), ("to", &to), ("amount", &money(amount))];
                self.lang.fill("words.pay", &values)
            }
            Operation::Payment(PaymentOp::Authorize { to, amount, .. }) => {
                let to = self.name(to).await?;
                let values = [("who", who), ("to", &to), ("amount", &money(amount))];
                self.lang.fill("words.authorize", &values)
            }
            Operation::Payment(PaymentOp::Capture { amount, .. }) => {
                say("words.capture", &[("amount", &money(amount))])
            }
            Operation::Payment(PaymentOp::Void { .. }) => say("words.void", &[]),
            Operation::Payment(PaymentOp::Refund { amount, .. }) => {
                say("words.refund", &[("amount", &money(amount))])
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
            Operation::Replica(ReplicaOp::Propose { .. }) => say("words.replica_propose", &[]),
            Operation::Replica(ReplicaOp::Approve { .. }) => say("words.replica_approve", &[]),
            Operation::Replica(ReplicaOp::Reject { .. }) => say("words.replica_reject", &[]),
            Operation::Poll(PollOp::Create { content, .. }) => {
                say("words.poll_create", &[("question", content.question.as_str())])
            }
            Operation::Poll(PollOp::Vote { .. }) => say("words.poll_vote", &[]),
            Operation::Poll(PollOp::Commit { .. }) => say("words.poll_commit", &[]),
            Operation::Poll(PollOp::Reveal { .. }) => say("words.poll_reveal", &[]),
            Operation::Poll(PollOp::Close { .. }) => say("words.poll_close", &[]),
        })
    }
}
