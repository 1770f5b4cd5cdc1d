//! `Once`, of the checker's mutex and condition variable.

use crate::{native, sync::deadline::lock};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::PoisonError,
};

/// As [`std::sync::Once`].
pub struct Once {
    progress: native::Mutex<Progress>,
    changed: native::Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    New,
    Poisoned,
    Running,
    Done,
}

/// As [`std::sync::OnceState`].
#[derive(Debug)]
pub struct OnceState {
    was_poisoned: bool,
}

impl OnceState {
    /// Whether an initialisation before this one panicked.
    #[must_use]
    pub const fn is_poisoned(&self) -> bool {
        self.was_poisoned
    }
}

impl Once {
    /// As std's, but not `const`.
    #[must_use]
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "std's has none")]
    pub fn new() -> Self {
        Self { progress: native::Mutex::new(Progress::New), changed: native::Condvar::new() }
    }

    /// As std's.
    ///
    /// # Panics
    ///
    /// An initialisation before this one panicked.
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        self.run(false, |_| f());
    }

    /// As std's.
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        self.run(true, f);
    }

    /// As std's.
    #[track_caller]
    pub fn is_completed(&self) -> bool {
        *lock(&self.progress) == Progress::Done
    }

    /// As std's.
    ///
    /// # Panics
    ///
    /// The initialisation panicked.
    #[track_caller]
    pub fn wait(&self) {
        assert!(self.wait_until(|progress| matches!(progress, Progress::Done | Progress::Poisoned)), "{POISONED}");
    }

    /// As std's.
    #[track_caller]
    pub fn wait_force(&self) {
        self.wait_until(|progress| progress == Progress::Done);
    }

    fn wait_until(&self, is_over: impl Fn(Progress) -> bool) -> bool {
        let mut progress = lock(&self.progress);
        while !is_over(*progress) {
            progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
        }
        *progress == Progress::Done
    }

    #[track_caller]
    fn run(&self, is_forced: bool, f: impl FnOnce(&OnceState)) {
        let Some(was_poisoned) = self.begin(is_forced) else { return };
        let result = catch_unwind(AssertUnwindSafe(|| f(&OnceState { was_poisoned })));
        let Err(panic) = result else { return self.end(Progress::Done) };
        // In a model that is over this panics as well; the panic that ended it is what counts.
        let _ = catch_unwind(AssertUnwindSafe(|| self.end(Progress::Poisoned)));
        resume_unwind(panic);
    }

    fn end(&self, end: Progress) {
        *lock(&self.progress) = end;
        self.changed.notify_all();
    }

    /// Waits until the initialisation is this thread's, and says whether one was before; `None` if it is done.
    #[track_caller]
    fn begin(&self, is_forced: bool) -> Option<bool> {
        let mut progress = lock(&self.progress);
        loop {
            match *progress {
                Progress::Done => return None,
                Progress::Poisoned if !is_forced => break,
                Progress::New | Progress::Poisoned => {
                    let was_poisoned = *progress == Progress::Poisoned;
                    *progress = Progress::Running;
                    return Some(was_poisoned);
                }
                Progress::Running => {
                    progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        drop(progress);
        #[expect(clippy::panic, reason = "std's panics too")]
        {
            panic!("{POISONED}")
        }
    }
}

const POISONED: &str = "Once instance has previously been poisoned";

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}
