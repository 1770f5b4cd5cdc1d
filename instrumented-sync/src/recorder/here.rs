//! The functions of [`super::entry`] as they are in the copy that records.

use super::{
    entry::{APPEND, PREPARE, SITE},
    local::Local,
    process::{self, Slot},
    stripe,
    table_abi::{Pair, RawSlot, Source, Text},
};
use std::sync::atomic::AtomicU64;
use trace_format::{Event, Flags, Kind, Mode, ObjectId, ObjectKind, dictionary::Record, slot::SLOT_WORDS};

#[inline]
pub(super) fn prepare() -> bool {
    Local::with(Local::prepare_hold)
}

#[inline]
pub(super) fn site_at(source: Source, stack_pointer: usize) -> u64 {
    Local::with(|local| if local.prepare_hold() { SITE | u64::from(local.site(source, stack_pointer)) } else { 0 })
}

pub(super) fn bare_site(source: Source) -> u32 {
    Local::enter().map_or(0, |_busy| process::intern_site(Some(source), &[]))
}

pub(super) fn class(kind: u32, type_name: Text) -> u32 {
    let kind = ObjectKind::from_number(u8::try_from(kind).unwrap_or(0));
    Local::enter().map_or(0, |_busy| process::intern_class(kind, type_name))
}

#[inline]
pub(super) fn append(event: Pair) -> bool {
    Local::with(|local| {
        let has_room = local.prepare();
        if has_room {
            let event = Event::from(event);
            local.append(event);
            if matches!(event.kind(), Kind::RECEIVE | Kind::SENT | Kind::WAKE | Kind::JOIN | Kind::SCOPE_END) {
                local.note_wait();
            }
        }
        has_room
    })
}

#[inline]
pub(super) fn append_pair(event: Pair, extension: Pair) -> bool {
    Local::with(|local| {
        let has_room = local.prepare();
        if has_room {
            let event = Event::from(event);
            local.append_extended(event, extension.into());
            if event.kind() == Kind::PROCESS_WAIT {
                local.note_wait();
            }
        }
        has_room
    })
}

#[inline]
pub(super) fn append_acquire(event: Pair) {
    Local::with(|local| local.append_acquire(event.into()));
}

#[inline]
pub(super) fn append_release(event: Pair) {
    Local::with(|local| {
        if local.prepare() {
            local.append_release(event.into());
        }
    });
}

pub(super) fn change_hold(from: u32, event: Pair) {
    let from = Flags(from as u8).mode();
    Local::with(|local| local.change_hold(from, event.into()));
}

pub(super) fn n_holds_of(object: u64) -> u64 {
    Local::with(|local| local.n_holds_of(ObjectId(object)) as u64)
}

pub(super) fn is_read_recursively(object: u64) -> bool {
    Local::with(|local| local.reads_as(ObjectId(object)) == Some(Mode::SharedRecursive))
}

#[inline]
pub(super) fn holds_something() -> bool {
    Local::with(Local::holds_something)
}

#[inline]
pub(super) fn holds_newer(object: u64) -> bool {
    Local::with(|local| local.holds_newer(ObjectId(object)))
}

pub(super) fn is_first_look(look: u64) -> bool {
    Local::with(|local| local.prepare() && local.is_first_look(look))
}

#[inline]
pub(super) fn begin_wait(event: Pair, second: u64, how: u32) -> bool {
    Local::with(|local| {
        let has_room = how & PREPARE == 0 || local.prepare();
        if has_room {
            let event = Event::from(event);
            if how & APPEND != 0 {
                local.append(event);
            }
            local.begin_wait(event, second);
        }
        has_room
    })
}

#[inline]
pub(super) fn end_wait() {
    Local::with(Local::end_wait);
}

pub(super) fn take_object() -> u64 {
    Local::with(|local| if local.prepare() { local.take_object() } else { 0 })
}

pub(super) fn this_thread() -> u64 {
    Local::with(|local| if local.prepare() { local.thread() } else { 0 })
}

pub(super) fn begin_thread(object: u64, name: Text) {
    let begun = Local::with(|local| {
        local.announce(object);
        local.prepare()
    });
    let Some(_busy) = (begun && name.len() > 0).then(Local::enter).flatten() else { return };
    // SAFETY: the name lives as long as this call.
    process::describe_thread(object, unsafe { name.bytes() });
}

pub(super) fn label(object: u64, text: Text) {
    if let Some(_busy) = Local::enter() {
        // SAFETY: the text lives as long as this call.
        let text = unsafe { text.bytes() };
        process::write_record(&Record::Label { object: ObjectId(object), text });
    }
}

pub(super) fn shared(object: u64, device: u64, inode: u64, offset: u64, birth: u64) {
    if let Some(_busy) = Local::enter() {
        process::write_record(&Record::Shared { object: ObjectId(object), device, inode, offset, birth });
    }
}

pub(super) fn child(object: u64, pid: u32, start: u64) {
    if let Some(_busy) = Local::enter() {
        process::write_record(&Record::Child { object: ObjectId(object), pid, start });
    }
}

pub(super) fn role(text: Text) {
    if let Some(_busy) = Local::enter() {
        // SAFETY: the text lives as long as this call.
        let text = unsafe { text.bytes() };
        process::write_record(&Record::Role { text });
    }
}

pub(super) fn begin_task(object: u64, name: Text) -> RawSlot {
    let Some(_busy) = Local::enter() else { return RawSlot::NONE };
    // SAFETY: the name lives as long as this call.
    let name = unsafe { name.bytes() };
    process::write_record(&Record::Thread { object: ObjectId(object), tid: 0, start: 0, name });
    process::take_slot().map_or(RawSlot::NONE, Slot::into_raw)
}

pub(super) fn return_slot(slot: RawSlot) {
    if let (Some(slot), Some(_busy)) = (Slot::from_raw(slot), Local::enter()) {
        process::return_slot(slot);
    }
}

pub(super) fn elapsed_ns() -> u64 {
    process::elapsed_ns()
}

pub(super) fn generation() -> u64 {
    process::generation()
}

#[inline]
pub(super) fn is_repeated(event: Event) -> bool {
    Local::with(|local| local.is_repeated(event))
}

pub(super) fn access(event: Pair, source: Source, stack_pointer: usize) {
    let event = Event::from(event);
    Local::with(|local| {
        // For the other copies, which cannot ask before they call.
        if !local.is_repeated(event) {
            local.access(event, source, stack_pointer);
        }
    });
}

pub(super) fn stripe_of(address: u64) -> *const AtomicU64 {
    stripe::word_of(address)
}

#[inline]
pub(super) fn bare_site_at(source: Source, changes: bool) -> u64 {
    Local::with(|local| {
        if local.prepare() {
            return SITE | u64::from(local.bare_site(source));
        }
        if changes {
            // Who sees what it leaves behind is to know that something is missing.
            process::count_lost(1);
        }
        0
    })
}

#[inline]
pub(super) fn append_prepared(event: Pair) {
    Local::with(|local| local.append(event.into()));
}

#[inline]
pub(super) fn append_load(event: Pair, source: Source) {
    Local::with(|local| local.append_load(event.into(), source));
}

pub(super) fn append_fence(event: Pair, source: Source) {
    Local::with(|local| local.append_fence(event.into(), source));
}

pub(super) fn is_latest(kind: u32, address: u64) -> bool {
    Local::with(|local| {
        let latest = local.latest();
        u32::from(latest.kind().0) == kind && latest.address() == address
    })
}

impl Slot {
    pub(super) const fn into_raw(self) -> RawSlot {
        RawSlot { words: self.words.as_ptr(), offset: self.offset }
    }

    pub(super) fn from_raw(slot: RawSlot) -> Option<Self> {
        if slot.words.is_null() {
            return None;
        }
        // SAFETY: an address that is not null was made from a slot, by `into_raw` of the copy that records. Slots are
        // never unmapped, and their length is part of what the version of the table says.
        let words = unsafe { std::slice::from_raw_parts(slot.words, SLOT_WORDS) };
        Some(Self { words, offset: slot.offset })
    }
}
