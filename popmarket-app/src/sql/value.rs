//! Values on their way to a column and back, the same for both databases.

use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

use super::columns::{Col, Column};

/// A value for a column. Nothing, too, is of a kind: PostgreSQL asks for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Integer(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    Boolean(Option<bool>),
}

/// What may stand in a column.
pub(crate) trait Stored:
    Send
    + Sized
    + Type<Sqlite>
    + Type<Postgres>
    + for<'q> Encode<'q, Sqlite>
    + for<'q> Encode<'q, Postgres>
    + for<'r> Decode<'r, Sqlite>
    + for<'r> Decode<'r, Postgres>
{
    /// As a value.
    fn value(stored: Option<Self>) -> Value;
}

macro_rules! stored {
    ($($type:ty => $kind:ident),*) => {
        $(
            impl Stored for $type {
                fn value(stored: Option<Self>) -> Value {
                    Value::$kind(stored)
                }
            }

            impl From<$type> for Value {
                fn from(stored: $type) -> Self {
                    Self::$kind(Some(stored))
                }
            }

            impl From<Option<$type>> for Value {
                fn from(stored: Option<$type>) -> Self {
                    Self::$kind(stored)
                }
            }
        )*
    };
}

stored!(i64 => Integer, String => Text, Vec<u8> => Bytes, bool => Boolean);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl<T: Column> From<Col<T>> for Value {
    fn from(value: Col<T>) -> Self {
        Stored::value(Some(value.0.to_raw()))
    }
}

impl<T: Column> From<Option<Col<T>>> for Value {
    fn from(value: Option<Col<T>>) -> Self {
        Stored::value(value.map(|value| value.0.to_raw()))
    }
}
