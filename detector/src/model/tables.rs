//! From the ids of one family to those of the model. Only what something refers to gets into the model.

use super::{Epoch, EpochId, Hold, Model, Object, ObjectId, ProcessId, Site, SiteId, StackId, clock::Mark, held::Held};
use crate::{
    merge::{AT_ADDRESS, Objects},
    source::{Dictionary, Ids},
};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use trace_format::ObjectKind;

/// The ids of one family that are in the model.
#[derive(Debug)]
pub(super) struct Tables {
    /// The model's index of the family's first process.
    first_process: u32,
    ids: Rc<Ids>,
    /// The model's index of the family's first thread.
    pub(super) first_thread: u32,
    /// Objects by their id in the file.
    pub(super) objects: FxHashMap<u64, ObjectId>,
    sites: FxHashMap<u32, SiteId>,
    stacks: FxHashMap<u32, StackId>,
    /// Epochs by the address of their mark, which is kept so that no other one gets that address.
    epochs: FxHashMap<usize, (Rc<Mark>, EpochId)>,
}

impl Tables {
    pub(super) fn new(first_process: u32, ids: Rc<Ids>, first_thread: u32) -> Self {
        Self {
            first_process,
            ids,
            first_thread,
            objects: FxHashMap::default(),
            sites: FxHashMap::default(),
            stacks: FxHashMap::default(),
            epochs: FxHashMap::default(),
        }
    }

    /// The model's process of a member.
    pub(super) fn process(&self, member: usize) -> ProcessId {
        ProcessId(self.first_process + member as u32)
    }

    /// The site with this id in the file; one without a line if the file does not say.
    pub(super) fn site(&mut self, model: &mut Model, dictionary: &Dictionary, id: u32) -> SiteId {
        if let Some(site) = self.sites.get(&id) {
            return *site;
        }
        let (location, stack) = dictionary.sites.get(&id).copied().unwrap_or_default();
        let location = dictionary.locations.get(&location);
        let site = Site {
            process: self.process(self.ids.member_of_site(id)),
            file: location.map(|location| location.file.clone()).unwrap_or_default(),
            line: location.map_or(0, |location| location.line),
            column: location.map_or(0, |location| location.column),
            stack: self.stack(model, dictionary, stack),
        };
        model.sites.push(site);
        let index = SiteId(model.sites.len() as u32 - 1);
        self.sites.insert(id, index);
        index
    }

    /// Adds where guards were dropped, of those that were acquired at sites of the model.
    pub(super) fn add_releases(&mut self, model: &mut Model, dictionary: &Dictionary, released: &FxHashMap<u32, u32>) {
        let mut known: Vec<(SiteId, u32)> =
            released.iter().filter_map(|(acquired, released)| Some((*self.sites.get(acquired)?, *released))).collect();
        known.sort_unstable();
        for (acquired, released) in known {
            let released = self.site(model, dictionary, released);
            model.released.insert(acquired, released);
        }
    }

    fn stack(&mut self, model: &mut Model, dictionary: &Dictionary, id: u32) -> Option<StackId> {
        if let Some(stack) = self.stacks.get(&id) {
            return Some(*stack);
        }
        model.stacks.push(dictionary.stacks.get(&id)?.clone());
        let index = StackId(model.stacks.len() as u32 - 1);
        self.stacks.insert(id, index);
        Some(index)
    }

    /// The object with this id in the file; what it is gets filled in when all processes are known.
    pub(super) fn object(&mut self, model: &mut Model, id: u64) -> ObjectId {
        if let Some(object) = self.objects.get(&id) {
            return *object;
        }
        let shared_by = self.ids.sharers(id).iter().map(|member| self.process(*member)).collect();
        *self.objects.entry(id).or_insert_with(|| {
            model.objects.push(Object {
                process: ProcessId(self.first_process + member_of(&self.ids, id) as u32),
                shared_by,
                kind: ObjectKind::Unknown,
                type_name: String::new(),
                label: None,
                created_at: None,
                gap: false,
                thread: None,
                capacity: None,
                holders_max: None,
                id,
            });
            ObjectId(model.objects.len() as u32 - 1)
        })
    }

    pub(super) fn hold(&mut self, model: &mut Model, dictionary: &Dictionary, objects: &Objects, held: Held) -> Hold {
        let object = self.object(model, objects.id(held.object));
        Hold { object, mode: held.mode, site: self.site(model, dictionary, held.site) }
    }

    /// The epoch of a mark.
    pub(super) fn epoch(&mut self, model: &mut Model, mark: &Rc<Mark>) -> EpochId {
        let add = || {
            let epoch: Epoch = mark.to_epoch(self.first_thread);
            model.epochs.push(epoch);
            (Rc::clone(mark), EpochId(model.epochs.len() as u32 - 1))
        };
        self.epochs.entry(Rc::as_ptr(mark) as usize).or_insert_with(add).1
    }

    /// Gives up what only [`Tables::epoch`] needs.
    pub(super) fn forget_epochs(&mut self) {
        self.epochs = FxHashMap::default();
    }
}

/// The member that an object, or an address, is of.
pub(super) fn member_of(ids: &Ids, object: u64) -> usize {
    if object & AT_ADDRESS != 0 { (object >> 48 & 0x7fff) as usize } else { ids.member_of_object(object) }
}
