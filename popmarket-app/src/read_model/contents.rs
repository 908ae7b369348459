//! All that is in the read model, table by table, in a form that is the same on every database.

use std::fmt;

use pbft_crypto::{Digest, Domain, Hasher};

use super::{ReadError, ReadModel};
use crate::sql::Value;
use crate::sql::either::QueryBuilder;

/// What a digest of the contents is for.
const DOMAIN: Domain = Domain::new("popmarket.read-model.v1");
/// Rows that are read at a time.
const ROWS: usize = 512;

/// A table with its primary key.
pub struct Contents {
    name: &'static str,
    key: &'static [&'static str],
}

impl Contents {
    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Contents {
    Contents { name, key }
}

/// All tables of the read model that come from blocks.
pub const CONTENTS: [Contents; 24] = [
    table("projection", &["id"]),
    table("blocks", &["height"]),
    table("transactions", &["position"]),
    table("account_transactions", &["account", "position"]),
    table("events", &["position"]),
    table("accounts", &["address"]),
    table("balances", &["account", "asset"]),
    table("freezes", &["tx"]),
    table("charges", &["id"]),
    table("withdrawals", &["id"]),
    table("listings", &["id"]),
    table("listing_versions", &["listing", "version"]),
    table("trades", &["id"]),
    table("trade_steps", &["trade", "position"]),
    table("payments", &["tx"]),
    table("reviews", &["position"]),
    table("tokens", &["symbol"]),
    table("markets", &["id"]),
    table("orders", &["id"]),
    table("fills", &["position"]),
    table("candles", &["market", "span", "start"]),
    table("polls", &["id"]),
    table("poll_options", &["poll", "choice"]),
    table("guardians", &["position"]),
];

/// Their names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    CONTENTS.iter().map(|table| table.name)
}

/// Rows of a table, in the order of their keys.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    columns: Vec<String>,
    rows: Vec<Line>,
}

/// A row: its key, and all its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    key: Vec<Value>,
    values: Vec<Value>,
}

/// The first place in which two read models differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which table.
    pub table: &'static str,
    /// The key of the row.
    pub row: String,
    /// The column, and what is there; that the row is missing if there is none.
    pub here: Option<(String, String)>,
    /// The same in the other one.
    pub there: Option<(String, String)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, row, here, there } = self;
        let side = |side: &Option<(String, String)>| match side {
            Some((column, value)) => format!("{column} = {value}"),
            None => "no such row".to_owned(),
        };
        write!(f, "{table} ({row}): {} and not {}", side(here), side(there))
    }
}

impl ReadModel {
    /// A digest of all that comes from blocks: equal on two databases if, and only if, that is equal.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn digest(&self) -> Result<Digest, ReadError> {
        let mut hasher = Hasher::new(DOMAIN);
        for table in &CONTENTS {
            add_bytes(&mut hasher, table.name.as_bytes());
            let (mut last, mut count) = (None, 0);
            loop {
                let part = self.part(table, last.as_deref()).await?;
                let Some(end) = part.rows.last() else { break };
                last = Some(end.key.clone());
                count += part.rows.len() as u64;
                part.rows.iter().flat_map(|row| &row.values).for_each(|value| add(&mut hasher, value));
            }
            hasher.update_u64(count);
        }
        Ok(hasher.finish())
    }

    /// The first place in which this one differs from another one.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn first_difference(&self, other: &Self) -> Result<Option<Difference>, ReadError> {
        for table in &CONTENTS {
            let mut last = None;
            loop {
                let here = self.part(table, last.as_deref()).await?;
                let there = other.part(table, last.as_deref()).await?;
                if here.rows != there.rows {
                    return Ok(difference(table, &here, &there));
                }
                let Some(end) = here.rows.last() else { break };
                last = Some(end.key.clone());
            }
        }
        Ok(None)
    }

    /// The rows after a key, some at a time.
    async fn part(&self, table: &Contents, after: Option<&[Value]>) -> Result<Part, ReadError> {
        let Contents { name, key } = table;
        let keys = key.join(", ");
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(&keys).push(", ").push(name).push(".* FROM ").push(name);
        if let Some(after) = after {
            sql.push(" WHERE (").push(&keys).push(") > (");
            for (index, value) in after.iter().enumerate() {
                sql.push(if index == 0 { "" } else { ", " }).push_bind(value.clone());
            }
            sql.push(")");
        }
        sql.push(" ORDER BY ")
            .push(&key.iter().map(|key| format!("{name}.{key}")).collect::<Vec<_>>().join(", "));
        sql.push(" LIMIT ").push_bind(i64::try_from(ROWS).unwrap_or(i64::MAX));
        let found = sql.build().fetch_all(self.readers()).await?;
        let columns = found.first().map(|row| row.names().split_off(key.len())).unwrap_or_default();
        let line = |row: &crate::sql::either::Row| {
            let mut key_and_values = row.values()?;
            let values = key_and_values.split_off(key.len());
            Ok(Line { key: key_and_values, values })
        };
        let rows = found.iter().map(line).collect::<Result<_, sqlx::Error>>()?;
        Ok(Part { columns, rows })
    }

    /// All rows of all tables, as texts.
    #[cfg(test)]
    pub(crate) async fn dump(&self) -> std::collections::BTreeMap<&'static str, Vec<String>> {
        let mut all = std::collections::BTreeMap::new();
        for table in &CONTENTS {
            let mut lines = Vec::new();
            let mut last = None;
            loop {
                let part = self.part(table, last.as_deref()).await.unwrap();
                let Some(end) = part.rows.last() else { break };
                last = Some(end.key.clone());
                let line = |row: &Line| {
                    let pairs = part.columns.iter().zip(&row.values);
                    pairs.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(" ")
                };
                lines.extend(part.rows.iter().map(line));
            }
            all.insert(table.name, lines);
        }
        all
    }
}

/// Of two parts that begin at the same place and are not equal.
fn difference(table: &Contents, here: &Part, there: &Part) -> Option<Difference> {
    let at = (0..).find(|index| here.rows.get(*index) != there.rows.get(*index))?;
    let (one, other) = (here.rows.get(at), there.rows.get(at));
    // The row with the lesser key is missing on the other side.
    let least = one.into_iter().chain(other).min_by(|a, b| a.key.cmp(&b.key))?;
    let has = |line: Option<&Line>| line.is_some_and(|line| line.key == least.key);
    let column = match (one, other) {
        (Some(one), Some(other)) if one.key == other.key => {
            one.values.iter().zip(&other.values).position(|(a, b)| a != b).unwrap_or(0)
        }
        _ => 0,
    };
    let side = |part: &Part, line: Option<&Line>| {
        let value = line.filter(|line| has(Some(line)))?.values.get(column)?;
        Some((part.columns.get(column)?.clone(), text(value)))
    };
    Some(Difference {
        table: table.name,
        row: least.key.iter().map(text).collect::<Vec<_>>().join(", "),
        here: side(here, one),
        there: side(there, other),
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::Integer(Some(number)) => number.to_string(),
        Value::Text(Some(text)) => format!("{text:?}"),
        Value::Bytes(Some(bytes)) => hex::encode(bytes),
        Value::Boolean(Some(is)) => is.to_string(),
        Value::Integer(None) | Value::Text(None) | Value::Bytes(None) | Value::Boolean(None) => "null".into(),
    }
}

/// Each kind begins with another number, and has its length if that is not fixed.
fn add(hasher: &mut Hasher, value: &Value) {
    match value {
        Value::Integer(Some(number)) => {
            hasher.update(&[1]).update(&number.to_be_bytes());
        }
        Value::Text(Some(text)) => {
            hasher.update(&[2]);
            add_bytes(hasher, text.as_bytes());
        }
        Value::Bytes(Some(bytes)) => {
            hasher.update(&[3]);
            add_bytes(hasher, bytes);
        }
        Value::Boolean(Some(is)) => {
            hasher.update(&[1]).update(&i64::from(*is).to_be_bytes());
        }
        Value::Integer(None) | Value::Text(None) | Value::Bytes(None) | Value::Boolean(None) => {
            hasher.update(&[0]);
        }
    }
}

fn add_bytes(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update_u64(bytes.len() as u64).update(bytes);
}
