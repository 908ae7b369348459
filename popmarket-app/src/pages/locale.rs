//! The languages of the pages.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// Korean.
    Ko,
    /// English.
    En,
}

type Catalog = BTreeMap<String, String>;

fn catalog(text: &str) -> Catalog {
    toml::from_str(text).expect("the catalogs are part of the program, and a test reads them")
}

static KO: LazyLock<Catalog> = LazyLock::new(|| catalog(include_str!("../../locales/ko.toml")));
static EN: LazyLock<Catalog> = LazyLock::new(|| catalog(include_str!("../../locales/en.toml")));

impl Lang {
    /// The one that a code names.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "ko" => Some(Self::Ko),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The one that a visitor's browser asks for: the first that we know. Korean if there is none.
    pub fn accepted(header: &str) -> Self {
        let mut wishes: Vec<(f32, &str)> = header.split(',').filter_map(wish).collect();
        // Stable: what comes first wins.
        wishes.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        wishes.iter().find_map(|(_, code)| Self::from_code(code)).unwrap_or(Self::Ko)
    }

    /// Its BCP 47 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    /// What its speakers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ko => "한국어",
            Self::En => "English",
        }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Ko => Self::En,
            Self::En => Self::Ko,
        }
    }

    /// The text of a key. A key without a text stands for itself, but there is none: see the tests.
    pub fn text(self, key: &str) -> &str {
        let catalog: &'static Catalog = match self {
            Self::Ko => &KO,
            Self::En => &EN,
        };
        catalog.get(key).map_or(key, String::as_str)
    }

    /// The text of a key with its `{placeholders}` filled in. What is filled in is not looked at again.
    pub fn fill(self, key: &str, values: &[(&str, &str)]) -> String {
        let mut parts = self.text(key).split('{');
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or((part, ""));
            let value = values.iter().find(|(n, _)| *n == name).map_or("", |(_, value)| value);
            filled.push_str(value);
            filled.push_str(rest);
        }
        filled
    }
}

/// All keys.
#[cfg(test)]
pub(super) fn keys() -> impl Iterator<Item = &'static String> {
    KO.keys()
}

/// One of the wishes of an `Accept-Language` header: how much it is wished for, and the language.
fn wish(text: &str) -> Option<(f32, &str)> {
    let (range, quality) = text.split_once(";q=").unwrap_or((text, "1"));
    let code = range.trim().split('-').next()?;
    let quality: f32 = quality.trim().parse().ok()?;
    (quality > 0.0).then_some((quality, code))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn both_languages_have_the_same_keys_and_placeholders() {
        assert!(KO.keys().eq(EN.keys()));
        for (key, text) in KO.iter() {
            assert_eq!(placeholders(text), placeholders(&EN[key]), "{key}");
            assert!(!text.is_empty() && !EN[key].is_empty(), "{key}");
        }
    }

    /// What follows `before` in templates and code, up to the next quotation mark.
    fn named(before: &str) -> BTreeSet<String> {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = ["templates", "src/pages"].map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
        let files =
            folders.into_iter().flatten().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        let keys = files.flat_map(|text| {
            let parts = text.split(before).skip(1);
            parts.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect::<Vec<_>>()
        });
        keys.filter(|key| {
            !key.is_empty() && key.chars().all(|c| matches!(c, 'a'..='z' | 'A'..='Z' | '_' | '.'))
        })
        .collect()
    }

    #[test]
    fn every_text_that_is_asked_for_is_there_and_no_other() {
        let (mut keys, with_values) = (named("ui.t(\""), named(".t1(\""));
        keys.extend(with_values);
        let [notices, words, deadlines, edits] =
            ["\"notice.", "\"words.", "\"deadline.", "\"edit."].map(named);
        keys.extend(edits.into_iter().map(|key| format!("edit.{key}")));
        keys.extend(notices.into_iter().map(|key| format!("notice.{key}")));
        keys.extend(words.into_iter().map(|key| format!("words.{key}")));
        keys.extend(deadlines.into_iter().map(|key| format!("deadline.{key}")));
        keys.extend(["item.photo", "trade.block", "trade.offer"].map(str::to_owned));
        // The rest of these keys is the name of a state, an action, a change or a code.
        let families = [
            "state.", "hint.", "action.", "change.", "replica.", "code.", "party.", "field.", "ruling.",
            "found.",
        ];
        let is_by_name = |key: &&String| families.iter().any(|family| key.starts_with(family));
        let there: BTreeSet<_> = KO.keys().filter(|key| !is_by_name(key)).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn every_name_on_the_ledger_has_a_text() {
        let mut names = Vec::new();
        for state in ledger::TradeState::ALL {
            names.extend([format!("state.{}", state.code()), format!("hint.{}", state.code())]);
        }
        for action in crate::http::model::Action::ALL {
            names.extend([format!("action.{}", action.verb()), format!("action.{}.hint", action.verb())]);
            names.extend(crate::pages::act::fields(*action).iter().map(|field| format!("field.{field}")));
        }
        names.extend(crate::read_model::Hit::KINDS.iter().map(|kind| format!("found.{kind}")));
        let others = [
            "state.OPEN",
            "state.RESERVED",
            "state.SOLD",
            "state.CLOSED",
            "state.REQUESTED",
            "state.APPROVED",
            "state.REJECTED",
            "state.SETTLED",
            "state.VOIDED",
            "hint.ACCEPTED.cancel",
            "change.opened",
            "change.accepted",
            "change.shipped",
            "change.cancel_requested",
            "change.released",
            "change.cancelled",
            "change.released.deadline",
            "change.cancelled.deadline",
            "change.delivered",
            "change.extended",
            "change.split_proposed",
            "change.split",
            "change.disputed",
            "change.arbiter_replaced",
            "change.evidence_added",
            "change.resolved",
            "change.refunded",
            "change.refunded.deadline",
            "change.return_ordered",
            "change.return_shipped",
            "change.return_delivered",
            "change.given_back",
            "change.handover_prepared",
            "change.reminder",
            "party.buyer",
            "party.seller",
            "party.arbiter",
            "party.courier",
            "ruling.release",
            "ruling.refund",
            "ruling.split",
            "ruling.return",
            "replica.up",
            "replica.behind",
            "replica.waiting",
            "replica.unreachable",
        ];
        for name in names.iter().map(String::as_str).chain(others) {
            assert!(KO.contains_key(name), "{name}");
        }
    }

    #[test]
    fn every_code_has_a_text_and_the_english_one_is_its_title() {
        for code in crate::http::Code::ALL {
            let key = format!("code.{}", code.name);
            assert_eq!(Lang::En.text(&key), code.title);
            assert_ne!(Lang::Ko.text(&key), key);
        }
    }

    #[test]
    fn the_browser_chooses_and_korean_is_the_rest() {
        for (header, lang) in [
            ("", Lang::Ko),
            ("en", Lang::En),
            ("en-GB,en;q=0.9,ko;q=0.8", Lang::En),
            ("ja, ko-KR;q=0.5, en;q=0.2", Lang::Ko),
            ("fr, de;q=0.9", Lang::Ko),
            ("en;q=0, fr", Lang::Ko),
            ("ko;q=0.1, en;q=0.2", Lang::En),
            ("en;q=NaN;;,,", Lang::Ko),
        ] {
            assert_eq!(Lang::accepted(header), lang, "{header}");
        }
    }

    #[test]
    fn placeholders_are_filled_once() {
        assert_eq!(Lang::En.fill("home.found", &[("q", "{q}{x}")]), "Results for “{q}{x}”");
        assert_eq!(Lang::En.fill("home.found", &[]), "Results for “”");
    }
}
