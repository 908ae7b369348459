//! docs/PROTOCOL.md is held to the code: each rule has a guard and a test that name it, no other id is used, and the tests
//! that the table of mistakes names exist.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn workspace(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// All Rust files below a folder, as one text.
fn code(folder: &str) -> String {
    fn read(path: &Path, text: &mut String) {
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| read(&entry.unwrap().path(), text));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    let mut text = String::new();
    read(&workspace(folder), &mut text);
    assert!(!text.is_empty(), "{folder}");
    text
}

fn protocol() -> String {
    fs::read_to_string(workspace("docs/PROTOCOL.md")).unwrap()
}

/// First cells of the rows of all tables.
fn first_cells(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
}

type Id = (String, u8);

/// `VC-3`, but not `P-256`.
fn id(word: &str) -> Option<Id> {
    let (letters, number) = word.split_once('-')?;
    let is_rule = (1..=2).contains(&letters.len()) && letters.bytes().all(|byte| byte.is_ascii_uppercase());
    let number: Option<u8> = number.parse().ok().filter(|number| *number < 100);
    is_rule.then_some((letters.to_owned(), number?))
}

/// All ids in a list of words, also those within "PP-1 to PP-5".
fn ids(words: &[&str]) -> BTreeSet<Id> {
    let single = words.iter().filter_map(|word| id(word));
    let range = |three: &[&str]| match three {
        [from, "to", to] => id(from).zip(id(to)).filter(|((left, _), (right, _))| left == right),
        _ => None,
    };
    let ranges = words.windows(3).filter_map(range);
    let within =
        |((letters, from), (_, to)): (Id, Id)| (from..=to).map(move |number| (letters.clone(), number));
    single.chain(ranges.flat_map(within)).collect()
}

fn ids_in_text(text: &str) -> BTreeSet<Id> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    ids(&text.split(|c| !is_part(c)).filter(|word| !word.is_empty()).collect::<Vec<_>>())
}

/// `fn vc_5_vc_6_mistake_17_...` names VC-5 and VC-6.
fn ids_in_names(text: &str) -> BTreeSet<Id> {
    let names = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
    let ids_in_name = |name: &str| {
        let parts: Vec<_> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let word = |at: usize| match (parts[at], parts.get(at + 1)) {
            ("to", _) => "to".into(),
            (letters, Some(number)) => format!("{}-{number}", letters.to_ascii_uppercase()),
            (last, None) => last.into(),
        };
        let words: Vec<_> =
            (0..parts.len()).map(word).filter(|word| word == "to" || id(word).is_some()).collect();
        ids(&words.iter().map(String::as_str).collect::<Vec<_>>())
    };
    names.flat_map(ids_in_name).collect()
}

fn rules() -> BTreeSet<Id> {
    first_cells(&protocol()).filter_map(|(cell, _)| id(cell)).collect()
}

#[test]
fn each_rule_is_named_by_a_guard_and_by_a_test() {
    let rules = rules();
    assert!(rules.len() > 60, "{}", rules.len());
    let guards = ids_in_text(&code("pbft-core/src"));
    // What this file says is no test of a rule.
    let tests = code("pbft-core/tests").replace(include_str!("ids.rs"), "") + &code("pbft-sim");
    let tests: BTreeSet<_> = &ids_in_text(&tests) | &ids_in_names(&tests);
    let lacking = |named: &BTreeSet<Id>| rules.difference(named).cloned().collect::<Vec<_>>();
    assert_eq!((lacking(&guards), lacking(&tests)), (vec![], vec![]), "without a guard, without a test");
}

#[test]
fn no_id_is_used_that_the_document_does_not_have() {
    let rules = rules();
    let letters: BTreeSet<_> = rules.iter().map(|(letters, _)| letters.as_str()).collect();
    let used = ["pbft-core", "pbft-sim", "pbft-node"].map(code).concat() + &protocol();
    let used = &ids_in_text(&used) | &ids_in_names(&used);
    let unknown = |used: &&Id| letters.contains(used.0.as_str()) && !rules.contains(*used);
    let unknown: Vec<_> = used.iter().filter(unknown).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn each_mistake_names_tests_that_exist() {
    let protocol = protocol();
    let mistakes: Vec<_> =
        first_cells(&protocol).filter_map(|(cell, rest)| Some((cell.parse::<u8>().ok()?, rest))).collect();
    assert!(mistakes.iter().map(|(number, _)| *number).eq(1..=34));
    let code = ["pbft-core", "pbft-node", "ledger/tests"].map(code).concat();
    for (number, row) in mistakes {
        let quoted = row.split('`').skip(1).step_by(2);
        let tests: Vec<_> = quoted.filter(|name| name.contains('_')).collect();
        for test in &tests {
            assert!(code.contains(&format!("fn {test}(")), "mistake {number}: {test}");
        }
        assert!(!tests.is_empty() || row.contains("| the same |"), "mistake {number}");
    }
}
