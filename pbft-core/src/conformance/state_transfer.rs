//! The kit for the part of [`Service`] that hands a durable state on.

use super::service::{Restart, batches, restore};
use super::{Broken, Verdict, equal, failed, hold};
use crate::{
    ids::{ClientId, Seq},
    service::{Executed, OrderedBatch, Service, ServiceCheckpoint},
};

/// Takes services that keep their state durable by themselves through the rules of state transfer in [`Service`].
///
/// `make`, `restart` and `requests` are as in [`service`](super::service()).
///
/// # Errors
/// The first rule that is broken.
pub fn state_transfer<S: Service>(
    mut make: impl FnMut() -> S,
    restart: Restart<'_, S>,
    requests: &[(ClientId, Vec<u8>)],
) -> Verdict {
    let batches = batches(requests);
    for cut in [batches.len() / 3, batches.len() / 2, batches.len().saturating_sub(1)] {
        for own in [0, cut / 2, cut.saturating_sub(1)] {
            Transfer::of(&mut make, restart, &batches, cut)?.to(make(), restart, own)?;
        }
    }
    Ok(())
}

/// A service that has a checkpoint, and went on.
struct Transfer<'a, S> {
    source: S,
    batches: &'a [OrderedBatch],
    after: &'a [OrderedBatch],
    expected: Vec<Executed>,
    seq: Seq,
    checkpoint: ServiceCheckpoint,
    end: ServiceCheckpoint,
}

impl<'a, S: Service> Transfer<'a, S> {
    fn of(
        make: &mut impl FnMut() -> S,
        restart: Restart<'_, S>,
        batches: &'a [OrderedBatch],
        cut: usize,
    ) -> Result<Self, Broken> {
        let (before, after) = batches.split_at(cut);
        let mut source = make();
        before.iter().for_each(|batch| drop(source.execute(batch)));
        let checkpoint = source.checkpoint();
        let seq = before.last().map_or(Seq::ZERO, |batch| batch.seq);
        let manifest = source.manifest(seq);
        hold("a checkpoint has a manifest", manifest.is_some(), || format!("{seq}"))?;
        let mut source = restart(source);
        restore(&mut source, seq, &checkpoint)?;
        let expected = after.iter().map(|batch| source.execute(batch)).collect();
        let end = source.checkpoint();
        source.keep_checkpoints(&[seq]);
        equal("what peers may need is kept, through a restart", &source.manifest(seq), &manifest)?;
        Ok(Self { source, batches, after, expected, seq, checkpoint, end })
    }

    /// Hands it on to a service that executed some batches by itself.
    fn to(mut self, mut target: S, restart: Restart<'_, S>, own: usize) -> Verdict {
        let own = self.batches.get(..own).unwrap_or_default();
        own.iter().for_each(|batch| drop(target.execute(batch)));
        let before = target.checkpoint();
        let old = own.last().map_or(Seq::ZERO, |batch| batch.seq);
        let missing = self.begin(&mut target)?;
        let (some, rest) = missing.split_at(missing.len() / 2);
        self.hand_over(&mut target, some)?;
        let mut target = restart(target);
        restore(&mut target, old, &before)?;
        let rule = "an install that was begun leaves the state as it is";
        equal(rule, &target.checkpoint().digest, &before.digest)?;
        let missing = self.begin(&mut target)?;
        let rule = "what did not come before a restart is missing after it";
        hold(rule, rest.iter().all(|index| missing.contains(index)), || format!("{missing:?}"))?;
        self.hand_over(&mut target, &missing)?;
        target.complete_install().map_err(failed("an install with all its parts is whole"))?;
        let mut target = restart(target);
        restore(&mut target, self.seq, &self.checkpoint)?;
        let rule = "an install leads to the state that was certified";
        equal(rule, &target.checkpoint().digest, &self.checkpoint.digest)?;
        let went_on: Vec<_> = self.after.iter().map(|batch| target.execute(batch)).collect();
        equal("after an install the same batches have the same outcomes", &went_on, &self.expected)?;
        let rule = "after an install the same batches lead to the same state";
        equal(rule, &target.checkpoint().digest, &self.end.digest)
    }

    fn begin(&mut self, target: &mut S) -> Result<Vec<u32>, Broken> {
        let manifest = self.source.manifest(self.seq).unwrap_or_default();
        for bad in spoiled(&manifest) {
            let begun = target.begin_install(self.seq, &self.checkpoint.digest, &bad);
            hold("a manifest of another state is refused", begun.is_err(), || format!("{begun:?}"))?;
        }
        let begun = target.begin_install(self.seq, &self.checkpoint.digest, &manifest);
        begun.map_err(failed("the manifest of the certified state is accepted"))
    }

    /// The last one first, each but for a changed one.
    fn hand_over(&mut self, target: &mut S, parts: &[u32]) -> Verdict {
        for index in parts.iter().rev().copied() {
            let part = self.source.part(self.seq, index).unwrap_or_default();
            for bad in spoiled(&part) {
                let accepted = target.accept_part(index, &bad);
                hold("a changed part is refused", accepted.is_err(), || format!("part {index}"))?;
            }
            for _ in 0..2 {
                let accepted = target.accept_part(index, &part);
                accepted.map_err(failed("a part is accepted, also when it comes again"))?;
            }
        }
        Ok(())
    }
}

/// Bytes with a changed one at the front, in the middle, at the end; shorter and longer ones.
fn spoiled(bytes: &[u8]) -> Vec<Vec<u8>> {
    let changed = |at: usize| {
        let mut bytes = bytes.to_vec();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        bytes
    };
    let last = bytes.len().saturating_sub(1);
    let longer = [bytes, &[0]].concat();
    let mut all = vec![changed(0), changed(bytes.len() / 2), changed(last), longer];
    all.extend(bytes.split_last().map(|(_, shorter)| shorter.to_vec()));
    all.retain(|spoiled| spoiled != bytes);
    all
}
