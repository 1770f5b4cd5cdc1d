//! Runs a scenario in processes of their own, along its schedule.
//!
//! The driver lets one thread go on by one operation, and waits until it arrives at its next, or is seen to sleep.
//! At the end of the schedule, or where the program does not follow it, all threads are let go. A program in
//! which then nothing moves for a while hangs, and is killed.

use super::{
    actor::SHORT,
    gate::{RUN, SOCKET, STEP},
    program::{SCENARIO, TRACE, UNSUPPORTED, process_of},
    record::{Op, Scenario},
    watched::{self, Pulse},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::{self, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// The hidden first argument of the program under test.
pub(crate) const CHILD: &str = "--child";
/// Between two looks at a thread.
const POLL: Duration = Duration::from_micros(300);
/// How long a step may take before the schedule is given up.
const STEP_TIME: Duration = Duration::from_secs(3);
/// How often in a row a thread is seen asleep, `SLEEP_POLL` apart, before it counts as blocked.
const N_ASLEEP: usize = 3;
const SLEEP_POLL: Duration = Duration::from_millis(1);
/// How long nothing moves in a program that hangs.
const QUIET: Duration = Duration::from_millis(300);
/// How long a program may go on after its schedule.
const FREE_TIME: Duration = Duration::from_secs(5);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All processes ended.
    Completed,
    /// Some had to be killed.
    Hung,
    /// Something in the scenario does not exist here.
    Unsupported(String),
}

/// A run: its outcome, and where it left the schedule.
#[derive(Debug)]
pub(crate) struct Run {
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The step that could not be made.
    pub(crate) strayed: Option<String>,
}

/// A thread of the program, seen from here.
struct Driven {
    stream: UnixStream,
    /// `123/task/456`.
    id: String,
    /// What was received and is not a whole line yet.
    partial: String,
    /// The operation that it asks for; `None` while it performs one.
    next: Option<usize>,
    /// The operation that it performs, or performed last.
    current: Option<usize>,
    ended: bool,
}

struct Driver<'a> {
    scenario: &'a Scenario,
    listener: UnixListener,
    threads: BTreeMap<String, Driven>,
    /// Connected, but silent until now.
    unnamed: Vec<(UnixStream, String)>,
    children: Vec<Child>,
    free: bool,
}

/// Executes `scenario` with `directory` (empty) for its files; the trace is left in [`TRACE`] there.
///
/// # Errors
///
/// Processes or files cannot be made.
pub(crate) fn run(scenario: &Scenario, directory: &Path) -> io::Result<Run> {
    fs::write(directory.join(SCENARIO), serde_json::to_string(scenario)?)?;
    let listener = UnixListener::bind(directory.join(SOCKET))?;
    listener.set_nonblocking(true)?;
    let children = Vec::new();
    let mut driver =
        Driver { scenario, listener, threads: BTreeMap::new(), unnamed: Vec::new(), children, free: false };
    let processes: BTreeSet<&str> = scenario.program.iter().map(process_of).collect();
    for process in processes {
        driver.children.push(start(directory, process)?);
    }
    let followed = driver.follow();
    driver.let_go();
    let outcome = driver.wait()?;
    let strayed = followed.err().filter(|_| !matches!(outcome, Outcome::Unsupported(_)));
    Ok(Run { outcome, strayed })
}

fn start(directory: &Path, process: &str) -> io::Result<Child> {
    let program: PathBuf = env::current_exe()?;
    let mut command = Command::new(program);
    command.arg(CHILD).arg(directory).arg(process).env("DEADLOCK_CHECK_TRACE", directory.join(TRACE));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

impl Driver<'_> {
    /// Makes the steps of the schedule. The error is the first that could not be made.
    ///
    /// Where a primitive is free to choose between threads and lets another one go first, that one's steps come first.
    fn follow(&mut self) -> Result<(), String> {
        let scenario = self.scenario;
        let mut steps: Vec<&str> = scenario.schedule.iter().map(String::as_str).collect();
        while !steps.is_empty() {
            let mut tried: Vec<&str> = Vec::new();
            let mut failed = None;
            let made = (0..steps.len()).find(|n| {
                let thread = parts(steps[*n]).0;
                if tried.contains(&thread) {
                    return false;
                }
                tried.push(thread);
                let result = self.step(steps[*n]).map_err(|why| format!("{}: {why}", steps[*n]));
                failed = failed.take().or(result.as_ref().err().cloned());
                result.is_ok()
            });
            match (made, failed) {
                (Some(made), _) => drop(steps.remove(made)),
                (None, failed) => return failed.map_or(Ok(()), Err),
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &str) -> Result<(), String> {
        let (name, pc) = parts(step);
        let begins = step.ends_with('+');
        let pc: usize = pc.parse().map_err(|_| "not a step")?;
        self.until(name, |driven| driven.next.is_some() || driven.current.is_some() || driven.ended)?;
        let driven = self.threads.get_mut(name).ok_or("no such thread")?;
        let is_inside = driven.current == Some(pc) && driven.next != Some(pc);
        if is_inside && begins && self.is_timed(name, pc) {
            // It is to be past its time before the others go on.
            sleep(2 * SHORT);
        }
        if !is_inside {
            self.until(name, |driven| driven.next.is_some() || driven.ended)?;
            let driven = self.threads.get_mut(name).ok_or("no such thread")?;
            if driven.next != Some(pc) {
                return Err(format!("it is at {:?}", driven.next));
            }
            driven.next = None;
            driven.current = Some(pc);
            driven.stream.write_all(&[STEP]).map_err(|error| error.to_string())?;
        }
        if begins {
            return self.until_blocked(name);
        }
        self.until(name, |driven| driven.next.is_some() || driven.ended)?;
        self.await_end(name);
        Ok(())
    }

    fn is_timed(&self, name: &str, pc: usize) -> bool {
        let thread = self.scenario.program.iter().find(|thread| thread.name == name);
        thread.and_then(|thread| thread.ops.get(pc)).is_some_and(|op| Op::new(op).name() == "wait_timeout")
    }

    /// Waits until a thread is as `reached` says.
    fn until(&mut self, name: &str, reached: impl Fn(&Driven) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + STEP_TIME;
        let mut still = 0_usize;
        let mut pulses = BTreeMap::new();
        let mut looked = Instant::now();
        while !self.threads.get(name).is_some_and(&reached) {
            let have_ended = self.have_ended();
            self.listen();
            if have_ended {
                // What it said last has been heard now.
                let has_reached = self.threads.get(name).is_some_and(&reached);
                return if has_reached { Ok(()) } else { Err("the program has ended".to_owned()) };
            }
            // Where nothing moves any more, waiting longer does not help.
            if looked.elapsed() > QUIET / 4 {
                looked = Instant::now();
                let now = self.pulses();
                still = if watched::all_sleep_since(&now, &pulses) { still + 1 } else { 0 };
                pulses = now;
            }
            if Instant::now() > deadline || still >= 4 {
                return Err("it does not get there".to_owned());
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Waits until a thread sleeps in its operation, or is past it.
    fn until_blocked(&mut self, name: &str) -> Result<(), String> {
        let deadline = Instant::now() + STEP_TIME;
        let mut earlier: Option<Pulse> = None;
        let mut n_asleep = 0;
        while n_asleep < N_ASLEEP {
            self.listen();
            let driven = self.threads.get(name).ok_or("no such thread")?;
            if driven.next.is_some() || driven.ended {
                return Ok(());
            }
            let pulse = watched::thread(&driven.id);
            let is_asleep = matches!((&pulse, &earlier), (Some(now), Some(earlier)) if now.sleeps_since(earlier));
            n_asleep = if is_asleep { n_asleep + 1 } else { 0 };
            earlier = pulse;
            if Instant::now() > deadline {
                return Err("it does not sleep".to_owned());
            }
            sleep(SLEEP_POLL);
        }
        Ok(())
    }

    /// Gives a thread that has ended the time to be gone, so that a join finds it so.
    fn await_end(&self, name: &str) {
        let deadline = Instant::now() + QUIET;
        let Some(driven) = self.threads.get(name).filter(|driven| driven.ended) else { return };
        while watched::thread(&driven.id).is_some() && Instant::now() < deadline {
            sleep(POLL);
        }
    }

    /// Takes in what the threads say.
    fn listen(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.unnamed.push((stream, String::new()));
            }
        }
        for (mut stream, mut text) in std::mem::take(&mut self.unnamed) {
            let ended = receive(&mut stream, &mut text);
            match text.split_once('\n') {
                Some((hello, rest)) => {
                    let (name, id) = hello.split_once(' ').unwrap_or((hello, ""));
                    let (id, partial) = (id.to_owned(), rest.to_owned());
                    let driven = Driven { stream, id, partial, next: None, current: None, ended };
                    self.threads.insert(name.to_owned(), driven);
                }
                None if ended => {}
                None => self.unnamed.push((stream, text)),
            }
        }
        for driven in self.threads.values_mut().filter(|driven| !driven.ended) {
            driven.ended = receive(&mut driven.stream, &mut driven.partial);
            while let Some((line, rest)) = driven.partial.split_once('\n') {
                driven.next = line.parse().ok();
                driven.partial = rest.to_owned();
            }
            if self.free && driven.next.take().is_some() {
                // If it cannot be told, it is gone.
                let _told = driven.stream.write_all(&[RUN]);
            }
        }
    }

    /// Lets all threads go on without asking.
    fn let_go(&mut self) {
        self.free = true;
        self.listen();
    }

    fn pulses(&self) -> BTreeMap<String, Pulse> {
        self.children.iter().flat_map(|child| watched::process(child.id())).collect()
    }

    fn have_ended(&mut self) -> bool {
        self.children.iter_mut().all(|child| matches!(child.try_wait(), Ok(Some(_)) | Err(_)))
    }

    /// Waits for the end of all processes; kills them if they hang.
    fn wait(&mut self) -> io::Result<Outcome> {
        let deadline = Instant::now() + FREE_TIME;
        let mut pulses = self.pulses();
        let mut since = Instant::now();
        let mut looked = Instant::now();
        let mut hung = false;
        while !self.have_ended() {
            self.listen();
            if looked.elapsed() > QUIET / 10 {
                looked = Instant::now();
                let now = self.pulses();
                if !watched::all_sleep_since(&now, &pulses) {
                    since = Instant::now();
                }
                pulses = now;
            }
            if since.elapsed() > QUIET || Instant::now() > deadline {
                hung = true;
                for child in &mut self.children {
                    child.kill()?;
                }
                break;
            }
            sleep(POLL);
        }
        let mut outcome = if hung { Outcome::Hung } else { Outcome::Completed };
        for child in &mut self.children {
            let status = child.wait()?;
            if status.code() == Some(i32::from(UNSUPPORTED)) {
                outcome = Outcome::Unsupported(said(child));
            } else if !is_expected(status) {
                return Err(io::Error::other(format!("a process ended with {status}: {}", said(child))));
            }
        }
        Ok(outcome)
    }
}

/// Thread and operation of a step.
fn parts(step: &str) -> (&str, &str) {
    step.trim_end_matches(['!', '>', '+']).rsplit_once(':').unwrap_or((step, ""))
}

/// Whether a process ended as a program under test may: well, or killed.
fn is_expected(status: ExitStatus) -> bool {
    status.success() || status.code().is_none()
}

/// What a process that has ended wrote to its standard error.
fn said(child: &mut Child) -> String {
    let mut text = String::new();
    // What cannot be read is not shown.
    let _read = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut text));
    text.trim().to_owned()
}

/// Reads what is there. Whether the other side has closed.
fn receive(stream: &mut UnixStream, text: &mut String) -> bool {
    let mut bytes = [0; 256];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(n) => text.push_str(&String::from_utf8_lossy(&bytes[..n])),
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}
