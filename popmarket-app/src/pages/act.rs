//! The forms of a trade: one for each thing that can be done with it.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use ledger::{Amount, Operation, Rating, ReviewOp, Ruling, Split, TradeId, TradeOp, handover_hash};
use serde::Deserialize;

use super::form::Form;
use super::trades::press;
use super::ui::Visitor;
use crate::http::model::Action;
use crate::http::{Answer, AppState, Code, Failure, Id, Intent, Problem};

/// What the form of an action asks for.
pub(super) const fn fields(action: Action) -> &'static [&'static str] {
    match action {
        Action::Ship | Action::ReturnShip => &["tracking"],
        Action::Collect | Action::HandOver => &["code"],
        Action::Resolve => &["ruling", "to_buyer", "reason"],
        Action::ProposeSplit => &["to_buyer"],
        Action::Dispute => &["reason"],
        Action::AddEvidence => &["hash", "note"],
        Action::GiveBack => &["amount"],
        Action::Accept
        | Action::Confirm
        | Action::ReturnConfirm
        | Action::Attest
        | Action::AcceptSplit
        | Action::Extend
        | Action::Cancel => &[],
    }
}

/// All fields that a form of a trade can have. Those that are not filled in are empty.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ActForm {
    form_key: String,
    tracking: String,
    code: String,
    ruling: String,
    to_buyer: String,
    to_seller: String,
    reason: String,
    hash: String,
    note: String,
    amount: String,
}

/// Reads a field as people write it.
fn read<T: FromStr>(name: &'static str, text: &str) -> Result<T, Failure>
where
    T::Err: Display,
{
    text.trim().parse().map_err(|error| Problem::in_field(Code::INVALID_BODY, name, error))
}

impl ActForm {
    /// The operation of an action on a trade with this price.
    fn operation(&self, action: Action, trade: TradeId, price: Amount) -> Result<TradeOp, Failure> {
        Ok(match action {
            Action::Accept => TradeOp::Accept { trade },
            Action::Confirm => TradeOp::Confirm { trade },
            Action::ReturnConfirm => TradeOp::ReturnConfirm { trade },
            Action::Attest => TradeOp::Attest { trade },
            Action::Extend => TradeOp::Extend { trade },
            Action::Cancel => TradeOp::Cancel { trade },
            Action::Ship => TradeOp::Ship { trade, tracking: read("tracking", &self.tracking)? },
            Action::ReturnShip => TradeOp::ReturnShip { trade, tracking: read("tracking", &self.tracking)? },
            Action::Collect => TradeOp::Collect { trade, code: read("code", &self.code)? },
            Action::HandOver => {
                TradeOp::HandOver { trade, code_hash: handover_hash(&trade, &read("code", &self.code)?) }
            }
            Action::Resolve => {
                let reason = read("reason", &self.reason)?;
                TradeOp::Resolve { trade, ruling: self.ruling(price)?, reason }
            }
            Action::ProposeSplit => TradeOp::ProposeSplit { trade, split: self.split(price)? },
            Action::AcceptSplit => {
                let to_seller = read("to_seller", &self.to_seller)?;
                TradeOp::AcceptSplit { trade, split: Split { to_seller, ..self.split(price)? } }
            }
            Action::Dispute => TradeOp::Dispute { trade, reason: read("reason", &self.reason)? },
            Action::AddEvidence => {
                let (hash, note) = (read("hash", &self.hash)?, read("note", &self.note)?);
                TradeOp::AddEvidence { trade, hash, note }
            }
            Action::GiveBack => TradeOp::GiveBack { trade, amount: read("amount", &self.amount)? },
        })
    }

    /// The buyer's part is said, the seller gets the rest.
    fn split(&self, price: Amount) -> Result<Split, Failure> {
        let to_buyer: Amount = read("to_buyer", &self.to_buyer)?;
        let to_seller = price.checked_sub(to_buyer).ok_or_else(|| Problem::new(Code::SPLIT_SUM))?;
        Ok(Split { to_buyer, to_seller })
    }

    fn ruling(&self, price: Amount) -> Result<Ruling, Failure> {
        Ok(match self.ruling.as_str() {
            "release" => Ruling::Release,
            "refund" => Ruling::Refund,
            "return" => Ruling::Return,
            "split" => Ruling::Split(self.split(price)?),
            _ => return Err(Problem::in_field(Code::INVALID_BODY, "ruling", "there is no such ruling")),
        })
    }
}

/// The form of an action.
pub(super) fn act(action: Action) -> MethodRouter<AppState> {
    let act = move |State(state): State<AppState>,
                    visitor: Visitor,
                    intent: Intent,
                    Id(id): Id<TradeId>,
                    form: Form<ActForm>| async move {
        let price = state.gateway.view().read(|ledger| ledger.trade(&id).map(|trade| trade.amount));
        let operation = form.value.operation(action, id, price.unwrap_or_default());
        let sent = (form.value.form_key, form.fingerprint);
        press(&state, &visitor, intent, sent, operation.map(Operation::from), id).await
    };
    post(act)
}

/// The form to write a review.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReviewForm {
    form_key: String,
    rating: String,
    #[serde(default)]
    text: String,
}

pub(super) async fn review(
    State(state): State<AppState>,
    visitor: Visitor,
    intent: Intent,
    Id(trade): Id<TradeId>,
    form: Form<ReviewForm>,
) -> Answer<Response> {
    let ReviewForm { form_key, rating, text } = form.value;
    let operation = || {
        let rating: u8 = read("rating", &rating)?;
        let rating = Rating::try_from(rating)
            .map_err(|error| Problem::in_field(Code::INVALID_BODY, "rating", error))?;
        // Browsers end the lines of a text area like this.
        let text = read("text", &text.replace("\r\n", "\n"))?;
        Ok(ReviewOp::Post { trade, rating, text }.into())
    };
    let operation = operation();
    press(&state, &visitor, intent, (form_key, form.fingerprint), operation, trade).await
}
