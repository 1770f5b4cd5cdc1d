//! What tests of the detector share.
#![allow(dead_code, unused_imports, reason = "each test uses its part of this")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test that is wrong should fail")]

mod several;
mod trace_builder;

pub(crate) use several::Several;
pub(crate) use trace_builder::{Process, segment};

use detector::{
    analysis::{self, RawFinding, Stopped},
    finding::{Code, Problem},
    model::{self, Model},
    source::{Bytes, Trace},
};
use std::path::PathBuf;

/// Reads process files from memory.
pub(crate) fn trace_of(files: impl IntoIterator<Item = Vec<u8>>) -> Trace {
    let files = files.into_iter().enumerate();
    Trace::of(files.map(|(i, bytes)| (PathBuf::from(format!("{i}-1-0.events")), Box::new(bytes) as Box<dyn Bytes>)))
}

/// Model, findings and problems of reading, building and analysing process files.
pub(crate) fn analyse(files: impl IntoIterator<Item = Vec<u8>>) -> (Model, Vec<RawFinding>, Vec<Problem>) {
    analyse_trace(trace_of(files))
}

/// The same for a trace that was opened.
pub(crate) fn analyse_trace(mut trace: Trace) -> (Model, Vec<RawFinding>, Vec<Problem>) {
    let (model, problems) = model::build(&trace);
    let (findings, more) = analysis::run(&model, Stopped::No);
    let mut all = std::mem::take(&mut trace.problems);
    all.extend(problems);
    all.extend(more);
    (model, findings, all)
}

/// The lock-order findings of a script, whose trace must be sound: each as its locks' names, in order.
pub(crate) fn cycles(script: &str) -> Vec<String> {
    let (model, findings, problems) = analyse([Process::new(1).script(script).to_bytes()]);
    assert_eq!(problems, []);
    assert_eq!(model.n_gaps, 0, "{script}");
    cycles_in(&model, &findings)
}

/// The lock-order findings, each as its locks' names, in order.
pub(crate) fn cycles_in(model: &Model, findings: &[RawFinding]) -> Vec<String> {
    findings
        .iter()
        .filter(|finding| finding.code == Code::LockOrder)
        .map(|finding| {
            let names = finding.edges.iter().map(|edge| {
                let (object, ..) = edge.holds.expect("edges of cycles hold something");
                model.objects[object.idx()].label.clone().expect("the builder labels all objects")
            });
            names.collect::<Vec<_>>().join(" ")
        })
        .collect()
}
