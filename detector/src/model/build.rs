//! Builds the model out of a trace: each process file is merged by itself, since ids mean something within one
//! file only, and then what one file says about objects of another one - a process forked off while recording -
//! is filled in.

use super::{
    Model, ObjectId, SiteId, ThreadId, kernel,
    process::{self, Created, NESTED_HOLDS_MAX, Part},
};
use crate::{
    finding::Problem,
    source::{ProcessFile, Trace},
};
use rustc_hash::FxHashSet;
use trace_format::{Mode, ObjectKind};

/// Builds the model. The problems are those of building alone; [`Trace::problems`] has those of reading.
pub fn build(trace: &Trace) -> (Model, Vec<Problem>) {
    let mut model = Model::default();
    let mut problems = Vec::new();
    let mut parts = Vec::new();
    for file in &trace.processes {
        let mut part = process::add(&mut model, file);
        kernel::add(&mut model, file, &mut part);
        problems.extend(problems_of(file, &part));
        model.n_objects += part.merged.objects.len() as u64;
        model.n_gaps += part.merged.n_gaps;
        model.n_unknown += part.n_unknown;
        parts.push(part);
    }
    for part in 0..parts.len() {
        describe_objects(&mut model, trace, &mut parts, part);
    }
    count_permits(&mut model, &parts);
    (model, problems)
}

/// Permits are held in shared mode. How many threads can hold a semaphore at once is its capacity, if nobody gives
/// permits that he did not take; where that is one, its holders exclude each other.
fn count_permits(model: &mut Model, parts: &[Part]) {
    for part in parts {
        for (object, capacity) in &part.capacities {
            let id = part.merged.objects.id(*object);
            let object = part.tables.objects.get(&id).and_then(|object| model.objects.get_mut(object.idx()));
            if let Some(object) = object.filter(|object| object.kind == ObjectKind::Semaphore) {
                object.holders_max = Some(*capacity);
            }
        }
    }
    let objects = model.objects.iter().zip((0_u32..).map(ObjectId));
    let binary: FxHashSet<ObjectId> =
        objects.filter(|(object, _)| object.holders_max == Some(1)).map(|(_, id)| id).collect();
    if binary.is_empty() {
        return;
    }
    for nested in model.nested.iter_mut().chain(&mut model.writers) {
        if binary.contains(&nested.wants) {
            nested.mode = Mode::Exclusive;
        }
    }
    let of_nested = model.nested.iter_mut().chain(&mut model.writers).flat_map(|nested| &mut nested.holds);
    let of_threads = model.threads.iter_mut().flat_map(|thread| &mut thread.holds);
    for hold in of_nested.chain(of_threads).filter(|hold| binary.contains(&hold.object)) {
        hold.mode = Mode::Exclusive;
    }
}

fn problems_of(file: &ProcessFile, part: &Part) -> Vec<Problem> {
    let path = file.path.display();
    let mut texts = Vec::new();
    if part.holds_cut {
        texts.push(format!(
            "{path}: a thread held more than {NESTED_HOLDS_MAX} locks at once; only the newest ones of them were looked at"
        ));
    }
    if part.n_unknown > 0 {
        texts.push(format!(
            "{path}: {} records of version {} were skipped; a newer deadlock-check understands them",
            part.n_unknown, file.header.version
        ));
    }
    texts.into_iter().map(|text| Problem { text, fatal: false }).collect()
}

/// Fills in what the objects of one process are.
fn describe_objects(model: &mut Model, trace: &Trace, parts: &mut [Part], of: usize) {
    let Some(part) = parts.get(of) else { return };
    let mut objects: Vec<(ObjectId, u64)> = part.tables.objects.iter().map(|(id, object)| (*object, *id)).collect();
    objects.sort_unstable();
    for (object, id) in objects {
        let Description { kind, type_name, label, created_at, gap } = describe(model, trace, parts, of, id);
        let thread = parts.get(of).and_then(|part| {
            let thread = part.threads.get(&id)?;
            Some(ThreadId(part.tables.first_thread + thread))
        });
        if let Some(object) = model.objects.get_mut(object.idx()) {
            object.thread = thread;
            (object.kind, object.type_name, object.label) = (kind, type_name, label);
            (object.created_at, object.gap) = (created_at, gap);
        }
    }
}

struct Description {
    kind: ObjectKind,
    type_name: String,
    label: Option<String>,
    created_at: Option<SiteId>,
    gap: bool,
}

fn describe(model: &mut Model, trace: &Trace, parts: &mut [Part], of: usize, id: u64) -> Description {
    let line = lineage(trace, of, id);
    let label = line.iter().find_map(|process| trace.processes.get(*process)?.dictionary.labels.get(&id).cloned());
    let made_in = line.into_iter().find_map(|process| Some((process, created(parts.get(process)?, id)?)));
    let (kind, type_name, created_at) = match made_in {
        Some((process, created)) => describe_created(model, trace, parts, process, created),
        None => (ObjectKind::Unknown, String::new(), None),
    };
    let mut description = Description { kind, type_name, label, created_at, gap: false };
    let Some(part) = parts.get(of) else { return description };
    let object = part.merged.objects.find(id);
    description.gap = part.merged.is_gapped(object);
    if let Some(thread) = part.threads.get(&id) {
        let thread = model.threads.get((part.tables.first_thread + thread) as usize);
        let is_task = thread.is_some_and(|thread| thread.is_task);
        description.kind = if is_task { ObjectKind::Task } else { ObjectKind::Thread };
        description.label = description.label.or_else(|| thread?.name.clone());
    } else if kind == ObjectKind::Unknown && part.has_shared.get(object as usize).is_some_and(|shared| *shared) {
        // Its CREATE is lost, but nothing else can be shared.
        description.kind = ObjectKind::RwLock;
    }
    description
}

fn describe_created(
    model: &mut Model,
    trace: &Trace,
    parts: &mut [Part],
    process: usize,
    created: Created,
) -> (ObjectKind, String, Option<SiteId>) {
    let (Some(file), Some(part)) = (trace.processes.get(process), parts.get_mut(process)) else {
        return (ObjectKind::Unknown, String::new(), None);
    };
    let class = file.dictionary.classes.get(&created.class);
    let site = (created.site != 0).then(|| part.tables.site(model, &file.dictionary, created.site));
    let kind = class.map_or(ObjectKind::Unknown, |class| class.kind);
    (kind, class.map(|class| class.type_name.clone()).unwrap_or_default(), site)
}

fn created(part: &Part, id: u64) -> Option<Created> {
    let object = part.merged.objects.find(id);
    part.created.get(object as usize).copied().filter(|created| *created != Created::default())
}

/// The process itself, then the one that it was forked from if that made the object, and so on.
fn lineage(trace: &Trace, of: usize, id: u64) -> Vec<usize> {
    let mut line = vec![of];
    while let Some(file) = line.last().and_then(|last| trace.processes.get(*last))
        && id < file.header.forked_next_object
        && let Some((pid, start, copy)) = file.header.forked_from
    {
        let is_parent =
            |file: &ProcessFile| (file.header.pid, file.header.start, file.header.copy) == (pid, start, copy);
        match trace.processes.iter().position(is_parent) {
            // A process is not its own ancestor, unless the file is damaged.
            Some(parent) if !line.contains(&parent) => line.push(parent),
            _ => break,
        }
    }
    line
}
