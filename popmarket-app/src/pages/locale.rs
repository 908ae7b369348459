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
