//! Executing payments: rules, Merkle roots, state root and block. Signatures are checked elsewhere.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ledger::{
    Amount, AssetId, BatchInput, Body, Genesis, GenesisAccount, Ledger, Memo, Name, NewReplica, Params,
    PaymentOp, Role, Transaction, UnixMillis,
};
use pbft_crypto::{Address, Digest, KeyPair};

const ACCOUNTS: usize = 1_000;
const PAYMENTS: usize = 500;
const START: u64 = 1_700_000_000_000;

struct Market {
    ledger: Ledger,
    chain_id: Digest,
    keys: Vec<KeyPair>,
    seq: u64,
}

impl Market {
    fn new() -> Self {
        let keys: Vec<_> = (0..ACCOUNTS).map(|_| KeyPair::generate()).collect();
        let account = |(index, key): (usize, &KeyPair)| GenesisAccount {
            name: Name::new(format!("payer{index}")).expect("a short plain name"),
            public_key: key.public_key(),
            role: if index == 0 { Role::Admin } else { Role::Member },
            coins: Amount::new(1_000_000_000),
        };
        let genesis = Genesis {
            chain: Name::new("bench").expect("a short plain name"),
            time: UnixMillis::new(START),
            fee_account: Address::from_public_key(&keys[0].public_key()),
            params: Params::STANDARD,
            accounts: keys.iter().enumerate().map(account).collect(),
            replicas: vec![NewReplica {
                public_key: keys[0].public_key(),
                address: "localhost:9000".parse().expect("an address"),
            }],
        };
        let ledger = Ledger::from_genesis(&genesis).expect("this genesis is valid");
        Self { ledger, chain_id: genesis.chain_id(), keys, seq: 0 }
    }

    /// The next payments: each account pays its neighbour in turn.
    fn payments(&mut self) -> (u64, Vec<Transaction>) {
        self.seq += 1;
        let first = usize::try_from(self.seq - 1).expect("few blocks") * PAYMENTS;
        let payment = |number: usize| {
            let (payer, payee) = (&self.keys[number % ACCOUNTS], &self.keys[(number + 1) % ACCOUNTS]);
            let operation = PaymentOp::Pay {
                to: Address::from_public_key(&payee.public_key()),
                asset: AssetId::Pop,
                amount: Amount::new(1),
                reference: None,
                memo: Memo::default(),
            };
            let body = Body {
                chain_id: self.chain_id,
                operation: operation.into(),
                sender: Address::from_public_key(&payer.public_key()),
                nonce: (number / ACCOUNTS) as u64,
                valid_until: UnixMillis::MAX,
                client_ref: [0; 16],
            };
            Transaction::sign(body, payer)
        };
        (self.seq, (first..first + PAYMENTS).map(payment).collect())
    }
}

fn execute(c: &mut Criterion) {
    let market = std::cell::RefCell::new(Market::new());
    let mut group = c.benchmark_group("ledger/execute");
    group.throughput(Throughput::Elements(PAYMENTS as u64));
    group.sample_size(30);
    group.bench_function(format!("a block of {PAYMENTS} payments, with its state root"), |b| {
        b.iter_batched(
            || market.borrow_mut().payments(),
            |(seq, transactions)| {
                let time = UnixMillis::new(START + seq);
                let batch =
                    BatchInput { seq, view: 0, time, transactions: &transactions, replicas: Digest::ZERO };
                let applied = market.borrow_mut().ledger.apply(batch);
                assert_eq!(applied.block.map(|block| block.receipts.len()), Some(PAYMENTS));
            },
            BatchSize::PerIteration,
        );
    });
}

criterion_group!(benches, execute);
criterion_main!(benches);
