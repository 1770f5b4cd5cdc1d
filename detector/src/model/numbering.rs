//! The numbers that the merge gave the threads, objects and places of a process, in the model's terms.

use super::{
    FamilyId, Model, Object, ObjectId, ProcessId, Site, SiteId, Spot, StackId, ThreadId,
    guarded::{self, Data, Described},
    tables::member_of,
};
use crate::{
    merge::FirstPass,
    source::{Family, Ids, Trace},
};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use trace_format::ObjectKind;

/// What the merge's numbers stand for. Places are the file's sites.
#[derive(Debug)]
pub struct Numbering {
    pub(super) family: FamilyId,
    first_process: u32,
    whose: Rc<Ids>,
    first_thread: u32,
    /// Ids of the objects in the file.
    pub(super) ids: Vec<u64>,
    /// Threads by their ids in the file.
    pub(super) threads: FxHashMap<u64, u32>,
    pub(super) described: Vec<Described>,
}

impl Numbering {
    /// Of a family of which `model` was built.
    pub fn new(model: &Model, family: FamilyId, file: &Family, first: &FirstPass) -> Self {
        let is_of = |process: ProcessId| model.processes.get(process.idx()).is_some_and(|of| of.family == family);
        let first_thread = model.threads.iter().position(|thread| is_of(thread.process)).unwrap_or_default();
        let first_process = model.processes.iter().position(|process| process.family == family).unwrap_or_default();
        Self {
            family,
            first_process: first_process as u32,
            whose: file.ids(),
            first_thread: first_thread as u32,
            ids: (0..first.objects.len() as u32).map(|object| first.objects.id(object)).collect(),
            threads: first.threads.iter().copied().zip(0..).collect(),
            described: guarded::describe(file, first),
        }
    }

    /// The process of an object.
    fn process_of(&self, object: u64) -> ProcessId {
        ProcessId(self.first_process + member_of(&self.whose, object) as u32)
    }

    /// The id of an object in the file, or its address.
    pub fn id(&self, object: u32) -> Option<u64> {
        self.ids.get(object as usize).copied()
    }

    /// What an object is.
    pub fn kind(&self, object: u32) -> ObjectKind {
        self.described.get(object as usize).map_or(ObjectKind::Unknown, |described| described.kind)
    }

    /// Whether nothing says what the sections of a lock have to do with each other.
    pub fn is_mute(&self, lock: u32) -> bool {
        self.described.get(lock as usize).is_none_or(|described| described.data == Data::Elsewhere)
    }

    /// The model's thread.
    pub fn thread(&self, thread: u32) -> ThreadId {
        ThreadId(self.first_thread + thread)
    }

    /// The model's object, if it is in the model.
    pub fn lock(&self, model: &Model, lock: u32) -> Option<ObjectId> {
        let id = self.ids.get(lock as usize)?;
        let objects = model.objects.iter().zip((0..).map(ObjectId));
        let process = self.process_of(*id);
        let mut of_process = objects.filter(|(object, _)| object.process == process);
        of_process.find(|(object, _)| object.id == *id).map(|(_, object)| object)
    }

    /// What a place is, in the model or not; `None` if nothing is known of it.
    pub fn spot(&self, trace: &Trace, place: u32) -> Option<Spot> {
        let dictionary = &trace.families.get(self.family.idx())?.dictionary;
        let (location, stack) = dictionary.sites.get(&place)?;
        let stack = dictionary.stacks.get(stack).cloned().unwrap_or_default();
        let site = dictionary.locations.get(location).map_or_else(
            || self.unknown_site(place),
            |location| Site {
                file: location.file.clone(),
                line: location.line,
                column: location.column,
                ..self.unknown_site(place)
            },
        );
        Some(Spot { site, stack })
    }

    fn unknown_site(&self, place: u32) -> Site {
        let process = ProcessId(self.first_process + self.whose.member_of_site(place) as u32);
        Site { process, file: String::new(), line: 0, column: 0, stack: None }
    }

    /// The model's object, which is put into the model if it is not there.
    pub fn object_in(&self, trace: &Trace, model: &mut Model, number: u32) -> ObjectId {
        if let Some(object) = self.lock(model, number) {
            return object;
        }
        let id = self.ids.get(number as usize).copied().unwrap_or(0);
        let described = self.described.get(number as usize).copied().unwrap_or_default();
        let dictionary = trace.families.get(self.family.idx()).map(|file| &file.dictionary);
        let class = dictionary.and_then(|dictionary| dictionary.classes.get(&described.class));
        let mut object = Object {
            process: self.process_of(id),
            shared_by: self
                .whose
                .sharers(id)
                .iter()
                .map(|member| ProcessId(self.first_process + *member as u32))
                .collect(),
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
        let unknown = || Spot { site: self.unknown_site(place), stack: Vec::new() };
        let Spot { site, stack } = self.spot(trace, place).unwrap_or_else(unknown);
        let stack = (!stack.is_empty()).then(|| {
            model.stacks.push(stack);
            StackId(model.stacks.len() as u32 - 1)
        });
        model.sites.push(Site { stack, ..site });
        SiteId(model.sites.len() as u32 - 1)
    }

    /// The thread that the process of a thread began with, if it recorded anything.
    pub fn first_thread(&self, model: &Model, thread: u32) -> Option<u32> {
        let process = model.threads.get(self.thread(thread).idx())?.process;
        let is_first = |thread: &u32| {
            let is_of = model.threads.get(self.thread(*thread).idx()).is_some_and(|of| of.process == process);
            is_of && model.is_first_of_process(self.thread(*thread))
        };
        (0..self.threads.len() as u32).find(is_first)
    }

    /// The model's site, if it is in the model.
    pub fn site(&self, trace: &Trace, model: &Model, place: u32) -> Option<SiteId> {
        let dictionary = &trace.families.get(self.family.idx())?.dictionary;
        let (location, stack) = dictionary.sites.get(&place)?;
        let location = dictionary.locations.get(location)?;
        let stack = dictionary.stacks.get(stack);
        let process = self.unknown_site(place).process;
        let is_it = |site: &Site| {
            (site.process, site.line, site.column) == (process, location.line, location.column)
                && site.file == location.file
                && site.stack.and_then(|stack| model.stacks.get(stack.idx())) == stack
        };
        model.sites.iter().zip((0..).map(SiteId)).find(|(site, _)| is_it(site)).map(|(_, site)| site)
    }
}
