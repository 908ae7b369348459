//! One answer for all who ask at about the same time.

use std::time::Duration;

use tokio::{sync::Mutex, time::Instant};

/// An answer that is asked for anew when it is too old. Who comes meanwhile waits for that one.
pub(super) struct Shared<T> {
    fresh_for: Duration,
    last: Mutex<Option<(Instant, T)>>,
}

impl<T: Clone> Shared<T> {
    /// With no answer yet.
    pub(super) fn new(fresh_for: Duration) -> Self {
        Self { fresh_for, last: Mutex::default() }
    }

    /// The last answer, or a new one. If whoever asks goes away, the next one in line asks.
    pub(super) async fn get<F: Future<Output = T>>(&self, ask: impl FnOnce() -> F) -> T {
        let mut last = self.last.lock().await;
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < self.fresh_for
        {
            return answer.clone();
        }
        let answer = ask().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const FRESH: Duration = Duration::from_millis(200);

    /// Counts how often it is asked, and takes its time.
    async fn ask(asked: &AtomicU32) -> u32 {
        let number = asked.fetch_add(1, Ordering::Relaxed) + 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
        number
    }

    #[tokio::test(start_paused = true)]
    async fn a_thousand_who_ask_at_once_are_one_inquiry_and_all_get_its_answer() {
        let (shared, asked) = (Shared::new(FRESH), AtomicU32::new(0));
        let answers = join_all((0..1_000).map(|_| shared.get(|| ask(&asked)))).await;
        assert!(answers.into_iter().all(|answer| answer == 1));
        assert_eq!(shared.get(|| ask(&asked)).await, 1);
        tokio::time::advance(FRESH).await;
        assert_eq!(shared.get(|| ask(&asked)).await, 2, "an old answer is not given");
    }

    #[tokio::test(start_paused = true)]
    async fn someone_else_asks_if_who_asked_goes_away() {
        let (shared, asked) = (Shared::new(FRESH), AtomicU32::new(0));
        let left = tokio::time::timeout(Duration::from_millis(100), shared.get(|| ask(&asked))).await;
        assert!(left.is_err());
        assert_eq!(shared.get(|| ask(&asked)).await, 2);
    }
}
