//! Data races, from what an analysis knows of them to what a reader sees.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

mod reports;

use detector::{
    analysis::{
        RawAccess, RawAtomic, RawFinding, RawPlace, RawRepair, RawStep, RawSync, RawSyncPoint, RawWitness,
        data_race::{RaceOf, finding},
    },
    explain::explain_all,
    finding::{AccessOp, Code, Finding, Op, RaceCount, RaceRule, SyncOp},
    identity::identify,
    model::{Model, Object, ObjectId, Process, ProcessId, Site, SiteId, Spot, Thread, ThreadId},
    render::{Format, render, render_explained},
    suppress::Suppressions,
    symbolize::Symbolizer,
};
use reports::{race, report};
use std::fs;
use trace_format::ObjectKind;

/// A model with two threads, and the source that its sites are in.
struct Scene {
    model: Model,
    directory: tempfile::TempDir,
}

const SOURCE: &str = "\
fn count(stats: &Stats) {
    let _guard = stats.lock.lock().unwrap();
    stats.hits.set(stats.hits.get() + 1);
    stats.ready.store(true, Relaxed);
}

fn show(stats: &Stats) {
    if stats.ready.load(Relaxed) {
        println!(\"{}\", stats.hits.get());
    }
}
";

impl Scene {
    fn new() -> Self {
        let thread = |number, name: &str| Thread {
            is_left_behind: false,
            process: ProcessId(0),
            number,
            tid: number,
            is_task: false,
            name: Some(name.to_owned()),
            forked_by: None,
            scope: None,
            ended: true,
            holds: Vec::new(),
            wait: None,
            lost: 0,
        };
        let processes = vec![Process { pid: 1, ..Process::default() }];
        let model = Model { processes, threads: vec![thread(1, "main"), thread(2, "worker")], ..Model::default() };
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("src")).unwrap();
        fs::write(directory.path().join("src/stats.rs"), SOURCE).unwrap();
        Self { model, directory }
    }

    fn object(&mut self, kind: ObjectKind, type_name: &str, label: Option<&str>) -> ObjectId {
        self.model.objects.push(Object {
            process: ProcessId(0),
            shared_by: Vec::new(),
            kind,
            type_name: type_name.to_owned(),
            label: label.map(str::to_owned),
            created_at: None,
            gap: false,
            thread: None,
            capacity: None,
            holders_max: None,
            id: 0,
        });
        ObjectId(self.model.objects.len() as u32 - 1)
    }

    fn site(&mut self, line: u32, call: &str) -> RawPlace {
        self.model.sites.push(site(line, call));
        RawPlace::Site(SiteId(self.model.sites.len() as u32 - 1))
    }

    fn access(&mut self, thread: u32, op: AccessOp, object: Option<ObjectId>, at: (u32, &str)) -> RawAccess {
        RawAccess { thread: ThreadId(thread), op, object, at: self.site(at.0, at.1), held: Vec::new() }
    }

    /// `hits` written by `worker` and read by `main`; what a test changes of it is its own.
    fn race(&mut self) -> RaceOf<'static> {
        let hits = Some(self.object(ObjectKind::Cell, "u64", Some("hits")));
        let write = self.access(1, AccessOp::Write, hits, (3, "set("));
        let read = self.access(0, AccessOp::Read, hits, (9, "get()"));
        RaceOf { accesses: [write, read], last_sync: None, repair: None, witness: None, doubt: "", count: 1 }
    }

    fn explained(&self, raw: Vec<RawFinding>) -> Vec<Finding> {
        identify(explain_all(raw, &self.model, &mut Symbolizer::new(&self.model, self.directory.path())))
    }

    fn human(&self, of: RaceOf<'_>) -> String {
        let text = render(&report(self.explained(vec![finding(of)])), Format::Human, false);
        text.rsplit_once("\n\n").unwrap().0.to_owned()
    }
}

fn site(line: u32, call: &str) -> Site {
    let column = SOURCE.lines().nth(line as usize - 1).unwrap().find(call).unwrap() as u32 + 1;
    Site { process: ProcessId(0), file: "src/stats.rs".to_owned(), line, column, stack: None }
}

/// Swaps the accesses of a race.
fn swapped(mut of: RaceOf<'_>) -> RaceOf<'_> {
    of.accesses.reverse();
    of
}

#[test]
fn an_observed_race_with_a_lock_on_one_side() {
    let mut scene = Scene::new();
    let mut race = scene.race();
    let lock = scene.object(ObjectKind::RwLock, "()", Some("lock"));
    let held_at = scene.site(2, "lock()");
    race.accesses[0].held = vec![(lock, "exclusive", held_at)];
    let mut point = |thread, op, line, call| RawSyncPoint {
        thread: ThreadId(thread),
        op,
        object: Some(lock),
        at: Some(scene.site(line, call)),
    };
    race.last_sync =
        Some(RawSync { from: point(1, SyncOp::Unlock, 4, "stats"), to: point(0, SyncOp::Lock, 8, "stats") });
    insta::assert_snapshot!(scene.human(race));
}

#[test]
fn a_proven_race_and_its_schedule() {
    let mut scene = Scene::new();
    let race = scene.race();
    let step = |number, thread, op, at| RawStep {
        number,
        thread: ThreadId(thread),
        op,
        mode: None,
        object: Some(ObjectId(0)),
        other: None,
        at,
    };
    let at = |idx: usize| Some(race.accesses[idx].at.clone());
    let fork = RawStep { object: None, other: Some(ThreadId(1)), ..step(1, 0, Op::Fork, None) };
    // The two threads are at their accesses at once.
    let steps = vec![fork, step(3, 0, Op::Read, at(1)), step(5, 1, Op::Write, at(0)), step(5, 0, Op::Read, at(1))];
    let race = RaceOf { witness: Some(RawWitness { steps, n_operations: 4 }), ..race };
    let found = scene.explained(vec![finding(race)]);
    insta::assert_snapshot!(render_explained(&report(found.clone()), &found[0], 140, false));
    let colored = render_explained(&report(found.clone()), &found[0], 140, true);
    assert_eq!(colored.matches("\x1b[91mNEXT:\x1b[0m").count(), 2, "{colored}");
}

#[test]
fn orderings_that_are_too_weak_are_named_with_those_that_would_do() {
    let mut scene = Scene::new();
    let ready = scene.object(ObjectKind::Atomic, "bool", Some("ready"));
    let mut race = scene.race();
    let atomic = |thread, at, ordering, is_rmw, is_too_weak| RawAtomic {
        thread: ThreadId(thread),
        at,
        ordering,
        is_rmw,
        is_too_weak,
    };
    let (stored_at, loaded_at) = (scene.site(4, "store("), scene.site(8, "load("));
    let repair = |(stored, stores_too, weak_store), (loaded, loads_too, weak_load)| RawRepair {
        atomic: Some(ready),
        store: atomic(1, stored_at.clone(), stored, stores_too, weak_store),
        load: atomic(0, loaded_at.clone(), loaded, loads_too, weak_load),
    };
    race.repair = Some(repair(("Relaxed", false, true), ("Relaxed", false, true)));
    insta::assert_snapshot!(scene.human(race.clone()));
    let mut notes = Vec::new();
    for (store, load) in [
        (("Relaxed", false, true), ("Acquire", false, false)),
        (("Release", false, false), ("Relaxed", false, true)),
        (("Acquire", true, true), ("Acquire", false, false)),
        (("SeqCst", true, false), ("Release", true, true)),
    ] {
        race.repair = Some(repair(store, load));
        let found = scene.explained(vec![finding(race.clone())]).remove(0);
        notes.extend(found.notes);
        notes.push(found.help);
    }
    insta::assert_snapshot!(notes.join("\n"));
    race.repair = Some(repair(("Release", false, false), ("Acquire", false, false)));
    assert_eq!(scene.explained(vec![finding(race)])[0].notes, [""; 0], "nothing would be mended");
}

#[test]
fn an_atomic_access_and_a_plain_one() {
    let mut scene = Scene::new();
    let mut race = scene.race();
    race.accesses[0].op = AccessOp::AtomicWrite;
    insta::assert_snapshot!(scene.human(race));
}

#[test]
fn a_possible_race_says_what_is_missing() {
    let mut scene = Scene::new();
    let race = RaceOf { doubt: "17 operations of the run were lost", ..scene.race() };
    insta::assert_snapshot!(scene.human(race.clone()));
    let found = scene.explained(vec![finding(race)]);
    let text = render_explained(&report(found.clone()), &found[0], 140, false);
    assert!(text.ends_with("no schedule says more than this run: nothing that was recorded orders the two accesses, but 17 operations of the run were lost\n"), "{text}");
}

#[test]
fn memory_without_a_name_is_called_by_where_it_is_used() {
    let mut scene = Scene::new();
    let [memory, other] = [0; 2].map(|_| Some(scene.object(ObjectKind::Cell, "", None)));
    let atomic = Some(scene.object(ObjectKind::Atomic, "", None));
    // A part of what is freed.
    let accesses =
        [scene.access(0, AccessOp::Read, memory, (9, "get()")), scene.access(1, AccessOp::Free, other, (3, "set("))];
    let mut of_atomic = |thread, op, line, call| RawSyncPoint {
        thread: ThreadId(thread),
        op,
        object: atomic,
        at: Some(scene.site(line, call)),
    };
    let from = of_atomic(0, SyncOp::AtomicRmw, 4, "store(");
    let to = of_atomic(1, SyncOp::AtomicLoad, 8, "load(");
    let last_sync = Some(RawSync { from, to });
    let race = RaceOf { accesses, last_sync, ..scene.race() };
    let found = scene.explained(vec![finding(race.clone())]).remove(0);
    let references: Vec<&str> = found.objects.iter().map(|object| object.reference.as_str()).collect();
    assert_eq!(
        references,
        [
            "the memory accessed at src/stats.rs:9",
            "the memory accessed at src/stats.rs:3",
            "the atomic used at src/stats.rs:4"
        ]
    );
    insta::assert_snapshot!(scene.human(race));
}

#[test]
fn what_orders_threads_is_called_by_its_kind() {
    let mut scene = Scene::new();
    let race = scene.race();
    let [mutex, ready] = [(ObjectKind::Mutex, "m"), (ObjectKind::Atomic, "ready")]
        .map(|(kind, label)| Some(scene.object(kind, "", Some(label))));
    let mut lines = Vec::new();
    for op in SyncOp::ALL {
        for object in [mutex, None] {
            let point = |thread, object| RawSyncPoint { thread: ThreadId(thread), op, object, at: None };
            let last_sync = Some(RawSync { from: point(1, object), to: point(0, ready) });
            let text = scene.human(RaceOf { last_sync, ..race.clone() });
            let line = text.lines().find(|line| line.contains("the last that")).unwrap();
            lines.push(format!("{}: {}", op.name(), line.split_once("`worker`: ").unwrap().1));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_doubtful_schedule_is_shown_with_its_doubt() {
    let mut scene = Scene::new();
    let race = scene.race();
    let mut steps: Vec<RawStep> = Vec::new();
    for op in [Op::Read, Op::Write] {
        for mode in
            [None, Some("atomic"), Some("free")].into_iter().filter(|mode| op == Op::Write || *mode != Some("free"))
        {
            let (number, thread) = (steps.len() as u64 + 1, ThreadId(steps.len() as u32 % 2));
            let object = (mode != Some("atomic")).then_some(ObjectId(0));
            steps.push(RawStep { number, thread, op, mode, object, other: None, at: None });
        }
    }
    let witness = Some(RawWitness { steps, n_operations: 3 });
    let race = RaceOf { witness, doubt: "the trace does not say when `m` was held", ..race };
    let found = scene.explained(vec![finding(race)]);
    let text = render_explained(&report(found.clone()), &found[0], 140, false);
    assert!(text.contains("= note: possible: a schedule of 3 of its operations was replayed"), "{text}");
    insta::assert_snapshot!(text.split_once("\n\n").unwrap().1);
}

#[test]
fn a_race_that_is_allowed_is_not_reported() {
    let directory = tempfile::tempdir().unwrap();
    let found = identify(vec![race()]);
    let config = format!("[[allow]]\nid = \"{}\"\nreason = \"a statistic\"\n", found[0].id);
    fs::write(directory.path().join("deadlock-check.toml"), config).unwrap();
    let suppressions = Suppressions::read(directory.path(), None, None).unwrap();
    let (kept, n_suppressed, problems) = suppressions.apply(found);
    assert_eq!((kept.len(), n_suppressed, problems), (0, 1, Vec::new()));
}

#[test]
fn titles_say_both_places_and_who_if_that_is_one() {
    let mut scene = Scene::new();
    let mut titles = Vec::new();
    let race = scene.race();
    let unnamed = [ObjectKind::Cell, ObjectKind::Atomic].map(|kind| Some(scene.object(kind, "core::u64", None)));
    for object in unnamed.into_iter().chain([None]) {
        let mut race = race.clone();
        race.accesses[0].object = object;
        race.accesses[1].object = None;
        titles.push(finding(race));
    }
    let mut same = race.clone();
    same.accesses[1].at = same.accesses[0].at.clone();
    titles.push(finding(same.clone()));
    same.accesses[1].op = AccessOp::Write;
    titles.push(finding(same));
    let mut unknown = race;
    let nowhere = Site { file: String::new(), line: 0, ..site(3, "set(") };
    unknown.accesses[1].at = RawPlace::Spot(Box::new(Spot { site: nowhere, stack: Vec::new() }));
    titles.push(finding(unknown));
    let mut titles: Vec<String> = scene.explained(titles).into_iter().map(|finding| finding.title).collect();
    titles.sort();
    insta::assert_snapshot!(titles.join("\n"));
}

#[test]
fn help_depends_on_what_is_held() {
    let mut scene = Scene::new();
    let race = scene.race();
    let locks = [ObjectKind::RwLock, ObjectKind::Semaphore, ObjectKind::Mutex]
        .map(|kind| scene.object(kind, "()", Some(kind.name())));
    let at = scene.site(2, "lock()");
    let mut help = Vec::new();
    for (first, second) in [
        (vec![], vec![]),
        (vec![], vec![(2, "exclusive")]),
        (vec![(0, "shared")], vec![(2, "exclusive"), (0, "shared")]),
        (vec![(1, "shared")], vec![(1, "shared")]),
        (vec![(0, "exclusive")], vec![(2, "exclusive")]),
        (vec![(2, "exclusive"), (0, "exclusive")], vec![]),
        (vec![], vec![(0, "shared")]),
        (vec![(0, "shared")], vec![]),
    ] {
        let mut race = race.clone();
        for (access, held) in race.accesses.iter_mut().zip([first, second]) {
            access.held = held.into_iter().map(|(lock, mode): (usize, _)| (locks[lock], mode, at.clone())).collect();
        }
        help.push(scene.explained(vec![finding(race)]).remove(0).help);
    }
    insta::assert_snapshot!(help.join("\n"));
}

#[test]
fn races_that_differ_in_order_threads_and_memory_alone_are_one() {
    let mut scene = Scene::new();
    let race = scene.race();
    let mut other = swapped(race.clone());
    let second = scene.object(ObjectKind::Cell, "u64", Some("hits"));
    for access in &mut other.accesses {
        (access.thread, access.object) = (ThreadId(1 - access.thread.0), Some(second));
    }
    let mut elsewhere = race.clone();
    elsewhere.accesses[0].at = scene.site(9, "stats.hits");
    let mut written = race.clone();
    written.accesses[1].op = AccessOp::Write;
    let raw = [race, other, elsewhere, written].map(finding);
    let mut counts: Vec<u64> = scene.explained(raw.into()).iter().map(|finding| finding.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 2]);
}

#[test]
fn places_that_no_model_has_are_told_apart_too() {
    let mut scene = Scene::new();
    let race = scene.race();
    let at_spot = |line, call| {
        let mut race = race.clone();
        race.accesses[0].at = RawPlace::Spot(Box::new(Spot { site: site(line, call), stack: Vec::new() }));
        finding(race)
    };
    let found = scene.explained(vec![at_spot(3, "set("), at_spot(4, "store("), at_spot(3, "set(")]);
    let counts: Vec<(u32, u64)> =
        found.iter().map(|finding| (finding.accesses[0].at.as_ref().unwrap().line, finding.count)).collect();
    assert_eq!(counts, [(3, 2), (4, 1)]);
}

#[test]
fn ids_survive_shifted_lines_and_swapped_accesses_only() {
    let id = |finding: Finding| identify(vec![finding]).remove(0);
    let mut swapped = race();
    swapped.accesses.reverse();
    assert_eq!((id(swapped.clone()).id, id(swapped).line_id), (id(race()).id, id(race()).line_id));
    let mut shifted = race();
    for access in &mut shifted.accesses {
        let place = access.at.as_mut().unwrap();
        (place.line, place.excerpt.as_mut().unwrap().first_line) = (place.line + 5, place.line + 4);
        access.stack.iter_mut().for_each(|frame| frame.line = frame.line.map(|line| line + 5));
    }
    assert_eq!(id(shifted.clone()).id, id(race()).id);
    assert_ne!(id(shifted).line_id, id(race()).line_id);
    let change = |change: fn(&mut Finding)| {
        let mut changed = race();
        change(&mut changed);
        id(changed).id
    };
    let others = [
        change(|race| race.accesses[1].op = AccessOp::Write),
        change(|race| race.objects[0].label = None),
        change(|race| race.objects[0].type_name = "u32".to_owned()),
        change(|race| race.accesses[1].stack[0].function = "stats::tell".to_owned()),
    ];
    for (n, other) in others.iter().enumerate() {
        assert!(*other != id(race()).id && !others[..n].contains(other), "{n}: {others:?}");
    }
    // What the callers of one function are called tells nothing here, where the innermost frames differ; there it does.
    assert_eq!(change(|race| race.accesses[1].stack[1].function = "stats::other".to_owned()), id(race()).id);
    insta::assert_snapshot!(id(race()).id);
}

#[test]
fn counts_are_told_and_a_race_is_one_line_in_short() {
    let mut report = report(vec![race()]);
    let counts = RaceRule::ALL.into_iter().zip([(25, 3), (1, 1), (40, 5)]);
    report.race_counts = counts.map(|(rule, (events, locations))| RaceCount { rule, events, locations }).collect();
    insta::assert_snapshot!(render(&report, Format::Short, false));
    let json: serde_json::Value = serde_json::from_str(&render(&report, Format::Json, false)).unwrap();
    assert_eq!(json["race_counts"][0], serde_json::json!({"rule": "happens-before", "events": 25, "locations": 3}));
    assert_eq!(json["findings"][0]["code"], Code::DataRace.name());
}
