mod checks;
mod conformance;
mod transfer;

use pbft_core::Seq;
use pbft_core::message::{Operation, Request};
use pbft_core::service::{Admission, Outcome, Service, ServiceCheckpoint};
use pbft_core::{ClientId, RequestNumber};
use pbft_crypto::Digest;

use super::*;
use crate::testing::{START, address, batch, busy_market, genesis, key, replica, service, sign};

fn pay(amount: u64) -> ledger::PaymentOp {
    ledger::PaymentOp::Pay {
        to: address(&key(5)),
        asset: ledger::AssetId::Pop,
        amount: ledger::Amount::new(amount),
        reference: None,
        memo: ledger::Memo::new("").unwrap(),
    }
}

/// What an uninterrupted replica said of each batch, and its checkpoint after it.
fn history(
    seed: u64,
    batches: u64,
) -> (Vec<pbft_core::service::OrderedBatch>, Vec<(Executed, ServiceCheckpoint)>) {
    let folder = tempfile::tempdir().unwrap();
    let (_, batches) = busy_market(folder.path(), seed, batches);
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let said = batches.iter().map(|batch| (service.execute(batch), service.checkpoint())).collect();
    (batches, said)
}

#[test]
fn a_restart_at_any_point_changes_nothing() {
    let (batches, said) = history(1, 40);
    let kinds: Vec<_> = said.iter().flat_map(|(executed, _)| &executed.outcomes).collect();
    let applied = kinds.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count();
    assert!(
        applied > 50 && kinds.len() - applied > 5,
        "the batches do many things: {applied} of {}",
        kinds.len()
    );

    let folder = tempfile::tempdir().unwrap();
    for end in 1..=batches.len() {
        let mut service = service(folder.path());
        assert_eq!(service.applied(), Seq::new(end as u64 - 1));
        // The consensus goes back to some checkpoint and replays its log from there.
        let checkpoint = end - 1 - (end * 7) % end.min(11);
        service.restore(Seq::new(checkpoint as u64), None).unwrap();
        if checkpoint > 0 {
            assert_eq!(service.checkpoint(), said[checkpoint - 1].1);
        }
        for index in checkpoint..end {
            assert_eq!(service.execute(&batches[index]), said[index].0, "batch {}", index + 1);
            assert_eq!(service.checkpoint(), said[index].1, "after batch {}", index + 1);
        }
        assert_eq!(service.execute(&batches[end - 1]), said[end - 1].0, "asked again");
        service.view().read(|ledger| ledger.check_invariants().unwrap());
    }
}

#[test]
fn replicas_agree_and_a_refused_request_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let before = service.view().report();
    let good = request_of(&sign(&key(4), 0, pay(10)));
    let malformed = Request { operation: Operation::new(vec![0; 9]), ..good.clone() };
    let too_far = request_of(&sign(&key(4), 256, pay(10)));
    let executed = service.execute(&batch(1, 1, vec![malformed, too_far]));
    let refusals: Vec<_> = executed.outcomes.iter().map(|o| Verdict::from_outcome(o).unwrap()).collect();
    let expected = [Refusal::Malformed, Refusal::NonceTooFar { base: 0 }].map(Verdict::Refused);
    assert_eq!(refusals, expected);
    assert_eq!(service.view().report(), before);

    let executed = service.execute(&batch(2, 2, vec![good]));
    let Ok(Verdict::Recorded(result)) = Verdict::from_outcome(&executed.outcomes[0]) else {
        panic!("{executed:?}")
    };
    assert_eq!((result.height.value(), result.index, result.outcome), (1, 0, ledger::Outcome::Applied));
    assert!(executed.wake_at.is_none());
}

#[test]
fn a_checkpoint_that_the_store_does_not_reach_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let options = StoreOptions { kept_batches: 4, ..StoreOptions::default() };
    let mut service = LedgerService::open(folder.path(), &genesis(), &options).unwrap();
    for seq in 1..=10 {
        service.execute(&batch(seq, seq, Vec::new()));
    }
    for seq in 0..=12 {
        assert_eq!(service.restore(Seq::new(seq), None).is_ok(), (7..=10).contains(&seq), "batch {seq}");
    }
}

#[test]
fn a_service_that_failed_does_nothing_more_until_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let first = batch(1, 1, vec![request_of(&sign(&key(4), 0, pay(10)))]);
    let gap = Executed::default();
    assert_eq!(service.execute(&batch(3, 3, Vec::new())), gap);
    let why = service.view().failure();
    assert_eq!(why.as_deref(), Some("the ledger store is damaged: the work of a batch is missing"));

    let before = service.view().report();
    assert_eq!(service.execute(&first), gap);
    assert_eq!(service.checkpoint(), ServiceCheckpoint::durable(Digest::ZERO));
    assert_eq!((service.view().report(), service.view().failure()), (before, why));

    drop(service);
    let mut service = crate::testing::service(folder.path());
    assert_eq!(service.execute(&first).outcomes.len(), 1);
    assert_eq!(service.view().failure(), None);
}

#[test]
fn another_genesis_is_not_taken_for_this_one() {
    let folder = tempfile::tempdir().unwrap();
    drop(service(folder.path()));
    let mut other = genesis();
    other.time = ledger::UnixMillis::new(7);
    let opened = LedgerService::open(folder.path(), &other, &StoreOptions::default());
    assert!(matches!(opened.err(), Some(StoreError::OtherChain { .. })));
}

/// The members of the genesis whose keys have these numbers, and after them others.
fn set(members: &[(u16, u8)]) -> ReplicaSet {
    ReplicaSet::of(members.iter().map(|(id, number)| (ReplicaId::new(*id), key(*number).public_key())))
}

#[test]
fn the_ledger_names_a_set_of_replicas_as_the_consensus_does() {
    let set = set(&[(0, 101), (1, 102), (2, 103), (3, 104)]);
    assert_eq!(genesis().replica_set_hash(), set.digest());
    assert_eq!(Ledger::from_genesis(&genesis()).unwrap().replica_set_hash(), set.digest());
    // Ids past one byte.
    let members = [(7, 1), (256, 2), (300, 3)];
    let named = members.map(|(id, number)| (ledger::ReplicaId::new(id), key(number).public_key()));
    assert_eq!(ledger::replica_set_hash(named), self::set(&members).digest());
    assert_eq!(usize::from(ledger::MAX_REPLICAS), pbft_core::config::MAX_REPLICAS);
}

#[test]
fn the_state_asks_for_its_replicas_from_the_batch_on_that_changed_them() {
    use ledger::{ReplicaChangeId, ReplicaEdit, ReplicaOp};
    let edits = [
        ReplicaEdit::Add { replica: replica(105) },
        ReplicaEdit::Move { id: ledger::ReplicaId::new(4), address: "elsewhere:1".parse().unwrap() },
        ReplicaEdit::Rotate { id: ledger::ReplicaId::new(1), public_key: key(106).public_key() },
        ReplicaEdit::Replace { remove: vec![ledger::ReplicaId::new(0)], add: vec![replica(107)] },
    ];
    let first = set(&[(0, 101), (1, 102), (2, 103), (3, 104), (4, 105)]);
    let second = set(&[(0, 101), (1, 106), (2, 103), (3, 104), (4, 105)]);
    let third = set(&[(1, 106), (2, 103), (3, 104), (4, 105), (5, 107)]);
    let wanted = [Some(&first), Some(&first), Some(&second), Some(&third)];
    let deciders = Digest::from_bytes([7; 32]);

    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let (mut batches, mut said, mut before) = (Vec::new(), Vec::new(), None);
    for (nonce, (edit, after)) in edits.into_iter().zip(wanted).enumerate() {
        let nonce = nonce as u64;
        let propose = sign(&key(1), nonce, ReplicaOp::Propose { edit });
        let approve =
            sign(&key(2), nonce, ReplicaOp::Approve { change: ReplicaChangeId::from(propose.id()) });
        for (transactions, expected) in [(vec![propose], before), (vec![approve], after), (Vec::new(), after)]
        {
            let seq = batches.len() as u64 + 1;
            let requests = transactions.iter().map(request_of).collect();
            let batch = OrderedBatch { replicas: deciders, ..batch(seq, seq, requests) };
            let executed = service.execute(&batch);
            assert_eq!(executed.replicas.as_deref(), expected, "batch {seq}");
            assert!(executed.outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))));
            batches.push(batch);
            said.push(executed);
        }
        before = after;
    }
    service.view().read(|ledger| {
        assert_eq!(ledger.replica_set_hash(), third.digest());
        assert_eq!(ledger.tip().replica_set_hash, deciders, "who decided, not who is asked for");
    });
    drop(service);

    let mut service = crate::testing::service(folder.path());
    service.restore(Seq::ZERO, None).unwrap();
    for (batch, said) in batches.iter().zip(said) {
        assert_eq!(service.execute(batch), said, "replayed batch {} asks for those of its time", batch.seq);
    }
}

#[test]
fn only_signed_transactions_of_the_sender_enter() {
    let admission = LedgerAdmission::new(genesis().chain_id());
    let transaction = sign(&key(4), 7, pay(10));
    let good = request_of(&transaction);
    let altered = |at: usize| {
        let mut bytes = good.operation.as_bytes().to_vec();
        bytes[at] ^= 1;
        Request { operation: Operation::new(bytes), ..good.clone() }
    };
    let longer = [good.operation.as_bytes(), &[0]].concat();
    let impostor = ledger::Transaction::new(transaction.body().clone(), *sign(&key(5), 7, pay(10)).auth());
    let cases = [
        (good.clone(), None),
        (good.clone(), None),
        (Request { number: RequestNumber::new(8), ..good.clone() }, Some(Refusal::Malformed)),
        (Request { client: ClientId::from_bytes([1; 32]), ..good.clone() }, Some(Refusal::Malformed)),
        (Request { operation: Operation::new(longer), ..good.clone() }, Some(Refusal::Malformed)),
        (Request { operation: Operation::new(vec![]), ..good.clone() }, Some(Refusal::Malformed)),
        (altered(0), Some(Refusal::WrongChain)),
        (request_of(&impostor), Some(Refusal::BadSignature)),
        // Behind the signature's r and s comes the hint, which does not count.
        (altered(good.operation.len() - 10), Some(Refusal::BadSignature)),
        (good.clone(), None),
    ];
    let (requests, expected): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let verdicts = admission.admit(&requests).into_iter().map(|verdict| {
        verdict.err().map(|bytes| match Verdict::from_outcome(&Outcome::Refused(bytes)) {
            Ok(Verdict::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        })
    });
    assert_eq!(verdicts.collect::<Vec<_>>(), expected);
    let elsewhere = LedgerAdmission::new(Digest::ZERO);
    assert!(elsewhere.admit(&[good])[0].is_err());
}

#[test]
fn readers_who_see_a_height_find_its_block() {
    let folder = tempfile::tempdir().unwrap();
    let (service, _) = busy_market(folder.path(), 3, 30);
    let view = service.view();
    let height = view.read(Ledger::height);
    assert_eq!(*view.height().borrow(), height);
    assert!(height.value() > 10);
    let report = Report::decode(&view.report()).unwrap();
    let blocks = view.store().blocks_from(ledger::Height::GENESIS, usize::MAX, usize::MAX).unwrap();
    assert_eq!(blocks.len() as u64, height.value() + 1);
    assert_eq!(blocks.last().unwrap().block.hash(), report.state.tip_hash);
    for stored in &blocks {
        let block = &stored.block;
        assert!(block.roots_match());
        assert_eq!(view.store().block(block.header.height).unwrap().as_ref(), Some(block));
        for (index, transaction) in block.transactions.iter().enumerate() {
            let place = view.store().place_of(&transaction.id()).unwrap().unwrap();
            assert_eq!((place.height, place.index as usize), (block.header.height, index));
        }
    }
}

#[test]
fn questions_are_answered_from_the_last_state_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let holdings = |service: &mut LedgerService, who: u8| {
        let query = LedgerQuery::Holdings { account: address(&key(who)), after: None }.encode();
        Holdings::decode(&service.query(&query).unwrap()).unwrap()
    };
    let before = holdings(&mut service, 5);
    let payment = sign(&key(4), 0, pay(250));
    let place = LedgerQuery::Place(payment.id()).encode();
    assert_eq!(service.query(&place), Some(outcome::encode(&None::<crate::store::TxPlace>)));
    service.execute(&batch(1, START + 1, vec![request_of(&payment)]));
    let root = |service: &LedgerService| service.view().read(|ledger| ledger.tip().state_root);
    let state = root(&service);
    let after = holdings(&mut service, 5);
    let coins = |holdings: &Holdings| holdings.coin.available.value();
    assert_eq!((coins(&after), after.height.value()), (coins(&before) + 250, 1));
    assert_eq!(holdings(&mut service, 4).next_nonce, 1);
    let found: Option<crate::store::TxPlace> = postcard::from_bytes(&service.query(&place).unwrap()).unwrap();
    assert_eq!(found.map(|place| (place.height.value(), place.index)), Some((1, 0)));
    assert_eq!(service.query(b"\xff\xff"), None);
    assert_eq!(root(&service), state);
}

/// However few tokens are looked at for an answer, and however many of them came to nothing.
#[test]
fn holdings_have_parts_of_which_each_leads_to_the_next() {
    use ledger::{Decimals, TokenId, TokenName, TokenOp};
    let folder = tempfile::tempdir().unwrap();
    let mut service = service(folder.path());
    let (mut nonces, me) = (0.., address(&key(4)));
    let mut act = |operation: TokenOp| {
        let nonce: u64 = nonces.next().unwrap();
        let request = request_of(&sign(&key(4), nonce, operation));
        let executed = service.execute(&batch(nonce + 1, START + nonce, vec![request]));
        assert!(matches!(executed.outcomes[..], [Outcome::Applied(_)]), "{executed:?}");
    };
    let symbols = ["AAA", "BBB", "CCC", "DDD", "EEE", "FFFF", "GGGG"].map(|text| TokenId::new(text).unwrap());
    let left = [symbols[0], symbols[4], symbols[5]];
    for token in symbols {
        let (name, amount) = (TokenName::new("Dust").unwrap(), ledger::Amount::new(1));
        act(TokenOp::Create { token, name, decimals: Decimals::NONE, cap: None });
        act(TokenOp::Mint { token, to: me, amount });
        if !left.contains(&token) {
            act(TokenOp::Burn { token, amount });
        }
    }
    for (most, most_seen) in [(1, 1), (1, 2), (2, 3), (1, 100), (100, 2), (3, 100), (100, 100)] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let part = service.view().read(|ledger| Holdings::of(ledger, &me, after, (most, most_seen)));
            assert!(part.tokens.len() <= most && part.next.is_none_or(|next| Some(next) > after), "{part:?}");
            found.extend(part.tokens.iter().map(|(token, _)| *token));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, left, "{most}, {most_seen}");
    }
}
