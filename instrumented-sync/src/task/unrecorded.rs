//! What there is to record about tasks where nothing can be recorded.

use std::{
    panic::Location,
    task::{Context, Waker},
};

pub(super) struct Task;

impl Task {
    pub(super) fn new(_: &str, _: &'static Location<'static>, _: Option<&Workers>) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "the recorded side needs it")]
    pub(super) fn poll<R>(&self, context: &mut Context<'_>, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        poll(context)
    }

    #[allow(clippy::unused_self, reason = "the recorded side needs it")]
    pub(super) fn blocks_thread(&self, _: &'static Location<'static>, wait: impl FnOnce()) {
        wait();
    }
}

#[derive(Debug, Default)]
pub(super) struct Workers;

impl Workers {
    pub(super) const fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "the recorded side needs it")]
    pub(super) fn enter(&self, _: &'static Location<'static>) {}
}

pub(super) struct LockSide;

impl LockSide {
    pub(super) const fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self, clippy::extra_unused_type_parameters, reason = "the recorded side needs them")]
    pub(super) fn attempt<T>(&self, _: &'static Location<'static>) -> Attempt {
        Attempt
    }

    #[allow(clippy::unused_self, reason = "the recorded side needs it")]
    pub(super) fn acquired(&self, _: &Attempt, _: How) -> Hold {
        Hold
    }
}

/// How a lock was acquired.
#[derive(Clone, Copy)]
pub(super) enum How {
    AtOnce,
    Tried,
    Queued,
}

#[derive(Clone)]
pub(super) struct Attempt;

#[allow(clippy::unused_self, reason = "the recorded side needs it")]
impl Attempt {
    pub(super) fn requested(&self) {}

    pub(super) fn pending(&self) {}

    pub(super) fn granted(&self) {}

    pub(super) fn ungranted(&self) {}
}

pub(super) struct Counted;

impl Counted {
    pub(super) const fn of(_: &Waker) -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "the recorded side needs it")]
    pub(super) const fn end(self) {}
}

pub(super) struct Hold;

#[allow(clippy::unused_self, reason = "the recorded side needs it")]
impl Hold {
    pub(super) fn release(&self) {}
}
