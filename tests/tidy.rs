//! House rules that a compiler does not check: forbidden arrows between modules, lengths of files and functions,
//! a proof beside each `unsafe`, a partner beside each memory ordering.
//!
//! The rules and their reasons stand in ARCHITECTURE.md.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands, in its own functions too")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest source file, in lines before its tests.
const FILE_LINES_MAX: usize = 500;
/// Longest function, in lines; clippy checks it too, but counts differently.
const FUNCTION_LINES_MAX: usize = 70;
/// How many lines above an atomic access its comment may begin.
const ORDERING_COMMENT_LINES: usize = 12;
/// How many lines above an `unsafe` its proof may begin.
const SAFETY_COMMENT_LINES: usize = 12;

struct Source {
    /// Path from the workspace's root, with slashes.
    path: String,
    text: String,
}

impl Source {
    /// The lines before the file's unit tests, with their numbers.
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = self.text.find("\n#[cfg(test)]\nmod tests").unwrap_or(self.text.len());
        self.text[..end].lines().enumerate().map(|(n, line)| (n + 1, line))
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().unwrap() != "target" {
                rust_files(&path, found);
            }
        } else if path.extension().is_some_and(|suffix| suffix == "rs") {
            found.push(path);
        }
    }
}

/// All source files of the crates, tests and benchmarks left out.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in ["trace-format/src", "instrumented-sync/src", "detector/src"] {
        rust_files(&root().join(folder), &mut paths);
    }
    // Unit tests that have a file of their own, and what they share.
    paths.retain(|path| !["tests.rs", "fixture.rs"].iter().any(|name| path.ends_with(name)));
    assert!(paths.len() > 40, "the walk does not find the sources any more");
    let source = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/"),
    };
    paths.into_iter().map(source).collect()
}

/// Collects violations, so that one run shows all of them.
fn assert_none(rule: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{rule}:\n{}", violations.join("\n"));
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

#[test]
fn files_are_short() {
    let too_long = sources().into_iter().filter_map(|source| {
        let n_lines = source.lines().count();
        (n_lines > FILE_LINES_MAX).then(|| format!("{}: {n_lines} lines", source.path))
    });
    assert_none("files have at most 500 lines before their tests", &too_long.collect::<Vec<_>>());
}

#[test]
fn functions_are_short() {
    let mut violations = Vec::new();
    for source in sources() {
        let lines: Vec<_> = source.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let words = line.trim_start();
            let is_function =
                ["fn ", "pub fn ", "const fn ", "pub const fn ", "unsafe fn ", "pub(crate) fn ", "pub(super) fn "]
                    .iter()
                    .any(|head| words.starts_with(head));
            if !is_function || words.ends_with(';') || words.ends_with('}') {
                continue;
            }
            let closing = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|line| **line == closing).unwrap_or(0);
            if length > FUNCTION_LINES_MAX {
                violations.push(format!("{}:{}: {length} lines", source.path, start + 1));
            }
        }
    }
    assert_none("functions have at most 70 lines", &violations);
}

#[test]
fn arrows_between_crates_are_kept() {
    let mut violations = Vec::new();
    for source in sources() {
        let (folder, forbidden): (_, &[&str]) = match source.path.split('/').next() {
            Some("detector") => ("detector", &["instrumented_sync::"]),
            Some("instrumented-sync") => ("instrumented-sync", &["detector::", "petgraph::", "parking_lot::"]),
            _ => ("trace-format", &["detector::", "instrumented_sync::", "petgraph::"]),
        };
        for (n, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            if forbidden.iter().any(|name| line.contains(name)) {
                violations.push(format!("{}:{n}: {folder} must not know this: {}", source.path, line.trim()));
            }
        }
    }
    for (manifest, forbidden) in
        [("detector/Cargo.toml", "instrumented-sync"), ("instrumented-sync/Cargo.toml", "deadlock-check")]
    {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let depends = text.lines().any(|line| line.starts_with(forbidden));
        if depends {
            violations.push(format!("{manifest}: depends on {forbidden}"));
        }
    }
    assert_none("detector and instrumented-sync do not know each other", &violations);
}

/// Names that may appear in some folders only.
const ONLY_IN: &[(&str, &[&str], &str)] = &[
    ("petgraph", &["detector/src/graph", "detector/src/analysis"], "graphs stay in graph and analysis"),
    ("serde", &["detector/src/render/json", "detector/src/suppress"], "finding is plain data"),
    (
        "recorder::",
        &[
            "instrumented-sync/src/recorder",
            "instrumented-sync/src/probe.rs",
            "instrumented-sync/src/probe/access.rs",
            "instrumented-sync/src/identity.rs",
            "instrumented-sync/src/trace.rs",
        ],
        "wrappers reach the recorder through probes",
    ),
    ("libc::", &["instrumented-sync/src/recorder"], "platform code stays in the recorder"),
    ("cfg(loom", &["instrumented-sync/src/native.rs"], "one module chooses the primitives"),
    (
        "modelled_by",
        &[
            "instrumented-sync/src/native.rs",
            "instrumented-sync/src/model.rs",
            // Where macros have to be: at the root.
            "instrumented-sync/src/lib.rs",
        ],
        "whose primitives they are is known to two modules",
    ),
    ("loom::", &["instrumented-sync/src/model", "instrumented-sync/src/lib.rs"], "models stay in model"),
    ("shuttle::", &["instrumented-sync/src/model", "instrumented-sync/src/native.rs"], "models stay in model"),
    (
        "memmap2",
        &["trace-format/src/segment.rs", "instrumented-sync/src/process/shared/region.rs"],
        "one routine maps traces, one what processes share",
    ),
];

/// Modules of the detector that must not name others.
const NOT_KNOWN_TO: &[(&str, &[&str])] = &[
    ("detector/src/render", &["crate::model", "crate::graph", "crate::analysis", "crate::source", "crate::merge"]),
    (
        "detector/src/analysis",
        &["crate::render", "crate::source", "crate::cli", "crate::symbolize", "std::fs", "std::io", "File::"],
    ),
    ("detector/src/graph", &["crate::render", "crate::source", "crate::analysis", "std::fs"]),
    ("detector/src/model", &["crate::analysis", "crate::graph", "crate::render", "std::fs"]),
    ("detector/src/merge", &["crate::analysis", "crate::graph", "crate::render", "std::fs"]),
    ("detector/src/source", &["crate::analysis", "crate::graph", "crate::render", "crate::model::"]),
    (
        "detector/src/race",
        &[
            "crate::render",
            "crate::source",
            "crate::analysis",
            "crate::graph",
            "crate::model",
            "crate::merge",
            "crate::prediction",
            "crate::finding",
        ],
    ),
    ("detector/src/watch", &["crate::cli", "crate::render", "crate::analysis", "crate::model", "crate::merge"]),
    ("detector/src/finding", &["crate::"]),
];

#[test]
fn arrows_between_modules_are_kept() {
    let mut violations = Vec::new();
    for source in sources() {
        for (n, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            for (name, folders, rule) in ONLY_IN {
                if line.contains(name) && !source.is_in(folders) {
                    violations.push(format!("{}:{n}: {rule}: {}", source.path, line.trim()));
                }
            }
            for (folder, forbidden) in NOT_KNOWN_TO {
                if source.is_in(&[folder]) && forbidden.iter().any(|name| line.contains(name)) {
                    violations.push(format!("{}:{n}: an arrow that points back: {}", source.path, line.trim()));
                }
            }
        }
    }
    assert_none("data flows one way", &violations);
}

/// Words of code for one platform; of `std::os` any path, also one in braces behind `std::`.
const PLATFORM_WORDS: &[&str] = &["libc", "os::", "arch::", "asm!", "target_os", "target_arch", "target_pointer_width"];
/// Where they may stand: what asks the system, what `std::os` adds to handles and commands, and how a child ended.
const PLATFORM_IN: &[&str] = &[
    "instrumented-sync/src/process/command/unix.rs",
    "instrumented-sync/src/process/record.rs",
    "instrumented-sync/src/process/shared",
    "instrumented-sync/src/recorder",
    "instrumented-sync/src/thread/unix.rs",
];

/// `text` as a word of its own, or the beginning of a path.
fn has_word(line: &str, text: &str) -> bool {
    let is_inside = |before: &str| before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
    line.match_indices(text).any(|(at, _)| !is_inside(&line[..at]))
}

#[test]
fn platform_code_stands_where_only_its_platform_sees_it() {
    let mut violations = Vec::new();
    for source in sources().into_iter().filter(|source| source.is_in(&["instrumented-sync/"])) {
        for (n, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            if PLATFORM_WORDS.iter().any(|word| has_word(line, word)) && !source.is_in(PLATFORM_IN) {
                violations.push(format!("{}:{n}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("on another platform the crate is std's, and compiles", &violations);
    let library = fs::read_to_string(root().join("instrumented-sync/src/lib.rs")).unwrap();
    let process = fs::read_to_string(root().join("instrumented-sync/src/process.rs")).unwrap();
    for (module, text) in [
        ("mod recorder;", &library),
        ("pub mod thread;", &library),
        ("mod command;", &process),
        ("mod record;", &process),
    ] {
        assert!(text.contains(&format!("#[cfg(recorded)]\n{module}")), "`{module}` is compiled everywhere");
    }
    let (before, _) = process.split_once("pub mod shared;").unwrap();
    assert!(before.contains("#[cfg(shared)]\n"), "`shared` is compiled everywhere");
}

#[test]
fn analyses_do_not_know_each_other() {
    let mut violations = Vec::new();
    let analyses: Vec<_> = sources().into_iter().filter(|source| source.is_in(&["detector/src/analysis/"])).collect();
    let names: Vec<_> =
        analyses.iter().map(|source| source.path.split(['/', '.']).nth(3).unwrap().to_owned()).collect();
    for (source, own) in analyses.iter().zip(&names) {
        for (n, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            let other = names.iter().find(|name| *name != own && line.contains(&format!("analysis::{name}")));
            if let Some(other) = other {
                violations.push(format!("{}:{n}: {own} knows {other}: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("an analysis does not know another", &violations);
}

/// Where `unsafe` may stand.
const UNSAFE_IN: &[&str] = &[
    "trace-format/src/segment.rs",
    "instrumented-sync/src/recorder",
    "instrumented-sync/src/cell/race.rs",
    // `from_ptr`.
    "instrumented-sync/src/sync/atomic",
    "instrumented-sync/src/sync/mutex.rs",
    "instrumented-sync/src/sync/reentrant_lock.rs",
    // What lies in memory of other processes, and what it guards.
    "instrumented-sync/src/process/shared/object.rs",
    "instrumented-sync/src/process/shared/region.rs",
    "instrumented-sync/src/process/shared/guarded.rs",
    "instrumented-sync/src/process/shared/mutex.rs",
    "instrumented-sync/src/process/shared/rwlock.rs",
    // `get_unchecked`.
    "instrumented-sync/src/once_cell",
    // Raw locks, and guards of theirs.
    "instrumented-sync/src/backend/lock_api",
    "instrumented-sync/src/backend/lock_api.rs",
    "instrumented-sync/src/backend/lock_api_05",
    "instrumented-sync/src/backend/lock_api_05.rs",
    "instrumented-sync/src/parking_lot/blocking/condvar.rs",
    "instrumented-sync/src/parking_lot_013/blocking/condvar.rs",
    // `pre_exec`.
    "instrumented-sync/src/process/command/unix.rs",
    "instrumented-sync/src/thread/builder.rs",
    "instrumented-sync/src/thread/scope.rs",
    // loom's threads are not scoped.
    "instrumented-sync/src/model/thread/scope.rs",
];

#[test]
fn unsafe_stands_where_it_may_and_is_proven() {
    let mut violations = Vec::new();
    for source in sources() {
        let lines: Vec<_> = source.text.lines().collect();
        for (n, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            let code = line.split("//").next().unwrap_or(line);
            if !["unsafe {", "unsafe impl", "unsafe fn", "unsafe extern"].iter().any(|word| code.contains(word)) {
                continue;
            }
            if !source.is_in(UNSAFE_IN) {
                violations.push(format!("{}:{n}: unsafe may not stand here", source.path));
            }
            let above = &lines[n.saturating_sub(SAFETY_COMMENT_LINES + 1)..n];
            let declared = code.contains("unsafe fn") || code.contains("unsafe extern");
            if !declared && !above.iter().any(|line| line.contains("SAFETY:")) {
                violations.push(format!("{}:{n}: no SAFETY comment", source.path));
            }
        }
    }
    assert_none("unsafe code", &violations);
}

#[test]
fn memory_orderings_are_explained() {
    let orderings = ["Relaxed)", "Relaxed,", "Acquire)", "Release)", "AcqRel", "SeqCst)"];
    let mut violations = Vec::new();
    for source in sources() {
        // The golden rule is about the writers' side and the protocols; readers copy bytes.
        if source.is_in(&["detector/"]) {
            continue;
        }
        let lines: Vec<_> = source.text.lines().collect();
        for (n, line) in source.lines().filter(|(_, line)| !is_comment(line)) {
            let accesses =
                [".load(", ".store(", ".fetch_", "compare_exchange", "fence("].iter().any(|call| line.contains(call));
            if !accesses || !orderings.iter().any(|ordering| line.contains(ordering)) || line.contains("fn ") {
                continue;
            }
            let above = &lines[n.saturating_sub(ORDERING_COMMENT_LINES + 1)..n];
            let explained = ["elaxed", "Pairs with", "pairs with", "Release", "Acquire"];
            let has_reason =
                above.iter().any(|line| is_comment(line) && explained.iter().any(|word| line.contains(word)));
            if !has_reason {
                violations.push(format!("{}:{n}: no reason for the ordering: {}", source.path, line.trim()));
            }
        }
    }
    assert_none("each memory ordering names its partner, or why it needs none", &violations);
}

#[test]
fn nothing_is_left_unfinished() {
    let marks =
        [["to", "do!("].concat(), ["unimple", "mented!("].concat(), ["#[ig", "nore"].concat(), ["FIX", "ME"].concat()];
    let mut violations = Vec::new();
    let mut paths = Vec::new();
    for folder in ["trace-format", "instrumented-sync", "detector", "tests", "examples"] {
        rust_files(&root().join(folder), &mut paths);
    }
    for path in paths {
        for (n, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                violations.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    assert_none("no stub, no ignored test", &violations);
}

#[test]
fn documents_agree_with_the_tree() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let architecture = read("ARCHITECTURE.md");
    for source in sources() {
        // `crate/src/module.rs` and what lies in `crate/src/module/` are one entry of the code map.
        let mut parts = source.path.split('/').skip(2);
        let module = parts.next().unwrap().trim_end_matches(".rs");
        let known = ["lib", "bin"].contains(&module) || architecture.contains(&format!("`{module}`"));
        assert!(known, "ARCHITECTURE.md does not mention `{module}` ({})", source.path);
    }
    let readme = read("README.md");
    for example in fs::read_dir(root().join("examples")).unwrap() {
        let name = example.unwrap().file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(readme.contains(&format!("`{name}`")), "README.md does not mention the example {name}");
    }
}
