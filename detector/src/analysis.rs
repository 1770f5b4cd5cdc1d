//! Analyses: model in, raw findings out. They cannot fail, do no I/O, and know no renderer and no other analysis.

use crate::{
    finding::{Certainty, Code},
    model::{ObjectId, SiteId, ThreadId},
};

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
