//! The program that a scenario becomes: this process, its objects, its threads.
//!
//! The first thread makes the objects, starts the threads that nobody else starts, and joins those that nobody else
//! joins. It does nothing else. A thread that the scenario calls `main` is one of the started ones: it may end,
//! or end with a lock, while others go on, as a process's first thread may not.

use super::{
    actor::Actor,
    gate::Gate,
    placement,
    primitives::{Object, Unsupported},
    record::{Op, Scenario, Thread},
};
use instrumented_sync::{PoisonError, thread};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, atomic::AtomicUsize},
    time::Duration,
};

/// The scenario, in its directory.
pub(crate) const SCENARIO: &str = "scenario.json";
/// The trace, in the directory of a scenario.
pub(crate) const TRACE: &str = "trace";
/// Exit status of a program that cannot be.
pub(crate) const UNSUPPORTED: u8 = 77;
/// What the first thread of a process calls itself, before the name of the process.
const FIRST: &str = "@";
/// How long `unpark` waits for a thread that is not started yet.
const START_TIME: Duration = Duration::from_millis(200);

/// What the threads share.
pub(crate) struct World {
    /// The scenario.
    pub(crate) scenario: Scenario,
    /// Its primitives, by name.
    pub(crate) objects: BTreeMap<String, Object>,
    /// How many threads hold each lock; for the one operation that wants to fail.
    pub(crate) n_holds: BTreeMap<String, AtomicUsize>,
    directory: PathBuf,
    started: Mutex<BTreeMap<String, Started>>,
    changed: Condvar,
    /// The first thread, if it waits for threads that others join.
    waiting: Mutex<Option<thread::Thread>>,
}

struct Started {
    thread: thread::Thread,
    handle: Option<thread::JoinHandle<()>>,
    has_ended: bool,
}

/// Runs the part of a scenario that belongs to `process` (empty if there is one only).
///
/// # Errors
///
/// The scenario cannot be read, or not be executed.
pub(crate) fn run(directory: &Path, process: &str) -> Result<(), Unsupported> {
    let unreadable = |error: io::Error| Unsupported(error.to_string());
    let text = fs::read_to_string(directory.join(SCENARIO)).map_err(unreadable)?;
    let scenario: Scenario = serde_json::from_str(&text).map_err(|error| Unsupported(error.to_string()))?;
    let world: &'static World = Box::leak(Box::new(World::new(scenario, directory, process)?));
    let program = &world.scenario.program;
    let named = |name: &str| -> BTreeSet<String> {
        let ops = program.iter().flat_map(Op::all);
        ops.filter(|op| op.name() == name).map(|op| op.word(1).to_owned()).collect()
    };
    let (spawned, joined) = (named("spawn"), named("join"));
    let own = || program.iter().filter(|thread| process_of(thread) == process);
    for thread in own().filter(|thread| !spawned.contains(&thread.name)) {
        world.spawn(&thread.name)?;
    }
    let rest: Vec<&Thread> = own().filter(|thread| !thread.daemon).collect();
    for thread in rest.iter().filter(|thread| !joined.contains(&thread.name)) {
        world.join(&thread.name);
    }
    // Those that other threads join, or should have joined.
    world.await_ends(&rest);
    // Threads that the program may end without go on as far as the schedule says.
    let mut gate = Gate::connect(directory, &format!("{FIRST}{process}")).map_err(unreadable)?;
    gate.arrive(0);
    Ok(())
}

/// The process that a thread belongs to; empty if the scenario has one only.
pub(crate) fn process_of(thread: &Thread) -> &str {
    thread.process.as_deref().unwrap_or("")
}

/// A thread that one of another process waits for.
fn joined_elsewhere(scenario: &Scenario) -> Option<&str> {
    let process = |name: &str| scenario.program.iter().find(|thread| thread.name == name).map(process_of);
    let joins = scenario.program.iter().flat_map(|thread| Op::all(thread).into_iter().map(move |op| (thread, op)));
    let mut joined = joins.filter(|(_, op)| op.name() == "join");
    let other = joined.find(|(by, op)| process(op.word(1)).is_some_and(|of| of != process_of(by)))?;
    scenario.program.iter().map(|thread| thread.name.as_str()).find(|name| *name == other.1.word(1))
}

impl World {
    fn new(scenario: Scenario, directory: &Path, process: &str) -> Result<Self, Unsupported> {
        if let Some(task) = scenario.program.iter().find(|thread| thread.executor.is_some()) {
            return Err(Unsupported(format!("the task {}", task.name)));
        }
        if let Some(other) = joined_elsewhere(&scenario) {
            return Err(Unsupported(format!("the wait for {other}, a thread of another process")));
        }
        let guarded = placement::guards(&scenario);
        let mut objects = BTreeMap::new();
        for declaration in scenario.primitives.iter().map(|text| Op::new(text)) {
            let name = declaration.word(1);
            let users: BTreeSet<&str> = scenario.program.iter().filter(|t| uses(t, name)).map(process_of).collect();
            if users.len() > 1 && declaration.name() != "shm_mutex" {
                return Err(Unsupported(format!("{name}, which several processes use")));
            }
            if users.is_empty() || users.contains(process) {
                objects.insert(name.to_owned(), Object::new(&declaration, &scenario, &guarded, directory)?);
            }
        }
        let n_holds = objects.keys().map(|name| (name.clone(), AtomicUsize::new(0))).collect();
        let started = Mutex::new(BTreeMap::new());
        let (directory, changed, waiting) = (directory.to_owned(), Condvar::new(), Mutex::new(None));
        Ok(Self { scenario, objects, n_holds, directory, started, changed, waiting })
    }

    /// Starts a thread of the scenario.
    ///
    /// # Errors
    ///
    /// There is no such thread, or it cannot be started.
    pub(crate) fn spawn(&'static self, name: &str) -> Result<(), Unsupported> {
        let program = &self.scenario.program;
        let Some(index) = program.iter().position(|thread| thread.name == name) else {
            return Err(Unsupported(format!("spawn of {name}, which is no thread")));
        };
        let live = move || {
            let name = &self.scenario.program[index].name;
            let lived = Gate::connect(&self.directory, name)
                .map_err(|error| Unsupported(error.to_string()))
                .and_then(|gate| Actor::new(self, index, gate).live());
            if let Err(why) = lived {
                give_up(&why);
            }
            self.has_ended(name);
        };
        // Held until the thread is entered, so that it cannot end before.
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = thread::Builder::new().name(name.to_owned()).spawn(live);
        let handle = handle.map_err(|error| Unsupported(error.to_string()))?;
        let thread = handle.thread().clone();
        started.insert(name.to_owned(), Started { thread, handle: Some(handle), has_ended: false });
        self.changed.notify_all();
        Ok(())
    }

    fn has_ended(&self, name: &str) {
        if let Some(started) = self.started.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            started.has_ended = true;
        }
        if let Some(waiting) = &*self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            waiting.unpark();
        }
    }

    /// Waits for the ends of threads whose handles are somebody else's.
    fn await_ends(&self, threads: &[&Thread]) {
        loop {
            // Before looking: whoever ends after the look sees that somebody waits.
            let before = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).replace(thread::current());
            let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            let is_over = threads.iter().all(|thread| started.get(&thread.name).is_none_or(|it| it.has_ended));
            drop((before, started));
            if is_over {
                return;
            }
            thread::park();
        }
    }

    /// Joins a thread once it is started, if no other thread does.
    pub(crate) fn join(&self, name: &str) {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let started = self.changed.wait_while(started, |started| !started.contains_key(name));
        let mut started = started.unwrap_or_else(PoisonError::into_inner);
        let handle = started.get_mut(name).and_then(|started| started.handle.take());
        drop(started);
        if let Some(handle) = handle {
            // That it panicked is an outcome like any other.
            let _ended = handle.join();
        }
    }

    /// Unparks a thread, or nobody if it is not started.
    pub(crate) fn unpark(&self, name: &str) {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missing = |started: &mut BTreeMap<String, Started>| !started.contains_key(name);
        let started = self.changed.wait_timeout_while(started, START_TIME, is_missing);
        let started = started.unwrap_or_else(PoisonError::into_inner).0;
        let thread = started.get(name).map(|started| started.thread.clone());
        drop(started);
        if let Some(thread) = thread {
            thread.unpark();
        }
    }
}

/// Ends the process: what the scenario asks for does not exist.
pub(crate) fn give_up(why: &Unsupported) {
    use std::io::Write;
    let _written = writeln!(io::stderr(), "{}", why.0);
    #[allow(clippy::exit, reason = "the program under test ends here; other threads of it may be blocked")]
    std::process::exit(i32::from(UNSUPPORTED));
}

fn uses(thread: &Thread, name: &str) -> bool {
    Op::all(thread).iter().any(|op| op.operands().any(|operand| operand == name))
}
