//! The kit for services that hand their state on accepts one that does it right, and refuses those that are broken in one way
//! each.

use std::collections::BTreeMap;

use pbft_core::{
    ClientId, Seq,
    conformance::{self, Verdict},
    service::{Executed, OrderedBatch, Outcome, Service, ServiceCheckpoint, StateLost, WrongPart},
};
use pbft_crypto::{Digest, Domain};

/// Ways to break the handing on of a state.
#[derive(Clone, Copy, Debug, PartialEq)]
enum BadTransfer {
    Sound,
    HasNoManifest,
    ForgetsInARestart,
    TakesAnyManifest,
    TakesAnyPart,
    RefusesRepeated,
    NeverWhole,
    ChangesAtOnce,
    LosesTheLastPart,
}

/// Which checkpoint, its manifest, and the parts that came.
type Install = (Seq, Vec<u8>, BTreeMap<u32, Vec<u8>>);

/// Writes down what it is sent. All of it is durable.
struct Book {
    pages: BTreeMap<Seq, (Executed, Vec<u8>)>,
    at: Seq,
    served: BTreeMap<Seq, Vec<u8>>,
    install: Option<Install>,
    way: BadTransfer,
}

const WORDS: Domain = Domain::new("test/words/v1");

/// The digests of all parts, of four bytes each.
fn contents(text: &[u8]) -> Vec<u8> {
    text.chunks(4).flat_map(|part| *pbft_crypto::digest(WORDS, part).as_bytes()).collect()
}

impl Book {
    fn new(way: BadTransfer) -> Self {
        let pages = BTreeMap::from([(Seq::ZERO, (Executed::default(), vec![0]))]);
        Self { pages, at: Seq::ZERO, served: BTreeMap::new(), install: None, way }
    }

    fn restarted(mut self) -> Self {
        if self.way == BadTransfer::ForgetsInARestart {
            self.served.clear();
        }
        Self { at: Seq::ZERO, ..self }
    }

    fn text(&self) -> Vec<u8> {
        self.pages[&self.at].1.clone()
    }
}

impl Service for Book {
    fn execute(&mut self, batch: &OrderedBatch) -> Executed {
        let mut text = self.text();
        self.at = batch.seq;
        if let Some((executed, _)) = self.pages.get(&batch.seq) {
            return executed.clone();
        }
        let mut outcomes = Vec::new();
        for request in &batch.requests {
            text.extend(request.operation.as_bytes());
            outcomes.push(Outcome::Applied(text.len().to_le_bytes().to_vec()));
        }
        let executed = Executed::new(outcomes);
        self.pages.insert(batch.seq, (executed.clone(), text));
        executed
    }

    fn checkpoint(&mut self) -> ServiceCheckpoint {
        self.served.insert(self.at, self.text());
        ServiceCheckpoint::durable(pbft_crypto::digest(WORDS, &contents(&self.text())))
    }

    fn restore(&mut self, seq: Seq, _: Option<&[u8]>) -> Result<(), StateLost> {
        if let Some((_, manifest, parts)) = self.install.take_if(|(install, ..)| *install == seq)
            && parts.len() == manifest.len() / 32
        {
            let lost = usize::from(self.way == BadTransfer::LosesTheLastPart);
            let text = parts.into_values().rev().skip(lost).collect::<Vec<_>>().into_iter().rev().flatten();
            self.pages.insert(seq, (Executed::default(), text.collect()));
        }
        self.at = seq;
        self.pages.contains_key(&seq).then_some(()).ok_or(StateLost { seq, why: "no such page".into() })
    }

    fn keep_checkpoints(&mut self, needed: &[Seq]) {
        let newest = self.served.keys().next_back().copied();
        self.served.retain(|seq, _| needed.contains(seq) || Some(*seq) == newest);
    }

    fn manifest(&mut self, seq: Seq) -> Option<Vec<u8>> {
        let manifest = self.served.get(&seq).map(|text| contents(text));
        manifest.filter(|_| self.way != BadTransfer::HasNoManifest)
    }

    fn part(&mut self, seq: Seq, index: u32) -> Option<Vec<u8>> {
        self.served.get(&seq)?.chunks(4).nth(index as usize).map(<[u8]>::to_vec)
    }

    fn begin_install(&mut self, seq: Seq, digest: &Digest, manifest: &[u8]) -> Result<Vec<u32>, WrongPart> {
        let wrong = pbft_crypto::digest(WORDS, manifest) != *digest;
        if wrong && self.way != BadTransfer::TakesAnyManifest {
            return Err(WrongPart);
        }
        let before = self.install.take().filter(|(_, other, _)| other == manifest);
        let parts = before.map(|(_, _, parts)| parts).unwrap_or_default();
        let all = 0..u32::try_from(manifest.len() / 32).unwrap();
        let missing = all.filter(|index| !parts.contains_key(index)).collect();
        self.install = Some((seq, manifest.to_vec(), parts));
        Ok(missing)
    }

    fn accept_part(&mut self, index: u32, part: &[u8]) -> Result<(), WrongPart> {
        let (_, manifest, parts) = self.install.as_mut().ok_or(WrongPart)?;
        let wrong = contents(part) != manifest[index as usize * 32..][..32];
        let again = parts.contains_key(&index) && self.way == BadTransfer::RefusesRepeated;
        if (wrong && self.way != BadTransfer::TakesAnyPart) || again {
            return Err(WrongPart);
        }
        parts.insert(index, part.to_vec());
        if self.way == BadTransfer::ChangesAtOnce {
            self.pages.values_mut().for_each(|(_, text)| text.extend(part));
        }
        Ok(())
    }

    fn complete_install(&mut self) -> Result<(), StateLost> {
        let whole = self.way != BadTransfer::NeverWhole;
        whole.then_some(()).ok_or(StateLost { seq: self.at, why: "not whole".into() })
    }
}

fn transfer_verdict(way: BadTransfer) -> Verdict {
    let requests: Vec<_> = (0..20).map(|n| (ClientId::from_bytes([n % 3; 32]), vec![n, 1, n])).collect();
    conformance::state_transfer(|| Book::new(way), &mut Book::restarted, &requests)
}

#[test]
fn services_that_hand_their_state_on() {
    assert_eq!(transfer_verdict(BadTransfer::Sound), Ok(()));
    for (way, rule) in [
        (BadTransfer::HasNoManifest, "has a manifest"),
        (BadTransfer::ForgetsInARestart, "through a restart"),
        (BadTransfer::TakesAnyManifest, "a manifest of another state"),
        (BadTransfer::TakesAnyPart, "a changed part"),
        (BadTransfer::RefusesRepeated, "comes again"),
        (BadTransfer::NeverWhole, "is whole"),
        (BadTransfer::ChangesAtOnce, "leaves the state as it is"),
        (BadTransfer::LosesTheLastPart, "that was certified"),
    ] {
        let found = transfer_verdict(way).expect_err("the kit must notice").to_string();
        assert!(found.contains(rule), "{way:?}: {found}");
    }
}
