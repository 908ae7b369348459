//! Who sees what: every route that shows something to members only, with everyone who could ask.
//!
//! The looks are held to the rules, too: a private GET that is added without one fails here.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::world::{ADMIN, ALICE, BOB, COURIER, OTHER_ADMIN, World, account};
use super::scene::{Scene, put};
use super::{ADMINS, EVERYONE, world};
use crate::http::Code;
use crate::http::access::{self, Access, Rule};

/// A look at something of somebody.
struct Look {
    /// The route.
    path: &'static str,
    /// The path with what it is about.
    at: String,
    /// What stands in the answers to those who see it, and in no other answer.
    mark: String,
    sees: Vec<u8>,
    /// What the others are told. None: they get an answer without the mark.
    refusal: Option<&'static str>,
    /// Who gets an answer without the mark although others are refused.
    without: Vec<u8>,
}

impl Look {
    fn new(path: &'static str, at: &str, mark: &str, sees: &[u8]) -> Self {
        let (at, mark, sees) = (at.to_owned(), mark.to_owned(), sees.to_vec());
        Self { path, at, mark, sees, refusal: None, without: Vec::new() }
    }

    /// The others are refused.
    fn refused(mut self, code: &'static str) -> Self {
        self.refusal = Some(code);
        self
    }

    /// But these are not, and see a part.
    fn but_without(mut self, these: &[u8]) -> Self {
        self.without = these.to_vec();
        self
    }
}

/// Of a list, or of something that everyone has of their own.
fn own(path: &'static str, mark: &str, sees: &[u8]) -> Look {
    Look::new(path, path, mark, sees)
}

/// Of something that has a name. The name is in the answer.
fn named(path: &'static str, id: &str, sees: &[u8]) -> Look {
    let (before, after) = (path.split_once('{').unwrap().0, path.split_once('}').unwrap().1);
    Look::new(path, &format!("{before}{id}{after}"), id, sees)
}

/// The rules of what is shown to members only.
fn private() -> impl Iterator<Item = &'static Rule> {
    access::RULES.iter().filter(|rule| rule.method == Method::GET && rule.access != Access::Anyone)
}

/// What bob has besides what the scene gives him.
struct Bobs {
    charge: String,
    limit: &'static str,
    allowance: &'static str,
}

impl Bobs {
    async fn set(world: &World) -> Self {
        let bob = world.client(BOB).await;
        let (limit, allowance) = ("777777", "888888");
        let allow = json!({"spender": account(ALICE), "from": "0", "to": allowance});
        bob.must("/v1/tokens/SHOP/approve", &allow).await;
        put(&bob, "/v1/members/me/limit", &json!({"per_day": limit})).await;
        Self {
            charge: bob.must("/v1/charges", &json!({"amount": "9", "memo": "for the eyes of bob"})).await,
            limit,
            allowance,
        }
    }
}

fn all(scene: &Scene, bobs: &Bobs) -> Vec<Look> {
    [money(scene, bobs), trades(scene), others(scene, bobs), pages(scene, bobs)]
        .into_iter()
        .flatten()
        .collect()
}

fn money(scene: &Scene, bobs: &Bobs) -> Vec<Look> {
    let (bob, owners) = (account(BOB).to_string(), [BOB, ADMIN, OTHER_ADMIN]);
    let of_bob = |path: &'static str, filter: &str, mark: &str| {
        Look::new(path, &format!("{path}?{filter}={bob}"), mark, &owners).refused("FORBIDDEN")
    };
    let held = "/v1/payments?status=AUTHORIZED&side=payee";
    vec![
        named("/v1/wallets/{address}", &bob, &owners).refused("FORBIDDEN"),
        own("/v1/charges", &bobs.charge, &owners),
        of_bob("/v1/charges", "requester", &bobs.charge),
        named("/v1/charges/{id}", &bobs.charge, &owners).refused("FORBIDDEN"),
        own("/v1/withdrawals", &scene.withdrawal, &owners),
        of_bob("/v1/withdrawals", "owner", &scene.withdrawal),
        named("/v1/withdrawals/{id}", &scene.withdrawal, &owners).refused("FORBIDDEN"),
        own("/v1/payments", &scene.payment, &[ALICE, BOB]),
        Look::new("/v1/payments", held, &scene.payment, &[ALICE]),
        own("/v1/orders", &scene.order, &[BOB]),
        named("/v1/orders/{id}", &scene.order, &owners).refused("NOT_ORDER_OWNER"),
    ]
}

fn trades(scene: &Scene) -> Vec<Look> {
    let path = "/v1/trades/{id}";
    let (parties, arbitrated) = ([ALICE, BOB, ADMIN, OTHER_ADMIN], "/v1/trades?side=arbiter");
    let in_dispute = [ALICE, BOB, scene.arbiter, ADMIN, OTHER_ADMIN];
    let at = format!("/v1/trades/{}", scene.disputed);
    vec![
        own("/v1/trades", &scene.trade, &[ALICE, BOB]),
        Look::new("/v1/trades", arbitrated, &scene.disputed, &[scene.arbiter]),
        // What is not on its way is nothing to a courier.
        named(path, &scene.trade, &parties).refused("NOT_A_PARTY"),
        // A courier sees the parcel, and nothing of what is said.
        Look::new(path, &at, "a wheel is missing", &in_dispute)
            .refused("NOT_A_PARTY")
            .but_without(&[COURIER]),
        Look::new(path, &at, "CJ 1", &[&in_dispute[..], &[COURIER]].concat()).refused("NOT_A_PARTY"),
    ]
}

fn others(scene: &Scene, bobs: &Bobs) -> Vec<Look> {
    let guardians = [ALICE, BOB, COURIER];
    let (hook, unknown) = (&scene.webhook, "UNKNOWN_WEBHOOK");
    let attempts = format!("/v1/webhooks/{hook}/attempts");
    vec![
        own("/v1/members/me", &account(BOB).to_string(), &[BOB]),
        own("/v1/members/me/keys", &scene.alices_key, &[ALICE]),
        own("/v1/members/me/limit", bobs.limit, &[BOB]),
        own("/v1/members/me/allowances", bobs.allowance, &[BOB]),
        own("/v1/members/me/guardians", &account(COURIER).to_string(), &[BOB]),
        own("/v1/members/me/recoveries", &scene.recovery, &guardians),
        own("/v1/webhooks", hook, &[BOB]),
        named("/v1/webhooks/{id}", hook, &[BOB]).refused(unknown),
        Look::new("/v1/webhooks/{id}/attempts", &attempts, "has_more", &[BOB]).refused(unknown),
    ]
}

fn pages(scene: &Scene, bobs: &Bobs) -> Vec<Look> {
    let (bob, trade) = (account(BOB).to_string(), format!("/trades/{}", scene.trade));
    let wish = format!("/pay?to={bob}&amount=9&reference=ROOM-8");
    let request = "/pay/request?amount=9&reference=ROOM-8";
    let parties = [ALICE, BOB, ADMIN, OTHER_ADMIN];
    vec![
        own("/sell", "name=\"title\"", &EVERYONE),
        own("/trades", &scene.trade, &[ALICE, BOB]),
        Look::new("/trades/{id}", &trade, "Chair", &parties).refused("NOT_A_PARTY"),
        own("/wallet", &scene.withdrawal, &[BOB]),
        own("/wallet", "for the eyes of bob", &[BOB]),
        own("/admin/charges", &bobs.charge, &ADMINS).refused("FORBIDDEN"),
        // Everyone sees whom a link asks them to pay.
        Look::new("/pay", &wish, "ROOM-8", &EVERYONE),
        Look::new("/pay/request", request, &bob, &[BOB]),
    ]
}

#[tokio::test]
async fn every_route_that_is_private_has_a_look() {
    let world = world().await;
    let (scene, bobs) = (Scene::set(&world).await, Bobs::set(&world).await);
    let looks = all(&scene, &bobs);
    let looked_at: BTreeSet<_> = looks.iter().map(|look| look.path).collect();
    let wanted: BTreeSet<_> = private().map(|rule| rule.path).collect();
    assert_eq!(looked_at, wanted);
    for look in &looks {
        let route = look.path.split_once('{').map_or(look.path, |(before, _)| before);
        assert!(look.at.starts_with(route), "{}", look.at);
        // Somebody must be kept from what is not for everyone.
        let for_all = matches!(look.path, "/sell" | "/pay");
        assert_eq!(look.sees.len() == EVERYONE.len(), for_all, "{}", look.at);
    }
}

#[tokio::test]
async fn only_those_see_it_whom_it_concerns() {
    let world = world().await;
    let (scene, bobs) = (Scene::set(&world).await, Bobs::set(&world).await);
    let mut clients = Vec::new();
    for who in EVERYONE {
        clients.push((who, world.client(who).await));
    }
    for look in all(&scene, &bobs) {
        let at = &look.at;
        let reply = world.stranger().get(at).await;
        let is_api = access::is_api(look.path);
        let sent_away = if is_api { StatusCode::UNAUTHORIZED } else { StatusCode::SEE_OTHER };
        assert_eq!(reply.status, sent_away, "{at}");
        assert!(!reply.text().contains(&look.mark), "{at}");
        for (who, client) in &clients {
            let reply = client.get(at).await;
            let sees = look.sees.contains(who);
            match look.refusal.filter(|_| !sees && !look.without.contains(who)) {
                None => {
                    assert_eq!(reply.status, StatusCode::OK, "{at} {who}: {reply:?}");
                    assert_eq!(reply.text().contains(&look.mark), sees, "{at} {who}: {reply:?}");
                }
                Some(name) if is_api => assert_eq!(reply.code(), name, "{at} {who}"),
                Some(name) => {
                    let code = Code::ALL.iter().find(|code| code.name == name).unwrap();
                    assert_eq!(reply.status, code.status, "{at} {who}");
                    assert!(!reply.text().contains(&look.mark), "{at} {who}");
                }
            }
        }
    }
}
