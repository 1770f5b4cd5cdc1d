//! Ids of process files as ids of their family.
//!
//! Ids of one file are kept together: each is moved by what the files before it need. An object of shared memory has one id,
//! whoever names it. How many ids there are is known only once all events have been looked at; of a file that has no relatives and
//! nothing in shared memory, which most are, ids stay what they are and nothing is looked at.

use super::super::{
    dictionary::{Dictionary, Place},
    recorded::ProcessFile,
    slots::SlotState,
    stream::events,
};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectId, SiteId};

/// Ids are taken in ranges of so many: a recorder that is not alone in its process has one of its own.
const RANGE_BITS: u32 = 32;

/// The first id of a family's objects of shared memory.
const FIRST_SHARED: u64 = ObjectId(1).in_shared_memory().0;

/// How the ids of one file become those of the family.
#[derive(Debug, Default)]
pub(super) struct Translation {
    is_plain: bool,
    /// By the range of an id, where the family has the range's first one. Few.
    ranges: Vec<(u64, u64)>,
    shared: FxHashMap<u64, u64>,
    first_site: u32,
    first_class: u32,
    first_location: u32,
    first_stack: u32,
    /// Tells scopes of processes apart that have them at equal addresses.
    scopes: u64,
}

/// Whose the ids of a family are.
#[derive(Debug, Default)]
pub struct Ids {
    /// First id in the family, member, first id in its file; ascending.
    objects: Vec<(u64, usize, u64)>,
    /// First site of each member.
    sites: Vec<u32>,
    /// By id of an object in shared memory: the members that name it.
    sharers: FxHashMap<u64, Vec<usize>>,
}

impl Ids {
    /// The member in which an object was named so; the first one that names it, of what lies in shared memory.
    pub fn member_of_object(&self, object: u64) -> usize {
        if let Some(first) = self.sharers(object).first() {
            return *first;
        }
        self.range(object).map_or(0, |(_, member, _)| member)
    }

    /// The id in its member's file, of what does not lie in shared memory.
    pub(super) fn local(&self, object: u64) -> Option<u64> {
        if self.objects.is_empty() {
            return Some(object);
        }
        let (start, _, local) = self.range(object)?;
        Some(object - start + local)
    }

    /// The member whose site this is.
    pub fn member_of_site(&self, site: u32) -> usize {
        self.sites.partition_point(|first| *first < site).saturating_sub(1)
    }

    /// The members that name an object of shared memory; none of any other object.
    pub fn sharers(&self, object: u64) -> &[usize] {
        self.sharers.get(&object).map_or(&[], Vec::as_slice)
    }

    fn range(&self, object: u64) -> Option<(u64, usize, u64)> {
        let behind = self.objects.partition_point(|(start, ..)| *start <= object);
        self.objects.get(behind.checked_sub(1)?).copied()
    }
}

impl Translation {
    /// Whether ids stay what they are.
    pub(super) const fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The family's id of an object of the file; 0 if there is none.
    #[inline]
    pub(super) fn object(&self, id: u64) -> u64 {
        if self.is_plain || id == 0 {
            return id;
        }
        if ObjectId(id).is_in_shared_memory() {
            return self.shared.get(&id).copied().unwrap_or(0);
        }
        let range = id >> RANGE_BITS;
        let first = self.ranges.iter().find(|(of, _)| *of == range);
        first.map_or(0, |(_, first)| first + (id & ((1 << RANGE_BITS) - 1)))
    }

    pub(super) const fn site(&self, site: u32) -> u32 {
        if site == 0 { 0 } else { site.wrapping_add(self.first_site) & SiteId::MAX.0 }
    }

    /// An event in the family's ids.
    pub(super) fn event(&self, event: Event) -> Event {
        if self.is_plain || event.kind() == Kind::EXTEND {
            return event;
        }
        let (kind, flags, site) = (event.kind(), event.flags(), self.site(event.site().0));
        if event.is_at_address() {
            return Event::at_address(kind, flags, site, event.address(), event.beside());
        }
        let seq = match kind {
            Kind::CREATE => (event.seq() + u64::from(self.first_class)) & MESSAGE_MAX,
            Kind::PASS => self.object(event.seq()),
            Kind::SCOPE_END => self.scope(event.seq()),
            Kind::FORK if flags.has(Flags::SCOPED) => self.scope(event.seq()),
            _ => event.seq(),
        };
        Event::new(kind, flags, site, ObjectId(self.object(event.object().0)), seq)
    }

    const fn scope(&self, address: u64) -> u64 {
        (address ^ self.scopes) & MESSAGE_MAX
    }
}

/// How the ids of each file become those of the family; whose they are; and, by file, the threads that others of it started.
pub(super) fn of(files: &[ProcessFile]) -> (Vec<Translation>, Ids, Vec<FxHashSet<u64>>) {
    let is_alone = files.len() == 1 && files.iter().all(|file| file.dictionary.shared.is_empty());
    if is_alone {
        return (vec![Translation { is_plain: true, ..Translation::default() }], Ids::default(), Vec::new());
    }
    let (mut translations, mut ids, mut next) = (Vec::new(), Ids::default(), Next::default());
    let mut started = Vec::new();
    for (member, file) in files.iter().enumerate() {
        let mut greatest = Greatest::of(file);
        let mut translation = Translation {
            first_site: next.site,
            first_class: next.class,
            first_location: next.location,
            first_stack: next.stack,
            // An odd number that has its bits everywhere, times the member: equal addresses of two members get apart.
            scopes: (member as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16,
            ..Translation::default()
        };
        ids.sites.push(next.site);
        greatest.objects.sort_unstable();
        // A damaged file may name more than all have room for: of the rest nothing is known.
        let has_room = |greatest: u64, next: u64| next.saturating_add(greatest) < FIRST_SHARED - 1;
        for (range, greatest) in std::mem::take(&mut greatest.objects) {
            if !has_room(greatest, next.object) {
                continue;
            }
            translation.ranges.push((range, next.object));
            ids.objects.push((next.object, member, range << RANGE_BITS));
            next.object = next.object.saturating_add(greatest + 1);
        }
        next.site = next.site.saturating_add(greatest.site);
        next.class = next.class.saturating_add(greatest.class);
        next.location = next.location.saturating_add(greatest.location);
        next.stack = next.stack.saturating_add(greatest.stack);
        translations.push(translation);
        started.push(greatest.started);
    }
    share(files, &mut translations, &mut ids);
    (translations, ids, started)
}

/// The first ids that are not taken. Those of objects begin above 0, which is none.
#[derive(Default)]
struct Next {
    object: u64,
    site: u32,
    class: u32,
    location: u32,
    stack: u32,
}

/// Gives each object of shared memory one id.
fn share(files: &[ProcessFile], translations: &mut [Translation], ids: &mut Ids) {
    let mut known: FxHashMap<Place, u64> = FxHashMap::default();
    let mut next = FIRST_SHARED;
    // A forked process names what it inherited as the one did that it was forked from, and does not say where it lies.
    for (member, file) in files.iter().enumerate() {
        let mut named: Vec<(u64, Place)> = places(files, file).into_iter().collect();
        named.sort_unstable();
        for (id, place) in named {
            let shared = *known.entry(place).or_insert(next);
            next += u64::from(shared == next);
            if let Some(translation) = translations.get_mut(member) {
                translation.shared.insert(id, shared);
            }
            let sharers = ids.sharers.entry(shared).or_default();
            if sharers.last() != Some(&member) {
                sharers.push(member);
            }
        }
    }
}

/// How far up the line of processes that were forked from each other is looked; a damaged trace may have a circle.
const ANCESTORS_MAX: usize = 64;

/// Where the objects lie that a process names, those included that it inherited.
fn places(files: &[ProcessFile], file: &ProcessFile) -> FxHashMap<u64, Place> {
    let mut places = file.dictionary.shared.clone();
    let (mut child, mut before) = (file, u64::MAX);
    for _ in 0..ANCESTORS_MAX {
        let Some(parent) = super::kinship::forked_from(files, child) else { break };
        before = before.min(child.header.forked_next_object);
        let counter = |id: u64| id & (FIRST_SHARED - 2);
        let inherited = files[parent].dictionary.shared.iter().filter(|(id, _)| counter(**id) < before);
        for (id, place) in inherited {
            places.entry(*id).or_insert(*place);
        }
        child = &files[parent];
    }
    places
}

/// What a look at a file's events tells: the greatest ids that it names.
#[derive(Default)]
struct Greatest {
    /// By range, within the range.
    objects: Vec<(u64, u64)>,
    site: u32,
    class: u32,
    location: u32,
    stack: u32,
    /// Threads that others of the file started.
    started: FxHashSet<u64>,
}

impl Greatest {
    fn of(file: &ProcessFile) -> Self {
        let mut greatest = Self::default();
        // Below the first id of all nothing is named, and 0 stays 0.
        greatest.object(1);
        greatest.dictionary(&file.dictionary);
        for slot in &file.slots {
            greatest.slot(slot);
        }
        events(file, |event| greatest.event(event));
        greatest
    }

    fn object(&mut self, id: u64) {
        if ObjectId(id).is_in_shared_memory() {
            return;
        }
        let (range, within) = (id >> RANGE_BITS, id & ((1 << RANGE_BITS) - 1));
        match self.objects.iter_mut().find(|(of, _)| *of == range) {
            Some((_, greatest)) => *greatest = within.max(*greatest),
            None => self.objects.push((range, within)),
        }
    }

    fn event(&mut self, event: Event) {
        if event.is_at_address() || event.kind() == Kind::EXTEND {
            return;
        }
        self.object(event.object().0);
        if event.kind() == Kind::FORK {
            self.started.insert(event.object().0);
        }
        if event.kind() == Kind::PASS {
            self.object(event.seq() & ObjectId::MAX.0);
        }
    }

    fn slot(&mut self, slot: &SlotState) {
        self.object(slot.thread & ObjectId::MAX.0);
        self.object(slot.wait_object.0 & ObjectId::MAX.0);
        slot.holds.iter().chain(&slot.wait).for_each(|event| self.event(*event));
    }

    fn dictionary(&mut self, dictionary: &Dictionary) {
        let max = |ids: &mut dyn Iterator<Item = &u32>| ids.max().copied().unwrap_or(0);
        self.site = max(&mut dictionary.sites.keys());
        self.class = max(&mut dictionary.classes.keys());
        self.location = max(&mut dictionary.locations.keys());
        self.stack = max(&mut dictionary.stacks.keys());
        let threads = dictionary.threads.iter().map(|thread| thread.object);
        for object in threads.chain(dictionary.labels.keys().copied()).chain(dictionary.children.keys().copied()) {
            self.object(object & ObjectId::MAX.0);
        }
    }
}

impl Dictionary {
    /// Takes in what another file's dictionary says, in the family's ids.
    pub(super) fn absorb(&mut self, other: Self, translation: &Translation) {
        if translation.is_plain {
            *self = other;
            return;
        }
        let location = |id: u32| if id == 0 { 0 } else { id.saturating_add(translation.first_location) };
        let stack = |id: u32| if id == 0 { 0 } else { id.saturating_add(translation.first_stack) };
        let sites = other.sites.into_iter();
        self.sites.extend(sites.map(|(id, (at, on))| (translation.site(id), (location(at), stack(on)))));
        self.locations.extend(other.locations.into_iter().map(|(id, of)| (location(id), of)));
        self.stacks.extend(other.stacks.into_iter().map(|(id, of)| (stack(id), of)));
        let classes = other.classes.into_iter();
        self.classes.extend(classes.map(|(id, of)| (id.saturating_add(translation.first_class), of)));
        self.labels.extend(other.labels.into_iter().map(|(id, label)| (translation.object(id), label)));
        self.threads.extend(other.threads.into_iter().map(|mut thread| {
            thread.object = translation.object(thread.object);
            thread
        }));
        self.children.extend(other.children.into_iter().map(|(id, child)| (translation.object(id), child)));
        self.shared.extend(other.shared.into_iter().map(|(id, place)| (translation.object(id), place)));
        self.n_unknown += other.n_unknown;
    }
}
