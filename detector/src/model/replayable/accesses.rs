//! Atomic variables, cells and marked memory in a history: variables, of which each read sees the latest write.

use super::writer::Writer;
use crate::{
    history::{Kind as Does, Operation},
    source::Memory,
};
use rustc_hash::FxHashMap;
use trace_format::{Event, Flags, Kind};

const UNCERTAIN: &str = "it has an operation on an atomic variable of which it is not known what it saw";

/// Which variables are data that a program accesses without any lock.
#[derive(Debug, Default)]
pub(super) struct Accessed {
    memory: Memory,
    /// By part of the memory: the variable that it is now.
    parts: Vec<u32>,
    /// By variable the object that it is, or lies at.
    pub(super) objects: FxHashMap<u32, u32>,
}

impl Accessed {
    /// Numbers the parts of the memory from `first_variable` on.
    pub(super) fn new(memory: Memory, first_variable: u32) -> Self {
        let parts = (first_variable..).take(memory.len()).collect();
        Self { memory, parts, objects: FxHashMap::default() }
    }

    /// How many variables there are at first.
    pub(super) fn len(&self) -> u32 {
        self.parts.len() as u32
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
        for part in self.accessed.memory.parts(event) {
            let variable = self.accessed.parts[part];
            self.accessed.objects.entry(variable).or_insert(object);
            self.push_operation(Operation::new(thread, kind, variable, event.site().0));
            if event.kind() == Kind::CELL_FREE {
                self.accessed.parts[part] = self.n_variables;
                self.n_variables = self.n_variables.saturating_add(1);
            }
        }
    }

    /// An operation on an atomic variable. In a schedule that counts it sees what it saw.
    pub(super) fn atomic(&mut self, thread: u32, object: u32, event: Event) {
        // What stands at address 0 says which memory had ended by then, and orders nothing else. That there is room in a
        // channel the rules of channels say.
        if event.address() == 0 || is_room(event) {
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
