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
}

struct Started {
    thread: thread::Thread,
    handle: Option<thread::JoinHandle<()>>,
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
    let mut rest: Vec<&Thread> = own().filter(|thread| !thread.daemon).collect();
    // First those that no other thread joins; what their joiners left undone is joined after them.
    rest.sort_by_key(|thread| joined.contains(&thread.name));
    for thread in rest {
        world.join(&thread.name);
    }
    Ok(())
}

/// The process that a thread belongs to; empty if the scenario has one only.
pub(crate) fn process_of(thread: &Thread) -> &str {
    thread.process.as_deref().unwrap_or("")
}

impl World {
    fn new(scenario: Scenario, directory: &Path, process: &str) -> Result<Self, Unsupported> {
        if let Some(task) = scenario.program.iter().find(|thread| thread.executor.is_some()) {
            return Err(Unsupported(format!("the task {}", task.name)));
        }
        let guarded = placement::guards(&scenario);
        let mut objects = BTreeMap::new();
        for declaration in scenario.primitives.iter().map(|text| Op::new(text)) {
            let name = declaration.word(1);
            let users: BTreeSet<&str> = scenario.program.iter().filter(|t| uses(t, name)).map(process_of).collect();
            if users.len() > 1 {
                return Err(Unsupported(format!("{name}, which several processes use")));
            }
            if users.is_empty() || users.contains(process) {
                objects.insert(name.to_owned(), Object::new(&declaration, &scenario, &guarded)?);
            }
        }
        let n_holds = objects.keys().map(|name| (name.clone(), AtomicUsize::new(0))).collect();
        let started = Mutex::new(BTreeMap::new());
        Ok(Self { scenario, objects, n_holds, directory: directory.to_owned(), started, changed: Condvar::new() })
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
        };
        let handle = thread::Builder::new().name(name.to_owned()).spawn(live);
        let handle = handle.map_err(|error| Unsupported(error.to_string()))?;
        let started = Started { thread: handle.thread().clone(), handle: Some(handle) };
        self.started.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), started);
        self.changed.notify_all();
        Ok(())
    }

    /// Joins a thread, if no other thread does.
    pub(crate) fn join(&self, name: &str) {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
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
