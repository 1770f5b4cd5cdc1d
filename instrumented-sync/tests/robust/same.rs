//! Programs that do the same, byte for byte, whether they are recorded or not: what they print, and how they end.

mod early;
mod ends;
mod forks;
mod limits;
mod loader;
mod panics;
mod signals;
mod volume;

use crate::support::{
    Trace, process_files,
    program::{LIMIT, command},
    rules,
};
use std::{
    env, fs,
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};
use trace_format::{Kind, MAX_BYTES_VARIABLE, TRACE_VARIABLE};

/// The programs that are run with and without recording.
pub(crate) const ROLES: &[(&str, fn())] = &[
    ("same::early::before_main", early::before_main),
    ("same::early::at_exit", early::at_exit),
    ("same::ends::aborts", ends::aborts),
    ("same::ends::is_killed", ends::is_killed),
    ("same::ends::exits_inside", ends::exits_inside),
    ("same::ends::exits_elsewhere", ends::exits_elsewhere),
    ("same::ends::exits_among_many", ends::exits_among_many),
    ("same::ends::leaves_main", ends::leaves_main),
    ("same::ends::outlives_main", ends::outlives_main),
    ("same::forks::execs", forks::execs),
    ("same::forks::spawns", forks::spawns),
    ("same::forks::becomes_a_daemon", forks::becomes_a_daemon),
    ("same::forks::in_a_handler", forks::in_a_handler),
    ("same::forks::at_the_first_operation", forks::at_the_first_operation),
    ("same::forks::with_many_holds", forks::with_many_holds),
    ("same::limits::no_descriptor", limits::no_descriptor),
    ("same::limits::no_descriptor_from_the_start", limits::no_descriptor_from_the_start),
    ("same::limits::no_memory", limits::no_memory),
    ("same::limits::no_threads", limits::no_threads),
    ("same::limits::short_files", limits::short_files),
    ("same::limits::short_files_ignored", limits::short_files_ignored),
    ("same::limits::no_mappings", limits::no_mappings),
    ("same::loader::first_lock_in_a_callback", loader::first_lock_in_a_callback),
    ("same::panics::in_initialisers", panics::in_initialisers),
    ("same::panics::in_conditions", panics::in_conditions),
    ("same::panics::in_threads", panics::in_threads),
    ("same::panics::in_guarded_values", panics::in_guarded_values),
    ("same::panics::in_tasks", panics::in_tasks),
    ("same::panics::in_resources", panics::in_resources),
    ("same::panics::in_sections", panics::in_sections),
    ("same::panics::in_wakers", panics::in_wakers),
    ("same::panics::in_futures", panics::in_futures),
    ("same::panics::twice", panics::twice),
    ("same::panics::to_the_end", panics::to_the_end),
    ("same::signals::ticking", signals::ticking),
    ("same::volume::locks_alive", volume::locks_alive),
    ("same::volume::short_lives", volume::short_lives),
];

/// Whether there is time for the numbers that the issue is about, instead of a sample.
pub(crate) fn full() -> bool {
    env::var_os("CI_FULL").is_some()
}

/// What can be seen of a run from outside.
#[derive(PartialEq, Eq, Debug)]
struct Seen {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a program; into files, which do not stay open for a reader if a child of it lives on.
fn observe(role: &str, trace: Option<&Path>) -> Seen {
    let dir = tempfile::tempdir().unwrap();
    let files = ["stdout", "stderr"].map(|name| dir.path().join(name));
    let mut command = command(role, trace.unwrap_or(Path::new("")));
    if trace.is_none() {
        command.env_remove(TRACE_VARIABLE);
    }
    // What is read into this process at the end.
    command.env(MAX_BYTES_VARIABLE, (256 << 20).to_string()).env("RUST_BACKTRACE", "0");
    command.stdin(std::process::Stdio::null());
    command.stdout(fs::File::create(&files[0]).unwrap()).stderr(fs::File::create(&files[1]).unwrap());
    let mut child = command.spawn().unwrap();
    let start = Instant::now();
    let limit = if full() { 20 * LIMIT } else { LIMIT };
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            panic!("{role} hangs, recorded: {}; {}", trace.is_some(), fs::read_to_string(&files[0]).unwrap());
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let [stdout, stderr] = files.map(|file| without_chance(&String::from_utf8_lossy(&fs::read(file).unwrap())));
    Seen { status, stdout, stderr }
}

/// Leaves out what differs between any two runs: ids of threads, times, addresses.
fn without_chance(text: &str) -> String {
    let line = |line: &str| {
        let line = line.split(" finished in ").next().unwrap();
        match line.split_once("' (") {
            Some((thread, rest)) if thread.starts_with("thread '") => {
                format!("{thread}' {}", rest.split_once(')').map_or(rest, |(_, rest)| rest))
            }
            _ => line.to_owned(),
        }
    };
    // Of a backtrace, which std prints before it ends a program that panics twice, addresses and depths.
    let is_frame = |line: &&str| line.trim_start().split_once(": ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
    text.lines().filter(|line| !is_frame(line)).map(line).collect::<Vec<_>>().join("\n")
}

/// Runs a program with and without recording; returns what it left behind.
fn run_both(role: &str) -> Vec<Trace> {
    let dir = tempfile::tempdir().unwrap();
    let alone = observe(role, None);
    let recorded = observe(role, Some(dir.path()));
    assert_eq!(alone.stdout, recorded.stdout, "{role} printed something else while it was recorded");
    assert_eq!(alone.stderr, recorded.stderr, "{role} printed something else while it was recorded");
    assert_eq!(alone.status, recorded.status, "{role} ended otherwise while it was recorded");
    assert!(alone.stdout.contains("@says "), "{role} says nothing: {alone:?}");
    let traces: Vec<_> = process_files(dir.path()).iter().filter_map(|path| Trace::read(path)).collect();
    // A RELEASE may follow a gap.
    for trace in traces.iter().filter(|trace| trace.n_lost() == 0) {
        trace.threads.iter().for_each(rules::check_holds);
    }
    traces
}

/// What a program says for the comparison; there has to be something.
fn say(word: impl std::fmt::Display) {
    println!("@says {word}");
}

/// All programs of a module, and what holds for the trace of each.
fn check(module: &str, trace: impl Fn(&str, &[Trace])) {
    let prefix = format!("same::{module}::");
    let roles = ROLES.iter().filter_map(|(role, _)| Some((*role, role.strip_prefix(&prefix)?)));
    let mut n = 0;
    for (role, name) in roles {
        trace(name, &run_both(role));
        n += 1;
    }
    assert!(n > 0);
}

fn is_recorded(traces: &[Trace]) -> bool {
    traces.iter().any(|trace| trace.count(Kind::ACQUIRE) > 0)
}

#[test]
fn panics_are_the_same() {
    check("panics", |name, traces| {
        assert!(is_recorded(traces), "{name}");
        if name.starts_with("in_") {
            rules::check(&traces[0], rules::Ending::Exit);
            assert!(traces[0].slots().iter().all(|slot| slot.n_holds == 0 && slot.wait.is_none()), "{name}");
            assert_eq!(traces[0].count(Kind::SIGNAL_BEGIN), traces[0].count(Kind::SIGNAL_END), "{name}");
        }
    });
}

#[test]
fn ends_are_the_same() {
    check("ends", |name, traces| {
        assert!(is_recorded(traces), "{name}");
        let by_exit = name.starts_with("exits") || name.ends_with("main");
        assert_eq!(traces[0].header.exited, by_exit, "{name}");
        if name == "leaves_main" {
            ends::check_leaves_main(&traces[0]);
        }
    });
}

#[test]
fn what_runs_before_main_and_after_it_is_the_same() {
    check("early", |name, traces| {
        rules::check(&traces[0], rules::Ending::Exit);
        for label in if name == "before_main" { &["constructor", "destructor"][..] } else { &["early", "late"] } {
            let object = traces[0].labelled(label);
            let n = traces[0].events().filter(|event| event.object().0 == object).count();
            assert!(n >= 3, "{name}: {n} events of the lock that is {label}");
        }
    });
}

#[test]
fn forks_are_the_same() {
    check("forks", |name, traces| {
        assert!(is_recorded(traces), "{name}");
        if name == "with_many_holds" {
            forks::check_many_holds(traces);
        }
    });
}

#[test]
fn limits_are_the_same() {
    check("limits", |name, traces| match name {
        // Without a file nothing can be counted.
        "no_descriptor_from_the_start" => assert!(traces.is_empty()),
        "no_threads" => limits::check_no_threads(&traces[0]),
        _ => assert!(traces[0].n_lost() > 0 && is_recorded(traces), "{name}: {} lost", traces[0].n_lost()),
    });
}

#[test]
fn what_runs_under_the_loaders_lock_is_the_same() {
    check("loader", |name, traces| assert!(is_recorded(traces), "{name}"));
}

#[test]
fn signals_are_the_same() {
    check("signals", |name, traces| {
        assert!(is_recorded(traces), "{name}");
        if traces[0].n_lost() == 0 {
            rules::check_acquires(&traces[0]);
        }
        assert!(traces[0].slots().iter().all(|slot| slot.n_holds == 0));
    });
}

#[test]
fn large_numbers_are_the_same() {
    check("volume", |name, traces| {
        assert!(is_recorded(traces), "{name}");
        volume::check(name, &traces[0]);
    });
}
