//! Analyses: model in, raw findings out. They cannot fail, do no I/O, and know no renderer and no other analysis.

pub mod abandoned_channel;
pub mod abandoned_lock;
pub mod data_race;
pub mod deadlock;
pub mod hang;
pub mod lock_order;
pub mod lost_wakeup;
pub mod predicted;
pub mod predicted_hang;
pub mod self_deadlock;
pub mod stall;

#[cfg(test)]
mod fixture;
mod steps;

pub use stall::Stopped;
pub use steps::{Own, Terms, steps};

use crate::{
    finding::{AccessOp, Certainty, Code, Op, Problem, SyncOp},
    model::{Model, ObjectId, SiteId, Spot, ThreadId, Wait},
};
use trace_format::{Kind, Mode};

/// What a prediction assumes: nothing but what was recorded keeps threads apart or brings them together.
pub const ALL_RECORDED: &str = "all-communication-recorded";

/// Runs all analyses. The problems say where a bound cut one short.
pub fn run(model: &Model, stopped: Stopped) -> (Vec<RawFinding>, Vec<Problem>) {
    let mut findings = hang::run(model, stopped);
    let (cycles, problems) = lock_order::run(model);
    let predicted = self_deadlock::run(model).into_iter().chain(abandoned_lock::run(model)).chain(cycles);
    // What happened is not predicted as well.
    let happened: Vec<RawFinding> = findings.clone();
    findings.extend(predicted.filter(|finding| !happened.iter().any(|observed| observed.covers(finding))));
    findings.extend(stall::run(model, stopped));
    (findings, problems)
}

/// A finding in the model's terms, before names, lines and identity.
#[derive(Clone, Debug)]
pub struct RawFinding {
    /// What it is about.
    pub code: Code,
    /// How sure it is.
    pub certainty: Certainty,
    /// Why it is that sure and not surer.
    pub why: String,
    /// What has to be true beyond the trace.
    pub assumes: Vec<String>,
    /// How often it occurred.
    pub count: u64,
    /// For a cycle in its order: the thread of edge i wants what that of edge i + 1 holds.
    pub edges: Vec<RawEdge>,
    /// Threads that wait for those of the edges, directly or not.
    pub behind: Vec<ThreadId>,
    /// The schedule that reaches it, if one was replayed.
    pub witness: Option<RawWitness>,
    /// Of a race: its two accesses, in the order of the run.
    pub accesses: Vec<RawAccess>,
    /// Of a race: the last that the second access's thread knows of the first one's.
    pub last_sync: Option<RawSync>,
    /// Of a race: the atomic whose orderings are too weak to order the accesses.
    pub repair: Option<RawRepair>,
    /// What would mend it.
    pub help: Help,
}

/// What is shown of a schedule that reaches a finding.
#[derive(Clone, Debug)]
pub struct RawWitness {
    /// Steps, in the order of the schedule.
    pub steps: Vec<RawStep>,
    /// Operations of the whole schedule, without those that block and without the accesses of a race at its end.
    pub n_operations: u64,
}

/// A step of a schedule.
#[derive(Clone, Debug)]
pub struct RawStep {
    /// Its number in the schedule.
    pub number: u64,
    /// Who.
    pub thread: ThreadId,
    /// What it does.
    pub op: Op,
    /// In which mode; of an access `atomic` or `free`, if it is no plain one.
    pub mode: Option<&'static str>,
    /// On what.
    pub object: Option<ObjectId>,
    /// The other thread that it is about.
    pub other: Option<ThreadId>,
    /// Where.
    pub at: Option<RawPlace>,
}

/// A place in the program.
#[derive(Clone, Debug)]
pub enum RawPlace {
    /// One of the model.
    Site(SiteId),
    /// One that nothing in the model refers to.
    Spot(Box<Spot>),
}

/// An access of a data race.
#[derive(Clone, Debug)]
pub struct RawAccess {
    /// Who.
    pub thread: ThreadId,
    /// What it does.
    pub op: AccessOp,
    /// On what; `None` for memory that the model does not have.
    pub object: Option<ObjectId>,
    /// Where.
    pub at: RawPlace,
    /// What the thread held, how (`exclusive`, `shared`, …), since where; oldest first.
    pub held: Vec<(ObjectId, &'static str, RawPlace)>,
}

/// The last that one thread knows of another one: what that one did, and how it came to be known.
#[derive(Clone, Debug)]
pub struct RawSync {
    /// What the one did.
    pub from: RawSyncPoint,
    /// How the other one came to know of it.
    pub to: RawSyncPoint,
}

/// An operation that orders what is before and after it.
#[derive(Clone, Debug)]
pub struct RawSyncPoint {
    /// Who.
    pub thread: ThreadId,
    /// What it is.
    pub op: SyncOp,
    /// On what.
    pub object: Option<ObjectId>,
    /// Where.
    pub at: Option<RawPlace>,
}

/// A store and a load that saw it, which with other orderings would have ordered the two accesses of a race.
#[derive(Clone, Debug)]
pub struct RawRepair {
    /// Of what; `None` for an atomic that the model does not have.
    pub atomic: Option<ObjectId>,
    /// The store, behind the first access.
    pub store: RawAtomic,
    /// The load, before the second access.
    pub load: RawAtomic,
}

/// A store or load of an atomic.
#[derive(Clone, Debug)]
pub struct RawAtomic {
    /// Who.
    pub thread: ThreadId,
    /// Where.
    pub at: RawPlace,
    /// Its ordering, as the program has it: `Relaxed`, …
    pub ordering: &'static str,
    /// Whether it both loads and stores.
    pub is_rmw: bool,
    /// Whether it would have to be stronger: a store without release, a load without acquire.
    pub is_too_weak: bool,
}

/// A hold and a want of one thread.
#[derive(Clone, Debug)]
pub struct RawEdge {
    /// Who.
    pub thread: ThreadId,
    /// What it holds, how (`exclusive`, `shared`, …), since where.
    pub holds: Option<(ObjectId, &'static str, SiteId)>,
    /// What it wants, how (`exclusive`, `shared`, `wait`, `receive`, …), where.
    pub wants: Option<(Option<ObjectId>, &'static str, SiteId)>,
    /// Who could let it go on, and why they cannot.
    pub could_release: Vec<(ThreadId, WhyNot)>,
}

/// Why a thread that could let another one go on cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// It has ended.
    Ended,
    /// It waits itself; for what, the model says.
    Waits,
    /// It waits for itself.
    WaitsForItself,
    /// It waits in the same cycle of a prediction.
    InCycle,
    /// It waits itself in the same cycle of a prediction; only behind that, there, would it.
    InCycleBefore(SiteId),
    /// It would wait for the first of two reads to end.
    ForFirstRead,
    /// It would queue behind the writer.
    BehindWriter,
}

impl RawFinding {
    /// A finding that occurred once, and of which nothing but this is known yet.
    pub fn new(code: Code, certainty: Certainty, why: String, help: Help) -> Self {
        Self {
            code,
            certainty,
            why,
            assumes: Vec::new(),
            count: 1,
            edges: Vec::new(),
            behind: Vec::new(),
            witness: None,
            accesses: Vec::new(),
            last_sync: None,
            repair: None,
            help,
        }
    }

    /// Whether this finding, which happened, says what `other` predicts: the same holds and wants at the same places, or
    /// of the same threads.
    fn covers(&self, other: &Self) -> bool {
        let by_place = |edge: &RawEdge| {
            let holds = edge.holds.map(|(object, _, site)| (object, site));
            (holds, edge.wants.map(|(object, _, site)| (object, site)))
        };
        let by_thread = |edge: &RawEdge| {
            let holds = edge.holds.map(|(object, ..)| object);
            (edge.thread, holds, edge.wants.map(|(object, ..)| object))
        };
        let has = |edge: &RawEdge| self.edges.iter().any(|own| by_place(own) == by_place(edge));
        let has_of_thread = |edge: &RawEdge| self.edges.iter().any(|own| by_thread(own) == by_thread(edge));
        // What has no edges is no hang.
        !other.edges.is_empty() && (other.edges.iter().all(has) || other.edges.iter().all(has_of_thread))
    }
}

/// What would mend a finding; the words are found when names are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Help {
    /// Take these locks in one order everywhere.
    OneOrder,
    /// Do not read again while reading, since a writer may queue between.
    NoRecursiveRead,
    /// Drop the guard before locking again.
    DropBeforeRelock,
    /// Do not ask to write while reading, since two that do wait for each other.
    NoUpgrade,
    /// Do not hold a lock while waiting for somebody who needs it.
    NotWhileHolding,
    /// Do not hold a lock while waiting for a condition to change that another thread changes under it.
    DropBeforeWait,
    /// Change the condition and notify under the mutex, and wait in a loop that looks at the condition first.
    NotifyWhatChanged,
    /// Send before receiving, in one of the threads.
    SendFirst,
    /// Let all parties arrive, or give back all permits.
    LetAllArrive,
    /// Drop the guard before the thread ends.
    DropBeforeEnd,
    /// Mend what the dead thread may have left half changed.
    MendWhatIsGuarded,
    /// Do not use in a forked process what another thread may hold at the fork.
    NotInForkedChild,
    /// Drop the senders, or keep the receiver.
    CloseChannel,
    /// Look at what each thread waits for.
    LookAtWaits,
    /// Guard both accesses with one lock, make them atomic, or order them.
    OrderAccesses,
}

/// How a wait is called.
fn wait_name(wait: &Wait) -> &'static str {
    match wait.event.kind() {
        Kind::REQUEST => mode_name(wait.event.flags().mode()),
        Kind::UPGRADE => "upgrade",
        Kind::SEND => "send",
        Kind::RECEIVE => "receive",
        Kind::JOIN => "join",
        Kind::SCOPE_END => "scope end",
        Kind::TASK_BEGIN => "progress",
        _ => "wait",
    }
}

/// What findings call a mode.
pub const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Exclusive => "exclusive",
        Mode::Shared => "shared",
        Mode::Upgradable => "upgradable",
        Mode::SharedRecursive => "shared-recursive",
    }
}
