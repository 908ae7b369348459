//! Requests of people who want what is not theirs. None changes anything but the sender's nonces, and each is answered
//! with the code that says why.

mod attacks;
mod codes;
mod door;
mod scene;

use std::collections::{BTreeMap, BTreeSet};

use ledger::{BatchInput, Outcome, Refusal, Transaction, TxOutcome, UnixMillis};
use pbft_crypto::Address;

use self::attacks::{Attack, attacks};
use self::door::TRICKS;
use self::scene::Scene;
use crate::random::Dice;
use crate::world::{DECIDERS, World};

/// How many reach the ledger in one block, at most.
const BATCH: usize = 300;

/// What is sent, and the code that has to come back.
struct Sent {
    bytes: Vec<u8>,
    expected: &'static str,
}

struct Run {
    world: World,
    scene: Scene,
    attacks: Vec<Attack>,
    dice: Dice,
    seq: u64,
    nonces: BTreeMap<Address, u64>,
    batch: Vec<Transaction>,
    expected: Vec<&'static str>,
    answers: BTreeMap<&'static str, u64>,
    /// Other answers than those that were expected.
    wrong: BTreeSet<String>,
}

impl Run {
    fn new() -> Self {
        let (world, scene) = Scene::set();
        let seq = world.ledger.tip().seq;
        Self {
            world,
            scene,
            attacks: attacks(),
            dice: Dice(1),
            seq,
            nonces: BTreeMap::new(),
            batch: Vec::new(),
            expected: Vec::new(),
            answers: BTreeMap::new(),
            wrong: BTreeSet::new(),
        }
    }

    /// The next nonce of a person that the ledger takes.
    fn nonce(&mut self, sender: Address) -> u64 {
        let base = self.world.ledger.nonces(&sender).base();
        let next = self.nonces.entry(sender).or_insert(base);
        *next += 1;
        *next - 1
    }

    fn next(&mut self) -> Sent {
        let all = (self.attacks.len() + TRICKS.len()) as u64;
        let choice = usize::try_from(self.dice.below(all)).unwrap();
        match self.attacks.get(choice).copied() {
            Some((who, make, expected)) => {
                let operation = make(&self.scene);
                let nonce = self.nonce(crate::world::address(who));
                let body = self.world.body(who, operation, nonce);
                let bytes = Transaction::sign(body, &crate::world::key(who)).encode();
                Sent { bytes, expected }
            }
            None => {
                let (make, expected) = TRICKS[choice - self.attacks.len()];
                Sent { bytes: make(self), expected }
            }
        }
    }

    /// What a replica does before it lets a request be ordered.
    fn knock(bytes: &[u8], world: &World) -> Result<Transaction, Refusal> {
        let tx = Transaction::decode(bytes)?;
        tx.check_stateless(world.ledger.chain_id())?;
        tx.verify_signature()?;
        Ok(tx)
    }

    fn one_more(&mut self) {
        let Sent { bytes, expected } = self.next();
        match Self::knock(&bytes, &self.world) {
            Err(refusal) => self.answered(refusal.code(), expected, ""),
            Ok(tx) => {
                self.batch.push(tx);
                self.expected.push(expected);
            }
        }
        if self.batch.len() == BATCH {
            self.execute();
        }
    }

    fn answered(&mut self, code: &'static str, expected: &'static str, to: &str) {
        if code != expected {
            self.wrong.insert(format!("{code} and not {expected} {to}"));
        }
        *self.answers.entry(code).or_default() += 1;
    }

    /// Has the ledger execute what came through the door.
    fn execute(&mut self) {
        let (transactions, expected) = (std::mem::take(&mut self.batch), std::mem::take(&mut self.expected));
        self.seq += 1;
        // No deadline of the scene comes near.
        let time = UnixMillis::new(self.world.ledger.tip().time.value() + 1);
        let input =
            BatchInput { seq: self.seq, view: 3, time, transactions: &transactions, replicas: DECIDERS };
        let applied = self.world.ledger.apply(input);
        for ((outcome, expected), tx) in applied.outcomes.iter().zip(expected).zip(&transactions) {
            let code = match outcome {
                TxOutcome::Refused(refusal) => refusal.code(),
                TxOutcome::Included { receipt, .. } => match &receipt.outcome {
                    Outcome::Rejected(rejection) => rejection.code(),
                    Outcome::Applied => panic!("it was done, and not {expected}: {:?}", tx.body()),
                },
            };
            self.answered(code, expected, &format!("{:?}", tx.body().operation));
        }
        assert_eq!(applied.events, []);
        let changed = applied.changes.into_iter().map(|change| change.key);
        assert!(changed.into_iter().all(|key| self.scene.nonces.contains(&key)));
        // Those that were refused here did not use theirs.
        self.nonces.clear();
        self.world.ledger.check_invariants().unwrap();
    }
}

fn send(requests: u64) {
    let mut run = Run::new();
    let everything_else = |run: &Run| {
        let all = run.world.ledger.entries();
        all.filter(|(key, _)| !run.scene.nonces.contains(key)).collect::<BTreeMap<_, _>>()
    };
    let before = everything_else(&run);
    for _ in 0..requests {
        run.one_more();
    }
    run.execute();
    assert_eq!(run.wrong, BTreeSet::new());
    assert!(everything_else(&run) == before, "something changed");
    assert_eq!(run.answers.values().sum::<u64>(), requests);
    for code in codes::tried() {
        assert!(run.answers.contains_key(code), "{code} was never tried");
    }
    println!("{requests} requests: {:#?}", run.answers);
}

#[test]
fn ten_thousand_hostile_requests_change_nothing() {
    send(10_000);
}

#[test]
#[ignore = "a long run: a million requests with real signatures"]
fn a_million_hostile_requests_change_nothing() {
    send(1_000_000);
}
