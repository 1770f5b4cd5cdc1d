//! Atomic variables, cells and marked memory in a history: variables, of which each read sees the latest write.

use super::writer::Writer;
use crate::{
    history::{Kind as Does, Operation},
    source::{Ends, Lying, Memory},
};
use rustc_hash::FxHashMap;
use trace_format::{Event, Flags, Kind};

const UNCERTAIN: &str = "it has an operation on an atomic variable of which it is not known what it saw";

/// Which variables are data that a program accesses without any lock.
#[derive(Debug)]
pub(super) struct Accessed<'a> {
    ends: Ends<'a>,
    /// What lay in marked memory, as variables.
    variables: FxHashMap<Lying, u32>,
    /// By variable the object that it is, or lies at.
    pub(super) objects: FxHashMap<u32, u32>,
}

impl<'a> Accessed<'a> {
    pub(super) fn new(memory: &'a Memory) -> Self {
        Self { ends: Ends::new(memory), variables: FxHashMap::default(), objects: FxHashMap::default() }
    }
}

impl Writer<'_> {
    /// A cell or marked memory is accessed, or ends: what comes later there is another variable.
    pub(super) fn access(&mut self, thread: u32, object: u32, event: Event) {
        let kind = if event.kind() == Kind::CELL_READ { Does::Read } else { Does::Write };
        if !event.is_at_address() {
            self.accessed.objects.entry(object).or_insert(object);
            self.push_operation(Operation::new(thread, kind, object, event.site().0));
            return;
        }
        for lying in self.accessed.ends.accessed(self.member_of(thread), thread, event).collect::<Vec<_>>() {
            let next = self.n_variables;
            let variable = *self.accessed.variables.entry(lying).or_insert(next);
            self.n_variables = next.saturating_add(u32::from(variable == next));
            self.accessed.objects.entry(variable).or_insert(object);
            self.push_operation(Operation::new(thread, kind, variable, event.site().0));
        }
        if event.kind() == Kind::CELL_FREE {
            let member = self.member_of(thread);
            self.accessed.ends.end(member, thread, event);
        }
    }

    /// An operation on an atomic variable. In a schedule that counts it sees what it saw.
    pub(super) fn atomic(&mut self, thread: u32, object: u32, event: Event) {
        if Ends::is_told(event) {
            return self.accessed.ends.tell(thread, event);
        }
        // That there is room in a channel the rules of channels say.
        if is_room(event) {
            return;
        }
        if event.flags().has(Flags::UNCERTAIN) {
            self.doubt(thread, UNCERTAIN);
        }
        let place = event.site().0;
        if event.kind() != Kind::ATOMIC_STORE {
            self.push_operation(Operation::new(thread, Does::Read, object, place));
        }
        if !matches!(event.kind(), Kind::ATOMIC_LOAD | Kind::OBSERVE) {
            self.push_operation(Operation::new(thread, Does::Write, object, place));
        }
    }
}

fn is_room(event: Event) -> bool {
    matches!(event.kind(), Kind::PUBLISH | Kind::OBSERVE) && event.flags().has(Flags::ROOM)
}
