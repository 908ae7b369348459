//! The page of the network, where admins change the replicas.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use super::pages::{Browser, form};
use super::world::{ADMIN, BOB, OTHER_ADMIN, World};

/// One admin asks on the page of the network, another one decides there.
#[tokio::test]
async fn admins_change_the_replicas_on_a_page() {
    let world = World::new().await;
    let (admin, other, bob) = (
        Browser::of(&world, ADMIN).await,
        Browser::of(&world, OTHER_ADMIN).await,
        Browser::of(&world, BOB).await,
    );
    let key = crate::testing::key(105).public_key().to_string();
    let add = [("action", "add"), ("public_key", key.as_str()), ("address", "replica5.example:7000")];
    let page = admin.page("/network").await;
    let fields = [&add[1..], &[("id", "3")]].concat();
    let page = admin.press(&page, "/network/replicas", &fields).await;
    assert!(
        page.contains("요청을 기록했습니다") && page.contains("내 요청: 다른 관리자가 결정합니다."),
        "{page}"
    );
    assert!(page.contains("서버 3 제거; replica5.example:7000 서버 추가"), "{page}");
    assert!(!page.contains("/approve"), "nobody approves what they asked for");
    let page = bob.page("/network?lang=en").await;
    assert!(
        page.contains("Replica 3 leaves; replica5.example:7000 joins with the key")
            && page.contains("admin1")
    );
    assert!(!page.contains("/approve") && !page.contains("action=\"/network/replicas"));

    let page = other.page("/network").await;
    let page = other.press(&page, "/approve", &[]).await;
    assert!(page.contains("승인했습니다.") && page.contains("요청된 변경이 없습니다."), "{page}");
    let book = world.stranger().get("/v1/network/replicas").await.json();
    let ids: Vec<_> = book["data"].as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect();
    assert_eq!(ids, [0, 1, 2, 4]);

    let key = form(&other.page("/network").await, "/network/replicas").1[0].1.clone();
    let relocate = [("form_key", key.as_str()), ("action", "move"), ("id", "1"), ("address", "a:1")];
    let reply = other.submit("/network/replicas", &relocate).await;
    assert_eq!(reply.status, StatusCode::SEE_OTHER, "{reply:?}");
    let page = admin.press(&admin.page("/network").await, "/reject", &[("reason", "no")]).await;
    assert!(page.contains("거절했습니다."), "{page}");

    let page = admin.page("/network").await;
    let wrong = [("public_key", "02"), ("address", "replica5.example:7000"), ("id", "")];
    let reply = admin.press_once(&page, "/network/replicas", &wrong).await;
    assert!(reply.status.is_client_error() && reply.text().contains("role=\"alert\""), "{reply:?}");
    let reply = bob.submit("/network/replicas", &add).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    let abroad = world.answer(
        world
            .stranger()
            .request(&Method::POST, "/network/replicas")
            .header("cookie", &admin.cookie)
            .header("sec-fetch-site", "cross-site")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("form_key=k&action=remove&id=1"))
            .unwrap(),
    );
    assert_eq!(abroad.await.status, StatusCode::FORBIDDEN);
}
