//! Several copies of the wrappers in one process - versions in one program, plugins that each have their own - are one.
//!
//! The programs are made of `copies/`, outside the workspace, and of two more versions of the wrappers, which are copies
//! of their sources.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails where it stands, in its own functions too")]

#[path = "support/outside.rs"]
mod outside;

use outside::{TOOL, build, check, findings, read_report};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// How often two copies are told to record at the same moment.
const STARTS: usize = 200;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Copies the files of a folder; `edit` may change them on the way.
fn copy_folder(from: &Path, to: &Path, edit: &dyn Fn(&Path, String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy_folder(&path, &to, edit);
        } else {
            fs::write(to, edit(&path, fs::read_to_string(&path).unwrap())).unwrap();
        }
    }
}

/// Makes another version of the wrappers.
fn make_version(version: &str, to: &Path, edit: &dyn Fn(&Path, String) -> String) {
    let from = workspace().join("instrumented-sync");
    copy_folder(&from.join("src"), &to.join("src"), edit);
    fs::copy(from.join("build.rs"), to.join("build.rs")).unwrap();
    let manifest = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    // What follows is for the crate's own tests.
    let (manifest, _) = manifest.split_once("[dev-dependencies]").unwrap();
    let trace_format = format!("trace-format = {{ path = \"{}\"", workspace().join("trace-format").display());
    let manifest = manifest
        .replace("version.workspace = true", &format!("version = \"{version}\""))
        .replace("edition.workspace = true", "edition = \"2024\"")
        .replace("license.workspace = true", "")
        .replace("trace-format = { workspace = true", &trace_format)
        .replace("{ workspace = true", "{ version = \"*\"");
    fs::write(to.join("Cargo.toml"), manifest).unwrap();
}

/// Where the sources and the programs are.
fn built() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("copies");
        let (source, target) = (base.join("programs"), base.join("target"));
        let _absent_at_first = fs::remove_dir_all(&source);
        let versions = [workspace().join("instrumented-sync"), base.join("second"), base.join("stranger")];
        let of_programs = |_: &Path, text: String| {
            let names = ["@FIRST@", "@SECOND@", "@STRANGER@"].into_iter().zip(&versions);
            names.fold(text, |text, (name, path)| text.replace(name, path.to_str().unwrap()))
        };
        copy_folder(&workspace().join("detector/tests/copies"), &source, &of_programs);
        make_version("0.2.0", &versions[1], &|_, text| text);
        make_version("0.3.0", &versions[2], &|path, text| {
            let is_of_table = path.ends_with("recorder/table_abi.rs");
            assert!(!is_of_table || text.contains("const ABI: u32 = "), "the version of the table is somewhere else");
            if is_of_table { text.replace("const ABI: u32 = ", "const ABI: u32 = 1000 + ") } else { text }
        });
        // The versions of the workspace: the test asks no registry.
        fs::copy(workspace().join("Cargo.lock"), source.join("Cargo.lock")).unwrap();
        build(&source, &target, &["build", "--workspace"]);
        (source, target.join("debug"))
    })
}

/// The program with two versions, in a part of it.
fn versions(part: &str) -> Vec<PathBuf> {
    vec![built().1.join("versions"), part.into()]
}

/// The host of two plugins, in a part of it.
fn host(part: &str) -> Vec<PathBuf> {
    let programs = &built().1;
    vec![programs.join("host"), programs.join("libplugin_a.so"), programs.join("libplugin_b.so"), part.into()]
}

/// Runs a program under the tool, into `trace`; its report, and the tool's exit status.
fn run_into(trace: &Path, program: &[PathBuf]) -> (Value, i32) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = Command::new(TOOL);
    command.args(["run", "--format", "json", "-o", report.path().to_str().unwrap(), "--trace"]).arg(trace);
    command.arg("--").args(program).current_dir(&built().0).env_remove("DEADLOCK_CHECK_TRACE");
    let output = command.stdin(Stdio::null()).output().unwrap();
    read_report(report.path(), &output)
}

/// Runs a program of one process; that this has one process file goes without saying.
fn run(program: &[PathBuf]) -> (Value, i32) {
    let trace = tempfile::tempdir().unwrap();
    let (report, status) = run_into(trace.path(), program);
    assert_eq!(process_files(trace.path()).len(), 1, "{report:#}");
    assert_eq!(problems(&report), [""; 0], "{report:#}");
    (report, status)
}

fn process_files(trace: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(trace).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".events")).collect()
}

fn problems(report: &Value) -> Vec<&str> {
    report["problems"].as_array().unwrap().iter().map(|problem| problem["text"].as_str().unwrap()).collect()
}

fn only_finding(report: &Value) -> &Value {
    let [finding] = findings(report).as_slice() else { panic!("{report:#}") };
    finding
}

fn names<'f>(finding: &'f Value, what: &str, name: &str) -> BTreeSet<&'f str> {
    finding[what].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap_or_default()).collect()
}

fn threads_in_cycle(finding: &Value) -> BTreeSet<&str> {
    let edges = finding["edges"].as_array().unwrap().iter();
    edges.map(|edge| finding["threads"][edge["thread"].as_u64().unwrap() as usize]["name"].as_str().unwrap()).collect()
}

/// Where each edge has what it holds and wants what it wants: files and lines.
fn sites(finding: &Value) -> BTreeSet<[(String, u64); 2]> {
    let at = |edge: &Value, side: &str| {
        let place = &edge[side];
        (place["file"].as_str().unwrap().to_owned(), place["line"].as_u64().unwrap())
    };
    let edges = finding["edges"].as_array().unwrap();
    edges.iter().map(|edge| [at(edge, "held_at"), at(edge, "wanted_at")]).collect()
}

/// Number of the line of `file` that contains `text`, and how the report names it.
fn line(file: &str, text: &str) -> (String, u64) {
    let source = fs::read_to_string(built().0.join(file)).unwrap();
    let line = source.lines().position(|line| line.contains(text)).unwrap() as u64 + 1;
    (file.to_owned(), line)
}

/// The two threads of [`versions`], which hold what the other wants.
fn assert_is_cycle_of_versions(finding: &Value) {
    let main = "versions/src/main.rs";
    let above = |(file, line): (String, u64)| (file, line - 2);
    let (forwards, backwards) = (line(main, "// forwards"), line(main, "// backwards"));
    let expected = [[above(forwards.clone()), forwards], [above(backwards.clone()), backwards]];
    assert_eq!(sites(finding), BTreeSet::from(expected), "{finding:#}");
    assert_eq!(names(finding, "objects", "label"), ["of the first", "of the second"].into());
    let threads = ["a thread of the first version", "a thread of the second version"];
    // Where processes have to do with each other, names say of which one a thread is.
    let named = threads_in_cycle(finding);
    let named: BTreeSet<&str> = named.iter().map(|name| name.split(" of process ").next().unwrap_or(name)).collect();
    assert_eq!(named, threads.into());
    for edge in finding["edges"].as_array().unwrap() {
        for stack in ["held_stack", "wanted_stack"] {
            let frames = edge[stack].as_array().unwrap();
            let innermost = frames[0]["function"].as_str().unwrap();
            assert!(innermost.starts_with("versions::") && innermost.ends_with("wards"), "{edge:#}");
            assert!(!frames.iter().any(|frame| frame["function"].as_str().unwrap().contains("instrumented_sync")));
        }
    }
}

#[test]
fn an_order_across_two_versions_is_one_finding() {
    let (report, status) = run(&versions("orders"));
    assert_eq!(status, 1);
    let finding = only_finding(&report);
    assert_eq!((&finding["code"], &finding["certainty"]), (&"lock-order".into(), &"proven".into()));
    assert_is_cycle_of_versions(finding);
}

#[test]
fn a_hang_across_two_versions_is_observed() {
    let (report, status) = run(&versions("hangs"));
    assert_eq!(status, 1);
    let finding = only_finding(&report);
    assert_eq!((&finding["code"], &finding["certainty"]), (&"deadlock".into(), &"observed".into()));
    assert_is_cycle_of_versions(finding);
}

#[test]
fn plugins_are_one_recording() {
    let own = line("plugin.rs", "// own");
    for (part, code, certainty) in [("orders", "lock-order", "possible"), ("hangs", "deadlock", "observed")] {
        let (report, status) = run(&host(part));
        assert_eq!(status, 1, "{report:#}");
        let finding = only_finding(&report);
        assert_eq!((&finding["code"], &finding["certainty"]), (&code.into(), &certainty.into()), "{finding:#}");
        assert_eq!(names(finding, "objects", "label"), ["plugin_a", "plugin_b"].into());
        assert_eq!(threads_in_cycle(finding), ["started by plugin_a", "started by plugin_b"].into());
        let through = |edge: &Value, stack: &str| edge[stack][0]["function"].as_str().unwrap().to_owned();
        for edge in finding["edges"].as_array().unwrap() {
            assert_eq!(
                (through(edge, "held_stack"), through(edge, "wanted_stack")),
                ("with_own".into(), "with_own".into())
            );
            // Both plugins are made of one text, so the lines are the same; the frames further out are not.
            assert_eq!(edge["wanted_at"]["line"], own.1, "{edge:#}");
        }
    }
}

#[test]
fn a_join_by_another_plugin_orders() {
    let (report, status) = run(&host("joined"));
    assert_eq!((findings(&report).len(), status), (0, 0), "{report:#}");
    assert_eq!(report["coverage"]["unrecorded"], Value::Array(Vec::new()), "every thread was seen to start");
}

#[test]
fn a_lock_that_crosses_plugins_stays_one() {
    let (report, status) = run(&host("crosses"));
    assert_eq!(status, 1);
    let finding = only_finding(&report);
    assert_eq!(finding["code"], "lock-order");
    assert_eq!(names(finding, "objects", "label"), ["plugin_b", "shared"].into());
}

#[test]
fn who_drops_a_guard_of_another_copy_joins_it() {
    let base = tempfile::tempdir().unwrap();
    let (trace, program) = (base.path().join("trace"), host("meets"));
    let mut command = Command::new(&program[0]);
    let output = command.args(&program[1..]).arg(&trace).current_dir(&built().0).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(process_files(&trace).len(), 1);
    let (report, status) = check(&trace);
    assert_eq!((status, problems(&report).len()), (1, 0), "{report:#}");
    assert_eq!(names(only_finding(&report), "objects", "label"), ["plugin_a", "plugin_b"].into());
    // What `orders` records, and three acquires with their releases; the lock's CREATE has an extension.
    let n_events = |report: &Value| report["stats"]["events"].as_u64().unwrap();
    assert_eq!(n_events(&report), n_events(&run(&host("orders")).0) + 3 * 2 + 1, "{report:#}");
}

#[test]
fn strangers_record_apart_and_the_report_says_so() {
    let trace = tempfile::tempdir().unwrap();
    let (report, status) = run_into(trace.path(), &versions("strangers"));
    assert_eq!((findings(&report).len(), status), (0, 0), "{report:#}");
    assert_eq!(process_files(trace.path()).len(), 2);
    let [problem] = problems(&report)[..] else { panic!("{report:#}") };
    let expected = "has 2 recorders that do not know each other (instrumented-sync 0.1.0 and 0.3.0): cycles across them \
                    are not seen";
    assert!(problem.starts_with("process ") && problem.contains(expected), "{problem}");
    let events = report["stats"]["events"].as_u64().unwrap();
    assert!(events > 20, "both recorded: {report:#}");
}

#[test]
fn copies_that_begin_at_the_same_moment_join() {
    let trace = tempfile::tempdir().unwrap();
    let program = versions("at_once");
    for _ in 0..STARTS {
        let mut command = Command::new(&program[0]);
        let status = command.args(&program[1..]).env("DEADLOCK_CHECK_TRACE", trace.path()).status().unwrap();
        assert!(status.success());
    }
    let files = process_files(trace.path());
    assert_eq!(files.len(), STARTS, "one each");
    assert!(files.iter().all(|name| name.ends_with("-0.events")), "{files:?}");
    let (report, status) = check(trace.path());
    assert_eq!((problems(&report), status), (Vec::new(), 0));
    // Two threads, which are objects too, and each version's lock.
    assert_eq!(report["stats"]["threads"], 2 * STARTS as u64);
    assert_eq!(report["stats"]["objects"], 4 * STARTS as u64);
}

#[test]
fn a_forked_child_goes_on_with_both_versions() {
    for part in ["forks", "forks_early"] {
        let trace = tempfile::tempdir().unwrap();
        let (report, status) = run_into(trace.path(), &versions(part));
        assert_eq!((status, problems(&report).len()), (1, 0), "{part}: {report:#}");
        assert_eq!(process_files(trace.path()).len(), 2, "{part}: one for each process");
        assert_is_cycle_of_versions(only_finding(&report));
    }
}

#[test]
fn whatever_is_done_is_recorded_alike_by_owners_and_delegates() {
    let [owner, delegate] = ["works_second", "works_first"].map(|part| {
        let (report, status) = run(&versions(part));
        assert_eq!((findings(&report).len(), status), (0, 0), "{part}: {report:#}");
        report["stats"].clone()
    });
    assert_eq!(owner, delegate);
    assert_eq!(owner["lost"], 0);
    assert!(owner["events"].as_u64().unwrap() > 500, "{owner:#}");
}

#[test]
fn what_an_earlier_image_left_does_not_confuse() {
    let trace = tempfile::tempdir().unwrap();
    let (report, status) = run_into(trace.path(), &versions("execs"));
    assert_eq!((status, problems(&report).len()), (1, 0), "{report:#}");
    assert_eq!(process_files(trace.path()).len(), 2, "one for each image");
    assert_is_cycle_of_versions(only_finding(&report));
}

#[test]
fn recording_is_switched_on_once_for_all() {
    let base = tempfile::tempdir().unwrap();
    let trace = base.path().join("trace");
    for part in ["starts", "starts_elsewhere"] {
        let _absent_at_first = fs::remove_dir_all(&trace);
        let program = versions(part);
        let output =
            Command::new(&program[0]).args(&program[1..]).arg(&trace).current_dir(&built().0).output().unwrap();
        assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stderr));
        let (report, status) = check(&trace);
        assert_eq!((status, problems(&report).len()), (1, 0), "{part}: {report:#}");
        assert_eq!(process_files(&trace).len(), 1, "{part}");
        let finding = only_finding(&report);
        assert_eq!(names(finding, "objects", "label"), ["of the first", "of the second"].into(), "{part}");
    }
    let (report, _) = check(&base.path().join("trace-elsewhere"));
    let [problem] = problems(&report)[..] else { panic!("{report:#}") };
    assert!(problem.contains("0.3.0, and one that records into another directory"), "{problem}");
}
