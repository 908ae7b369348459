//! Databases that do not answer.

use axum::http::StatusCode;

use super::pages::Browser;
use super::world::{ALICE, World};
use crate::sql::either;

#[tokio::test]
async fn tables_that_cannot_be_reached_are_no_fault_of_the_program() {
    let world = World::new().await;
    let alice = world.client(ALICE).await;
    let listing = alice.lists("Lamp", 300).await;
    world.stop_projector();
    world.state.read.close().await;
    for path in ["/v1/blocks", "/v1/search?q=lamp", "/v1/trades", &format!("/v1/listings/{listing}")] {
        let reply = alice.get(path).await;
        assert_eq!(
            (reply.status, reply.trouble()),
            (StatusCode::SERVICE_UNAVAILABLE, "DATABASE_UNAVAILABLE")
        );
        assert_eq!((reply.header("retry-after"), &reply.json()["retryable"]), ("2", &true.into()), "{path}");
    }
    let page = world.stranger().get("/?lang=en").await;
    assert_eq!((page.status, page.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "2"));
    assert!(page.text().contains("The database cannot be reached"), "{page:?}");
    assert_eq!(alice.get("/healthz").await.status, StatusCode::OK);

    world.state.accounts.close().await;
    assert_eq!(alice.get("/healthz").await.trouble(), "DATABASE_UNAVAILABLE", "nobody knows who asks");
    assert_eq!(world.stranger().get("/healthz").await.status, StatusCode::OK);
    let browser = Browser::stranger(&world).page("/docs?lang=en").await;
    assert!(browser.contains("DATABASE_UNAVAILABLE") && browser.contains("OVERLOADED"));
}

#[tokio::test]
async fn a_mistake_of_ours_stays_one() {
    let world = World::new().await;
    world.stop_projector();
    let mut to = world.state.read.begin_write().await.unwrap();
    either::query("DROP TABLE polls").execute(&mut to).await.unwrap();
    to.commit().await.unwrap();
    let reply = world.client(ALICE).await.get("/v1/polls").await;
    assert_eq!((reply.status, reply.trouble()), (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"));
    assert_eq!(reply.header("retry-after"), "");
}
