//! Waiting for a condition, never for a time.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// Between two looks.
const POLL: Duration = Duration::from_millis(30);

/// Asks again and again until `attempt` returns `Ok`, and gives that value back.
///
/// An `Err` means "not yet", and its text is the last thing seen: put the value you looked at
/// into it, and a failure explains itself.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> anyhow::Result<()> {
/// use std::time::Duration;
/// let mut looks = 0;
/// let seen = tenure_testkit::until("three looks", Duration::from_secs(5), || {
///     looks += 1;
///     async move {
///         anyhow::ensure!(looks >= 3, "only {looks} looks");
///         Ok(looks)
///     }
/// })
/// .await?;
/// assert_eq!(seen, 3);
/// # Ok(()) }
/// ```
///
/// # Errors
/// When `timeout` has passed: what was waited for, and the last error of `attempt`.
pub async fn until<T, F, Fut>(what: &str, timeout: Duration, mut attempt: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let deadline = Instant::now() + timeout;
    let mut last = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, attempt()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => last = Some(error),
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            let last = last.unwrap_or_else(|| anyhow::anyhow!("the first look did not return"));
            return Err(last).with_context(|| format!("waited {timeout:?} for {what}"));
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_in_vain_says_for_what_and_what_it_saw_last() {
        let timeout = Duration::from_millis(50);
        let wait = until("a miracle", timeout, || async { anyhow::bail!("the value is 7") });
        let error: anyhow::Result<()> = wait.await;
        assert_eq!(
            format!("{:#}", error.unwrap_err()),
            "waited 50ms for a miracle: the value is 7"
        );
    }

    #[tokio::test]
    async fn an_attempt_that_hangs_does_not_hang_the_wait() {
        let wait = until(
            "nothing",
            Duration::from_millis(20),
            std::future::pending::<anyhow::Result<()>>,
        );
        assert!(wait.await.is_err());
    }
}
