//! What the detector has to say: plain data with public fields, made by analyses, read by renderers.
//!
//! Nothing here refers to a trace, a model or a graph any more; names, lines and source excerpts are filled in
//! by [`crate::symbolize`] before a renderer sees them. Ids of objects and threads are local to one report.

mod race;

pub use race::{Access, AccessOp, HeldLock, LastSync, RaceCount, RaceRule, SyncOp, SyncPoint};

/// Everything that one run of the tool has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// How the program ended, if the tool ran it.
    pub program: Option<ProgramEnd>,
    /// Findings, gravest first; suppressed ones are not among them.
    pub findings: Vec<Finding>,
    /// How many findings an allow list or a baseline took out.
    pub suppressed: usize,
    /// What was recorded and what was not.
    pub coverage: Coverage,
    /// What is wrong with the trace or the suppressions, as sentences that name the path and the remedy.
    pub problems: Vec<Problem>,
    /// Numbers of the trace.
    pub stats: Stats,
    /// How many races there are by which rule, if that was asked for.
    pub race_counts: Vec<RaceCount>,
    /// Remarks that apply to the report as a whole, such as how to get line numbers.
    pub hints: Vec<String>,
}

/// How the program under test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramEnd {
    /// Its exit status, if it exited.
    pub exit: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether the tool stopped it because its time was over.
    pub timed_out: bool,
}

/// Something that was noticed while reading; `fatal` if a trace could not be read as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The sentence.
    pub text: String,
    /// Whether it makes the exit status 3.
    pub fatal: bool,
}

/// Numbers of the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events read.
    pub events: u64,
    /// Threads seen.
    pub threads: u64,
    /// Processes seen.
    pub processes: u64,
    /// Objects seen.
    pub objects: u64,
    /// Operations that were lost.
    pub lost: u64,
}

/// What was recorded, what the program used beside it, what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Recording level: `full`.
    pub level: String,
    /// Foreign primitives found among the program's symbols, and threads that nobody was seen to start.
    pub unrecorded: Vec<String>,
    /// Whether anything was recorded at all.
    pub recorded_anything: bool,
}

/// How sure a finding is. Ordered: a graver certainty is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Certainty {
    /// Cannot hang as run.
    Hazard,
    /// Survives every filter, but no schedule was replayed.
    Possible,
    /// A replayed schedule reaches it.
    Proven,
    /// It happened.
    Observed,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Threads that wait for each other.
    Deadlock,
    /// A thread waits for what it holds itself; upgrades that meet; a recursive read behind a queued writer.
    SelfDeadlock,
    /// A thread waits to be notified, and nobody is left to do it.
    LostWakeup,
    /// A thread wants what another one held when it ended.
    AbandonedLock,
    /// A thread waits for a message or for room, and nobody is left on the other side.
    AbandonedChannel,
    /// A predicted cycle of locks.
    LockOrder,
    /// A predicted hang in which somebody waits for something else than a lock.
    PredictedDeadlock,
    /// Two accesses, one of them a write, that nothing orders.
    DataRace,
    /// A program that had to be stopped, nothing better is known.
    Stall,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 9] = [
        Self::Deadlock,
        Self::SelfDeadlock,
        Self::LostWakeup,
        Self::AbandonedLock,
        Self::AbandonedChannel,
        Self::LockOrder,
        Self::PredictedDeadlock,
        Self::DataRace,
        Self::Stall,
    ];

    /// Whether the edges of its findings are a cycle, in its order.
    pub const fn is_cycle(self) -> bool {
        matches!(self, Self::Deadlock | Self::SelfDeadlock | Self::LockOrder)
    }

    /// The name in reports, JSON and suppressions.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deadlock => "deadlock",
            Self::SelfDeadlock => "self-deadlock",
            Self::LostWakeup => "lost-wakeup",
            Self::AbandonedLock => "abandoned-lock",
            Self::AbandonedChannel => "abandoned-channel",
            Self::LockOrder => "lock-order",
            Self::PredictedDeadlock => "predicted-deadlock",
            Self::DataRace => "data-race",
            Self::Stall => "stall",
        }
    }
}

impl Certainty {
    /// Every certainty, least sure first.
    pub const ALL: [Self; 4] = [Self::Hazard, Self::Possible, Self::Proven, Self::Observed];

    /// The name in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hazard => "hazard",
            Self::Possible => "possible",
            Self::Proven => "proven",
            Self::Observed => "observed",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Hash of code, function paths, lock classes and modes; survives edits that move lines.
    pub id: String,
    /// Hash of the exact sites.
    pub line_id: String,
    /// What it is about.
    pub code: Code,
    /// How sure it is.
    pub certainty: Certainty,
    /// Why it is that sure and not surer; never empty below `Observed`.
    pub why: String,
    /// What has to be true beyond the trace for the finding to hold.
    pub assumes: Vec<String>,
    /// One line: the locks and the threads; of a race the accesses.
    pub title: String,
    /// How often it occurred.
    pub count: u64,
    /// Threads in it; edges refer to them by index.
    pub threads: Vec<Thread>,
    /// Objects in it; edges refer to them by index.
    pub objects: Vec<Object>,
    /// Who holds what and wants what. For a cycle, the thread of edge i wants what that of edge i + 1 holds.
    pub edges: Vec<Edge>,
    /// Threads that wait for these, directly or not: indexes into [`Finding::threads`].
    pub behind: Vec<usize>,
    /// The two accesses of a race, in the order of the run; else none.
    pub accesses: Vec<Access>,
    /// Of a race: the last that the second access's thread knows of the first one's, if there is anything.
    pub last_sync: Option<LastSync>,
    /// The schedule that reaches it, if one was replayed.
    pub witness: Option<Witness>,
    /// What would mend it.
    pub help: String,
    /// What else there is to know, as sentences.
    pub notes: Vec<String>,
}

impl Finding {
    /// Whether it says that threads hang, not that they might in another schedule.
    pub fn is_hang(&self) -> bool {
        match self.code {
            Code::Deadlock | Code::LostWakeup | Code::AbandonedChannel => self.certainty != Certainty::Hazard,
            // One that is only possible is a prediction.
            Code::SelfDeadlock | Code::AbandonedLock => self.certainty == Certainty::Observed,
            Code::LockOrder | Code::PredictedDeadlock | Code::DataRace | Code::Stall => false,
        }
    }
}

/// A thread, named for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Process id.
    pub process: u32,
    /// Number of the thread in its process, from 1 in order of appearance.
    pub thread: u32,
    /// Its name; `main` for the first thread, `<unnamed>` if it has none.
    pub name: String,
    /// Whether it is of a process before that forked, in the child that it was not taken along to.
    pub is_left_behind: bool,
}

/// An object, named for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// How texts of this finding call it: its label, or kind and creation site.
    pub reference: String,
    /// What it is: `mutex`, `rwlock`, …
    pub kind: String,
    /// Rust type of its data.
    pub type_name: String,
    /// The name that the program gave it.
    pub label: Option<String>,
    /// Where it was made.
    pub created_at: Option<Place>,
    /// What it was made with, where that matters: parties of a barrier, counts, permits, room.
    pub capacity: Option<u64>,
}

impl Object {
    /// Whether the reference is no name but a description, as of memory that is known by its address.
    pub fn is_described(&self) -> bool {
        self.label.is_none() && self.created_at.is_none() && matches!(self.kind.as_str(), "cell" | "atomic")
    }

    /// The reference as it stands in a sentence: names in backticks, descriptions as they are.
    pub fn in_sentence(&self) -> String {
        if self.is_described() { self.reference.clone() } else { format!("`{}`", self.reference) }
    }
}

/// A line of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path as the compiler knew it; what a foreign trace calls the place, if that is no line of a file.
    pub file: String,
    /// Line, from 1; 0 if it is not known, or there is none.
    pub line: u32,
    /// Column, from 1; 0 if it is not known.
    pub column: u32,
    /// Function, if symbols say.
    pub function: Option<String>,
    /// The source around the line, if the file could be read.
    pub excerpt: Option<Excerpt>,
}

impl Place {
    /// The file of a place that is not known.
    pub const UNKNOWN: &str = "<unknown>";

    /// Whether anything is known of it.
    pub fn is_known(&self) -> bool {
        self.file != Self::UNKNOWN
    }

    /// `file:line`, or as much of it as is known.
    pub fn name(&self) -> String {
        match self.line {
            0 if self.is_known() => self.file.clone(),
            0 => "an unknown place".to_owned(),
            line => format!("{}:{line}", self.file),
        }
    }
}

/// Lines of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Number of the first line.
    pub first_line: u32,
    /// The lines, each with its line feed.
    pub text: String,
}

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Function, demangled, without its hash; the module and offset if there are no symbols.
    pub function: String,
    /// Source file, if line tables say.
    pub file: Option<String>,
    /// Line, if line tables say.
    pub line: Option<u32>,
    /// Whether the compiler inlined it into the frame after it.
    pub inlined: bool,
}

impl Frame {
    /// Whether both frames are at the same line of the same function; one may be an inlined copy.
    pub fn is_same_line(&self, other: &Self) -> bool {
        (&self.function, &self.file, self.line) == (&other.function, &other.file, other.line)
    }
}

/// A hold and a want of one thread.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Index into [`Finding::threads`].
    pub thread: usize,
    /// What it holds: index into [`Finding::objects`]; `None` for a thread that only waits.
    pub holds: Option<usize>,
    /// In which mode: `exclusive`, `shared`, …
    pub held_mode: Option<String>,
    /// Where it took it.
    pub held_at: Option<Place>,
    /// On which path, user frames only, innermost first.
    pub held_stack: Vec<Frame>,
    /// Where what it took there was dropped in this run, as far as that was recorded: the first time.
    pub released_at: Option<Place>,
    /// What it wants: index into [`Finding::objects`]; `None` for a thread that only holds.
    pub wants: Option<usize>,
    /// In which mode, or how: `exclusive`, `shared`, `wait`, `receive`, `join`, …
    pub wanted_mode: Option<String>,
    /// Where it wants it.
    pub wanted_at: Option<Place>,
    /// On which path, user frames only, innermost first.
    pub wanted_stack: Vec<Frame>,
    /// Who could let it go on, and why they cannot.
    pub could_release: Vec<Releaser>,
}

/// The mode of an edge whose thread did not wait: it notified, and nobody waited for that.
pub const NOTIFIED: &str = "notified";

/// The mode of an edge whose thread waits for a message, or for nobody to be left who may send one: in the run it was the
/// latter.
pub const RECEIVE_OR_END: &str = "receive or end";

impl Edge {
    /// Whether the thread waits for something.
    pub fn is_waiting(&self) -> bool {
        self.wanted_mode.as_deref().is_some_and(|mode| mode != NOTIFIED)
    }
}

/// A schedule after which the threads of a finding wait for each other, or access the same next: of its operations those that
/// matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Steps in the order of the schedule; the last ones block, or are the accesses.
    pub steps: Vec<Step>,
    /// Operations of the whole schedule, without those that block and without the accesses of a race at its end.
    pub n_operations: u64,
}

/// A step of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number in the whole schedule, from 1. Where numbers are missing, operations were left out.
    pub step: u64,
    /// Whose: index into [`Finding::threads`].
    pub thread: usize,
    /// What it does.
    pub op: Op,
    /// In which mode, if it is about a lock: `exclusive`, `shared`, …; how it waits, if it blocks on something else: `receive`,
    /// `join`, …; of an access `atomic` or `free`, if it is no plain one
    pub mode: Option<String>,
    /// On what: index into [`Finding::objects`].
    pub object: Option<usize>,
    /// The other thread that it is about: index into [`Finding::threads`].
    pub other: Option<usize>,
    /// Where.
    pub at: Option<Place>,
}

/// What a step of a schedule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Acquires the object.
    Acquire,
    /// Releases the object.
    Release,
    /// Starts the other thread.
    Fork,
    /// Has seen the end of the other thread.
    Join,
    /// Takes from the object, or goes on because of it: receives, takes a permit, is woken, unparked.
    Take,
    /// Sees that what it sent through the object was taken.
    Confirm,
    /// Finds that nobody is left who may send through the object.
    FindClosed,
    /// Gives the object something: sends, gives a permit back, notifies one, unparks, counts, arrives.
    Give,
    /// Notifies all that wait on the object.
    GiveAll,
    /// Begins to wait on the object, and gives its lock up.
    Enter,
    /// Drops one of those through which the object is sent to.
    Close,
    /// Does something without which the other thread would not go on behind it: sends, notifies, ends.
    Precede,
    /// Goes on, since the other thread did something.
    Follow,
    /// Wants the object, or waits for it, and does not get it: nothing of the thread comes behind it.
    Block,
    /// Reads the object; as the last step of a race: would read it next.
    Read,
    /// Writes the object; as the last step of a race: would write it next.
    Write,
}

impl Op {
    /// Every operation.
    pub const ALL: [Self; 16] = [
        Self::Acquire,
        Self::Release,
        Self::Fork,
        Self::Join,
        Self::Take,
        Self::Confirm,
        Self::FindClosed,
        Self::Give,
        Self::GiveAll,
        Self::Enter,
        Self::Close,
        Self::Precede,
        Self::Follow,
        Self::Block,
        Self::Read,
        Self::Write,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acquire => "acquire",
            Self::Release => "release",
            Self::Fork => "fork",
            Self::Join => "join",
            Self::Take => "take",
            Self::Confirm => "confirm",
            Self::FindClosed => "find closed",
            Self::Give => "give",
            Self::GiveAll => "give all",
            Self::Enter => "enter",
            Self::Close => "close",
            Self::Precede => "precede",
            Self::Follow => "follow",
            Self::Block => "block",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// A thread that could let another one go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Releaser {
    /// Index into [`Finding::threads`].
    pub thread: usize,
    /// Why it cannot.
    pub why_not: String,
}
