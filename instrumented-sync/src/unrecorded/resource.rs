//! What is recorded of a resource where nothing can be recorded: nothing.
//!
//! The names of `resource/record.rs`; what is published there has no value here.

use super::Mode;
use std::{marker::PhantomData, panic::Location};

pub(super) struct Object;

#[expect(clippy::unused_self, reason = "the other one needs it")]
impl Object {
    pub(super) const fn new(_: &'static str) -> Self {
        Self
    }

    pub(super) fn request(&self, _: Mode, _: &'static Location<'static>) -> Option<Requested> {
        None
    }

    pub(super) fn acquire(&self, _: Mode, _: Option<Requested>, _: &'static Location<'static>) -> Hold<'_> {
        Hold(PhantomData)
    }

    pub(super) fn wait(&self, _: bool, _: &'static Location<'static>) -> Option<Waited<'_>> {
        None
    }

    pub(super) fn notify(&self, _: usize, _: &'static Location<'static>) -> u64 {
        0
    }
}

pub(super) struct Hold<'a>(PhantomData<&'a Object>);

pub(super) enum Requested {}

impl Requested {
    pub(super) fn gave_up(self) {
        match self {}
    }
}

pub(super) struct Waited<'a>(Requested, PhantomData<&'a Object>);

impl Waited<'_> {
    pub(super) fn woke(self, _: u64) {
        match self.0 {}
    }
}
