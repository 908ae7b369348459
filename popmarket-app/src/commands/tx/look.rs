//! What is on the chain, for people.

use std::fmt::Write;

use ledger::{Body, TradeState, TxId};
use pbft_crypto::Address;
use serde_json::{Value, json};

use crate::{
    api::{Api, ApiError},
    commands::{CommandError, answer::Answer},
};

/// A transaction and what came of it: exits with 1 if it was rejected, and with 3 if it is not on the chain (yet).
pub(super) async fn show(api: &Api, id: TxId) -> Result<Answer, CommandError> {
    let found: Result<Value, _> = api.get(&format!("/v1/transactions/{id}")).await;
    match found {
        Ok(transaction) => Ok(shown(transaction)),
        Err(ApiError::Problem(problem)) if problem.code == "UNKNOWN_TRANSACTION" => {
            let failure = CommandError::Unknown(format!(
                "{id} is not on the chain. If it was sent, it may come, as long as it is valid"
            ));
            let json = json!({ "status": "UNKNOWN", "tx_id": id });
            Ok(Answer { failure: Some(failure), ..Answer::new(json, "") })
        }
        Err(error) => Err(error.into()),
    }
}

fn shown(transaction: Value) -> Answer {
    let text = |name: &str| text(&transaction[name]);
    let mut words = format!("{} in block {}, {}\n", text("kind"), text("height"), text("time"));
    line(&mut words, "sender", &text("sender"));
    fields(&mut words, &transaction["operation"]);
    line(&mut words, "transaction", &text("tx_id"));
    let failure = (transaction["outcome"]["status"] != "APPLIED").then(|| {
        let outcome = &transaction["outcome"];
        let why = outcome["detail"].as_str().or(outcome["code"].as_str()).unwrap_or("no reason is given");
        CommandError::Failed(format!("the ledger rejected it: {why}"))
    });
    // Whoever asks whether it was carried out must not take a full disk for a no.
    Answer { is_done: failure.is_none(), failure, ..Answer::new(transaction, words.trim_end()) }
}

/// One line for each.
pub(super) async fn list(api: &Api, account: Option<Address>, limit: u32) -> Result<Answer, CommandError> {
    let of = account.map(|account| format!("&account={account}")).unwrap_or_default();
    let list: Value = api.get(&format!("/v1/transactions?limit={limit}{of}")).await?;
    let lines = list["data"].as_array().into_iter().flatten().map(|transaction| {
        let text = |name: &str| text(&transaction[name]);
        let status = transaction["outcome"]["status"].as_str().unwrap_or_default();
        format!("{:>9}  {}  {status:8}  {:22}  {}", text("height"), text("time"), text("kind"), text("tx_id"))
    });
    let words = lines.collect::<Vec<_>>().join("\n");
    Ok(Answer::new(list, if words.is_empty() { "no transactions".into() } else { words }))
}

/// One line for each: what state it is in, until when, and what names it.
pub(super) async fn trades(
    api: &Api,
    account: Address,
    state: Option<TradeState>,
    limit: u32,
) -> Result<Answer, CommandError> {
    let state = state.map(|state| format!("&state={}", state.code())).unwrap_or_default();
    let list: Value = api.get(&format!("/v1/accounts/{account}/trades?limit={limit}{state}")).await?;
    let trades = list["data"].as_array().into_iter().flatten();
    let words = trades.map(|trade| trade_line(&account, trade)).collect::<Vec<_>>().join("\n");
    Ok(Answer::new(list, if words.is_empty() { "no trades".into() } else { words }))
}

fn trade_line(account: &Address, trade: &Value) -> String {
    let text = |name: &str| text(&trade[name]);
    let side = if trade["buyer"] == account.to_string() { "buys" } else { "sells" };
    let price = format!("{} {}", text("amount"), text("asset"));
    let deadline = trade["deadline"]["at"].as_str().unwrap_or("-");
    let (state, id, title) = (text("state"), text("id"), text("title"));
    format!("{side:5}  {state:9}  {deadline:24}  {price:>14}  {id}  {title}")
}

/// What somebody has signed, line by line.
pub(super) fn words(body: &Body, id: &TxId) -> String {
    let mut words = String::new();
    let mut operation = json!(body.operation);
    let mut kind = Vec::new();
    // An operation is tagged: with its kind of business, and with what it does there.
    while let Some((tag, inner)) = untag(&operation) {
        kind.push(tag);
        operation = inner;
        if kind.len() == 2 {
            break;
        }
    }
    line(&mut words, "what", &kind.join("."));
    fields(&mut words, &operation);
    line(&mut words, "sender", &body.sender.to_string());
    line(&mut words, "transaction", &id.to_string());
    words.trim_end().to_owned()
}

fn untag(value: &Value) -> Option<(String, Value)> {
    let (tag, inner) = value.as_object().filter(|map| map.len() == 1)?.iter().next()?;
    Some((tag.clone(), inner.clone()))
}

/// The fields of an operation, without those that say nothing.
fn fields(words: &mut String, value: &Value) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::Object(_) => fields(words, value),
            other => line(words, name, &text(other)),
        }
    }
}

/// A text without its quotes, and without what could move the cursor of a terminal.
fn text(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn line(words: &mut String, name: &str, value: &str) {
    // Writing to a string never fails.
    let _ = writeln!(words, "  {name:14} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, key, sign};

    #[test]
    fn a_transaction_is_told_in_lines() {
        let operation = ledger::PaymentOp::Pay {
            to: address(&key(5)),
            asset: ledger::AssetId::Pop,
            amount: ledger::Amount::new(500),
            reference: None,
            memo: "thanks".parse().unwrap(),
        };
        let transaction = sign(&key(4), 0, operation);
        let words = words(transaction.body(), &transaction.id());
        for part in ["payment.pay", &address(&key(5)).to_string(), " 500", "POP", "thanks"] {
            assert!(words.contains(part), "{part}: {words}");
        }
        assert!(!words.contains("reference") && !words.contains("null"), "{words}");
    }

    #[test]
    fn a_trade_is_told_in_a_line() {
        let (me, other) = (address(&key(4)), address(&key(5)));
        let mut trade = json!({
            "id": "ab12", "title": "Lamp\u{7}", "buyer": me, "seller": other, "amount": "500", "asset": "POP",
            "state": "SHIPPED", "deadline": { "kind": "confirm_by", "at": "2030-01-31T12:00:00.000Z" },
        });
        assert_eq!(
            trade_line(&me, &trade),
            "buys   SHIPPED    2030-01-31T12:00:00.000Z         500 POP  ab12  Lamp\u{fffd}"
        );
        trade["deadline"] = Value::Null;
        let line = trade_line(&other, &trade);
        assert!(line.starts_with("sells  SHIPPED    -  "), "{line}");
    }

    #[test]
    fn what_others_wrote_moves_no_cursor() {
        assert_eq!(text(&json!("a\u{1b}[2Jb\nc")), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(text(&json!(7)), "7");
    }
}
