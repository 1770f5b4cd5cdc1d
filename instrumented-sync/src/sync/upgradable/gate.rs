//! Who may pass, and who waits: the lock without its data. Records nothing.

use super::super::deadline::{Deadline, lock};
use crate::{native, probe::Mode};
use std::process;

/// A lock with three kinds of holders: any number of readers, one upgradable reader beside them, or one writer.
pub(super) struct Gate {
    state: native::Mutex<State>,
    changed: native::Condvar,
    prefers_readers: bool,
}

/// The holders, and how many wait.
pub(super) struct State {
    n_readers: usize,
    has_upgradable: bool,
    has_writer: bool,
    /// Threads that wait to write, the upgradable reader among them.
    n_writers_waiting: usize,
    /// The process whose threads those are.
    process: u32,
    n_asleep: usize,
}

/// What a thread wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    Read,
    /// Read, also while writers wait.
    ReadRecursive,
    ReadUpgradable,
    Write,
    /// Write, by the upgradable reader.
    Upgrade,
}

impl State {
    const fn new() -> Self {
        Self { n_readers: 0, has_upgradable: false, has_writer: false, n_writers_waiting: 0, process: 0, n_asleep: 0 }
    }

    /// Lets a thread pass if it may.
    fn enter(&mut self, wish: Wish, prefers_readers: bool) -> bool {
        let queues = !prefers_readers && self.n_writers_waiting > 0;
        let may = !self.has_writer
            && match wish {
                Wish::Read => !queues,
                Wish::ReadRecursive => true,
                Wish::ReadUpgradable => !queues && !self.has_upgradable,
                Wish::Write => self.n_readers == 0 && !self.has_upgradable,
                Wish::Upgrade => self.n_readers == 0,
            };
        if may {
            match wish {
                Wish::Read | Wish::ReadRecursive => self.n_readers += 1,
                Wish::ReadUpgradable => self.has_upgradable = true,
                Wish::Write => self.has_writer = true,
                Wish::Upgrade => (self.has_upgradable, self.has_writer) = (false, true),
            }
        }
        may
    }

    fn leave(&mut self, mode: Mode) {
        match mode {
            Mode::Exclusive => self.has_writer = false,
            Mode::Upgradable => self.has_upgradable = false,
            Mode::Shared | Mode::SharedRecursive => self.n_readers -= 1,
        }
    }

    /// Turns a hold of mode `from` into a shared one.
    fn downgrade(&mut self, from: Mode) {
        self.leave(from);
        self.n_readers += 1;
    }

    fn begin_wait(&mut self, wish: Wish) {
        self.n_asleep += 1;
        if wish.writes() {
            self.process = process::id();
            self.n_writers_waiting += 1;
        }
    }

    fn end_wait(&mut self, wish: Wish) {
        self.n_asleep = self.n_asleep.saturating_sub(1);
        if wish.writes() {
            self.n_writers_waiting = self.n_writers_waiting.saturating_sub(1);
        }
    }

    /// In a forked child: the threads that wait are the parent's, and nobody here must queue behind them.
    fn forget_parent(&mut self) {
        if self.n_writers_waiting > 0 && self.process != process::id() {
            (self.n_writers_waiting, self.n_asleep) = (0, 0);
        }
    }
}

impl Wish {
    /// What a thread that passed with this wish holds.
    pub(super) const fn mode(self) -> Mode {
        match self {
            Self::Read => Mode::Shared,
            Self::ReadRecursive => Mode::SharedRecursive,
            Self::ReadUpgradable => Mode::Upgradable,
            Self::Write | Self::Upgrade => Mode::Exclusive,
        }
    }

    const fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Upgrade)
    }
}

impl Gate {
    native::const_unless_modelled! {
        pub(super) const fn new(prefers_readers: bool) -> Self {
            Self { state: native::Mutex::new(State::new()), changed: native::Condvar::new(), prefers_readers }
        }
    }

    /// What a reader wishes: where readers never queue, each read is as a recursive one, and is recorded so.
    pub(super) const fn to_read(&self) -> Wish {
        if self.prefers_readers { Wish::ReadRecursive } else { Wish::Read }
    }

    /// Passes if that is possible at once.
    pub(super) fn try_enter(&self, wish: Wish) -> bool {
        self.state().enter(wish, self.prefers_readers)
    }

    /// Passes as soon as possible; false if the time was over first.
    pub(super) fn enter(&self, wish: Wish, deadline: Deadline) -> bool {
        let mut state = self.state();
        if state.enter(wish, self.prefers_readers) {
            return true;
        }
        state.begin_wait(wish);
        let mut is_late = false;
        let has_entered = loop {
            if state.enter(wish, self.prefers_readers) {
                break true;
            }
            if is_late {
                break false;
            }
            (state, is_late) = match deadline.sleep(&self.changed, state) {
                Ok(awake) => (awake, false),
                Err(late) => (late, true),
            };
        };
        state.end_wait(wish);
        if !has_entered && state.n_asleep > 0 {
            // Readers may have queued behind this thread only.
            self.changed.notify_all();
        }
        has_entered
    }

    /// Gives up a hold.
    pub(super) fn leave(&self, mode: Mode) {
        self.change(|state| state.leave(mode));
    }

    /// Turns a hold of mode `from` into a shared one, with nobody in between.
    pub(super) fn downgrade(&self, from: Mode) {
        self.change(|state| state.downgrade(from));
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        let mut state = self.state();
        f(&mut state);
        if state.n_asleep > 0 {
            self.changed.notify_all();
        }
    }

    fn state(&self) -> native::MutexGuard<'_, State> {
        let mut state = lock(&self.state);
        state.forget_parent();
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHES: [Wish; 4] = [Wish::Read, Wish::ReadRecursive, Wish::ReadUpgradable, Wish::Write];

    /// Which wishes come true in a state.
    fn open(make: impl Fn() -> State, prefers_readers: bool) -> Vec<Wish> {
        WISHES.into_iter().filter(|wish| make().enter(*wish, prefers_readers)).collect()
    }

    fn with(holders: &[Wish], waiting: &[Wish]) -> State {
        let mut state = State::new();
        for wish in holders {
            assert!(state.enter(*wish, false), "{wish:?}");
        }
        for wish in waiting {
            state.begin_wait(*wish);
        }
        state
    }

    #[test]
    fn who_excludes_whom() {
        assert_eq!(open(|| with(&[], &[]), false), WISHES);
        assert_eq!(open(|| with(&[Wish::Read], &[]), false), WISHES[..3]);
        assert_eq!(open(|| with(&[Wish::ReadUpgradable], &[]), false), WISHES[..2]);
        assert_eq!(open(|| with(&[Wish::Write], &[]), false), []);
        assert_eq!(open(|| with(&[Wish::ReadUpgradable, Wish::Upgrade], &[]), false), []);
    }

    #[test]
    fn readers_queue_behind_writers_unless_they_are_preferred() {
        for writer in [Wish::Write, Wish::Upgrade] {
            let state = || with(&[Wish::Read, Wish::ReadUpgradable], &[writer]);
            assert_eq!(open(state, false), [Wish::ReadRecursive]);
            assert_eq!(open(state, true), [Wish::Read, Wish::ReadRecursive]);
        }
        assert_eq!(open(|| with(&[Wish::Read], &[Wish::Write]), true), WISHES[..3]);
    }

    #[test]
    fn an_upgrade_waits_for_readers() {
        let mut state = with(&[Wish::ReadUpgradable, Wish::Read], &[]);
        assert!(!state.enter(Wish::Upgrade, false));
        state.leave(Mode::Shared);
        assert!(state.enter(Wish::Upgrade, false));
        state.leave(Mode::Exclusive);
        assert_eq!(open(|| with(&[], &[]), false), WISHES);
    }

    #[test]
    fn a_downgraded_hold_is_a_reader() {
        for (holder, mode) in [(Wish::Write, Mode::Exclusive), (Wish::ReadUpgradable, Mode::Upgradable)] {
            let state = || {
                let mut state = with(&[holder], &[]);
                state.downgrade(mode);
                state
            };
            assert_eq!(open(state, false), WISHES[..3]);
        }
    }

    #[test]
    fn a_child_does_not_queue_behind_its_parent() {
        let mut state = with(&[Wish::Read], &[Wish::Write]);
        state.process ^= 1;
        state.forget_parent();
        assert!(state.enter(Wish::Read, false));
    }
}
