//! A case for each route that changes something: what to send, and who is refused.

use axum::http::Method;
use serde_json::{Value, json};

use super::super::world::{ADMIN, ALICE, BOB, CAROL, COURIER, OTHER_ADMIN, account};
use super::EVERYONE;
use super::scene::Scene;

/// What is sent.
pub(super) enum Sent {
    /// By a program.
    Json(Value),
    /// By a browser. The key of the form comes with it.
    Form(Vec<(&'static str, String)>),
}

/// A request about something of somebody.
pub(super) struct Case {
    pub(super) method: Method,
    /// The route.
    pub(super) path: &'static str,
    /// The path with what it is about.
    pub(super) at: String,
    pub(super) sent: Sent,
    /// Who is refused, and what they are told.
    pub(super) refused: Vec<(Vec<u8>, &'static str)>,
}

impl Case {
    fn new(method: Method, path: &'static str, id: &str, sent: Sent) -> Self {
        let at = match (path.split_once('{'), path.split_once('}')) {
            (Some((before, _)), Some((_, after))) => format!("{before}{id}{after}"),
            _ => path.to_owned(),
        };
        Self { method, path, at, sent, refused: Vec::new() }
    }

    /// All others are refused.
    fn only(self, these: &[u8], code: &'static str) -> Self {
        let others: Vec<u8> = EVERYONE.into_iter().filter(|who| !these.contains(who)).collect();
        self.not(&others, code)
    }

    /// These are refused.
    fn not(mut self, these: &[u8], code: &'static str) -> Self {
        self.refused.push((these.to_vec(), code));
        self
    }
}

fn json(method: Method, path: &'static str, id: &str, body: Value) -> Case {
    Case::new(method, path, id, Sent::Json(body))
}

fn post(path: &'static str, id: &str, body: Value) -> Case {
    json(Method::POST, path, id, body)
}

/// Without anything that has to be said.
fn press(path: &'static str, id: &str) -> Case {
    post(path, id, Value::Null)
}

fn form(path: &'static str, id: &str, fields: &[(&'static str, &str)]) -> Case {
    let fields = fields.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Case::new(Method::POST, path, id, Sent::Form(fields))
}

/// All of them. Where one takes away what another needs, it comes later.
pub(super) fn all(scene: &Scene) -> Vec<Case> {
    let parts = [money, goods, trades, accounts, tokens, polls, webhooks, network, pages, last];
    parts.into_iter().flat_map(|part| part(scene)).collect()
}

fn reason() -> Value {
    json!({"reason": "because"})
}

fn some_hash() -> String {
    "ab".repeat(32)
}

fn money(scene: &Scene) -> Vec<Case> {
    let (to, owners) = (account(CAROL), [BOB, ADMIN, OTHER_ADMIN]);
    let own = "OWN_POLICY_PROPOSAL";
    let terms = json!({"policy": {"per_charge": "5", "per_day": "8", "all_per_day": "9", "min_charges": 0}});
    vec![
        post("/v1/charges", "", json!({"amount": "9"})),
        press("/v1/charges/{id}/approve", &scene.charge).not(&[ADMIN], "OWN_CHARGE"),
        post("/v1/charges/{id}/reject", &scene.charge, reason()).not(&[ADMIN], "OWN_CHARGE"),
        press("/v1/charges/policy/{id}/approve", &scene.policy).not(&[ADMIN], own),
        post("/v1/charges/policy/{id}/reject", &scene.policy, reason()).not(&[ADMIN], own),
        post("/v1/charges/policy", "", terms),
        post("/v1/withdrawals", "", json!({"amount": "9"})),
        post("/v1/withdrawals/{id}/void", &scene.withdrawal, reason()).only(&owners, "NOT_WITHDRAWAL_OWNER"),
        press("/v1/withdrawals/{id}/settle", &scene.withdrawal),
        post("/v1/payments", "", json!({"to": to, "amount": "9"})),
        post("/payment", "", json!({"to": to, "amount": "9"})),
        press("/v1/payments/{tx_id}/capture", &scene.payment).only(&[ALICE], "NOT_PAYEE"),
        press("/v1/payments/{tx_id}/void", &scene.payment).only(&[ALICE], "NOT_PAYEE"),
        press("/v1/payments/{tx_id}/refund", &scene.payment).only(&[ALICE], "NOT_PAYEE"),
    ]
}

fn goods(scene: &Scene) -> Vec<Case> {
    let (listing, owner) = (&scene.listing, "NOT_LISTING_OWNER");
    vec![
        post("/v1/listings", "", json!({"title": "Lamp", "price": "300"})),
        post("/v1/blobs", "", json!({})),
        json(Method::PATCH, "/v1/listings/{id}", listing, json!({"price": "7"})).only(&[ALICE], owner),
        press("/v1/listings/{id}/buy", listing).not(&[ALICE], "OWN_LISTING"),
        json(Method::DELETE, "/v1/listings/{id}", listing, Value::Null).only(&[ALICE], owner),
    ]
}

/// What is done to a trade: by a program and on a page.
type Act = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const BY_SELLER: [Act; 5] = [
    ("/v1/trades/{id}/accept", "/trades/{id}/accept", &[]),
    ("/v1/trades/{id}/ship", "/trades/{id}/ship", &[("tracking", "CJ 1")]),
    ("/v1/trades/{id}/confirm-return", "/trades/{id}/confirm-return", &[]),
    ("/v1/trades/{id}/give-back", "/trades/{id}/give-back", &[("amount", "1")]),
    ("/v1/trades/{id}/hand-over", "/trades/{id}/hand-over", &[("code", "7-apples")]),
];

const BY_BUYER: [Act; 4] = [
    ("/v1/trades/{id}/confirm", "/trades/{id}/confirm", &[]),
    ("/v1/trades/{id}/extend", "/trades/{id}/extend", &[]),
    ("/v1/trades/{id}/return", "/trades/{id}/return", &[("tracking", "CJ 1")]),
    ("/v1/trades/{id}/collect", "/trades/{id}/collect", &[("code", "7-apples")]),
];

/// The offer comes after what it would stand in the way of.
const BY_BOTH: [Act; 3] = [
    ("/v1/trades/{id}/cancel", "/trades/{id}/cancel", &[]),
    ("/v1/trades/{id}/dispute", "/trades/{id}/dispute", &[("reason", "a wheel is missing")]),
    (
        "/v1/trades/{id}/accept-split",
        "/trades/{id}/accept-split",
        &[("to_buyer", "100"), ("to_seller", "200")],
    ),
];

fn trades(scene: &Scene) -> Vec<Case> {
    let both = |act: &Act, trade: &str, these: &[u8], code: &'static str| {
        let (path, page, fields) = *act;
        let object: Value = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let body = if fields.is_empty() { Value::Null } else { object };
        [post(path, trade, body).only(these, code), form(page, trade, fields).only(these, code)]
    };
    let (trade, disputed) = (&scene.trade, &scene.disputed);
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(BY_SELLER.iter().flat_map(|act| both(act, trade, &[ALICE], "NOT_SELLER")));
    cases.extend(BY_BUYER.iter().flat_map(|act| both(act, trade, &[BOB], "NOT_BUYER")));
    cases.extend(BY_BOTH.iter().flat_map(|act| both(act, trade, &[ALICE, BOB], "NOT_A_PARTY")));
    let attest: Act = ("/v1/trades/{id}/attest", "/trades/{id}/attest", &[]);
    cases.extend(both(&attest, disputed, &[COURIER], "NOT_COURIER"));
    let of_dispute = [ALICE, BOB, scene.arbiter];
    let split = json!({"to_buyer": "100", "to_seller": "200"});
    let evidence = json!({"hash": some_hash(), "note": "how it arrived"});
    let ruling = json!({"ruling": "release", "reason": "because"});
    let review = json!({"rating": 5, "text": ""});
    cases.extend([
        post("/v1/trades/{id}/split", trade, split).only(&[ALICE, BOB], "NOT_A_PARTY"),
        form("/trades/{id}/split", trade, &[("to_buyer", "100")]).only(&[ALICE, BOB], "NOT_A_PARTY"),
        post("/v1/trades/{id}/evidence", disputed, evidence).only(&of_dispute, "NOT_A_PARTY"),
        form("/trades/{id}/evidence", disputed, &[("hash", &some_hash()), ("note", "x")])
            .only(&of_dispute, "NOT_A_PARTY"),
        post("/v1/trades/{id}/resolve", disputed, ruling).only(&[scene.arbiter], "NOT_ARBITER"),
        form("/trades/{id}/resolve", disputed, &[("ruling", "release"), ("reason", "x")])
            .only(&[scene.arbiter], "NOT_ARBITER"),
        post("/v1/trades/{id}/reviews", trade, review).only(&[ALICE, BOB], "NOT_A_PARTY"),
        form("/trades/{id}/review", trade, &[("rating", "5")]).only(&[ALICE, BOB], "NOT_A_PARTY"),
    ]);
    cases
}

fn accounts(scene: &Scene) -> Vec<Case> {
    let (mine, frozen, bob) = (&scene.alices_key, account(3).to_string(), account(BOB).to_string());
    let (key, wish) = ("/v1/members/me/keys/{public_key}", scene.found_key.clone());
    let guardians = [ALICE, COURIER];
    vec![
        json(Method::PATCH, key, mine, json!({"label": "old phone"})).only(&[ALICE], "UNKNOWN_KEY"),
        json(Method::DELETE, key, mine, Value::Null).only(&[ALICE], "UNKNOWN_KEY"),
        post("/v1/accounts/{address}/recoveries", &bob, wish.clone()).only(&guardians, "NOT_GUARDIAN"),
        press("/v1/recoveries/{id}/agree", &scene.recovery).only(&guardians, "NOT_GUARDIAN"),
        press("/v1/recoveries/{id}/cancel", &scene.recovery).only(&[BOB], "NOT_ACCOUNT_OWNER"),
        post("/v1/members/me/keys", "", wish),
        json(Method::PUT, "/v1/members/me/limit", "", json!({"per_day": null})),
        press("/v1/accounts/{address}/unfreeze", &frozen).not(&[ADMIN], "OWN_FREEZE"),
        post("/v1/accounts/{address}/freeze", &frozen, reason()),
        post("/v1/accounts/{address}/role", &frozen, json!({"role": "arbiter"})),
        press("/v1/roles/changes/{id}/approve", &scene.role_change).not(&[ADMIN], "OWN_ROLE_CHANGE"),
        post("/v1/roles/changes/{id}/reject", &scene.role_change, reason()).not(&[ADMIN], "OWN_ROLE_CHANGE"),
    ]
}

fn tokens(scene: &Scene) -> Vec<Case> {
    let (to, alice) = (account(BOB), account(ALICE));
    let issuers = [ALICE, ADMIN, OTHER_ADMIN];
    let order = json!({"market": "SHOP-POP", "side": "BUY", "price": "5", "quantity": "10"});
    let takes = json!({"to": to, "amount": "1", "owner": alice});
    vec![
        post("/v1/tokens", "", json!({"symbol": "OWN", "name": "Own"})),
        post("/v1/tokens/{symbol}/mint", "SHOP", json!({"to": to, "amount": "5"}))
            .only(&[ALICE], "NOT_ISSUER"),
        post("/v1/tokens/{symbol}/burn", "SHOP", json!({"amount": "1"})),
        post("/v1/tokens/{symbol}/transfer", "SHOP", json!({"to": to, "amount": "1"})),
        // Nobody is allowed any of it, not even its owner this way.
        post("/v1/tokens/{symbol}/transfer", "SHOP", takes).only(&[], "ALLOWANCE_TOO_SMALL"),
        post("/v1/tokens/{symbol}/approve", "SHOP", json!({"spender": account(3), "from": "0", "to": "5"})),
        post("/v1/markets", "", json!({"base": "FLEA", "tick": "1", "lot": "1"}))
            .only(&issuers, "NOT_ADMIN_OR_ISSUER"),
        post("/v1/tokens/{symbol}/hand-over", "FLEA", json!({"to": to})).only(&[ALICE], "NOT_ISSUER"),
        press("/v1/markets/{id}/halt", "SHOP-POP"),
        press("/v1/markets/{id}/resume", "SHOP-POP"),
        post("/v1/orders", "", order),
        post("/v1/orders/{id}/reduce", &scene.order, json!({"by": "10"})).only(&[BOB], "NOT_ORDER_OWNER"),
        json(Method::DELETE, "/v1/orders/{id}", &scene.order, Value::Null).only(&[BOB], "NOT_ORDER_OWNER"),
    ]
}

fn polls(scene: &Scene) -> Vec<Case> {
    let (open, sealed) = (&scene.open_poll, &scene.sealed_poll);
    // Whose times are over, so that it fails for everyone in the same way.
    let late = json!({"question": "?", "options": ["a", "b"], "closes_at": "2000-01-01T00:00:00Z"});
    let (commitment, shown) = (json!({"commitment": some_hash()}), json!({"choice": 0, "salt": some_hash()}));
    vec![
        post("/v1/polls", "", late),
        post("/v1/polls/{id}/votes", open, json!({"choice": 0})).only(&[BOB], "NOT_ELIGIBLE"),
        post("/vote", "", json!({"poll": open, "choice": 0})).only(&[BOB], "NOT_ELIGIBLE"),
        post("/v1/polls/{id}/commit", sealed, commitment).only(&[BOB], "NOT_ELIGIBLE"),
        post("/v1/polls/{id}/reveal", sealed, shown).only(&[BOB], "NOTHING_TO_REVEAL"),
        press("/v1/polls/{id}/close", sealed).only(&[ALICE], "NOT_POLL_CREATOR"),
    ]
}

fn webhooks(scene: &Scene) -> Vec<Case> {
    let (hook, unknown) = (&scene.webhook, "UNKNOWN_WEBHOOK");
    let range = json!({"from": "1-0", "to": "1-1"});
    vec![
        post("/v1/webhooks", "", json!({"url": "nonsense"})),
        post("/v1/webhooks/{id}/replay", hook, range).only(&[BOB], unknown),
        press("/v1/webhooks/{id}/test", hook).only(&[BOB], unknown),
        press("/v1/webhooks/{id}/secret", hook).only(&[BOB], unknown),
        press("/v1/webhooks/{id}/enable", hook).only(&[BOB], unknown),
        json(Method::DELETE, "/v1/webhooks/{id}", hook, Value::Null).only(&[BOB], unknown),
    ]
}

fn network(scene: &Scene) -> Vec<Case> {
    let (change, own) = (&scene.replica_change, "OWN_REPLICA_CHANGE");
    vec![
        post("/v1/network/replicas", "", json!({"action": "move", "id": 2, "address": "10.0.0.8:7000"})),
        json(Method::DELETE, "/v1/network/replicas/{id}", "3", Value::Null),
        press("/v1/network/replicas/changes/{id}/approve", change).not(&[ADMIN], own),
        post("/v1/network/replicas/changes/{id}/reject", change, reason()).not(&[ADMIN], own),
    ]
}

/// Forms, besides those of trades.
fn pages(scene: &Scene) -> Vec<Case> {
    let because = [("reason", "because")];
    let (charge, withdrawal, change) = (&scene.charge, &scene.withdrawal, &scene.replica_change);
    let sum = [("amount", "9"), ("memo", "")];
    let order = [("side", "BUY"), ("price", "5"), ("quantity", "10")];
    let moving = [("action", "move"), ("id", "2"), ("address", "10.0.0.8:7000")];
    let owners = [BOB, ADMIN, OTHER_ADMIN];
    vec![
        form("/items/{id}/buy", &scene.listing, &[("version", "1")]).not(&[ALICE], "OWN_LISTING"),
        form("/items/{id}/close", &scene.listing, &[]).only(&[ALICE], "NOT_LISTING_OWNER"),
        form("/sell", "", &[("title", "Lamp"), ("price", "300")]),
        form("/wallet/charges", "", &sum),
        form("/wallet/withdrawals", "", &sum),
        form("/wallet/withdrawals/{id}/void", withdrawal, &because).only(&owners, "NOT_WITHDRAWAL_OWNER"),
        form("/admin/withdrawals/{id}/void", withdrawal, &because),
        form("/admin/withdrawals/{id}/settle", withdrawal, &[]),
        form("/admin/charges/{id}/approve", charge, &[]).not(&[ADMIN], "OWN_CHARGE"),
        form("/admin/charges/{id}/reject", charge, &because).not(&[ADMIN], "OWN_CHARGE"),
        form("/pay", "", &[("to", &account(CAROL).to_string()), ("amount", "9"), ("reference", "ROOM-7")]),
        form("/exchange/{id}/orders", "SHOP-POP", &order),
        form("/exchange/{id}/cancel", "SHOP-POP", &[("order", &scene.order)]).only(&[BOB], "NOT_ORDER_OWNER"),
        form("/network/replicas", "", &moving),
        form("/network/replicas/changes/{id}/approve", change, &[]).not(&[ADMIN], "OWN_REPLICA_CHANGE"),
        form("/network/replicas/changes/{id}/reject", change, &because).not(&[ADMIN], "OWN_REPLICA_CHANGE"),
    ]
}

/// What changes who may do the rest.
fn last(_: &Scene) -> Vec<Case> {
    let nobody = json!({"guardians": [], "threshold": 0, "delay_seconds": 172_800});
    vec![json(Method::PUT, "/v1/members/me/guardians", "", nobody)]
}
