//! What a channel's handles record where nothing can be recorded: nothing.
//!
//! The names of `sync/channel.rs`. An operation has no value here, so what would be done with one needs no code.

use std::panic::Location;

pub(super) struct Envelope<T> {
    pub(super) message: T,
}

impl<T> Envelope<T> {
    pub(super) fn new(message: T, _: Option<Sent>) -> Self {
        Self { message }
    }
}

#[derive(Clone)]
pub(super) struct Handle;

impl Handle {
    #[expect(clippy::extra_unused_type_parameters, reason = "the other one needs it")]
    pub(super) fn pair<T>(_: Option<usize>) -> (Self, Self) {
        (Self, Self)
    }

    #[expect(clippy::unused_self, reason = "the other one needs it")]
    pub(super) fn receiving(&self, _: &'static Location<'static>, _: Patience) -> Option<Operation> {
        None
    }

    #[expect(clippy::unused_self, reason = "the other one needs it")]
    pub(super) fn sending(&self, _: &'static Location<'static>, _: Patience) -> Option<Sent> {
        None
    }
}

#[derive(Clone, Copy)]
pub(super) enum Operation {}

impl Operation {
    pub(super) fn waits_to_receive(self, _: Option<Self>) -> Waiting {
        match self {}
    }

    pub(super) fn received<T>(self, _: Envelope<T>) -> T {
        match self {}
    }

    pub(super) fn receive_failed(self, _: Failure) {
        match self {}
    }
}

#[derive(Clone, Copy)]
pub(super) enum Sent {}

impl Sent {
    pub(super) fn waits(self) -> Waiting {
        match self {}
    }

    pub(super) fn arrived(self) {
        match self {}
    }

    pub(super) fn came_back(self, _: Failure) {
        match self {}
    }
}

pub(super) enum Waiting {}

impl Waiting {
    pub(super) fn end(self) {
        match self {}
    }
}

#[derive(Clone, Copy)]
pub(super) enum Patience {
    Endless,
    Timed,
    Zero,
    Among,
}

pub(super) enum Failure {
    Disconnected,
    TimedOut,
    NotNow,
}

/// A fork cannot be noticed here.
pub(super) fn generation() -> u64 {
    0
}
