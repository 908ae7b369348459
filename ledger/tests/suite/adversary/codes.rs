//! Every code that the ledger answers with is tried by somebody, or it is said why not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::attacks::attacks;
use super::door::TRICKS;

/// What nobody tries here, and why.
const NOT_TRIED: &[(&str, &str)] = &[
    ("NO_REPLICA_ID_LEFT", "it takes 65,536 replicas, one after the other"),
    (
        "PROPOSER_NOT_ADMIN",
        "an admin has to lose the role in between, and the scene does not change: see `roles`",
    ),
];

/// The codes that are expected of some request.
pub(super) fn tried() -> BTreeSet<&'static str> {
    attacks().iter().map(|attack| attack.2).chain(TRICKS.iter().map(|trick| trick.1)).collect()
}

/// All that the crate's source gives as codes of refusals and rejections. There is no list of them to fall behind.
fn all() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    all
}

fn collect(folder: &Path, all: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            text.split("\nimpl ").skip(1).for_each(|block| all.extend(codes_of(block)));
        }
    }
}

/// Those in an `impl` of a refusal or rejection.
fn codes_of(block: &str) -> impl Iterator<Item = String> {
    let name = block.split_whitespace().next().unwrap_or_default();
    let has_codes = name == "Refusal" || name.ends_with("Rejection");
    let body = block.split("\n}\n").next().filter(|_| has_codes).unwrap_or_default();
    let is_code =
        |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    body.split('"').skip(1).step_by(2).filter(is_code).map(str::to_owned)
}

#[test]
fn each_code_is_tried_or_it_is_said_why_not() {
    let all = all();
    assert!(all.len() > 140 && all.contains("INSUFFICIENT_FUNDS") && all.contains("NONCE_USED"), "{all:?}");
    let (tried, not_tried) = (tried(), NOT_TRIED.iter().copied().collect::<BTreeMap<_, _>>());
    for code in &all {
        let is_tried = tried.contains(code.as_str());
        match not_tried.get(code.as_str()) {
            None => assert!(is_tried, "{code}: nobody tries it; add an attack, or say in NOT_TRIED why not"),
            Some(why) => assert!(!is_tried, "{code} is tried, although {why}"),
        }
    }
    let named = tried.into_iter().chain(not_tried.into_keys());
    assert_eq!(named.filter(|code| !all.contains(*code)).collect::<Vec<_>>(), [""; 0], "no such codes");
}
