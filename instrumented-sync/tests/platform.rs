//! What the crate is elsewhere: std, with no dependency.
//!
//! Which platforms record is asked of the build script, and of cargo what is built for them. That the code which is
//! left compiles, `tests/unrecorded.rs` shows without the feature `record`: it is the same code, and the root
//! package's `tests/tidy.rs` keeps what belongs to a platform out of it. Where the standard library of another
//! platform is installed, the crate is checked for that as well.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests fail like tests")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Platforms, and whether they record.
const PLATFORMS: [(&str, bool); 10] = [
    ("x86_64-unknown-linux-gnu", true),
    ("aarch64-unknown-linux-gnu", true),
    ("riscv64gc-unknown-linux-musl", true),
    ("i686-unknown-linux-gnu", false),
    ("armv7-unknown-linux-gnueabihf", false),
    ("s390x-unknown-linux-gnu", false),
    ("x86_64-pc-windows-msvc", false),
    ("aarch64-apple-darwin", false),
    ("x86_64-unknown-freebsd", false),
    ("wasm32-unknown-unknown", false),
];

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap());
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--offline");
    cargo
}

/// The build script as it was built last.
fn build_script() -> PathBuf {
    let builds = Path::new(env!("OUT_DIR")).ancestors().nth(2).unwrap();
    let folders = fs::read_dir(builds).unwrap().map(|folder| folder.unwrap().path());
    let ours = folders.filter(|folder| folder.file_name().unwrap().to_string_lossy().starts_with("instrumented-sync-"));
    let scripts = ours.map(|folder| folder.join("build-script-build")).filter(|script| script.exists());
    scripts.max_by_key(|script| fs::metadata(script).unwrap().modified().unwrap()).unwrap()
}

/// What the build script tells cargo when a platform is built for.
fn configuration(platform: &str) -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let scratch = tempfile::tempdir().unwrap();
    let mut script = Command::new(build_script());
    script.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    script.env("RUSTC", &rustc).env("OUT_DIR", scratch.path()).env("TARGET", platform).env("CARGO_FEATURE_RECORD", "1");
    for line in output(Command::new(rustc).args(["--print", "cfg", "--target", platform])).lines() {
        if let Some((name, value)) = line.split_once('=') {
            script.env(format!("CARGO_CFG_{}", name.to_uppercase()), value.trim_matches('"'));
        }
    }
    output(&mut script)
}

#[test]
fn only_linux_with_64_bits_records() {
    for (platform, records) in PLATFORMS {
        let told = configuration(platform);
        assert!(told.contains("cargo::rustc-check-cfg=cfg(recorded)"), "{told}");
        let is_told = told.lines().any(|line| line == "cargo::rustc-cfg=recorded");
        assert_eq!(is_told, records, "{platform}: {told}");
    }
}

#[test]
fn who_does_not_record_depends_on_nothing() {
    for (platform, records) in PLATFORMS {
        let mut tree = cargo();
        tree.args(["tree", "--edges", "normal", "--prefix", "none", "--target", platform]);
        let text = output(&mut tree);
        let crates: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(crates[0], "instrumented-sync");
        assert_eq!(crates.len() > 1, records, "{platform}: {crates:?}");
        assert_eq!(crates.contains(&"trace-format"), records);
    }
}

/// Every other platform whose standard library is installed.
#[test]
fn it_compiles_elsewhere() {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let installed = output(Command::new(&rustc).args(["--print", "sysroot"]));
    let version = output(Command::new(&rustc).arg("-vV"));
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let folders = fs::read_dir(Path::new(installed.trim()).join("lib/rustlib")).unwrap();
    let folders = folders.map(|folder| folder.unwrap()).filter(|folder| folder.path().join("lib").exists());
    let mut targets: Vec<_> = folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    targets.retain(|target| target != host && target.contains('-'));
    if targets.is_empty() {
        return println!("no standard library but that of {host} is installed: nothing else is checked");
    }
    for target in targets {
        let mut check = cargo();
        check.args(["check", "--lib", "--quiet", "--target", &target]);
        output(check.arg("--target-dir").arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("elsewhere")));
    }
}
