//! What happens to processes, in the words for threads.
//!
//! A spawn or a fork is the FORK of the threads that the child begins with, so that everything in it comes later. Whoever waits for the
//! child's end JOINs its first thread, whose end ends the process; what its other threads did comes before that as well, but
//! nobody waits for them (`PROCESS_WAIT` of each). Where a program takes the place of another one, what the threads of that one did comes before
//! its first thread begins.

use super::{
    super::{dictionary::ThreadRecord, recorded::ProcessFile},
    group,
    translation::Translation,
};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::{Event, Flags, Kind, ObjectId};

/// What a process has to do with others of its family. Threads are in the family's ids.
#[derive(Debug, Default)]
pub(super) struct Kinship {
    /// The member that this one was forked from.
    pub(super) parent: Option<usize>,
    /// Children by their ids as objects of the file.
    children: FxHashMap<u64, Relative>,
    /// Forked children by the number of the fork.
    forks: FxHashMap<u64, Relative>,
    /// Threads whose start another process said.
    begun: FxHashSet<u64>,
    /// Threads of the program that was in this one's place, for those that this one began with.
    replaced: FxHashMap<u64, Vec<u64>>,
}

/// A child process.
#[derive(Debug, Default)]
struct Relative {
    /// The threads that it began with, first that of the process.
    begins: Vec<u64>,
    /// The one whose end ends it, if that recorded anything.
    main: Option<u64>,
    all: Vec<u64>,
}

impl Kinship {
    /// Whether it has none.
    pub(super) fn is_none(&self) -> bool {
        self.children.is_empty() && self.forks.is_empty() && self.begun.is_empty() && self.replaced.is_empty()
    }

    /// How an event, in the file's ids, is told, if not as it is.
    pub(super) fn told(&self, event: Event, translation: &Translation) -> Option<Event> {
        let site = translation.site(event.site().0);
        let as_thread = |kind, flags, thread: u64| Event::new(kind, flags, site, ObjectId(thread), 0);
        match event.kind() {
            Kind::PROCESS_SPAWN => {
                let child = self.children.get(&event.object().0)?;
                Some(as_thread(Kind::FORK, Flags::NONE, *child.begins.first()?))
            }
            Kind::PROCESS_FORK => {
                let child = self.forks.get(&event.seq())?;
                Some(as_thread(Kind::FORK, Flags::NONE, *child.begins.first()?))
            }
            Kind::PROCESS_WAIT => {
                let main = self.children.get(&event.object().0)?.main?;
                // Whoever asks whether it has ended does not wait for it.
                let waits = !event.flags().has(Flags::TRY);
                Some(if waits { as_thread(Kind::JOIN, Flags::NONE, main) } else { ended(main, site) })
            }
            Kind::BEGIN => {
                let thread = translation.object(event.object().0);
                self.begun.contains(&thread).then(|| as_thread(Kind::BEGIN, Flags::FORKED, thread))
            }
            _ => None,
        }
    }

    /// How a wait in a slot is told, if not as it is.
    pub(super) fn waited(&self, wait: Event, translation: &Translation) -> Option<Event> {
        (wait.kind() == Kind::PROCESS_WAIT).then(|| self.told(wait, translation))?
    }

    /// What comes before the first event of a thread.
    pub(super) fn before(&self, thread: u64) -> Vec<Event> {
        let replaced = self.replaced.get(&thread).into_iter().flatten();
        replaced.map(|thread| ended(*thread, 0)).collect()
    }

    /// What comes behind an event, which is in the file's ids.
    pub(super) fn behind(&self, event: Event, translation: &Translation) -> Vec<Event> {
        let site = translation.site(event.site().0);
        match event.kind() {
            Kind::PROCESS_SPAWN | Kind::PROCESS_FORK => {
                let child = match event.kind() {
                    Kind::PROCESS_SPAWN => self.children.get(&event.object().0),
                    _ => self.forks.get(&event.seq()),
                };
                let others = child.into_iter().flat_map(|child| child.begins.iter().skip(1));
                others.map(|thread| Event::new(Kind::FORK, Flags::NONE, site, ObjectId(*thread), 0)).collect()
            }
            Kind::PROCESS_WAIT => {
                let child = self.children.get(&event.object().0);
                child.into_iter().flat_map(|child| &child.all).map(|thread| ended(*thread, site)).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn ended(thread: u64, site: u32) -> Event {
    Event::new(Kind::PROCESS_WAIT, Flags::NONE, site, ObjectId(thread), 0)
}

/// The file of the process that a file's was forked from.
pub(super) fn forked_from(files: &[ProcessFile], file: &ProcessFile) -> Option<usize> {
    let from = file.header.forked_from?;
    files.iter().position(|other| (other.header.pid, other.header.start, other.header.copy) == from)
}

/// What each file's process has to do with the others.
pub(super) fn of(files: &[ProcessFile], translations: &[Translation], started: &[FxHashSet<u64>]) -> Vec<Kinship> {
    let mut kinships: Vec<Kinship> = files.iter().map(|_| Kinship::default()).collect();
    if files.len() < 2 {
        return kinships;
    }
    let threads = Threads { files, translations, started };
    let earlier = group::earlier_images(files);
    for (idx, file) in files.iter().enumerate() {
        for (object, child) in &file.dictionary.children {
            let images = group::images(files, *child, file.header.boot);
            let Some(relative) = threads.relative(&images).filter(|_| !images.contains(&idx)) else { continue };
            let first = images.first().copied().unwrap_or_default();
            kinships[first].begun.extend(&relative.begins);
            kinships[idx].children.insert(*object, relative);
        }
        if let Some(parent) = forked_from(files, file).filter(|parent| *parent != idx) {
            kinships[idx].parent = Some(parent);
            let relative = threads.relative(&[idx]).filter(|_| file.header.forked_number != 0);
            if let Some(relative) = relative {
                kinships[idx].begun.extend(&relative.begins);
                kinships[parent].forks.insert(file.header.forked_number, relative);
            }
        }
        if let Some(before) = earlier.get(idx).copied().flatten() {
            let replaced = threads.all(before);
            let begins = threads.begins(idx);
            kinships[idx].replaced = begins.into_iter().map(|thread| (thread, replaced.clone())).collect();
        }
    }
    kinships
}

/// Threads of files, in the family's ids.
struct Threads<'a> {
    files: &'a [ProcessFile],
    translations: &'a [Translation],
    /// By file, those of its threads that others of it started, in the file's ids.
    started: &'a [FxHashSet<u64>],
}

impl Threads<'_> {
    fn relative(&self, images: &[usize]) -> Option<Relative> {
        let (first, last) = (*images.first()?, *images.last()?);
        let is_main = |thread: &&ThreadRecord| thread.tid == self.files[last].header.pid;
        let main = self.files[last].dictionary.threads.iter().find(is_main);
        let main = main.map(|thread| self.translations[last].object(thread.object));
        let all = images.iter().flat_map(|image| self.all(*image)).filter(|thread| Some(*thread) != main).collect();
        Some(Relative { begins: self.begins(first), main, all })
    }

    fn all(&self, file: usize) -> Vec<u64> {
        let slots = self.files[file].slots.iter().map(|slot| slot.thread);
        let recorded = self.files[file].dictionary.threads.iter().map(|thread| thread.object);
        let mut all: Vec<u64> = slots.chain(recorded).map(|thread| self.translations[file].object(thread)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Threads that no thread of the process started, first that of the process itself.
    fn begins(&self, file: usize) -> Vec<u64> {
        let started = self.started.get(file);
        let is_started = |thread: &ThreadRecord| started.is_some_and(|started| started.contains(&thread.object));
        let of_file = self.files[file].dictionary.threads.iter();
        let mut begins: Vec<&ThreadRecord> = of_file.filter(|thread| thread.tid != 0 && !is_started(thread)).collect();
        begins.sort_by_key(|thread| thread.tid != self.files[file].header.pid);
        begins.into_iter().map(|thread| self.translations[file].object(thread.object)).collect()
    }
}
