//! What is recorded of a signal handler: its beginning and its end.

use crate::probe::{self, Site};
use trace_format::{Event, Flags, Kind, ObjectId};

/// While it lives, the thread runs a signal handler.
pub(super) struct Section {
    /// Number and site; `None` if the beginning was not recorded, and then the end is not either.
    begun: Option<(u64, u32)>,
}

impl Section {
    pub(super) fn begin(number: i32, site: Site) -> Self {
        let site = if probe::recording() { probe::site(site) } else { None };
        let begun = site.map(|site| (u64::from(number.unsigned_abs()), site));
        append(Kind::SIGNAL_BEGIN, begun);
        Self { begun }
    }
}

impl Drop for Section {
    fn drop(&mut self) {
        append(Kind::SIGNAL_END, self.begun);
    }
}

fn append(kind: Kind, begun: Option<(u64, u32)>) {
    if let Some((number, site)) = begun {
        probe::append(Event::new(kind, Flags::NONE, site, ObjectId::NONE, number));
    }
}
