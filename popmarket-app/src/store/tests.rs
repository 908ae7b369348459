//! The store after a power loss or a kill.

use std::fs;
use std::path::{Path, PathBuf};

use pbft_core::service::Service;

use super::*;
use crate::testing::{busy_market, genesis};

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn journal(folder: &Path) -> PathBuf {
    let is_journal = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "jnl");
    let mut journals: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_journal).collect();
    assert_eq!(journals.len(), 1);
    journals.remove(0)
}

/// The names of the state after each batch.
fn names(store: &LedgerStore, batches: u64) -> Vec<StateName> {
    (0..=batches).map(|seq| store.batch_record(Seq::new(seq)).unwrap().unwrap().after).collect()
}

#[test]
fn a_killed_process_leaves_all_of_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let (service, batches) = busy_market(folder.path(), 5, 30);
    // The service is still open: nothing was closed or synced.
    let image = tempfile::tempdir().unwrap();
    copy(folder.path(), image.path());
    let (store, ledger) = LedgerStore::open(image.path(), &genesis(), &StoreOptions::default()).unwrap();
    assert_eq!(store.last_batch().unwrap().value(), batches.len() as u64);
    service.view().read(|original| assert!(ledger.entries().eq(original.entries())));
}

#[test]
fn a_torn_journal_leaves_whole_batches_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (mut service, batches) = busy_market(folder.path(), 6, 12);
    service.checkpoint();
    let expected = names(service.view().store(), batches.len() as u64);
    let path = journal(folder.path());
    let used = fs::read(&path).unwrap().iter().rposition(|byte| *byte != 0).unwrap() + 1;
    drop(service);

    let mut reached = std::collections::BTreeSet::new();
    for step in 1..=24 {
        let image = tempfile::tempdir().unwrap();
        copy(folder.path(), image.path());
        let file = fs::File::options().write(true).open(journal(image.path())).unwrap();
        file.set_len((used * step / 24) as u64).unwrap();
        drop(file);
        match LedgerStore::open(image.path(), &genesis(), &StoreOptions::default()) {
            Ok((store, ledger)) => {
                let last = store.last_batch().unwrap().value();
                assert_eq!(StateName::of(&ledger), expected[usize::try_from(last).unwrap()]);
                reached.insert(last);
            }
            Err(error) => panic!("cut after {step}/24: {error}"),
        }
    }
    assert!(reached.len() > 5, "{reached:?}");
}

#[test]
fn a_changed_entry_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = busy_market(folder.path(), 7, 10);
    let store = service.view().store().clone();
    let (key, mut value) =
        store.state.first_key_value().unwrap().into_inner().map(|(k, v)| (k, v.to_vec())).unwrap();
    *value.last_mut().unwrap() ^= 1;
    store.state.insert(key, value).unwrap();
    drop((service, store));
    let opened = LedgerStore::open(folder.path(), &genesis(), &StoreOptions::default());
    assert!(matches!(opened.err(), Some(StoreError::State(_))));
}

/// What convicts a replica, and what proves a block, is there after the process was killed.
#[test]
fn evidence_and_certificates_outlive_the_process() {
    use pbft_core::{
        ReplicaId, Seq, View, certificate::Certificate, crypto::P256Crypto, evidence::Evidence, message,
    };
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = busy_market(folder.path(), 8, 3);
    let store = service.view().store().clone();
    let config = pbft_core::Config::new(genesis().chain_id(), crate::testing::replicas()).validate().unwrap();
    let crypto = P256Crypto::new(crate::testing::key(102));
    let sign = |byte| {
        let statement = message::Attestation { seq: Seq::new(2), digest: Digest::from_bytes([byte; 32]) };
        message::Signed::sign(statement, ReplicaId::new(1), &config, &crypto)
    };
    let evidence = Evidence::Attestations(Box::new([sign(1), sign(2)]));
    assert!(store.keep_evidence(&evidence).unwrap());
    let certificate = Certificate::from_votes(&[sign(1)]).unwrap();
    store.keep_certificate(&certificate).unwrap();
    let image = tempfile::tempdir().unwrap();
    copy(folder.path(), image.path());
    let (store, _) = LedgerStore::open(image.path(), &genesis(), &StoreOptions::default()).unwrap();
    let kept = store.evidence_after(None, 10).unwrap();
    assert_eq!(kept.iter().map(|(_, kept)| kept).collect::<Vec<_>>(), [&evidence]);
    assert_eq!(evidence.about(), (View::ZERO, Seq::new(2)));
    assert!(!store.keep_evidence(&evidence).unwrap());
    assert_eq!(store.certificate(Seq::new(2)).unwrap(), Some(certificate));
}

/// Replicas of one chain must name it alike: a difference is another format.
#[test]
fn the_format_is_frozen() {
    let digest = |byte| Digest::from_bytes([byte; 32]);
    let end = |height, byte| Boundary { height: Height::new(height), hash: digest(byte) };
    let volumes = vec![end(300, 1), end(700, 2)];
    let state = StateName { height: Height::new(750), tip_hash: digest(3), state_root: digest(4) };
    let name = CheckpointName { state, volumes: Manifest::named(&volumes) };
    let manifest = Manifest { name, volumes };
    let bytes = manifest.encode();
    assert_eq!(Manifest::decode(&bytes, &name.digest(), VOLUME_BYTES), Some(manifest));
    let frozen = [name.volumes.digest.to_string(), name.digest().to_string(), hex::encode(bytes)];
    assert_eq!(
        frozen,
        [
            "ce1e8590bcbdd723a0e2b255a2467176877fed81429b7b2a832ea5d98703baa3".to_owned(),
            "ac837c3aaedb22dc5130da352f16113452fe73193126e048855b8c0ba1f0ee7b".to_owned(),
            format!(
                "ee05{}{}02ce1e8590bcbdd723a0e2b255a2467176877fed81429b7b2a832ea5d98703baa302ac02{}bc05{}",
                "03".repeat(32),
                "04".repeat(32),
                "01".repeat(32),
                "02".repeat(32)
            ),
        ]
    );
}
