//! Variables that no lock guards, and threads that spin on them.
//!
//! Who spins asks some thousand times and then sleeps until the variable changes, as a spin lock of this day does. What
//! it sleeps for is said to the recorder by an annotation: of a variable that is only ever given back by who
//! took it, that somebody owns it, of others, that somebody will store.
//!
//! What a scenario does to a variable without saying an ordering is recorded as plain accesses, which race: of a cell that
//! stands for the variable, or, if other operations on it are atomic, of the memory of the atomic.

use super::record::{Op, Scenario};
use instrumented_sync::{
    PoisonError,
    atomic::{AtomicI64, Ordering},
    cell::RaceCell,
    read_of,
    resource::{Holding, Mode, Resource},
    thread, write_of,
};
use std::sync::{Condvar, Mutex as Unrecorded, atomic::AtomicI64 as UnrecordedI64};

/// How often a thread asks before it sleeps.
const N_ROUNDS: usize = 1000;

/// Where the value is.
enum Value {
    /// Operations are atomic, and some perhaps are not.
    Atomic(AtomicI64),
    /// None is atomic. What is recorded are accesses of the cell; the value itself is beside it, where no race harms.
    Plain(RaceCell<()>, UnrecordedI64),
}

/// A variable.
pub(crate) struct Number {
    value: Value,
    resource: Resource,
    is_lock: bool,
    /// How many threads sleep until it changes.
    sleeping: Unrecorded<usize>,
    changed: Condvar,
}

impl Number {
    /// The variable `name` of a scenario.
    pub(crate) fn new(name: &str, value: i64, scenario: &Scenario) -> Self {
        // It lives as long as the process, like everything of the scenario.
        let resource = Resource::new(Box::leak(name.to_owned().into_boxed_str()));
        let is_lock = is_lock(name, scenario);
        let value = if is_plain(name, scenario) {
            Value::Plain(RaceCell::new(()), UnrecordedI64::new(value))
        } else {
            Value::Atomic(AtomicI64::new(value))
        };
        Self { value, resource, is_lock, sleeping: Unrecorded::new(0), changed: Condvar::new() }
    }

    /// Reads it, not as an atomic.
    pub(crate) fn read(&self) -> i64 {
        // Relaxed: the value of a plain access.
        match &self.value {
            Value::Plain(cell, value) => {
                cell.with(|_| ());
                value.load(Ordering::Relaxed)
            }
            Value::Atomic(value) => {
                read_of!(*value);
                value.load(Ordering::Relaxed)
            }
        }
    }

    /// Writes it, not as an atomic.
    pub(crate) fn write(&self, number: i64) {
        // Relaxed: the value of a plain access.
        self.change(|| match &self.value {
            Value::Plain(cell, value) => {
                cell.with_mut(|_| ());
                value.store(number, Ordering::Relaxed);
            }
            Value::Atomic(value) => {
                write_of!(*value);
                value.store(number, Ordering::Relaxed);
            }
        });
    }

    /// Reads it.
    pub(crate) fn load(&self, ordering: Ordering) -> i64 {
        // Pairs with `store`, if the program says so.
        let ordering = match ordering {
            Ordering::Release | Ordering::Relaxed => Ordering::Relaxed,
            Ordering::AcqRel => Ordering::Acquire,
            other => other,
        };
        match &self.value {
            Value::Atomic(value) => value.load(ordering),
            Value::Plain(_, value) => value.load(ordering),
        }
    }

    /// Writes it.
    pub(crate) fn store(&self, value: i64, ordering: Ordering) {
        // Pairs with `load`, if the program says so.
        let ordering = match ordering {
            Ordering::Acquire | Ordering::Relaxed => Ordering::Relaxed,
            Ordering::AcqRel => Ordering::Release,
            other => other,
        };
        self.change(|| match &self.value {
            Value::Atomic(number) => number.store(value, ordering),
            Value::Plain(_, number) => number.store(value, ordering),
        });
    }

    /// Adds to it.
    pub(crate) fn add(&self, value: i64, ordering: Ordering) {
        // Pairs with `load`, if the program says so.
        self.change(|| match &self.value {
            Value::Atomic(number) => number.fetch_add(value, ordering),
            Value::Plain(_, number) => number.fetch_add(value, ordering),
        });
    }

    /// Changes it, and wakes who sleeps until it changes.
    fn change<R>(&self, change: impl FnOnce() -> R) {
        let sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        change();
        if *sleeping > 0 {
            if !self.is_lock {
                self.resource.notify(*sleeping);
            }
            self.changed.notify_all();
        }
    }

    /// Waits until it is `value`.
    pub(crate) fn await_value(&self, value: i64, ordering: Ordering) {
        let is_it = || self.load(ordering) == value;
        if !spins(is_it) {
            let wait = self.resource.wait();
            self.sleep_until(is_it);
            drop(wait);
        }
    }

    /// Waits until it is 0, and makes it 1. What is returned is dropped before it is 0 again.
    pub(crate) fn take(&'static self, ordering: Ordering) -> Option<Holding<'static>> {
        // Relaxed: a failure says nothing but that somebody else was faster.
        let took = || match &self.value {
            Value::Atomic(value) => value.compare_exchange(0, 1, ordering, Ordering::Relaxed).is_ok(),
            Value::Plain(_, value) => value.compare_exchange(0, 1, ordering, Ordering::Relaxed).is_ok(),
        };
        match (spins(took), self.is_lock) {
            (true, is_lock) => is_lock.then(|| self.resource.acquired(Mode::Exclusive)),
            (false, true) => {
                let request = self.resource.request(Mode::Exclusive);
                self.sleep_until(took);
                Some(request.acquired())
            }
            (false, false) => {
                let wait = self.resource.wait();
                self.sleep_until(took);
                drop(wait);
                None
            }
        }
    }

    fn sleep_until(&self, is_so: impl Fn() -> bool) {
        let mut sleeping = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        *sleeping += 1;
        // What changed before the lock was taken is found by asking again under it.
        while !is_so() {
            sleeping = self.changed.wait(sleeping).unwrap_or_else(PoisonError::into_inner);
        }
        *sleeping -= 1;
    }
}

/// Asks so often; whether the answer was once yes.
fn spins(is_so: impl Fn() -> bool) -> bool {
    (0..N_ROUNDS).any(|_| {
        let answer = is_so();
        if !answer {
            thread::yield_now();
        }
        answer
    })
}

/// Whether no operation on the variable is atomic.
fn is_plain(name: &str, scenario: &Scenario) -> bool {
    let ops = scenario.program.iter().flat_map(Op::all);
    let mut of_variable = ops.filter(|op| op.operands().any(|operand| operand == name));
    of_variable.all(|op| ["read", "write", "set"].contains(&op.name()))
}

/// Whether threads take the variable, and only those that took it change it.
fn is_lock(name: &str, scenario: &Scenario) -> bool {
    let changes = |op: &Op| ["atomic_store", "atomic_rmw", "write", "set"].contains(&op.name());
    let mut is_taken = false;
    for thread in &scenario.program {
        let mut is_held = false;
        for op in Op::all(thread).iter().filter(|op| op.word(1) == name) {
            match op.name() {
                "cas_lock" => is_held = true,
                _ if changes(op) && !std::mem::take(&mut is_held) => return false,
                _ => {}
            }
            is_taken |= is_held;
        }
    }
    is_taken
}
