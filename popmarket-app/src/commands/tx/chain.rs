//! Which chain a market belongs to: what is signed for one chain counts on no other.
//!
//! The id is computed from the first block that the market shows, so that it names what was shown. That this is the right
//! one the user can say; else the market is believed once, and held to it from then on.

use std::{collections::BTreeMap, io, path::Path};

use ledger::Genesis;
use pbft_crypto::Digest;

use super::How;
use crate::{
    api::Api,
    commands::{CommandError, wallet::KeyFolder},
    config::{read_json, write_json},
};

/// Which chain each market showed when it was asked first.
type Known = BTreeMap<String, Digest>;

/// The first block of the market's chain.
pub(super) async fn find(how: &How, api: &Api, folder: &KeyFolder) -> Result<Genesis, CommandError> {
    let genesis: Genesis = api.get("/v1/network/genesis").await?;
    let found = genesis.chain_id();
    let file = folder.path().join("chains.json");
    let mut known: Known = if file.exists() { read_json(&file)? } else { Known::new() };
    let market = api.base().to_string();
    let before = known.get(&market).copied();
    check(api, found, how.chain_id, before)?;
    if before != Some(found) {
        known.insert(market, found);
        folder.make()?;
        remember(&file, &known)?;
    }
    Ok(genesis)
}

fn check(
    api: &Api,
    found: Digest,
    wanted: Option<Digest>,
    before: Option<Digest>,
) -> Result<(), CommandError> {
    match (wanted, before) {
        (Some(wanted), _) if wanted != found => Err(CommandError::Usage(format!(
            "the market at {} belongs to chain {found}, not to {wanted}",
            api.base()
        ))),
        (None, Some(before)) if before != found => Err(CommandError::Usage(format!(
            "the market at {} belonged to chain {before} before, and shows {found} now. If that is right, say so: \
             --chain-id {found}",
            api.base()
        ))),
        _ => Ok(()),
    }
}

/// In one step, so that two commands at once leave one list or the other.
fn remember(file: &Path, known: &Known) -> Result<(), CommandError> {
    let new = file.with_extension(format!("{}.tmp", std::process::id()));
    let as_error = |error: io::Error| CommandError::Usage(format!("{}: {error}", file.display()));
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(as_error(error)),
        _ => {}
    }
    write_json(&new, known)?;
    std::fs::rename(&new, file).map_err(as_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_market_is_held_to_its_chain_unless_the_user_knows_better() {
        let api = Api::new("http://127.0.0.1:1").unwrap();
        let [one, other] = [1, 2].map(|byte| Digest::from_bytes([byte; 32]));
        for (wanted, before, good) in [
            (None, None, true),
            (None, Some(one), true),
            (None, Some(other), false),
            (Some(one), None, true),
            (Some(one), Some(other), true),
            (Some(other), None, false),
            (Some(other), Some(one), false),
        ] {
            assert_eq!(check(&api, one, wanted, before).is_ok(), good, "{wanted:?} {before:?}");
        }
    }
}
