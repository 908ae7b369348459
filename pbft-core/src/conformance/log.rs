//! The kit for [`Log`].

use std::sync::Arc;

use pbft_crypto::{Digest, Signature};

use super::{Broken, Verdict, equal, failed, hold};
use crate::{
    ids::{ClientId, ReplicaId, RequestNumber, Seq, View},
    message::{Batch, Operation, PrePrepare, Prepare, Proposal, Request, Signed},
    storage::{Log, LogPosition, Record},
    time::UnixMillis,
};

type Records = Vec<(LogPosition, Record)>;

/// Takes logs through the rules of [`Log`].
///
/// `fresh` makes an empty one. `power_cut` cuts the power of one, so that it loses as much as it ever may, and opens it
/// again.
///
/// # Errors
/// The first rule that is broken.
pub fn log<L: Log>(mut fresh: impl FnMut() -> L, mut power_cut: impl FnMut(L) -> L) -> Verdict {
    keeps_in_order(fresh(), &mut power_cut)?;
    for unsynced in 0..4 {
        loses_a_tail_only(fresh(), &mut power_cut, unsynced)?;
    }
    goes_on_after_many_cuts(fresh(), &mut power_cut)?;
    truncates_no_more_than_asked(fresh(), &mut power_cut)?;
    holds_large_records(fresh(), &mut power_cut)?;
    sync_speaks_of_what_was_appended(fresh())
}

const LOADS: &str = "load returns all records in order, as they were appended";
const DURABLE: &str = "what a sync has answered for is there after a crash";
const WORKS: &str = "a sound disk gives no errors";

fn keeps_in_order<L: Log>(mut log: L, power_cut: &mut impl FnMut(L) -> L) -> Verdict {
    equal("a fresh log is empty", &load(&mut log)?, &Vec::new())?;
    let mut expected = Records::new();
    for count in [1, 1, 7, 100] {
        append(&mut log, &mut expected, count)?;
        sync(&mut log, &expected)?;
        equal(LOADS, &load(&mut log)?, &expected)?;
    }
    let mut log = power_cut(log);
    equal(DURABLE, &load(&mut log)?, &expected)
}

fn loses_a_tail_only<L: Log>(mut log: L, power_cut: &mut impl FnMut(L) -> L, unsynced: usize) -> Verdict {
    let mut all = Records::new();
    append(&mut log, &mut all, 5)?;
    sync(&mut log, &all)?;
    append(&mut log, &mut all, unsynced)?;
    let mut log = power_cut(log);
    let left = load(&mut log)?;
    hold(DURABLE, left.len() >= 5, || format!("{} of 5 synced records are left", left.len()))?;
    let whole = all.get(..left.len()) == Some(left.as_slice());
    hold("a crash leaves a prefix of what was appended", whole, || format!("{} records", left.len()))
}

fn goes_on_after_many_cuts<L: Log>(log: L, power_cut: &mut impl FnMut(L) -> L) -> Verdict {
    let (mut log, mut expected) = (log, Records::new());
    for count in 1..12 {
        append(&mut log, &mut expected, count)?;
        sync(&mut log, &expected)?;
        let durable = expected.len();
        append(&mut log, &mut expected, 2)?;
        log = power_cut(log);
        let left = load(&mut log)?;
        let whole = left.len() >= durable && expected.get(..left.len()) == Some(left.as_slice());
        hold(DURABLE, whole, || format!("{} records after {durable} were durable", left.len()))?;
        expected = left;
    }
    Ok(())
}

fn truncates_no_more_than_asked<L: Log>(mut log: L, power_cut: &mut impl FnMut(L) -> L) -> Verdict {
    let rule = "truncation keeps every record from the position on";
    let mut all = Records::new();
    for first in [1, 20, 21, 59] {
        append(&mut log, &mut all, 20)?;
        sync(&mut log, &all)?;
        log.truncate(LogPosition::new(first)).map_err(failed(WORKS))?;
        keeps_from(rule, &load(&mut log)?, &all, first)?;
        append(&mut log, &mut all, 1)?;
        sync(&mut log, &all)?;
        log = power_cut(log);
        keeps_from(rule, &load(&mut log)?, &all, first)?;
    }
    Ok(())
}

/// Whether `left` is a tail of `all` that begins at `first` or before.
fn keeps_from(rule: &'static str, left: &Records, all: &Records, first: u64) -> Verdict {
    let skipped = all.len().saturating_sub(left.len());
    let tail = all.get(skipped..) == Some(left.as_slice());
    let enough = (skipped as u64) < first;
    hold(rule, tail && enough, || {
        format!("{} of {} records after a truncation before {first}", left.len(), all.len())
    })
}

fn holds_large_records<L: Log>(mut log: L, power_cut: &mut impl FnMut(L) -> L) -> Verdict {
    let mut expected = Records::new();
    for bytes in [0, 1, 100_000, 1 << 20] {
        let position = LogPosition::new((expected.len() as u64).saturating_add(1));
        let record = large(bytes);
        log.append(position, &record).map_err(failed(WORKS))?;
        expected.push((position, record));
    }
    sync(&mut log, &expected)?;
    let mut log = power_cut(log);
    hold(LOADS, load(&mut log)? == expected, || "a record of up to 1 MiB came back otherwise".into())
}

fn sync_speaks_of_what_was_appended<L: Log>(mut log: L) -> Verdict {
    let mut all = Records::new();
    append(&mut log, &mut all, 3)?;
    sync(&mut log, &all)?;
    // Another one has nothing to do, and the same to say.
    sync(&mut log, &all)
}

fn append<L: Log>(log: &mut L, all: &mut Records, count: usize) -> Verdict {
    for _ in 0..count {
        let position = all.last().map_or(LogPosition::START, |(position, _)| *position).next();
        let record = small(position.value());
        log.append(position, &record).map_err(failed(WORKS))?;
        all.push((position, record));
    }
    Ok(())
}

fn sync<L: Log>(log: &mut L, all: &Records) -> Verdict {
    let durable = log.sync().map_err(failed(WORKS))?;
    let last = all.last().map_or(LogPosition::START, |(position, _)| *position);
    equal("sync answers for the last record that was appended", &durable.position(), &last)
}

fn load<L: Log>(log: &mut L) -> Result<Records, Broken> {
    log.load().map_err(failed(WORKS))
}

fn digest(number: u64) -> Digest {
    let mut bytes = [7; 32];
    let [a, b, c, d, e, f, g, h, ..] = &mut bytes;
    [*a, *b, *c, *d, *e, *f, *g, *h] = number.to_le_bytes();
    Digest::from_bytes(bytes)
}

fn small(number: u64) -> Record {
    Record::Prepare(Signed {
        statement: Prepare { view: View::ZERO, seq: Seq::new(number), digest: digest(number) },
        signer: ReplicaId::new(1),
        signature: Signature::from_r_and_s(&[1; 32], &[2; 32]),
    })
}

fn large(bytes: usize) -> Record {
    let request = Request {
        client: ClientId::from_bytes([3; 32]),
        number: RequestNumber::new(bytes as u64),
        operation: Operation::new(vec![0xa5; bytes]),
    };
    let batch = Batch { origin: View::ZERO, time: UnixMillis::new(1), requests: vec![request] };
    let statement = PrePrepare { view: View::ZERO, seq: Seq::new(1), digest: digest(bytes as u64) };
    let signature = Signature::from_r_and_s(&[1; 32], &[2; 32]);
    let pre_prepare = Signed { statement, signer: ReplicaId::new(0), signature };
    Record::Proposal(Proposal { pre_prepare, batch: Arc::new(batch) })
}
