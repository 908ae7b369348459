use ledger::{
    AccountOp, AssetId, Auth, Body, ChargeId, ChargeOp, DecodeError, Description, ListingContent, ListingId,
    ListingOp, MAX_TRANSACTION_BYTES, Memo, Name, Operation, PaymentOp, Photos, Reason, Reference, Refusal,
    Title, Tracking, TradeId, TradeOp, Transaction, UnixMillis,
};
use pbft_crypto::{Address, Digest, Signature};
use proptest::prelude::*;

use crate::world::{World, address, amount, content, key, unknown};

fn digests() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from_bytes)
}

fn texts<T, E: std::fmt::Debug>(pattern: &'static str) -> impl Strategy<Value = T>
where
    T: std::str::FromStr<Err = E> + std::fmt::Debug,
{
    any::<prop::sample::Index>().prop_map(move |n| pattern.repeat(1 + n.index(5)).parse().unwrap())
}

pub(crate) fn operations() -> impl Strategy<Value = Operation> {
    let charge = || digests().prop_map(ChargeId::new);
    let listing = || digests().prop_map(ListingId::new);
    let trade = || digests().prop_map(TradeId::new);
    let contents = (texts("자전거!"), texts("a\nb"), any::<u64>(), prop::collection::vec(digests(), 0..=16))
        .prop_map(|(title, description, price, photos)| ListingContent {
            title,
            description,
            price: amount(price),
            photos: Photos::try_from(photos).unwrap(),
        })
        .boxed();
    let pay = (any::<[u8; 32]>(), any::<u64>(), prop::option::of(texts("INV-7")), texts("a memo")).prop_map(
        |(to, units, reference, memo)| {
            let (to, asset) = (Address::from_bytes(to), AssetId::Pop);
            PaymentOp::Pay { to, asset, amount: amount(units), reference, memo }.into()
        },
    );
    prop_oneof![
        texts("kim").prop_map(|name: Name| AccountOp::Register { name }.into()),
        (any::<u64>(), texts("m")).prop_map(|(n, memo)| ChargeOp::Request { amount: amount(n), memo }.into()),
        charge().prop_map(|charge| ChargeOp::Approve { charge }.into()),
        (charge(), texts("no")).prop_map(|(charge, reason)| ChargeOp::Reject { charge, reason }.into()),
        pay,
        contents.clone().prop_map(|content| ListingOp::Create { content }.into()),
        (listing(), any::<u32>(), contents).prop_map(|(listing, from_version, content)| {
            ListingOp::Update { listing, from_version, content }.into()
        }),
        listing().prop_map(|listing| ListingOp::Close { listing }.into()),
        (listing(), any::<u32>(), digests()).prop_map(|(listing, version, content_hash)| {
            TradeOp::Open { listing, version, content_hash }.into()
        }),
        trade().prop_map(|trade| TradeOp::Accept { trade }.into()),
        (trade(), texts("CJ 1")).prop_map(|(trade, tracking)| TradeOp::Ship { trade, tracking }.into()),
        trade().prop_map(|trade| TradeOp::Confirm { trade }.into()),
        trade().prop_map(|trade| TradeOp::Cancel { trade }.into()),
    ]
}

fn transactions() -> impl Strategy<Value = Transaction> {
    let body = (digests(), operations(), any::<[u8; 32]>(), any::<u64>(), any::<u64>(), any::<[u8; 16]>());
    let auth = (any::<[u8; 32]>(), any::<bool>(), any::<[u8; 32]>(), any::<[u8; 32]>(), any::<bool>());
    (body, auth).prop_map(|((chain_id, operation, sender, nonce, until, client_ref), auth)| {
        let body = Body {
            chain_id,
            operation,
            sender: Address::from_bytes(sender),
            nonce,
            valid_until: UnixMillis::new(until),
            client_ref,
        };
        let (x, odd, r, s, hint) = auth;
        let mut public_key = [2 + u8::from(odd); 33];
        public_key[1..].copy_from_slice(&x);
        let public_key = postcard::from_bytes(&public_key).unwrap();
        let signature = Signature::from_r_and_s(&r, &s).with_hint(hint);
        Transaction::new(body, Auth::P256 { public_key, signature })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(tx in transactions()) {
        let bytes = tx.encode();
        prop_assert!(bytes.len() <= MAX_TRANSACTION_BYTES);
        let read = Transaction::decode(&bytes).unwrap();
        prop_assert_eq!(read.id(), read.body().tx_id());
        prop_assert_eq!(&read, &tx);
        prop_assert!(bytes.starts_with(&tx.body().encode()));
        prop_assert_eq!(&Body::decode(&tx.body().encode()).unwrap(), tx.body());
        prop_assert_eq!(pbft_crypto::sha256(&tx.body().preimage()), *tx.id().digest());
        let json = serde_json::to_string(&tx).unwrap();
        prop_assert_eq!(serde_json::from_str::<Transaction>(&json).unwrap(), tx);
    }

    #[test]
    fn what_is_read_is_written_the_same(tx in transactions(), at: prop::sample::Index, byte: u8) {
        let mut bytes = tx.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Transaction::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
            prop_assert_eq!(read.id(), read.body().tx_id());
            // What is not in the proof is in the id.
            prop_assert!(read.body() == tx.body() || read.id() != tx.id());
        }
    }

    #[test]
    fn cut_and_extended_bytes_are_refused(tx in transactions(), at: prop::sample::Index, tail in 1usize..9) {
        let bytes = tx.encode();
        prop_assert!(Transaction::decode(&bytes[..at.index(bytes.len())]).is_err());
        let mut longer = bytes;
        longer.resize(longer.len() + tail, 0);
        prop_assert_eq!(Transaction::decode(&longer), Err(DecodeError::TrailingBytes(tail)));
    }

    #[test]
    fn any_bytes_at_all_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(read) = Transaction::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}

#[test]
fn a_number_has_one_spelling() {
    let world = World::new();
    let tx = Transaction::sign(world.body("bea", ListingOp::Close { listing: unknown() }, 5), &key("bea"));
    let bytes = tx.encode();
    // 32 bytes of chain id, 2 of operation, 32 of listing, 32 of sender: then the nonce.
    let at = 98;
    assert_eq!(bytes[at], 5);
    let mut longer = bytes.clone();
    longer.splice(at..=at, [0x85, 0x00]);
    assert_eq!(Transaction::decode(&longer), Err(DecodeError::NotCanonical));
    assert_eq!(Refusal::from(DecodeError::NotCanonical), Refusal::Malformed);
}

#[test]
fn the_largest_transaction_fits_and_nothing_larger_is_read() {
    let world = World::new();
    let largest = ListingContent {
        title: Title::new("📷".repeat(Title::MAX_CHARS)).unwrap(),
        description: Description::new("📷".repeat(Description::MAX_CHARS)).unwrap(),
        price: amount(u64::MAX),
        photos: Photos::try_from(vec![Digest::ZERO; 16]).unwrap(),
    };
    let update = ListingOp::Update { listing: unknown(), from_version: u32::MAX, content: largest };
    let body = world.body("bea", update, u64::MAX);
    let tx = Transaction::sign(body, &key("bea"));
    assert_eq!(Transaction::decode(&tx.encode()).unwrap(), tx);
    assert!(tx.encode().len() <= MAX_TRANSACTION_BYTES);
    let size = MAX_TRANSACTION_BYTES + 1;
    let too_large = DecodeError::TooLarge { size, max: MAX_TRANSACTION_BYTES };
    assert_eq!(Transaction::decode(&vec![0; size]), Err(too_large));
    assert!(Photos::try_from(vec![Digest::ZERO; 17]).is_err());
}

#[test]
fn texts_that_are_not_allowed_are_malformed() {
    let world = World::new();
    let listing = ListingOp::Create { content: content(1) };
    let bytes = Transaction::sign(world.body("bea", listing, 0), &key("bea")).encode();
    let full_stop = bytes.windows(2).position(|two| two == b".\n").unwrap();
    let mut changed = bytes;
    changed[full_stop + 1] = 7;
    assert!(matches!(Transaction::decode(&changed), Err(DecodeError::Unreadable(_))));
}

#[test]
fn a_signature_holds_for_one_body_key_and_chain() {
    let world = World::new();
    let body = world.body("bea", TradeOp::Confirm { trade: unknown() }, 0);
    let tx = Transaction::sign(body.clone(), &key("bea"));
    assert_eq!(tx.verify_signature(), Ok(()));
    assert_eq!(tx.check_stateless(world.ledger.chain_id()), Ok(()));
    assert_eq!(tx.check_stateless(&Digest::ZERO), Err(Refusal::WrongChain));
    let changes: [fn(&mut Body); 6] = [
        |body| body.chain_id = Digest::ZERO,
        |body| body.operation = TradeOp::Cancel { trade: unknown() }.into(),
        |body| body.sender = address("eve"),
        |body| body.nonce += 1,
        |body| body.valid_until = UnixMillis::new(1),
        |body| body.client_ref[15] = 1,
    ];
    for change in changes {
        let mut other = body.clone();
        change(&mut other);
        let moved = Transaction::new(other, *tx.auth());
        assert_ne!(moved.id(), tx.id());
        assert_eq!(moved.verify_signature(), Err(Refusal::BadSignature));
    }
    let (public_key, signature) = (key("eve").public_key(), *tx.signature());
    let stolen = Transaction::new(body.clone(), Auth::P256 { public_key, signature });
    assert_eq!((stolen.id(), stolen.verify_signature()), (tx.id(), Err(Refusal::BadSignature)));
}

#[test]
fn a_high_s_is_told_apart_and_the_hint_is_only_a_hint() {
    let world = World::new();
    let body = world.body("bea", TradeOp::Confirm { trade: unknown() }, 0);
    let tx = Transaction::sign(body.clone(), &key("bea"));
    let public_key = *tx.public_key();
    let with = |signature| Transaction::new(body.clone(), Auth::P256 { public_key, signature });
    let high = Signature::from_r_and_s(tx.signature().r(), &[0xf0; 32]);
    assert_eq!(with(high).verify_signature(), Err(Refusal::HighS));
    let other_hint = with(tx.signature().with_hint(!tx.signature().hint()));
    assert_eq!(other_hint.verify_signature(), Ok(()));
    assert_eq!(other_hint.id(), tx.id());
    assert_ne!(other_hint.encode(), tx.encode());
}

#[test]
fn the_kinds_of_text_know_their_limits() {
    assert_eq!((Name::MAX_CHARS, Reference::MAX_CHARS, Memo::MAX_CHARS), (32, 64, 256));
    assert_eq!((Reason::MAX_CHARS, Tracking::MAX_CHARS), (200, 200));
    assert!(Memo::new("x".repeat(256)).is_ok() && Memo::new("x".repeat(257)).is_err());
}
