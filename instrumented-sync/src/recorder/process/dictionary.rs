//! The dictionary of the process file: what has an id already, and the records of what is new.

use super::{
    super::{
        platform,
        table::{List, Table},
    },
    file::ProcessFile,
};
use std::{
    panic::Location,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use trace_format::{
    ClassId, LocationId, ObjectKind, SiteId, StackId,
    chunk::{self, CHUNK_ALIGN, ChunkKind, HEADER_WORDS},
    dictionary::{Addresses, Record},
};

pub(super) struct Dictionary {
    chunk: Option<&'static [AtomicU64]>,
    at: usize,
    locations: Table,
    stacks: Table,
    sites: Table,
    classes: Table,
    n_locations: u32,
    n_stacks: u32,
    n_sites: u32,
    n_classes: u32,
    /// Start and end of each module written, two entries each.
    modules: List,
}

impl Dictionary {
    pub(super) const fn new() -> Self {
        Self {
            chunk: None,
            at: 0,
            locations: Table::new(),
            stacks: Table::new(),
            sites: Table::new(),
            classes: Table::new(),
            n_locations: 0,
            n_stacks: 0,
            n_sites: 0,
            n_classes: 0,
            modules: List::new(),
        }
    }

    /// Appends a record and publishes it. Returns false if there is no room for it any more.
    pub(super) fn write(&mut self, file: &mut ProcessFile, record: &Record<'_>) -> bool {
        let n_words = record.words_len();
        let room = self.chunk.map_or(0, |chunk| chunk.len() - self.at);
        if n_words > room {
            let Some((chunk, _)) = file.append(ChunkKind::DICTIONARY, CHUNK_ALIGN, 0) else { return false };
            self.chunk = Some(chunk);
            self.at = HEADER_WORDS;
        }
        let Some(chunk) = self.chunk else { return false };
        let mut at = self.at;
        record.encode(&mut |word| {
            // Relaxed: published by `head` below.
            chunk[at].store(word, Relaxed);
            at += 1;
        });
        self.at = at;
        chunk::publish(chunk, at);
        true
    }

    /// Id of a location with a stack; 0 if the dictionary is full.
    pub(super) fn site(
        &mut self,
        file: &mut ProcessFile,
        location: &'static Location<'static>,
        addresses: &[u64],
    ) -> u32 {
        let location = self.location(file, location);
        let stack = self.stack(file, addresses);
        let key = u64::from(location) << 32 | u64::from(stack) | 1 << 63;
        if let Some(site) = self.sites.get(key) {
            return site;
        }
        let id = self.n_sites + 1;
        let record = Record::Site { id: SiteId(id), location: LocationId(location), stack: StackId(stack) };
        if id > SiteId::MAX.0 || !self.write(file, &record) {
            return 0;
        }
        self.n_sites = id;
        self.sites.insert(key, id);
        id
    }

    fn location(&mut self, file: &mut ProcessFile, location: &'static Location<'static>) -> u32 {
        let key = std::ptr::from_ref(location).addr() as u64;
        if let Some(id) = self.locations.get(key) {
            return id;
        }
        let id = self.n_locations + 1;
        let (line, column) = (location.line(), location.column());
        let record = Record::Location { id: LocationId(id), line, column, file: location.file().as_bytes() };
        if id > LocationId::MAX.0 || !self.write(file, &record) {
            return 0;
        }
        self.n_locations = id;
        self.locations.insert(key, id);
        id
    }

    fn stack(&mut self, file: &mut ProcessFile, addresses: &[u64]) -> u32 {
        if addresses.is_empty() {
            return 0;
        }
        let key = hash(addresses);
        if let Some(id) = self.stacks.get(key) {
            return id;
        }
        if addresses.iter().any(|address| !self.knows(*address)) {
            self.describe_modules(file);
        }
        let id = self.n_stacks + 1;
        let record = Record::Stack { id: StackId(id), addresses: Addresses::Words(addresses) };
        if id > StackId::MAX.0 || !self.write(file, &record) {
            return 0;
        }
        self.n_stacks = id;
        self.stacks.insert(key, id);
        id
    }

    pub(super) fn class(&mut self, file: &mut ProcessFile, kind: ObjectKind, type_name: &'static str) -> u32 {
        let key = (type_name.as_ptr().addr() as u64 ^ (kind as u64) << 56).wrapping_add(type_name.len() as u64);
        if let Some(id) = self.classes.get(key) {
            return id;
        }
        let id = self.n_classes + 1;
        let record = Record::Class { id: ClassId(id), kind, type_name: type_name.as_bytes() };
        if id > ClassId::MAX.0 || !self.write(file, &record) {
            return 0;
        }
        self.n_classes = id;
        self.classes.insert(key, id);
        id
    }

    /// The first records: the executable and the modules loaded so far.
    pub(super) fn describe_program(&mut self, file: &mut ProcessFile) {
        let mut buffer = [0; 4096];
        if let Some(path) = executable(&mut buffer) {
            self.write(file, &Record::Program { path });
        }
        self.describe_modules(file);
    }

    /// Writes the modules that are not written yet.
    fn describe_modules(&mut self, file: &mut ProcessFile) {
        let mut buffer = [0; 4096];
        let program = executable(&mut buffer).unwrap_or(&[]);
        platform::for_each_module(|module| {
            let path = if module.name.is_empty() { program } else { module.name };
            // The kernel's own page is a module without a file.
            if self.modules_contain(module.start, module.end) || path.starts_with(b"linux-vdso") {
                return;
            }
            let platform::Module { base, start, end, build_id, .. } = *module;
            if self.write(file, &Record::Module { base, start, end, build_id, path }) {
                self.modules.push(start);
                self.modules.push(end);
            }
        });
    }

    fn knows(&self, address: u64) -> bool {
        self.ranges().any(|(start, end)| (start..end).contains(&address))
    }

    fn modules_contain(&self, start: u64, end: u64) -> bool {
        self.ranges().any(|known| known == (start, end))
    }

    fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        (0..self.modules.len() / 2).filter_map(|i| Some((self.modules.get(i * 2)?, self.modules.get(i * 2 + 1)?)))
    }
}

fn executable(buffer: &mut [u8; 4096]) -> Option<&[u8]> {
    // SAFETY: the path is a terminated string, and the buffer is as long as it is said to be.
    let len = unsafe { libc::readlink(c"/proc/self/exe".as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(len).ok().map(|len| &buffer[..len])
}

/// FNV-1a over words. Two stacks of one hash would be taken for the same: once in 2^32 distinct stacks.
fn hash(addresses: &[u64]) -> u64 {
    addresses.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, address| {
        (hash ^ address).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}
