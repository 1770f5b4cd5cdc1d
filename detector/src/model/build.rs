//! Builds the model out of a trace: each family is merged by itself, since ids mean something within one family only.

use super::{
    FamilyId, Model, ObjectId, SiteId, ThreadId, kernel,
    process::{self, Created, NESTED_HOLDS_MAX, Part},
};
use crate::{
    finding::Problem,
    source::{Family, Trace},
};
use rustc_hash::FxHashSet;
use trace_format::{Mode, ObjectKind, UNSEEN_TYPE};

/// Builds the model. The problems are those of building alone; [`Trace::problems`] has those of reading.
pub fn build(trace: &Trace) -> (Model, Vec<Problem>) {
    let mut model = Model::default();
    let mut problems = Vec::new();
    let mut parts = Vec::new();
    for (file, family) in trace.families.iter().zip((0..).map(FamilyId)) {
        let mut part = process::add(&mut model, family, file);
        kernel::add(&mut model, file, &mut part);
        describe_objects(&mut model, file, &mut part);
        problems.extend(problems_of(file, &part));
        model.n_unrecorded_children += file.n_unrecorded_children();
        model.n_objects += part.merged.objects.len() as u64;
        model.n_gaps += part.merged.n_gaps;
        model.n_unknown += part.n_unknown;
        parts.push(part);
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

fn problems_of(file: &Family, part: &Part) -> Vec<Problem> {
    let Some(member) = file.members.first() else { return Vec::new() };
    let path = member.path.display();
    let mut texts = Vec::new();
    if part.holds_cut {
        texts.push(format!(
            "{path}: a thread held more than {NESTED_HOLDS_MAX} locks at once; only the newest ones of them were looked at"
        ));
    }
    if part.n_unknown > 0 {
        texts.push(format!(
            "{path}: {} records of version {} were skipped; a newer deadlock-check understands them",
            part.n_unknown, member.header.version
        ));
    }
    texts.into_iter().map(|text| Problem { text, fatal: false }).collect()
}

/// Fills in what the objects of a family are.
fn describe_objects(model: &mut Model, file: &Family, part: &mut Part) {
    let mut objects: Vec<(ObjectId, u64)> = part.tables.objects.iter().map(|(id, object)| (*object, *id)).collect();
    objects.sort_unstable();
    for (object, id) in objects {
        let Description { kind, type_name, label, created_at, gap } = describe(model, file, part, id);
        let thread = part.threads.get(&id).map(|thread| ThreadId(part.tables.first_thread + thread));
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

fn describe(model: &mut Model, file: &Family, part: &mut Part, id: u64) -> Description {
    let line = lineage(file, id);
    let label = line.iter().find_map(|id| file.dictionary.labels.get(id).cloned());
    let (kind, type_name, created_at) = match line.iter().find_map(|id| created(part, *id)) {
        Some(created) => describe_created(model, file, part, created),
        None => (ObjectKind::Unknown, String::new(), None),
    };
    let mut description = Description { kind, type_name, label, created_at, gap: false };
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
    file: &Family,
    part: &mut Part,
    created: Created,
) -> (ObjectKind, String, Option<SiteId>) {
    let class = file.dictionary.classes.get(&created.class);
    let site = (created.site != 0).then(|| part.tables.site(model, &file.dictionary, created.site));
    let kind = class.map_or(ObjectKind::Unknown, |class| class.kind);
    let type_name = class.map_or("", |class| &class.type_name);
    let unseen = type_name.strip_prefix(UNSEEN_TYPE).and_then(|rest| rest.strip_suffix('>'));
    (kind, unseen.unwrap_or(type_name).to_owned(), site)
}

fn created(part: &Part, id: u64) -> Option<Created> {
    let object = part.merged.objects.find(id);
    part.created.get(object as usize).copied().filter(|created| *created != Created::default())
}

/// The object itself, then the one of which it is the copy that a forked process inherited, and so on.
fn lineage(file: &Family, id: u64) -> Vec<u64> {
    let mut line = vec![id];
    while let Some(original) = line.last().and_then(|last| file.original(*last)) {
        // A process is not its own ancestor, unless the file is damaged.
        if line.contains(&original) {
            break;
        }
        line.push(original);
    }
    line
}
