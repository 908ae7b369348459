//! Trades that do not go well, as browsers use them; and reviews.

use serde_json::json;

use super::pages::Browser;
use super::world::{ALICE, BOB, JUDGES, World, account};

/// Alice has shipped what bob bought: the path of the trade's page.
async fn shipped(world: &World) -> String {
    let (seller, buyer) = (world.client(ALICE).await, world.client(BOB).await);
    let listing = seller.lists("Film camera", 12_000).await;
    let trade = buyer.buys(&listing).await;
    seller.moves(&trade, "ship", &json!({"tracking": "CJ 1234"})).await;
    format!("/trades/{trade}")
}

/// The page without its scripts and styles: what is said there.
async fn english(browser: &Browser<'_>, path: &str) -> String {
    browser.page(&format!("{path}?lang=en")).await
}

#[tokio::test]
async fn a_dispute_goes_from_form_to_form() {
    let world = World::new().await;
    let (buyer, seller) = (Browser::of(&world, BOB).await, Browser::of(&world, ALICE).await);
    let path = shipped(&world).await;
    let page = english(&buyer, &path).await;
    // One thing to do next; the rest is there for who looks for it.
    assert_eq!(page.matches("class=\"primary\"").count(), 1);
    assert!(page.contains("Who can do what") && page.contains("Something is wrong"), "{page}");
    let empty = buyer.press_once(&page, "/dispute", &[("reason", " ")]).await;
    assert_eq!(empty.status, 422);
    buyer.press(&page, "/dispute", &[("reason", "the lens is broken")]).await;
    let page = english(&seller, &path).await;
    assert!(page.contains("An arbiter decides") && page.contains("the lens is broken"), "{page}");
    let hash = "ab".repeat(32);
    seller.press(&page, "/evidence", &[("hash", &hash), ("note", "it was whole")]).await;

    let id: ledger::TradeId = path.rsplit('/').next().unwrap().parse().unwrap();
    let drawn = world.state.gateway.view().read(|ledger| ledger.trade(&id).unwrap().dispute.unwrap().arbiter);
    let judge = JUDGES.into_iter().find(|judge| drawn == Some(account(*judge))).unwrap();
    let judge = Browser::of(&world, judge).await;
    let page = english(&judge, &path).await;
    assert!(page.contains("it was whole") && page.contains("Pay the buyer back"), "{page}");
    let wrong = [("ruling", "split"), ("to_buyer", "12001"), ("reason", "half")];
    assert_eq!(judge.press_once(&page, "/resolve", &wrong).await.status, 422);
    let half = [("ruling", "split"), ("to_buyer", "4000"), ("reason", "both are right")];
    judge.press(&page, "/resolve", &half).await;
    let page = english(&buyer, &path).await;
    assert!(page.contains("Both sides got their part") && page.contains("both are right"), "{page}");
    assert_eq!((world.available(ALICE), world.available(BOB)), (1_007_920, 992_000));
}

#[tokio::test]
async fn an_offer_is_taken_with_one_press() {
    let world = World::new().await;
    let (buyer, seller) = (Browser::of(&world, BOB).await, Browser::of(&world, ALICE).await);
    let path = shipped(&world).await;
    let page = english(&seller, &path).await;
    seller.press(&page, "/split", &[("to_buyer", "4000")]).await;
    let page = english(&buyer, &path).await;
    assert!(
        page.contains("Offer of the Seller: 4,000 POP for the buyer, 8,000 POP for the seller."),
        "{page}"
    );
    buyer.press(&page, "/accept-split", &[]).await;
    assert_eq!((world.available(ALICE), world.available(BOB)), (1_007_920, 992_000));
}

#[tokio::test]
async fn a_review_is_written_once_and_read_by_everyone() {
    let world = World::new().await;
    let (buyer, seller) = (Browser::of(&world, BOB).await, Browser::of(&world, ALICE).await);
    let path = shipped(&world).await;
    let page = english(&buyer, &path).await;
    assert!(!page.contains("/review\""));
    let page = buyer.press(&page, "/confirm", &[]).await;
    let bad = buyer.press_once(&page, "/review", &[("rating", "6"), ("text", "")]).await;
    assert_eq!(bad.status, 422);
    let page = buyer.press(&page, "/review", &[("rating", "4"), ("text", "Quick.\r\n<b>Kind</b>.")]).await;
    assert!(!page.contains("/review\""), "{page}");
    let page = english(&seller, &format!("/members/{}", account(ALICE))).await;
    assert!(page.contains("4.0 (1)") && page.contains("&#60;b&#62;Kind"), "{page}");
}
