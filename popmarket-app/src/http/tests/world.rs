//! A small market, and clients of it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use ledger::{Name, UnixMillis};
use pbft_core::{
    Config, ReplicaId, Seq,
    certificate::Certificate,
    crypto::P256Crypto,
    message::{Attestation, Signed},
};
use pbft_crypto::{Address, Digest};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt;
use wallet::{Custody, MasterKey};

use super::contract;
use crate::accounts_db::{AccountsDb, KeyKeeping, Member, Password};
use crate::blobs::BlobStore;
use crate::clock::Clock;
use crate::gateway::local::LocalSubmitter;
use crate::gateway::{Answer, Gateway, GatewayOptions, GatewayParts, NoAnswer, Submitter};
use crate::http::access::Access;
use crate::http::{
    AppState, ChainInfo, Code, HttpOptions, NetworkReport, NetworkStatus, PROBLEM_JSON, Rate, Rates,
    ReplicaReport, ReplicaStatus, Shared, router,
};
use crate::market::Membership;
use crate::projector::Projector;
use crate::read_model::ReadModel;
use crate::service::{LedgerQuery, LedgerView};
use crate::testing::{START, address, genesis, key, replicas, service};
use crate::webhooks::{Targets, WebhookOptions, Webhooks};

/// The accounts of the world, by the numbers of their keys.
pub(super) const ADMIN: u8 = 1;
pub(super) const OTHER_ADMIN: u8 = 2;
pub(super) const ALICE: u8 = 4;
pub(super) const BOB: u8 = 5;
pub(super) const CAROL: u8 = 6;

pub(super) const JUDGES: [u8; 2] = [11, 12];
pub(super) const COURIER: u8 = 13;

const NAMES: [(u8, &str); 8] = [
    (ADMIN, "admin1"),
    (OTHER_ADMIN, "admin2"),
    (ALICE, "alice"),
    (BOB, "bob"),
    (CAROL, "carol"),
    (JUDGES[0], "judge1"),
    (JUDGES[1], "judge2"),
    (COURIER, "courier"),
];

/// What alice and the others sign in with.
pub(super) const PASSWORD: &str = "correct horse";

/// The way to the ledger, which can be shut.
struct Road {
    local: LocalSubmitter,
    is_open: watch::Sender<bool>,
}

impl Submitter for Road {
    fn submit(
        &self,
        request: pbft_core::Request,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer, NoAnswer>> + Send + '_>> {
        Box::pin(async move {
            let mut is_open = self.is_open.subscribe();
            is_open.wait_for(|is_open| *is_open).await.map_err(|_| NoAnswer::Closed)?;
            self.local.submit(request).await
        })
    }
}

/// There is one replica, and it is this ledger.
struct LonelyNetwork(LedgerView, Arc<Road>);

impl NetworkStatus for LonelyNetwork {
    fn network(&self) -> BoxFuture<'_, NetworkReport> {
        let tip = self.0.read(|ledger| ledger.tip().clone());
        let replica = ReplicaReport {
            id: 0,
            address: "127.0.0.1:7000".to_owned(),
            status: ReplicaStatus::Up,
            height: tip.height,
            view: tip.view,
            state_root: tip.state_root,
            stable_checkpoint: 0,
            waits_for: None,
            last_seen: Some(tip.time),
        };
        let chain_id = self.0.read(|ledger| *ledger.chain_id());
        let report = NetworkReport {
            chain_id,
            height: tip.height,
            epoch: 0,
            view: tip.view,
            primary: 0,
            replicas: vec![replica],
            diagnosis: "alone".to_owned(),
            has_quorum: true,
        };
        Box::pin(std::future::ready(report))
    }

    /// As long as the road is open. It is this ledger's word alone.
    fn query(&self, query: LedgerQuery) -> BoxFuture<'_, Option<Vec<u8>>> {
        let answer = self.1.is_open.borrow().then(|| self.1.local.query(&query.encode())).flatten();
        Box::pin(std::future::ready(answer))
    }
}

pub(super) struct World {
    pub(super) state: AppState,
    router: Router,
    road: Arc<Road>,
    clock: Arc<AtomicU64>,
    projector: tokio::task::JoinHandle<()>,
    teller: tokio::task::JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for World {
    fn drop(&mut self) {
        self.projector.abort();
        self.teller.abort();
    }
}

impl World {
    pub(super) async fn new() -> Self {
        // Tests ask faster than people.
        let many = Rate { burst: 1e6, per_second: 1e6 };
        let rates = Rates { read: many, write: many, heavy: many, ..Rates::default() };
        Self::with_options(HttpOptions { rates, ..HttpOptions::default() }).await
    }

    pub(super) async fn with_options(options: HttpOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = service(&folder.path().join("ledger"));
        let millis = Arc::new(AtomicU64::new(START));
        let now = Arc::clone(&millis);
        let clock: Clock = Arc::new(move || UnixMillis::new(now.load(Ordering::Relaxed)));
        let view = ledger.view();
        let local = LocalSubmitter::new(ledger, Arc::clone(&clock));
        let road = Arc::new(Road { local, is_open: watch::Sender::new(true) });
        let read = ReadModel::open(&folder.path().join("read.db")).await.unwrap();
        let projector = Projector::new(view.clone(), read.clone());
        projector.catch_up().await.unwrap();
        let projector = tokio::spawn(async move { projector.run().await.unwrap() });
        let (file, genesis) = (folder.path().join("members.db"), genesis());
        let chain = genesis.chain_id();
        let accounts = AccountsDb::open_with_clock(&file, &chain, Arc::clone(&clock)).await.unwrap();
        let custody =
            Custody::open(folder.path().join("keys"), MasterKey::generate(), NonZeroUsize::new(100).unwrap())
                .unwrap();
        for (number, _) in NAMES {
            custody.keep(key(number)).unwrap();
        }
        let gateway = Gateway::new(GatewayParts {
            submitter: road.clone(),
            view: view.clone(),
            model: read.clone(),
            accounts: accounts.clone(),
            custody,
            options: GatewayOptions { clock: Arc::clone(&clock), ..GatewayOptions::default() },
        });
        let targets = if options.allow_private_webhooks { Targets::Any } else { Targets::Public };
        let webhook_options = WebhookOptions {
            clock: Arc::clone(&clock),
            tick: Duration::from_millis(20),
            max_replay_scan: 512,
            ..WebhookOptions::new(targets)
        };
        let file = folder.path().join("webhooks.db");
        let webhooks = Webhooks::open(&file, read.clone(), view.clone(), webhook_options).await.unwrap();
        let telling = webhooks.clone();
        let teller = tokio::spawn(async move { telling.run().await });
        let state = AppState {
            gateway,
            read,
            accounts,
            blobs: BlobStore::open(folder.path().join("blobs")).await.unwrap(),
            network: Arc::new(LonelyNetwork(view, road.clone())),
            metrics: Arc::new(|| "# EOF\n".to_owned()),
            chain: ChainInfo { id: genesis.chain_id(), fee: genesis.params.fee },
            genesis: Arc::new(genesis.clone()),
            members: Membership::unchanged(&genesis),
            webhooks,
            options,
            shared: Shared::new(&options),
        };
        Self { router: router(state.clone()), state, road, clock: millis, projector, teller, _folder: folder }
    }

    /// From now on the read model stays as it is.
    pub(super) fn stop_projector(&self) {
        self.projector.abort();
    }

    /// From now on nothing gets to the ledger, or everything does again.
    pub(super) fn shut_road(&self, shut: bool) {
        self.road.is_open.send_replace(!shut);
    }

    /// Waits until the ledger has so many blocks.
    pub(super) async fn reach(&self, height: u64) {
        let mut seen = self.state.gateway.view().height();
        let wait = seen.wait_for(|reached| reached.value() >= height);
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("in time").unwrap();
    }

    /// Waits until so many transactions are on their way.
    pub(super) async fn in_flight(&self, count: usize) {
        let wait = async {
            while self.state.gateway.in_flight() < count {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("they are sent in time");
    }

    pub(super) fn advance_clock(&self, by: Duration) {
        self.clock.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(super) fn state_root(&self) -> Digest {
        self.state.gateway.view().read(|ledger| ledger.tip().state_root)
    }

    pub(super) fn height(&self) -> u64 {
        self.state.gateway.view().read(|ledger| ledger.height().value())
    }

    pub(super) fn available(&self, who: u8) -> u64 {
        let balance = |ledger: &ledger::Ledger| ledger.balance(&account(who), ledger::AssetId::Pop);
        self.state.gateway.view().read(balance).available.value()
    }

    /// Replicas 0 and 2 sign for a block.
    pub(super) fn certify(&self, height: u64) {
        let store = self.state.gateway.view().store();
        let header = store.block(ledger::Height::new(height)).unwrap().unwrap().header;
        let statement = Attestation { seq: Seq::new(header.seq), digest: header.hash() };
        let config = Config::new(self.state.chain.id, replicas()).validate().unwrap();
        let sign = |replica: u8| {
            let crypto = P256Crypto::new(key(101 + replica));
            let vote = Signed::sign(statement, ReplicaId::new(replica.into()), &config, &crypto);
            (vote.signer, vote.signature)
        };
        let certificate = Certificate { statement, signatures: [0, 2].map(sign).to_vec() };
        store.keep_certificate(&certificate).unwrap();
    }

    /// A session of an account of the world, without the cost of a password.
    pub(super) async fn token(&self, who: u8) -> String {
        let name = NAMES.iter().find(|(number, _)| *number == who).unwrap().1;
        let member =
            Member { name: Name::new(name).unwrap(), address: account(who), keeping: KeyKeeping::Custodial };
        if self.state.accounts.member_by_address(&member.address).await.unwrap().is_none() {
            let password = Password::new(PASSWORD.to_owned()).unwrap();
            self.state.accounts.enrol(member.clone(), &password).await.unwrap();
        }
        let session =
            self.state.accounts.begin_session(member, Duration::from_secs(30 * 24 * 3_600)).await.unwrap();
        session.0.to_string()
    }

    /// A client that is signed in.
    pub(super) async fn client(&self, who: u8) -> Client<'_> {
        Client { world: self, token: Some(self.token(who).await) }
    }

    /// A client that is not.
    pub(super) const fn stranger(&self) -> Client<'_> {
        Client { world: self, token: None }
    }

    /// A client who may use routes with this access.
    pub(super) async fn client_for(&self, access: Access) -> Client<'_> {
        match access {
            Access::Anyone => self.stranger(),
            Access::Member => self.client(ALICE).await,
            Access::Admin => self.client(ADMIN).await,
        }
    }

    /// The answer, which is one that the API is described to give.
    pub(super) async fn answer(&self, request: Request<Body>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20).await.unwrap();
        contract::check((&method, &path), (parts.status, &parts.headers), Some(&body));
        Reply { status: parts.status, headers: parts.headers, body }
    }

    /// The answer as it begins, for those that do not end.
    pub(super) async fn stream(&self, request: Request<Body>) -> axum::response::Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        contract::check((&method, &path), (response.status(), response.headers()), None);
        response
    }
}

pub(super) fn account(who: u8) -> Address {
    address(&key(who))
}

/// Someone who asks.
pub(super) struct Client<'a> {
    pub(super) world: &'a World,
    pub(super) token: Option<String>,
}

impl Client<'_> {
    pub(super) fn request(&self, method: &Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.world.answer(self.request(&Method::GET, path).body(Body::empty()).unwrap()).await
    }

    /// Sends JSON with headers.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let mut request = self.request(&method, path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.world.answer(request.body(body).unwrap()).await
    }

    /// Sends JSON and does not wait for the ledger.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, &[], body).await
    }

    /// Sends JSON and waits for the ledger.
    pub(super) async fn make(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, &[("prefer", "wait=10")], body).await
    }

    /// Does something that has to work, and says the id of what it is about.
    pub(super) async fn must(&self, path: &str, body: &Value) -> String {
        let reply = self.make(path, body).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{path}: {reply:?}");
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    /// Puts something up for sale.
    pub(super) async fn lists(&self, title: &str, price: u64) -> String {
        self.must("/v1/listings", &json!({"title": title, "price": price.to_string()})).await
    }

    /// Buys something, and says the id of the trade.
    pub(super) async fn buys(&self, listing: &str) -> String {
        self.must(&format!("/v1/listings/{listing}/buy"), &Value::Null).await
    }

    /// Does something to a trade.
    pub(super) async fn moves(&self, trade: &str, action: &str, body: &Value) -> String {
        self.must(&format!("/v1/trades/{trade}/{action}"), body).await
    }
}

/// An answer.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Its code, if it is a problem as they are promised: with a status of 4xx, and a code that is documented.
    pub(super) fn code(&self) -> &'static str {
        assert!(self.status.is_client_error(), "{self:?}");
        self.trouble()
    }

    /// The same, also if it is a fault or a lack of ours.
    pub(super) fn trouble(&self) -> &'static str {
        assert_eq!(self.header("content-type"), PROBLEM_JSON, "{self:?}");
        let problem = self.json();
        let name = problem["code"].as_str().unwrap();
        let code = Code::ALL.iter().find(|code| code.name == name).unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(code.status, self.status, "{self:?}");
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(problem["retryable"].is_boolean() && problem.get("tx_id").is_some());
        assert!(!self.header("x-request-id").is_empty());
        assert!(!self.header("content-security-policy").is_empty());
        code.name
    }
}
