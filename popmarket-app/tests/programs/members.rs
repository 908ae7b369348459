//! The replicas of a running market change, as processes: one joins with the tokens of two admins in files, another gets a
//! new key; and what the later replicas sign for is verified offline.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use ledger::Params;
use pbft_crypto::KeyPair;
use popmarket_app::{
    api::Api,
    config::write_key,
    load::{Processes, TemporaryFolder, free_ports},
    testnet::{Testnet, TestnetPlan},
};
use serde_json::{Value, json};
use tokio::time::sleep;

const PASSWORD: &str = "known to this test";
/// How long a test waits for what has to come.
const LONG: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Whose web is asked. Its custody has the admins' keys.
const WEB: u16 = 0;
/// Who gets a new key.
const ROTATED: u16 = 1;

/// Four replicas, of which two admins decide.
struct Market {
    folder: TemporaryFolder,
    testnet: Testnet,
    processes: Processes,
    api: Api,
    url: String,
    admins: [String; 2],
}

impl Market {
    async fn start() -> Self {
        let folder = TemporaryFolder::new("popmarket-test").unwrap();
        let first = free_ports(8).unwrap();
        let plan = TestnetPlan {
            folder: folder.path().join("cluster"),
            replicas: 4,
            port: first,
            http_port: Some(first + 4),
            clients: Vec::new(),
            accounts: Vec::new(),
            archive_bytes: None,
            params: Params::STANDARD,
            password: Some(PASSWORD.into()),
        };
        let testnet = plan.write().unwrap();
        let program = PathBuf::from(env!("CARGO_BIN_EXE_popmarket"));
        let processes = Processes::start(&program, &testnet.node_files).await.unwrap();
        let url = format!("http://127.0.0.1:{}", first + 4 + WEB);
        let api = Api::new(&url).unwrap();
        let admins = [sign_in(&url, "admin1").await, sign_in(&url, "admin2").await];
        Self { folder, testnet, processes, api, url, admins }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    async fn post(&self, path: &str, admin: usize, body: Option<&Value>) -> Value {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url));
        // The views may have to change first, which takes long on a busy machine.
        let request = request.bearer_auth(&self.admins[admin]).header("prefer", "wait=30");
        let request = body.into_iter().fold(request, reqwest::RequestBuilder::json);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until so many changes of the replicas have taken effect.
    async fn reaches_epoch(&self, epoch: u64) {
        let started = Instant::now();
        loop {
            let network: Value = self.api.get("/v1/network").await.unwrap();
            if network["epoch"].as_u64().unwrap() >= epoch {
                return;
            }
            assert!(started.elapsed() < LONG, "{network}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Puts something up for sale, and returns its transaction once it is executed.
    async fn list(&self, title: &str) -> String {
        let listing = json!({"title": title, "description": "It glows.", "price": "300"});
        let listed = self.post("/v1/listings", 0, Some(&listing)).await;
        assert_eq!(listed["status"], "APPLIED", "{listed}");
        listed["tx_id"].as_str().unwrap().to_owned()
    }

    async fn receipt(&self, transaction: &str) -> String {
        let url = format!("{}/v1/transactions/{transaction}/receipt", self.url);
        let started = Instant::now();
        loop {
            let answer = reqwest::get(&url).await.unwrap();
            let done = answer.status().is_success();
            let text = answer.text().await.unwrap();
            if done {
                return text;
            }
            assert!(text.contains("NOT_CERTIFIED") && started.elapsed() < LONG, "{text}");
            sleep(LOOK_EVERY).await;
        }
    }

    /// Exchanges replica 3, which is gone, for one that asks for it itself.
    async fn exchange_the_last(&mut self) {
        self.processes.kill(3).await.unwrap();
        let (ask, approve) = (self.file("ask", &self.admins[0]), self.file("approve", &self.admins[1]));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_ports(1).unwrap()));
        let arguments = [
            format!("--from={}", self.url),
            format!("--address={address}"),
            format!("--chain-id={}", self.testnet.genesis.chain_id()),
            "--replace=3".into(),
            format!("--ask-with={}", ask.display()),
            format!("--approve-with={}", approve.display()),
        ];
        let folder = self.folder.path().join("newcomer");
        let (newcomer, _) = self.processes.join(&folder, &arguments).await.unwrap();
        self.processes.joined(newcomer).await.unwrap();
    }

    /// Gives a replica that is away a new key, as operators do it: the ledger asks for it, then the replica is started with it.
    async fn rotate(&mut self) {
        let replica = usize::from(ROTATED);
        self.processes.kill(replica).await.unwrap();
        let key = KeyPair::generate();
        let wish = json!({"action": "rotate", "id": ROTATED, "public_key": key.public_key().to_string()});
        let change = self.post("/v1/network/replicas", 0, Some(&wish)).await;
        let id = change["tx_id"].as_str().unwrap();
        self.post(&format!("/v1/network/replicas/changes/{id}/approve"), 1, None).await;
        self.reaches_epoch(2).await;
        let file = self.testnet.node_files[replica].with_file_name("replica.key");
        fs::remove_file(&file).unwrap();
        write_key(&file, &key).unwrap();
        self.processes.restart_with(replica, &["--new-key"]).await.unwrap();
    }
}

async fn sign_in(url: &str, name: &str) -> String {
    let answer = reqwest::Client::new()
        .post(format!("{url}/v1/sessions"))
        .json(&json!({"name": name, "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    let session: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    session["token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
}

/// What the program says of a receipt, with nothing but the genesis to go by.
fn verified(receipt: &Path, genesis: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_popmarket"))
        .arg("verify-receipt")
        .arg(receipt)
        .arg("--genesis")
        .arg(genesis)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_joins_another_gets_a_new_key_and_their_receipts_verify() {
    let mut market = Market::start().await;
    let before = market.list("Lamp of the founders").await;
    market.exchange_the_last().await;
    market.rotate().await;

    // Of the four, one is gone: the newcomer and the new key are both needed now.
    market.processes.kill(2).await.unwrap();
    let after = market.list("Lamp of those who came later").await;

    let genesis = market.testnet.node_files[0].parent().unwrap().with_file_name("genesis.json");
    for (id, title, handovers) in
        [(&before, "Lamp of the founders", 0), (&after, "Lamp of those who came later", 2)]
    {
        let receipt = market.receipt(id).await;
        let (code, said) = verified(&market.file("receipt.json", &receipt), &genesis);
        assert!(code == Some(0) && said.contains(id.as_str()) && said.contains(title), "{code:?}: {said}");
        let read: Value = serde_json::from_str(&receipt).unwrap();
        assert_eq!(read["handovers"].as_array().map_or(0, Vec::len), handovers, "{receipt}");
    }
    // One byte of what leads from the founders to the signers.
    let mut changed = market.receipt(&after).await.into_bytes();
    let summary = changed.windows(9).position(|bytes| bytes == b"\"summary\"").unwrap();
    changed[summary + 40] ^= 1;
    let file = market.file("changed.json", &String::from_utf8(changed).unwrap());
    assert_eq!(verified(&file, &genesis).0, Some(1));
    market.processes.stop().await.unwrap();
}
