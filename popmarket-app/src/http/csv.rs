//! Lists as JSON or as CSV (RFC 4180), with links to the pages before and after in the `Link` header (RFC 8288).
//!
//! A spreadsheet takes a cell that begins like a formula for one, whoever wrote it. Such a cell gets an apostrophe in
//! front.

use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE, LINK, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::List;

const TEXT_CSV: &str = "text/csv; charset=utf-8; header=present";

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// JSON.
    Json,
    /// A table.
    Csv,
}

/// Something that is a line of a table.
pub(crate) trait Record {
    /// What the table is called.
    const TABLE: &'static str;
    /// Its columns.
    const COLUMNS: &'static [&'static str];

    /// What names it in `starting_after` and `ending_before`.
    fn cursor(&self) -> String;

    /// One for each column.
    fn cells(&self) -> Vec<String>;
}

/// How a client wants a list.
pub(crate) struct Wanted {
    accepted: Format,
    uri: Uri,
}

impl<S: Sync> FromRequestParts<S> for Wanted {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok(Self { accepted: accepted(accept), uri: parts.uri.clone() })
    }
}

impl Wanted {
    /// The answer. What the query says counts more than what the client accepts.
    pub(crate) fn answer<T: Record + Serialize>(&self, said: Option<Format>, list: List<T>) -> Response {
        let links = links(&self.uri, &list);
        let mut response = match said.unwrap_or(self.accepted) {
            Format::Json => Json(list).into_response(),
            Format::Csv => {
                let file = format!("attachment; filename=\"{}.csv\"", T::TABLE);
                let headers = [(CONTENT_TYPE, TEXT_CSV), (CONTENT_DISPOSITION, file.as_str())];
                (headers, table(&list.data)).into_response()
            }
        };
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("accept"));
        if let Some(links) = links.and_then(|links| HeaderValue::try_from(links).ok()) {
            headers.insert(LINK, links);
        }
        response
    }
}

/// Whether a request is for a table, if its route has one.
pub(super) fn is_wanted(parts: &Parts) -> bool {
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let said = form_urlencoded::parse(query).find(|(name, _)| name == "format");
    let accepts = || parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok()).map(accepted);
    match said {
        Some((_, format)) => format == "csv",
        None => accepts() == Some(Format::Csv),
    }
}

/// Which of the two an `Accept` header prefers. JSON unless CSV is wanted more.
fn accepted(header: &str) -> Format {
    let ranges = || header.split(',').filter_map(range);
    // The most exact range that fits a type says how much it is wanted.
    let wish = |names: [&str; 3]| {
        let of = |name: &str| ranges().find(|(range, _)| range.eq_ignore_ascii_case(name)).map(|(_, q)| q);
        names.into_iter().find_map(of).unwrap_or(0.0)
    };
    let csv = wish(["text/csv", "text/*", "*/*"]);
    if csv > wish(["application/json", "application/*", "*/*"]) { Format::Csv } else { Format::Json }
}

/// A media range and how much it is wanted.
fn range(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next()?;
    let quality = parts.find_map(|part| part.strip_prefix("q="));
    Some((name, quality.map_or(Ok(1.0), str::parse).ok()?))
}

/// Where the pages before and after are.
fn links<T: Record>(uri: &Uri, list: &List<T>) -> Option<String> {
    let query = uri.query().unwrap_or_default().as_bytes();
    let has = |name: &str| form_urlencoded::parse(query).any(|(key, _)| key == name);
    let backwards = has("ending_before");
    let (next, prev) = if backwards { (true, list.has_more) } else { (list.has_more, has("starting_after")) };
    let link = |name: &str, relation: &str, item: &T| {
        let mut with = form_urlencoded::Serializer::new(String::new());
        let is_kept = |key: &str| !matches!(key, "starting_after" | "ending_before" | "min_height");
        with.extend_pairs(form_urlencoded::parse(query).filter(|(key, _)| is_kept(key)));
        with.append_pair(name, &item.cursor());
        format!("<{}?{}>; rel=\"{relation}\"", uri.path(), with.finish())
    };
    let next = list.data.last().filter(|_| next).map(|item| link("starting_after", "next", item));
    let prev = list.data.first().filter(|_| prev).map(|item| link("ending_before", "prev", item));
    let links: Vec<_> = next.into_iter().chain(prev).collect();
    (!links.is_empty()).then(|| links.join(", "))
}

/// A table with a line that names its columns.
fn table<T: Record>(items: &[T]) -> String {
    let mut table = String::new();
    line(&mut table, T::COLUMNS.iter().copied());
    for item in items {
        line(&mut table, item.cells().iter().map(String::as_str));
    }
    table
}

fn line<'a>(table: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (index, text) in cells.enumerate() {
        if index > 0 {
            table.push(',');
        }
        cell(table, text);
    }
    table.push_str("\r\n");
}

fn cell(table: &mut String, text: &str) {
    let guard = if looks_like_formula(text) { "'" } else { "" };
    if text.contains([',', ';', '"', '\r', '\n', '\t']) {
        table.push('"');
        table.push_str(guard);
        table.push_str(&text.replace('"', "\"\""));
        table.push('"');
    } else {
        table.push_str(guard);
        table.push_str(text);
    }
}

/// Also in the wide forms that spreadsheets of East Asia know, and behind what they skip.
fn looks_like_formula(text: &str) -> bool {
    let begins = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    text.starts_with(['\t', '\r', '\n']) || text.trim_start().starts_with(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_written_where_it_is_wanted_more() {
        for header in [
            "text/csv",
            "TEXT/CSV",
            "text/*",
            "text/csv, */*;q=0.1",
            "application/json;q=0.4, text/csv;q=0.5",
        ] {
            assert_eq!(accepted(header), Format::Csv, "{header}");
        }
        for header in [
            "",
            "*/*",
            "application/json",
            "text/html, */*;q=0.8",
            "text/csv;q=0",
            "text/csv;q=0.5, application/json",
            "text/csv, application/json",
            "text/csv;q=NaN",
            "text/csv;q=x",
            ",;=,",
        ] {
            assert_eq!(accepted(header), Format::Json, "{header}");
        }
    }

    #[test]
    fn cells_are_quoted_as_the_standard_says_and_no_formula() {
        for (text, written) in [
            ("", ""),
            ("필름 카메라", "필름 카메라"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "'=1+1"),
            ("+82", "'+82"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1+1", "'＝1+1"),
            (" =1", "' =1"),
            ("\t=1", "\"'\t=1\""),
            ("=cmd|' /C calc'!A0,\"x\"", "\"'=cmd|' /C calc'!A0,\"\"x\"\"\""),
            ("a=b", "a=b"),
            ("12000", "12000"),
        ] {
            let mut table = String::new();
            cell(&mut table, text);
            assert_eq!(table, written, "{text:?}");
        }
    }

    struct Word(&'static str);

    impl Record for Word {
        const TABLE: &'static str = "words";
        const COLUMNS: &'static [&'static str] = &["word", "length"];

        fn cursor(&self) -> String {
            self.0.to_owned()
        }

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), self.0.len().to_string()]
        }
    }

    #[test]
    fn a_table_has_a_line_of_names_and_one_for_each_item() {
        assert_eq!(table::<Word>(&[]), "word,length\r\n");
        assert_eq!(table(&[Word("a"), Word("=b")]), "word,length\r\na,1\r\n'=b,2\r\n");
    }

    #[test]
    fn links_lead_where_there_is_something() {
        let of = |uri: &str, has_more| {
            let data = vec![Word("a&b"), Word("z")];
            links(&uri.parse().unwrap(), &List { data, has_more })
        };
        let next = "</v1/x?format=csv&limit=2&starting_after=z>; rel=\"next\"";
        let prev = "</v1/x?format=csv&limit=2&ending_before=a%26b>; rel=\"prev\"";
        let both = Some(format!("{next}, {prev}"));
        let path = "/v1/x?format=csv&limit=2";
        assert_eq!(of(path, false), None);
        assert_eq!(of(path, true).as_deref(), Some(next));
        assert_eq!(of(&format!("{path}&starting_after=m"), false).as_deref(), Some(prev));
        assert_eq!(of(&format!("{path}&starting_after=m&min_height=3"), true), both);
        assert_eq!(of(&format!("{path}&ending_before=m"), false).as_deref(), Some(next));
        assert_eq!(of(&format!("{path}&ending_before=m"), true), both);
        let nothing = List::<Word> { data: Vec::new(), has_more: false };
        assert_eq!(links(&path.parse().unwrap(), &nothing), None);
    }
}
