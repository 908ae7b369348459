//! The kits of the consensus for services.

use pbft_core::conformance::{self, Verdict};
use pbft_core::service::{OrderedBatch, Service};
use pbft_core::{ClientId, Seq};
use pbft_crypto::Digest;
use tempfile::TempDir;

use super::*;
use crate::testing::{key, sign};

/// A service with its folder.
struct OnDisk {
    service: LedgerService,
    folder: TempDir,
}

impl OnDisk {
    fn open(folder: TempDir) -> Self {
        let options = StoreOptions { volume_bytes: 1 << 10, ..StoreOptions::default() };
        Self { service: LedgerService::open(folder.path(), &genesis(), &options).unwrap(), folder }
    }

    fn new() -> Self {
        Self::open(tempfile::tempdir().unwrap())
    }

    fn restart(self) -> Self {
        drop(self.service);
        Self::open(self.folder)
    }
}

impl Service for OnDisk {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        self.service.execute(batch)
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        self.service.checkpoint()
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        self.service.restore(seq, snapshot)
    }

    fn keep_checkpoints(&mut self, needed: &[Seq]) {
        self.service.keep_checkpoints(needed);
    }

    fn manifest(&mut self, seq: Seq) -> Option<Vec<u8>> {
        self.service.manifest(seq)
    }

    fn part(&mut self, seq: Seq, index: u32) -> Option<Vec<u8>> {
        self.service.part(seq, index)
    }

    fn begin_install(&mut self, seq: Seq, digest: &Digest, manifest: &[u8]) -> Result<Vec<u32>, WrongPart> {
        self.service.begin_install(seq, digest, manifest)
    }

    fn accept_part(&mut self, index: u32, part: &[u8]) -> Result<(), WrongPart> {
        self.service.accept_part(index, part)
    }

    fn complete_install(&mut self) -> Result<(), StateLost> {
        self.service.complete_install()
    }
}

/// Payments of three members, each with the number that the kit gives its request.
fn requests() -> Vec<(ClientId, Vec<u8>)> {
    let request = |number: u8| {
        let transaction = sign(&key(4 + number % 3), number.into(), pay(u64::from(number) * 700));
        let request = request_of(&transaction);
        (request.client, request.operation.as_bytes().to_vec())
    };
    (0..30).map(request).collect()
}

#[test]
fn the_ledger_is_a_service() {
    let verdict: Verdict = conformance::service(OnDisk::new, &mut OnDisk::restart, &requests());
    verdict.unwrap();
}

#[test]
fn the_ledger_hands_its_state_on() {
    let verdict: Verdict = conformance::state_transfer(OnDisk::new, &mut OnDisk::restart, &requests());
    verdict.unwrap();
}
