//! Which page of a list is wanted.

use crate::read_model::{Page, PageLimit, PageRequest, PageStart, ReadError};

use super::code::Code;
use super::csv::Format;
use super::problem::{Failure, Problem};

/// From the parameters `limit`, `starting_after` and `ending_before`.
///
/// # Errors
/// INVALID_QUERY.
pub(crate) fn page<K>(
    limit: Option<u32>,
    starting_after: Option<K>,
    ending_before: Option<K>,
) -> Result<PageRequest<K>, Failure> {
    let limit = match limit {
        None => PageLimit::DEFAULT,
        Some(limit) => PageLimit::new(limit)
            .ok_or_else(|| Problem::because(Code::INVALID_QUERY, "limit: 1 to 100 items"))?,
    };
    let start = match (starting_after, ending_before) {
        (None, None) => PageStart::First,
        (Some(item), None) => PageStart::After(item),
        (None, Some(item)) => PageStart::Before(item),
        (Some(_), Some(_)) => {
            return Err(Problem::because(Code::INVALID_QUERY, "starting_after or ending_before, not both"));
        }
    };
    Ok(PageRequest { limit, start })
}

/// The item that a page starts from.
pub(crate) fn start_of<K: Copy>(request: &PageRequest<K>) -> Option<K> {
    match request.start {
        PageStart::First => None,
        PageStart::After(item) | PageStart::Before(item) => Some(item),
    }
}

/// Cuts a page from a list that the ledger nearby has, in the order of `place`. `start` is the place of the item that the
/// page starts from: that item may have left the list since.
///
/// # Errors
/// INVALID_QUERY, if the page starts from something that there never was.
pub(crate) fn cut<K, T, P: Ord>(
    mut list: Vec<T>,
    request: &PageRequest<K>,
    place: impl Fn(&T) -> P,
    start: Option<P>,
) -> Result<Page<T>, Failure> {
    list.sort_unstable_by_key(&place);
    let limit = usize::try_from(request.limit.value()).unwrap_or(1);
    let start = || start.ok_or_else(|| Problem::because(Code::INVALID_QUERY, ReadError::UnknownCursor));
    let more = match request.start {
        PageStart::First => 0,
        PageStart::After(_) => {
            let start = start()?;
            list.retain(|item| place(item) > start);
            0
        }
        PageStart::Before(_) => {
            let start = start()?;
            list.retain(|item| place(item) < start);
            list.len().saturating_sub(limit)
        }
    };
    let has_more = list.len() > limit;
    Ok(Page { items: list.into_iter().skip(more).take(limit).collect(), has_more })
}

/// The query of a list that has no filters.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// The id of the item before the first one wanted.
    pub starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    pub ending_before: Option<String>,
}

impl ListQuery {
    /// The page of a list whose items are named by `K`.
    ///
    /// # Errors
    /// INVALID_QUERY.
    pub(crate) fn page<K: std::str::FromStr<Err: std::fmt::Display>>(
        self,
    ) -> Result<PageRequest<K>, Failure> {
        page(
            self.limit,
            parsed("starting_after", self.starting_after)?,
            parsed("ending_before", self.ending_before)?,
        )
    }
}

/// The same for a list that can be had as a table.
#[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TableQuery {
    /// How many items, 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// The id of the item before the first one wanted.
    pub starting_after: Option<String>,
    /// The id of the item after the last one wanted.
    pub ending_before: Option<String>,
    /// `json` or `csv`, whatever `Accept` says.
    #[param(inline)]
    pub format: Option<Format>,
}

impl TableQuery {
    /// The page of a list whose items are named by `K`.
    ///
    /// # Errors
    /// INVALID_QUERY.
    pub(crate) fn page<K: std::str::FromStr<Err: std::fmt::Display>>(
        self,
    ) -> Result<PageRequest<K>, Failure> {
        let Self { limit, starting_after, ending_before, .. } = self;
        ListQuery { limit, starting_after, ending_before }.page()
    }
}

/// The value of a parameter.
///
/// # Errors
/// INVALID_QUERY.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: Option<String>,
) -> Result<Option<T>, Failure> {
    let parse = |text: String| text.parse();
    text.map(parse)
        .transpose()
        .map_err(|error| Problem::because(Code::INVALID_QUERY, format_args!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_one_start_and_1_to_100_items() {
        let of = |limit, after, before| page::<u8>(limit, after, before).map_err(|problem| problem.code);
        assert_eq!(of(None, None, None), Ok(PageRequest::default()));
        let start = PageStart::After(7);
        assert_eq!(of(Some(100), Some(7), None), Ok(PageRequest { limit: PageLimit::MAX, start }));
        assert_eq!(of(None, None, Some(7)).unwrap().start, PageStart::Before(7));
        for (limit, after, before) in
            [(Some(0), None, None), (Some(101), None, None), (None, Some(1), Some(2))]
        {
            assert_eq!(of(limit, after, before), Err(Code::INVALID_QUERY));
        }
    }
}
