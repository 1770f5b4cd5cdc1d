//! Hangs: threads that cannot go on any more, told from the wait graph at the end of the trace.
//!
//! Two readings of who could end a wait that nobody owns. If not even a thread of which nothing is known could - every
//! thread of the process is stuck or has ended - the hang is *observed*. If only threads that cannot have come to know
//! of the object are left, and nothing has changed for [`QUIET`], it is *possible*, and says on what it rests. A thread
//! that runs, sleeps, waits with a timeout or is in a system call may always be the one that comes to help.

use super::{
    Help, RawEdge, RawFinding, Stopped, WhyNot, abandoned_channel, abandoned_lock, deadlock, lost_wakeup, mode_name,
    self_deadlock, wait_name,
};
use crate::{
    finding::{Certainty, Code, NOTIFIED},
    graph::wait_for::{Assume, Knot, Need, WaitFor, Want},
    model::{Model, ObjectId, Thread, ThreadId, UnrecordedThread, Wait},
};
use std::time::Duration;
use trace_format::{Kind, ObjectKind};

/// How long nothing may have changed before a hang is called possible that rests on who knows of an object.
pub const QUIET: Duration = Duration::from_secs(5);

/// Threads that could have helped and that a finding names; what the others wait for says no more.
const RELEASERS_MAX: usize = 8;

/// The kinds of hangs, in the order in which they are looked for: the first that fits says it best.
const KINDS: [fn(&Scene<'_>) -> Option<RawFinding>; 5] = [
    self_deadlock::in_knot,
    abandoned_lock::in_knot,
    deadlock::in_knot,
    abandoned_channel::in_knot,
    lost_wakeup::in_knot,
];

/// Finds the hangs.
pub fn run(model: &Model, stopped: Stopped) -> Vec<RawFinding> {
    let graph = WaitFor::new(model);
    let stuck = graph.stuck(Assume::Anybody);
    let may_be_stuck = graph.stuck(Assume::WhoKnows);
    let mut findings = Vec::new();
    for knot in graph.knots(&stuck, &may_be_stuck) {
        let scene = Scene { model, graph: &graph, stuck: &stuck, knot: &knot, certainty: Certainty::Observed };
        findings.extend(scene.finding());
    }
    for knot in graph.knots(&may_be_stuck, &may_be_stuck) {
        if knot.threads.iter().any(|thread| stuck[thread.idx()]) {
            continue;
        }
        // An interrupt is no verdict: the program was idle, perhaps, until a stranger would have had work for it.
        let of_process = |thread: &ThreadId| model.threads.get(thread.idx()).map(|thread| thread.process);
        let has_strangers = knot.threads.iter().filter_map(of_process).any(|process| model.has_strangers(process));
        let is_open = stopped == Stopped::Interrupted && has_strangers;
        let certainty = if is_open { Certainty::Hazard } else { Certainty::Possible };
        let scene = Scene { model, graph: &graph, stuck: &may_be_stuck, knot: &knot, certainty };
        findings.extend(scene.finding().filter(|_| scene.is_quiet()));
    }
    findings
}

/// A knot with all that the kinds of hangs look at.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) model: &'a Model,
    pub(super) graph: &'a WaitFor<'a>,
    /// By thread: whether it cannot go on.
    pub(super) stuck: &'a [bool],
    pub(super) knot: &'a Knot,
    pub(super) certainty: Certainty,
}

impl Scene<'_> {
    fn finding(&self) -> Option<RawFinding> {
        // Workers that wait for work when the program ends are no hang; threads that lock each other out are.
        let has_ended = |thread: &ThreadId| {
            let process = self.model.threads.get(thread.idx()).map(|thread| thread.process);
            process.and_then(|process| self.model.processes.get(process.idx())).is_some_and(|process| process.exited)
        };
        let is_idle = self.knot.threads.iter().any(|thread| has_ended(thread) && self.need(*thread) == Some(Need::Any));
        if is_idle {
            return None;
        }
        KINDS.into_iter().find_map(|kind| kind(self))
    }

    /// Whether nothing in the knot has changed for long enough, or can change no more.
    fn is_quiet(&self) -> bool {
        let age = |thread: &ThreadId| self.wait(*thread).and_then(|wait| wait.age);
        self.knot.threads.iter().all(|thread| age(thread).is_none_or(|age| age >= QUIET))
    }

    pub(super) fn wait(&self, thread: ThreadId) -> Option<&Wait> {
        self.model.threads.get(thread.idx())?.wait.as_ref()
    }

    pub(super) fn want(&self, thread: ThreadId) -> Option<&Want> {
        self.graph.want(thread)
    }

    pub(super) fn need(&self, thread: ThreadId) -> Option<Need> {
        self.want(thread).map(|want| want.need)
    }

    /// Whether a thread wants something that its holders have to let go of: a lock, an initialisation.
    pub(super) fn wants_lock(&self, thread: ThreadId) -> bool {
        self.wait(thread).is_some_and(|wait| matches!(wait.event.kind(), Kind::REQUEST | Kind::UPGRADE))
    }

    /// What a thread waits for, if that is an object.
    pub(super) fn object(&self, thread: ThreadId) -> Option<ObjectId> {
        self.wait(thread)?.object
    }

    /// The kind of what a thread waits for.
    pub(super) fn kind(&self, thread: ThreadId) -> ObjectKind {
        let object = self.object(thread).and_then(|object| self.model.objects.get(object.idx()));
        object.map_or(ObjectKind::Unknown, |object| object.kind)
    }

    /// Threads of the knot that wait for what nobody owns: those that anybody could have helped.
    pub(super) fn ownerless(&self) -> Vec<ThreadId> {
        self.knot.threads.iter().copied().filter(|thread| self.need(*thread) == Some(Need::Any)).collect()
    }

    /// A finding about `edges`; the rest of the knot waits behind them.
    pub(super) fn raw(&self, code: Code, edges: Vec<RawEdge>, help: Help) -> RawFinding {
        let (why, assumes) = match self.certainty {
            Certainty::Observed => {
                ("every thread that could let them go on is stuck itself or has ended".to_owned(), Vec::new())
            }
            _ => self.possible(),
        };
        let waits = |edge: &RawEdge| edge.wants.is_some_and(|(_, mode, _)| mode != NOTIFIED);
        let is_in = |thread: &ThreadId| edges.iter().any(|edge| edge.thread == *thread && waits(edge));
        let knot = self.knot.threads.iter().filter(|thread| !is_in(thread));
        let mut behind: Vec<ThreadId> =
            knot.chain(self.knot.behind.iter().filter(|thread| !is_in(thread))).copied().collect();
        // Threads are numbered as they begin to record, so names come first.
        behind.sort_by_key(|thread| {
            (self.model.threads.get(thread.idx()).and_then(|thread| thread.name.as_deref()), *thread)
        });
        RawFinding { assumes, edges, behind, ..RawFinding::new(code, self.certainty, why, help) }
    }

    /// Why a hang is not more than possible, and what it rests on.
    fn possible(&self) -> (String, Vec<String>) {
        let in_process = |thread: &ThreadId| self.model.threads.get(thread.idx()).map(|thread| thread.process);
        let processes: Vec<_> = self.knot.threads.iter().filter_map(in_process).collect();
        let threads = self.model.threads.iter().zip(self.stuck);
        let live = threads.filter(|(thread, stuck)| !thread.ended && !**stuck && processes.contains(&thread.process));
        let mut names: Vec<String> = live
            .map(|(thread, _)| format!("`{}`", thread.name.clone().unwrap_or_else(|| format!("#{}", thread.number))))
            .collect();
        let unrecorded = processes.iter().filter_map(|process| self.model.processes.get(process.idx()));
        names.extend(unrecorded.flat_map(|process| process.unrecorded.iter().map(UnrecordedThread::title)));
        if self.knot.threads.iter().any(|thread| self.model.is_open_to_others(*thread)) {
            names.push("processes that are not in the trace, or come later".to_owned());
        }
        names.sort_unstable();
        names.dedup();
        let n_more = names.len().saturating_sub(RELEASERS_MAX);
        names.truncate(RELEASERS_MAX);
        let more = if n_more == 0 { String::new() } else { format!(" and {n_more} more") };
        let is_over = self.knot.threads.iter().all(|thread| self.wait(*thread).is_none_or(|wait| wait.age.is_none()));
        let alive = if is_over {
            "but other threads were alive when the process ended".to_owned()
        } else {
            format!("and nothing has changed for {} s, but other threads are alive", QUIET.as_secs())
        };
        let why = format!("the threads that are known to be able to help are stuck or have ended, {alive}");
        (why, vec![format!("that what is waited for is out of reach of {}{more}", names.join(", "))])
    }

    /// An edge of a thread: what it wants, and of what it holds `held`.
    pub(super) fn edge(&self, thread: ThreadId, held: Option<ObjectId>) -> RawEdge {
        let holds = self.model.threads.get(thread.idx()).map_or(&[][..], |thread| &thread.holds);
        let hold = held.and_then(|held| holds.iter().rev().find(|hold| hold.object == held));
        RawEdge {
            thread,
            holds: hold.map(|hold| (hold.object, mode_name(hold.mode), hold.site)),
            wants: self.wait(thread).map(|wait| (wait.object, wait_name(wait), wait.site)),
            could_release: self.could_release(thread),
        }
    }

    /// An edge of a thread with the newest of its holds, if it holds anything.
    pub(super) fn edge_with_newest_hold(&self, thread: ThreadId) -> RawEdge {
        let newest = self.model.threads.get(thread.idx()).and_then(|thread| thread.holds.last());
        self.edge(thread, newest.map(|hold| hold.object))
    }

    /// Who could let a thread go on, and why they cannot: whoever is expected to first.
    fn could_release(&self, thread: ThreadId) -> Vec<(ThreadId, WhyNot)> {
        let Some(want) = self.want(thread) else { return Vec::new() };
        let why_not = |by: ThreadId| {
            let of = |thread: ThreadId| self.model.threads.get(thread.idx());
            let is_over = |by: &Thread| of(thread).is_some_and(|of| self.model.is_over_for(by.process, of.process));
            let has_ended = of(by).is_none_or(|by| by.ended || is_over(by));
            match () {
                () if by == thread => WhyNot::WaitsForItself,
                () if has_ended => WhyNot::Ended,
                () => WhyNot::Waits,
            }
        };
        // Nobody expects of a thread that it helps itself to what it waits for, unless it holds it or has a sender.
        let may_help = |by: &&ThreadId| want.need == Need::All || **by != thread || want.acted.contains(by);
        let expected = want.by.iter().filter(may_help);
        let mut releasers: Vec<(ThreadId, WhyNot)> = expected.map(|by| (*by, why_not(*by))).collect();
        releasers.sort_by_key(|(by, why_not)| (!want.acted.contains(by), *why_not == WhyNot::Ended, *by));
        releasers.truncate(RELEASERS_MAX);
        releasers
    }

    /// The edges of a cycle: each thread with what the one before it wants of it.
    pub(super) fn cycle_edges(&self, cycle: &[ThreadId]) -> Vec<RawEdge> {
        let before = cycle.iter().skip(cycle.len().saturating_sub(1)).chain(cycle);
        before.zip(cycle).map(|(before, thread)| self.edge(*thread, self.object(*before))).collect()
    }
}
