//! Matching: orders on a market with a full book, with state root and block. Signatures are checked elsewhere.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ledger::{
    Amount, AssetId, BatchInput, Body, Decimals, ExchangeOp, Genesis, GenesisAccount, Ledger, Lifetime,
    MarketId, Name, NewOrder, NewReplica, Operation, OrderSide, Params, Role, SelfTrade, TokenId, TokenName,
    TokenOp, Transaction, UnixMillis,
};
use pbft_crypto::{Address, Digest, KeyPair};

const MEMBERS: usize = 200;
const ORDERS: usize = 500;
const START: u64 = 1_700_000_000_000;
const MIDDLE: u64 = 1_000_000;

struct Exchange {
    ledger: Ledger,
    keys: Vec<KeyPair>,
    nonces: Vec<u64>,
    market: MarketId,
    seq: u64,
    next: u64,
}

impl Exchange {
    /// A market with so many orders on each side, each price one tick from the last.
    fn new(depth: u64) -> Self {
        let keys: Vec<_> = (0..MEMBERS).map(|_| KeyPair::generate()).collect();
        let account = |(index, key): (usize, &KeyPair)| GenesisAccount {
            name: Name::new(format!("trader{index}")).expect("a short plain name"),
            public_key: key.public_key(),
            role: if index == 0 { Role::Admin } else { Role::Member },
            coins: Amount::new(1 << 50),
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
        let base = TokenId::new("SHOP").expect("a symbol");
        let market = MarketId { base, quote: AssetId::Pop };
        let nonces = vec![0; MEMBERS];
        let mut exchange = Self { ledger, keys, nonces, market, seq: 0, next: 0 };
        exchange.open();
        let places: Vec<_> = (1..=depth).flat_map(|n| [(false, MIDDLE + n), (true, MIDDLE - n)]).collect();
        for some in places.chunks(ORDERS) {
            let orders: Vec<_> = some.iter().map(|(buys, price)| exchange.order(*buys, *price)).collect();
            exchange.apply(&orders);
        }
        exchange
    }

    fn open(&mut self) {
        let base = self.market.base;
        let name = TokenName::new("Shares").expect("a short plain name");
        let decimals = Decimals::new(0).expect("few decimals");
        let one = Amount::new(1);
        let create = self.sign(0, TokenOp::Create { token: base, name, decimals, cap: None });
        let open = self.sign(0, ExchangeOp::OpenMarket { base, quote: AssetId::Pop, tick: one, lot: one });
        self.apply(&[create, open]);
        let addresses: Vec<_> =
            self.keys.iter().map(|key| Address::from_public_key(&key.public_key())).collect();
        let mint = |to| TokenOp::Mint { token: base, to, amount: Amount::new(1 << 40) };
        let mints: Vec<_> = addresses.into_iter().map(|to| self.sign(0, mint(to))).collect();
        self.apply(&mints);
    }

    fn sign(&mut self, who: usize, operation: impl Into<Operation>) -> Transaction {
        let nonce = self.nonces[who];
        self.nonces[who] += 1;
        let body = Body {
            chain_id: *self.ledger.chain_id(),
            operation: operation.into(),
            sender: Address::from_public_key(&self.keys[who].public_key()),
            nonce,
            valid_until: UnixMillis::MAX,
            client_ref: [0; 16],
        };
        Transaction::sign(body, &self.keys[who])
    }

    /// The next member's order for one.
    fn order(&mut self, buys: bool, price: u64) -> Transaction {
        self.next += 1;
        let who = usize::try_from(self.next % MEMBERS as u64).expect("few members");
        let order = NewOrder {
            market: self.market,
            side: if buys { OrderSide::Buy } else { OrderSide::Sell },
            price: Some(Amount::new(price)),
            quantity: Amount::new(1),
            lifetime: Lifetime::UntilCancelled,
            self_trade: SelfTrade::CancelOldest,
        };
        self.sign(who, ExchangeOp::Place { order })
    }

    /// Orders in turn: one that waits in front of the book, and one that fills it.
    fn pairs(&mut self) -> Vec<Transaction> {
        (0..ORDERS).map(|n| self.order(n % 2 == 0, MIDDLE)).collect()
    }

    fn apply(&mut self, transactions: &[Transaction]) -> u64 {
        self.seq += 1;
        let time = UnixMillis::new(START + self.seq);
        let batch = BatchInput { seq: self.seq, view: 0, time, transactions, replicas: Digest::ZERO };
        let block = self.ledger.apply(batch).block.expect("a block");
        assert!(block.receipts.iter().all(|receipt| receipt.outcome.is_applied()));
        self.ledger.market(&self.market).map_or(0, |market| market.fills)
    }
}

fn matching(c: &mut Criterion) {
    let mut group = c.benchmark_group("ledger/exchange");
    group.throughput(Throughput::Elements(ORDERS as u64));
    group.sample_size(20);
    for depth in [0, 1_000, 20_000] {
        let exchange = std::cell::RefCell::new(Exchange::new(depth));
        let name = format!("{ORDERS} orders, half of which fill the other half");
        group.bench_with_input(BenchmarkId::new(name, format!("{depth} a side")), &depth, |b, _| {
            b.iter_batched(
                || exchange.borrow_mut().pairs(),
                |orders| assert!(exchange.borrow_mut().apply(&orders) >= ORDERS as u64 / 2),
                BatchSize::PerIteration,
            );
        });
    }
}

criterion_group!(benches, matching);
criterion_main!(benches);
