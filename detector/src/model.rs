//! The model: what a trace says, with dense ids, immutable once built.
//!
//! Analyses see this and nothing else: no file, no process id lookups, no raw event.

mod build;
mod clock;
mod guarded;
mod held;
mod kernel;
mod knowledge;
mod nested;
mod numbering;
mod of_history;
mod orphans;
mod overlap;
mod process;
mod reach;
mod replayable;
mod tables;
mod threads;

pub use build::build;
pub use numbering::Numbering;
pub use of_history::{of_history, site_of, thread_object};
pub use replayable::{Replayable, TOO_LONG, replayable};

pub use crate::source::Module;

use rustc_hash::{FxHashMap, FxHashSet};
use std::{path::Path, time::Duration};
use trace_format::{Event, Flags, Kind, Mode, ObjectKind};

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into the model's table.
            pub const fn idx(self) -> usize {
                self.0 as usize
            }
        }
    };
}

dense_id! {
    /// Index into [`Model::processes`].
    ProcessId
}
dense_id! {
    /// Number of a family of processes.
    FamilyId
}
dense_id! {
    /// Index into [`Model::threads`].
    ThreadId
}
dense_id! {
    /// Index into [`Model::objects`].
    ObjectId
}
dense_id! {
    /// Index into [`Model::sites`].
    SiteId
}
dense_id! {
    /// Index into [`Model::stacks`].
    StackId
}
dense_id! {
    /// Index into [`Model::epochs`].
    EpochId
}

/// A recorded process (one process file).
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Which of the trace's families it is of: processes that have to do with each other.
    pub family: FamilyId,
    /// Process id.
    pub pid: u32,
    /// Its executable.
    pub program: String,
    /// What it called itself, if it did.
    pub role: Option<String>,
    /// Its modules, by start address.
    pub modules: Vec<Module>,
    /// Whether it went through an orderly exit.
    pub exited: bool,
    /// Whether it was still alive when the trace was read.
    pub alive: bool,
    /// Whether it had ended before others of its family did.
    pub is_over: bool,
    /// Threads that recorded nothing, as the operating system said while the process was alive; of one that was killed
    /// unseen one that stands for any.
    pub unrecorded: Vec<UnrecordedThread>,
}

impl Process {
    /// Whether the program is a test harness: it lies where cargo puts tests, `deps/NAME-HASH`.
    pub fn is_test_harness(&self) -> bool {
        let path = Path::new(&self.program);
        let is_in_deps = path.parent().is_some_and(|parent| parent.ends_with("deps"));
        let hash = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('-'));
        let is_hash = |(_, hash): (&str, &str)| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_in_deps && hash.is_some_and(is_hash)
    }
}

/// A thread that recorded nothing.
#[derive(Clone, Debug, Default)]
pub struct UnrecordedThread {
    /// Id in the operating system; 0 stands for any that there may have been.
    pub tid: u32,
    /// Its name there.
    pub name: String,
}

impl UnrecordedThread {
    /// How texts call it.
    pub fn title(&self) -> String {
        if self.tid == 0 {
            return "threads that recorded nothing, if there were any".to_owned();
        }
        format!("the unrecorded thread `{}`", self.name)
    }
}

/// A thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// Its process.
    pub process: ProcessId,
    /// Number within the process, from 1 in order of appearance.
    pub number: u32,
    /// Id in the operating system.
    pub tid: u32,
    /// Whether it is an asynchronous task, which threads run.
    pub is_task: bool,
    /// Its name; `None` if it has none.
    pub name: Option<String>,
    /// Who started it, if that was recorded.
    pub forked_by: Option<ThreadId>,
    /// The scope that it was started in: its address.
    pub scope: Option<u64>,
    /// Whether its END was seen, or its process is gone.
    pub ended: bool,
    /// Whether it is a thread of the process that this one was forked from, which did not come along.
    pub is_left_behind: bool,
    /// What it holds at the end of the trace, oldest first: from its slot, else from its events.
    pub holds: Vec<Hold>,
    /// What it waits for at the end of the trace, from its slot.
    pub wait: Option<Wait>,
    /// Operations of it that were lost.
    pub lost: u64,
}

/// A thread that waits for nothing that was recorded, as the operating system saw it when the trace was read.
#[derive(Clone, Debug)]
pub struct KernelThread {
    /// Its process.
    pub process: ProcessId,
    /// The thread, if it recorded anything.
    pub thread: Option<ThreadId>,
    /// Id in the operating system.
    pub tid: u32,
    /// Its name there.
    pub name: String,
    /// Its state as `/proc` has it: `R` running, `S` sleeping, …
    pub state: char,
    /// The system call that it sleeps in, if that is known.
    pub call: Option<String>,
    /// Where its last operation was that was recorded, if that is known.
    pub last: Option<SiteId>,
}

/// A lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The lock.
    pub object: ObjectId,
    /// How.
    pub mode: Mode,
    /// Where it was acquired.
    pub site: SiteId,
}

/// What a thread is blocked on.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// The REQUEST, UPGRADE, WAIT, SEND, RECEIVE, JOIN, `SCOPE_END` or `TASK_BEGIN` that describes it; its ids are
    /// those of the process file.
    pub event: Event,
    /// On what; `None` if that is not an object (a scope).
    pub object: Option<ObjectId>,
    /// Where.
    pub site: SiteId,
    /// A second object: the mutex that a condition variable will take back, or another channel from which a message
    /// would do as well.
    pub other: Option<ObjectId>,
    /// For how long at the time of reading; `None` if its process is gone.
    pub age: Option<Duration>,
    /// Whether what it waits for has come already, and only its thread has not gone on yet.
    pub is_over: bool,
}

impl Wait {
    /// Whether it gives up after a time, or at once.
    pub fn is_timed(&self) -> bool {
        gives_up(self.event)
    }
}

/// How far up the line of a thread's starters its first one is looked for; a damaged trace may have a circle.
const ANCESTORS_MAX: usize = 1024;

/// Whether a wait, as a slot has it, gives up after a time, or at once.
pub fn gives_up(wait: Event) -> bool {
    let flags = wait.flags();
    match wait.kind() {
        Kind::JOIN | Kind::SCOPE_END => false,
        Kind::REQUEST | Kind::UPGRADE => flags.has(Flags::TIMED) || flags.has(Flags::TRY),
        _ => flags.has(Flags::TIMED),
    }
}

/// What a thread has to do with an object to end waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// Send, notify, arrive, release.
    Gives,
    /// Receive, which makes room.
    Takes,
}

/// A lock that was taken over from a thread that was killed while it held it.
#[derive(Clone, Copy, Debug)]
pub struct OwnerDeath {
    /// Who died.
    pub dead: ThreadId,
    /// What it held.
    pub hold: Hold,
    /// Who took it over.
    pub taker: ThreadId,
    /// Where.
    pub site: SiteId,
}

/// Who could end waits for an object that nobody owns.
#[derive(Clone, Debug)]
pub struct Releasers {
    /// The object.
    pub object: ObjectId,
    /// How.
    pub side: Side,
    /// Threads that did so before, or have or had a handle for it.
    pub acted: Vec<ThreadId>,
    /// Threads that may reach the object, those that ended included.
    pub reach: Vec<ThreadId>,
    /// What the object was made with, if that was recorded.
    pub capacity: Option<u64>,
    /// The latest notify that found nobody waiting: by whom, where.
    pub idle_notify: Option<(ThreadId, SiteId)>,
    /// Whether `reach` follows from who made and touched the object; else it is all threads that must-order connects
    /// with one that touched it.
    pub is_by_touch: bool,
}

/// A lock, condition variable, channel, thread, …
#[derive(Clone, Debug)]
pub struct Object {
    /// Its process.
    pub process: ProcessId,
    /// If it lies in shared memory, the processes that name it, its own included.
    pub shared_by: Vec<ProcessId>,
    /// What it is.
    pub kind: ObjectKind,
    /// Rust type of its data, empty if not known.
    pub type_name: String,
    /// Name that the program gave it.
    pub label: Option<String>,
    /// Where it was made.
    pub created_at: Option<SiteId>,
    /// Whether its order has gaps: nothing that rests on it is more than possible.
    pub gap: bool,
    /// The thread that it is, if it is one.
    pub thread: Option<ThreadId>,
    /// What it was made with, if a thread waits for it: parties, counts, permits, room.
    pub capacity: Option<u64>,
    /// Of a semaphore: how many threads can hold it at once, if that is known.
    pub holders_max: Option<u64>,
    /// Its id in its process's file; 0 if it is of no file.
    pub id: u64,
}

impl Object {
    /// Whether it lies in shared memory.
    pub fn is_shared(&self) -> bool {
        !self.shared_by.is_empty()
    }
}

/// A source location and the stack that led there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// Process whose modules the stack's addresses belong to.
    pub process: ProcessId,
    /// Path as the compiler knew it; empty if nothing is known.
    pub file: String,
    /// Line, from 1; 0 if nothing is known.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// The stack, if one was captured.
    pub stack: Option<StackId>,
}

/// A place that nothing in the model refers to, spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The location; its stack is beside it.
    pub site: Site,
    /// Return addresses, innermost first.
    pub stack: Vec<u64>,
}

/// An acquire, or an attempt still pending at the end, by a thread that held something.
///
/// Repeats with the same holds, want, site and must-order epoch are one record with a count.
#[derive(Clone, Debug)]
pub struct NestedAcquire {
    /// Who.
    pub thread: ThreadId,
    /// What it held, oldest first.
    pub holds: Vec<Hold>,
    /// What it wanted.
    pub wants: ObjectId,
    /// How.
    pub mode: Mode,
    /// Where.
    pub site: SiteId,
    /// Whether it could have waited: false for a try.
    pub may_wait: bool,
    /// When, in terms of must-order.
    pub epoch: EpochId,
    /// How often.
    pub count: u64,
}

/// A stretch of one thread between two points at which must-order reaches or leaves it.
#[derive(Clone, Debug)]
pub struct Epoch {
    /// Whose.
    pub thread: ThreadId,
    /// The thread's own time.
    pub time: u32,
    /// For each thread, up to which of its times everything comes before this stretch, whatever the schedule.
    /// Shorter than the number of threads: the rest is 0.
    pub clock: Vec<u32>,
}

impl Epoch {
    /// Whether everything in `self` comes before everything in `other` in every schedule of this run.
    pub fn precedes(&self, other: &Self) -> bool {
        if self.thread == other.thread {
            return self.time < other.time;
        }
        other.clock.get(self.thread.idx()).is_some_and(|known| *known >= self.time)
    }
}

impl Model {
    /// Whether a process may do something with an object that `waiting` waits for: it names it, if it lies in shared memory, else only
    /// `waiting` itself may.
    pub fn may_have(&self, object: ObjectId, process: ProcessId, waiting: ProcessId) -> bool {
        let shared_by = self.objects.get(object.idx()).map_or(&[][..], |object| &object.shared_by);
        process == waiting || shared_by.contains(&process)
    }

    /// Whether a process is past doing anything for a wait in `waiting`, because it went through its exit. Not for its own: what it
    /// left undone there is told otherwise.
    pub fn is_over_for(&self, process: ProcessId, waiting: ProcessId) -> bool {
        process != waiting && self.processes.get(process.idx()).is_some_and(|process| process.exited && !process.alive)
    }

    /// Whether a thread waits, for what nobody owns, in shared memory to which processes come and go: one that is not in the trace, or comes
    /// later, may help. Not if all that ever named it are still there, which are several; and not if it is a notify that came too early, and the
    /// thread would have waited whatever had been said.
    pub fn is_open_to_others(&self, thread: ThreadId) -> bool {
        let wait = self.threads.get(thread.idx()).and_then(|thread| thread.wait.as_ref());
        let wait = wait.filter(|wait| wait.event.kind() == Kind::WAIT && !wait.is_timed());
        let Some(id) = wait.and_then(|wait| wait.object) else { return false };
        let Some(object) = self.objects.get(id.idx()).filter(|object| object.is_shared()) else { return false };
        let is_there = |id: &ProcessId| self.processes.get(id.idx()).is_some_and(|process| !process.is_over);
        let are_all_there = object.shared_by.len() > 1 && object.shared_by.iter().all(is_there);
        let was_notified = self.releasers.iter().any(|of| of.object == id && of.idle_notify.is_some());
        !(are_all_there || was_notified && self.bare_waits.contains(&thread))
    }

    /// The family of a thread's process.
    pub fn family_of(&self, thread: ThreadId) -> FamilyId {
        let process = self.threads.get(thread.idx()).and_then(|thread| self.processes.get(thread.process.idx()));
        process.map(|process| process.family).unwrap_or_default()
    }

    /// Who started a thread, if that was recorded: a thread of its process, or of another one if it is the first of its process. What
    /// other threads another process's doing is behind, nobody knows.
    pub fn starter(&self, thread: ThreadId) -> Option<ThreadId> {
        let of = self.threads.get(thread.idx())?;
        let by = of.forked_by?;
        let is_first = || self.processes.get(of.process.idx()).is_some_and(|process| process.pid == of.tid);
        let is_own = self.threads.get(by.idx()).is_some_and(|by| by.process == of.process);
        (is_own || is_first()).then_some(by)
    }

    /// The first in the line of those who started a thread, itself if that was not recorded.
    pub fn root(&self, thread: ThreadId) -> ThreadId {
        let starter = |thread: &ThreadId| self.starter(*thread);
        std::iter::successors(Some(thread), starter).take(ANCESTORS_MAX).last().unwrap_or(thread)
    }

    /// Whether a thread is the first one of its process.
    pub fn is_first_of_process(&self, thread: ThreadId) -> bool {
        let Some(of) = self.threads.get(thread.idx()) else { return false };
        self.processes.get(of.process.idx()).is_some_and(|process| process.pid == of.tid)
    }

    /// Whether threads of a process are alive that were not started by what is recorded, so that nothing is known of
    /// what they were given: a signal handler's thread, another library's pool. A test harness's are known: its first
    /// thread waits for the tests, and these share nothing but static variables.
    pub fn has_strangers(&self, process: ProcessId) -> bool {
        let Some(of) = self.processes.get(process.idx()) else { return false };
        let of_process = |thread: &ThreadId| self.threads.get(thread.idx()).is_some_and(|of| of.process == process);
        if (0..self.threads.len() as u32).map(ThreadId).filter(of_process).any(|thread| self.is_open_to_others(thread))
        {
            return true;
        }
        let is_harness = of.is_test_harness();
        let is_stranger = |(id, thread): (u32, &Thread)| {
            let is_known = || thread.tid == of.pid || self.starter(ThreadId(id)).is_some();
            thread.process == process && !(thread.ended || thread.is_task || is_harness || is_known())
        };
        of.unrecorded.iter().any(|thread| !(is_harness && thread.tid == of.pid))
            || (0..).zip(&self.threads).any(is_stranger)
    }
}

/// What a trace says.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Processes, in order of their files' names.
    pub processes: Vec<Process>,
    /// Threads.
    pub threads: Vec<Thread>,
    /// Objects.
    pub objects: Vec<Object>,
    /// Sites.
    pub sites: Vec<Site>,
    /// Stacks: raw return addresses, innermost first.
    pub stacks: Vec<Vec<u64>>,
    /// By site of an acquire: where what was acquired there was dropped, the first time that this was recorded.
    pub released: FxHashMap<SiteId, SiteId>,
    /// Epochs in which something below happened.
    pub epochs: Vec<Epoch>,
    /// Acquires by threads that held something.
    pub nested: Vec<NestedAcquire>,
    /// Exclusive acquires of read-write locks, nested or not, once per (thread, object, holds, epoch): writers
    /// that readers may queue behind. `holds` matter as gates.
    pub writers: Vec<NestedAcquire>,
    /// Acquires of locks that threads still hold which have ended, theirs included.
    pub abandoned: Vec<NestedAcquire>,
    /// Locks whose owners died.
    pub deaths: Vec<OwnerDeath>,
    /// Threads that wait on a condition variable, and have not looked at what its mutex guards before.
    pub bare_waits: FxHashSet<ThreadId>,
    /// Who could end the waits of [`Model::threads`] for objects that nobody owns.
    pub releasers: Vec<Releasers>,
    /// Threads of live processes of which no recorded wait says what they do.
    pub kernel: Vec<KernelThread>,
    /// Child processes of recorded ones that recorded nothing.
    pub n_unrecorded_children: usize,
    /// Events read.
    pub n_events: u64,
    /// Objects that events name; [`Model::objects`] has those that something above refers to.
    pub n_objects: u64,
    /// Operations lost.
    pub n_lost: u64,
    /// Places where something that has to come first never came.
    pub n_gaps: u64,
    /// Events and records of kinds that this version does not know.
    pub n_unknown: u64,
}
