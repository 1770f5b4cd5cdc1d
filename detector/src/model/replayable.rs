//! A recorded process as a history, for prediction: a second merge, made only if something is to be proven.
//!
//! What a history cannot say in its own words is said as reads and writes, which a reordering has to respect:
//!
//! * **Must-order** - fork, join, messages, notifies, arrivals - is a variable that the one side writes and the other
//!   one reads.
//! * **What a lock guards** is a variable. In Rust it is reached through guards only, and these know whether they were
//!   used to read or to write. The read stands where the guard was first used at the latest: behind its acquire, or, if
//!   that was after the next acquire of the thread ([`Flags::LATE`]), behind that. A section that wrote may have read. A
//!   type that may change behind a shared reference is written by whoever reads it. Of `()`, which stands for something
//!   else, nothing is known: its sections may be left out of a schedule, but not change places ([`Replayable::is_mute`]).

use super::{Model, ObjectId, ProcessId, Site, SiteId, Spot, ThreadId};
use crate::{
    history::{History, Kind as Does, Mode, Names, Operation},
    merge::{self, FirstPass, NOTIFIES_MAX, Sink, Step},
    source::{ProcessFile, Trace, scan},
};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::{Event, Flags, Kind, MESSAGE_MAX, ObjectKind};

/// Events beyond which a process is not gone through again: its history would need gigabytes.
const EVENTS_MAX: u64 = 50_000_000;

/// A history whose numbers can be told in the model's terms.
#[derive(Debug)]
pub struct Replayable {
    /// The history. Locks are numbered as the merge does it, places are the file's sites; neither has a name.
    pub history: History,
    process: ProcessId,
    first_thread: u32,
    /// Ids of the objects in the file.
    ids: Vec<u64>,
    is_mute: Vec<bool>,
    /// Operations behind which nothing is proven, with the reason: what they found out is not in the history.
    doubtful: FxHashMap<u32, &'static str>,
    /// Operations that stand for waits on a condition variable: no proof has them beside sections that change places.
    waits: FxHashSet<u32>,
}

/// How far up the line of a thread's starters its first one is looked for; a damaged trace may have a circle.
const ANCESTORS_MAX: usize = 1024;

impl Replayable {
    /// Whether nothing says what the sections of a lock have to do with each other.
    pub fn is_mute(&self, lock: u32) -> bool {
        self.is_mute.get(lock as usize).copied().unwrap_or(true)
    }

    /// Why a schedule, given by its steps, proves nothing: something in it is ordered by what was not recorded.
    pub fn doubt(&self, model: &Model, steps: impl Iterator<Item = u32>, is_reordered: bool) -> Option<&'static str> {
        let process = model.processes.get(self.process.idx())?;
        let mut is_in = vec![false; self.history.threads.len()];
        for index in steps {
            if let Some(why) = self.doubtful.get(&index) {
                return Some(why);
            }
            if is_reordered && self.waits.contains(&index) {
                return Some("a notify in it may come before the wait that it ended");
            }
            is_in[self.history.operations[index as usize].thread as usize] = true;
        }
        let starter = |thread: &ThreadId| model.threads.get(thread.idx()).and_then(|thread| thread.forked_by);
        let root = |thread: u32| std::iter::successors(Some(self.thread(thread)), starter).take(ANCESTORS_MAX).last();
        let threads = (0..).zip(is_in).filter(|(_, is_in)| *is_in);
        let roots: FxHashSet<Option<ThreadId>> = threads.map(|(thread, _)| root(thread)).collect();
        let is_first = |root: &Option<ThreadId>| {
            root.and_then(|root| model.threads.get(root.idx())).is_some_and(|root| root.tid == process.pid)
        };
        // Threads that descend from one are ordered with each other as far as they are at all, whoever started that one.
        let is_known = roots.len() < 2 || roots.iter().all(is_first);
        (!is_known).then_some("it was not recorded who started its threads, and so what came before what")
    }

    /// The model's thread.
    pub fn thread(&self, thread: u32) -> ThreadId {
        ThreadId(self.first_thread + thread)
    }

    /// The model's object, if it is in the model.
    pub fn lock(&self, model: &Model, lock: u32) -> Option<ObjectId> {
        let id = self.ids.get(lock as usize)?;
        let objects = model.objects.iter().zip((0..).map(ObjectId));
        let mut of_process = objects.filter(|(object, _)| object.process == self.process);
        of_process.find(|(object, _)| object.id == *id).map(|(_, object)| object)
    }

    /// Whether a variable stands for something that one thread did before another one went on.
    pub fn is_message(&self, variable: u32) -> bool {
        variable as usize >= self.ids.len()
    }

    /// What a place is, in the model or not; `None` if nothing is known of it.
    pub fn spot(&self, trace: &Trace, place: u32) -> Option<Spot> {
        let dictionary = &trace.processes.get(self.process.idx())?.dictionary;
        let (location, stack) = dictionary.sites.get(&place)?;
        let stack = dictionary.stacks.get(stack).cloned().unwrap_or_default();
        let location = dictionary.locations.get(location);
        let site = Site {
            process: self.process,
            file: location.map(|location| location.file.clone()).unwrap_or_default(),
            line: location.map_or(0, |location| location.line),
            column: location.map_or(0, |location| location.column),
            stack: None,
        };
        Some(Spot { site, stack })
    }

    /// The model's site, if it is in the model.
    pub fn site(&self, trace: &Trace, model: &Model, place: u32) -> Option<SiteId> {
        let dictionary = &trace.processes.get(self.process.idx())?.dictionary;
        let (location, stack) = dictionary.sites.get(&place)?;
        let location = dictionary.locations.get(location)?;
        let stack = dictionary.stacks.get(stack);
        let is_it = |site: &Site| {
            (site.process, site.line, site.column) == (self.process, location.line, location.column)
                && site.file == location.file
                && site.stack.and_then(|stack| model.stacks.get(stack.idx())) == stack
        };
        model.sites.iter().zip((0..).map(SiteId)).find(|(site, _)| is_it(site)).map(|(_, site)| site)
    }
}

/// The history of a process of a trace, of which `model` was built; why there is none, for people.
///
/// # Errors
///
/// Something is missing in it, or is in it, with which a replay would prove nothing.
pub fn replayable(trace: &Trace, model: &Model, process: ProcessId) -> Result<Replayable, &'static str> {
    let file = trace.processes.get(process.idx()).ok_or("its process is not in the trace")?;
    let first = FirstPass::new(file);
    if first.n_events > EVENTS_MAX {
        return Err("its process recorded more events than are gone through again");
    }
    let first_thread = model.threads.iter().position(|thread| thread.process == process).unwrap_or_default();
    let n_threads = first.threads.len() as u32;
    let n_objects = first.objects.len() as u32;
    let Described { data, bounded } = Described::of(file, &first);
    let mut writer = Writer {
        history: History {
            threads: Names::unnamed(n_threads),
            locks: Names::unnamed(n_objects),
            operations: Vec::with_capacity(usize::try_from(first.n_events).unwrap_or_default()),
            ..History::default()
        },
        latest: (0, 0),
        data,
        n_variables: n_objects,
        sections: vec![Vec::new(); n_threads as usize],
        marked: vec![None; n_threads as usize],
        distrust: None,
        doubtful: FxHashMap::default(),
        waits: FxHashSet::default(),
        bounded,
        n_notifies: FxHashMap::default(),
        wakes: Vec::new(),
    };
    let merged = merge::run(file, first, &mut writer);
    if merged.n_gaps > 0 || file.header.lost > 0 {
        return Err("some of its events are missing");
    }
    if let Some(why) = writer.distrust {
        return Err(why);
    }
    writer.end();
    writer.history.variables = Names::unnamed(writer.n_variables);
    let ids = (0..n_objects).map(|object| merged.objects.id(object)).collect();
    let is_mute = writer.data.iter().map(|(data, _)| *data == Data::Elsewhere).collect();
    let Writer { history, doubtful, waits, .. } = writer;
    Ok(Replayable { history, process, first_thread: first_thread as u32, ids, is_mute, doubtful, waits })
}

/// What is known of the data that a lock guards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Data {
    /// It changes through mutable references only.
    Plain,
    /// It may change through shared references too.
    Shared,
    /// There is none: the lock guards something else.
    Elsewhere,
}

/// By class, for the classes of a file.
fn data_of(type_name: &str) -> Data {
    if type_name == "()" || type_name.is_empty() {
        return Data::Elsewhere;
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

/// What is known of the objects of a file before the merge comes to their first events.
///
/// In a pass of its own: the merge may come to a CREATE after the first acquires, if another thread than theirs recorded it.
struct Described {
    /// What each guards, and what it is; nothing is known of those whose CREATE is missing.
    data: Vec<(Data, ObjectKind)>,
    /// Channels with room for some messages: who sends may have waited for who receives, which is not in a history.
    bounded: FxHashSet<u32>,
}

impl Described {
    fn of(file: &ProcessFile, first: &FirstPass) -> Self {
        let unknown = (Data::Elsewhere, ObjectKind::Unknown);
        let mut described = Self { data: vec![unknown; first.objects.len()], bounded: FxHashSet::default() };
        scan(file, |event| {
            if !matches!(event.kind(), Kind::CREATE | Kind::CAPACITY) {
                return;
            }
            let object = first.objects.find(event.object().0);
            if event.kind() == Kind::CREATE
                && let Some(class) = file.dictionary.classes.get(&(event.seq() as u32))
                && let Some(of) = described.data.get_mut(object as usize)
            {
                *of = (data_of(&class.type_name), class.kind);
            } else if event.kind() == Kind::CAPACITY && (1..MESSAGE_MAX).contains(&event.seq()) {
                described.bounded.insert(object);
            }
        });
        described
    }
}

const LOOKED: &str = "a thread in it found out that something was not so, or looked without waiting (a failed try, a time that \
                      was over, `is_finished`, `Debug`), which orders nothing";
const POISONED: &str = "a thread in it found a lock poisoned, which orders nothing";
const PERMITS: &str = "permits of a semaphore are taken in it, of which a history does not know how many there are";
const BOUNDED: &str = "messages go in it through a channel with bounded room, for which a sender may have waited";
const MANY_NOTIFIES: &str = "it has a wait for an object that was notified more often than is kept";
const OVERLAPPING: &str = "it reads under a shared lock data that may change under it";
const UNTICKETED: &str = "it has a wait of which it is not known who ended it";

/// A section that a thread is in.
#[derive(Clone, Copy, Debug)]
struct Section {
    object: u32,
    mode: Mode,
    /// Operations that stand for the read of what is guarded, if there is one: behind the acquire, and behind the
    /// thread's next one.
    read: usize,
    late_read: Option<usize>,
    /// Whether the thread is in another section of the lock already, which it alone can be: this one says nothing new.
    is_inner: bool,
}

/// Takes the merged order down as a history.
struct Writer {
    history: History,
    /// The thread of the latest step, and where that was.
    latest: (u32, u32),
    data: Vec<(Data, ObjectKind)>,
    /// One for each object, then one for each mark.
    n_variables: u32,
    sections: Vec<Vec<Section>>,
    /// Per thread the mark of its latest departure, and after how many operations that was.
    marked: Vec<Option<(u32, usize)>>,
    distrust: Option<&'static str>,
    doubtful: FxHashMap<u32, &'static str>,
    waits: FxHashSet<u32>,
    bounded: FxHashSet<u32>,
    n_notifies: FxHashMap<u32, usize>,
    /// Operations that stand for wake-ups, with their objects.
    wakes: Vec<(u32, u32)>,
}

impl Sink for Writer {
    type Mark = u32;

    fn step(&mut self, step: &Step) {
        let Step { thread, object, event } = *step;
        self.latest = (thread, event.site().0);
        match event.kind() {
            Kind::ACQUIRE => self.acquire(thread, object, event),
            Kind::RELEASE => self.release(thread, object, event),
            Kind::LOOK | Kind::ACQUIRE_FAILED => self.doubt(thread, LOOKED),
            Kind::RECEIVE_FAILED | Kind::SEND_FAILED if !event.flags().has(Flags::DISCONNECTED) => {
                self.doubt(thread, LOOKED);
            }
            Kind::SEND if self.bounded.contains(&object) && self.kind(object) == ObjectKind::Channel => {
                self.doubt(thread, BOUNDED);
            }
            Kind::WAIT if self.kind(object) == ObjectKind::Condvar => self.wait(thread, event),
            Kind::WAKE if event.flags().has(Flags::TIMED_OUT) => self.doubt(thread, LOOKED),
            Kind::WAKE => {
                let at = self.push(thread, Does::Branch, 0);
                self.wakes.push((at as u32, object));
            }
            Kind::NOTIFY => *self.n_notifies.entry(object).or_default() += 1,
            // What was touched so far may have decided what the new thread does.
            Kind::FORK => self.touch_early(thread),
            Kind::LOST => self.distrust = Some("some of its events are missing"),
            Kind::TASK_BEGIN => self.distrust = Some("its process runs tasks, which are not replayed"),
            Kind::UPGRADE | Kind::DOWNGRADE => {
                self.distrust = Some("its process changes modes of locks, which is not replayed");
            }
            _ => {}
        }
    }

    fn depart(&mut self, thread: u32) -> u32 {
        let n = self.history.operations.len();
        let place = if self.latest.0 == thread { self.latest.1 } else { 0 };
        // What was not followed by anything, but at another place, needs no mark of its own.
        if let Some((mark, at)) = self.marked.get(thread as usize).copied().flatten()
            && at == n
            && self.history.operations.last().is_some_and(|latest| latest.place == place)
        {
            return mark;
        }
        let mark = self.n_variables;
        self.n_variables = self.n_variables.saturating_add(1);
        let at = self.push(thread, Does::Write, mark);
        self.history.operations[at].place = place;
        if let Some(marked) = self.marked.get_mut(thread as usize) {
            *marked = Some((mark, n + 1));
        }
        mark
    }

    fn arrive(&mut self, thread: u32, mark: &u32) {
        self.push(thread, Does::Read, *mark);
    }
}

impl Writer {
    fn push(&mut self, thread: u32, kind: Does, target: u32) -> usize {
        self.history.operations.push(Operation::new(thread, kind, target, 0));
        self.history.operations.len() - 1
    }

    /// Nothing is proven behind this point of the thread.
    fn doubt(&mut self, thread: u32, why: &'static str) {
        let at = self.push(thread, Does::Branch, 0);
        self.doubtful.insert(at as u32, why);
    }

    fn kind(&self, object: u32) -> ObjectKind {
        self.data.get(object as usize).map_or(ObjectKind::Unknown, |(_, kind)| *kind)
    }

    fn wait(&mut self, thread: u32, event: Event) {
        let at = self.push(thread, Does::Branch, 0);
        self.waits.insert(at as u32);
        if event.seq() == 0 {
            self.doubtful.insert(at as u32, UNTICKETED);
        }
    }

    /// The thread's sections may have been touched from here on by others too.
    fn touch_early(&mut self, thread: u32) {
        for section in self.sections.get_mut(thread as usize).into_iter().flatten() {
            section.late_read = section.late_read.or(Some(section.read));
        }
    }

    fn acquire(&mut self, thread: u32, object: u32, event: Event) {
        let (flags, mode) = (event.flags(), event.flags().mode());
        let held = self.sections.get(thread as usize).map_or(&[][..], Vec::as_slice);
        if mode == Mode::Exclusive && held.iter().any(|section| (section.object, section.mode) == (object, mode)) {
            self.sections[thread as usize].push(Section { object, mode, read: 0, late_read: Some(0), is_inner: true });
            return;
        }
        let operation = Operation {
            thread,
            target: object,
            place: event.site().0,
            kind: Does::Acquire,
            mode,
            may_wait: !flags.has(Flags::TRY) && !flags.has(Flags::TIMED),
        };
        self.history.operations.push(operation);
        if flags.has(Flags::POISONED) {
            self.doubt(thread, POISONED);
        }
        if self.kind(object) == ObjectKind::Semaphore {
            self.doubt(thread, PERMITS);
        }
        let outer = self.sections.get(thread as usize).map_or(0, Vec::len);
        for at in 0..outer {
            if self.sections[thread as usize][at].late_read.is_none() {
                let late = self.push(thread, Does::Branch, 0);
                self.sections[thread as usize][at].late_read = Some(late);
            }
        }
        let read = self.push(thread, Does::Branch, 0);
        if let Some(sections) = self.sections.get_mut(thread as usize) {
            sections.push(Section { object, mode, read, late_read: None, is_inner: false });
        }
    }

    fn release(&mut self, thread: u32, object: u32, event: Event) {
        let (mode, flags) = (event.flags().mode(), event.flags());
        let Some(section) = self.end_section(thread, object, mode).filter(|section| !section.is_inner) else { return };
        let writes = self.guarded(section, flags);
        if writes {
            self.push(thread, Does::Write, object);
        }
        let is_shared = self.data.get(object as usize).is_some_and(|(data, _)| *data == Data::Shared);
        if is_shared && writes && mode != Mode::Exclusive {
            self.doubt(thread, OVERLAPPING);
        }
        let place = event.site().0;
        self.history.operations.push(Operation { mode, ..Operation::new(thread, Does::Release, object, place) });
    }

    /// Says what a section did to what the lock guards: the read, and whether it wrote.
    fn guarded(&mut self, section: Section, flags: Flags) -> bool {
        let Section { object, mode, .. } = section;
        let (data, kind) = self.data.get(object as usize).copied().unwrap_or((Data::Elsewhere, ObjectKind::Unknown));
        let (read, wrote) = (flags.has(Flags::READ), flags.has(Flags::WROTE));
        let (reads, writes) = match (kind, data) {
            // Whoever finds it initialised sees what the initialiser did.
            (ObjectKind::Once, _) => (true, mode == Mode::Exclusive),
            // Permits say nothing beyond that there were any.
            (ObjectKind::Semaphore, _) | (_, Data::Elsewhere) => (false, false),
            (_, Data::Shared) => (read || wrote, read || wrote),
            (_, Data::Plain) => (read || wrote, wrote),
        };
        if reads {
            let late = section.late_read.filter(|_| flags.has(Flags::LATE));
            if let Some(operation) = self.history.operations.get_mut(late.unwrap_or(section.read)) {
                (operation.kind, operation.target) = (Does::Read, object);
            }
        }
        writes
    }

    /// Sections that never ended may have read. And of many notifies the merge forgets the first.
    fn end(&mut self) {
        for (at, object) in std::mem::take(&mut self.wakes) {
            if self.n_notifies.get(&object).is_some_and(|n| *n > NOTIFIES_MAX) {
                self.doubtful.insert(at, MANY_NOTIFIES);
            }
        }
        let sections: Vec<Section> = self.sections.iter_mut().flat_map(std::mem::take).collect();
        for section in sections.into_iter().filter(|section| !section.is_inner) {
            self.guarded(section, Flags::READ);
        }
    }

    /// Takes out the section that a release ends: the thread's newest one of the object, else whosever it is.
    fn end_section(&mut self, thread: u32, object: u32, mode: Mode) -> Option<Section> {
        let is_it = |section: &Section| (section.object, section.mode) == (object, mode);
        let own = self.sections.get(thread as usize)?.iter().rposition(is_it);
        let (of, at) = match own {
            Some(at) => (thread as usize, at),
            None => {
                self.sections.iter().enumerate().find_map(|(of, held)| Some((of, held.iter().rposition(is_it)?)))?
            }
        };
        Some(self.sections[of].remove(at))
    }
}
