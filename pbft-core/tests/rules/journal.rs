//! A service that takes down which requests it executed, and leaves its state to the log or keeps it by itself.

use std::{collections::BTreeMap, sync::Arc};

use pbft_core::{
    RequestId, Seq,
    config::ReplicaSet,
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost, WrongPart},
    wire,
};
use pbft_crypto::{Digest, Domain};

use crate::{
    cluster::{CHANGE, NEW_KEY, REFUSED},
    stage::{id, public_key},
};

/// The requests in the order of execution.
pub(crate) type Journal = Vec<RequestId>;

/// So many requests make a part.
const PART: usize = 2;
const PART_DOMAIN: Domain = Domain::new("test/part");
const MANIFEST_DOMAIN: Domain = Domain::new("test/manifest");

#[derive(Default)]
pub(crate) struct JournalService {
    pub(crate) journal: Journal,
    wanted: Option<Arc<ReplicaSet>>,
    durable: bool,
    at: Seq,
    /// What a durable one keeps of its checkpoints, and has installed.
    kept: BTreeMap<Seq, Journal>,
    install: Option<Install>,
    /// How often an install fails at its end.
    pub(crate) failures: u32,
    /// It says that an install is done, and has nothing of it.
    pub(crate) forgets: bool,
    /// The parts that it was given and found good.
    pub(crate) accepted: Vec<u32>,
}

struct Install {
    seq: Seq,
    manifest: Vec<Digest>,
    parts: BTreeMap<u32, Journal>,
}

impl JournalService {
    pub(crate) fn new(durable: bool) -> Self {
        Self { durable, ..Self::default() }
    }

    /// What a restart without any checkpoint leaves: a durable one keeps what was installed.
    pub(crate) fn begun_anew(self) -> Self {
        Self { journal: Journal::new(), wanted: None, at: Seq::ZERO, ..self }
    }

    pub(crate) fn forget_newest(&mut self) {
        self.kept.clear();
    }

    /// Which checkpoints it still keeps.
    pub(crate) fn keeps(&self) -> Vec<u64> {
        self.kept.keys().map(|seq| seq.value()).collect()
    }
}

pub(crate) fn result_of(journal: &Journal) -> Digest {
    ServiceCheckpoint::from_snapshot(wire::encode(journal).unwrap()).digest
}

fn manifest(journal: &Journal) -> Vec<Digest> {
    journal.chunks(PART).map(|part| pbft_crypto::digest(PART_DOMAIN, &wire::encode(&part).unwrap())).collect()
}

fn named(manifest: &[Digest]) -> Digest {
    pbft_crypto::digest(MANIFEST_DOMAIN, &wire::encode(&manifest).unwrap())
}

impl Service for JournalService {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        assert!(batch.seq > self.at, "never back");
        self.at = batch.seq;
        let mut outcomes = Vec::new();
        for request in &batch.requests {
            assert!(!self.journal.contains(&request.id()), "exactly once");
            if request.operation.as_bytes().first() == Some(&REFUSED) {
                outcomes.push(Outcome::Refused(Vec::new()));
                continue;
            }
            self.journal.push(request.id());
            if let [CHANGE, ids @ ..] = request.operation.as_bytes() {
                let member = |key: &u8| (id(u16::from(*key % NEW_KEY)), public_key((*key).into()));
                self.wanted = Some(Arc::new(ReplicaSet::of(ids.iter().map(member))));
            }
            outcomes.push(Outcome::Applied(self.journal.len().to_le_bytes().to_vec()));
        }
        let result = (!batch.requests.is_empty()).then(|| result_of(&self.journal));
        Executed { outcomes, wake_at: None, replicas: self.wanted.clone(), result }
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        if !self.durable {
            let state = (&self.journal, self.wanted.as_deref());
            return ServiceCheckpoint::from_snapshot(wire::encode(&state).unwrap());
        }
        self.kept.insert(self.at, self.journal.clone());
        ServiceCheckpoint::durable(named(&manifest(&self.journal)))
    }

    fn restore(&mut self, seq: Seq, snapshot: Option<&[u8]>) -> Result<(), StateLost> {
        match (snapshot, self.kept.get(&seq)) {
            (Some(bytes), _) => {
                let (journal, wanted): (Journal, Option<ReplicaSet>) = wire::decode(bytes).unwrap();
                (self.journal, self.wanted) = (journal, wanted.map(Arc::new));
            }
            (None, Some(kept)) => self.journal = kept.clone(),
            (None, None) => return Err(StateLost { seq, why: "never seen".into() }),
        }
        self.at = seq;
        Ok(())
    }

    /// How many requests were executed; for the question "last", which one came last.
    fn query(&mut self, query: &[u8]) -> Option<Vec<u8>> {
        match query {
            b"count" => Some(self.journal.len().to_le_bytes().to_vec()),
            b"last" => self.journal.last().map(|id| wire::encode(id).unwrap()),
            _ => None,
        }
    }

    fn keep_checkpoints(&mut self, needed: &[Seq]) {
        let newest = self.at;
        self.kept.retain(|seq, _| needed.contains(seq) || *seq >= newest);
    }

    fn manifest(&mut self, seq: Seq) -> Option<Vec<u8>> {
        wire::encode(&manifest(self.kept.get(&seq)?)).ok()
    }

    fn part(&mut self, seq: Seq, index: u32) -> Option<Vec<u8>> {
        let part = self.kept.get(&seq)?.chunks(PART).nth(index as usize)?;
        wire::encode(&part).ok()
    }

    fn begin_install(&mut self, seq: Seq, digest: &Digest, bytes: &[u8]) -> Result<Vec<u32>, WrongPart> {
        let manifest: Vec<Digest> = wire::decode(bytes).map_err(|_| WrongPart)?;
        if named(&manifest) != *digest {
            return Err(WrongPart);
        }
        let parts = self.install.take().filter(|old| old.seq == seq).map(|old| old.parts).unwrap_or_default();
        let all = 0..u32::try_from(manifest.len()).unwrap();
        let missing = all.filter(|index| !parts.contains_key(index)).collect();
        self.install = Some(Install { seq, manifest, parts });
        Ok(missing)
    }

    fn accept_part(&mut self, index: u32, part: &[u8]) -> Result<(), WrongPart> {
        let install = self.install.as_mut().ok_or(WrongPart)?;
        let expected = install.manifest.get(index as usize).ok_or(WrongPart)?;
        if pbft_crypto::digest(PART_DOMAIN, part) != *expected {
            return Err(WrongPart);
        }
        install.parts.insert(index, wire::decode(part).unwrap());
        self.accepted.push(index);
        Ok(())
    }

    fn complete_install(&mut self) -> Result<(), StateLost> {
        let install = self.install.take().unwrap();
        if self.failures > 0 {
            self.failures -= 1;
            return Err(StateLost { seq: install.seq, why: "not this time".into() });
        }
        assert_eq!(install.parts.len(), install.manifest.len());
        if self.forgets {
            return Ok(());
        }
        self.kept.insert(install.seq, install.parts.into_values().flatten().collect());
        Ok(())
    }
}
