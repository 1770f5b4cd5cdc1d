//! Eight processes of four threads over shared locks, killed and replaced at random: nothing that was published is lost, nobody is accused,
//! nothing is left behind. Some seconds; with `CI_FULL=1` ten million operations.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "support/outside.rs"]
mod outside;

use detector::source;
use outside::{findings, only_program, read_report, tool};
use serde_json::Value;
use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};
use trace_format::Kind;

const N_THREADS: usize = 4;
/// Nests of mutexes, reads and writes, permits, notifies.
const N_KINDS: usize = 4;
/// Recorded events of one operation of each kind, of those that [`kind_of`] counts.
const EVENTS: [u64; N_KINDS] = [2, 1, 1, 1];

fn n_operations() -> u64 {
    if env::var_os("CI_FULL").is_some() { 10_000_000 } else { 100_000 }
}

/// A soak in a folder of its own.
struct Soak {
    folder: tempfile::TempDir,
    /// Where the tool has its temporary files.
    place: PathBuf,
}

impl Soak {
    fn new(place: &Path) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), place: place.to_owned() }
    }

    fn tool(&self, arguments: &[&str], n_operations: u64) -> std::process::Command {
        let program = only_program("soak");
        let mut command = tool(&["run"]);
        command.args(arguments).arg("--").arg(program).arg(self.folder.path()).arg(n_operations.to_string());
        command.env("TMPDIR", &self.place);
        command
    }

    fn has(&self, name: &str) -> bool {
        self.folder.path().join(name).exists()
    }

    fn counts(&self) -> Vec<u64> {
        let bytes = fs::read(self.folder.path().join("counts")).unwrap_or_default();
        bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect()
    }

    fn region(&self) -> PathBuf {
        let name = self.folder.path().file_name().unwrap().to_str().unwrap();
        Path::new("/dev/shm").join(format!("deadlock-check-soak{name}"))
    }
}

#[test]
fn what_is_killed_at_random_loses_nothing_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    let n_traces = || fs::read_dir(place.path()).unwrap().count();
    // A run that is killed; its program goes on, and ends when it is told to.
    let killed = Soak::new(place.path());
    let mut run = killed.tool(&[], 1 << 40).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while killed.counts().first().is_none_or(|total| *total < 10_000) {
        sleep(Duration::from_millis(20));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    fs::write(killed.folder.path().join("stop"), "").unwrap();
    let begin = Instant::now();
    while !killed.has("ended") {
        assert!(begin.elapsed() < Duration::from_secs(60), "no worker may be stuck");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(n_traces(), 1);
    let soak = Soak::new(place.path());
    let trace = tempfile::tempdir().unwrap();
    let report = tempfile::NamedTempFile::new().unwrap();
    let paths = [trace.path(), report.path()].map(|path| path.to_str().unwrap());
    let arguments = ["--trace", paths[0], "--format", "json", "-o", paths[1]];
    let output = soak.tool(&arguments, n_operations()).output().unwrap();
    let (report, status) = read_report(Path::new(paths[1]), &output);
    assert_sound(&report, status, &String::from_utf8_lossy(&output.stderr));
    let (report, status) = outside::check(trace.path());
    assert_sound(&report, status, "");
    assert_counted(&soak, trace.path());
    // Of both.
    assert_eq!(n_traces(), 0, "the trace of the run that was killed was removed by the next");
    for soak in [&killed, &soak] {
        assert!(soak.has("ended") && !soak.region().exists());
    }
}

/// Nobody is accused; who died is a note.
fn assert_sound(report: &Value, status: i32, stderr: &str) {
    let certainties: Vec<_> = findings(report).iter().map(|finding| &finding["certainty"]).collect();
    assert!(certainties.iter().all(|certainty| *certainty == "hazard"), "{report:#}");
    assert_eq!(status, 0, "{stderr}\n{:#}", report["problems"]);
    assert_eq!(report["stats"]["lost"], 0, "{:#}", report["stats"]);
}

/// Compares, for each process, the events in the trace with what its threads counted.
fn assert_counted(soak: &Soak, trace: &Path) {
    let trace = source::open(trace).unwrap();
    let mut recorded: HashMap<String, [u64; N_KINDS]> = HashMap::new();
    for family in &trace.families {
        source::scan(family, |member, event| {
            let label = family.dictionary.labels.get(&event.object().0);
            if let Some(kind) = label.and_then(|label| kind_of(event.kind(), label)) {
                let header = &family.members[member as usize].header;
                recorded.entry(format!("{}-{}", header.pid, header.start)).or_default()[kind] += 1;
            }
        });
    }
    let counts = soak.counts();
    let (mut n_processes, mut n_done) = (0, 0);
    for incarnation in 0.. {
        let Ok(process) = fs::read_to_string(soak.folder.path().join(format!("incarnation-{incarnation}"))) else {
            break;
        };
        let recorded = recorded.get(&process).copied().unwrap_or_default();
        n_processes += 1;
        for kind in 0..N_KINDS {
            let at = |thread| 1 + ((incarnation * N_THREADS + thread) * N_KINDS + kind) * 2;
            let sum = |which| (0..N_THREADS).map(|thread| counts[at(thread) + which]).sum::<u64>() * EVENTS[kind];
            let (begun, done) = (sum(0), sum(1));
            let found = recorded[kind];
            assert!((done..=begun).contains(&found), "{process}, kind {kind}: {found} events of {done} to {begun}");
            n_done += done / EVENTS[kind];
        }
    }
    // But for what was in flight when it was killed.
    let n_lost = N_THREADS as u64 * n_processes;
    assert!(n_processes > 8 && n_done + n_lost >= n_operations(), "{n_done} operations of {n_processes} processes");
}

/// The kind of operation that an event on an object is counted for.
fn kind_of(event: Kind, label: &str) -> Option<usize> {
    match (event, label) {
        (Kind::ACQUIRE, "table") => Some(1),
        (Kind::ACQUIRE, "seats") => Some(2),
        (Kind::NOTIFY, "filled") => Some(3),
        (Kind::ACQUIRE, label) if label.starts_with("mutex ") => Some(0),
        _ => None,
    }
}
