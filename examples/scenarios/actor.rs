//! A thread of a scenario: performs its operations in order, each when the driver lets it.

#[path = "waits.rs"]
mod waits;

use super::{
    channel::{Channel, Receive, receiver_of, sender_of},
    frames,
    gate::Gate,
    number::Number,
    parked::Parked,
    primitives::{Guard, How, Object, Patience, Unsupported},
    program::World,
    record::Op,
};
use instrumented_sync::{resource::Holding, signal, thread};
use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::Ordering,
    time::Duration,
};

/// How long an operation waits that is meant to run out of time.
pub(crate) const SHORT: Duration = Duration::from_millis(40);
/// How long a thread sleeps that is meant to take some time.
const NAP: Duration = Duration::from_millis(3);

/// Where a thread goes after an operation.
#[derive(Clone, Copy)]
enum Flow {
    /// To the operation of this index.
    To(usize),
    /// Nowhere: it has ended.
    End,
}

/// A thread, while it lives.
pub(crate) struct Actor {
    world: &'static World,
    /// Its place in the program.
    index: usize,
    ops: Vec<Op>,
    gate: Gate,
    /// What it holds, the latest last.
    guards: Vec<(String, Guard)>,
    /// The variables that it took to hold others off.
    holdings: Vec<(String, Holding<'static>)>,
}

/// The rest of a section while its thread unwinds from a panic.
struct Rest<'a> {
    actor: &'a mut Actor,
    from: usize,
    to: usize,
    flow: &'a mut Result<Flow, Unsupported>,
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        *self.flow = self.actor.run(self.from, self.to);
    }
}

/// How many threads hold a lock changes.
fn count(world: &World, lock: &str, by: isize) {
    if let Some(n_holds) = world.n_holds.get(lock) {
        // Relaxed: steps of a schedule follow each other through the driver's socket.
        n_holds.fetch_add(by.cast_unsigned(), Ordering::Relaxed);
    }
}

impl Actor {
    /// The thread at `index` of the program.
    pub(crate) fn new(world: &'static World, index: usize, gate: Gate) -> Self {
        let ops = Op::all(&world.scenario.program[index]);
        Self { world, index, ops, gate, guards: Vec::new(), holdings: Vec::new() }
    }

    /// Performs all operations. A lock that is still held at the end stays locked.
    ///
    /// # Errors
    ///
    /// An operation does not exist.
    pub(crate) fn live(mut self) -> Result<(), Unsupported> {
        self.run(0, self.ops.len())?;
        self.forget_guards();
        Ok(())
    }

    fn forget_guards(&mut self) {
        std::mem::forget(std::mem::take(&mut self.guards));
        std::mem::forget(std::mem::take(&mut self.holdings));
    }

    fn run(&mut self, from: usize, to: usize) -> Result<Flow, Unsupported> {
        let mut pc = from;
        while pc < to {
            self.gate.arrive(pc);
            if self.ops[pc].name() == "panic" {
                return self.unwind(pc + 1, to);
            }
            match self.step(pc)? {
                Flow::To(next) => pc = next,
                Flow::End => return Ok(Flow::End),
            }
        }
        Ok(Flow::To(pc))
    }

    /// Panics. What the section still does, its variables do as they are dropped; locks given back there are poisoned.
    fn unwind(&mut self, from: usize, to: usize) -> Result<Flow, Unsupported> {
        let mut flow = Ok(Flow::End);
        let rest = Rest { actor: self, from, to, flow: &mut flow };
        let _panicked = catch_unwind(AssertUnwindSafe(|| {
            let _rest = rest;
            resume_unwind(Box::new("the scenario says so"));
        }));
        flow
    }

    fn step(&mut self, pc: usize) -> Result<Flow, Unsupported> {
        let index = self.index;
        frames::within(index, pc, || self.perform(pc)).unwrap_or(Ok(Flow::End))
    }

    fn perform(&mut self, pc: usize) -> Result<Flow, Unsupported> {
        let op = self.ops[pc].clone();
        match op.name() {
            "lock" => self.lock(&op, How::Alone, Patience::Endless).map(drop)?,
            "rlock" => self.lock(&op, How::Shared, Patience::Endless).map(drop)?,
            "rlock_rec" => self.lock(&op, How::Recursive, Patience::Endless).map(drop)?,
            "ulock" => self.lock(&op, How::Upgradable, Patience::Endless).map(drop)?,
            "upgrade" | "downgrade" => self.change(&op)?,
            "uunlock" => self.unlock(&op, How::Upgradable),
            "sem_acquire" | "sem_release" | "arrive" | "latch_wait" => self.count_on(&op)?,
            "trylock_ok" => return self.lock_or_skip(pc, How::Alone, Patience::None, "unlock"),
            "tryrlock_ok" => return self.lock_or_skip(pc, How::Shared, Patience::None, "runlock"),
            "lock_timeout" => return self.lock_or_skip(pc, How::Alone, Patience::For(SHORT), "unlock"),
            "trylock_fail" => self.fail_to_lock(&op)?,
            "unlock" => self.unlock(&op, How::Alone),
            "runlock" => self.unlock(&op, How::Shared),
            "wait" => self.wait(&op, None)?,
            "wait_timeout" => self.wait(&op, Some(SHORT))?,
            "wait_until" => self.wait_until(&op)?,
            "notify_one" | "notify_all" => self.notify(&op)?,
            "send" | "close" | "recv" | "recv_timeout" | "try_recv_empty" | "select_recv" | "drop_rx" => {
                self.communicate(&op)?;
            }
            "barrier" => match self.object(op.word(1))? {
                Object::Barrier(barrier) => drop(barrier.wait()),
                _ => return Err(mistaken(&op)),
            },
            "once_begin" => return self.once(pc),
            "signal_begin" => return self.signal(pc),
            "park" => thread::park(),
            "unpark" => self.world.unpark(op.word(1)),
            "spawn" => self.world.spawn(op.word(1))?,
            "join" => self.world.join(op.word(1)),
            "read" | "write" | "set" | "atomic_load" | "atomic_store" | "atomic_rmw" | "spin_until" | "cas_lock" => {
                self.access(&op)?;
            }
            "skip_if" => {
                let skips = self.load(op.word(1), ordering(&op))? == op.number(2).unwrap_or(0);
                let n = op.number(3).and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
                return Ok(Flow::To(pc + 1 + if skips { n } else { 0 }));
            }
            "yield" => thread::yield_now(),
            "sleep" => thread::sleep(NAP),
            // An object lives from the beginning to the end: a lock that somebody holds cannot be dropped.
            "nop" | "create" | "destroy" | "spawn_job" | "once_end" | "signal_end" | "forget" | "poison_clear" => {}
            "exit" => {
                self.forget_guards();
                return Ok(Flow::End);
            }
            "crash" => crash(),
            _ => return Err(mistaken(&op)),
        }
        Ok(Flow::To(pc + 1))
    }

    fn object(&self, name: &str) -> Result<&'static Object, Unsupported> {
        self.world.objects.get(name).ok_or_else(|| Unsupported(format!("{name}, which is not declared")))
    }

    fn count(&self, lock: &str, by: isize) {
        count(self.world, lock, by);
    }

    fn lock(&mut self, op: &Op, how: How, patience: Patience) -> Result<bool, Unsupported> {
        let Some(guard) = self.object(op.word(1))?.acquire(how, patience)? else { return Ok(false) };
        self.count(op.word(1), 1);
        self.guards.push((op.word(1).to_owned(), guard));
        Ok(true)
    }

    fn lock_or_skip(&mut self, pc: usize, how: How, patience: Patience, end: &str) -> Result<Flow, Unsupported> {
        let op = self.ops[pc].clone();
        let is_held = self.lock(&op, how, patience)?;
        let after = if is_held { pc } else { Op::end_of(&self.ops, pc, end).unwrap_or(pc) };
        Ok(Flow::To(after + 1))
    }

    /// Tries to take a lock that somebody holds. One that is free is left alone: the program says that it fails.
    fn fail_to_lock(&self, op: &Op) -> Result<(), Unsupported> {
        let n_holds = self.world.n_holds.get(op.word(1));
        // Relaxed: as in `count`.
        if n_holds.is_some_and(|n_holds| n_holds.load(Ordering::Relaxed) > 0) {
            drop(self.object(op.word(1))?.acquire(How::Alone, Patience::None)?);
        }
        Ok(())
    }

    /// Gives a lock back; nothing if the thread does not hold it, which has no equivalent in Rust.
    fn unlock(&mut self, op: &Op, how: How) {
        let is_it = |(name, guard): &(String, Guard)| name == op.word(1) && guard.how() == how;
        if let Some(place) = self.guards.iter().rposition(is_it) {
            self.count(op.word(1), -1);
            drop(self.guards.remove(place));
        }
    }

    /// Makes a hold another one: of a reader with the right to it the writer, or of the writer a reader.
    fn change(&mut self, op: &Op) -> Result<(), Unsupported> {
        let upgrades = op.name() == "upgrade";
        let from = if upgrades { How::Upgradable } else { How::Alone };
        let is_it = |(name, guard): &(String, Guard)| name == op.word(1) && guard.how() == from;
        let place = self.guards.iter().rposition(is_it).ok_or_else(|| mistaken(op))?;
        let (name, guard) = self.guards.remove(place);
        let changed = if upgrades { guard.upgraded() } else { guard.downgraded() };
        self.guards.push((name, changed.ok_or_else(|| mistaken(op))?));
        Ok(())
    }

    /// Permits of a semaphore, arrivals at a latch.
    fn count_on(&self, op: &Op) -> Result<(), Unsupported> {
        let n = op.number(2).and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        match (self.object(op.word(1))?, op.name()) {
            (Object::Semaphore(semaphore), "sem_acquire") => semaphore.acquire_many(n),
            (Object::Semaphore(semaphore), "sem_release") => semaphore.release_many(n),
            (Object::Latch(latch), "arrive") => latch.count_down(),
            (Object::Latch(latch), "latch_wait") => latch.wait(),
            _ => return Err(mistaken(op)),
        }
        Ok(())
    }

    fn channel(&self, name: &str) -> Result<&'static Channel, Unsupported> {
        match self.object(name)? {
            Object::Channel(channel) => Ok(channel),
            _ => Err(Unsupported(format!("{name} as a channel"))),
        }
    }

    fn communicate(&self, op: &Op) -> Result<(), Unsupported> {
        let channel = self.channel(op.word(1))?;
        let scenario = &self.world.scenario;
        let thread = &scenario.program[self.index].name;
        let sender = || sender_of(op.word(1), thread, &scenario.program);
        let receiver = |n: usize| receiver_of(op.word(n), thread, scenario);
        match op.name() {
            "send" => channel.send(sender()),
            "close" => channel.close(sender()),
            "drop_rx" => channel.drop_receivers(),
            "recv_timeout" => channel.receive(receiver(1), Receive::For(SHORT))?,
            "try_recv_empty" => channel.receive(receiver(1), Receive::Try)?,
            "select_recv" if op.operands().count() == 2 => {
                channel.receive_either(self.channel(op.word(2))?, (receiver(1), receiver(2)));
            }
            "recv" => channel.receive(receiver(1), Receive::Endless)?,
            _ => return Err(mistaken(op)),
        }
        Ok(())
    }

    /// The guard of the lock that a variable lives in.
    fn guard_of(&mut self, lock: &str, writes: bool) -> Result<&mut Guard, Unsupported> {
        let is_it = |(name, guard): &&mut (String, Guard)| name == lock && !(writes && guard.how() != How::Alone);
        let guard = self.guards.iter_mut().rev().find(is_it).map(|(_, guard)| guard);
        guard.ok_or_else(|| Unsupported(format!("a variable of {lock} without {lock}")))
    }

    fn number(&self, variable: &str) -> Result<&'static Number, Unsupported> {
        match self.object(variable)? {
            Object::Number(number) => Ok(number),
            _ => Err(Unsupported(format!("{variable} as an atomic"))),
        }
    }

    fn is_guarded(&self, variable: &str) -> Result<bool, Unsupported> {
        Ok(matches!(self.object(variable)?, Object::Guarded(_)))
    }

    fn load(&mut self, variable: &str, ordering: Ordering) -> Result<i64, Unsupported> {
        match self.object(variable)? {
            Object::Guarded(lock) => Ok(self.guard_of(lock, false)?.data().get(variable).copied().unwrap_or(0)),
            _ => Ok(self.number(variable)?.load(ordering)),
        }
    }

    fn store(&mut self, variable: &str, value: i64, ordering: Ordering) -> Result<(), Unsupported> {
        if let Object::Guarded(lock) = self.object(variable)? {
            if let Some(data) = self.guard_of(lock, true)?.data_mut() {
                data.insert(variable.to_owned(), value);
            }
        } else {
            let number = self.number(variable)?;
            self.give_back(variable);
            number.store(value, ordering);
        }
        Ok(())
    }

    fn access(&mut self, op: &Op) -> Result<(), Unsupported> {
        let (variable, value) = (op.word(1), op.number(2).unwrap_or(0));
        let ordering = ordering(op);
        match op.name() {
            "read" if !self.is_guarded(variable)? => {
                self.number(variable)?.read();
                Ok(())
            }
            "write" | "set" if !self.is_guarded(variable)? => {
                let number = self.number(variable)?;
                self.give_back(variable);
                number.write(value);
                Ok(())
            }
            "read" => self.load(variable, Ordering::Relaxed).map(drop),
            "write" | "set" => self.store(variable, value, Ordering::Relaxed),
            "atomic_load" => self.load(variable, ordering).map(drop),
            "atomic_store" => self.store(variable, value, ordering),
            "atomic_rmw" => {
                let number = self.number(variable)?;
                self.give_back(variable);
                number.add(value, ordering);
                Ok(())
            }
            "spin_until" => {
                self.number(variable)?.await_value(value, ordering);
                Ok(())
            }
            _ => {
                if let Some(holding) = self.number(variable)?.take(ordering) {
                    self.holdings.push((variable.to_owned(), holding));
                }
                Ok(())
            }
        }
    }

    /// The thread holds nobody off by the variable any more.
    fn give_back(&mut self, variable: &str) {
        if let Some(place) = self.holdings.iter().rposition(|(name, _)| name == variable) {
            drop(self.holdings.remove(place));
        }
    }

    /// Performs the operations up to `once_end` inside the once, or skips them.
    fn once(&mut self, pc: usize) -> Result<Flow, Unsupported> {
        let name = self.ops[pc].word(1).to_owned();
        let end = Op::end_of(&self.ops, pc, "once_end").unwrap_or(self.ops.len());
        let mut body = Ok(Flow::To(end + 1));
        match self.object(&name)? {
            Object::Once(once) => once.call_once(|| body = self.section(pc, end)),
            Object::Parked(Parked::Once(once)) => once.call_once(|| body = self.section(pc, end)),
            _ => return Err(mistaken(&self.ops[pc])),
        }
        match body? {
            Flow::To(next) => Ok(Flow::To(next)),
            Flow::End => Err(Unsupported("the end of a thread inside a once".to_owned())),
        }
    }

    /// Performs the operations up to `signal_end` as the handler of the signal does, which interrupts the thread here.
    fn signal(&mut self, pc: usize) -> Result<Flow, Unsupported> {
        let end = Op::end_of(&self.ops, pc, "signal_end").unwrap_or(self.ops.len());
        signal::section(signal_number(self.ops[pc].word(1)), || self.section(pc, end))
    }

    /// Performs the operations after the one at `pc`, up to the one at `end`, which is an operation of its own.
    fn section(&mut self, pc: usize, end: usize) -> Result<Flow, Unsupported> {
        let after = self.run(pc + 1, end)?;
        if matches!(after, Flow::To(next) if next == end) && end < self.ops.len() {
            self.gate.arrive(end);
            return Ok(Flow::To(end + 1));
        }
        Ok(after)
    }
}

fn mistaken(op: &Op) -> Unsupported {
    Unsupported(format!("{} {}", op.name(), op.operands().collect::<Vec<_>>().join(" ")))
}

/// The ordering that an operation names.
fn ordering(op: &Op) -> Ordering {
    let named = op.operands().find_map(|word| match word {
        "relaxed" | "plain" => Some(Ordering::Relaxed),
        "acquire" => Some(Ordering::Acquire),
        "release" => Some(Ordering::Release),
        "acqrel" => Some(Ordering::AcqRel),
        _ => None,
    });
    named.unwrap_or(if op.name() == "cas_lock" { Ordering::Acquire } else { Ordering::SeqCst })
}

/// The number of a signal by its name.
fn signal_number(name: &str) -> i32 {
    use rustix::process::Signal;
    let signal = match name {
        "SIGHUP" => Signal::HUP,
        "SIGINT" => Signal::INT,
        "SIGALRM" => Signal::ALARM,
        "SIGCHLD" => Signal::CHILD,
        "SIGTERM" => Signal::TERM,
        "SIGUSR2" => Signal::USR2,
        "SIGIO" => Signal::IO,
        _ => Signal::USR1,
    };
    signal.as_raw()
}

/// Ends the process as if it were killed.
fn crash() {
    // It does not return; if it fails, the scenario goes on, and its outcome will show it.
    let _killed = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}
