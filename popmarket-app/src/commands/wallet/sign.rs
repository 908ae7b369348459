//! `popmarket wallet sign`: for a computer that holds the key and has no network.

use std::path::Path;

use ledger::{Body, Transaction};
use serde::Deserialize;
use serde_json::json;

use super::{KeyFolder, PassphraseArgs, WalletName, keys::read};
use crate::commands::{CommandError, answer::Answer};

pub(super) fn sign(
    folder: &KeyFolder,
    name: Option<WalletName>,
    file: &Path,
    passphrase: &PassphraseArgs,
) -> Result<Answer, CommandError> {
    let body = parse_body(&read(file)?);
    let body = body.map_err(|why| CommandError::Usage(format!("{}: {why}", file.display())))?;
    let wallet = folder.choose(name)?;
    if body.sender != wallet.address() {
        complain!(
            "The sender {} is not the address of wallet {}: only an account that this key was added to takes it.",
            body.sender,
            wallet.name
        );
    }
    // What is signed is read before the passphrase is given.
    complain!(
        "chain {}\nsender {}, nonce {}\n{}",
        body.chain_id,
        body.sender,
        body.nonce,
        json!(body.operation)
    );
    let transaction = Transaction::sign(body, &wallet.unlock(passphrase)?);
    let signed = hex::encode(transaction.encode());
    Ok(Answer::new(json!({ "tx_id": transaction.id(), "transaction": signed }), signed))
}

/// What `--dry-run --json` prints.
#[derive(Deserialize)]
struct Planned {
    body: Body,
}

/// A body in JSON, by itself or as it is planned, in hex, or in its canonical bytes.
fn parse_body(bytes: &[u8]) -> Result<Body, String> {
    let text = std::str::from_utf8(bytes).map(str::trim).unwrap_or_default();
    if text.starts_with('{') {
        let planned = serde_json::from_str::<Planned>(text).map(|planned| planned.body);
        return planned.or_else(|_| serde_json::from_str(text)).map_err(|error| error.to_string());
    }
    let decoded = hex::decode(text).ok().filter(|decoded| !decoded.is_empty());
    Body::decode(decoded.as_deref().unwrap_or(bytes)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use ledger::ChargeOp;

    use super::*;
    use crate::testing::{key, sign};

    #[test]
    fn a_body_is_read_in_every_form_and_nothing_else_is() {
        let operation =
            ChargeOp::Request { amount: ledger::Amount::new(5), memo: "deposit 17".parse().unwrap() };
        let body = sign(&key(4), 7, operation).body().clone();
        let bytes = body.encode();
        let hex = hex::encode(&bytes);
        let forms = [
            bytes.clone(),
            hex.clone().into_bytes(),
            format!("\n{hex}\n").into_bytes(),
            json!(body).to_string().into_bytes(),
            json!({"body": body, "hex": hex}).to_string().into_bytes(),
        ];
        for form in forms {
            assert_eq!(parse_body(&form).unwrap(), body, "{}", String::from_utf8_lossy(&form));
        }
        let signed = hex::encode(sign(&key(4), 7, body.operation.clone()).encode());
        for bad in [&b""[..], b"{}", b"abc", &bytes[1..], signed.as_bytes(), b"{\"body\":{}}"] {
            assert!(parse_body(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
