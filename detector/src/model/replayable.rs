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

mod guarded;
mod writer;

use self::{
    guarded::{Data, Described},
    writer::Writer,
};
use super::{Model, Object, ObjectId, ProcessId, Site, SiteId, Spot, StackId, ThreadId};
use crate::{
    history::{History, Names},
    merge::{self, FirstPass},
    source::Trace,
};
use rustc_hash::{FxHashMap, FxHashSet};
use trace_format::ObjectKind;

/// A history whose numbers can be told in the model's terms.
#[derive(Debug)]
pub struct Replayable {
    /// The history. Locks are numbered as the merge does it, places are the file's sites; neither has a name.
    pub history: History,
    /// Events that it was made of.
    pub n_events: u64,
    process: ProcessId,
    first_thread: u32,
    /// Ids of the objects in the file.
    ids: Vec<u64>,
    /// Threads by their ids in the file.
    threads: FxHashMap<u64, u32>,
    described: Vec<Described>,
    /// Operations behind which nothing is proven, with the reason: what they found out is not in the history.
    doubtful: FxHashMap<u32, &'static str>,
}

/// Why a process with too many events is not gone through again.
pub const TOO_LONG: &str = "its process recorded more events than are gone through again";

/// How far up the line of a thread's starters its first one is looked for; a damaged trace may have a circle.
const ANCESTORS_MAX: usize = 1024;

impl Replayable {
    /// Whether nothing says what the sections of a lock have to do with each other.
    pub fn is_mute(&self, lock: u32) -> bool {
        self.described.get(lock as usize).is_none_or(|described| described.data == Data::Elsewhere)
    }

    /// Why a schedule, given by its steps, proves nothing: something in it is ordered by what was not recorded.
    pub fn doubt(&self, model: &Model, steps: impl Iterator<Item = u32>) -> Option<&'static str> {
        let process = model.processes.get(self.process.idx())?;
        let mut is_in = vec![false; self.history.threads.len()];
        for index in steps {
            if let Some(why) = self.doubtful.get(&index) {
                return Some(why);
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
        let site = dictionary.locations.get(location).map_or_else(
            || self.unknown_site(),
            |location| Site {
                file: location.file.clone(),
                line: location.line,
                column: location.column,
                ..self.unknown_site()
            },
        );
        Some(Spot { site, stack })
    }

    fn unknown_site(&self) -> Site {
        Site { process: self.process, file: String::new(), line: 0, column: 0, stack: None }
    }

    /// The model's object, which is put into the model if it is not there.
    pub fn object_in(&self, trace: &Trace, model: &mut Model, number: u32) -> ObjectId {
        if let Some(object) = self.lock(model, number) {
            return object;
        }
        let id = self.ids.get(number as usize).copied().unwrap_or(0);
        let described = self.described.get(number as usize).copied().unwrap_or_default();
        let dictionary = trace.processes.get(self.process.idx()).map(|file| &file.dictionary);
        let class = dictionary.and_then(|dictionary| dictionary.classes.get(&described.class));
        let mut object = Object {
            process: self.process,
            kind: described.kind,
            type_name: class.map(|class| class.type_name.clone()).unwrap_or_default(),
            label: dictionary.and_then(|dictionary| dictionary.labels.get(&id).cloned()),
            created_at: (described.created_at != 0).then(|| self.site_in(trace, model, described.created_at)),
            gap: false,
            thread: self.threads.get(&id).map(|thread| self.thread(*thread)),
            capacity: described.capacity,
            holders_max: None,
            id,
        };
        if let Some(thread) = object.thread.and_then(|thread| model.threads.get(thread.idx())) {
            object.kind = ObjectKind::Thread;
            object.label = object.label.or_else(|| thread.name.clone());
        }
        model.objects.push(object);
        ObjectId(model.objects.len() as u32 - 1)
    }

    /// The same of a thread, as what others wait for.
    pub fn thread_in(&self, trace: &Trace, model: &mut Model, thread: u32) -> Option<ObjectId> {
        let (id, _) = self.threads.iter().find(|(_, of)| **of == thread)?;
        let number = self.ids.iter().position(|of| of == id)?;
        Some(self.object_in(trace, model, number as u32))
    }

    /// The model's site, which is put into the model if it is not there.
    pub fn site_in(&self, trace: &Trace, model: &mut Model, place: u32) -> SiteId {
        if let Some(site) = self.site(trace, model, place) {
            return site;
        }
        let unknown = || Spot { site: self.unknown_site(), stack: Vec::new() };
        let Spot { site, stack } = self.spot(trace, place).unwrap_or_else(unknown);
        let stack = (!stack.is_empty()).then(|| {
            model.stacks.push(stack);
            StackId(model.stacks.len() as u32 - 1)
        });
        model.sites.push(Site { stack, ..site });
        SiteId(model.sites.len() as u32 - 1)
    }

    /// The thread that the process began with, if it recorded anything.
    pub fn first_thread(&self, model: &Model) -> Option<u32> {
        let pid = model.processes.get(self.process.idx())?.pid;
        let is_first = |thread: &u32| model.threads.get(self.thread(*thread).idx()).is_some_and(|of| of.tid == pid);
        (0..self.history.threads.len() as u32).find(is_first)
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
pub fn replayable(
    trace: &Trace,
    model: &Model,
    process: ProcessId,
    n_events_max: u64,
) -> Result<Replayable, &'static str> {
    let file = trace.processes.get(process.idx()).ok_or("its process is not in the trace")?;
    let first = FirstPass::new(file);
    if first.n_events > n_events_max {
        return Err(TOO_LONG);
    }
    let n_events = first.n_events;
    let first_thread = model.threads.iter().position(|thread| thread.process == process).unwrap_or_default();
    let n_threads = first.threads.len() as u32;
    let n_objects = first.objects.len() as u32;
    let described = guarded::describe(file, &first);
    let history = History {
        threads: Names::unnamed(n_threads),
        locks: Names::unnamed(n_objects),
        operations: Vec::with_capacity(usize::try_from(first.n_events).unwrap_or_default()),
        ..History::default()
    };
    let thread_numbers = first.threads.iter().copied().zip(0..).collect();
    let object_numbers = (0..n_objects).map(|object| (first.objects.id(object), object)).collect();
    let mut writer = Writer::new(history, described, thread_numbers, object_numbers);
    let merged = merge::run(file, first, &mut writer);
    if merged.n_gaps > 0 || file.header.lost > 0 {
        return Err("some of its events are missing");
    }
    if let Some(why) = writer.distrust {
        return Err(why);
    }
    writer.end();
    let sites = file.dictionary.sites.iter();
    writer.history.resources.locations = sites.map(|(site, (location, _))| (*site, *location)).collect();
    let exited = model.processes.get(process.idx()).filter(|process| process.exited).map(|process| process.pid);
    let has_ended = |thread: &u32| {
        let thread = model.threads.get(first_thread + *thread as usize);
        thread.is_some_and(|thread| thread.ended || Some(thread.tid) == exited)
    };
    writer.history.unended = (0..n_threads).filter(|thread| !has_ended(thread)).collect();
    writer.history.variables = Names::unnamed(writer.n_variables);
    let ids = (0..n_objects).map(|object| merged.objects.id(object)).collect();
    let Writer { history, doubtful, described, thread_numbers: threads, .. } = writer;
    Ok(Replayable { history, n_events, process, first_thread: first_thread as u32, ids, threads, described, doubtful })
}
