//! Ledger time as text.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use ledger::UnixMillis;
use serde::Deserialize;

fn timestamp(at: UnixMillis) -> Timestamp {
    i64::try_from(at.value())
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .unwrap_or(Timestamp::MAX)
}

/// RFC 3339 in UTC with milliseconds. Times after the year 9999 are shown as its end.
pub(crate) fn rfc3339(at: UnixMillis) -> String {
    format!("{:.3}", timestamp(at))
}

/// From RFC 3339, if it is after 1970.
pub(crate) fn millis(text: &str) -> Option<UnixMillis> {
    let time: Timestamp = text.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(UnixMillis::new)
}

/// A moment that a client names, as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Moment(pub UnixMillis);

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let timestamp: Timestamp = text.parse().map_err(|error| format!("not an RFC 3339 time: {error}"))?;
        let millis = u64::try_from(timestamp.as_millisecond()).map_err(|_| "before 1970")?;
        Ok(Self(UnixMillis::new(millis)))
    }
}

/// For people: to the minute, so many hours east of Greenwich.
pub(crate) fn readable(at: UnixMillis, hours_east: i8) -> String {
    let zone = TimeZone::fixed(Offset::constant(hours_east));
    timestamp(at).to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_any_zone() {
        let read = |text: &str| Moment::try_from(text.to_owned());
        let at = Ok(Moment(UnixMillis::new(1_700_000_000_007)));
        assert_eq!(read("2023-11-14T22:13:20.007Z"), at);
        assert_eq!(read("2023-11-15T07:13:20.007+09:00"), at);
        for bad in ["", "soon", "2023-11-14", "2023-11-14T22:13:20", "1969-12-31T23:59:59Z", "1700000000"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_shown_to_the_millisecond_and_never_fail() {
        assert_eq!(rfc3339(UnixMillis::new(1_700_000_000_007)), "2023-11-14T22:13:20.007Z");
        assert_eq!(rfc3339(UnixMillis::new(0)), "1970-01-01T00:00:00.000Z");
        assert!(rfc3339(UnixMillis::MAX).starts_with("9999-12-"));
        assert_eq!(readable(UnixMillis::new(1_700_000_000_007), 9), "2023-11-15 07:13");
        assert!(readable(UnixMillis::MAX, 9).starts_with("9999-"));
        assert_eq!(millis("2023-11-14T22:13:20.007Z"), Some(UnixMillis::new(1_700_000_000_007)));
        assert_eq!(millis("2023-11-15T07:13:20.007+09:00"), Some(UnixMillis::new(1_700_000_000_007)));
        for bad in ["", "2023-11-14", "1969-12-31T23:59:59Z", "now"] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }
}
