//! Accesses of what nothing guards by itself: cells, and memory that a program marks.

use super::{Class, Flags, Site, Unnumbered, atomic, entry, recording};
use crate::recorder::{
    platform,
    table_abi::{Source, Text},
};
use trace_format::{BESIDE_MAX, Event, Kind, ObjectId};

/// What a program says that it does with memory.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Read,
    Write,
    /// The memory ends: what comes later at its address is something else.
    Free,
}

/// Records that a cell is about to be read.
#[inline]
pub(crate) fn read(cell: &Unnumbered, class: Class, site: Site) {
    if recording() {
        of_cell(Kind::CELL_READ, cell, class, site);
    }
}

/// Records that a cell is about to be written.
#[inline]
pub(crate) fn write(cell: &Unnumbered, class: Class, site: Site) {
    if recording() {
        of_cell(Kind::CELL_WRITE, cell, class, site);
    }
}

/// Records what a program says that it does with these bytes; of none, nothing.
#[inline]
pub(crate) fn marked(mark: Mark, start: *const u8, n_bytes: usize, site: Site) {
    if n_bytes > 0 && recording() {
        of_memory(mark, start, n_bytes, site);
    }
}

/// Names a cell.
pub(crate) fn label(cell: &Unnumbered, class: Class, text: &str) {
    let object = cell.object(class);
    if object != 0 {
        entry::label(object, Text::of(text));
    }
}

// Not generic and not inlined, as the parts of an acquire: the stack pointer is that of the program's own frame.

#[inline(never)]
fn of_cell(kind: Kind, cell: &Unnumbered, class: Class, site: Site) {
    let object = cell.object(class);
    let access = Event::new(kind, Flags::NONE, 0, ObjectId(object), 0);
    if object != 0 && !entry::is_repeated(access) {
        entry::access(access.into(), Source::of(site), platform::stack_pointer());
    }
}

#[inline(never)]
fn of_memory(mark: Mark, start: *const u8, n_bytes: usize, site: Site) {
    let (kind, flags) = match mark {
        Mark::Read => (Kind::CELL_READ, Flags::ADDRESS),
        Mark::Write => (Kind::CELL_WRITE, Flags::ADDRESS),
        Mark::Free => (Kind::CELL_FREE, Flags::NONE),
    };
    let access = Event::at_address(kind, flags, 0, start.addr() as u64, (n_bytes as u64).min(BESIDE_MAX));
    if entry::is_repeated(access) {
        return;
    }
    // It may be memory that another thread has freed.
    atomic::observe_frees(site);
    entry::access(access.into(), Source::of(site), platform::stack_pointer());
    if matches!(mark, Mark::Free) {
        atomic::freed(site);
    }
}
