//! `deadlock-check run -- CMD ARGS…`.

use super::{
    CliError,
    hang::{self, OnHang},
    options::ReportArgs,
    output::{self, Stream},
    progress::Progress,
    stale,
    supervise::{self, Attendant, Ended, Times, Wake},
    trace_directory::TraceDirectory,
};
use crate::{
    finding::{Code, Finding, ProgramEnd, Report},
    pipeline::{self, Races, Reading, Stopped},
    source::{self, LiveSlots, SeenThreads},
    suppress::Suppressions,
    watch::{self, Hang, Watch, WatchHandle},
};
use clap::Args;
use rustix::process::Signal;
use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::mpsc::Sender,
    thread::JoinHandle,
    time::Duration,
};
use trace_format::TRACE_VARIABLE;
use tracing::warn;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Keep the trace in this directory: a missing or empty one, or a trace to be added to.
    #[arg(long, value_name = "DIR")]
    trace: Option<PathBuf>,
    /// Keep the trace, and say where it is.
    #[arg(long)]
    keep: bool,
    /// Stop the program after this time (such as 90s or 5m) and report what each thread held and waited for.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// What to do about a hang: at once if it was observed; if it is possible it is told after five seconds, and this is
    /// done after five more in which nothing happens. Only the processes in it are ended, and the exit status is that of findings.
    #[arg(long, value_enum, value_name = "ACTION", default_value_t = OnHang::Kill)]
    on_hang: OnHang,
    /// How long processes that record and that the program left behind when it ended are watched; then they are let alone.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10s")]
    follow: Duration,
    #[command(flatten)]
    report: ReportArgs,
    /// The program and its arguments.
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(args: &RunArgs) -> Result<u8, CliError> {
    let suppressions = args.report.suppressions()?;
    output::check_file(&args.report)?;
    let directory = env::current_dir().map_err(CliError::CurrentDirectory)?;
    let trace = TraceDirectory::prepare(args.trace.as_deref(), args.keep)?;
    let cleaning = stale::clean();
    let mut command = Command::new(args.command.first().map(OsString::as_os_str).unwrap_or_default());
    command.args(args.command.iter().skip(1)).env(TRACE_VARIABLE, trace.path());
    let mut attendant = Recorded::new(trace.path(), &directory, args, &suppressions);
    let times = Times { timeout: args.timeout, follow: args.follow };
    let ended = supervise::supervise(&mut command, times, &mut attendant)?;
    let status = ended.status;
    let program = ProgramEnd { exit: status.code(), signal: status.signal(), timed_out: ended.timed_out };
    let were_ended = args.on_hang.signal().is_some() && !attendant.hangs.is_empty();
    let mut report = final_report(&attendant, ended, were_ended);
    report.program = Some(program);
    // What it makes of being ended is not its own status, and no success.
    let passed_on = if were_ended { args.report.error_exitcode } else { status_to_pass_on(status) };
    let result = output::finish(report, &args.report, &suppressions, Stream::Stderr, Some(passed_on));
    match cleaning.map(JoinHandle::join) {
        Ok(Ok(())) => {}
        Ok(Err(_)) => warn!("removing traces of runs that were killed failed"),
        Err(error) => warn!(%error, "traces of runs that were killed were not removed"),
    }
    if args.keep || !trace.is_temporary() {
        let path = trace.keep();
        let path = path.display();
        // Without stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "trace: kept in {path}; `deadlock-check check {path}` reports on it again");
    }
    result
}

/// The report on the whole run.
fn final_report(attendant: &Recorded<'_>, ended: Ended<Reading>, were_ended: bool) -> Report {
    let Recorded { trace, directory, args, hangs, .. } = attendant;
    let progress = Progress::start("reading");
    // That report has the races that are looked for without being asked for.
    if were_ended
        && !args.report.predict_races
        && ended.last_state.is_none()
        && let [hang] = hangs.as_slice()
        && hang.is_complete(&source::process_files(trace))
    {
        // Made before anything was ended.
        return hang.report.clone();
    }
    let stopped = match (ended.timed_out, ended.interrupted) {
        (true, _) => Stopped::TimedOut,
        (_, true) => Stopped::Interrupted,
        _ => Stopped::No,
    };
    let reading = ended.last_state.unwrap_or_else(|| pipeline::read(trace));
    progress.stage("analysing");
    let mut report = pipeline::report(&[reading], stopped, args.report.races(), directory);
    // Of who runs on, one reading proves nothing: what the watch did not see twice is not told.
    report.findings.retain(|finding| {
        let runs_on = |pid: u32| ended.left_behind.contains(&pid.cast_signed());
        let is_known = || hangs.iter().chain(&attendant.told).any(|hang| hang.has(finding));
        !finding.is_hang() || !finding.threads.iter().any(|thread| runs_on(thread.process)) || is_known()
    });
    hang::with_hangs(report, hangs, were_ended)
}

/// A program that records, while it runs.
struct Recorded<'a> {
    trace: &'a Path,
    directory: &'a Path,
    args: &'a RunArgs,
    suppressions: &'a Suppressions,
    /// Its hangs up to now, but for those that are known and accepted.
    hangs: Vec<Hang>,
    /// Those that were told of and may not be any.
    told: Vec<Hang>,
    live: Option<LiveSlots>,
    /// Files and processes of other programs, which recorded into the trace before this one began.
    others: Vec<(String, u32)>,
    /// What says to a process that it is to record.
    inherited: Vec<u8>,
}

impl<'a> Recorded<'a> {
    fn new(trace: &'a Path, directory: &'a Path, args: &'a RunArgs, suppressions: &'a Suppressions) -> Self {
        let mut live = source::open_slots(trace).ok();
        let others = live.iter_mut().flat_map(LiveSlots::look).map(|process| (process.file, process.pid)).collect();
        let inherited = [TRACE_VARIABLE.as_bytes(), b"=", trace.as_os_str().as_bytes()].concat();
        Self { trace, directory, args, suppressions, hangs: Vec::new(), told: Vec::new(), live, others, inherited }
    }
}

impl Attendant for Recorded<'_> {
    type State = Reading;

    fn watch(&self, wakes: Sender<Wake>) -> io::Result<WatchHandle> {
        let watch = Watch::new(self.trace, self.directory);
        watch::start(watch, watch::EVERY, move |hang| {
            // The program has ended, and nobody listens any more.
            let _ = wakes.send(Wake::Hang(Box::new(hang)));
        })
    }

    fn last_state(&self) -> (Reading, Vec<i32>) {
        let reading = pipeline::read(self.trace);
        let mut recorded = reading.live_processes();
        recorded.retain(|pid| !self.others.iter().any(|(_, other)| other.cast_signed() == *pid));
        leave(reading.seen_threads());
        (reading, recorded)
    }

    fn hang(&mut self, hang: Hang) -> Option<(Vec<i32>, Signal)> {
        let hang = hang::unknown(hang, self.suppressions)?;
        if !hang.is_settled {
            let notice = "deadlock-check: this may be a hang; nothing is done about it while somebody may come to help";
            output::show(notice, &hang.findings, &hang.report, &self.args.report);
            self.told.push(hang);
            return None;
        }
        let on_hang = self.args.on_hang;
        let signal = on_hang.signal();
        // What will be in the report in a moment is not said twice.
        let shown = if signal.is_some() { &[] } else { hang.findings.as_slice() };
        output::show(&format!("deadlock-check: {}", on_hang.notice(&hang)), shown, &hang.report, &self.args.report);
        let processes = hang.processes.clone();
        if signal.is_some() {
            leave(&hang.seen_threads);
        }
        self.hangs.push(hang);
        signal.map(|signal| (processes, signal))
    }

    fn left_behind(&mut self) -> Vec<i32> {
        let live = self.live.iter_mut().flat_map(LiveSlots::look);
        let own = live.filter(|process| !self.others.iter().any(|(file, _)| *file == process.file));
        let mut pids: Vec<i32> = own.map(|process| process.pid.cast_signed()).collect();
        // The images before and after an `exec` are one process.
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    fn inherited(&self) -> &[u8] {
        &self.inherited
    }

    fn show(&self, always: bool) {
        let reading = pipeline::read(self.trace);
        let report = pipeline::report(&[reading], Stopped::Running, Races::default(), self.directory);
        let (mut states, others): (Vec<_>, Vec<_>) =
            report.findings.iter().cloned().partition(|finding| finding.code == Code::Stall);
        for state in &mut states {
            let pid = state.threads.first().map_or(0, |thread| thread.process);
            state.title = format!("state of the program: process {pid}");
        }
        states.extend(others.into_iter().filter(Finding::is_hang));
        let notice = match states.len() {
            0 if !always => return,
            0 => "deadlock-check: no process that records is running",
            _ => "deadlock-check: this is what each thread does; once more within two seconds ends the program",
        };
        output::show(notice, &states, &report, &self.args.report);
    }
}

/// Leaves in the trace what only live processes show.
fn leave(seen_threads: &[SeenThreads]) {
    for seen in seen_threads {
        if let Err(error) = seen.leave() {
            warn!(%error, "the trace will say less of its threads afterwards");
        }
    }
}

/// As shells have it: 128 + n for signal n.
fn status_to_pass_on(status: ExitStatus) -> u8 {
    let status = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(status & 0xff).unwrap_or(u8::MAX)
}
