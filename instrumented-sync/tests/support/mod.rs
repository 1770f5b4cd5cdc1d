//! A reader of trace directories in its smallest form, and running this test binary again as another program.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod program;
pub(crate) mod rules;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use trace_format::{
    Event, Kind, ObjectId, PROCESS_FILE_SUFFIX,
    chunk::{self, CHUNK_ALIGN, ChunkKind, State},
    dictionary::{Record, records},
    process,
    slot::{FIRST_OVERFLOW_HOLD, HOLDS_INLINE, HOLDS_OVERFLOW, Life, SLOT_BYTES, Snapshot},
    words::{Copied, word_at},
};

/// One process file, read once.
pub(crate) struct Trace {
    pub(crate) header: process::Header,
    pub(crate) path: PathBuf,
    bytes: Vec<u8>,
    /// Offset and header of each chunk.
    pub(crate) chunks: Vec<(usize, chunk::Header)>,
    pub(crate) threads: Vec<Thread>,
    /// Labels, by object; the latest counts.
    pub(crate) labels: BTreeMap<u64, String>,
    /// Thread records: object, os thread id, name.
    pub(crate) names: Vec<(u64, u32, String)>,
    /// Start and end of each module, and the path of the program.
    pub(crate) modules: Vec<(u64, u64)>,
    pub(crate) program: Option<String>,
    /// Child processes: object, id, start.
    pub(crate) children: Vec<(u64, u32, u64)>,
    /// What the process said it is to be called.
    pub(crate) roles: Vec<String>,
    /// Return addresses of all stacks.
    pub(crate) addresses: Vec<u64>,
    /// Location and stack of each site, 0 if it has none; and the stacks.
    pub(crate) sites: BTreeMap<u32, (u32, u32)>,
    pub(crate) stacks: BTreeMap<u32, Vec<u64>>,
    /// File of each location.
    pub(crate) files: BTreeMap<u32, String>,
}

/// What one thread did, in its order. OWNER events are left out, all others are not.
pub(crate) struct Thread {
    pub(crate) object: u64,
    pub(crate) events: Vec<Event>,
    /// What its OWNER events say: how many segments it had before each.
    pub(crate) segments: Vec<u64>,
}

impl Thread {
    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.events.iter().filter(|event| event.kind() == kind).count()
    }

    /// Events of these kinds on an object.
    pub(crate) fn on(&self, object: u64, kinds: &[Kind]) -> Vec<Event> {
        let wanted = |event: &&Event| event.object().0 == object && kinds.contains(&event.kind());
        self.events.iter().filter(wanted).copied().collect()
    }

    pub(crate) fn position(&self, kind: Kind) -> Option<usize> {
        self.events.iter().position(|event| event.kind() == kind)
    }
}

/// Paths of the process files in a trace directory.
pub(crate) fn process_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<_> = paths.filter(|path| path.to_string_lossy().ends_with(PROCESS_FILE_SUFFIX)).collect();
    paths.sort();
    paths
}

impl Trace {
    /// Reads the only process file of a trace directory.
    pub(crate) fn only(dir: &Path) -> Self {
        let paths = process_files(dir);
        assert_eq!(paths.len(), 1, "process files in {}: {paths:?}", dir.display());
        Self::read(&paths[0]).expect("the process file has a header")
    }

    /// Reads the only file of process `pid` in a trace directory.
    pub(crate) fn of_process(dir: &Path, pid: u32) -> Self {
        let mut paths = process_files(dir);
        let prefix = format!("{pid}-");
        paths.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with(&prefix));
        assert_eq!(paths.len(), 1, "files of process {pid} in {}: {paths:?}", dir.display());
        Self::read(&paths[0]).expect("the process file has a header")
    }

    /// Reads the file of a process; `None` if that process was killed before it had made its header.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let bytes = fs::read(path).unwrap();
        let header = process::Header::read(&Copied(&bytes))?;
        let mut trace = Self {
            header,
            path: path.to_owned(),
            bytes,
            chunks: Vec::new(),
            threads: Vec::new(),
            labels: BTreeMap::new(),
            names: Vec::new(),
            modules: Vec::new(),
            program: None,
            children: Vec::new(),
            roles: Vec::new(),
            addresses: Vec::new(),
            sites: BTreeMap::new(),
            stacks: BTreeMap::new(),
            files: BTreeMap::new(),
        };
        trace.read_chunks();
        trace.read_dictionary();
        trace.read_events();
        Some(trace)
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = (usize, chunk::Header)> + '_ {
        self.chunks.iter().filter(|(_, header)| header.kind == ChunkKind::EVENTS).copied()
    }

    fn read_chunks(&mut self) {
        let mut at = process::HEADER_BYTES;
        while let Some(header) = self.bytes.get(at..).and_then(|bytes| chunk::Header::read(&Copied(bytes))) {
            assert!(at + header.bytes <= self.bytes.len(), "chunk at {at} reaches beyond the file");
            assert_eq!(header.bytes % CHUNK_ALIGN, 0);
            self.chunks.push((at, header));
            at += header.bytes;
        }
    }

    fn read_dictionary(&mut self) {
        for (at, header) in self.chunks.iter().filter(|(_, header)| header.kind == ChunkKind::DICTIONARY) {
            for record in records(&self.bytes[at + chunk::HEADER_BYTES..at + header.head]) {
                let text = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap();
                match record.unwrap() {
                    Record::Label { object, text: label } => {
                        self.labels.insert(object.0, text(label));
                    }
                    Record::Thread { object, tid, name, .. } => self.names.push((object.0, tid, text(name))),
                    Record::Module { start, end, .. } => self.modules.push((start, end)),
                    Record::Child { object, pid, start } => self.children.push((object.0, pid, start)),
                    Record::Role { text: role } => self.roles.push(text(role)),
                    Record::Program { path } => self.program = Some(text(path)),
                    Record::Stack { id, addresses } => {
                        self.addresses.extend(addresses.iter());
                        self.stacks.insert(id.0, addresses.iter().collect());
                    }
                    Record::Location { id, file, .. } => {
                        self.files.insert(id.0, text(file));
                    }
                    Record::Site { id, location, stack } => {
                        self.sites.insert(id.0, (location.0, stack.0));
                    }
                    _ => {}
                }
            }
        }
    }

    fn read_events(&mut self) {
        // Thread and number of its segment, to the events there.
        let mut runs: BTreeMap<(u64, u64), Vec<Event>> = BTreeMap::new();
        for (at, header) in self.segments() {
            assert_eq!(header.head % 16, 0, "head of the segment at {at}");
            let mut owner = None;
            for event in self.events_in(at, header) {
                if event.kind() == Kind::OWNER {
                    owner = Some((event.object().0, event.seq()));
                    assert!(runs.insert((event.object().0, event.seq()), Vec::new()).is_none(), "{event:?} twice");
                } else {
                    assert!(event.kind().name().is_some(), "{event:?} in {}", self.path.display());
                    runs.get_mut(&owner.expect("an OWNER event comes first")).unwrap().push(event);
                }
            }
        }
        for ((object, n), events) in runs {
            match self.threads.last_mut() {
                Some(thread) if thread.object == object => {
                    thread.events.extend(events);
                    thread.segments.push(n);
                }
                _ => self.threads.push(Thread { object, events, segments: vec![n] }),
            }
        }
    }

    /// Events of segments that are not drained, in no order.
    pub(crate) fn undrained_events(&self) -> Vec<Event> {
        let left = self.segments().filter(|(_, header)| header.state != State::DRAINED);
        left.flat_map(|(at, header)| self.events_in(at, header)).collect()
    }

    fn events_in(&self, at: usize, header: chunk::Header) -> impl Iterator<Item = Event> + '_ {
        let events = self.bytes[at + chunk::HEADER_BYTES..at + header.head].chunks_exact(16);
        events.map(|event| Event::from_words([word_at(event, 0), word_at(event, 1)]))
    }

    pub(crate) fn thread(&self, object: u64) -> &Thread {
        let found = self.threads.iter().find(|thread| thread.object == object);
        found.unwrap_or_else(|| panic!("no events of thread {object}"))
    }

    /// The thread with this name.
    pub(crate) fn named(&self, name: &str) -> &Thread {
        let found = self.names.iter().find(|(_, _, known)| known == name);
        self.thread(found.unwrap_or_else(|| panic!("no thread {name}: {:?}", self.names)).0)
    }

    /// The object with this label.
    pub(crate) fn labelled(&self, label: &str) -> u64 {
        let found = self.labels.iter().find(|(_, known)| *known == label);
        *found.unwrap_or_else(|| panic!("no object {label}: {:?}", self.labels)).0
    }

    /// All events of all threads, in no order between threads.
    pub(crate) fn events(&self) -> impl Iterator<Item = Event> + '_ {
        self.threads.iter().flat_map(|thread| thread.events.iter().copied())
    }

    pub(crate) fn count(&self, kind: Kind) -> usize {
        self.events().filter(|event| event.kind() == kind).count()
    }

    /// All that was lost: what the segments count, and what the header does.
    pub(crate) fn n_lost(&self) -> u64 {
        let counted = self.events().filter(|event| event.kind() == Kind::LOST);
        counted.map(Event::seq).sum::<u64>() + self.header.lost
    }

    /// Slots of threads that live, or ended holding something.
    pub(crate) fn slots(&self) -> Vec<Snapshot> {
        let mut slots = Vec::new();
        for (at, header) in self.chunks.iter().filter(|(_, header)| header.kind == ChunkKind::SLOTS) {
            let payload = &self.bytes[at + chunk::HEADER_BYTES..at + header.head];
            slots.extend(payload.chunks_exact(SLOT_BYTES).map(|slot| Snapshot::read(&Copied(slot))));
        }
        slots.retain(|slot| slot.life == Life::LIVE || slot.life == Life::ENDED);
        slots
    }

    pub(crate) fn slot(&self, thread: u64) -> Snapshot {
        let found = self.slots().into_iter().find(|slot| slot.thread == thread);
        found.unwrap_or_else(|| panic!("no slot of thread {thread}"))
    }

    /// All holds of a slot, those in overflow records included.
    pub(crate) fn holds(&self, slot: &Snapshot) -> Vec<Event> {
        let mut holds: Vec<_> = slot.holds.iter().take(slot.n_holds).copied().collect();
        let mut record = slot.overflow as usize;
        while holds.len() < slot.n_holds {
            let words = self.bytes.get(record..record + SLOT_BYTES).filter(|_| record != 0);
            let words = words.unwrap_or_else(|| panic!("{} holds, but a record at {record}", slot.n_holds));
            let left = (slot.n_holds - holds.len()).min(HOLDS_OVERFLOW);
            let hold = |n: usize| [FIRST_OVERFLOW_HOLD + n * 2, FIRST_OVERFLOW_HOLD + n * 2 + 1];
            holds.extend((0..left).map(|n| Event::from_words(hold(n).map(|word| word_at(words, word)))));
            record = word_at(words, 0) as usize;
        }
        assert!(holds.len() <= HOLDS_INLINE || slot.overflow != 0);
        holds
    }

    /// Objects that a slot's thread holds, oldest first.
    pub(crate) fn held(&self, slot: &Snapshot) -> Vec<u64> {
        self.holds(slot).into_iter().map(Event::object).map(|ObjectId(object)| object).collect()
    }
}
