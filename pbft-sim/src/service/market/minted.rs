//! Money out of nothing must be noticed: a replica comes back from a checkpoint in which somebody has a coin more.

use ledger::{RestoreError, StateKey};
use pbft_core::{
    ReplicaId,
    storage::{LogPosition, MemoryLog, Record},
};

use super::*;
use crate::{Finished, Plan, Simulation, Violation, disk::Medium, rng::Rng, service::ServiceKind};

/// The same state with a coin more, or less, on one account, and a tip that says so: nothing else is wrong with it.
fn with_other_money(snapshot: &[u8]) -> Vec<u8> {
    let Snapshot { mut tip, mut entries, known } = wire::decode(snapshot).unwrap();
    let wanted = StateKey::Balance(address(2), AssetId::Pop).to_bytes();
    let (_, balance) = entries.iter_mut().find(|(key, _)| *key == wanted).unwrap();
    // The lowest bit of what is free to spend.
    balance[0] ^= 1;
    let Err(RestoreError::StateRoot { actual, .. }) =
        Ledger::restore(genesis(), tip.clone(), entries.clone())
    else {
        panic!("the root is another one")
    };
    tip.state_root = actual;
    bytes(&Snapshot { tip, entries, known })
}

#[test]
fn a_state_with_other_money_is_no_sound_one() {
    let sound = Market::new();
    assert_eq!(sound.check(), Ok(()));
    let forged = Market::decode(&with_other_money(&sound.encode())).unwrap();
    let said = forged.check().unwrap_err();
    assert!(said.contains("the supply is"), "{said}");
}

/// A log whose checkpoints hold other money when they are read, if it `mints`.
struct Log {
    log: MemoryLog,
    mints: bool,
}

impl Medium for Log {
    fn append(&mut self, position: LogPosition, record: &Record) {
        Medium::append(&mut self.log, position, record);
    }

    fn sync(&mut self) {
        Medium::sync(&mut self.log);
    }

    fn truncate(&mut self, position: LogPosition) {
        Medium::truncate(&mut self.log, position);
    }

    fn load(&mut self) -> Vec<(LogPosition, Record)> {
        let mut records = Medium::load(&mut self.log);
        for (_, record) in records.iter_mut().filter(|_| self.mints) {
            if let Record::Checkpoint(checkpoint) = record
                && let Some(snapshot) = &mut checkpoint.snapshot
            {
                *snapshot = with_other_money(snapshot);
            }
        }
        records
    }

    fn power_cut(&mut self, chance: &mut Rng) {
        Medium::power_cut(&mut self.log, chance);
    }
}

/// A market whose replicas crash, and go on from what their logs hold.
fn market(mints: impl Fn(ReplicaId) -> bool) -> Finished {
    let mut plan = Plan::of(1, &[4]).calm();
    (plan.service, plan.durable_service) = (ServiceKind::Ledger, false);
    (plan.workload.clients, plan.workload.requests, plan.workload.reads) = (4, 100, 0);
    plan.faults.blackouts = 1;
    let log =
        |replica| -> Box<dyn Medium> { Box::new(Log { log: MemoryLog::default(), mints: mints(replica) }) };
    Simulation::new(plan, false).on_disks(log).run()
}

#[test]
fn a_ledger_that_comes_back_with_other_money_is_noticed() {
    let forger = ReplicaId::new(2);
    let found = market(|replica| replica == forger).violation;
    let Some(Violation::Service { replica, what, .. }) = &found else { panic!("{found:?}") };
    assert!(*replica == forger && what.contains("the supply is"), "{found:?}");
    assert_eq!(market(|_| false).violation, None);
}
