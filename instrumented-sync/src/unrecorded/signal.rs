//! What is recorded of a signal handler where nothing can be recorded: nothing.

use std::panic::Location;

pub(super) struct Section;

impl Section {
    pub(super) fn begin(_: i32, _: &'static Location<'static>) -> Self {
        Self
    }
}
