use ledger::{EventKind, ListingEvent, ListingOp, ListingRejection, ListingStatus, MAX_VERSIONS, TradeOp};

use crate::world::{World, address, amount, content, unknown};

#[test]
fn each_update_is_a_new_version() {
    let mut world = World::new();
    let listing = world.list("sam", 100);
    let first = *world.ledger.listing(&listing).unwrap();
    assert_eq!((first.version, first.price, first.status), (1, amount(100), ListingStatus::Open));
    assert_eq!(first.content_hash, content(100).hash());

    let updated = world.ok("sam", ListingOp::Update { listing, from_version: 1, content: content(80) });
    let second = *world.ledger.listing(&listing).unwrap();
    assert_eq!((second.version, second.price, second.created_at), (2, amount(80), first.created_at));
    assert_ne!(second.content_hash, first.content_hash);
    let event = ListingEvent::Updated {
        listing,
        seller: address("sam"),
        version: 2,
        content: content(80),
        content_hash: content(80).hash(),
        old_price: amount(100),
        at: world.now,
    };
    assert_eq!(updated.events, [EventKind::Listing(event)]);

    let lost = ListingOp::Update { listing, from_version: 1, content: content(70) };
    assert_eq!(world.rejected("sam", lost), ListingRejection::StaleVersion { current: 2 }.into());
    let early = ListingOp::Update { listing, from_version: 3, content: content(70) };
    assert_eq!(world.rejected("sam", early), ListingRejection::StaleVersion { current: 2 }.into());

    let stale = TradeOp::Open { listing, version: 1, content_hash: first.content_hash };
    assert_eq!(world.rejected("bea", stale), ListingRejection::StaleVersion { current: 2 }.into());
    let other = TradeOp::Open { listing, version: 2, content_hash: first.content_hash };
    assert_eq!(world.rejected("bea", other), ListingRejection::ContentMismatch.into());
    world.buy("bea", listing);
}

#[test]
fn only_the_seller_changes_it_and_only_while_it_is_open() {
    let mut world = World::new();
    let listing = world.list("sam", 100);
    let update = |price| ListingOp::Update { listing, from_version: 1, content: content(price) };
    for who in ["bea", "ann"] {
        assert_eq!(world.rejected(who, update(1)), ListingRejection::NotOwner.into());
        assert_eq!(world.rejected(who, ListingOp::Close { listing }), ListingRejection::NotOwner.into());
    }
    let trade = world.buy("bea", listing);
    for (step, status) in [
        (None, ListingStatus::Reserved { trade }),
        (Some(TradeOp::Confirm { trade }), ListingStatus::Sold { trade }),
    ] {
        if let Some(step) = step {
            world.ok("bea", step);
        }
        assert_eq!(world.rejected("sam", update(1)), ListingRejection::NotOpen { status }.into());
        let close = ListingOp::Close { listing };
        assert_eq!(world.rejected("sam", close), ListingRejection::NotOpen { status }.into());
        let buying = world.buying(listing);
        assert_eq!(world.rejected("eve", buying), ListingRejection::NotOpen { status }.into());
    }
}

#[test]
fn a_closed_listing_stays_closed() {
    let mut world = World::new();
    let listing = world.list("sam", 100);
    let closed = world.ok("sam", ListingOp::Close { listing });
    assert!(matches!(
        closed.events.as_slice(),
        [EventKind::Listing(ListingEvent::StatusChanged {
            from: ListingStatus::Open,
            to: ListingStatus::Closed,
            ..
        })]
    ));
    let gone = ListingRejection::NotOpen { status: ListingStatus::Closed };
    let buying = world.buying(listing);
    assert_eq!(world.rejected("bea", buying), gone.into());
    assert_eq!(world.rejected("sam", ListingOp::Close { listing }), gone.into());
}

#[test]
fn listings_have_a_price_and_exist() {
    let mut world = World::new();
    let listing = world.list("sam", 100);
    let free = content(0);
    assert_eq!(
        world.rejected("sam", ListingOp::Create { content: free.clone() }),
        ListingRejection::ZeroPrice.into()
    );
    let update = ListingOp::Update { listing, from_version: 1, content: free };
    assert_eq!(world.rejected("sam", update), ListingRejection::ZeroPrice.into());
    for op in [
        ListingOp::Update { listing: unknown(), from_version: 1, content: content(1) },
        ListingOp::Close { listing: unknown() },
    ] {
        assert_eq!(world.rejected("sam", op), ListingRejection::UnknownListing.into());
    }
    let buying = TradeOp::Open { listing: unknown(), version: 1, content_hash: content(1).hash() };
    assert_eq!(world.rejected("bea", buying), ListingRejection::UnknownListing.into());
}

#[test]
fn there_is_an_end_to_versions() {
    let mut world = World::new();
    let listing = world.list("sam", 100);
    let update = |from_version| ListingOp::Update { listing, from_version, content: content(99) };
    for version in 1..MAX_VERSIONS {
        world.ok("sam", update(version));
    }
    let update = update(MAX_VERSIONS);
    assert_eq!(world.rejected("sam", update), ListingRejection::VersionLimit.into());
    world.buy("bea", listing);
}
