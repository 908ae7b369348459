//! Random operations, valid, invalid and hostile, against the naive model.

mod choices;
mod compare;
mod compare_exchange;
mod dice;
mod exchange;
mod expected;
mod finals;
mod identity;
mod payments;
mod people;
mod polls;
mod trading;
mod treasury;

use std::collections::{BTreeMap, BTreeSet};

use ledger::{
    Auth, BatchInput, Body, Genesis, Ledger, Millis, Outcome, Salt, TradeParams, Transaction, TxOutcome,
    UnixMillis,
};
use pbft_crypto::{Address, Digest, PublicKey, Signature};

pub(crate) use self::dice::Dice;
use self::expected::{MOVES, REASONS, REFUSALS, REJECTIONS};
use self::finals::Finals;
use crate::model::{Model, Verdict};
use crate::world::{DECIDERS, START, address, genesis, key};

const GENESIS_PEOPLE: [&str; 9] = ["ann", "ben", "fees", "bea", "sam", "eve", "art", "abe", "kit"];
const NEWCOMERS: [&str; 5] = ["kim", "lee", "park", "choi", "jung"];

/// Shorter than the usual ones, so that all of them pass in a run.
const TRADE_PARAMS: TradeParams = TradeParams {
    ship_within: Millis::days(2),
    confirm_within: Millis::days(2),
    cancel_answer_within: Millis::hours(24),
    confirm_after_delivery: Millis::hours(20),
    extension: Millis::days(1),
    resolve_within: Millis::days(1),
    second_resolve_within: Millis::hours(12),
    return_within: Millis::hours(18),
    return_confirm_within: Millis::hours(22),
    return_confirm_after_delivery: Millis::hours(12),
    remind_before: Millis::hours(13),
};

struct Run {
    seed: u64,
    /// Bends the choices so that one listing reaches its last version.
    many_versions: bool,
    dice: Dice,
    people: Vec<(Address, PublicKey)>,
    genesis: Genesis,
    ledger: Ledger,
    model: Model,
    now: u64,
    seq: u64,
    serial: u64,
    /// The nonces of the batch in the making.
    planned: BTreeSet<(Address, u64)>,
    /// How many versions more of one listing it has.
    planned_versions: u32,
    /// What sealed votes hide: poll, voter, choice and salt.
    secrets: Vec<(Digest, Address, u8, Salt)>,
    verdicts: BTreeMap<Verdict, u64>,
    fired: usize,
    fills: u64,
    finals: Finals,
}

impl Run {
    fn new(seed: u64, many_versions: bool) -> Self {
        let names = GENESIS_PEOPLE.iter().chain(&NEWCOMERS);
        let mut genesis = genesis();
        genesis.params.trade = TRADE_PARAMS;
        Self {
            seed,
            many_versions,
            dice: Dice(seed),
            people: names.map(|name| (address(name), key(name).public_key())).collect(),
            ledger: Ledger::from_genesis(&genesis).unwrap(),
            model: Model::new(&genesis),
            genesis,
            now: START.value(),
            seq: 0,
            serial: 0,
            planned: BTreeSet::new(),
            planned_versions: 0,
            secrets: Vec::new(),
            verdicts: BTreeMap::new(),
            fired: 0,
            fills: 0,
            finals: Finals::default(),
        }
    }

    /// The transaction, with something wrong with it now and then. The signature is nobody's: the ledger leaves that to
    /// whoever admits transactions.
    fn transaction(&mut self) -> Transaction {
        let (sender, operation) = self.choose();
        let first = self.people.iter().find(|person| person.0 == sender).unwrap().1;
        let live = self.model.identity.live(&sender);
        let mut key = self.dice.pick(&live).copied().unwrap_or(first);
        let used = self.model.nonces.get(&sender).cloned().unwrap_or_default();
        let is_free = |nonce: &u64| !used.contains(nonce) && !self.planned.contains(&(sender, *nonce));
        let base = (0..).find(is_free).unwrap();
        let nonce = match self.dice.below(100) {
            0..=2 => self.dice.below(base + 1),
            3 => base + 256 + self.dice.below(3),
            4 => u64::MAX,
            5..=14 => base + self.dice.below(256),
            _ => base,
        };
        self.planned.insert((sender, nonce));
        let mut chain_id = *self.ledger.chain_id();
        let mut valid_until = u64::MAX;
        match self.dice.below(200) {
            0 => chain_id = Digest::ZERO,
            1 | 2 => valid_until = self.now - self.dice.below(10),
            3 | 4 => key = self.dice.pick(&self.people).unwrap().1,
            5..=7 => key = self.any_key(),
            _ => {}
        }
        self.serial += 1;
        let body = Body {
            chain_id,
            operation,
            sender,
            nonce,
            valid_until: UnixMillis::new(valid_until),
            client_ref: u128::from(self.serial).to_be_bytes(),
        };
        let signature = Signature::from_r_and_s(&[1; 32], &[1; 32]);
        Transaction::new(body, Auth::P256 { public_key: key, signature })
    }

    fn pass_time(&mut self) {
        self.now += match self.dice.below(100) {
            0 => 2 * 86_400_000,
            1..=5 => self.dice.below(86_400_000),
            6..=8 => self.model.next_deadline().map_or(1, |at| at.saturating_sub(self.now).max(1)),
            _ => 1 + self.dice.below(600_000),
        };
    }

    /// One batch, compared in full. Returns how many transactions it had.
    fn step(&mut self) -> usize {
        self.pass_time();
        self.planned.clear();
        self.planned_versions = 0;
        let n = self.dice.below(20);
        let mut batch = Vec::new();
        for _ in 0..n {
            let tx = self.transaction();
            if self.dice.percent(3) {
                batch.push(tx.clone());
            }
            batch.push(tx);
        }
        self.seq += 1;
        let time = UnixMillis::new(self.now);
        let parent = *self.ledger.tip_hash();
        let applied = self.ledger.apply(BatchInput {
            seq: self.seq,
            view: 0,
            time,
            transactions: &batch,
            replicas: DECIDERS,
        });
        let (fired, expected) = self.model.apply(parent, self.now, &batch);
        self.compare_tape(&applied.events);
        self.fired += fired;
        let got: Vec<Verdict> = applied.outcomes.iter().map(verdict).collect();
        for (i, tx) in batch.iter().enumerate() {
            assert_eq!(got[i], expected[i], "seed {}, batch {}, {:?}", self.seed, self.seq, tx.body());
        }
        let recorded = expected.iter().filter(|verdict| !matches!(verdict, Verdict::Refused(_))).count();
        let receipts = applied.block.map_or(0, |block| block.receipts.len());
        assert_eq!(receipts, recorded + fired, "seed {}, batch {}", self.seed, self.seq);
        for verdict in expected {
            *self.verdicts.entry(verdict).or_default() += 1;
        }
        self.ledger.check_invariants().unwrap_or_else(|violation| {
            panic!("seed {}, batch {}: {violation}", self.seed, self.seq);
        });
        self.compare();
        self.finals.check(&self.ledger, &self.model).unwrap_or_else(|changed| {
            panic!("seed {}, batch {}: {changed}", self.seed, self.seq);
        });
        batch.len()
    }
}

fn verdict(outcome: &TxOutcome) -> Verdict {
    match outcome {
        TxOutcome::Refused(refusal) => Verdict::Refused(refusal.code()),
        TxOutcome::Included { receipt, .. } => match &receipt.outcome {
            Outcome::Applied => Verdict::Applied,
            Outcome::Rejected(rejection) => Verdict::Rejected(rejection.code()),
        },
    }
}

/// Where a long run of everything ends: the same wherever and however this is compiled.
pub(crate) fn tip_of_a_long_run() -> (Digest, Digest) {
    let mut run = Run::new(4_711, false);
    let mut done = 0;
    while done < 3_000 {
        done += run.step();
    }
    (*run.ledger.tip_hash(), run.ledger.tip().state_root)
}

/// What came about in some runs.
#[derive(Default)]
struct Seen {
    verdicts: BTreeMap<Verdict, u64>,
    moves: BTreeSet<(&'static str, &'static str, &'static str)>,
    reasons: BTreeSet<&'static str>,
    fired: usize,
    fills: u64,
}

impl Seen {
    fn add(&mut self, run: Run) {
        for (verdict, n) in run.verdicts {
            *self.verdicts.entry(verdict).or_default() += n;
        }
        self.moves.extend(run.model.moves);
        self.reasons.extend(run.model.exchange.reasons);
        self.fired += run.fired;
        self.fills += run.fills;
    }

    /// What must come about, and has not.
    fn missing(&self) -> Vec<String> {
        let refusals = REFUSALS.into_iter().map(Verdict::Refused);
        let verdicts = refusals.chain(REJECTIONS.into_iter().map(Verdict::Rejected));
        let verdicts = verdicts.filter(|verdict| !self.verdicts.contains_key(verdict));
        let moves = MOVES.into_iter().filter(|step| !self.moves.contains(step));
        let reasons = REASONS.into_iter().filter(|reason| !self.reasons.contains(reason));
        let moves = moves.map(|step| format!("{step:?}"));
        verdicts
            .map(|verdict| format!("{verdict:?}"))
            .chain(moves)
            .chain(reasons.map(str::to_owned))
            .collect()
    }
}

/// Runs seeds until so many operations were compared, or up to twice as many until all kinds of outcome were among them.
fn compare_with_the_model(operations: usize, for_each_seed: usize) {
    let (mut done, mut seed, mut seen) = (0, 1, Seen::default());
    while done < operations || (done < 2 * operations && !seen.missing().is_empty()) {
        let many_versions = seed == 1;
        let mut run = Run::new(seed, many_versions);
        let enough = if many_versions { 4_000 } else { for_each_seed };
        let mut here = 0;
        while here < enough {
            here += run.step();
        }
        run.compare_restored();
        done += here;
        seen.add(run);
        seed += 1;
    }
    println!("{done} operations, {} deadlines, {} fills, {:#?}", seen.fired, seen.fills, seen.verdicts);
    assert_eq!(seen.missing(), [""; 0]);
    let known = (REFUSALS.len() + REJECTIONS.len() + 1, MOVES.len(), REASONS.len());
    let all = (seen.verdicts.len(), seen.moves.len(), seen.reasons.len());
    assert_eq!(all, known, "something came about that nobody expected");
    assert!(seen.fills > done as u64 / 100, "too few orders meet to mean anything");
    assert!(seen.verdicts[&Verdict::Applied] > done as u64 * 3 / 10, "too few succeed to mean anything");
}

#[test]
fn a_hundred_thousand_operations_agree_with_the_model() {
    compare_with_the_model(100_000, 1_000);
}

#[test]
#[ignore = "a long run: over a million operations"]
fn a_million_operations_agree_with_the_model() {
    compare_with_the_model(1_050_000, 1_500);
}
