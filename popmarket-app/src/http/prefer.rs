//! `Prefer: wait=N` (RFC 7240): how long a client wants to wait for its transaction.

use std::time::Duration;

use axum::http::HeaderMap;

/// The longest wait.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long to wait, if at all. As RFC 7240 has it, preferences that are not understood are ignored.
pub(crate) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let preferences = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let seconds = preferences.flat_map(|line| line.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("wait").then(|| value.parse::<u32>().ok())?
    })?;
    Some(Duration::from_secs(seconds.into()).min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_found_among_preferences_and_capped() {
        let wait_of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", text.parse().unwrap());
            wait(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait_of("wait=10"), Some(10));
        assert_eq!(wait_of("respond-async, Wait=\"3\"; foo=bar"), Some(3));
        assert_eq!(wait_of("wait=99999"), Some(30));
        assert_eq!(wait_of("wait=-1"), None);
        assert_eq!(wait_of("return=minimal"), None);
        assert_eq!(wait(&HeaderMap::new()), None);
    }
}
