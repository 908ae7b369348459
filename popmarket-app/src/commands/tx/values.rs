//! What people write in place of numbers.

use std::str::FromStr;

use ledger::{Millis, Rating, TradeState, UnixMillis};

use crate::http::timestamp::millis;

/// How long: a number with a unit, as in 90s, 10m, 2h or 7d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Millis);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "a span of time is a number and one of s, m, h and d, as in 90s or 7d";
        let units = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
        let found = units.iter().find_map(|(unit, millis)| Some((text.strip_suffix(*unit)?, *millis)));
        let (number, unit): (_, u64) = found.ok_or(wrong)?;
        if number.is_empty() || !number.bytes().all(|c| c.is_ascii_digit()) {
            return Err(wrong);
        }
        let millis = number.parse().ok().and_then(|number: u64| number.checked_mul(unit)).ok_or(wrong)?;
        Ok(Self(Millis::new(millis)))
    }
}

/// A moment: RFC 3339, or how long from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    At(UnixMillis),
    In(Millis),
}

impl When {
    pub(super) const fn from(self, now: UnixMillis) -> UnixMillis {
        match self {
            Self::At(at) => at,
            Self::In(span) => now.plus(span),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(Span(span)) = text.parse() {
            return Ok(Self::In(span));
        }
        let wrong = "a time is as in 2030-01-31T12:00:00Z, or a span from now, as in 10m or 7d";
        millis(text).map(Self::At).ok_or(wrong)
    }
}

/// A value of a type that JSON has by a name, such as `BUY`.
pub(super) fn named<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

/// How far a trade is, as the API calls it.
pub(super) fn trade_state(text: &str) -> Result<TradeState, String> {
    let found = TradeState::ALL.into_iter().find(|state| state.code().eq_ignore_ascii_case(text));
    let all = || TradeState::ALL.map(TradeState::code).join(", ");
    found.ok_or_else(|| format!("a trade is {}", all()))
}

/// From 1 to 5.
pub(super) fn rating(text: &str) -> Result<Rating, String> {
    let stars: u8 = text.parse().map_err(|_| "a rating is from 1 to 5")?;
    Rating::try_from(stars).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read() {
        let span = |text: &str| text.parse::<Span>().map(|Span(span)| span.value());
        assert_eq!([span("90s"), span("10m"), span("2h")], [Ok(90_000), Ok(600_000), Ok(7_200_000)]);
        assert_eq!(span("7d"), Ok(Millis::days(7).value()));
        for bad in
            ["", "s", "7", "-7d", "+7d", "1.5h", "7 d", "7w", "99999999999999999999s", "9999999999999999d"]
        {
            assert!(span(bad).is_err(), "{bad}");
        }
        let now = UnixMillis::new(1_000);
        let when = |text: &str| text.parse::<When>().map(|when| when.from(now).value());
        assert_eq!(when("2023-11-14T22:13:20.007Z"), Ok(1_700_000_000_007));
        assert_eq!(when("2s"), Ok(3_000));
        assert!(when("soon").is_err() && when("1700000000").is_err());
        assert!(
            rating("5").is_ok() && rating("0").is_err() && rating("6").is_err() && rating("five").is_err()
        );
    }
}
