//! Two admins give and take roles.

use serde_json::{Value, json};

use super::world::{ADMIN, ALICE, BOB, CAROL, OTHER_ADMIN, World, account};

#[tokio::test]
async fn two_admins_make_somebody_an_arbiter() {
    let world = World::new().await;
    let (admin, other, carol) =
        (world.client(ADMIN).await, world.client(OTHER_ADMIN).await, world.client(CAROL).await);
    let path = format!("/v1/accounts/{}/role", account(CAROL));
    assert_eq!(carol.make(&path, &json!({"role": "arbiter"})).await.code(), "FORBIDDEN");
    assert_eq!(admin.make(&path, &json!({"role": "member"})).await.code(), "SAME_ROLE");
    let own = format!("/v1/accounts/{}/role", account(ADMIN));
    assert_eq!(other.make(&own, &json!({"role": "member"})).await.code(), "TOO_FEW_ADMINS");
    let change = admin.must(&path, &json!({"role": "arbiter"})).await;
    let at = |verb: &str| format!("/v1/roles/changes/{change}{verb}");
    assert_eq!(admin.make(&at("/approve"), &Value::Null).await.code(), "OWN_ROLE_CHANGE");
    other.must(&at("/approve"), &Value::Null).await;
    let seen = carol.get(&at("")).await.json();
    assert_eq!((&seen["status"], &seen["decided_by"]), (&json!("APPROVED"), &json!(account(OTHER_ADMIN))));
    let shown = carol.get(&format!("/v1/accounts/{}", account(CAROL))).await.json();
    assert_eq!(shown["role"], "arbiter");
    assert_eq!(
        other.make(&at("/reject"), &json!({"reason": "no"})).await.code(),
        "ROLE_CHANGE_ALREADY_DECIDED"
    );
}

/// Mistake: whoever has the role reads all, although the ledger takes a frozen account for no admin.
#[tokio::test]
async fn a_frozen_account_that_is_made_an_admin_sees_what_everyone_sees() {
    let world = World::new().await;
    let (admin, other) = (world.client(ADMIN).await, world.client(OTHER_ADMIN).await);
    let (alice, carol) = (world.client(ALICE).await, world.client(CAROL).await);
    let paying = json!({"to": account(BOB), "amount": "5", "memo": "for the lamp"});
    let payment = format!("/v1/payments/{}", alice.must("/v1/payments", &paying).await);
    let of_carol = |verb: &str| format!("/v1/accounts/{}/{verb}", account(CAROL));
    admin.must(&of_carol("freeze"), &json!({"reason": "stolen"})).await;
    let change = admin.must(&of_carol("role"), &json!({"role": "admin"})).await;
    other.must(&format!("/v1/roles/changes/{change}/approve"), &Value::Null).await;
    assert_eq!(carol.get("/v1/members/me").await.json()["role"], "admin");

    let wallet = format!("/v1/wallets/{}", account(BOB));
    let (freeze, why) = (format!("/v1/accounts/{}/freeze", account(ALICE)), json!({"reason": "a whim"}));
    assert_eq!(carol.get(&payment).await.json()["memo"], Value::Null);
    assert_eq!(carol.get(&wallet).await.status, 403);
    assert_eq!(carol.make(&freeze, &why).await.code(), "FORBIDDEN");
    other.must(&of_carol("unfreeze"), &Value::Null).await;
    assert_eq!(carol.get(&payment).await.json()["memo"], "for the lamp");
    assert_eq!(carol.get(&wallet).await.status, 200);
    carol.must(&freeze, &why).await;
}

#[tokio::test]
async fn a_change_of_a_role_is_turned_down() {
    let world = World::new().await;
    let (admin, other) = (world.client(ADMIN).await, world.client(OTHER_ADMIN).await);
    let change =
        admin.must(&format!("/v1/accounts/{}/role", account(CAROL)), &json!({"role": "courier"})).await;
    other.must(&format!("/v1/roles/changes/{change}/reject"), &json!({"reason": "not now"})).await;
    let shown = other.get(&format!("/v1/accounts/{}", account(CAROL))).await.json();
    assert_eq!(shown["role"], "member");
}
