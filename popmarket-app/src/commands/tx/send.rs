//! From what is wanted to what came of it: made, signed here, sent, and told.

use std::path::{Path, PathBuf};

use ledger::{AccountOp, Body, Operation, Transaction};
use pbft_crypto::{Address, KeyPair};
use serde::Deserialize;
use serde_json::json;

use super::{Facts, How, Kind, chain, look::words, receipts};
use crate::{
    api::{Api, ApiError},
    clock,
    commands::{
        CommandError,
        answer::Answer,
        wallet::{KeyFolder, Locked, read_file},
    },
    http::{
        ProblemDetails,
        model::{Reply, ReplyStatus},
    },
};

/// What a transaction is made of.
pub(super) enum What {
    Kind(Box<Kind>),
    File(PathBuf),
}

/// What the market says about an account.
#[derive(Deserialize)]
struct Account {
    next_nonce: u64,
}

/// Makes a transaction, and sends it unless it is only to be shown.
pub(super) async fn make(mut how: How, api: &Api, what: What) -> Result<Answer, CommandError> {
    receipts::check_is_free(&how)?;
    let folder = how.folder.clone().open()?;
    let (sender, wallet) = who(&mut how, &folder)?;
    let genesis = chain::find(&how, api, &folder).await?;
    let facts = Facts { chain_id: genesis.chain_id(), sender, now: clock::system()(), wallets: &folder };
    let body = plan(&how, api, what, &facts).await?;
    match wallet {
        Some(wallet) if !how.dry_run => {
            send_signed(&how, api, &genesis, body, &wallet.unlock(&how.passphrase)?).await
        }
        _ => Ok(planned(&body)),
    }
}

/// So many numbers are tried, if those before are used.
const NONCES: u64 = 8;

/// The market may not know yet, or not say, which numbers are used: what it refuses for that leaves no trace. After any other
/// answer nothing is sent again: it may have been carried out.
async fn send_signed(
    how: &How,
    api: &Api,
    genesis: &ledger::Genesis,
    mut body: Body,
    key: &KeyPair,
) -> Result<Answer, CommandError> {
    let tries = if how.nonce.is_some() { 1 } else { NONCES };
    let last = body.nonce.saturating_add(tries - 1);
    loop {
        let transaction = Transaction::sign(body.clone(), key);
        let answer = send(how, api, genesis, &transaction).await?;
        if body.nonce >= last || !is_refused_for_its_nonce(&answer) {
            return Ok(answer);
        }
        body.nonce = body.nonce.saturating_add(1);
    }
}

fn is_refused_for_its_nonce(answer: &Answer) -> bool {
    answer.json["status"] == "REFUSED" && answer.json["code"] == "NONCE_USED"
}

/// Who does it, and who signs. What is only planned for a sender who is named takes no wallet.
fn who(how: &mut How, folder: &KeyFolder) -> Result<(Address, Option<Locked>), CommandError> {
    if let (Some(sender), true) = (how.sender, how.dry_run) {
        return Ok((sender, None));
    }
    let wallet = folder.choose(how.wallet.take())?;
    Ok((how.sender.unwrap_or_else(|| wallet.address()), Some(wallet)))
}

async fn plan(how: &How, api: &Api, what: What, facts: &Facts<'_>) -> Result<Body, CommandError> {
    let &Facts { chain_id, sender, now, .. } = facts;
    let operation = match what {
        What::Kind(kind) => kind.operation(facts, api).await?,
        What::File(file) => read_operation(&file)?,
    };
    let nonce = match how.nonce {
        Some(nonce) => nonce,
        None => next_nonce(api, &sender, &operation).await?,
    };
    let valid_until = now.plus(how.valid_for.0);
    Ok(Body { chain_id, operation, sender, nonce, valid_until, client_ref: random_ref() })
}

fn read_operation(file: &Path) -> Result<Operation, CommandError> {
    let operation = serde_json::from_slice(&read_file(file)?);
    operation.map_err(|error| CommandError::Usage(format!("{}: {error}", file.display())))
}

/// The market tells nothing of an account that does not exist; it has used numbers if its name was refused before.
async fn next_nonce(api: &Api, sender: &Address, operation: &Operation) -> Result<u64, CommandError> {
    match api.get::<Account>(&format!("/v1/accounts/{sender}")).await {
        Ok(Account { next_nonce }) => Ok(next_nonce),
        Err(ApiError::Problem(problem)) if problem.code == "UNKNOWN_ACCOUNT" => match operation {
            Operation::Account(AccountOp::Register { .. }) => Ok(0),
            _ => Err(CommandError::Failed(format!(
                "{sender} has no account on this market: open it with `popmarket tx register NAME` (UNKNOWN_ACCOUNT)"
            ))),
        },
        Err(error) => Err(error.into()),
    }
}

/// As random as a key is.
fn random_ref() -> [u8; 16] {
    let secret = KeyPair::generate().secret_bytes();
    let mut half = [0; 16];
    half.copy_from_slice(&secret[..16]);
    half
}

fn planned(body: &Body) -> Answer {
    let hex = hex::encode(body.encode());
    let json = json!({ "status": "DRY_RUN", "tx_id": body.tx_id(), "body": body, "hex": hex });
    let words = format!(
        "{}\nunsigned, in hex (see `popmarket wallet sign`):\n{hex}",
        serde_json::to_string_pretty(body).unwrap_or_default()
    );
    Answer::new(json, words)
}

/// Sends what was signed elsewhere.
pub(super) async fn submit(how: How, api: &Api, file: &Path) -> Result<Answer, CommandError> {
    receipts::check_is_free(&how)?;
    let wrong = |why: &dyn std::fmt::Display| CommandError::Usage(format!("{}: {why}", file.display()));
    let bytes = read_file(file)?;
    let text = std::str::from_utf8(&bytes).map_err(|error| wrong(&error))?;
    let bytes = hex::decode(text.trim()).map_err(|error| wrong(&error))?;
    let transaction = Transaction::decode(&bytes).map_err(|error| wrong(&error))?;
    let genesis = chain::find(&how, api, &how.folder.clone().open()?).await?;
    transaction.check_stateless(&genesis.chain_id()).map_err(|error| wrong(&error))?;
    if how.dry_run {
        return Ok(planned(transaction.body()));
    }
    send(&how, api, &genesis, &transaction).await
}

async fn send(
    how: &How,
    api: &Api,
    genesis: &ledger::Genesis,
    transaction: &Transaction,
) -> Result<Answer, CommandError> {
    let signed = json!({ "transaction": hex::encode(transaction.encode()) });
    let sent: Result<Reply, _> = api.send("/v1/transactions", &signed, how.wait).await;
    let mut answer = told(transaction, sent);
    if let (None, Some(file)) = (&answer.failure, &how.receipt) {
        // The transaction is carried out, whatever becomes of the receipt: that must not look like a failure.
        match receipts::fetch(api, genesis, transaction, file).await {
            Ok(()) => answer.json["receipt"] = json!(file.display().to_string()),
            Err(error) => {
                answer.json["receipt_error"] = json!(error.to_string());
                complain!("popmarket: there is no receipt: {error}");
            }
        }
    }
    Ok(answer)
}

/// What came of it, as far as the market says.
pub(super) fn told(transaction: &Transaction, sent: Result<Reply, ApiError>) -> Answer {
    let id = transaction.id();
    match sent {
        Ok(reply) if reply.status == ReplyStatus::Applied => {
            let json = json!({ "status": "APPLIED", "tx_id": id, "height": reply.height });
            let height = reply.height.map(|height| format!(" in block {height}")).unwrap_or_default();
            let words = format!("done{height}\n{}", words(transaction.body(), &id));
            Answer::done(json, words)
        }
        Ok(_) => unknown(transaction, "it is on its way"),
        Err(ApiError::Problem(problem)) if problem.status < 500 => refused(transaction, &problem),
        Err(error) => unknown(transaction, &error.to_string()),
    }
}

fn refused(transaction: &Transaction, problem: &ProblemDetails) -> Answer {
    let ProblemDetails { title, code, detail, tx_id, retryable, .. } = problem;
    // The ledger keeps what it rejects, and the nonce is used up; what it refuses leaves no trace.
    let (status, words) = match tx_id {
        Some(_) => ("REJECTED", "recorded as failed"),
        None => ("REFUSED", "nothing was done"),
    };
    let why = detail.as_ref().unwrap_or(title);
    let json = json!({
        "status": status,
        "tx_id": transaction.id(),
        "code": code,
        "detail": why,
        "retryable": retryable,
    });
    let failure = Some(CommandError::Failed(format!("{words}: {why} ({code})")));
    Answer { failure, ..Answer::new(json, "") }
}

/// It may have arrived or not. Sending the same bytes again is safe, a new transaction might do it twice.
fn unknown(transaction: &Transaction, why: &str) -> Answer {
    let (id, signed) = (transaction.id(), hex::encode(transaction.encode()));
    let json = json!({ "status": "UNKNOWN", "tx_id": id, "detail": why, "transaction": signed });
    let failure = CommandError::Unknown(format!(
        "not known yet: {why}. Do not make it again: look with `popmarket tx show {id}`, or send the same once more \
         with `popmarket tx submit`"
    ));
    Answer { failure: Some(failure), ..Answer::new(json, signed) }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
    use clap::Parser;
    use ledger::{ChargeOp, TxId};
    use serde_json::Value;

    use super::*;
    use crate::{
        commands::failure::{EXIT_FAILED, EXIT_UNKNOWN},
        http::model::Kind,
        testing::{genesis, key, sign},
    };

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        how: How,
    }

    fn transaction(nonce: u64) -> Transaction {
        let operation = ChargeOp::Request { amount: ledger::Amount::new(5), memo: "".parse().unwrap() };
        sign(&key(4), nonce, operation)
    }

    fn details(status: u16, code: &str, tx_id: Option<&str>) -> ProblemDetails {
        ProblemDetails {
            r#type: "/docs#X".into(),
            title: "It does not work.".into(),
            status,
            code: code.into(),
            detail: None,
            field: None,
            tx_id: tx_id.map(str::to_owned),
            retryable: false,
        }
    }

    fn problem(status: u16, tx_id: Option<&str>) -> ApiError {
        ApiError::Problem(Box::new(details(status, "X", tx_id)))
    }

    fn reply(tx_id: TxId, status: ReplyStatus) -> Reply {
        let (id, href, height) = (tx_id.to_string(), String::new(), Some(7));
        Reply { tx_id, status, height, kind: Kind::Transaction, id, href }
    }

    /// Mistake: a payment that may have been made looks as if it had failed, and is made again.
    #[test]
    fn what_is_not_known_is_never_called_a_failure() {
        let transaction = transaction(0);
        let tx_id = transaction.id();
        let strange = Api::new("http://127.0.0.1:1")
            .map(|api| ApiError::Strange { base: api.base().clone(), why: "it answers 502".into() });
        for (sent, status, code) in [
            (Ok(reply(tx_id, ReplyStatus::Applied)), "APPLIED", None),
            (Ok(reply(tx_id, ReplyStatus::Submitted)), "UNKNOWN", Some(EXIT_UNKNOWN)),
            (Err(problem(409, None)), "REFUSED", Some(EXIT_FAILED)),
            (Err(problem(429, None)), "REFUSED", Some(EXIT_FAILED)),
            (Err(problem(409, Some("ab"))), "REJECTED", Some(EXIT_FAILED)),
            (Err(problem(500, None)), "UNKNOWN", Some(EXIT_UNKNOWN)),
            (Err(problem(503, None)), "UNKNOWN", Some(EXIT_UNKNOWN)),
            (Err(strange.unwrap()), "UNKNOWN", Some(EXIT_UNKNOWN)),
        ] {
            let answer = told(&transaction, sent);
            assert_eq!((&answer.json["status"], &answer.json["tx_id"]), (&json!(status), &json!(tx_id)));
            let said = answer.failure.as_ref().map(ToString::to_string).unwrap_or_default();
            assert_eq!(said.starts_with("nothing was done"), status == "REFUSED", "{said}");
            assert_eq!(said.starts_with("recorded as failed"), status == "REJECTED", "{said}");
            assert_eq!(answer.failure.map(|failure| failure.exit_code()), code, "{status}");
        }
    }

    /// What a market says: a status, a code, and whether the transaction is on the chain.
    type Said = (u16, &'static str, bool);

    /// Gives these answers, the last one again and again, and keeps the numbers of what it was sent.
    struct Market {
        answers: Vec<Said>,
        nonces: Mutex<Vec<u64>>,
    }

    async fn take(State(market): State<Arc<Market>>, Json(sent): Json<Value>) -> (StatusCode, Json<Value>) {
        let bytes = hex::decode(sent["transaction"].as_str().unwrap()).unwrap();
        let transaction = Transaction::decode(&bytes).unwrap();
        let mut nonces = market.nonces.lock().unwrap();
        let (status, code, is_kept) = market.answers[nonces.len().min(market.answers.len() - 1)];
        nonces.push(transaction.body().nonce);
        let id = transaction.id();
        let answer = match status {
            201 => json!(reply(id, ReplyStatus::Applied)),
            _ => json!(details(status, code, is_kept.then(|| id.to_string()).as_deref())),
        };
        (StatusCode::from_u16(status).unwrap(), Json(answer))
    }

    async fn open(answers: Vec<Said>) -> (Arc<Market>, Api) {
        let market = Arc::new(Market { answers, nonces: Mutex::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Api::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let router = Router::new().route("/v1/transactions", post(take)).with_state(Arc::clone(&market));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (market, api)
    }

    /// Mistake: after an answer that leaves open what came of it, the same is done once more under the next number.
    #[tokio::test]
    async fn another_number_is_tried_only_if_the_one_before_is_used() {
        const USED: Said = (409, "NONCE_USED", false);
        for (given, answers, nonces, status) in [
            ("tx", vec![USED, USED, (201, "", true)], vec![5, 6, 7], "APPLIED"),
            ("tx", vec![(409, "INSUFFICIENT_FUNDS", true)], vec![5], "REJECTED"),
            ("tx", vec![(409, "NONCE_USED", true)], vec![5], "REJECTED"),
            ("tx", vec![(409, "EXPIRED", false)], vec![5], "REFUSED"),
            ("tx", vec![(503, "UNAVAILABLE", false)], vec![5], "UNKNOWN"),
            ("tx", vec![(500, "NONCE_USED", false)], vec![5], "UNKNOWN"),
            ("tx", vec![USED], vec![5, 6, 7, 8, 9, 10, 11, 12], "REFUSED"),
            // Whoever names a number wants that one.
            ("tx --nonce 5", vec![USED], vec![5], "REFUSED"),
        ] {
            let Line { how } = Line::try_parse_from(given.split(' ')).unwrap();
            let (market, api) = open(answers).await;
            let body = transaction(5).body().clone();
            let answer = send_signed(&how, &api, &genesis(), body, &key(4)).await.unwrap();
            assert_eq!(answer.json["status"], status);
            assert_eq!(*market.nonces.lock().unwrap(), nonces, "{status}");
        }
    }
}
