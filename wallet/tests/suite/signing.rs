//! Wallets with a real ledger.

use std::num::NonZeroUsize;

use ledger::{
    AccountOp, Amount, AssetId, BatchInput, Genesis, GenesisAccount, Ledger, NewReplica, Operation, Params,
    PaymentOp, Refusal, Role, TxOutcome, UnixMillis,
};
use pbft_crypto::{Address, Digest, KeyPair};
use tempfile::tempdir;
use wallet::{Custody, CustodyError, Draft, MasterKey, NonceView, SignError, Signed, Wallet};

const START: u64 = 1_000;

fn key(seed: u8) -> KeyPair {
    KeyPair::from_secret_bytes(&[seed; 32]).unwrap()
}

fn address(seed: u8) -> Address {
    Address::from_public_key(&key(seed).public_key())
}

/// A ledger with the accounts 1 and 2, where 1 has some money, and the time of its last block.
struct Chain {
    id: Digest,
    ledger: Ledger,
    time: u64,
}

impl Chain {
    fn new() -> Self {
        let account = |seed: u8, coins| GenesisAccount {
            name: format!("member-{seed}").parse().unwrap(),
            public_key: key(seed).public_key(),
            role: Role::Admin,
            coins: Amount::new(coins),
        };
        let genesis = Genesis {
            chain: "test".parse().unwrap(),
            time: UnixMillis::new(START),
            fee_account: address(2),
            params: Params::STANDARD,
            accounts: vec![account(1, 1_000_000), account(2, 0)],
            replicas: vec![NewReplica {
                public_key: key(3).public_key(),
                address: "localhost:9000".parse().unwrap(),
            }],
        };
        Self { id: genesis.chain_id(), ledger: Ledger::from_genesis(&genesis).unwrap(), time: START }
    }

    fn view(&self, account: Address) -> NonceView {
        NonceView { window: self.ledger.nonces(&account), as_of: UnixMillis::new(self.time) }
    }

    /// One block, or none if all are refused.
    fn apply(&mut self, signed: &[&Signed]) -> Vec<TxOutcome> {
        let transactions: Vec<_> = signed.iter().map(|s| s.transaction.clone()).collect();
        assert!(transactions.iter().all(|t| t.verify_signature().is_ok()));
        let time = self.time + 1;
        let input = BatchInput {
            seq: time - START,
            view: 0,
            time: UnixMillis::new(time),
            transactions: &transactions,
            replicas: Digest::ZERO,
        };
        let applied = self.ledger.apply(input);
        if applied.block.is_some() {
            self.time = time;
        }
        applied.outcomes
    }
}

fn payment(amount: u64) -> Operation {
    PaymentOp::Pay {
        to: address(2),
        asset: AssetId::Pop,
        amount: Amount::new(amount),
        reference: None,
        memo: "".parse().unwrap(),
    }
    .into()
}

fn draft(operation: Operation, sender: Address, valid_until: u64) -> Draft {
    Draft { sender, operation, valid_until: UnixMillis::new(valid_until), client_ref: [7; 16] }
}

#[test]
fn the_draft_is_what_is_signed() {
    let chain = Chain::new();
    let wallet = Wallet::new(chain.id, key(1));
    let draft = draft(payment(5), address(1), 9_000);
    let signed = wallet.sign(draft.clone(), &chain.view(address(1))).unwrap();
    let body = signed.transaction.body();
    assert_eq!((body.chain_id, body.nonce, body.sender), (chain.id, signed.lease.nonce(), draft.sender));
    assert_eq!(
        (&body.operation, body.valid_until, body.client_ref),
        (&draft.operation, draft.valid_until, draft.client_ref)
    );
    assert_eq!(signed.transaction.verify_signature(), Ok(()));
    assert_eq!(*signed.transaction.public_key(), key(1).public_key());
}

/// Hundreds of payments in flight, recorded from the last to the first: each once.
#[test]
fn many_in_flight_in_any_order() {
    let mut chain = Chain::new();
    let wallet = Wallet::new(chain.id, key(1));
    for _ in 0..3 {
        let view = chain.view(address(1));
        let mut signed: Vec<_> =
            (0..256).map(|_| wallet.sign(draft(payment(1), address(1), 9_000), &view).unwrap()).collect();
        assert!(matches!(wallet.sign(draft(payment(1), address(1), 9_000), &view), Err(SignError::Nonce(_))));
        signed.reverse();
        for part in signed.chunks(100) {
            let outcomes = chain.apply(&part.iter().collect::<Vec<_>>());
            assert!(outcomes.iter().all(|o| matches!(o, TxOutcome::Included { .. })), "{outcomes:?}");
        }
        signed.into_iter().for_each(|s| wallet.nonces().confirm(s.lease));
    }
    assert_eq!(chain.ledger.balance(&address(2), AssetId::Pop).available, Amount::new(3 * 256));
}

/// A transaction is lost. When it has expired its nonce is used for the next one, which the ledger accepts, and the old
/// one, should it turn up again, it refuses.
#[test]
fn a_lost_transaction_gives_its_nonce_back_when_it_expires() {
    let mut chain = Chain::new();
    let wallet = Wallet::new(chain.id, key(1));
    let sign = |chain: &Chain, until| {
        wallet.sign(draft(payment(1), address(1), until), &chain.view(address(1))).unwrap()
    };
    let lost = sign(&chain, START + 1);
    let next = sign(&chain, 9_000);
    assert_eq!((lost.lease.nonce(), next.lease.nonce()), (0, 1));
    assert!(matches!(chain.apply(&[&next])[..], [TxOutcome::Included { .. }]));
    wallet.nonces().confirm(next.lease);

    let again = sign(&chain, 9_000);
    assert_eq!(again.lease.nonce(), 0);
    let outcomes = chain.apply(&[&lost, &again]);
    assert!(
        matches!(outcomes[..], [TxOutcome::Refused(Refusal::Expired { .. }), TxOutcome::Included { .. }]),
        "{outcomes:?}"
    );
}

/// A key that is not kept here: nothing is signed, and no nonce is lost.
#[test]
fn a_failed_signature_gives_the_nonce_back() {
    let folder = tempdir().unwrap();
    let custody =
        Custody::open(folder.path(), MasterKey::generate(), NonZeroUsize::new(10).unwrap()).unwrap();
    let chain = Chain::new();
    let wallet = Wallet::new(chain.id, custody);
    let try_to_sign = || wallet.sign(draft(payment(1), address(1), 9_000), &chain.view(address(1)));
    assert!(matches!(try_to_sign(), Err(SignError::Signer(CustodyError::UnknownAccount(_)))));
    assert_eq!(wallet.nonces().taken(&address(1)), 0);
    wallet.signer().keep(key(1)).unwrap();
    assert_eq!(try_to_sign().unwrap().lease.nonce(), 0);
}

/// A new member of a server that keeps the keys: from nothing to an account that pays.
#[test]
fn a_custodial_member_registers_and_pays() {
    let folder = tempdir().unwrap();
    let custody =
        Custody::open(folder.path(), MasterKey::generate(), NonZeroUsize::new(10).unwrap()).unwrap();
    let member = Address::from_public_key(&custody.create_key().unwrap());
    custody.keep(key(1)).unwrap();
    let mut chain = Chain::new();
    let wallet = Wallet::new(chain.id, custody);
    let to_member = PaymentOp::Pay {
        to: member,
        asset: AssetId::Pop,
        amount: Amount::new(50),
        reference: None,
        memo: "".parse().unwrap(),
    };
    let steps = [
        (member, AccountOp::Register { name: "newcomer".parse().unwrap() }.into()),
        (address(1), to_member.into()),
        (member, payment(20)),
    ];
    for (sender, operation) in steps {
        let signed = wallet.sign(draft(operation, sender, 9_000), &chain.view(sender)).unwrap();
        let outcomes = chain.apply(&[&signed]);
        assert!(matches!(outcomes[..], [TxOutcome::Included { .. }]), "{outcomes:?}");
        wallet.nonces().confirm(signed.lease);
    }
    assert_eq!(chain.ledger.balance(&member, AssetId::Pop).available, Amount::new(30));
}
