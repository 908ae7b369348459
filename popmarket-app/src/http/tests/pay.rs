//! Payments that somebody asks for with a link.

use axum::http::StatusCode;
use serde_json::json;

use super::pages::{Browser, form};
use super::world::{ALICE, BOB, CAROL, World, account};

fn link(amount: &str, reference: &str) -> String {
    format!("/pay?to={}&amount={amount}&reference={reference}", account(ALICE))
}

#[tokio::test]
async fn a_link_is_paid_with_one_press_and_once_only() {
    let world = World::new().await;
    let (bob, carol) = (Browser::of(&world, BOB).await, Browser::of(&world, CAROL).await);
    let page = bob.page(&link("300", "ROOM-7")).await;
    assert!(page.contains("alice") && page.contains("300 POP") && page.contains("ROOM-7"), "{page}");
    let seen_by_carol = carol.page(&link("300", "ROOM-7")).await;
    let paid = bob.press(&page, "/pay", &[]).await;
    assert!(paid.contains("처리되었습니다."), "{paid}");
    assert_eq!((world.available(ALICE), world.available(BOB)), (1_000_300, 999_700));

    // The same press again is the same payment.
    bob.press(&page, "/pay", &[]).await;
    assert_eq!(world.available(BOB), 999_700);
    // Another one is not, whoever presses.
    let again = carol.press_once(&seen_by_carol, "/pay", &[]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!((world.available(ALICE), world.available(CAROL)), (1_000_300, 1_000_000));
    // Who comes later is told so at once, and has nothing to press.
    let late = bob.page(&link("300", "ROOM-7")).await;
    assert!(late.contains("class=\"problem\"") && !late.contains("action=\"/pay\""), "{late}");
    let reply = world.stranger().get(&format!("/v1/accounts/{}/transactions", account(ALICE))).await.json();
    assert_eq!(reply["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_paid_is_what_was_seen() {
    let world = World::new().await;
    let (alice, bob) = (Browser::of(&world, ALICE).await, Browser::of(&world, BOB).await);
    let (path, hidden) = form(&bob.page(&link("300", "ROOM-7")).await, "/pay");
    let value = |name: &str| hidden.iter().find(|field| field.0 == name).unwrap().1.clone();
    assert_eq!(path, "/pay");
    assert_eq!((value("to"), value("amount")), (account(ALICE).to_string(), "300".to_owned()));
    assert_eq!(value("reference"), "ROOM-7");
    let (root, to) = (world.state_root(), value("to"));
    let to = to.as_str();
    for fields in [
        &[("form_key", "k"), ("to", "nobody"), ("amount", "1"), ("reference", "R")][..],
        &[("form_key", "k"), ("to", to), ("amount", "-1"), ("reference", "R")],
        &[("form_key", "k"), ("to", to), ("amount", "0"), ("reference", "R")],
        &[("form_key", "k"), ("to", to), ("amount", "1"), ("reference", "a b")],
        &[("form_key", "k"), ("to", to), ("amount", "1")],
        &[("form_key", ""), ("to", to), ("amount", "1"), ("reference", "R")],
    ] {
        let reply = bob.submit("/pay", fields).await;
        assert!(reply.status.is_client_error(), "{fields:?} {reply:?}");
    }
    let own = alice.page(&link("300", "ROOM-7")).await;
    assert!(own.contains("class=\"problem\"") && !own.contains("action=\"/pay\""), "{own}");
    assert_eq!(world.state_root(), root);
    // A visitor signs in first, and comes back.
    let reply = world.stranger().get(&link("300", "ROOM-7")).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER);
    assert!(reply.header("location").starts_with("/sign-in?next=%2Fpay%3Fto%3D"), "{reply:?}");
}

#[tokio::test]
async fn a_payee_makes_a_link_and_a_picture_of_it() {
    let world = World::new().await;
    let alice = Browser::of(&world, ALICE).await;
    assert!(alice.page("/wallet").await.contains("href=\"/pay/request\""));
    let page = alice.page("/pay/request?amount=300&reference=INV-2024%2F7&lang=en").await;
    let query = format!("to={}&amp;amount=300&amp;reference=INV-2024%2F7", account(ALICE));
    let query =
        [query.clone(), query.replace("&amp;", "&#38;")].into_iter().find(|query| page.contains(query));
    let query = query.unwrap_or_else(|| panic!("no link: {page}"));
    assert!(page.contains(&format!("http://localhost:8080/pay?{query}")), "{page}");
    let picture = format!("/v1/payment-requests/qr?{query}").replace("&amp;", "&").replace("&#38;", "&");
    let reply = world.stranger().get(&picture).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "image/svg+xml"));
    assert!(reply.text().contains("<svg") && !reply.text().contains("<script"), "{reply:?}");

    let nobody = pbft_crypto::Address::from_bytes([9; 32]);
    for (query, code) in [
        (format!("to={nobody}&amount=1&reference=R"), "UNKNOWN_PAYEE"),
        (format!("to={}&amount=0&reference=R", account(ALICE)), "ZERO_AMOUNT"),
        (format!("to={}&amount=1", account(ALICE)), "INVALID_QUERY"),
        (format!("to={}&amount=1&reference=R&more=1", account(ALICE)), "INVALID_QUERY"),
        ("to=alice&amount=1&reference=R".to_owned(), "INVALID_QUERY"),
    ] {
        let reply = world.stranger().get(&format!("/v1/payment-requests/qr?{query}")).await;
        assert_eq!(reply.code(), code, "{query}");
    }
    let client = world.client(BOB).await;
    let body = json!({"to": account(ALICE), "amount": "300", "reference": "INV-2024/7"});
    client.must("/v1/payments", &body).await;
}
