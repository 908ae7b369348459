//! How someone becomes a member.

use ledger::{AccountOp, Body, Name, Outcome, Refusal, Transaction};

use super::*;
use crate::accounts_db::{AccountsError, KeyKeeping, Member, Password};

fn password() -> Password {
    Password::new("correct horse".into()).unwrap()
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[tokio::test]
async fn a_member_has_a_login_and_an_account_or_neither() {
    let world = World::new().await;
    let (member, recorded) = world.gateway.enrol_custodial(name("dave"), &password(), LONG).await.unwrap();
    let account = world.model.account(&member.address).await.unwrap().unwrap();
    assert_eq!((account.name, member.keeping), (name("dave"), KeyKeeping::Custodial));
    assert_eq!(recorded.outcome, Outcome::Applied);
    world.accounts.sign_in(&name("dave"), &password(), LONG).await.unwrap();
    for taken in ["DAVE", "alice"] {
        let refused = world.gateway.enrol_custodial(name(taken), &password(), LONG).await.err().unwrap();
        assert!(matches!(refused, EnrolError::Accounts(AccountsError::NameTaken)), "{taken}");
    }
    assert!(world.accounts.member_by_name(&name("alice")).await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_who_want_a_name_at_once_one_gets_login_and_account() {
    let world = World::new().await;
    // One comes over this server, the other one over another server.
    world.trouble(&[Trouble::Lost]);
    let password = password();
    let here = world.gateway.enrol_custodial(name("dave"), &password, LONG);
    let elsewhere = async {
        let registration = sign(&key(9), 0, AccountOp::Register { name: name("dave") });
        world.road.local.submit(crate::service::request_of(&registration)).await.unwrap()
    };
    let (here, _) = tokio::join!(here, elsewhere);
    let owner = world.gateway.view().read(|ledger| ledger.account_by_name(&name("dave")).unwrap().0);
    let login = world.accounts.member_by_name(&name("dave")).await.unwrap();
    match here {
        Ok((member, _)) => assert_eq!((owner, login), (member.address, Some(member))),
        Err(
            EnrolError::Gateway(GatewayError::Rejected { .. })
            | EnrolError::Accounts(AccountsError::NameTaken),
        ) => {
            assert_eq!((owner, login), (address(&key(9)), None));
        }
        Err(other) => panic!("{other:?}"),
    }
}

/// A registration that is bound to a proof.
fn registration(number: u8, text: &str, proof: &Proof) -> Transaction {
    let unbound = sign(&key(number), 0, AccountOp::Register { name: name(text) });
    Transaction::sign(Body { client_ref: proof.client_ref(), ..unbound.body().clone() }, &key(number))
}

const PROOF: Proof = Proof::from_bytes([1; 32]);

#[tokio::test]
async fn a_member_may_keep_the_key() {
    let world = World::new().await;
    let enrol =
        async |registration| world.gateway.enrol_self_custody(registration, &PROOF, &password(), LONG).await;
    let registration = registration(9, "erin", &PROOF);
    let forged = {
        let body = Body { nonce: 1, ..registration.body().clone() };
        Transaction::new(body, *registration.auth())
    };
    let refused = enrol(forged).await.err().unwrap();
    assert!(matches!(refused, EnrolError::Gateway(GatewayError::Refused(Refusal::BadSignature))));
    let refused = enrol(sign(&key(4), 0, pay(1))).await.err().unwrap();
    assert!(matches!(refused, EnrolError::NotARegistration));
    let (member, _) = enrol(registration).await.unwrap();
    assert_eq!((member.address, member.keeping), (address(&key(9)), KeyKeeping::SelfCustody));
    world.accounts.sign_in(&name("erin"), &password(), LONG).await.unwrap();
}

/// Mistake: whoever reads a registration on the chain posts it with a password, and is the member from then on.
#[tokio::test]
async fn a_registration_on_the_chain_signs_nobody_in_but_its_signer() {
    let world = World::new().await;
    let registration = registration(9, "erin", &PROOF);
    world.gateway.submit_signed(registration.clone()).await.unwrap().recorded(LONG).await.unwrap();
    let stolen = Password::new("stolen horse".into()).unwrap();
    for proof in [Proof::from_bytes([0; 32]), Proof::from_bytes([2; 32])] {
        let copy = registration.clone();
        let refused = world.gateway.enrol_self_custody(copy, &proof, &stolen, LONG).await.err().unwrap();
        assert!(matches!(refused, EnrolError::NotProven), "{refused:?}");
    }
    assert!(world.accounts.member_by_name(&name("erin")).await.unwrap().is_none());
    let (member, _) =
        world.gateway.enrol_self_custody(registration, &PROOF, &password(), LONG).await.unwrap();
    assert_eq!((member.address, world.on_chain().len()), (address(&key(9)), 1));
}

/// As a process leaves it that was killed after it wrote the login down.
async fn half_enrolled(world: &World, text: &str) -> Member {
    let address = Address::from_public_key(&world.gateway.create_key().await.unwrap());
    let member = Member { name: name(text), address, keeping: KeyKeeping::Custodial };
    world.accounts.enrol(member.clone(), &password()).await.unwrap();
    member
}

/// Mistake: a kill between login and account loses the name for ever.
#[tokio::test]
async fn an_interrupted_enrolment_goes_on_when_it_is_asked_for_again() {
    let world = World::new().await;
    let member = half_enrolled(&world, "dave").await;
    let other = Password::new("another horse".into()).unwrap();
    let refused = world.gateway.enrol_custodial(name("dave"), &other, LONG).await.err().unwrap();
    assert!(matches!(refused, EnrolError::Accounts(AccountsError::NameTaken)));
    assert!(world.on_chain().is_empty());
    let (enrolled, _) = world.gateway.enrol_custodial(name("DAVE"), &password(), LONG).await.unwrap();
    assert_eq!(enrolled, member);
    assert!(!world.accounts.is_unfinished(&member.address).await.unwrap());
    let refused = world.gateway.enrol_custodial(name("dave"), &password(), LONG).await.err().unwrap();
    assert!(matches!(refused, EnrolError::Accounts(AccountsError::NameTaken)), "it is finished now");
}

#[tokio::test]
async fn interrupted_enrolments_are_finished_or_removed() {
    let world = World::new().await;
    let dave = half_enrolled(&world, "dave").await;
    let late = half_enrolled(&world, "alice").await;
    // One whose registration was written down, and one whose was lost: there is nothing to go on with.
    let proof = PROOF.client_ref();
    let own = registration(9, "erin", &PROOF);
    assert!(world.accounts.put_outgoing(&own).await.unwrap() && own.body().client_ref == proof);
    for (number, text) in [(9, "erin"), (10, "frank")] {
        let address = address(&key(number));
        let member = Member { name: name(text), address, keeping: KeyKeeping::SelfCustody };
        world.accounts.enrol(member, &password()).await.unwrap();
    }
    world.gateway.finish_enrolments().await.unwrap();
    let owner =
        |text: &str| world.gateway.view().read(|ledger| ledger.account_by_name(&name(text)).map(|a| a.0));
    assert_eq!((owner("dave"), owner("erin")), (Some(dave.address), Some(address(&key(9)))));
    let left = async |text: &str| world.accounts.member_by_name(&name(text)).await.unwrap().is_some();
    assert!(left("dave").await && left("erin").await);
    assert!(!left("frank").await && !left("alice").await, "{late:?}");
    assert!(world.accounts.unfinished(10).await.unwrap().is_empty());
    world.gateway.finish_enrolments().await.unwrap();
    assert_eq!(world.on_chain().len(), 3, "of which alice's failed");
}

#[tokio::test]
async fn who_was_not_answered_asks_again_and_has_one_account() {
    let world = World::with(|options| options.patience = Duration::from_millis(200)).await;
    world.trouble(&[Trouble::Lost; 1_000]);
    let unknown = world.gateway.enrol_custodial(name("dave"), &password(), LONG).await.err().unwrap();
    assert!(matches!(unknown, EnrolError::Gateway(GatewayError::TimedOut { .. })), "{unknown:?}");
    world.road.troubles.lock().unwrap().clear();
    world.gateway.enrol_custodial(name("dave"), &password(), LONG).await.unwrap();
    assert_eq!(world.on_chain().len(), 1);
}

/// Rule: a chain never forgets an account, so waiting does not help when it is full.
#[tokio::test]
async fn a_full_chain_says_so_at_once_and_leaves_no_login() {
    let world = World::new().await;
    world.trouble(&[Trouble::Full]);
    let refused = world.gateway.enrol_custodial(name("dave"), &password(), LONG).await.err().unwrap();
    let EnrolError::Gateway(error @ GatewayError::Full) = refused else { panic!("{refused:?}") };
    assert!(error.code() == "CHAIN_FULL" && !error.is_retryable());
    assert_eq!(world.road.sent.load(Ordering::Relaxed), 1);
    assert!(world.accounts.member_by_name(&name("dave")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_wallet_is_made_first_and_becomes_an_account_once() {
    let world = World::new().await;
    let wallet = Address::from_public_key(&world.gateway.create_key().await.unwrap());
    let enrol = async |text, wallet| world.gateway.enrol_wallet(name(text), wallet, &password(), LONG).await;
    let unknown = enrol("dave", address(&key(99))).await.err().unwrap();
    assert!(matches!(unknown, EnrolError::UnknownWallet), "{unknown:?}");
    assert_eq!(enrol("dave", wallet).await.unwrap().0.address, wallet);
    for taken in [wallet, alice()] {
        let taken = enrol("erin", taken).await.err().unwrap();
        assert!(matches!(taken, EnrolError::Accounts(AccountsError::AccountTaken)), "{taken:?}");
    }
}
