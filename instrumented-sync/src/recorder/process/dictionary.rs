//! The dictionary of the process file: what has an id already, and the records of what is new.

use super::{
    super::{
        table::{List, Table},
        table_abi::{Place, Source, Text},
    },
    file::ProcessFile,
    modules::{Modules, executable},
};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering::Relaxed};
use trace_format::{
    ClassId, LocationId, ObjectKind, SiteId, StackId,
    chunk::{self, CHUNK_ALIGN, ChunkKind, HEADER_WORDS},
    dictionary::{Addresses, Record},
};

/// The first records of this process, for a forked child: which words, and one past the last that counts. The
/// child has the same modules, and cannot ask for them, since the loader's lock may have been held at the fork.
static DESCRIPTION: AtomicPtr<AtomicU64> = AtomicPtr::new(std::ptr::null_mut());
static DESCRIPTION_END: AtomicUsize = AtomicUsize::new(0);

/// Tag of a module's record.
const MODULE_TAG: u64 = 4;

pub(super) struct Dictionary {
    chunk: Option<&'static [AtomicU64]>,
    n_chunks: u32,
    at: usize,
    locations: Table,
    stacks: Table,
    sites: Table,
    classes: Table,
    /// Hashes of threads' names.
    names: Table,
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
            n_chunks: 0,
            at: 0,
            locations: Table::new(),
            stacks: Table::new(),
            sites: Table::new(),
            classes: Table::new(),
            names: Table::new(),
            n_locations: 0,
            n_stacks: 0,
            n_sites: 0,
            n_classes: 0,
            modules: List::new(),
        }
    }

    /// Appends a record and publishes it. Returns false if there is no room for it any more.
    pub(super) fn write(&mut self, file: &mut ProcessFile, record: &Record<'_>) -> bool {
        let Some(chunk) = self.room(file, record.words_len()) else { return false };
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

    /// Appends a record that is words already.
    fn write_words(&mut self, file: &mut ProcessFile, n_words: usize, word: impl Fn(usize) -> u64) -> bool {
        let Some(chunk) = self.room(file, n_words) else { return false };
        let at = self.at;
        // Relaxed: published by `head` below.
        (0..n_words).for_each(|n| chunk[at + n].store(word(n), Relaxed));
        self.at = at + n_words;
        chunk::publish(chunk, self.at);
        true
    }

    /// A chunk with room for so many words from `at` on.
    fn room(&mut self, file: &mut ProcessFile, n_words: usize) -> Option<&'static [AtomicU64]> {
        let room = self.chunk.map_or(0, |chunk| chunk.len() - self.at);
        if n_words > room {
            let (chunk, _) = file.append(ChunkKind::DICTIONARY, CHUNK_ALIGN, 0)?;
            self.chunk = Some(chunk);
            self.n_chunks += 1;
            self.at = HEADER_WORDS;
        }
        self.chunk
    }

    /// Whether it is not known of which module the stack is.
    pub(super) fn needs_modules(&self, addresses: &[u64]) -> bool {
        self.stacks.get(hash(addresses)).is_none() && addresses.iter().any(|address| !self.knows(*address))
    }

    /// Id of a location, 0 if there is none, with a stack; 0 if the dictionary is full.
    pub(super) fn site(&mut self, file: &mut ProcessFile, source: Option<Source>, addresses: &[u64]) -> u32 {
        let location = source.map_or(0, |source| self.location(file, source));
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

    fn location(&mut self, file: &mut ProcessFile, source: Source) -> u32 {
        let key = source.key() as u64;
        if let Some(id) = self.locations.get(key) {
            return id;
        }
        let id = self.n_locations + 1;
        let Place { file: path, line, column } = source.place();
        // SAFETY: the name of a location's file is part of a static.
        let record = Record::Location { id: LocationId(id), line, column, file: unsafe { path.bytes() } };
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
        let id = self.n_stacks + 1;
        let record = Record::Stack { id: StackId(id), addresses: Addresses::Words(addresses) };
        if id > StackId::MAX.0 || !self.write(file, &record) {
            return 0;
        }
        self.n_stacks = id;
        self.stacks.insert(key, id);
        id
    }

    pub(super) fn class(&mut self, file: &mut ProcessFile, kind: ObjectKind, type_name: Text) -> u32 {
        let key = (type_name.key() ^ (kind as u64) << 56).wrapping_add(type_name.len() as u64);
        if let Some(id) = self.classes.get(key) {
            return id;
        }
        let id = self.n_classes + 1;
        // SAFETY: a type's name is part of a static.
        let record = Record::Class { id: ClassId(id), kind, type_name: unsafe { type_name.bytes() } };
        if id > ClassId::MAX.0 || !self.write(file, &record) {
            return 0;
        }
        self.n_classes = id;
        self.classes.insert(key, id);
        id
    }

    /// The first records: the executable and the modules loaded so far. A forked child has inherited them.
    pub(super) fn describe_program(&mut self, file: &mut ProcessFile, modules: Option<&Modules>) {
        // Relaxed, here and below: stored and loaded under the recorder's lock, or before a fork.
        let (inherited, end) = (DESCRIPTION.load(Relaxed), DESCRIPTION_END.load(Relaxed));
        if inherited.is_null() {
            let mut buffer = [0; 4096];
            if let Some(path) = executable(&mut buffer) {
                self.write(file, &Record::Program { path });
            }
            if let Some(modules) = modules {
                self.describe_modules(file, modules);
            }
        } else {
            // SAFETY: the words are those of a dictionary chunk, which is never unmapped, and of which `end` words
            // were written before the fork and do not change.
            self.inherit(file, unsafe { std::slice::from_raw_parts(inherited, end) });
        }
        // A description of hundreds of modules that needed a second chunk is not remembered.
        if let Some(chunk) = self.chunk.filter(|_| self.n_chunks == 1) {
            // Relaxed: as above.
            DESCRIPTION.store(chunk.as_ptr().cast_mut(), Relaxed);
            DESCRIPTION_END.store(self.at, Relaxed);
        }
    }

    /// Whether this is the first thread of this name. Two names of one hash are taken for the same.
    pub(super) fn is_new_name(&mut self, name: &[u8]) -> bool {
        let hash = trace_format::process::fnv1a(name) | 1;
        let is_new = self.names.get(hash).is_none();
        if is_new {
            self.names.insert(hash, 1);
        }
        is_new
    }

    /// Whether the modules are known from the process that this one was forked from.
    pub(super) fn is_inherited() -> bool {
        // Relaxed: stored before the fork.
        !DESCRIPTION.load(Relaxed).is_null()
    }

    /// Copies the first records of the process that this one was forked from.
    fn inherit(&mut self, file: &mut ProcessFile, words: &[AtomicU64]) {
        let Some((chunk, _)) = file.append(ChunkKind::DICTIONARY, CHUNK_ALIGN, 0) else { return };
        // Relaxed: written before the fork.
        let word = |at: usize| words.get(at).map_or(0, |word| word.load(Relaxed));
        let mut at = HEADER_WORDS;
        while at < words.len() {
            let (n_words, tag) = (word(at) as u32 as usize / 8, word(at) >> 32);
            // The words are shared with a process that may be anything by now: what cannot be is not copied.
            if n_words == 0 || at + n_words > words.len().min(chunk.len()) {
                break;
            }
            if tag == MODULE_TAG {
                self.modules.push(word(at + 2));
                self.modules.push(word(at + 3));
            }
            // Relaxed: published by `head` below.
            (at..at + n_words).for_each(|at| chunk[at].store(word(at), Relaxed));
            at += n_words;
        }
        self.chunk = Some(chunk);
        self.n_chunks = 1;
        self.at = at;
        chunk::publish(chunk, at);
    }

    /// Writes the modules that are not written yet.
    pub(super) fn describe_modules(&mut self, file: &mut ProcessFile, modules: &Modules) {
        for module in modules.iter() {
            let (start, end) = (module.word(2), module.word(3));
            if !self.modules_contain(start, end) && self.write_words(file, module.n_words, |at| module.word(at)) {
                self.modules.push(start);
                self.modules.push(end);
            }
        }
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

/// FNV-1a over words. Two stacks of one hash would be taken for the same: once in 2^32 distinct stacks.
fn hash(addresses: &[u64]) -> u64 {
    addresses.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, address| {
        (hash ^ address).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23)
    })
}
