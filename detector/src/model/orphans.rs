//! Locks that a process inherited while another thread than the one that forked held them: in it nobody will release them.
//!
//! A fork copies memory, and one thread. What the other threads held stays held in the copy, by nobody. That is told as if the thread had
//! come along and ended at once.

use super::{
    Model, Thread,
    held::Held,
    process::{Part, held},
};
use crate::{
    merge::{FirstPass, NO_OBJECT},
    source::Family,
};
use rustc_hash::FxHashMap;
use trace_format::{Event, Kind};

/// Copies of locks that threads of forked processes wait for at the end, in the merge's numbers.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// By copy.
    waited_for: FxHashMap<u32, Copy>,
    /// By original the copies.
    originals: FxHashMap<u32, Vec<u32>>,
}

#[derive(Debug)]
struct Copy {
    /// The process that has it.
    member: u32,
    /// The number of the original's acquire that the copy was in.
    acquired: u64,
    /// Whose that was.
    holder: Option<(u32, Held)>,
}

impl Orphans {
    pub(super) fn new(file: &Family, first: &FirstPass) -> Self {
        let mut orphans = Self::default();
        let requests = file.slots.iter().filter_map(|slot| slot.wait.filter(|wait| wait.kind() == Kind::REQUEST));
        for request in requests {
            let id = request.object().0;
            let Some(original) = file.original(id) else { continue };
            let (copy, original) = (first.objects.find(id), first.objects.find(original));
            if copy != NO_OBJECT && original != NO_OBJECT && request.seq() > 0 {
                let member = file.member_of_object(id) as u32;
                orphans.waited_for.insert(copy, Copy { member, acquired: request.seq(), holder: None });
                orphans.originals.entry(original).or_default().push(copy);
            }
        }
        orphans
    }

    /// A thread acquires an object.
    #[inline]
    pub(super) fn acquired(&mut self, thread: u32, object: u32, event: Event) {
        if !self.waited_for.is_empty() {
            self.look_at(thread, object, event);
        }
    }

    #[cold]
    fn look_at(&mut self, thread: u32, object: u32, event: Event) {
        // Whoever acquires a copy found it free: it had been released, or nobody had held it.
        self.waited_for.remove(&object);
        for copy in self.originals.get(&object).into_iter().flatten() {
            if let Some(copy) = self.waited_for.get_mut(copy).filter(|copy| copy.acquired == event.seq()) {
                copy.holder.get_or_insert((thread, held(object, event)));
            }
        }
    }

    /// Adds the threads that are not there.
    pub(super) fn add(&self, model: &mut Model, file: &Family, part: &mut Part) {
        let mut copies: Vec<_> = self.waited_for.iter().collect();
        copies.sort_unstable_by_key(|(copy, _)| **copy);
        for (copy, Copy { member, holder, .. }) in copies {
            let Some((thread, held)) = *holder else { continue };
            let Some(left) = model.threads.get((part.tables.first_thread + thread) as usize).cloned() else { continue };
            let hold = part.tables.hold(model, &file.dictionary, &part.merged.objects, Held { object: *copy, ..held });
            let process = part.tables.process(*member as usize);
            let number = 1 + model.threads.iter().filter(|thread| thread.process == process).count() as u32;
            model.threads.push(Thread {
                process,
                number,
                forked_by: None,
                scope: None,
                ended: true,
                is_left_behind: true,
                holds: vec![hold],
                wait: None,
                lost: 0,
                ..left
            });
        }
    }
}
