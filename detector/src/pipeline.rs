//! The road from a trace directory to a report: read, build the model, analyse, explain, identify.

mod hangs;
mod proof;
mod races;
mod recorded;
mod replays;

use self::replays::Replays;
use crate::{
    analysis::{self, RawFinding, predicted},
    explain,
    finding::{Certainty, Code, Coverage, Finding, Problem, Report, Stats},
    history::History,
    identity,
    model::{self, FamilyId, Model, ProcessId, ThreadId},
    source::{self, Found, HistoryError, HistoryFile, OpenError, SeenThreads, Trace},
    symbolize::{Symbolizer, foreign_primitives},
};
use std::{borrow::Cow, cmp::Reverse, collections::BTreeSet, path::Path, time::Instant};
use tracing::debug;

pub use crate::analysis::stall::Stopped;

/// Accesses of a trace up to which races are predicted without being asked for.
const PREDICTED_ACCESSES_MAX: u64 = 100_000;

/// What is done about races beside telling of those that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Races {
    /// Whether races are predicted however long a trace is.
    pub predicts_always: bool,
    /// Whether they are counted, rule by rule, for [`Report::race_counts`].
    pub counts: bool,
}

impl Races {
    /// Whether the races of a trace with so many accesses are predicted.
    ///
    /// # Example
    /// ```
    /// use detector::pipeline::Races;
    ///
    /// assert!(Races::default().predicts(99_999) && !Races::default().predicts(100_000));
    /// assert!(Races { predicts_always: true, ..Races::default() }.predicts(u64::MAX));
    /// ```
    pub const fn predicts(self, n_accesses: u64) -> bool {
        self.predicts_always || n_accesses < PREDICTED_ACCESSES_MAX
    }
}

/// A trace as it was when it was read; of one that could not be read, why.
#[derive(Debug, Default)]
pub struct Reading {
    model: Model,
    /// What the model was built of.
    of: Of,
    problems: Vec<Problem>,
    seen_threads: Vec<SeenThreads>,
}

/// What a model was built of.
#[derive(Debug, Default)]
enum Of {
    /// Nothing that could be read.
    #[default]
    Nothing,
    /// What the recorder wrote.
    Trace(Trace),
    /// A trace in another form.
    History(Box<History>),
}

impl Reading {
    /// Process ids of the recorded processes that were alive.
    pub fn live_processes(&self) -> Vec<i32> {
        let live = self.model.processes.iter().filter(|process| process.alive);
        live.filter_map(|process| i32::try_from(process.pid).ok()).collect()
    }

    /// What has to be left in the trace before its processes are ended, for the sake of who reads it afterwards.
    pub fn seen_threads(&self) -> &[SeenThreads] {
        &self.seen_threads
    }

    /// Whether in a process threads are alive of which nothing is known, as [`Model::has_strangers`] says.
    pub fn has_strangers(&self, process: u32) -> bool {
        let of = self.model.processes.iter().zip((0..).map(ProcessId)).filter(|(of, _)| of.pid == process);
        of.into_iter().any(|(_, id)| self.model.has_strangers(id))
    }

    /// The operating system's id of a thread that a finding names: by its process's id and its number there.
    pub fn tid(&self, process: u32, thread: u32) -> Option<u32> {
        let is_of_process = |id: ProcessId| self.model.processes.get(id.idx()).is_some_and(|of| of.pid == process);
        let mut threads = self.model.threads.iter().filter(|found| found.number == thread && !found.ended);
        threads.find(|thread| is_of_process(thread.process)).map(|thread| thread.tid).filter(|tid| *tid != 0)
    }
}

/// Reads a trace, also while its processes run: a directory that the recorder wrote, or a file in another form. What is
/// wrong with it will be among the report's problems.
pub fn read(path: &Path) -> Reading {
    let nothing = |text: String| Reading { problems: vec![Problem { text, fatal: true }], ..Reading::default() };
    match source::look(path) {
        Ok(Found::Directory) => read_directory(path).unwrap_or_else(|error| nothing(error.to_string())),
        Ok(Found::File(file)) => read_file(path, file).unwrap_or_else(|error| nothing(error.to_string())),
        Err(error) => nothing(error.to_string()),
    }
}

fn read_file(path: &Path, file: HistoryFile) -> Result<Reading, HistoryError> {
    let start = Instant::now();
    let (history, problems) = file.read()?;
    debug!(path = %path.display(), operations = history.operations.len(), elapsed = ?start.elapsed(), "read");
    let model = model::of_history(&history, &path.display().to_string());
    Ok(Reading { model, of: Of::History(Box::new(history)), problems, seen_threads: Vec::new() })
}

fn read_directory(directory: &Path) -> Result<Reading, OpenError> {
    let start = Instant::now();
    let trace = source::open(directory)?;
    debug!(directory = %directory.display(), processes = trace.members().count(), elapsed = ?start.elapsed(), "opened");
    let start = Instant::now();
    let (model, built) = model::build(&trace);
    let mut problems = trace.problems.clone();
    problems.extend(built);
    debug!(events = model.n_events, threads = model.threads.len(), elapsed = ?start.elapsed(), "built the model");
    let seen_threads = trace.members().filter_map(SeenThreads::of).collect();
    Ok(Reading { model, of: Of::Trace(trace), problems, seen_threads })
}

/// Analyses what was read, and does about races what `races` says. Relative paths of sources are looked for in `directory`.
///
/// The findings are complete and in order, gravest first; nothing is suppressed yet.
pub fn report(readings: &[Reading], stopped: Stopped, races: Races, directory: &Path) -> Report {
    debug!(?races, "reports");
    let mut report = Report { coverage: coverage(readings), stats: stats(readings), ..Report::default() };
    let mut findings = Vec::new();
    let mut hints = BTreeSet::new();
    for Reading { model, of, problems, .. } in readings {
        report.problems.extend_from_slice(problems);
        // A program that runs is asked whether it hangs, a few times in a second: nothing is gone through again for that.
        let mut replays = match of {
            Of::Trace(trace) if stopped != Stopped::Running => Some(Replays::new(trace)),
            _ => None,
        };
        let (mut raw, problems) = analyse(model, of, replays.as_mut(), stopped);
        report.problems.extend(problems);
        let mut model = Cow::Borrowed(model);
        if stopped != Stopped::Running {
            let hung = hung(&raw, &model);
            let (predicted, problems) = hangs::find(&mut model, of, replays.as_mut(), &hung);
            raw.extend(predicted);
            report.problems.extend(problems);
            let found = races::find(&mut model, of, replays.as_mut(), races);
            raw.extend(found.findings);
            report.problems.extend(found.problems);
            races::add_counts(&mut report.race_counts, &found.counts);
        }
        let start = Instant::now();
        let mut symbolizer = Symbolizer::new(&model, directory);
        let mut explained = explain::explain_all(raw, &model, &mut symbolizer);
        // Who asks for the state of a program asks for all of it.
        if stopped != Stopped::Running {
            explained = without_explained_stalls(explained);
        }
        findings.extend(explained);
        hints.extend(symbolizer.hints().map(str::to_owned));
        debug!(elapsed = ?start.elapsed(), "explained");
    }
    report.findings = identity::identify(findings);
    if report.findings.iter().any(|finding| finding.code == Code::Stall) {
        for Reading { model, .. } in readings {
            explain::kernel::add(&mut report.findings, model, &mut Symbolizer::new(model, directory));
        }
    }
    report.findings.sort_by_key(|Finding { certainty, code, id, .. }| (Reverse(*certainty), *code, id.clone()));
    report.hints = hints.into_iter().collect();
    report
}

fn analyse(
    model: &Model,
    of: &Of,
    replays: Option<&mut Replays<'_>>,
    stopped: Stopped,
) -> (Vec<RawFinding>, Vec<Problem>) {
    let start = Instant::now();
    if let Of::History(history) = of {
        let (raw, problems) = predicted::run(history);
        debug!(raw_findings = raw.len(), elapsed = ?start.elapsed(), "predicted");
        return (raw, problems);
    }
    let (mut raw, problems) = analysis::run(model, stopped);
    debug!(raw_findings = raw.len(), elapsed = ?start.elapsed(), "analysed");
    let start = Instant::now();
    proof::prove(&mut raw, replays, model);
    debug!(elapsed = ?start.elapsed(), "looked for proofs");
    (raw, problems)
}

/// Families of processes that hang: of them it is told what happened, not what may.
fn hung(findings: &[RawFinding], model: &Model) -> Vec<FamilyId> {
    let hangs = |finding: &&RawFinding| {
        finding.certainty >= Certainty::Possible
            && matches!(finding.code, Code::Deadlock | Code::LostWakeup | Code::AbandonedChannel | Code::Stall)
            || finding.certainty == Certainty::Observed
    };
    let threads = findings.iter().filter(hangs).flat_map(|finding| &finding.edges).map(|edge| edge.thread);
    threads.map(|thread| model.family_of(thread)).collect()
}

/// Takes out a stall of which every waiting thread is in a deadlock that was observed: that says it better.
fn without_explained_stalls(mut findings: Vec<Finding>) -> Vec<Finding> {
    let thread = |finding: &Finding, idx: usize| finding.threads.get(idx).map(|thread| (thread.process, thread.thread));
    let waiting = |finding: &Finding| {
        let threads = finding.edges.iter().map(|edge| edge.thread).chain(finding.behind.iter().copied());
        threads.filter_map(|idx| thread(finding, idx)).collect::<Vec<_>>()
    };
    let deadlocked: BTreeSet<_> = findings.iter().filter(|finding| finding.is_hang()).flat_map(waiting).collect();
    findings.retain(|finding| {
        let mut waiting = finding.edges.iter().filter(|edge| edge.wanted_mode.is_some()).peekable();
        let is_explained = waiting.peek().is_some()
            && waiting.all(|edge| thread(finding, edge.thread).is_some_and(|thread| deadlocked.contains(&thread)));
        finding.code != Code::Stall || !is_explained
    });
    findings
}

fn stats(readings: &[Reading]) -> Stats {
    let mut stats = Stats::default();
    for Reading { model, .. } in readings {
        stats.events += model.n_events;
        stats.threads +=
            model.threads.iter().filter(|thread| !(thread.is_task || thread.is_left_behind)).count() as u64;
        stats.processes += model.processes.len() as u64;
        stats.objects += model.n_objects;
        stats.lost += model.n_lost;
    }
    stats
}

fn coverage(readings: &[Reading]) -> Coverage {
    let models = || readings.iter().map(|reading| &reading.model);
    let programs: BTreeSet<&str> =
        models().flat_map(|model| &model.processes).map(|process| process.program.as_str()).collect();
    let foreign: BTreeSet<String> =
        programs.into_iter().flat_map(|program| foreign_primitives(Path::new(program))).collect();
    let mut unrecorded: Vec<String> = foreign.into_iter().collect();
    match models().map(n_unstarted_threads).sum::<usize>() {
        0 => {}
        1 => unrecorded.push("the start of 1 thread (not through instrumented_sync)".to_owned()),
        n => unrecorded.push(format!("the starts of {n} threads (not through instrumented_sync)")),
    }
    match models().map(|model| model.n_unrecorded_children).sum::<usize>() {
        0 => {}
        1 => {
            unrecorded
                .push("1 child process (not built with instrumented_sync, or without its environment)".to_owned());
        }
        n => unrecorded
            .push(format!("{n} child processes (not built with instrumented_sync, or without its environment)")),
    }
    Coverage {
        level: "full".to_owned(),
        unrecorded,
        recorded_anything: models().any(|model| model.n_events > 0 || !model.threads.is_empty()),
    }
}

/// Threads that nobody was seen to start; the first thread of a process has nobody to start it.
fn n_unstarted_threads(model: &Model) -> usize {
    let is_first = |thread: &model::Thread| {
        model.processes.get(thread.process.idx()).is_some_and(|process| process.pid == thread.tid)
    };
    let is_unstarted = |(id, thread): &(ThreadId, &model::Thread)| {
        model.starter(*id).is_none() && !thread.is_task && !thread.is_left_behind && !is_first(thread)
    };
    (0..).map(ThreadId).zip(&model.threads).filter(is_unstarted).count()
}
