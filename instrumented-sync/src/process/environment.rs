//! What a child is left of what its environment says to the recorder.
//!
//! A program that empties the environment of a child means its own variables. The child stays in the trace: the
//! recorder's are handed on when it is started, and taken out again, so that the program does not find them.

use crate::{native::process, probe};
use std::ffi::{OsStr, OsString};

/// How all variables of the recorder begin.
const PREFIX: &str = "DEADLOCK_CHECK_";

/// What a command says of the recorder's variables.
pub(super) struct Environment {
    is_cleared: bool,
    /// Those that the program removed by name.
    removed: Vec<OsString>,
}

impl Environment {
    pub(super) const fn new() -> Self {
        Self { is_cleared: false, removed: Vec::new() }
    }

    pub(super) const fn clear(&mut self) {
        self.is_cleared = true;
    }

    pub(super) fn set(&mut self, name: &OsStr) {
        self.removed.retain(|removed| removed != name);
    }

    pub(super) fn remove(&mut self, name: &OsStr) {
        if is_recorders(name) && !self.is_removed(name) {
            self.removed.push(name.to_owned());
        }
    }

    /// Runs `f` with the command as it is to be started.
    pub(super) fn handing_on<R>(
        &self,
        command: &mut process::Command,
        f: impl FnOnce(&mut process::Command) -> R,
    ) -> R {
        let added = if self.is_cleared && probe::recording() { self.missing(command) } else { Vec::new() };
        command.envs(added.iter().map(|(name, value)| (name, value)));
        let result = f(command);
        for (name, _) in &added {
            // The environment is cleared, so nothing is left of the name.
            command.env_remove(name);
        }
        result
    }

    /// The recorder's variables of this process that the command neither sets nor removes.
    fn missing(&self, command: &process::Command) -> Vec<(OsString, OsString)> {
        let is_missing = |name: &OsStr| {
            is_recorders(name) && !self.is_removed(name) && command.get_envs().all(|(set, _)| set != name)
        };
        std::env::vars_os().filter(|(name, _)| is_missing(name)).collect()
    }

    fn is_removed(&self, name: &OsStr) -> bool {
        self.removed.iter().any(|removed| removed == name)
    }
}

fn is_recorders(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}
