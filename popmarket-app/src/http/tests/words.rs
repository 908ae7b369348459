//! Every kind of transaction in plain words.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Height, MoneyRejection, Outcome, Transaction, UnixMillis};

use super::world::World;
use crate::pages::{Lang, Writer, text_keys};
use crate::read_model::TransactionRecord;

/// The ledger keeps the bytes of one transaction of each kind at least, frozen.
const VECTORS: &str = include_str!("../../../../ledger/tests/vectors/ledger.toml");

fn samples() -> BTreeMap<String, Transaction> {
    let vectors: toml::Table = toml::from_str(VECTORS).unwrap();
    let transactions = vectors["transaction"].as_table().unwrap().iter();
    transactions
        .map(|(name, vector)| {
            let bytes = hex::decode(vector["bytes"].as_str().unwrap()).unwrap();
            (name.clone(), Transaction::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

fn record(transaction: Transaction, outcome: Outcome) -> TransactionRecord {
    TransactionRecord { height: Height::new(1), index: 0, time: UnixMillis::new(0), transaction, outcome }
}

/// Whether a text could have been made from a template.
fn is_made_from(template: &str, text: &str) -> bool {
    let mut parts = template.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<_> = parts.collect();
    for part in &parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    parts.last().is_none_or(|last| text.ends_with(last))
}

#[tokio::test]
async fn every_kind_of_transaction_has_words_in_both_languages() {
    let world = World::new().await;
    let samples = samples();
    assert!(samples.len() > 60, "{}", samples.len());
    let templates: BTreeSet<&str> = text_keys()
        .map(String::as_str)
        .filter(|key| key.starts_with("words.") && !matches!(*key, "words.failed" | "words.unknown"))
        .collect();
    for lang in [Lang::Ko, Lang::En] {
        let mut writer = Writer::new(&world.state.read, lang);
        let mut used = BTreeSet::new();
        for (name, transaction) in &samples {
            let who = transaction.body().sender.to_string();
            let words = writer.summary(&record(transaction.clone(), Outcome::Applied)).await.unwrap();
            assert!(words.contains(&who) && !words.contains("words."), "{name}: {words}");
            assert!(!words.contains("  ") && !words.contains(['{', '}']), "{name}: {words}");
            // Something is said even where what it is about is not there.
            assert!(!words.contains("‘’") && !words.contains("“”"), "{name}: {words}");
            let fitting = templates.iter().filter(|key| is_made_from(lang.text(key), &words));
            used.extend(fitting.copied());
        }
        let unused: Vec<_> = templates.difference(&used).collect();
        assert!(unused.is_empty(), "no transaction was seen that is put into these words: {unused:?}");
    }
}

#[tokio::test]
async fn what_failed_is_said_to_have_failed_and_why() {
    let world = World::new().await;
    let pay = samples().remove("pay").unwrap();
    let why = MoneyRejection::InsufficientFunds { asset: ledger::AssetId::Pop };
    let failed = record(pay.clone(), Outcome::Rejected(why.into()));
    let done = record(pay, Outcome::Applied);
    for (lang, begins, ends) in
        [(Lang::En, "Failed: ", "There is too little money."), (Lang::Ko, "실패: ", "잔액이 부족합니다.")]
    {
        let mut writer = Writer::new(&world.state.read, lang);
        let (done, failed) = (writer.summary(&done).await.unwrap(), writer.summary(&failed).await.unwrap());
        assert!(failed.starts_with(begins) && failed.ends_with(ends) && failed.contains(&done), "{failed}");
        assert!(!done.starts_with(begins));
    }
}
