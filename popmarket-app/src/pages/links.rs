//! Links to the pages before and after in a list.

use serde::Deserialize;

use crate::http::{Code, Failure, Problem};
use crate::read_model::{PageLimit, PageRequest, PageStart};

/// How many items a page shows.
const ITEMS: PageLimit = match PageLimit::new(24) {
    Some(limit) => limit,
    None => PageLimit::DEFAULT,
};

/// Which part of a list a visitor wants.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

impl Part {
    /// For the read model. `K` names an item.
    pub(super) fn request<K: std::str::FromStr>(&self) -> Result<PageRequest<K>, Failure> {
        let item = |text: &String| text.parse().map_err(|_| Problem::new(Code::INVALID_QUERY));
        let start = match (&self.after, &self.before) {
            (Some(text), _) => PageStart::After(item(text)?),
            (None, Some(text)) => PageStart::Before(item(text)?),
            (None, None) => PageStart::First,
        };
        Ok(PageRequest { limit: ITEMS, start })
    }

    /// Links to the neighbours of a page. `first` and `last` name its items; `kept` stays in the query.
    pub(super) fn links(
        &self,
        has_more: bool,
        first: Option<String>,
        last: Option<String>,
        kept: &[(&str, &str)],
    ) -> Links {
        let link = |name: &str, item: String| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(kept.iter().filter(|(_, value)| !value.is_empty())).append_pair(name, &item);
            format!("?{}", query.finish())
        };
        let backwards = self.after.is_none() && self.before.is_some();
        let (has_newer, has_older) =
            if backwards { (has_more, true) } else { (self.after.is_some(), has_more) };
        Links {
            newer: first.filter(|_| has_newer).map(|item| link("before", item)),
            older: last.filter(|_| has_older).map(|item| link("after", item)),
        }
    }
}

/// Links to the pages before and after.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) newer: Option<String>,
    pub(super) older: Option<String>,
}

impl Links {
    pub(super) const fn any(&self) -> bool {
        self.newer.is_some() || self.older.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(after: Option<&str>, before: Option<&str>, has_more: bool) -> (Option<String>, Option<String>) {
        let part = Part { after: after.map(Into::into), before: before.map(Into::into) };
        let links = part.links(has_more, Some("a".into()), Some("z".into()), &[("q", "x&y"), ("r", "")]);
        (links.newer, links.older)
    }

    #[test]
    fn there_are_links_where_there_is_something() {
        let newer = Some("?q=x%26y&before=a".to_owned());
        let older = Some("?q=x%26y&after=z".to_owned());
        assert_eq!(links(None, None, false), (None, None));
        assert_eq!(links(None, None, true), (None, older.clone()));
        assert_eq!(links(Some("m"), None, false), (newer.clone(), None));
        assert_eq!(links(Some("m"), None, true), (newer.clone(), older.clone()));
        assert_eq!(links(None, Some("m"), false), (None, older.clone()));
        assert_eq!(links(None, Some("m"), true), (newer, older));
    }
}
