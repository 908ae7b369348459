//! What an amount is an amount of: the coin, or a token by its symbol.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use thiserror::Error;

/// Names a token: its symbol, 3 to 12 of `A-Z 0-9`, a letter first, and not the coin's. No symbol is given twice, so it needs
/// no other name, and it is shorter in the bytes than a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId {
    /// First, so that symbols are ordered like their bytes in the keys of entries.
    len: u8,
    /// Filled up with zeroes.
    bytes: [u8; Self::MAX_CHARS],
}

/// Why a text is no symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SymbolError {
    /// Too short or too long.
    #[error("a symbol has {} to {} characters", TokenId::MIN_CHARS, TokenId::MAX_CHARS)]
    Length,
    /// Something else than capital letters and digits, or a digit at the start.
    #[error("a symbol has capital letters and digits, and a letter first")]
    Character,
    /// The coin's.
    #[error("POP is the coin")]
    Coin,
}

const COIN: &str = "POP";

impl TokenId {
    /// Comes before all symbols, and is none.
    pub(crate) const BEFORE_ALL: Self = Self { len: 0, bytes: [0; Self::MAX_CHARS] };

    /// How many characters it has at least.
    pub const MIN_CHARS: usize = 3;
    /// How many characters it may have.
    pub const MAX_CHARS: usize = 12;

    /// Checks and wraps a symbol.
    ///
    /// # Errors
    /// [`SymbolError`].
    pub fn new(symbol: &str) -> Result<Self, SymbolError> {
        let len = u8::try_from(symbol.len()).map_err(|_| SymbolError::Length)?;
        if !(Self::MIN_CHARS..=Self::MAX_CHARS).contains(&symbol.len()) {
            return Err(SymbolError::Length);
        }
        let known = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit();
        if !symbol.bytes().all(known) || !symbol.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(SymbolError::Character);
        }
        if symbol == COIN {
            return Err(SymbolError::Coin);
        }
        let mut bytes = [0; Self::MAX_CHARS];
        for (to, from) in bytes.iter_mut().zip(symbol.bytes()) {
            *to = from;
        }
        Ok(Self { len, bytes })
    }

    /// The symbol.
    pub fn as_str(&self) -> &str {
        // All of it is ASCII.
        let text = self.bytes.get(..usize::from(self.len)).map(std::str::from_utf8);
        text.and_then(Result::ok).unwrap_or_default()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

impl FromStr for TokenId {
    type Err = SymbolError;

    fn from_str(text: &str) -> Result<Self, SymbolError> {
        Self::new(text)
    }
}

impl Serialize for TokenId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TokenId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What an amount is an amount of. Texts and JSON have `POP` or the symbol of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AssetId {
    /// The coin that listings are priced in.
    Pop,
    /// A token.
    Token(TokenId),
}

impl AssetId {
    /// The token, if it is one.
    pub const fn token(self) -> Option<TokenId> {
        match self {
            Self::Pop => None,
            Self::Token(token) => Some(token),
        }
    }
}

impl From<TokenId> for AssetId {
    fn from(token: TokenId) -> Self {
        Self::Token(token)
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pop => f.write_str(COIN),
            Self::Token(token) => token.fmt(f),
        }
    }
}

/// A text that names no asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no such asset: {0}")]
pub struct UnknownAsset(#[from] SymbolError);

impl FromStr for AssetId {
    type Err = UnknownAsset;

    fn from_str(text: &str) -> Result<Self, UnknownAsset> {
        if text == COIN { Ok(Self::Pop) } else { Ok(Self::Token(text.parse()?)) }
    }
}

/// How the bytes have it.
#[derive(Serialize, Deserialize)]
enum Encoded {
    Pop,
    Token(TokenId),
}

impl Serialize for AssetId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            return to.collect_str(self);
        }
        match self {
            Self::Pop => Encoded::Pop.serialize(to),
            Self::Token(token) => Encoded::Token(*token).serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for AssetId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if from.is_human_readable() {
            return String::deserialize(from)?.parse().map_err(D::Error::custom);
        }
        Ok(match Encoded::deserialize(from)? {
            Encoded::Pop => Self::Pop,
            Encoded::Token(token) => Self::Token(token),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_short_and_in_capitals() {
        for good in ["ABC", "SHOP", "A12", "ABCDEFGHIJ12", "POPS"] {
            assert_eq!(TokenId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "AB", "ABCDEFGHIJ123"] {
            assert_eq!(TokenId::new(bad), Err(SymbolError::Length), "{bad}");
        }
        for bad in ["abc", "1AB", "A-B", "A B", "AB\0", "ÄB", "Pop"] {
            assert_eq!(TokenId::new(bad), Err(SymbolError::Character), "{bad}");
        }
        assert_eq!(TokenId::new("POP"), Err(SymbolError::Coin));
        let sorted = ["ABC", "ABD", "ABC1", "ABCD"].map(|symbol| TokenId::new(symbol).unwrap());
        assert!(sorted.is_sorted());
        assert!(sorted.map(|token| postcard::to_allocvec(&token).unwrap()).is_sorted());
    }

    #[test]
    fn json_has_the_symbol_and_postcard_a_choice() {
        let shop = AssetId::Token(TokenId::new("SHOP").unwrap());
        for (asset, json, bytes) in
            [(AssetId::Pop, "\"POP\"", b"\0".as_slice()), (shop, "\"SHOP\"", b"\x01\x04SHOP")]
        {
            assert_eq!(serde_json::to_string(&asset).unwrap(), json);
            assert_eq!(serde_json::from_str::<AssetId>(json).unwrap(), asset);
            assert_eq!(postcard::to_allocvec(&asset).unwrap(), bytes);
            assert_eq!(postcard::from_bytes::<AssetId>(bytes).unwrap(), asset);
            assert_eq!(asset.to_string().parse(), Ok(asset));
        }
        assert!(serde_json::from_str::<AssetId>("\"pop\"").is_err());
        assert!(postcard::from_bytes::<AssetId>(b"\x01\x03POP").is_err(), "the coin under a second name");
        assert!(AssetId::Pop < shop, "the coin is the first asset of every account");
    }
}
