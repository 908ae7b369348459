//! Who may use which route: the one place that says so. A route that is not here is for nobody.
//!
//! What a member may do to something depends on whose it is. That is said in `preflight`, for each kind of
//! thing, and in the end the ledger decides.

use axum::http::Method;

use super::rate_limit::Kind;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everyone.
    Anyone,
    /// Who is signed in.
    Member,
    /// Who is signed in and an admin on the ledger.
    Admin,
}

/// A route and who may use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The method.
    pub method: Method,
    /// The path as it is registered.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// What it costs. Some requests cost more by what they ask for: see `heavy`.
    pub kind: Kind,
}

macro_rules! rules {
    ($($access:ident $kind:ident $method:ident $path:literal;)*) => {
        /// All routes.
        pub const RULES: &[Rule] = &[
            $(Rule { method: Method::$method, path: $path, access: Access::$access, kind: Kind::$kind }),*
        ];
    };
}

rules! {
    Anyone Password POST   "/v1/members";
    Member Read     GET    "/v1/members/me";
    Anyone Password POST   "/v1/sessions";
    Member Write    DELETE "/v1/sessions";
    Anyone Password POST   "/v1/wallets";
    Member Read     GET    "/v1/wallets/{address}";
    Anyone Read     GET    "/v1/accounts/{address}";
    Anyone Read     GET    "/v1/accounts/{address}/transactions";
    Anyone Read     GET    "/v1/accounts/{address}/trades";
    Member Write    POST   "/v1/charges";
    Member Read     GET    "/v1/charges";
    Member Read     GET    "/v1/charges/{id}";
    Admin  Write    POST   "/v1/charges/{id}/approve";
    Admin  Write    POST   "/v1/charges/{id}/reject";
    Anyone Read     GET    "/v1/charges/policy";
    Admin  Write    POST   "/v1/charges/policy";
    Admin  Write    POST   "/v1/charges/policy/{id}/approve";
    Admin  Write    POST   "/v1/charges/policy/{id}/reject";
    Member Write    POST   "/v1/withdrawals";
    Member Read     GET    "/v1/withdrawals";
    Member Read     GET    "/v1/withdrawals/{id}";
    Admin  Write    POST   "/v1/withdrawals/{id}/settle";
    Member Write    POST   "/v1/withdrawals/{id}/void";
    Member Read     GET    "/v1/members/me/keys";
    Member Write    POST   "/v1/members/me/keys";
    Member Write    PATCH  "/v1/members/me/keys/{public_key}";
    Member Write    DELETE "/v1/members/me/keys/{public_key}";
    Member Read     GET    "/v1/members/me/allowances";
    Member Read     GET    "/v1/members/me/limit";
    Member Write    PUT    "/v1/members/me/limit";
    Member Read     GET    "/v1/members/me/guardians";
    Member Write    PUT    "/v1/members/me/guardians";
    Anyone Read     GET    "/v1/accounts/{address}/keys";
    Member Write    POST   "/v1/accounts/{address}/recoveries";
    Member Heavy    GET    "/v1/members/me/recoveries";
    Anyone Read     GET    "/v1/recoveries/{id}";
    Member Write    POST   "/v1/recoveries/{id}/agree";
    Member Write    POST   "/v1/recoveries/{id}/cancel";
    Anyone Read     GET    "/v1/freezes";
    Admin  Write    POST   "/v1/accounts/{address}/freeze";
    Admin  Write    POST   "/v1/accounts/{address}/unfreeze";
    Member Write    POST   "/v1/listings";
    Anyone Read     GET    "/v1/listings";
    Anyone Read     GET    "/v1/listings/{id}";
    Member Write    PATCH  "/v1/listings/{id}";
    Member Write    DELETE "/v1/listings/{id}";
    Member Write    POST   "/v1/listings/{id}/buy";
    Anyone Read     GET    "/v1/listings/{id}/trades";
    Member Write    POST   "/v1/blobs";
    Anyone Read     GET    "/v1/blobs/{hash}";
    Member Read     GET    "/v1/trades";
    Member Read     GET    "/v1/trades/{id}";
    Member Write    POST   "/v1/trades/{id}/accept";
    Member Write    POST   "/v1/trades/{id}/ship";
    Member Write    POST   "/v1/trades/{id}/confirm";
    Member Write    POST   "/v1/trades/{id}/cancel";
    Member Write    POST   "/v1/trades/{id}/attest";
    Member Write    POST   "/v1/trades/{id}/extend";
    Member Write    POST   "/v1/trades/{id}/split";
    Member Write    POST   "/v1/trades/{id}/accept-split";
    Member Write    POST   "/v1/trades/{id}/dispute";
    Member Write    POST   "/v1/trades/{id}/evidence";
    Member Write    POST   "/v1/trades/{id}/resolve";
    Member Write    POST   "/v1/trades/{id}/return";
    Member Write    POST   "/v1/trades/{id}/confirm-return";
    Member Write    POST   "/v1/trades/{id}/give-back";
    Member Write    POST   "/v1/trades/{id}/hand-over";
    Member Write    POST   "/v1/trades/{id}/collect";
    Member Write    POST   "/v1/trades/{id}/reviews";
    Anyone Read     GET    "/v1/accounts/{address}/reviews";
    Admin  Write    POST   "/v1/accounts/{address}/role";
    Anyone Read     GET    "/v1/roles/changes";
    Anyone Read     GET    "/v1/roles/changes/{id}";
    Admin  Write    POST   "/v1/roles/changes/{id}/approve";
    Admin  Write    POST   "/v1/roles/changes/{id}/reject";
    Member Write    POST   "/v1/payments";
    Member Read     GET    "/v1/payments";
    Member Write    POST   "/payment";
    Anyone Read     GET    "/v1/payments/{tx_id}";
    Member Write    POST   "/v1/payments/{tx_id}/capture";
    Member Write    POST   "/v1/payments/{tx_id}/void";
    Member Write    POST   "/v1/payments/{tx_id}/refund";
    Anyone Read     GET    "/v1/payment-requests/qr";
    Member Write    POST   "/v1/tokens";
    Anyone Read     GET    "/v1/tokens";
    Anyone Read     GET    "/v1/tokens/{symbol}";
    Anyone Read     GET    "/v1/tokens/{symbol}/holders";
    Anyone Read     GET    "/v1/tokens/{symbol}/allowance";
    Anyone Read     GET    "/v1/tokens/{symbol}/trades";
    Member Write    POST   "/v1/tokens/{symbol}/mint";
    Member Write    POST   "/v1/tokens/{symbol}/burn";
    Member Write    POST   "/v1/tokens/{symbol}/transfer";
    Member Write    POST   "/v1/tokens/{symbol}/approve";
    Member Write    POST   "/v1/tokens/{symbol}/hand-over";
    Member Write    POST   "/v1/markets";
    Anyone Read     GET    "/v1/markets";
    Anyone Read     GET    "/v1/markets/{id}";
    Admin  Write    POST   "/v1/markets/{id}/halt";
    Admin  Write    POST   "/v1/markets/{id}/resume";
    Anyone Read     GET    "/v1/markets/{id}/book";
    Anyone Read     GET    "/v1/markets/{id}/trades";
    Anyone Read     GET    "/v1/markets/{id}/candles";
    Member Write    POST   "/v1/orders";
    Member Read     GET    "/v1/orders";
    Member Read     GET    "/v1/orders/{id}";
    Member Write    DELETE "/v1/orders/{id}";
    Member Write    POST   "/v1/orders/{id}/reduce";
    Member Write    POST   "/v1/polls";
    Anyone Read     GET    "/v1/polls";
    Anyone Read     GET    "/v1/polls/{id}";
    Member Write    POST   "/v1/polls/{id}/votes";
    Member Write    POST   "/vote";
    Member Write    POST   "/v1/polls/{id}/commit";
    Member Write    POST   "/v1/polls/{id}/reveal";
    Member Write    POST   "/v1/polls/{id}/close";
    Member Write    POST   "/v1/webhooks";
    Member Read     GET    "/v1/webhooks";
    Member Read     GET    "/v1/webhooks/{id}";
    Member Write    DELETE "/v1/webhooks/{id}";
    Member Read     GET    "/v1/webhooks/{id}/attempts";
    Member Heavy    POST   "/v1/webhooks/{id}/replay";
    Member Password POST   "/v1/webhooks/{id}/test";
    Member Write    POST   "/v1/webhooks/{id}/secret";
    Member Write    POST   "/v1/webhooks/{id}/enable";
    Anyone Read     GET    "/v1/blocks";
    Anyone Read     GET    "/v1/blocks/{id}";
    Anyone Read     GET    "/v1/transactions";
    Anyone Write    POST   "/v1/transactions";
    Anyone Read     GET    "/v1/transactions/{tx_id}";
    Anyone Heavy    GET    "/v1/transactions/{tx_id}/receipt";
    Anyone Heavy    GET    "/v1/search";
    Anyone Heavy    POST   "/v1/transactions/{tx_id}/receipt";
    Anyone Read     GET    "/v1/network";
    Anyone Read     GET    "/v1/network/genesis";
    Anyone Read     GET    "/v1/network/handovers";
    Anyone Read     GET    "/v1/network/replicas";
    Admin  Write    POST   "/v1/network/replicas";
    Admin  Write    DELETE "/v1/network/replicas/{id}";
    Anyone Read     GET    "/v1/network/replicas/changes";
    Anyone Read     GET    "/v1/network/replicas/changes/{id}";
    Admin  Write    POST   "/v1/network/replicas/changes/{id}/approve";
    Admin  Write    POST   "/v1/network/replicas/changes/{id}/reject";
    Anyone Read     GET    "/v1/network/evidence";
    Anyone Read     GET    "/v1/events";
    Anyone Read     GET    "/healthz";
    Anyone Read     GET    "/readyz";
    Anyone Read     GET    "/metrics";

    Anyone Read     GET    "/openapi.json";
    Anyone Read     GET    "/docs";
    Anyone Read     GET    "/static/{file}";
    Anyone Read     GET    "/";
    Anyone Read     GET    "/items/{id}";
    Member Write    POST   "/items/{id}/buy";
    Member Write    POST   "/items/{id}/close";
    Anyone Read     GET    "/sign-in";
    Anyone Password POST   "/sign-in";
    Anyone Read     GET    "/sign-up";
    Anyone Password POST   "/sign-up";
    Anyone Write    POST   "/sign-out";
    Member Read     GET    "/sell";
    Member Write    POST   "/sell";
    Member Read     GET    "/trades";
    Member Read     GET    "/trades/{id}";
    Member Write    POST   "/trades/{id}/accept";
    Member Write    POST   "/trades/{id}/ship";
    Member Write    POST   "/trades/{id}/confirm";
    Member Write    POST   "/trades/{id}/cancel";
    Member Write    POST   "/trades/{id}/attest";
    Member Write    POST   "/trades/{id}/extend";
    Member Write    POST   "/trades/{id}/split";
    Member Write    POST   "/trades/{id}/accept-split";
    Member Write    POST   "/trades/{id}/dispute";
    Member Write    POST   "/trades/{id}/evidence";
    Member Write    POST   "/trades/{id}/resolve";
    Member Write    POST   "/trades/{id}/return";
    Member Write    POST   "/trades/{id}/confirm-return";
    Member Write    POST   "/trades/{id}/give-back";
    Member Write    POST   "/trades/{id}/hand-over";
    Member Write    POST   "/trades/{id}/collect";
    Member Write    POST   "/trades/{id}/review";
    Anyone Read     GET    "/members/{address}";
    Member Read     GET    "/wallet";
    Member Write    POST   "/wallet/charges";
    Member Write    POST   "/wallet/withdrawals";
    Member Write    POST   "/wallet/withdrawals/{id}/void";
    Admin  Write    POST   "/admin/withdrawals/{id}/settle";
    Admin  Write    POST   "/admin/withdrawals/{id}/void";
    Admin  Read     GET    "/admin/charges";
    Admin  Write    POST   "/admin/charges/{id}/approve";
    Admin  Write    POST   "/admin/charges/{id}/reject";
    Member Read     GET    "/pay";
    Member Write    POST   "/pay";
    Member Read     GET    "/pay/request";
    Anyone Read     GET    "/exchange";
    Anyone Read     GET    "/exchange/{id}";
    Member Write    POST   "/exchange/{id}/orders";
    Member Write    POST   "/exchange/{id}/cancel";
    Anyone Read     GET    "/blocks";
    Anyone Read     GET    "/blocks/{id}";
    Anyone Read     GET    "/transactions/{id}";
    Anyone Heavy    GET    "/search";
    Anyone Read     GET    "/network";
    Admin  Write    POST   "/network/replicas";
    Admin  Write    POST   "/network/replicas/changes/{id}/approve";
    Admin  Write    POST   "/network/replicas/changes/{id}/reject";
}

/// The rule for a route. A HEAD request is a GET request without its body.
pub fn rule(method: &Method, path: &str) -> Option<&'static Rule> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    RULES.iter().find(|rule| rule.method == *method && rule.path == path)
}

/// The methods that a path has.
pub fn methods(path: &str) -> impl Iterator<Item = &'static Method> {
    RULES.iter().filter(move |rule| rule.path == path).map(|rule| &rule.method)
}

/// Whether a path is one of the API: its errors are JSON for any client.
pub fn is_api(path: &str) -> bool {
    path.starts_with("/v1/")
        || matches!(path, "/payment" | "/vote" | "/healthz" | "/readyz" | "/metrics" | "/openapi.json")
}
