//! Waits for a notify, and notifies.

use super::{
    super::{
        parked::Parked,
        primitives::{Data, Guard, Object, Unsupported},
        record::Op,
    },
    Actor, count, mistaken,
};
use instrumented_sync::{Condvar, MutexGuard, PoisonError};
use std::{sync::atomic::Ordering, time::Duration};

impl Actor {
    pub(super) fn notify(&self, op: &Op) -> Result<(), Unsupported> {
        let is_for_all = op.name() == "notify_all";
        match self.object(op.word(1))? {
            Object::Parked(parked) if parked.notify(is_for_all) => {}
            _ if is_for_all => self.condvar(op.word(1))?.notify_all(),
            _ => self.condvar(op.word(1))?.notify_one(),
        }
        Ok(())
    }

    fn condvar(&self, name: &str) -> Result<&'static Condvar, Unsupported> {
        match self.object(name)? {
            Object::Condvar(condvar) => Ok(condvar),
            _ => Err(Unsupported(format!("{name} as a condition variable"))),
        }
    }

    /// The thread's guard of the mutex that a wait gives up.
    fn guard_to_wait(&mut self, op: &Op) -> Result<MutexGuard<'static, Data>, Unsupported> {
        let is_it = |(name, guard): &(String, Guard)| name == op.word(2) && matches!(guard, Guard::Mutex(_));
        let held = self.guards.iter().rposition(is_it).map(|place| self.guards.remove(place).1);
        let Some(Guard::Mutex(guard)) = held else { return Err(mistaken(op)) };
        Ok(guard)
    }

    /// As [`Self::wait`] and [`Self::wait_until`], of what `parking_lot` has.
    fn wait_parked(
        &mut self,
        op: &Op,
        condvar: &Parked,
        time: Option<Duration>,
        waits: Option<&mut dyn FnMut(&mut Data) -> bool>,
    ) -> Result<(), Unsupported> {
        let mutex = op.word(2);
        let place = self.guards.iter().rposition(|(name, _)| name == mutex).ok_or_else(|| mistaken(op))?;
        let (name, mut guard) = self.guards.remove(place);
        let Guard::Parked(parked) = &mut guard else { return Err(mistaken(op)) };
        if !condvar.wait(parked, time, waits) {
            return Err(mistaken(op));
        }
        self.guards.push((name, guard));
        Ok(())
    }

    pub(super) fn wait(&mut self, op: &Op, time: Option<Duration>) -> Result<(), Unsupported> {
        if let Object::Parked(parked) = self.object(op.word(1))? {
            self.count(op.word(2), -1);
            self.wait_parked(op, parked, time, None)?;
            self.count(op.word(2), 1);
            return Ok(());
        }
        let (condvar, mutex) = (self.condvar(op.word(1))?, op.word(2));
        let guard = self.guard_to_wait(op)?;
        self.count(mutex, -1);
        let guard = match time {
            None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
            Some(time) => condvar.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0,
        };
        self.count(mutex, 1);
        self.guards.push((mutex.to_owned(), Guard::Mutex(guard)));
        Ok(())
    }

    /// Waits until a variable has a value: by `wait_while` if the mutex guards it, else in a loop that asks before each wait.
    pub(super) fn wait_until(&mut self, op: &Op) -> Result<(), Unsupported> {
        let (mutex, variable, value) = (op.word(2), op.word(3), op.number(4).unwrap_or(0));
        if !matches!(self.object(variable)?, Object::Guarded(lock) if lock == mutex) {
            while self.load(variable, Ordering::Acquire)? != value {
                self.wait(op, None)?;
            }
            return Ok(());
        }
        let (world, mut has_waited) = (self.world, false);
        let mut waits = |data: &mut Data| {
            if has_waited {
                count(world, mutex, 1);
            }
            has_waited = data.get(variable).copied().unwrap_or(0) != value;
            if has_waited {
                count(world, mutex, -1);
            }
            has_waited
        };
        if let Object::Parked(parked) = self.object(op.word(1))? {
            return self.wait_parked(op, parked, None, Some(&mut waits));
        }
        let (condvar, mut guard) = (self.condvar(op.word(1))?, self.guard_to_wait(op)?);
        let guard = loop {
            match condvar.wait_while(guard, &mut waits) {
                Ok(guard) => break guard,
                // It asks no more once the mutex is poisoned; the program does.
                Err(poisoned) => guard = poisoned.into_inner(),
            }
        };
        self.guards.push((mutex.to_owned(), Guard::Mutex(guard)));
        Ok(())
    }
}
