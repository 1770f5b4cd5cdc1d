//! A recorded process as a history, for prediction: a second merge, made only if something is to be proven.
//!
//! What a history cannot say in its own words is said as reads and writes, which a reordering has to respect:
//!
//! * **Must-order** - fork, join, messages, notifies, arrivals - is a variable that the one side writes and the other
//!   one reads.
//! * **What a lock guards** is a variable. In Rust it is reached through guards only, and these know whether they were
//!   used to read or to write. The read stands where the guard was first used at the latest: behind its acquire, or, if
//!   that was after the next acquire or wait of the thread ([`Flags::LATE`]), behind that. A section that wrote may have read. A
//!   type that may change behind a shared reference is written by whoever reads it. Of `()`, which stands for something
//!   else, nothing is known: its sections may be left out of a schedule, but not change places ([`Replayable::is_mute`]).

mod accesses;
mod writer;

use self::writer::Writer;
use super::{FamilyId, Model, Numbering, ThreadId};
use crate::{
    history::{History, Names},
    merge::{self, FirstPass},
    source::{Memory, Trace},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::ops::Deref;

/// A history whose numbers can be told in the model's terms.
#[derive(Debug)]
pub struct Replayable {
    /// The history. Locks are numbered as the merge does it, places are the file's sites; neither has a name.
    pub history: History,
    /// Events that it was made of.
    pub n_events: u64,
    /// Whether operations on atomic variables are in it, if there were any.
    pub has_atomics: bool,
    /// What its numbers stand for.
    numbering: Numbering,
    /// By variable that is data, accessed without any lock, the object that it is, or lies at.
    accessed: FxHashMap<u32, u32>,
    /// Operations behind which nothing is proven, with the reason: what they found out is not in the history.
    doubtful: FxHashMap<u32, &'static str>,
}

/// Why a process with too many events is not gone through again.
pub const TOO_LONG: &str = "its process recorded more events than are gone through again";

const TOO_MANY_ATOMICS: &str = "its process recorded more operations on atomic variables than are gone through again, of which one \
                                may order its threads";

impl Deref for Replayable {
    type Target = Numbering;

    fn deref(&self) -> &Numbering {
        &self.numbering
    }
}

impl Replayable {
    /// The object that a variable is, or lies at, if it is data that is accessed without any lock.
    pub fn accessed(&self, variable: u32) -> Option<u32> {
        self.accessed.get(&variable).copied()
    }

    /// Whether a variable stands for something that one thread did before another one went on.
    pub fn is_message(&self, variable: u32) -> bool {
        variable as usize >= self.numbering.ids.len() && !self.accessed.contains_key(&variable)
    }

    /// Why a schedule, given by its steps, proves nothing: something in it is ordered by what was not recorded.
    pub fn doubt(&self, model: &Model, steps: impl Iterator<Item = u32>) -> Option<&'static str> {
        if !self.has_atomics {
            return Some(TOO_MANY_ATOMICS);
        }
        let mut is_in = vec![false; self.history.threads.len()];
        for index in steps {
            if let Some(why) = self.doubtful.get(&index) {
                return Some(why);
            }
            is_in[self.history.operations[index as usize].thread as usize] = true;
        }
        let threads = (0..).zip(is_in).filter(|(_, is_in)| *is_in);
        let roots: FxHashSet<ThreadId> = threads.map(|(thread, _)| model.root(self.thread(thread))).collect();
        // Threads that descend from one are ordered with each other as far as they are at all, whoever started that one.
        let is_known = roots.len() < 2 || roots.iter().all(|root| model.is_first_of_process(*root));
        (!is_known).then_some("it was not recorded who started its threads, and so what came before what")
    }
}

/// The history of a process of a trace, of which `model` was built; why there is none, for people. Of one that has too many
/// events, but would not have without its operations on atomic variables, these are left out, and nothing is proven by it.
///
/// # Errors
///
/// Something is missing in it, or is in it, with which a replay would prove nothing.
pub fn replayable(
    trace: &Trace,
    model: &Model,
    family: FamilyId,
    n_events_max: u64,
) -> Result<Replayable, &'static str> {
    let file = trace.families.get(family.idx()).ok_or("its process is not in the trace")?;
    let first = FirstPass::new(file);
    let has_atomics = first.n_events <= n_events_max;
    let n_events = first.n_events - if has_atomics { 0 } else { first.n_atomics };
    if n_events > n_events_max {
        return Err(TOO_LONG);
    }
    let n_threads = first.threads.len() as u32;
    let n_objects = first.objects.len() as u32;
    let numbering = Numbering::new(model, family, file, &first);
    let history = History {
        threads: Names::unnamed(n_threads),
        locks: Names::unnamed(n_objects),
        operations: Vec::with_capacity(usize::try_from(n_events).unwrap_or_default()),
        ..History::default()
    };
    let memory = Memory::of(file);
    let members = (0..n_threads).map(|thread| first.member_of(thread)).collect();
    let mut writer = Writer::new(history, &numbering, &memory, members, has_atomics);
    let merged = merge::run(file, first, &mut writer);
    if merged.n_gaps > 0 || file.n_lost() > 0 {
        return Err("some of its events are missing");
    }
    if let Some(why) = writer.distrust {
        return Err(why);
    }
    writer.end();
    let sites = file.dictionary.sites.iter();
    writer.history.resources.locations = sites.map(|(site, (location, _))| (*site, *location)).collect();
    let has_ended = |thread: &u32| {
        let thread = model.threads.get(numbering.thread(*thread).idx());
        let exited = |pid| pid == thread.map_or(0, |thread| thread.tid);
        let process = thread.and_then(|thread| model.processes.get(thread.process.idx()));
        thread.is_some_and(|thread| thread.ended) || process.is_some_and(|of| of.exited && exited(of.pid))
    };
    writer.history.unended = (0..n_threads).filter(|thread| !has_ended(thread)).collect();
    writer.history.variables = Names::unnamed(writer.n_variables);
    let Writer { history, doubtful, accessed, .. } = writer;
    let accessed = accessed.objects;
    Ok(Replayable { history, n_events, has_atomics, numbering, accessed, doubtful })
}
