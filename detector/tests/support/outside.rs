//! The crate outside the workspace: copied to a place of its own, built there, run under the tool, its report read.
#![allow(dead_code, reason = "each test uses its part of this")]

use serde_json::Value;
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

pub(crate) const TOOL: &str = env!("CARGO_BIN_EXE_deadlock-check");

fn manifest_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies the crate to a place outside the workspace; `edit` may change its programs on the way.
///
/// A file that is there already is not touched: neither a build beside this one, nor what was built before, notices.
pub(crate) fn copy_crate(to: &Path, edit: impl Fn(String) -> String) {
    let from = manifest_dir().join("tests/outside");
    let wrappers = manifest_dir().join("../instrumented-sync").canonicalize().unwrap();
    for path in files_below(&from) {
        let mut text = fs::read_to_string(&path).unwrap();
        if path.parent().unwrap().ends_with("bin") {
            text = edit(text);
        }
        put(
            &to.join(path.strip_prefix(&from).unwrap()),
            &text.replace("@INSTRUMENTED_SYNC@", wrappers.to_str().unwrap()),
        );
    }
    // The versions of the workspace: the test asks no registry.
    let versions = fs::read_to_string(manifest_dir().join("../Cargo.lock")).unwrap();
    put(&to.join("Cargo.lock"), &versions);
    for path in files_below(&to.join("src")) {
        if !from.join(path.strip_prefix(to).unwrap()).exists() {
            let _another_test_was_faster = fs::remove_file(path);
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![folder.to_path_buf()], vec![]);
    while let Some(folder) = folders.pop() {
        let (inner, found) = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .partition::<Vec<_>, _>(|path| path.is_dir());
        folders.extend(inner);
        files.extend(found);
    }
    files
}

/// Writes a file in one step, if it does not say this already.
fn put(path: &Path, text: &str) {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.persist(path).unwrap();
}

/// Builds the crate in `dir`, with `cargo` and `arguments`; what that printed.
pub(crate) fn build(dir: &Path, target: &Path, arguments: &[&str]) -> String {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).args(["--quiet", "--offline", "--target-dir"]).arg(target).current_dir(dir);
    // What cargo tells its tests must not reach the cargo that the test starts.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
        if name != "CARGO_HOME" {
            command.env_remove(name);
        }
    }
    command.env_remove("RUSTFLAGS");
    let output = command.output().unwrap();
    assert!(output.status.success(), "the outside crate does not build: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The crate's place, one for all test programs: it is built once, and takes a gigabyte.
fn base() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("outside")
}

/// The crate, built once for all tests of a test program: where its sources and its programs are.
pub(crate) fn outside() -> &'static (PathBuf, PathBuf) {
    built(&["build"])
}

/// One of its programs, for a test program that runs no other one: to be called before anything else.
pub(crate) fn only_program(name: &str) -> PathBuf {
    built(&["build", "--bin", name]).1.join(name)
}

fn built(arguments: &[&str]) -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let (source, target) = (base().join("crate"), base().join("target"));
        copy_crate(&source, |text| text);
        build(&source, &target, arguments);
        (source, target.join("debug"))
    })
}

/// The crate's tests of this name, built.
pub(crate) fn test_program(name: &str) -> PathBuf {
    let (source, _) = outside();
    let arguments = ["test", "--no-run", "--message-format", "json", "--test", name];
    let messages = build(source, &base().join("target"), &arguments);
    let messages = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let tests = messages.filter(|message| message["profile"]["test"] == true && message["target"]["name"] == name);
    let executable = tests.map(|message| message["executable"].as_str().unwrap().to_owned()).next_back();
    executable.unwrap().into()
}

pub(crate) fn program(name: &str) -> PathBuf {
    outside().1.join(name)
}

pub(crate) fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(TOOL);
    command.args(arguments).current_dir(&outside().0).env_remove("DEADLOCK_CHECK_TRACE");
    command
}

/// Runs a program under the tool; its report as JSON, and the tool's exit status.
pub(crate) fn run(name: &str, arguments: &[&str]) -> (Value, i32) {
    run_command(arguments, &program(name), &[])
}

/// The same for a program with arguments of its own.
pub(crate) fn run_command(arguments: &[&str], program: &Path, of_program: &[&str]) -> (Value, i32) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["run", "--format", "json", "-o", report.path().to_str().unwrap()]);
    let output = command.args(arguments).arg("--").arg(program).args(of_program).output().unwrap();
    read_report(report.path(), &output)
}

/// Runs a program that hangs, as [`run_command`]; also says when the tool first spoke of it.
#[allow(dead_code, reason = "not every test binary asks for the time")]
pub(crate) fn run_and_time(arguments: &[&str], program: &Path, of_program: &[&str]) -> (Value, i32, Duration) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["run", "--format", "json", "-o", report.path().to_str().unwrap()]);
    command.args(arguments).arg("--").arg(program).args(of_program);
    let begin = Instant::now();
    let mut tool = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stderr, mut spoke_after) = (String::new(), None);
    for line in BufReader::new(tool.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("deadlock-check: ") {
            spoke_after.get_or_insert(begin.elapsed());
        }
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let output = Output { status: tool.wait().unwrap(), stdout: Vec::new(), stderr: stderr.into_bytes() };
    let (json, status) = read_report(report.path(), &output);
    let spoke_after = spoke_after.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (json, status, spoke_after)
}

pub(crate) fn check(trace: &Path) -> (Value, i32) {
    let report = tempfile::NamedTempFile::new().unwrap();
    let mut command = tool(&["check", "--format", "json", "-o", report.path().to_str().unwrap()]);
    let output = command.arg(trace).output().unwrap();
    read_report(report.path(), &output)
}

pub(crate) fn read_report(path: &Path, output: &Output) -> (Value, i32) {
    let text = fs::read_to_string(path).unwrap();
    let report = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}\n{}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

pub(crate) fn findings(report: &Value) -> &Vec<Value> {
    report["findings"].as_array().unwrap()
}

pub(crate) fn ids(report: &Value) -> Vec<&str> {
    let mut ids: Vec<_> = findings(report).iter().map(|finding| finding["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids
}

/// Line of the first occurrence of `text` in a source file.
pub(crate) fn line_of(file: &str, text: &str) -> u64 {
    let source = fs::read_to_string(outside().0.join(file)).unwrap();
    source.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{file}: no {text}")) as u64 + 1
}
