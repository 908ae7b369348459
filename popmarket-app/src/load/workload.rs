//! Payments between accounts, signed beforehand: the load program measures the cluster, not its own signing.

use ledger::{Amount, AssetId, Body, Memo, Name, PaymentOp, Transaction, UnixMillis};
use pbft_core::{ClientId, Request, RequestNumber, message::Operation};
use pbft_crypto::{Address, Digest, KeyPair, PublicKey};

/// What each account has at the start.
const FUNDS: Amount = Amount::new(1_000_000_000);

/// Accounts that pay each other.
pub struct Workload {
    keys: Vec<KeyPair>,
}

impl Workload {
    /// Makes keys for `count` accounts, two at least.
    #[must_use]
    pub fn accounts(count: u32) -> Self {
        Self { keys: (0..count.max(2)).map(|_| KeyPair::generate()).collect() }
    }

    /// The accounts for the first block.
    #[must_use]
    pub fn funded(&self) -> Vec<(Name, PublicKey, Amount)> {
        let account = |(index, key): (usize, &KeyPair)| {
            let name = Name::new(format!("payer{index}")).ok()?;
            Some((name, key.public_key(), FUNDS))
        };
        self.keys.iter().enumerate().filter_map(account).collect()
    }

    /// `count` payments of one unit, each account in its turn, signed by all processors.
    #[must_use]
    pub fn payments(&self, chain_id: Digest, count: u32) -> Vec<Request> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let numbers: Vec<_> = (0..count as usize).collect();
        let share = numbers.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            let sign = |part| scope.spawn(move || self.sign(chain_id, part));
            let workers: Vec<_> = numbers.chunks(share).map(sign).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        })
    }

    fn sign(&self, chain_id: Digest, numbers: &[usize]) -> Vec<Request> {
        numbers.iter().map(|number| self.payment(chain_id, *number)).collect()
    }

    fn payment(&self, chain_id: Digest, number: usize) -> Request {
        let (turn, index) = (number / self.keys.len(), number % self.keys.len());
        let (payer, payee) = (&self.keys[index], &self.keys[(index + 1) % self.keys.len()]);
        let sender = Address::from_public_key(&payer.public_key());
        let nonce = turn as u64;
        let pay = PaymentOp::Pay {
            to: Address::from_public_key(&payee.public_key()),
            asset: AssetId::Pop,
            amount: Amount::new(1),
            reference: None,
            memo: Memo::default(),
        };
        let body = Body {
            chain_id,
            operation: pay.into(),
            sender,
            nonce,
            valid_until: UnixMillis::MAX,
            client_ref: [0; 16],
        };
        let transaction = Transaction::sign(body, payer);
        Request {
            client: ClientId::from_bytes(*sender.as_bytes()),
            number: RequestNumber::new(nonce),
            operation: Operation::new(transaction.encode()),
        }
    }
}
