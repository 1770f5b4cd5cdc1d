//! Watching programs while they run: a hang is found when it has become one, not when somebody loses patience.
//!
//! A look reads the slots of all live processes, which costs next to nothing. Only if some threads have been in one and
//! the same wait for two looks, and slots alone do not rule a hang out, the whole trace is read and analysed; and what
//! that says counts only if the threads concerned are still in those waits afterwards.

mod background;
mod candidate;

pub use background::{Settings, WatchHandle, spawn};

pub(crate) use background::start;

use crate::{
    finding::{Certainty, Finding, Report},
    pipeline::{self, Races, Reading, Stopped},
    source::{self, LiveProcess, LiveSlots, SeenThreads},
};
use candidate::{Reason, Waiting};
use rustc_hash::{FxHashSet, FxHasher};
use std::{
    hash::{Hash, Hasher},
    mem,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tracing::debug;

/// How often to look, unless there is a reason for something else.
pub const EVERY: Duration = Duration::from_millis(200);

/// How long nothing at all may happen before a hang that is only possible is acted upon. Its waits have lasted for
/// five seconds when it is found, so ten in all.
const QUIET: Duration = Duration::from_secs(5);

/// After a full analysis there is none for so many times as long: watching takes a tenth of a processor at most.
const REST: u32 = 10;

/// Looks at a trace again and again while its processes run.
#[derive(Debug)]
pub struct Watch {
    trace: PathBuf,
    directory: PathBuf,
    live: Option<LiveSlots>,
    /// Who was in an untimed wait at the last look.
    before: FxHashSet<Waiting>,
    /// Reasons to suspect a hang for which the trace was analysed already, as long as they last.
    analysed: FxHashSet<Reason>,
    /// No full analysis before.
    rest_until: Option<Instant>,
    pending: Vec<Pending>,
    reported: FxHashSet<Vec<Waiting>>,
}

/// What a look found.
#[derive(Debug)]
pub enum Look {
    /// No hang that was not reported before.
    Quiet,
    /// A hang.
    Hang(Box<Hang>),
}

/// Threads that will not go on.
#[derive(Clone, Debug)]
pub struct Hang {
    /// Everything that the trace says at this moment, findings of hangs among it.
    pub report: Report,
    /// Of its findings those which are this hang.
    pub findings: Vec<Finding>,
    /// Ids of the processes in it.
    pub processes: Vec<i32>,
    /// Names of the process files that the trace had.
    pub files: Vec<String>,
    /// Whether recorded processes were alive that are not in it.
    pub has_bystanders: bool,
    /// Whether it is time to act: at once if it was observed; if it is possible, it is told first, and comes again when
    /// nothing has happened for long enough.
    pub is_settled: bool,
    /// To be left in the trace before its processes are ended.
    pub seen_threads: Vec<SeenThreads>,
}

/// A hang that is only possible, until nothing has happened for long enough.
#[derive(Debug)]
struct Pending {
    waits: Vec<Waiting>,
    hang: Hang,
    activity: u64,
    since: Instant,
    is_told: bool,
    /// Whether a thread of which nothing is known may come to help: then it is told, and no more.
    has_strangers: bool,
}

impl Watch {
    /// Watches a trace, which need not be there yet. Relative paths of sources are looked for in `directory`.
    pub fn new(trace: &Path, directory: &Path) -> Self {
        Self {
            trace: trace.to_path_buf(),
            directory: directory.to_path_buf(),
            live: None,
            before: FxHashSet::default(),
            analysed: FxHashSet::default(),
            rest_until: None,
            pending: Vec::new(),
            reported: FxHashSet::default(),
        }
    }

    /// Looks once. To be called a few times in a second; a hang is found at the second look after it is complete.
    ///
    /// A hang is shown once, however often it is looked at.
    pub fn look(&mut self) -> Look {
        let processes = self.live_processes();
        let waits = candidate::waits(&processes);
        let stable: FxHashSet<Waiting> = waits.intersection(&self.before).copied().collect();
        self.before = waits;
        if let Some(hang) = self.ripe(&processes, &stable).or_else(|| self.untold()) {
            return Look::Hang(Box::new(hang));
        }
        let reasons = candidate::reasons(&processes, &stable);
        self.analysed.retain(|reason| reasons.contains(reason));
        let is_resting = self.rest_until.is_some_and(|until| Instant::now() < until);
        if is_resting || reasons.is_subset(&self.analysed) {
            return Look::Quiet;
        }
        debug!(reasons = reasons.len(), "a hang is suspected");
        self.analysed.extend(reasons);
        let hang = self.analyse(&stable).or_else(|| self.untold());
        hang.map_or(Look::Quiet, |hang| Look::Hang(Box::new(hang)))
    }

    /// Hangs that are only possible and that nobody was told of.
    fn untold(&mut self) -> Option<Hang> {
        let mut untold: Option<Hang> = None;
        for pending in self.pending.iter_mut().filter(|pending| !pending.is_told) {
            pending.is_told = true;
            match &mut untold {
                Some(hang) => hang.findings.extend(pending.hang.findings.iter().cloned()),
                None => untold = Some(Hang { is_settled: false, ..pending.hang.clone() }),
            }
        }
        untold
    }

    fn live_processes(&mut self) -> Vec<LiveProcess> {
        if self.live.is_none() {
            self.live = source::open_slots(&self.trace).ok();
        }
        self.live.as_mut().map(LiveSlots::look).unwrap_or_default()
    }

    /// Reads the whole trace and gives the hang that was there before and after that, if there is one.
    fn analyse(&mut self, stable: &FxHashSet<Waiting>) -> Option<Hang> {
        let start = Instant::now();
        let reading = pipeline::read(&self.trace);
        let report = pipeline::report(std::slice::from_ref(&reading), Stopped::No, Races::default(), &self.directory);
        self.rest_until = start.elapsed().checked_mul(REST).and_then(|rest| Instant::now().checked_add(rest));
        debug!(elapsed = ?start.elapsed(), findings = report.findings.len(), "analysed while the program runs");
        let processes = self.live_processes();
        let after = candidate::waits(&processes);
        let unchanged: FxHashSet<Waiting> = after.intersection(stable).copied().collect();
        let live: Vec<u32> = processes.iter().map(|process| process.pid).collect();
        let files = source::process_files(&self.trace);
        let (findings, processes_in_it, has_bystanders) = (Vec::new(), Vec::new(), !live.is_empty());
        let seen_threads = reading.seen_threads().to_vec();
        let hang = Hang {
            report,
            findings,
            processes: processes_in_it,
            files,
            has_bystanders,
            is_settled: true,
            seen_threads,
        };
        let mut observed = hang.clone();
        let candidates: Vec<Finding> =
            hang.report.findings.iter().filter(|finding| finding.is_hang()).cloned().collect();
        for finding in candidates {
            let Some(waits) = waits_of(&finding, &reading, &processes, &unchanged) else { continue };
            if self.reported.contains(&waits) {
                continue;
            }
            if finding.certainty == Certainty::Observed {
                self.pending.retain(|pending| pending.waits != waits);
                self.reported.insert(waits);
                observed.add(finding, &live);
            } else if !self.pending.iter().any(|pending| pending.waits == waits) {
                let has_strangers = finding.threads.iter().any(|thread| reading.has_strangers(thread.process));
                let mut hang = hang.clone();
                hang.add(finding, &live);
                let (activity, since) = (self.activity(&processes), Instant::now());
                self.pending.push(Pending { waits, hang, activity, since, is_told: false, has_strangers });
            }
        }
        (!observed.findings.is_empty()).then_some(observed)
    }

    /// A hang that is only possible and during which nothing has happened for long enough.
    fn ripe(&mut self, processes: &[LiveProcess], stable: &FxHashSet<Waiting>) -> Option<Hang> {
        if self.pending.is_empty() {
            return None;
        }
        let activity = self.activity(processes);
        let mut ripe: Option<Hang> = None;
        for mut pending in mem::take(&mut self.pending) {
            if !pending.waits.iter().all(|wait| stable.contains(wait)) {
                continue;
            }
            if pending.activity != activity {
                (pending.activity, pending.since) = (activity, Instant::now());
            }
            if pending.since.elapsed() < QUIET || pending.has_strangers {
                self.pending.push(pending);
                continue;
            }
            self.reported.insert(pending.waits);
            match &mut ripe {
                Some(hang) => {
                    let live: Vec<u32> = processes.iter().map(|process| process.pid).collect();
                    pending.hang.findings.into_iter().for_each(|finding| hang.add(finding, &live));
                }
                None => ripe = Some(pending.hang),
            }
        }
        ripe
    }

    /// A number that changes whenever anything happens in a live process.
    fn activity(&self, processes: &[LiveProcess]) -> u64 {
        let mut hasher = FxHasher::default();
        for process in processes {
            process.n_os_threads.hash(&mut hasher);
            for slot in &process.slots {
                (slot.thread, slot.epoch, slot.ended, slot.holds.len()).hash(&mut hasher);
            }
        }
        self.live.as_ref().map(LiveSlots::activity).hash(&mut hasher);
        hasher.finish()
    }
}

impl Hang {
    /// Adds a finding; `live` are the recorded processes that are alive.
    fn add(&mut self, finding: Finding, live: &[u32]) {
        // Not those behind it, which may go on when it is ended; and the number of one that has ended may be another's by now.
        let waiting = finding.edges.iter().filter(|edge| edge.is_waiting());
        let threads = waiting.filter_map(|edge| finding.threads.get(edge.thread));
        let processes = threads.map(|thread| thread.process).filter(|process| live.contains(process));
        self.processes.extend(processes.filter_map(|process| i32::try_from(process).ok()));
        self.processes.sort_unstable();
        self.processes.dedup();
        self.findings.push(finding);
        self.has_bystanders = live.iter().any(|pid| !self.processes.contains(&pid.cast_signed()));
    }

    /// Whether the report of this hang says all that a trace says of which the process files are now `files`: nobody
    /// began to record since, and nobody went on.
    pub fn is_complete(&self, files: &[String]) -> bool {
        !self.has_bystanders && self.files == files
    }

    /// Whether the finding is one of this hang.
    pub fn has(&self, finding: &Finding) -> bool {
        self.findings.iter().any(|own| own.id == finding.id)
    }
}

/// The waits of all threads that wait in a finding, in order; `None` if one of them is not in the wait any more in
/// which it was before the trace was read.
fn waits_of(
    finding: &Finding,
    reading: &Reading,
    processes: &[LiveProcess],
    unchanged: &FxHashSet<Waiting>,
) -> Option<Vec<Waiting>> {
    let waiting = finding.edges.iter().filter(|edge| edge.is_waiting());
    let mut waits = Vec::new();
    for edge in waiting {
        let thread = finding.threads.get(edge.thread)?;
        let tid = reading.tid(thread.process, thread.thread)?;
        // After an `exec` the threads of the program before are still in that program's file.
        if !source::is_thread(thread.process, tid) {
            return None;
        }
        let mut of_process = processes.iter().filter(|process| process.pid == thread.process);
        let wait = of_process.find_map(|process| {
            let mut slots = process.slots.iter().filter(|slot| slot.tid == tid && !slot.ended);
            slots.find_map(|slot| Waiting::of(process, slot)).filter(|wait| unchanged.contains(wait))
        })?;
        waits.push(wait);
    }
    waits.sort_unstable();
    waits.dedup();
    (!waits.is_empty()).then_some(waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SlotState;
    use trace_format::{Event, Flags, Kind, ObjectId};

    fn process(epoch: u64, other_epoch: u64) -> LiveProcess {
        let slot = |thread: u64, epoch, wait| SlotState {
            thread,
            tid: 1,
            ended: false,
            epoch,
            holds: Vec::new(),
            wait,
            wait_object: ObjectId::NONE,
            since_ns: 0,
            lost: 0,
        };
        let wait = Event::new(Kind::WAIT, Flags::NONE, 1, ObjectId(9), 1);
        let slots = vec![slot(1, epoch, Some(wait)), slot(2, other_epoch, None)];
        LiveProcess { file: "1-1-0.events".to_owned(), pid: 1, now_ns: 0, n_os_threads: 2, slots }
    }

    /// A watch that found a possible hang of the process's first thread some time ago.
    fn pending(age: Duration) -> Watch {
        let processes = [process(3, 2)];
        let mut watch = Watch::new(Path::new("no/trace"), Path::new("."));
        let mut waits: Vec<Waiting> = candidate::waits(&processes).into_iter().collect();
        waits.sort_unstable();
        let hang = Hang {
            report: Report::default(),
            findings: Vec::new(),
            processes: vec![1],
            files: Vec::new(),
            has_bystanders: false,
            is_settled: true,
            seen_threads: Vec::new(),
        };
        let activity = watch.activity(&processes);
        let since = Instant::now().checked_sub(age).unwrap();
        watch.pending.push(Pending { waits, hang, activity, since, is_told: false, has_strangers: false });
        watch
    }

    fn look(watch: &mut Watch, process: LiveProcess) -> Option<Hang> {
        let processes = [process];
        let stable = candidate::waits(&processes);
        watch.ripe(&processes, &stable)
    }

    #[test]
    fn a_possible_hang_counts_when_nothing_has_happened_for_long_enough_and_once() {
        let mut watch = pending(QUIET + Duration::from_secs(1));
        assert_eq!(look(&mut watch, process(3, 2)).unwrap().processes, [1]);
        assert!(look(&mut watch, process(3, 2)).is_none());
        assert_eq!(watch.reported.len(), 1);
        let mut watch = pending(Duration::from_secs(1));
        assert!(look(&mut watch, process(3, 2)).is_none());
        assert_eq!(watch.pending.len(), 1, "not yet");
    }

    #[test]
    fn a_possible_hang_is_told_once_before_it_counts() {
        let mut watch = pending(Duration::from_secs(1));
        assert!(watch.untold().is_some_and(|hang| !hang.is_settled));
        assert!(watch.untold().is_none());
        assert_eq!(watch.pending.len(), 1);
    }

    #[test]
    fn who_may_be_helped_by_a_stranger_is_left_alone() {
        let mut watch = pending(QUIET + Duration::from_secs(1));
        watch.pending[0].has_strangers = true;
        assert!(look(&mut watch, process(3, 2)).is_none());
        assert!(watch.untold().is_some());
    }

    #[test]
    fn whatever_happens_elsewhere_makes_a_possible_hang_wait_anew() {
        let mut watch = pending(QUIET + Duration::from_secs(1));
        assert!(look(&mut watch, process(3, 4)).is_none());
        assert!(watch.pending[0].since.elapsed() < QUIET);
    }

    #[test]
    fn a_thread_that_went_on_was_in_no_hang() {
        let mut watch = pending(QUIET + Duration::from_secs(1));
        assert!(look(&mut watch, process(5, 2)).is_none());
        assert!(watch.pending.is_empty() && watch.reported.is_empty());
    }
}
