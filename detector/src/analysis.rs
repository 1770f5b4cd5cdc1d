//! Analyses: model in, raw findings out. They cannot fail, do no I/O, and know no renderer and no other analysis.

pub mod lock_order;
pub mod self_deadlock;
pub mod stall;

#[cfg(test)]
mod fixture;

pub use stall::Stopped;

use crate::{
    finding::{Certainty, Code, Problem},
    model::{Model, ObjectId, SiteId, ThreadId},
};
use trace_format::Mode;

/// What a prediction assumes: nothing but what was recorded keeps threads apart or brings them together.
pub const ALL_RECORDED: &str = "all-communication-recorded";

/// Runs all analyses. The problems say where a bound cut one short.
pub fn run(model: &Model, stopped: Stopped) -> (Vec<RawFinding>, Vec<Problem>) {
    let mut findings = self_deadlock::run(model);
    let (cycles, problems) = lock_order::run(model);
    findings.extend(cycles);
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
    /// What would mend it.
    pub help: Help,
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
    pub could_release: Vec<(ThreadId, String)>,
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
    /// Look at what each thread waits for.
    LookAtWaits,
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
