//! The log of freezes, also of those that tables of before have as events alone.

use ledger::{AccountOp, Reason, TxId, UnixMillis};
use pbft_core::service::Service;

use super::World;
use crate::projector::Projector;
use crate::read_model::{FreezeRecord, Lifting, PageRequest, ReadModel};
use crate::service::request_of;
use crate::sql::either;
use crate::testing::{Databases, START, address, batch, key, on_each_database, service, sign};

on_each_database!(each_freeze_has_its_own_end, freezes_of_before_the_table_are_in_it);

/// Who does what to whom, one after the other. Keys 1 and 2 are admins'.
const ACTS: [(u8, &str, u8); 5] =
    [(1, "freeze", 4), (2, "lift", 4), (1, "freeze", 5), (2, "freeze", 4), (2, "lift", 5)];

/// A world in which accounts are frozen, and the transactions.
fn frosty() -> (World, Vec<TxId>) {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let (mut nonces, mut ids) = ([0; 3], Vec::new());
    for ((admin, act, whom), seq) in ACTS.into_iter().zip(1..) {
        let account = address(&key(whom));
        let operation = match act {
            "freeze" => AccountOp::Freeze { account, reason: reason(seq) },
            _ => AccountOp::Unfreeze { account },
        };
        let nonce = &mut nonces[usize::from(admin)];
        let transaction = sign(&key(admin), *nonce, operation);
        *nonce += 1;
        ids.push(transaction.id());
        service.execute(&batch(seq, START + seq, vec![request_of(&transaction)]));
    }
    (World { _folder: folder, service }, ids)
}

fn reason(seq: u64) -> Reason {
    Reason::new(format!("reason {seq}")).unwrap()
}

fn log(ids: &[TxId]) -> Vec<FreezeRecord> {
    let freeze = |frozen: u64, name: &str, lifted: Option<u64>| {
        let tx = |seq: u64| ids[usize::try_from(seq - 1).unwrap()];
        let (admin, _, whom) = ACTS[usize::try_from(frozen - 1).unwrap()];
        let at = |seq: u64| UnixMillis::new(START + seq);
        FreezeRecord {
            tx: tx(frozen),
            account: address(&key(whom)),
            account_name: name.parse().unwrap(),
            by: address(&key(admin)),
            reason: reason(frozen),
            at: at(frozen),
            lifted: lifted.map(|seq| Lifting { tx: tx(seq), by: address(&key(2)), at: at(seq) }),
        }
    };
    vec![freeze(4, "alice", None), freeze(3, "bob", Some(5)), freeze(1, "alice", Some(2))]
}

async fn all(model: &ReadModel) -> Vec<FreezeRecord> {
    model.freezes(None, PageRequest::default()).await.unwrap().items
}

async fn each_freeze_has_its_own_end(databases: &Databases) {
    let (world, ids) = frosty();
    let model = world.filled(databases, "model").await;
    let expected = log(&ids);
    assert_eq!(all(&model).await, expected);
    let alice = Some(address(&key(4)));
    let of_alice = model.freezes(alice, PageRequest::default()).await.unwrap();
    assert_eq!(of_alice.items, [expected[0].clone(), expected[2].clone()]);
}

async fn freezes_of_before_the_table_are_in_it(databases: &Databases) {
    let (world, ids) = frosty();
    let model = world.filled(databases, "model").await;
    let digest = model.digest().await.unwrap();
    let mut change = model.begin_write().await.unwrap();
    for sql in [
        "DROP TABLE freezes",
        "DROP INDEX events_of_freezes",
        "DELETE FROM _sqlx_migrations WHERE version = 112",
    ] {
        either::query(sql).execute(&mut change).await.unwrap();
    }
    change.commit().await.unwrap();
    model.close().await;

    let model = databases.open("model").await;
    assert_eq!(all(&model).await, log(&ids));
    assert_eq!(model.digest().await.unwrap(), digest);
    Projector::new(world.service.view(), model.clone()).catch_up().await.unwrap();
    assert_eq!(model.digest().await.unwrap(), digest);
}
