//! Time in a model: it passes when a wait gives up or a thread sleeps, and at no other time.
//!
//! So a model does the same whenever it is run again, as a checker demands.

use std::{cell::Cell, time::Duration};

thread_local! {
    /// A model runs on one thread; only differences are looked at, so it need not begin anew for each run.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// As [`std::time::Instant`], as far as the primitives use it.
#[derive(Clone, Copy)]
pub(crate) struct Instant(Duration);

impl Instant {
    pub(crate) fn now() -> Self {
        Self(NOW.with(Cell::get))
    }

    pub(crate) fn checked_add(self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    pub(crate) fn saturating_duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Lets time pass. No further than a clock goes: what comes after is never reached, as with std's.
pub(super) fn advance(duration: Duration) {
    NOW.with(|now| now.set(now.get().saturating_add(duration)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_when_it_is_let() {
        let start = Instant::now();
        let deadline = start.checked_add(Duration::from_secs(5)).unwrap();
        assert_eq!(deadline.saturating_duration_since(Instant::now()), Duration::from_secs(5));
        advance(Duration::from_secs(6));
        assert!(deadline.saturating_duration_since(Instant::now()).is_zero());
    }
}
