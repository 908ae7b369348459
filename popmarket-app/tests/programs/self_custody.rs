//! Two people who keep their keys on their own computer, as processes: they open accounts, are topped up, pay, and check.

use std::{fs, path::Path, process::Command};

use popmarket_app::load::TemporaryFolder;
use serde_json::{Value, json};

use super::commands::{Market, ended, popmarket};

/// Somebody's computer.
struct Desk {
    folder: TemporaryFolder,
    api: String,
}

/// What a command came to.
struct Done {
    code: i32,
    /// The one object on standard output; null if there is none.
    json: Value,
    /// What was said besides.
    said: String,
}

impl Desk {
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// `popmarket wallet` or `popmarket tx` for programs.
    fn command(&self, line: &[&str]) -> Command {
        let (keystore, passphrase) = (self.path("wallets"), self.path("passphrase"));
        let mut all = line.to_vec();
        all.extend(["--json", "--keystore", &keystore, "--passphrase-file", &passphrase]);
        if line[0] == "tx" {
            all.extend(["--api", &self.api]);
        }
        popmarket(&all)
    }

    fn run(&self, line: &[&str]) -> Done {
        let output = ended(&mut self.command(line));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let json = match output.stdout.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}")),
        };
        Done { code: output.status.code().unwrap(), json, said }
    }

    /// Runs what has to succeed.
    fn must(&self, line: &[&str]) -> Value {
        let Done { code, json, said } = self.run(line);
        assert_eq!(code, 0, "{line:?}: {json} {said}");
        json
    }

    /// Runs a transaction that has to be carried out, and says its id.
    fn applied(&self, line: &[&str]) -> String {
        let json = self.must(&[&["tx"], line].concat());
        assert_eq!(json["status"], "APPLIED", "{line:?}: {json}");
        assert!(json["height"].as_u64().unwrap() > 0, "{json}");
        json["tx_id"].as_str().unwrap().to_owned()
    }

    /// Runs a transaction that comes to nothing, and says the exit code and why.
    fn fails(&self, line: &[&str]) -> (i32, String, String) {
        let Done { code, json, said } = self.run(&[&["tx"], line].concat());
        assert!(said.starts_with("popmarket: ") || said.contains("\npopmarket: "), "{line:?}: {said}");
        let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
        (code, text("status"), text("code"))
    }

    fn new_wallet(&self, name: &str) -> String {
        let made = self.must(&["wallet", "new", "--name", name]);
        made["address"].as_str().unwrap().to_owned()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn two_people_with_keys_of_their_own_trade_from_the_command_line() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let market = Market::start(folder.path(), &[]);
    let desk = Desk { folder: TemporaryFolder::new("popmarket-test").unwrap(), api: market.url() };
    fs::write(desk.path("passphrase"), "correct horse\n").unwrap();

    let (alice, bob) = (desk.new_wallet("alice"), desk.new_wallet("bob"));
    let admin_key = folder.path().join("accounts/admin1.key");
    desk.must(&["wallet", "import", admin_key.to_str().unwrap(), "--name", "admin"]);
    let wallets = desk.must(&["wallet", "list"]);
    let names: Vec<_> = wallets["wallets"].as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
    assert_eq!(names, ["admin", "alice", "bob"]);

    // Whoever has no account can only open one.
    assert_eq!(desk.fails(&["pay", &bob, "5", "--wallet", "alice"]).0, 1);
    desk.applied(&["register", "alice", "--wallet", "alice"]);
    desk.applied(&["register", "bob", "--wallet", "bob"]);
    let taken = desk.fails(&["register", "carol", "--wallet", "bob"]);
    assert_eq!((taken.0, taken.1.as_str()), (1, "REJECTED"), "{taken:?}");
    let charge = desk.applied(&["charge", "request", "50000", "--memo", "deposit 17", "--wallet", "alice"]);
    desk.applied(&["charge", "approve", &charge, "--wallet", "admin"]);

    pays(&desk, &bob, &folder.path().join("genesis.json"));
    trades(&desk, &alice, &bob);
    signs_offline(&desk, &bob);
    adds_a_key(&desk, &alice, &bob);
    says_what_is_wrong(&desk, &bob);

    market.stop();
    assert_eq!(desk.fails(&["pay", &bob, "5", "--wallet", "alice"]).0, 1, "nothing was sent");
}

/// A payment with a note, which strangers get no receipt for: its signer does, without a login.
fn pays(desk: &Desk, bob: &str, genesis: &Path) {
    let receipt = desk.path("receipt.json");
    let pay = ["pay", bob, "500", "--memo", "for the lamp", "--wallet", "alice", "--receipt", &receipt];
    let paid = desk.applied(&pay);
    let verified = ["verify-receipt", &receipt, "--json", "--genesis", genesis.to_str().unwrap()];
    let output = ended(&mut popmarket(&verified));
    let proven: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &proven["tx_id"]), (Some(0), &json!(paid)));
    assert_eq!(proven["operation"]["payment"]["pay"]["amount"], "500");
    assert_eq!(desk.fails(&pay).0, 2, "the receipt of before is not overwritten");

    let too_much = desk.fails(&["pay", bob, "1000000", "--wallet", "alice"]);
    assert_eq!(too_much, (1, "REJECTED".into(), "INSUFFICIENT_FUNDS".into()));
    let refunded = desk.applied(&["refund", &paid, "100", "--wallet", "bob"]);
    let shown = desk.must(&["tx", "show", &refunded]);
    assert_eq!((&shown["kind"], &shown["outcome"]["status"]), (&json!("payment.refund"), &json!("APPLIED")));
    assert_eq!(desk.fails(&["show", &"ab".repeat(32)]), (3, "UNKNOWN".into(), String::new()));
    let list = desk.must(&["tx", "list", "--account", bob, "--limit", "2"]);
    assert_eq!(list["data"][0]["tx_id"], json!(refunded));
}

/// Alice buys what Bob sells; both can look up how far it is, with nothing but their wallets.
fn trades(desk: &Desk, alice: &str, bob: &str) {
    let lamp = desk.applied(&["listing", "create", "Lamp", "300", "--wallet", "bob"]);
    let trade = desk.applied(&["buy", &lamp, "--price", "300", "--wallet", "alice"]);
    let of = |more: &[&str]| desk.must(&[&["tx", "trades"], more].concat())["data"].clone();
    let bought = of(&["--wallet", "alice"]);
    assert_eq!((&bought[0]["id"], &bought[0]["state"]), (&json!(trade), &json!("FUNDED")));
    assert_eq!((&bought[0]["buyer"], &bought[0]["seller"]), (&json!(alice), &json!(bob)));
    desk.applied(&["accept", &trade, "--wallet", "bob"]);
    desk.applied(&["ship", &trade, "post 4711", "--wallet", "bob"]);
    desk.applied(&["confirm", &trade, "--wallet", "alice"]);
    assert_eq!(of(&["--account", bob, "--state", "released"])[0]["id"], json!(trade));
    assert_eq!(of(&["--wallet", "bob", "--state", "FUNDED"]), json!([]));
}

/// Planned here, signed where there is no network, sent from anywhere, and recorded once.
fn signs_offline(desk: &Desk, bob: &str) {
    let newest = || desk.must(&["tx", "list", "--limit", "1"])["data"][0]["tx_id"].clone();
    let before = newest();
    let pay = ["tx", "pay", bob, "7", "--wallet", "alice", "--valid-for", "1h"];
    let planned = desk.must(&[&pay[..], &["--dry-run"]].concat());
    assert_eq!((&planned["status"], newest()), (&json!("DRY_RUN"), before), "nothing was sent");
    let (plan, file) = (desk.path("plan.json"), desk.path("signed.hex"));
    for text in [planned.to_string(), text(&planned["hex"]).to_owned()] {
        fs::write(&plan, text).unwrap();
        let signed = desk.must(&["wallet", "sign", &plan, "--name", "alice"]);
        assert_eq!(signed["tx_id"], planned["tx_id"]);
        fs::write(&file, signed["transaction"].as_str().unwrap()).unwrap();
    }
    let first = desk.must(&["tx", "submit", &file]);
    assert_eq!((&first["status"], &first["tx_id"]), (&json!("APPLIED"), &planned["tx_id"]));
    assert_eq!(desk.must(&["tx", "submit", &file])["height"], first["height"], "it is recorded once");
}

/// Another wallet signs for the account, which is no longer the one that its key begins.
fn adds_a_key(desk: &Desk, alice: &str, bob: &str) {
    desk.new_wallet("phone");
    let passphrase = desk.path("passphrase");
    let add = ["key", "add", "phone", "--other-passphrase-file", &passphrase, "--wallet", "alice"];
    desk.applied(&add);
    desk.applied(&["pay", bob, "5", "--wallet", "phone", "--sender", alice]);
}

fn says_what_is_wrong(desk: &Desk, bob: &str) {
    let other = "ab".repeat(32);
    fs::write(desk.path("wrong"), "wrong horse\n").unwrap();
    for usage in [
        &["pay", bob, "5"][..],
        &["pay", bob, "5", "--wallet", "nobody"],
        &["pay", bob, "5", "--wallet", "alice", "--chain-id", &other],
    ] {
        assert_eq!(desk.fails(usage).0, 2, "{usage:?}");
    }
    let keystore = desk.path("wallets");
    let wrong = desk.path("wrong");
    let line = ["wallet", "export", "alice", &desk.path("alice.pem"), "--keystore", &keystore];
    let output = ended(&mut popmarket(&[&line[..], &["--passphrase-file", &wrong]].concat()));
    assert_eq!(output.status.code(), Some(2));
    assert!(!Path::new(&desk.path("alice.pem")).exists());
    let output = ended(&mut popmarket(&["tx", "pay", "pop1nobody", "5"]));
    assert_eq!(output.status.code(), Some(2));

    // A market that shows another chain than before is not signed for, unless the user says that it is right.
    let chains = Path::new(&keystore).join("chains.json");
    let known = fs::read_to_string(&chains).unwrap();
    let chain: Value = serde_json::from_str(&known).unwrap();
    let id = text(chain.as_object().unwrap().values().next().unwrap()).to_owned();
    fs::write(&chains, known.replace(&id, &other)).unwrap();
    assert_eq!(desk.fails(&["pay", bob, "5", "--wallet", "alice"]).0, 2);
    desk.applied(&["pay", bob, "5", "--wallet", "alice", "--chain-id", &id]);
    let paid = desk.applied(&["pay", bob, "5", "--wallet", "alice"]);

    // What cannot be told is done all the same, and must not be done again; what was only asked for is not.
    let pay = ["tx", "pay", bob, "5", "--wallet", "alice"];
    let (show, plan) = (["tx", "show", &paid], [&pay[..], &["--dry-run"]].concat());
    for (line, code) in [(&pay[..], 0), (&show, 0), (&plan, 1)] {
        let output = ended(desk.command(line).stdout(full()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("standard output cannot be written"), "{line:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{line:?}");
    }
}

/// A file on a disk that is full.
fn full() -> fs::File {
    fs::OpenOptions::new().write(true).open("/dev/full").unwrap()
}

/// As in `popmarket completions bash | head -1`.
#[test]
fn a_reader_that_is_gone_is_no_failure() {
    let nobody = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    let list = ["wallet", "--keystore=/nowhere", "list", "--json"];
    for arguments in [&["completions", "bash"][..], &list] {
        let output = ended(popmarket(arguments).stdout(nobody()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked") && !said.contains("standard output"), "{arguments:?}: {said}");
        assert_ne!(output.status.code(), Some(101), "{arguments:?}");
    }
    // What is wrong is told by the exit code, too.
    let nowhere = ["status", "--url", "http://127.0.0.1:1"];
    for (arguments, code) in [(&["completions", "bash"][..], 0), (&list[..], 0), (&nowhere[..], 1)] {
        let output = ended(popmarket(arguments).stdout(nobody()).stderr(nobody()));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

/// As in `popmarket wallet sign body.json > signed` on a disk that is full. What has changed something elsewhere is done all the same:
/// who takes a change of the passphrase for a failure throws the new one away.
#[test]
fn what_cannot_be_written_is_not_called_done() {
    let folder = TemporaryFolder::new("popmarket-test").unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (testnet, other_testnet, key) = (path("testnet"), path("other"), path("key.pem"));
    let (wallets, old, new) = (path("wallets"), path("old"), path("new"));
    fs::write(&old, "correct horse\n").unwrap();
    fs::write(&new, "battery staple\n").unwrap();
    let with = |passphrase| ["--keystore", wallets.as_str(), "--passphrase-file", passphrase];
    let (with_old, with_new) = (with(old.as_str()), with(new.as_str()));
    let made = [&["wallet", "new"][..], &with_old].concat();
    let changed =
        [&["wallet", "passphrase", "default", "--new-passphrase-file", &new][..], &with_old].concat();
    let exported = [&["wallet", "export", "default", &key][..], &with_new].concat();
    let imported = [&["wallet", "import", &key, "--name", "copy"][..], &with_new].concat();
    let renamed = [&["wallet", "rename", "default", "other"][..], &with_new].concat();
    for (arguments, code) in [
        (&["completions", "bash"][..], 1),
        (&["wallet", "--keystore=/nowhere", "list", "--json"], 1),
        (&["wallet", "--keystore=/nowhere", "list"], 1),
        (&["testnet", "--json", "--dir", &testnet], 0),
        (&["testnet", "--dir", &other_testnet], 0),
        (&made, 0),
        (&changed, 0),
        (&exported, 0),
        (&imported, 0),
        (&renamed, 0),
    ] {
        let output = ended(popmarket(arguments).stdout(full()));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains("standard output cannot be written"), "{arguments:?}: {said}");
    }
    // One that cannot complain either says so all the same.
    let output = ended(popmarket(&["completions", "bash"]).stdout(full()).stderr(full()));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn shells_are_told_all_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = popmarket(&["completions", shell]).output().unwrap();
        let script = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0));
        for word in ["verify-receipt", "wallet", "authorize", "dry-run"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
