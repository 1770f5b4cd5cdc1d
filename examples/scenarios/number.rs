//! Variables that no lock guards, and threads that spin on them.
//!
//! Who spins asks some thousand times and then sleeps until the variable changes, as a spin lock of this day does. What
//! it sleeps for is said to the recorder by an annotation: of a variable that is only ever given back by who
//! took it, that somebody owns it, of others, that somebody will store.

use super::record::{Op, Scenario};
use instrumented_sync::{
    PoisonError,
    resource::{Holding, Mode, Resource},
    thread,
};
use std::sync::{
    Condvar, Mutex as Unrecorded,
    atomic::{AtomicI64, Ordering},
};

/// How often a thread asks before it sleeps.
const N_ROUNDS: usize = 1000;

/// A variable.
pub(crate) struct Number {
    value: AtomicI64,
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
        Self { value: AtomicI64::new(value), resource, is_lock, sleeping: Unrecorded::new(0), changed: Condvar::new() }
    }

    /// Reads it.
    pub(crate) fn load(&self, ordering: Ordering) -> i64 {
        // Pairs with `store`, if the program says so.
        self.value.load(match ordering {
            Ordering::Release | Ordering::Relaxed => Ordering::Relaxed,
            Ordering::AcqRel => Ordering::Acquire,
            other => other,
        })
    }

    /// Writes it.
    pub(crate) fn store(&self, value: i64, ordering: Ordering) {
        // Pairs with `load`, if the program says so.
        let ordering = match ordering {
            Ordering::Acquire | Ordering::Relaxed => Ordering::Relaxed,
            Ordering::AcqRel => Ordering::Release,
            other => other,
        };
        self.change(|| self.value.store(value, ordering));
    }

    /// Adds to it.
    pub(crate) fn add(&self, value: i64, ordering: Ordering) {
        // Pairs with `load`, if the program says so.
        self.change(|| self.value.fetch_add(value, ordering));
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
        let took = || self.value.compare_exchange(0, 1, ordering, Ordering::Relaxed).is_ok();
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
