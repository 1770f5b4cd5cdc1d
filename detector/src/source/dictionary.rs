//! A process file's dictionary, in tables by id.

use rustc_hash::FxHashMap;
use trace_format::{
    ObjectKind,
    dictionary::{Malformed, Record, records},
};

/// What the ids in one process file stand for.
#[derive(Debug, Default)]
pub struct Dictionary {
    /// Locations by id.
    pub locations: FxHashMap<u32, Location>,
    /// Return addresses of stacks by id, innermost first.
    pub stacks: FxHashMap<u32, Vec<u64>>,
    /// Location and stack of sites by id.
    pub sites: FxHashMap<u32, (u32, u32)>,
    /// Classes by id.
    pub classes: FxHashMap<u32, Class>,
    /// Labels by object.
    pub labels: FxHashMap<u64, String>,
    /// Threads, in the order in which they were registered.
    pub threads: Vec<ThreadRecord>,
    /// Executable and shared libraries.
    pub modules: Vec<Module>,
    /// Path of the executable.
    pub program: String,
    /// What the process called itself, if it did.
    pub role: Option<String>,
    /// Where objects lie that are in shared memory, by object.
    pub shared: FxHashMap<u64, Place>,
    /// Child processes by object: process id and start time.
    pub children: FxHashMap<u64, (u32, u64)>,
    /// Records of a newer minor version that were skipped.
    pub n_unknown: u64,
}

/// An executable or shared library of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Module {
    /// What to subtract from an address to get that in the file.
    pub base: u64,
    /// First address mapped.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
    /// GNU build id.
    pub build_id: Vec<u8>,
    /// Path of the file.
    pub path: String,
}

/// Where an object lies in shared memory: equal places are one object, whatever processes call it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place {
    device: u64,
    inode: u64,
    offset: u64,
    birth: u64,
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Path as the compiler knew it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// What objects of a class are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Their kind.
    pub kind: ObjectKind,
    /// Rust type of their data.
    pub type_name: String,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadRecord {
    /// The thread as an object.
    pub object: u64,
    /// Its id in the operating system.
    pub tid: u32,
    /// When the operating system started it, clock ticks since boot; 0 if that is not known.
    pub start: u64,
    /// Its name, empty if it has none.
    pub name: String,
}

impl Dictionary {
    /// Adds the records of one chunk's payload.
    ///
    /// # Errors
    ///
    /// If a record is malformed; those before it are kept.
    pub(super) fn add(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        records(payload).try_for_each(|record| record.map(|record| self.add_record(&record)))
    }

    fn add_record(&mut self, record: &Record<'_>) {
        match *record {
            Record::Location { id, line, column, file } => {
                self.locations.entry(id.0).or_insert_with(|| Location { file: text(file), line, column });
            }
            Record::Stack { id, addresses } => {
                self.stacks.entry(id.0).or_insert_with(|| addresses.iter().collect());
            }
            Record::Site { id, location, stack } => {
                self.sites.entry(id.0).or_insert((location.0, stack.0));
            }
            Record::Module { base, start, end, build_id, path } => {
                let build_id = build_id.to_vec();
                self.modules.push(Module { base, start, end, build_id, path: text(path) });
            }
            // A program may rename an object or a thread: the last word counts.
            Record::Label { object, text: label } => {
                self.labels.insert(object.0, text(label));
            }
            Record::Thread { object, tid, start, name } => {
                self.threads.push(ThreadRecord { object: object.0, tid, start, name: text(name) });
            }
            Record::Class { id, kind, type_name } => {
                self.classes.entry(id.0).or_insert_with(|| Class { kind, type_name: text(type_name) });
            }
            Record::Program { path } => self.program = text(path),
            Record::Role { text: role } => self.role = Some(text(role)),
            Record::Shared { object, device, inode, offset, birth } => {
                self.shared.insert(object.0, Place { device, inode, offset, birth });
            }
            Record::Child { object, pid, start } => {
                self.children.insert(object.0, (pid, start));
            }
            Record::Unknown { .. } => self.n_unknown += 1,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
