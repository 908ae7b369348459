//! The ledger of POP Market as the service: members pay, ask to be topped up, offer things and buy them. What a wish means
//! depends on what there is when its turn comes. Members' signatures are ideal, as everywhere in the simulator; the ledger
//! leaves them to whoever admits.

use std::sync::OnceLock;

use ledger::{
    Amount, AssetId, Auth, BatchInput, BlockHeader, Body, ChargeId, ChargeOp, Genesis, GenesisAccount,
    Ledger, ListingContent, ListingId, ListingOp, Millis, NewReplica, Operation, Params, PaymentOp, Photos,
    Role, TradeId, TradeOp, TradeParams, Transaction, TxOutcome, UnixMillis,
};
use pbft_core::{
    Request,
    service::{Executed, OrderedBatch, Outcome},
    wire,
};
use pbft_crypto::{Address, Digest, KeyPair, PublicKey, Signature};
use serde::{Deserialize, Serialize};

use super::Verb;
use crate::customer::client_index;

/// The ledger, and what there is in it to speak of.
pub(super) struct Market {
    ledger: Ledger,
    known: Known,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Known {
    charges: Vec<ChargeId>,
    listings: Vec<(ListingId, Digest)>,
    trades: Vec<TradeId>,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    tip: BlockHeader,
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    known: Known,
}

/// As many members as there may be clients.
const MEMBERS: u8 = 4;

impl Market {
    pub(super) fn new() -> Self {
        let ledger = Ledger::from_genesis(genesis()).expect("a valid genesis");
        Self { ledger, known: Known::default() }
    }

    pub(super) fn apply(&mut self, batch: &OrderedBatch) -> Executed {
        let transactions: Vec<_> =
            batch.requests.iter().map(|request| self.transaction(batch, request)).collect();
        let applied = self.ledger.apply(BatchInput {
            seq: batch.seq.value(),
            view: batch.origin.value(),
            time: UnixMillis::new(batch.time.value()),
            transactions: &transactions,
            replicas: batch.replicas,
        });
        for (transaction, outcome) in transactions.iter().zip(&applied.outcomes) {
            self.learn(transaction, outcome);
        }
        let outcomes = applied.outcomes.iter().map(|outcome| match outcome {
            TxOutcome::Refused(refusal) => Outcome::Refused(bytes(refusal)),
            TxOutcome::Included { receipt, .. } => Outcome::Applied(bytes(receipt)),
        });
        let wake_at = self.ledger.next_deadline().map(|at| pbft_core::UnixMillis::new(at.value()));
        let result = applied.block.as_ref().map(ledger::Block::hash);
        Executed { outcomes: outcomes.collect(), wake_at, replicas: None, result }
    }

    fn learn(&mut self, transaction: &Transaction, outcome: &TxOutcome) {
        let TxOutcome::Included { receipt, .. } = outcome else { return };
        if !receipt.outcome.is_applied() {
            return;
        }
        match &transaction.body().operation {
            Operation::Charge(ChargeOp::Request { .. }) => self.known.charges.push(transaction.id().into()),
            Operation::Listing(ListingOp::Create { content }) => {
                self.known.listings.push((transaction.id().into(), content.hash()));
            }
            Operation::Trade(TradeOp::Open { .. }) => self.known.trades.push(transaction.id().into()),
            _ => {}
        }
    }

    fn transaction(&self, batch: &OrderedBatch, request: &Request) -> Transaction {
        let [verb, key, amount] =
            *request.operation.as_bytes().first_chunk().unwrap_or(&[Verb::Fail as u8, 0, 0]);
        let member = client_index(&request.client);
        // Something that comes too late leaves no trace.
        let late = verb == Verb::Fail as u8 && key % 2 == 1;
        let body = Body {
            chain_id: *self.ledger.chain_id(),
            operation: self.operation(verb, key, amount),
            sender: address(member),
            nonce: request.number.value(),
            valid_until: UnixMillis::new(if late { batch.time.value().saturating_sub(1) } else { u64::MAX }),
            client_ref: [0; 16],
        };
        let signature = Signature::from_r_and_s(&[1; 32], &[1; 32]);
        Transaction::new(body, Auth::P256 { public_key: keys()[member % keys().len()], signature })
    }

    fn operation(&self, verb: u8, key: u8, amount: u8) -> Operation {
        let Known { charges, listings, trades } = &self.known;
        let nth = |count: usize| usize::from(amount) % count.max(1);
        let (charge, listing, trade) = (
            charges.get(nth(charges.len())).copied(),
            listings.get(nth(listings.len())).copied(),
            trades.get(nth(trades.len())).copied(),
        );
        let open = |(listing, content_hash)| TradeOp::Open { listing, version: 1, content_hash }.into();
        let op: Option<Operation> = match (verb, key % 4) {
            (0, 0) => Some(ChargeOp::Request { amount: units(amount), memo: text("deposit") }.into()),
            (0, 1) => Some(ListingOp::Create { content: thing(amount) }.into()),
            (1, 0) => charge.map(|charge| ChargeOp::Approve { charge }.into()),
            (1, 1 | 2) => listing.map(open),
            (1, _) | (2, 0) => trade.map(|trade| TradeOp::Confirm { trade }.into()),
            (2, 1) => trade.map(|trade| TradeOp::Accept { trade }.into()),
            (2, 2) => trade.map(|trade| TradeOp::Ship { trade, tracking: text("parcel") }.into()),
            (2, _) => trade.map(|trade| TradeOp::Cancel { trade }.into()),
            (3, _) => Some(pay(key, u64::MAX / 2)),
            _ => None,
        };
        op.unwrap_or_else(|| pay(key, u64::from(amount)))
    }

    /// All that must always hold, money above all.
    pub(super) fn check(&self) -> Result<(), String> {
        self.ledger.check_invariants().map_err(|broken| broken.to_string())
    }

    pub(super) fn history(&self) -> Digest {
        self.ledger.tip().hash()
    }

    pub(super) fn waits(&self) -> bool {
        self.ledger.next_deadline().is_some()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let tip = self.ledger.tip().clone();
        bytes(&Snapshot { tip, entries: self.ledger.entries().collect(), known: self.known.clone() })
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let Snapshot { tip, entries, known } = wire::decode(bytes).ok()?;
        Some(Self { ledger: Ledger::restore(genesis(), tip, entries).ok()?, known })
    }
}

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    wire::encode(value).expect("small")
}

fn text<T: core::str::FromStr<Err: core::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a short text")
}

fn units(amount: u8) -> Amount {
    Amount::new(u64::from(amount) + 1)
}

fn pay(key: u8, amount: u64) -> Operation {
    let (to, asset) = (address(usize::from(key)), AssetId::Pop);
    PaymentOp::Pay { to, asset, amount: Amount::new(amount), reference: None, memo: text("thanks") }.into()
}

fn thing(amount: u8) -> ListingContent {
    ListingContent {
        title: text("bicycle"),
        description: text("Two wheels."),
        price: units(amount),
        photos: Photos::default(),
    }
}

fn keys() -> &'static [PublicKey] {
    static KEYS: OnceLock<Vec<PublicKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let pair = |member| KeyPair::from_secret_bytes(&[member; 32]).expect("a number in 1..n");
        (1..=MEMBERS).map(|member| pair(member).public_key()).collect()
    })
}

fn address(member: usize) -> Address {
    Address::from_public_key(&keys()[member % keys().len()])
}

/// Two admins and two members with money. Deadlines are short, so that they fall due within a run.
fn genesis() -> &'static Genesis {
    static GENESIS: OnceLock<Genesis> = OnceLock::new();
    GENESIS.get_or_init(|| {
        let account = |(place, key): (usize, &PublicKey)| GenesisAccount {
            name: text(&format!("member {place}")),
            public_key: *key,
            role: if place < 2 { Role::Admin } else { Role::Member },
            coins: Amount::new(100),
        };
        // The simulator changes the replicas by itself: those of the ledger are for its tables only.
        let replica = |(key, port): (&PublicKey, u16)| NewReplica {
            public_key: *key,
            address: text(&format!("localhost:{port}")),
        };
        Genesis {
            chain: text("simulation"),
            time: UnixMillis::new(1_600_000_000_000),
            fee_account: address(0),
            params: Params {
                trade: TradeParams {
                    ship_within: Millis::new(120),
                    confirm_within: Millis::new(200),
                    cancel_answer_within: Millis::new(80),
                    remind_before: Millis::new(50),
                    ..TradeParams::STANDARD
                },
                ..Params::STANDARD
            },
            accounts: keys().iter().enumerate().map(account).collect(),
            replicas: keys().iter().zip(1..).map(replica).collect(),
        }
    })
}

#[cfg(test)]
mod minted;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use pbft_core::{RequestNumber, Seq, View};

    use super::*;
    use crate::{
        customer::{Wish, client_id},
        plan::Plan,
    };

    /// Else the ledger would do nothing but refuse.
    #[test]
    fn all_kinds_of_business_are_done() {
        let mut market = Market::new();
        let mut plan = Plan::of(1, &[4]);
        (plan.workload.requests, plan.workload.reminders) = (60, true);
        let mut applied = 0;
        for number in 0..60 {
            let seq = Seq::new(number + 1);
            let time = pbft_core::UnixMillis::new(1_700_000_000_000).plus(Duration::from_millis(20 * number));
            let ask = |client: usize| {
                let Wish { verb, key, amount } = Wish::list(client, &plan)[usize::try_from(number).unwrap()];
                verb.request(client_id(client), RequestNumber::new(number), key, amount)
            };
            let requests = (0..4).map(ask).collect();
            let executed = market.apply(&OrderedBatch {
                seq,
                origin: View::ZERO,
                time,
                requests,
                replicas: Digest::ZERO,
            });
            applied +=
                executed.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count();
            market.check().unwrap();
        }
        let Known { charges, listings, trades } = &market.known;
        assert!(
            applied > 150 && charges.len() > 5 && listings.len() > 5 && trades.len() > 2,
            "{:?}",
            market.known
        );
        let again = Market::decode(&market.encode()).unwrap();
        assert_eq!((again.history(), again.encode()), (market.history(), market.encode()));
    }
}
