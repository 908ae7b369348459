//! A chain that is handed out and taken over, and what can go wrong on the way.

use std::path::Path;

use ledger::{Height, Ledger};
use pbft_core::service::{OrderedBatch, Service};
use pbft_crypto::Digest;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::{Boundary, Manifest, StateName, StoredBlock};
use crate::testing::{Rng, busy_market_with, genesis, replica};

mod kills;

/// Volumes of a few blocks.
fn options() -> StoreOptions {
    StoreOptions { volume_bytes: 4 << 10, ..StoreOptions::default() }
}

fn open(folder: &Path) -> LedgerService {
    LedgerService::open(folder, &genesis(), &options()).unwrap()
}

/// A replica that others take the chain from, and what it executed.
struct Source {
    service: LedgerService,
    batches: Vec<OrderedBatch>,
    digest: Digest,
    seq: Seq,
    _folder: TempDir,
}

impl Source {
    /// With a checkpoint after `seq` of its batches, which it keeps while it goes on.
    fn new(seed: u64, seq: usize, batches: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (_, batches) = busy_market_with(&options(), folder.path(), seed, batches);
        let folder = tempfile::tempdir().unwrap();
        let mut service = open(folder.path());
        let (before, after) = batches.split_at(seq);
        before.iter().for_each(|batch| drop(service.execute(batch)));
        let digest = service.checkpoint().digest;
        after.iter().for_each(|batch| drop(service.execute(batch)));
        Self { service, batches, digest, seq: Seq::new(seq as u64), _folder: folder }
    }

    fn manifest(&mut self) -> Vec<u8> {
        self.service.manifest(self.seq).unwrap()
    }

    fn part(&mut self, index: u32) -> Vec<u8> {
        self.service.part(self.seq, index).unwrap()
    }

    fn after(&self) -> &[OrderedBatch] {
        &self.batches[usize::try_from(self.seq.value()).unwrap()..]
    }

    /// What the ledger is called after the checkpoint's batch.
    fn name(&self) -> StateName {
        self.service.view().store().batch_record(self.seq).unwrap().unwrap().after
    }

    fn begin(&mut self, target: &mut LedgerService) -> Vec<u32> {
        let manifest = self.manifest();
        target.begin_install(self.seq, &self.digest, &manifest).unwrap()
    }

    /// The whole way.
    fn install(&mut self, target: &mut LedgerService, rng: &mut Rng) {
        let mut missing = self.begin(target);
        while !missing.is_empty() {
            let index = missing.swap_remove(usize::try_from(rng.below(missing.len() as u64)).unwrap());
            target.accept_part(index, &self.part(index)).unwrap();
        }
        target.complete_install().unwrap();
        target.restore(self.seq, None).unwrap();
    }
}

fn chain(service: &LedgerService) -> Vec<StoredBlock> {
    service.view().store().blocks_from(Height::GENESIS, usize::MAX, usize::MAX).unwrap()
}

fn name(service: &LedgerService) -> StateName {
    service.view().read(StateName::of)
}

/// Both have the same, and say the same of the batches to come.
fn assert_goes_on(source: &mut Source, target: &mut LedgerService) {
    assert_eq!(target.view().failure(), None);
    assert_eq!(target.applied(), source.seq);
    let expected = source.name();
    assert_eq!(name(target), expected);
    let blocks = chain(target);
    assert_eq!(blocks, chain(&source.service)[..blocks.len()], "blocks and events");
    assert_eq!(blocks.last().unwrap().block.hash(), expected.tip_hash);
    assert_eq!(target.checkpoint().digest, source.digest, "and can hand it out");
    assert_eq!(target.manifest(source.seq), Some(source.manifest()));
    assert!(target.view().store().waiting().unwrap().is_empty());
    assert!(target.view().store().install().unwrap().is_none());
    let record = |service: &LedgerService| service.view().store().batch_record(source.seq).unwrap().unwrap();
    let (own, others) = (record(target), record(&source.service));
    assert_eq!((own.wake_at, own.made_block, own.name()), (others.wake_at, others.made_block, others.name()));

    let (mut again, _folder) = service_after(source);
    for batch in source.after() {
        assert_eq!(target.execute(batch), again.execute(batch), "batch {}", batch.seq);
    }
    assert_eq!(name(target), name(&source.service));
    assert_eq!(target.checkpoint(), again.checkpoint());
    assert_eq!(chain(target), chain(&source.service));
    target.view().read(|own| {
        own.check_invariants().unwrap();
        source.service.view().read(|other| {
            let entries: Vec<_> = own.entries().collect();
            assert!(entries.into_iter().eq(other.entries()));
            let key = ledger::StateKey::Account(address(&key(4)));
            assert_eq!(own.prove(&key), other.prove(&key));
        });
    });
    let places = |service: &LedgerService| {
        let blocks = chain(service);
        let ids =
            blocks.iter().flat_map(|stored| stored.block.transactions.iter().map(ledger::Transaction::id));
        ids.map(|id| service.view().store().place_of(&id).unwrap().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(places(target), places(&source.service));
    assert_eq!(target.replicas, again.replicas);
}

/// One that executed all batches up to the checkpoint by itself.
fn service_after(source: &Source) -> (LedgerService, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut service = open(folder.path());
    let until = usize::try_from(source.seq.value()).unwrap();
    source.batches[..until].iter().for_each(|batch| drop(service.execute(batch)));
    (service, folder)
}

fn count(parts: usize) -> u32 {
    u32::try_from(parts).unwrap()
}

/// A replica that executed some batches by itself.
fn behind(folder: &Path, source: &Source, batches: usize) -> LedgerService {
    let mut service = open(folder);
    source.batches[..batches].iter().for_each(|batch| drop(service.execute(batch)));
    service
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_chain_is_taken_over_in_any_order_from_anywhere(
        seed in 0u64..1 << 40, seq in 20usize..40, own in 0usize..40, further in 0u64..10,
    ) {
        let mut source = Source::new(seed, seq, seq as u64 + further);
        let folder = tempfile::tempdir().unwrap();
        let mut target = behind(folder.path(), &source, own.min(seq));
        source.install(&mut target, &mut Rng(seed));
        assert_goes_on(&mut source, &mut target);
        drop(target);
        let mut target = open(folder.path());
        target.restore(source.seq, None).unwrap();
        prop_assert_eq!(name(&target), name(&source.service));
    }
}

#[test]
fn there_are_several_parts_and_each_is_small() {
    let mut source = Source::new(1, 60, 60);
    let folder = tempfile::tempdir().unwrap();
    let missing = source.begin(&mut open(folder.path()));
    assert!(missing.len() > 5, "{missing:?}");
    let largest = chain(&source.service).iter().map(|stored| stored.block.encode().len()).max().unwrap();
    for index in missing.clone() {
        assert!(source.part(index).len() < options().volume_bytes + largest, "part {index}");
    }
    assert_eq!(source.service.part(source.seq, count(missing.len())), None);
    assert_eq!(source.service.part(source.seq.next(), 0), None);
    // Who has some of it is given the rest.
    let own = behind(tempfile::tempdir().unwrap().path(), &source, 40).view().read(Ledger::height);
    let mut target = behind(folder.path(), &source, 40);
    let rest = source.begin(&mut target);
    assert!(!rest.is_empty() && rest.len() < missing.len());
    assert_eq!(target.view().read(Ledger::height), own);
}

#[test]
fn every_changed_byte_of_a_part_is_refused() {
    let mut source = Source::new(2, 40, 40);
    let folder = tempfile::tempdir().unwrap();
    let mut target = open(folder.path());
    let missing = source.begin(&mut target);
    for index in missing.iter().copied().step_by(2).chain(missing.last().copied()) {
        let good = source.part(index);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(target.accept_part(index, &bad).is_err(), "part {index}, byte {at}");
        }
        for bad in [&good[1..], &good[..good.len() - 1], &[&good[..], &[0]].concat(), &[], &[0]] {
            assert!(target.accept_part(index, bad).is_err());
        }
        for other in missing.iter().copied().filter(|other| *other != index) {
            assert!(target.accept_part(other, &good).is_err(), "part {index} as part {other}");
        }
    }
    assert!(target.accept_part(count(missing.len()), &source.part(0)).is_err());
    assert!(target.view().store().waiting().unwrap().is_empty());
    assert!(target.complete_install().is_err(), "nothing came");
    assert!(target.restore(source.seq, None).is_err());
}

#[test]
fn only_the_manifest_of_the_certified_state_is_believed() {
    let mut source = Source::new(3, 40, 40);
    let folder = tempfile::tempdir().unwrap();
    let mut target = open(folder.path());
    assert!(target.accept_part(0, &source.part(0)).is_err(), "nothing was begun");
    let (seq, digest, manifest) = (source.seq, source.digest, source.manifest());
    for at in 0..manifest.len() {
        let mut bad = manifest.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(target.begin_install(seq, &digest, &bad).is_err(), "byte {at}");
    }
    let longer = [&manifest[..], &[0]].concat();
    for bad in [&manifest[..manifest.len() - 1], &longer, &[]] {
        assert!(target.begin_install(seq, &digest, bad).is_err());
    }
    assert!(target.begin_install(seq, &Digest::from_bytes([1; 32]), &manifest).is_err());
    assert_eq!(target.view().failure(), None);
    assert!(target.view().store().install().unwrap().is_none());
    target.begin_install(seq, &digest, &manifest).unwrap();
}

/// Should a quorum certify what no correct replica has, nothing grows out of it.
#[test]
fn a_certified_manifest_of_unreasonable_sizes_is_refused() {
    let source = Source::new(4, 40, 40).service.view().store().manifest(Seq::new(40)).unwrap().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut target = open(folder.path());
    let mut verdict = |change: &dyn Fn(&mut Vec<Boundary>, &mut u64)| {
        let mut manifest = source.clone();
        let mut height = manifest.name.state.height.value();
        change(&mut manifest.volumes, &mut height);
        manifest.name.state.height = Height::new(height);
        manifest.name.volumes = Manifest::named(&manifest.volumes);
        let digest = manifest.name.digest();
        target.begin_install(Seq::new(40), &digest, &manifest.encode()).map(|missing| missing.len())
    };
    assert!(verdict(&|_, _| {}).is_ok());
    assert!(verdict(&|volumes, _| volumes.swap(0, 1)).is_err(), "heights go back");
    assert!(verdict(&|volumes, _| volumes[1] = volumes[0]).is_err(), "an empty volume");
    assert!(verdict(&|_, height| *height += 1_000).is_err(), "the rest would have been closed");
    assert!(verdict(&|_, height| *height = 3).is_err(), "volumes past the tip");
    assert!(verdict(&|volumes, _| volumes.clear()).is_err(), "all in one");
    assert!(
        verdict(&|volumes, _| volumes[0].height = Height::GENESIS).is_err(),
        "the first block is in none"
    );
}

#[test]
fn what_came_for_an_earlier_checkpoint_is_part_of_the_later_one() {
    // One whose last part is not a closed volume: more comes into it.
    let closed = |source: &Source| {
        let manifest = source.service.view().store().manifest(source.seq).unwrap().unwrap();
        (manifest.name.volumes.count, manifest.parts())
    };
    let sources = (7..).map(|seed| Source::new(seed, 25, 40));
    let mut source = sources.into_iter().find(|source| closed(source).0 < closed(source).1).unwrap();
    let (volumes, parts) = closed(&source);
    let folder = tempfile::tempdir().unwrap();
    let mut target = open(folder.path());
    assert_eq!(source.begin(&mut target), (0..parts).collect::<Vec<_>>());
    for index in 0..parts {
        target.accept_part(index, &source.part(index)).unwrap();
    }
    source.seq = Seq::new(40);
    source.digest = source.service.checkpoint().digest;
    let rest = source.begin(&mut target);
    assert_eq!(rest, (volumes..closed(&source).1).collect::<Vec<_>>());
    assert_eq!(count(target.view().store().waiting().unwrap().len()), volumes);
    source.install(&mut target, &mut Rng(1));
    assert_goes_on(&mut source, &mut target);
}

#[test]
fn checkpoints_are_kept_through_restarts_until_nobody_needs_them() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { kept_batches: 8, ..options() };
    let open = || LedgerService::open(folder.path(), &genesis(), &options).unwrap();
    let (_, batches) = busy_market_with(&options, tempfile::tempdir().unwrap().path(), 8, 60);
    let mut service = open();
    for batch in &batches {
        service.execute(batch);
        if batch.seq.value().is_multiple_of(10) {
            service.checkpoint();
        }
    }
    let seqs = [10, 20, 30, 40, 50, 60].map(Seq::new);
    let handed = |service: &mut LedgerService| seqs.map(|seq| service.manifest(seq));
    let before = handed(&mut service);
    assert!(before.iter().all(Option::is_some));
    assert_eq!(service.manifest(Seq::new(55)), None);
    drop(service);
    let mut service = open();
    assert_eq!(handed(&mut service), before);
    service.keep_checkpoints(&[Seq::new(20), Seq::new(50)]);
    let kept = handed(&mut service).map(|manifest| manifest.is_some());
    assert_eq!(kept, [false, true, false, false, true, true], "the newest one stays, too");
    drop(service);
    assert_eq!(handed(&mut open()).map(|manifest| manifest.is_some()), kept);
}

#[test]
fn a_chain_that_is_not_the_certified_one_stops_the_replica() {
    let mut source = Source::new(9, 40, 40);
    let why = "the ledger store is damaged: block";
    // Far behind: whole volumes differ. A little behind: the difference is in the part that goes on.
    for batches in [30, 3] {
        let folder = tempfile::tempdir().unwrap();
        let (mut target, _) = busy_market_with(&options(), folder.path(), 99, batches);
        let (digest, manifest) = (source.digest, source.manifest());
        let missing = target.begin_install(source.seq, &digest, &manifest);
        if let Ok(missing) = missing {
            let index = missing[0];
            assert!(target.accept_part(index, &source.part(index)).is_err());
        }
        assert!(target.view().failure().is_some_and(|failure| failure.starts_with(why)));
        assert!(target.restore(source.seq, None).is_err());
    }
    // A liar does not get that far.
    let folder = tempfile::tempdir().unwrap();
    let (mut target, _) = busy_market_with(&options(), folder.path(), 99, 30);
    assert!(target.begin_install(source.seq, &Digest::ZERO, &source.manifest()).is_err());
    assert_eq!(target.view().failure(), None);
}

#[test]
fn an_install_is_given_up_when_batches_came_after_all() {
    let mut source = Source::new(10, 40, 45);
    let folder = tempfile::tempdir().unwrap();
    let mut target = open(folder.path());
    let first = source.begin(&mut target)[0];
    target.accept_part(first, &source.part(first)).unwrap();
    drop(target);
    let mut target = open(folder.path());
    for batch in source.batches.clone() {
        target.execute(&batch);
    }
    target.checkpoint();
    assert!(target.view().store().waiting().unwrap().is_empty());
    assert_eq!(name(&target), name(&source.service));
    // A replica that has the checkpoint behind it needs nothing to go there.
    assert!(source.begin(&mut target).is_empty());
    target.complete_install().unwrap();
    target.restore(source.seq, None).unwrap();
    assert_eq!((name(&target), target.applied()), (name(&source.service), Seq::new(45)));
}

#[test]
fn replicas_that_the_state_asks_for_come_along() {
    use ledger::{ReplicaChangeId, ReplicaEdit, ReplicaOp};
    let propose = sign(&key(1), 0, ReplicaOp::Propose { edit: ReplicaEdit::Add { replica: replica(105) } });
    let approve = sign(&key(2), 0, ReplicaOp::Approve { change: ReplicaChangeId::from(propose.id()) });
    let deciders = Digest::from_bytes([7; 32]);
    let requests = vec![request_of(&propose), request_of(&approve)];
    let batches = [requests, Vec::new(), Vec::new()];
    let batch = |(seq, requests)| OrderedBatch { replicas: deciders, ..batch(seq, seq, requests) };
    let batches: Vec<_> = (1..).zip(batches).map(batch).collect();
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut source, mut target) = (open(one.path()), open(other.path()));
    batches[..2].iter().for_each(|batch| drop(source.execute(batch)));
    let (seq, digest) = (Seq::new(2), source.checkpoint().digest);
    for index in target.begin_install(seq, &digest, &source.manifest(seq).unwrap()).unwrap() {
        target.accept_part(index, &source.part(seq, index).unwrap()).unwrap();
    }
    target.complete_install().unwrap();
    target.restore(seq, None).unwrap();
    let expected = source.execute(&batches[2]);
    assert!(expected.replicas.is_some());
    assert_eq!(target.execute(&batches[2]), expected);
    drop(target);
    let mut target = open(other.path());
    target.restore(seq, None).unwrap();
    assert_eq!(target.execute(&batches[2]), expected);
}
