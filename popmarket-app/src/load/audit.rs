//! What is in the chains when all is over, looked up in the files of the replicas: the last word on what was lost or
//! done twice.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ledger::{Cause, Height, Operation};
use pbft_core::RequestId;
use serde::Serialize;

use super::LoadError;
use crate::{
    config::LoadedNode,
    store::{LedgerStore, StateName, StoreOptions},
};

/// Blocks are read in portions.
const BLOCKS_AT_ONCE: usize = 256;
const TRANSACTIONS_AT_ONCE: usize = 20_000;

/// What every replica's chain holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Blocks, the first one included.
    pub blocks: u64,
    /// Payments that were carried out.
    pub payments: u64,
}

impl Audit {
    /// Reads the chains of all replicas, which must not run.
    ///
    /// # Errors
    /// If two chains differ, if a payment is missing or there twice, or if money was made or lost.
    pub(super) fn of(node_files: &[PathBuf], acknowledged: &[RequestId]) -> Result<Self, LoadError> {
        let mut first = None;
        for file in node_files {
            let found = audit_one(file, acknowledged)?;
            if *first.get_or_insert(found) != found {
                return Err(LoadError::Audit(format!(
                    "{} holds another chain than the first replica",
                    file.display()
                )));
            }
        }
        let (_, audit) = first.ok_or_else(|| LoadError::Audit("there is no replica".into()))?;
        Ok(audit)
    }
}

fn audit_one(file: &Path, acknowledged: &[RequestId]) -> Result<(StateName, Audit), LoadError> {
    let node = LoadedNode::load(file)?;
    let wrong = |error: &dyn std::fmt::Display| LoadError::Audit(format!("{}: {error}", file.display()));
    let options = StoreOptions::default();
    let (store, ledger) = LedgerStore::open(&node.data.join("ledger"), &node.genesis, &options)
        .map_err(|error| wrong(&error))?;
    ledger.check_invariants().map_err(|error| wrong(&error))?;
    let recorded = recorded(&store).map_err(|error| wrong(&error))?;
    if let Some((id, found)) = recorded.iter().find(|(_, found)| found.times != 1) {
        let times = found.times;
        return Err(wrong(&format!("payment {} of {} is there {times} times", id.1, hex::encode(id.0))));
    }
    for id in acknowledged {
        if !recorded.contains_key(&(*id.client.as_bytes(), id.number.value())) {
            return Err(wrong(&format!("payment {id} was acknowledged and is missing")));
        }
    }
    let name = StateName::of(&ledger);
    let blocks = name.height.value().saturating_add(1);
    let payments = recorded.values().filter(|found| found.is_payment).count() as u64;
    Ok((name, Audit { blocks, payments }))
}

/// How often a transaction was carried out.
struct Recorded {
    times: u32,
    is_payment: bool,
}

/// How often each transaction, by sender and nonce, was carried out.
fn recorded(store: &LedgerStore) -> Result<BTreeMap<([u8; 32], u64), Recorded>, crate::store::StoreError> {
    let mut recorded = BTreeMap::new();
    let mut from = Height::new(0);
    loop {
        let blocks = store.blocks_from(from, BLOCKS_AT_ONCE, TRANSACTIONS_AT_ONCE)?;
        let Some(last) = blocks.last() else { return Ok(recorded) };
        from = Height::new(last.block.header.height.value() + 1);
        for block in blocks.into_iter().map(|stored| stored.block) {
            // Receipts of deadlines stand among those of transactions.
            for receipt in block.receipts.iter().filter(|receipt| receipt.outcome.is_applied()) {
                let Cause::Transaction { index, .. } = receipt.cause else { continue };
                if let Some(transaction) = block.transactions.get(index as usize) {
                    let body = transaction.body();
                    let is_payment = matches!(body.operation, Operation::Payment(_));
                    let entry = recorded.entry((*body.sender.as_bytes(), body.nonce));
                    entry.or_insert(Recorded { times: 0, is_payment }).times += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pbft_core::service::Service;

    use super::*;
    use crate::{
        service::Verdict,
        testing::{Traffic, service},
    };

    #[test]
    fn deadlines_in_a_block_do_not_shift_the_outcomes_of_its_transactions() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = service(folder.path());
        let mut traffic = Traffic::new(9);
        let mut applied = BTreeSet::new();
        for seq in 1..=60 {
            let batch = service.view().read(|ledger| traffic.batch(seq, ledger));
            for outcome in service.execute(&batch).outcomes {
                if let Ok(Verdict::Recorded(result)) = Verdict::from_outcome(&outcome)
                    && result.outcome.is_applied()
                {
                    applied.insert(result.tx_id);
                }
            }
        }
        let view = service.view();
        let blocks = view.store().blocks_from(Height::new(0), usize::MAX, usize::MAX).unwrap();
        let mixed = blocks.iter().filter(|stored| {
            let by_deadline = |receipt: &ledger::Receipt| matches!(receipt.cause, Cause::Deadline { .. });
            stored.block.receipts.iter().any(by_deadline) && !stored.block.transactions.is_empty()
        });
        assert!(mixed.count() > 0, "some blocks have both");
        let transactions = blocks.iter().flat_map(|stored| &stored.block.transactions);
        let expected = transactions.filter(|transaction| applied.contains(&transaction.id()));
        let expected: BTreeSet<_> =
            expected.map(|one| (*one.body().sender.as_bytes(), one.body().nonce)).collect();
        let recorded = recorded(view.store()).unwrap();
        assert_eq!(recorded.into_keys().collect::<BTreeSet<_>>(), expected);
    }
}
