//! When a delivery that failed is tried again, and when there is no more use in it.

use std::time::Duration;

use ledger::{Millis, UnixMillis};
use reqwest::StatusCode;

use super::store::AttemptRecord;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Seconds after each attempt, as Standard Webhooks proposes them. After the last one it is given up.
const DELAYS: [u64; 9] =
    [5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// So long nothing may get through before a hook is disabled.
const GIVE_UP_AFTER: Millis = Millis::days(5);
/// The longest time that a receiver may ask us to wait.
const LONGEST_WISH: Duration = Duration::from_secs(24 * HOUR);

/// When to try again after so many attempts, if at all. `chance` is any number: it moves the moment by up to a tenth, so
/// that not all of those who failed at once come back at once.
pub(super) fn next(
    now: UnixMillis,
    attempts: u32,
    wish: Option<Duration>,
    chance: u64,
) -> Option<UnixMillis> {
    let index = usize::try_from(attempts.checked_sub(1)?).ok()?;
    let delay = Duration::from_secs(*DELAYS.get(index)?);
    let delay = delay.max(wish.unwrap_or_default().min(LONGEST_WISH));
    let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    let jitter = chance % (millis / 10).max(1);
    Some(now.plus(Millis::new(millis.saturating_add(jitter))))
}

/// Why a hook gets nothing more, if that is what a failed attempt comes to when nothing has got through since then.
pub(super) fn reason_to_disable(
    failing_since: Option<UnixMillis>,
    attempt: &AttemptRecord,
) -> Option<&'static str> {
    if attempt.status == Some(StatusCode::GONE.as_u16()) {
        return Some("the receiver says that it is gone");
    }
    let over = failing_since.is_some_and(|since| since.plus(GIVE_UP_AFTER) <= attempt.at);
    over.then_some("nothing got through for five days")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis::new(1_000_000);

    fn seconds(attempts: u32, wish: Option<u64>, chance: u64) -> Option<u64> {
        let at = next(NOW, attempts, wish.map(Duration::from_secs), chance)?;
        Some((at.value() - NOW.value()) / 1_000)
    }

    #[test]
    fn it_waits_longer_each_time_and_then_gives_up() {
        let delays: Vec<_> = (1..).map_while(|attempts| seconds(attempts, None, 0)).collect();
        assert_eq!(delays, [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]);
        assert_eq!(delays.iter().sum::<u64>(), 75 * 3_600 + 35 * 60 + 5);
    }

    #[test]
    fn chance_adds_a_tenth_at_most() {
        for chance in [0, 1, 29_999, 30_000, u64::MAX] {
            let after = seconds(2, None, chance).unwrap();
            assert!((300..330).contains(&after), "{after}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_more_time_within_reason() {
        assert_eq!(seconds(1, Some(60), 0), Some(60));
        assert_eq!(seconds(2, Some(60), 0), Some(300));
        assert_eq!(seconds(1, Some(u64::MAX / 10_000), 0), Some(86_400));
        assert_eq!(seconds(10, Some(60), 0), None);
    }
}
