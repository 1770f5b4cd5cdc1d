//! What is known of the objects of a recorded process: what they are, and what locks guard.

use crate::{
    history::Resource,
    merge::FirstPass,
    source::{Family, scan},
};
use trace_format::{Kind, MESSAGE_MAX, ObjectKind, UNSEEN_TYPE};

/// Permits beyond which a semaphore is not gone through: its recorder does not say who holds them.
const PERMITS_MAX: u64 = 1024;

/// What is known of the data that a lock guards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Data {
    /// It changes through mutable references only.
    Plain,
    /// It may change through shared references too.
    Shared,
    /// It may, and what the lock's holders do to it is not recorded.
    Unseen,
    /// There is none: the lock guards something else.
    Elsewhere,
}

/// By class, for the classes of a file.
fn data_of(type_name: &str) -> Data {
    if type_name == "()" || type_name.is_empty() {
        return Data::Elsewhere;
    }
    if type_name.starts_with(UNSEEN_TYPE) {
        return Data::Unseen;
    }
    // What a pointer leads to changes without it.
    if type_name.contains('*') {
        return Data::Shared;
    }
    let mut words =
        type_name.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).filter(|word| !word.is_empty());
    let is_plain = |word: &str| PLAIN_TYPES.contains(&word) || word.parse::<u64>().is_ok();
    if words.all(is_plain) { Data::Plain } else { Data::Shared }
}

/// Types that do not change behind a shared reference if what they are made of does not.
const PLAIN_TYPES: &[&str] = &[
    "bool",
    "char",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "f32",
    "f64",
    "alloc::string::String",
    "alloc::vec::Vec",
    "alloc::boxed::Box",
    "core::option::Option",
    "core::result::Result",
    "alloc::collections::vec_deque::VecDeque",
    "alloc::collections::btree::map::BTreeMap",
    "alloc::collections::btree::set::BTreeSet",
    "alloc::collections::binary_heap::BinaryHeap",
    "std::collections::hash::map::HashMap",
    "std::collections::hash::set::HashSet",
    "core::time::Duration",
    "std::time::Instant",
    "std::path::PathBuf",
    "std::ffi::os_str::OsString",
];

/// An object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described {
    pub(super) data: Data,
    pub(super) kind: ObjectKind,
    pub(super) resource: Resource,
    /// As the file numbers them; 0 if its CREATE is missing.
    pub(super) class: u32,
    pub(super) created_at: u32,
    pub(super) capacity: Option<u64>,
}

impl Default for Described {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            data: Data::Elsewhere,
            kind: ObjectKind::Unknown,
            resource: Resource::Opaque,
            class: 0,
            created_at: 0,
            capacity: None,
        }
    }
}

/// Describes the objects of a file before the merge comes to their first events; nothing is known of those whose CREATE is
/// missing.
///
/// In a pass of its own: the merge may come to a CREATE after the first acquires, if another thread than theirs recorded it.
pub(super) fn describe(file: &Family, first: &FirstPass) -> Vec<Described> {
    let mut described = vec![Described::default(); first.objects.len()];
    scan(file, |member, event| {
        let is_atomic = matches!(event.kind(), Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW);
        let is_cell = event.is_at_address() && !is_atomic;
        if !matches!(event.kind(), Kind::CREATE | Kind::CAPACITY) && !is_atomic && !is_cell {
            return;
        }
        let Some(of) = described.get_mut(first.object_of(member, event) as usize) else { return };
        if event.kind() == Kind::CAPACITY {
            of.capacity = Some(event.seq());
        } else if is_atomic {
            of.kind = ObjectKind::Atomic;
        } else if is_cell {
            of.kind = if of.kind == ObjectKind::Unknown { ObjectKind::Cell } else { of.kind };
        } else if let Some(class) = file.dictionary.classes.get(&(event.seq() as u32)) {
            (of.data, of.kind) = (data_of(&class.type_name), class.kind);
            (of.class, of.created_at) = (event.seq() as u32, event.site().0);
        }
    });
    for of in &mut described {
        of.resource = resource(of.kind, of.capacity);
    }
    for thread in &first.threads {
        if let Some(of) = described.get_mut(first.objects.find(*thread) as usize) {
            of.resource = Resource::Token;
        }
    }
    described
}

fn resource(kind: ObjectKind, capacity: Option<u64>) -> Resource {
    let small = |n: u64| u32::try_from(n).ok();
    match (kind, capacity) {
        (ObjectKind::Channel, Some(MESSAGE_MAX)) => Resource::Channel { room: None },
        (ObjectKind::Channel, Some(room)) => {
            small(room).map_or(Resource::Opaque, |room| Resource::Channel { room: Some(room) })
        }
        (ObjectKind::Semaphore, Some(permits)) if permits <= PERMITS_MAX => Resource::Permits(permits as u32),
        (ObjectKind::Latch, Some(counts)) => small(counts).map_or(Resource::Opaque, Resource::Latch),
        // One party lets itself through; so does none.
        (ObjectKind::Barrier, Some(parties)) if parties > 1 => {
            small(parties).map_or(Resource::Opaque, Resource::Barrier)
        }
        (ObjectKind::Condvar, _) => Resource::Condition,
        _ => Resource::Opaque,
    }
}
