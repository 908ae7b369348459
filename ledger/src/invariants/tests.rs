//! A check that finds nothing proves nothing: each kind of damage is found, and as what it is. Long, since it is a list of
//! damages; those of the exchange, of charges and of references are beside it.

mod exchange;
mod treasury;

use pbft_crypto::KeyPair;

use super::*;
use crate::deadlines::ObjectId;
use crate::genesis::{Genesis, GenesisAccount, Params};
use crate::ids::{Height, TxId};
use crate::listings::{Listing, ListingOp};
use crate::state::Context;
use crate::time::{Millis, UnixMillis};
use crate::trades::{TradeDeadline, TradeOp};
use crate::{
    Account, AccountKey, Agreement, Amount, Balance, Ballot, Census, DeadlineKind, Dispute, Guardians,
    ListingContent, Memo, NewReplica, Operation, Payment, PaymentOp, PaymentStatus, Payout, Photos, Poll,
    PollClosing, PollContent, PollOp, PollTimes, Rating, Record, Recovery, Replica, ReplicaId, ReplicaKey,
    ReplicaStatus, Review, Role, Supply, Vote, Withdrawal, WithdrawalStatus,
};

const SELLER: u8 = 1;
const BUYER: u8 = 2;
const TRADE: TxId = TxId::new(Digest::from_bytes([0x22; 32]));
const RECOVERY: TxId = TxId::new(Digest::from_bytes([0x33; 32]));
const PAYMENT: TxId = TxId::new(Digest::from_bytes([0x33; 32]));
const OPEN_POLL: TxId = TxId::new(Digest::from_bytes([0x44; 32]));
const SEALED_POLL: TxId = TxId::new(Digest::from_bytes([0x55; 32]));
const LISTING: TxId = TxId::new(Digest::from_bytes([0x11; 32]));

fn key(byte: u8) -> KeyPair {
    KeyPair::from_secret_bytes(&[byte; 32]).unwrap()
}

fn address(byte: u8) -> Address {
    Address::from_public_key(&key(byte).public_key())
}

fn replica(byte: u8) -> NewReplica {
    let address = format!("localhost:{byte}").parse().unwrap();
    NewReplica { public_key: key(byte).public_key(), address }
}

/// One listing, and one trade of it with 100 held.
fn sound() -> State {
    let account = |name: &str, byte: u8| GenesisAccount {
        name: name.parse().unwrap(),
        public_key: key(byte).public_key(),
        role: Role::Admin,
        coins: Amount::new(1_000),
    };
    let genesis = Genesis {
        chain: "test".parse().unwrap(),
        time: UnixMillis::new(0),
        fee_account: address(SELLER),
        params: Params::STANDARD,
        accounts: vec![account("seller", SELLER), account("buyer", BUYER)],
        replicas: vec![replica(7), replica(8)],
    };
    let (mut state, _) = genesis.state().unwrap();
    let mut run = |sender: u8, tx: TxId, operation: Operation| {
        let now = UnixMillis::new(1);
        let context = Context {
            now,
            height: Height::new(1),
            parent: Digest::ZERO,
            chain_id: Digest::ZERO,
            tx,
            sender: address(sender),
            key: key(sender).public_key(),
        };
        state.execute(&context, &operation, &mut Vec::new()).unwrap();
    };
    let content = ListingContent {
        title: "thing".parse().unwrap(),
        description: "".parse().unwrap(),
        price: Amount::new(100),
        photos: Photos::default(),
    };
    let content_hash = content.hash();
    run(SELLER, LISTING, ListingOp::Create { content }.into());
    run(BUYER, TRADE, TradeOp::Open { listing: LISTING.into(), version: 1, content_hash }.into());
    state
}

/// One vote in an open poll, one commitment in a sealed one, and 10 held for the seller.
fn with_votes_and_holds() -> State {
    let mut state = sound();
    let at = UnixMillis::new;
    let ask = |ballot| {
        let options = ["yes", "no"].map(|text| text.parse().unwrap()).to_vec();
        PollOp::Create {
            content: PollContent { question: "?".parse().unwrap(), options: options.try_into().unwrap() },
            ballot,
            census: Census::Listed { voters: vec![address(BUYER)].try_into().unwrap() },
            changeable: false,
            times: PollTimes { opens_at: at(0), closes_at: at(100) },
        }
    };
    let hold = PaymentOp::Authorize {
        to: address(SELLER),
        asset: AssetId::Pop,
        amount: Amount::new(10),
        reference: None,
        memo: Memo::default(),
        until: at(100),
    };
    let [open, sealed] = [OPEN_POLL.into(), SEALED_POLL.into()];
    let steps: [(TxId, Operation); 5] = [
        (OPEN_POLL, ask(Ballot::Open).into()),
        (SEALED_POLL, ask(Ballot::Sealed { reveal_by: at(200) }).into()),
        (TxId::new(Digest::from_bytes([1; 32])), PollOp::Vote { poll: open, choice: 1 }.into()),
        (TxId::new(Digest::ZERO), PollOp::Commit { poll: sealed, commitment: Digest::ZERO }.into()),
        (PAYMENT, hold.into()),
    ];
    for (tx, operation) in steps {
        let (now, height) = (at(2), Height::new(2));
        let (parent, chain_id) = (Digest::ZERO, Digest::ZERO);
        let (sender, key) = (address(BUYER), key(BUYER).public_key());
        let context = Context { now, height, parent, chain_id, tx, sender, key };
        state.execute(&context, &operation, &mut Vec::new()).unwrap();
    }
    state
}

fn tree_of(state: &State) -> StateTree {
    let entries: Vec<_> = state.entries().collect();
    let mut tree = StateTree::new();
    tree.update(entries.iter().map(|(key, value)| (key.as_slice(), Some(value.as_slice()))));
    tree
}

/// What is found after some damage, the tree being that of the damaged state.
fn found(damage: fn(&mut State)) -> InvariantViolation {
    let mut state = sound();
    damage(&mut state);
    check(&state, &tree_of(&state)).unwrap_err()
}

/// The same for a state with votes and payments.
fn found_among_votes(damage: impl Fn(&mut State)) -> InvariantViolation {
    let mut state = with_votes_and_holds();
    damage(&mut state);
    check(&state, &tree_of(&state)).unwrap_err()
}

fn set_balance(state: &mut State, byte: u8, available: u64, held: u64) {
    let balance = Balance { available: Amount::new(available), held: Amount::new(held) };
    state.money.balances.put((address(byte), AssetId::Pop), balance);
}

fn change_trade(state: &mut State, change: fn(&mut Trade)) {
    let id = TRADE.into();
    let mut trade = *state.trades.find(&id).unwrap();
    change(&mut trade);
    state.trades.rows.put(id, trade);
}

fn change_listing(state: &mut State, status: ListingStatus) {
    let row = *state.listings.find(&LISTING.into()).unwrap();
    state.listings.put(LISTING.into(), Listing { status, ..row });
}

#[test]
fn a_sound_state_passes() {
    let state = sound();
    assert_eq!(check(&state, &tree_of(&state)), Ok(()));
    let state = with_votes_and_holds();
    assert_eq!(check(&state, &tree_of(&state)), Ok(()));
}

#[test]
fn votes_that_are_not_counted_or_counted_wrongly_are_found() {
    let (open, sealed): (PollId, PollId) = (OPEN_POLL.into(), SEALED_POLL.into());
    let change = |id: PollId, change: fn(&mut Poll)| {
        found_among_votes(|state| {
            let mut row = state.polls.find(&id).unwrap().clone();
            change(&mut row);
            state.polls.rows.put(id, row);
        })
    };
    assert_eq!(change(open, |row| row.tallies = vec![0, 2]), InvariantViolation::Poll(open));
    assert_eq!(change(open, |row| row.tallies = vec![1, 0]), InvariantViolation::Poll(open));
    assert_eq!(change(open, |row| row.listed = None), InvariantViolation::Poll(open));
    assert_eq!(change(sealed, |row| row.unrevealed = 0), InvariantViolation::Poll(sealed));
    assert_eq!(change(sealed, |row| row.ballot = Ballot::Open), InvariantViolation::Poll(sealed));
    let closes = |row: &mut Poll| {
        row.closed = Some(PollClosing { height: Height::new(3), at: UnixMillis::new(3) });
    };
    assert_eq!(change(open, closes), InvariantViolation::Deadlines);
    let stranger = |state: &mut State| state.polls.votes.put((open, address(9)), Vote::Counted { choice: 1 });
    assert_eq!(found_among_votes(stranger), InvariantViolation::Poll(open));
    let no_option =
        |state: &mut State| state.polls.votes.put((open, address(BUYER)), Vote::Counted { choice: 2 });
    assert_eq!(found_among_votes(no_option), InvariantViolation::Poll(open));
}

#[test]
fn payments_that_do_not_add_up_are_found() {
    let id = PaymentId::from(PAYMENT);
    let change = |change: fn(&mut Payment)| {
        found_among_votes(|state| {
            let mut row = *state.payments.find(&id).unwrap();
            change(&mut row);
            state.payments.rows.put(id, row);
        })
    };
    let (account, asset) = (address(BUYER), AssetId::Pop);
    let lost = InvariantViolation::Holds { account, asset, held: 110, owned: 100 };
    assert_eq!(change(|row| row.status = PaymentStatus::Voided), lost);
    let more = InvariantViolation::Holds { account, asset, held: 110, owned: 111 };
    assert_eq!(change(|row| row.amount = Amount::new(11)), more);
    assert_eq!(change(|row| row.payee = row.payer), InvariantViolation::Payment(id));
    let until = |row: &mut Payment| row.status = PaymentStatus::Authorized { until: UnixMillis::new(7) };
    assert_eq!(change(until), InvariantViolation::Deadlines);
    let too_much = found_among_votes(|state| {
        let status = PaymentStatus::Paid { paid: Amount::new(10), refunded: Amount::new(11) };
        let row = Payment { status, ..*state.payments.find(&id).unwrap() };
        state.payments.rows.put(id, row);
        set_balance(state, BUYER, 900, 100);
    });
    assert_eq!(too_much, InvariantViolation::Payment(id));
}

#[test]
fn made_and_lost_money_is_found() {
    let asset = AssetId::Pop;
    let made = found(|state| set_balance(state, SELLER, 1_001, 0));
    assert_eq!(made, InvariantViolation::Conservation { asset, have: 2_001, supply: Some(2_000) });
    let lost = found(|state| set_balance(state, BUYER, 0, 100));
    assert_eq!(lost, InvariantViolation::Conservation { asset, have: 1_100, supply: Some(2_000) });
    let burned = found(|state| {
        let supply = Supply { minted: Amount::new(2_000), burned: Amount::new(2_001) };
        state.money.supplies.put(AssetId::Pop, supply);
    });
    assert_eq!(burned, InvariantViolation::Conservation { asset, have: 2_000, supply: None });
}

#[test]
fn holds_without_an_owner_are_found() {
    let (account, asset) = (address(BUYER), AssetId::Pop);
    let too_much = found(|state| set_balance(state, BUYER, 899, 101));
    assert_eq!(too_much, InvariantViolation::Holds { account, asset, held: 101, owned: 100 });
    let released = found(|state| {
        change_trade(state, |trade| {
            trade.state = TradeState::Released;
            trade.deadline = None;
        });
    });
    assert_eq!(released, InvariantViolation::Holds { account, asset, held: 100, owned: 0 });
    let unheld = found(|state| {
        change_trade(state, |trade| trade.buyer = address(9));
        set_balance(state, BUYER, 1_000, 0);
    });
    assert_eq!(unheld, InvariantViolation::Holds { account: address(9), asset, held: 0, owned: 100 });
}

#[test]
fn unsound_trades_are_found() {
    let trade = InvariantViolation::Trade(TRADE.into());
    assert_eq!(found(|state| change_trade(state, |trade| trade.deadline = None)), trade);
    assert_eq!(found(|state| change_trade(state, |trade| trade.fee = Amount::new(101))), trade);
    assert_eq!(found(|state| change_trade(state, |trade| trade.seller = trade.buyer)), trade);
    let other_deadline = found(|state| {
        change_trade(state, |trade| {
            trade.deadline = Some(TradeDeadline { kind: DeadlineKind::ShipBy, at: UnixMillis::new(7) });
            trade.remind_at = None;
        });
    });
    assert_eq!(other_deadline, InvariantViolation::Deadlines);
}

#[test]
fn unsound_disputes_and_reminders_are_found() {
    let trade = InvariantViolation::Trade(TRADE.into());
    assert_eq!(found(|state| change_trade(state, |trade| trade.state = TradeState::Disputed)), trade);
    assert_eq!(found(|state| change_trade(state, |trade| trade.state = TradeState::Returning)), trade);
    let late = found(|state| {
        change_trade(state, |trade| trade.remind_at = trade.deadline.map(|deadline| deadline.at));
    });
    assert_eq!(late, trade);
    let judge_of_their_own = found(|state| {
        change_trade(state, |trade| {
            let (opened_at, arbiter) = (UnixMillis::new(1), Some(trade.seller));
            let dispute = Dispute { opened_at, arbiter, from_buyer: 0, from_seller: 0, from_arbiter: 0 };
            trade.dispute = Some(dispute);
        });
    });
    assert_eq!(judge_of_their_own, trade);
}

/// The trade was released, in all tables.
fn release(state: &mut State) {
    let context = Context {
        now: UnixMillis::new(2),
        height: Height::new(2),
        parent: Digest::ZERO,
        chain_id: Digest::ZERO,
        tx: TxId::new(Digest::from_bytes([0x33; 32])),
        sender: address(BUYER),
        key: key(BUYER).public_key(),
    };
    state.execute(&context, &TradeOp::Confirm { trade: TRADE.into() }.into(), &mut Vec::new()).unwrap();
}

#[test]
fn payouts_that_do_not_fit_are_found() {
    let payout = InvariantViolation::Payout(TRADE.into());
    let early = |state: &mut State| {
        change_trade(state, |trade| {
            let (to_buyer, zero) = (trade.amount, Amount::ZERO);
            trade.payout = Some(Payout { to_buyer, to_seller: zero, fee: zero });
        });
    };
    assert_eq!(found(early), payout);
    let released: [fn(&mut Trade); 5] = [
        |trade| trade.payout = None,
        |trade| trade.payout = trade.payout.map(|payout| Payout { to_seller: Amount::new(98), ..payout }),
        |trade| {
            trade.payout = trade.payout.map(|payout| Payout {
                to_seller: Amount::new(100),
                fee: Amount::ZERO,
                ..payout
            });
        },
        |trade| trade.given_back = Amount::new(101),
        |trade| trade.state = TradeState::Refunded,
    ];
    for damage in released {
        let mut state = sound();
        release(&mut state);
        assert_eq!(check(&state, &tree_of(&state)), Ok(()));
        change_trade(&mut state, damage);
        assert_eq!(check(&state, &tree_of(&state)), Err(payout.clone()));
    }
}

#[test]
fn reviews_and_records_that_do_not_fit_are_found() {
    let review = |author: u8, subject: u8| Review {
        author: address(author),
        subject: address(subject),
        rating: Rating::new(3).unwrap(),
        text_hash: Digest::ZERO,
        posted_at: UnixMillis::new(2),
    };
    let found = |damage: &dyn Fn(&mut State)| {
        let mut state = sound();
        release(&mut state);
        damage(&mut state);
        check(&state, &tree_of(&state)).unwrap_err()
    };
    let trade: TradeId = TRADE.into();
    let put =
        |key: (TradeId, ReviewSide), row: Review| move |state: &mut State| state.reviews.rows.put(key, row);
    let swapped = found(&put((trade, ReviewSide::ByBuyer), review(SELLER, BUYER)));
    assert_eq!(swapped, InvariantViolation::Review(trade));
    let nowhere = TradeId::from(LISTING);
    let unknown = found(&put((nowhere, ReviewSide::ByBuyer), review(BUYER, SELLER)));
    assert_eq!(unknown, InvariantViolation::Review(nowhere));
    let uncounted = found(&put((trade, ReviewSide::ByBuyer), review(BUYER, SELLER)));
    assert_eq!(uncounted, InvariantViolation::Record(address(SELLER)));
    let invented = found(&|state| state.reviews.records.put(address(9), Record::default()));
    assert_eq!(invented, InvariantViolation::Record(address(9)));
}

#[test]
fn arbiters_and_admins_who_are_not_listed_are_found() {
    fn give(state: &mut State, role: Role) {
        let account = state.accounts.find(&address(SELLER)).unwrap().clone();
        state.accounts.rows.put(address(SELLER), Account { role, ..account });
    }
    // They are listed as an admin.
    let damages: [fn(&mut State); 2] =
        [|state| give(state, Role::Arbiter), |state| give(state, Role::Member)];
    for damage in damages {
        assert_eq!(found(damage), InvariantViolation::Roles);
    }
}

#[test]
fn listings_that_do_not_fit_are_found() {
    let listing = InvariantViolation::Listing(LISTING.into());
    assert_eq!(found(|state| change_listing(state, ListingStatus::Open)), listing);
    assert_eq!(found(|state| change_listing(state, ListingStatus::Sold { trade: TRADE.into() })), listing);
    let elsewhere =
        |state: &mut State| change_listing(state, ListingStatus::Reserved { trade: LISTING.into() });
    assert_eq!(found(elsewhere), listing);
    let id = LISTING.digest();
    let missing = found(|state| change_trade(state, |trade| trade.listing = TRADE.into()));
    assert!(matches!(missing, InvariantViolation::Listing(other) if other.digest() == id));
}

#[test]
fn two_accounts_of_one_name_are_found() {
    let names = found(|state| {
        let account = state.accounts.find(&address(SELLER)).unwrap().clone();
        state
            .accounts
            .rows
            .put(address(9), Account { name: "SELLER".parse().unwrap(), role: Role::Member, ..account });
    });
    assert_eq!(names, InvariantViolation::Names);
}

#[test]
fn keys_that_are_not_sound_are_found() {
    let unsound: [fn(&mut State); 3] = [
        |state| revoke(state, SELLER),
        |state| {
            let row = state.accounts.keys.find(&key(SELLER).public_key()).unwrap().clone();
            let other = AccountKey { account: address(BUYER), ..row };
            state.accounts.keys.rows.put(key(SELLER).public_key(), other);
        },
        |state| {
            let row = state.accounts.keys.find(&key(SELLER).public_key()).unwrap().clone();
            state.accounts.keys.rows.put(key(9).public_key(), row);
        },
    ];
    for damage in unsound {
        assert_eq!(found(damage), InvariantViolation::Keys);
    }
}

fn revoke(state: &mut State, byte: u8) {
    let public_key = key(byte).public_key();
    let row = state.accounts.keys.find(&public_key).unwrap().clone();
    let revoked = AccountKey { revoked_at: Some(UnixMillis::new(1)), ..row };
    state.accounts.keys.rows.put(public_key, revoked);
}

fn guard(state: &mut State, guardians: Vec<Address>, threshold: u8) {
    let (delay, since) = (Millis::days(1), UnixMillis::new(1));
    let row = Guardians { guardians, threshold, delay, generation: 1, since };
    state.accounts.guardians.put(address(SELLER), row);
}

fn recover(state: &mut State, agreed: Vec<Address>, status: RecoveryStatus) {
    let (account, public_key) = (address(SELLER), key(9).public_key());
    let proposed_at = UnixMillis::new(1);
    let agreed = agreed.into_iter().map(|guardian| Agreement { guardian, at: proposed_at }).collect();
    let row = Recovery { account, public_key, agreed, generation: 1, status, proposed_at };
    state.accounts.recoveries.rows.put(RECOVERY.into(), row);
}

#[test]
fn guardians_that_could_not_be_are_found() {
    let unsound: [fn(&mut State); 7] = [
        |state| guard(state, vec![address(SELLER)], 1),
        |state| guard(state, vec![address(9)], 1),
        |state| guard(state, vec![address(BUYER), address(BUYER)], 1),
        |state| guard(state, vec![address(BUYER)], 0),
        |state| guard(state, vec![address(BUYER)], 2),
        |state| {
            guard(state, vec![address(BUYER)], 1);
            recover(state, vec![address(BUYER), address(BUYER)], RecoveryStatus::Proposed);
        },
        |state| {
            let due = UnixMillis::new(9);
            guard(state, vec![address(BUYER)], 1);
            recover(state, Vec::new(), RecoveryStatus::Ready { due });
            state.deadlines.replace(ObjectId::Recovery(RECOVERY.into()), None, Some(due));
        },
    ];
    for damage in unsound {
        assert_eq!(found(damage), InvariantViolation::Guardians(address(SELLER)));
    }
}

/// A guardian would not see a recovery, and could ask for any number of them.
#[test]
fn guardians_and_recoveries_that_are_in_no_index_are_found() {
    let unseen: [fn(&mut State); 2] = [
        |state| {
            guard(state, vec![address(BUYER)], 1);
            let row = state.accounts.guardians.find(&address(SELLER)).unwrap().clone();
            let nobody = Guardians { guardians: Vec::new(), threshold: 0, ..row };
            state.accounts.guardians.rows.put(address(SELLER), nobody);
        },
        |state| {
            guard(state, vec![address(BUYER)], 1);
            recover(state, vec![address(BUYER)], RecoveryStatus::Proposed);
        },
    ];
    for damage in unseen {
        assert_eq!(found(damage), InvariantViolation::GuardianIndexes);
    }
}

#[test]
fn the_deadline_of_a_recovery_runs() {
    let without = found(|state| {
        guard(state, vec![address(BUYER)], 1);
        recover(state, vec![address(BUYER)], RecoveryStatus::Ready { due: UnixMillis::new(9) });
    });
    assert_eq!(without, InvariantViolation::Deadlines);
}

#[test]
fn what_a_withdrawal_holds_counts() {
    let withdraw = |state: &mut State, status: WithdrawalStatus| {
        let (owner, amount, requested_at) = (address(SELLER), Amount::new(30), UnixMillis::new(1));
        state.withdrawals.put(TRADE.into(), Withdrawal { owner, amount, status, requested_at });
    };
    let mut state = sound();
    withdraw(&mut state, WithdrawalStatus::Requested);
    set_balance(&mut state, SELLER, 970, 30);
    assert_eq!(check(&state, &tree_of(&state)), Ok(()));
    withdraw(&mut state, WithdrawalStatus::Voided { by: address(SELLER), at: UnixMillis::new(2) });
    let account = address(SELLER);
    let violation = check(&state, &tree_of(&state)).unwrap_err();
    assert_eq!(violation, InvariantViolation::Holds { account, asset: AssetId::Pop, held: 30, owned: 0 });
}

fn change_replica(state: &mut State, id: u16, change: fn(&mut Replica)) {
    let id = ReplicaId::new(id);
    let mut row = state.replicas.find(id).unwrap().clone();
    change(&mut row);
    state.replicas.rows.put(id.to_bytes(), row);
}

#[test]
fn replicas_with_something_in_common_are_found() {
    let unsound: [fn(&mut State); 5] = [
        |state| {
            for id in [0, 1] {
                change_replica(state, id, |row| row.status = ReplicaStatus::Left);
            }
        },
        |state| state.params.max_replicas = 1,
        |state| change_replica(state, 0, |row| row.address = replica(8).address),
        |state| change_replica(state, 0, |row| row.public_key = replica(8).public_key),
        |state| {
            let key = ReplicaKey { replica: ReplicaId::new(5), since: UnixMillis::new(0) };
            state.replicas.keys.put(replica(9).public_key, key);
        },
    ];
    for damage in unsound {
        assert_eq!(found(damage), InvariantViolation::Replicas);
    }
}

#[test]
fn a_tree_that_was_not_kept_up_to_date_is_found() {
    let mut state = sound();
    let tree = tree_of(&state);
    set_balance(&mut state, SELLER, 900, 0);
    set_balance(&mut state, BUYER, 1_000, 100);
    assert!(matches!(check(&state, &tree), Err(InvariantViolation::StateRoot { .. })));
}
