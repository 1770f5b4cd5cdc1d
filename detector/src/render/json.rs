//! JSON, as `schema/report-1.0.json` describes it.
//!
//! The types here exist to be serialized and say nothing of their own: the schema may not change because a
//! field of a finding is renamed.

use super::escape;
use crate::finding::{self, Report};
use serde::Serialize;

/// Minor version: additions only.
const SCHEMA: &str = "1.0";

pub(super) fn render(report: &Report) -> String {
    // Serialization of strings, numbers and lists has no way to fail.
    let text = serde_json::to_string_pretty(&Document::from(report)).unwrap_or_default();
    escape_controls(&text) + "\n"
}

/// serde escapes ASCII controls only. The others can be in strings only, where this spelling means the same.
fn escape_controls(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && escape::is_dangerous(c) {
            let mut units = [0; 2];
            let units = c.encode_utf16(&mut units);
            escaped.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    tool: Tool,
    level: &'r str,
    program: Option<Program>,
    coverage: Coverage<'r>,
    findings: Vec<Finding<'r>>,
    suppressed: usize,
    problems: Vec<Problem<'r>>,
    hints: &'r [String],
    stats: Stats,
    race_counts: Vec<RaceCount>,
}

#[derive(Serialize)]
struct RaceCount {
    rule: &'static str,
    events: u64,
    locations: u64,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct Program {
    exit: Option<i32>,
    signal: Option<i32>,
    timed_out: bool,
}

#[derive(Serialize)]
struct Coverage<'r> {
    recorded_anything: bool,
    unrecorded: &'r [String],
}

#[derive(Serialize)]
struct Problem<'r> {
    text: &'r str,
    fatal: bool,
}

#[derive(Serialize)]
struct Stats {
    events: u64,
    threads: u64,
    processes: u64,
    objects: u64,
    lost: u64,
}

#[derive(Serialize)]
struct Finding<'r> {
    id: &'r str,
    line_id: &'r str,
    code: &'static str,
    certainty: &'static str,
    why: &'r str,
    assumes: &'r [String],
    title: &'r str,
    count: u64,
    threads: Vec<Thread<'r>>,
    objects: Vec<Object<'r>>,
    edges: Vec<Edge<'r>>,
    /// Indexes into the finding's threads.
    behind: &'r [usize],
    accesses: Vec<Access<'r>>,
    last_sync: Option<LastSync<'r>>,
    witness: Option<Vec<Step<'r>>>,
    help: &'r str,
    notes: &'r [String],
}

#[derive(Serialize)]
struct Thread<'r> {
    process: u32,
    #[serde(rename = "thread")]
    number: u32,
    name: &'r str,
}

#[derive(Serialize)]
struct Object<'r> {
    #[serde(rename = "ref")]
    reference: &'r str,
    kind: &'r str,
    #[serde(rename = "type")]
    type_name: &'r str,
    label: Option<&'r str>,
    created_at: Option<Place<'r>>,
    capacity: Option<u64>,
}

#[derive(Serialize)]
struct Place<'r> {
    file: &'r str,
    line: u32,
    column: u32,
    function: Option<&'r str>,
}

#[derive(Serialize)]
struct Frame<'r> {
    function: &'r str,
    file: Option<&'r str>,
    line: Option<u32>,
    inlined: bool,
}

/// `thread` is an index into the finding's threads, `holds` and `wants` are a `ref` of its objects.
#[derive(Serialize)]
struct Edge<'r> {
    thread: usize,
    holds: Option<&'r str>,
    held_mode: Option<&'r str>,
    held_at: Option<Place<'r>>,
    held_stack: Vec<Frame<'r>>,
    released_at: Option<Place<'r>>,
    wants: Option<&'r str>,
    wanted_mode: Option<&'r str>,
    wanted_at: Option<Place<'r>>,
    wanted_stack: Vec<Frame<'r>>,
    could_release: Vec<Releaser<'r>>,
}

/// `thread` is an index into the finding's threads, `object` is a `ref` of its objects.
#[derive(Serialize)]
struct Access<'r> {
    thread: usize,
    op: &'static str,
    object: Option<&'r str>,
    at: Option<Place<'r>>,
    stack: Vec<Frame<'r>>,
    held: Vec<HeldLock<'r>>,
}

#[derive(Serialize)]
struct HeldLock<'r> {
    object: Option<&'r str>,
    mode: &'r str,
    at: Option<Place<'r>>,
}

#[derive(Serialize)]
struct LastSync<'r> {
    from: SyncPoint<'r>,
    to: SyncPoint<'r>,
}

#[derive(Serialize)]
struct SyncPoint<'r> {
    thread: usize,
    op: &'static str,
    object: Option<&'r str>,
    at: Option<Place<'r>>,
}

/// `thread` and `other` are indexes into the finding's threads, `object` is a `ref` of its objects.
#[derive(Serialize)]
struct Step<'r> {
    #[serde(rename = "step")]
    number: u64,
    thread: usize,
    op: &'static str,
    mode: Option<&'r str>,
    object: Option<&'r str>,
    other: Option<usize>,
    at: Option<Place<'r>>,
}

#[derive(Serialize)]
struct Releaser<'r> {
    thread: usize,
    why_not: &'r str,
}

impl<'r> From<&'r Report> for Document<'r> {
    fn from(report: &'r Report) -> Self {
        let finding::Stats { events, threads, processes, objects, lost } = report.stats;
        let program =
            report.program.map(|finding::ProgramEnd { exit, signal, timed_out }| Program { exit, signal, timed_out });
        let problems = report.problems.iter().map(|problem| Problem { text: &problem.text, fatal: problem.fatal });
        Self {
            schema: SCHEMA,
            tool: Tool { name: "deadlock-check", version: env!("CARGO_PKG_VERSION") },
            level: &report.coverage.level,
            program,
            coverage: Coverage {
                recorded_anything: report.coverage.recorded_anything,
                unrecorded: &report.coverage.unrecorded,
            },
            findings: report.findings.iter().map(Finding::from).collect(),
            suppressed: report.suppressed,
            problems: problems.collect(),
            hints: &report.hints,
            stats: Stats { events, threads, processes, objects, lost },
            race_counts: report.race_counts.iter().map(RaceCount::from).collect(),
        }
    }
}

impl<'r> From<&'r finding::Finding> for Finding<'r> {
    fn from(finding: &'r finding::Finding) -> Self {
        let thread =
            |thread: &'r finding::Thread| Thread { process: thread.process, number: thread.thread, name: &thread.name };
        Self {
            id: &finding.id,
            line_id: &finding.line_id,
            code: finding.code.name(),
            certainty: finding.certainty.name(),
            why: &finding.why,
            assumes: &finding.assumes,
            title: &finding.title,
            count: finding.count,
            threads: finding.threads.iter().map(thread).collect(),
            objects: finding.objects.iter().map(Object::from).collect(),
            edges: finding.edges.iter().map(|edge| edge_of(finding, edge)).collect(),
            behind: &finding.behind,
            accesses: finding.accesses.iter().map(|access| access_of(finding, access)).collect(),
            last_sync: finding
                .last_sync
                .as_ref()
                .map(|sync| LastSync { from: point_of(finding, &sync.from), to: point_of(finding, &sync.to) }),
            witness: finding.witness.as_ref().map(|witness| steps(finding, witness)),
            help: &finding.help,
            notes: &finding.notes,
        }
    }
}

impl From<&finding::RaceCount> for RaceCount {
    fn from(count: &finding::RaceCount) -> Self {
        Self { rule: count.rule.name(), events: count.events, locations: count.locations }
    }
}

impl<'r> From<&'r finding::Object> for Object<'r> {
    fn from(object: &'r finding::Object) -> Self {
        Self {
            reference: &object.reference,
            kind: &object.kind,
            type_name: &object.type_name,
            label: object.label.as_deref(),
            created_at: object.created_at.as_ref().map(Place::from),
            capacity: object.capacity,
        }
    }
}

impl<'r> From<&'r finding::Place> for Place<'r> {
    fn from(place: &'r finding::Place) -> Self {
        Self { file: &place.file, line: place.line, column: place.column, function: place.function.as_deref() }
    }
}

impl<'r> From<&'r finding::Frame> for Frame<'r> {
    fn from(frame: &'r finding::Frame) -> Self {
        Self { function: &frame.function, file: frame.file.as_deref(), line: frame.line, inlined: frame.inlined }
    }
}

fn reference(finding: &finding::Finding, idx: Option<usize>) -> Option<&str> {
    Some(finding.objects.get(idx?)?.reference.as_str())
}

fn access_of<'r>(finding: &'r finding::Finding, access: &'r finding::Access) -> Access<'r> {
    let held = access.held.iter().map(|held| HeldLock {
        object: reference(finding, Some(held.object)),
        mode: &held.mode,
        at: held.at.as_ref().map(Place::from),
    });
    Access {
        thread: access.thread,
        op: access.op.name(),
        object: reference(finding, access.object),
        at: access.at.as_ref().map(Place::from),
        stack: access.stack.iter().map(Frame::from).collect(),
        held: held.collect(),
    }
}

fn point_of<'r>(finding: &'r finding::Finding, point: &'r finding::SyncPoint) -> SyncPoint<'r> {
    SyncPoint {
        thread: point.thread,
        op: point.op.name(),
        object: reference(finding, point.object),
        at: point.at.as_ref().map(Place::from),
    }
}

fn edge_of<'r>(finding: &'r finding::Finding, edge: &'r finding::Edge) -> Edge<'r> {
    let releaser = |releaser: &'r finding::Releaser| Releaser { thread: releaser.thread, why_not: &releaser.why_not };
    Edge {
        thread: edge.thread,
        holds: reference(finding, edge.holds),
        held_mode: edge.held_mode.as_deref(),
        held_at: edge.held_at.as_ref().map(Place::from),
        held_stack: edge.held_stack.iter().map(Frame::from).collect(),
        released_at: edge.released_at.as_ref().map(Place::from),
        wants: reference(finding, edge.wants),
        wanted_mode: edge.wanted_mode.as_deref(),
        wanted_at: edge.wanted_at.as_ref().map(Place::from),
        wanted_stack: edge.wanted_stack.iter().map(Frame::from).collect(),
        could_release: edge.could_release.iter().map(releaser).collect(),
    }
}

fn steps<'r>(finding: &'r finding::Finding, witness: &'r finding::Witness) -> Vec<Step<'r>> {
    let step = |step: &'r finding::Step| Step {
        number: step.step,
        thread: step.thread,
        op: step.op.name(),
        mode: step.mode.as_deref(),
        object: reference(finding, step.object),
        other: step.other,
        at: step.at.as_ref().map(Place::from),
    };
    witness.steps.iter().map(step).collect()
}
