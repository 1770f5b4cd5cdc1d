//! Addresses of this very test, resolved from its own executable.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use detector::{
    finding::{Frame, Place},
    model::{Model, Module, Process, ProcessId, Site, SiteId, StackId},
    symbolize::Symbolizer,
};
use std::{fs, path::Path};

/// A module of this process as the recorder would describe it.
fn own_module(build_id: Vec<u8>) -> Module {
    let path = fs::read_link("/proc/self/exe").unwrap().display().to_string();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let ranges: Vec<(u64, u64)> = maps
        .lines()
        .filter(|line| line.ends_with(&path))
        .map(|line| {
            let (start, end) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
            (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap())
        })
        .collect();
    let (start, end) = (ranges[0].0, ranges.last().unwrap().1);
    Module { base: start, start, end, build_id, path }
}

fn model(module: Module, stack: Vec<u64>, line: u32) -> Model {
    let process = Process { pid: 1, program: module.path.clone(), modules: vec![module], ..Process::default() };
    let site = Site {
        process: ProcessId(0),
        file: "detector/tests/symbolize.rs".to_owned(),
        line,
        column: 5,
        stack: Some(StackId(0)),
    };
    Model { processes: vec![process], sites: vec![site], stacks: vec![stack], ..Model::default() }
}

fn resolve(model: &Model) -> (Vec<Frame>, Place, Vec<String>) {
    // Paths in this workspace are those of its root, where the compiler ran.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut symbolizer = Symbolizer::new(model, root);
    let frames = symbolizer.stack(SiteId(0)).to_vec();
    let place = symbolizer.place(SiteId(0));
    let hints = symbolizer.hints().map(str::to_owned).collect();
    (frames, place, hints)
}

#[inline(never)]
fn landmark() -> u32 {
    line!()
}

/// As a return address: one behind an instruction of the function.
fn return_address() -> u64 {
    landmark as *const () as u64 + 1
}

#[test]
fn an_address_becomes_a_function_and_a_line() {
    let (frames, place, hints) = resolve(&model(own_module(vec![]), vec![return_address()], landmark()));
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!(frames[0].function, "symbolize::landmark");
    assert_eq!(frames[0].file.as_deref(), Some("detector/tests/symbolize.rs"));
    assert!(frames[0].line.unwrap().abs_diff(landmark()) <= 1, "{frames:?}");
    assert_eq!(place.function.as_deref(), Some("symbolize::landmark"));
    assert!(place.excerpt.unwrap().text.contains("line!()"));
    assert_eq!(hints, [] as [&str; 0]);
}

#[test]
fn frames_of_the_standard_library_are_dropped() {
    let std_function = String::with_capacity as *const () as u64 + 1;
    let (frames, ..) = resolve(&model(own_module(vec![]), vec![std_function, return_address(), 12], landmark()));
    let functions: Vec<&str> = frames.iter().map(|frame| frame.function.as_str()).collect();
    assert_eq!(functions, ["symbolize::landmark"]);
}

#[test]
fn another_build_of_the_program_gives_offsets_and_one_hint() {
    let module = own_module(vec![1, 2, 3]);
    let offset = return_address() - 1 - module.base;
    let (frames, place, hints) = resolve(&model(module, vec![return_address(), return_address()], 3));
    assert_eq!(frames.len(), 2);
    assert!(frames[0].function.ends_with(&format!("+{offset:#x}")), "{frames:?}");
    assert_eq!((place.file.as_str(), place.line), ("detector/tests/symbolize.rs", 3));
    assert_eq!(hints.len(), 1);
    assert!(hints[0].contains("was rebuilt since the trace was recorded"), "{hints:?}");
}

#[test]
fn a_missing_program_and_strange_files_are_survived() {
    for path in ["/no/such/program", "/dev/zero", "/proc/self/maps", "/etc/passwd", ""] {
        let module = Module { path: path.to_owned(), ..own_module(vec![]) };
        let (frames, _, hints) = resolve(&model(module, vec![return_address()], 1));
        assert_eq!((frames.len(), hints.len()), (1, 1), "{path}");
    }
}
