//! The explorer against the scheduler: two accounts of what primitives do, of which neither knows the other.

use crate::{
    differential::{Says, differential},
    explorer::{Blocked, Explored, explore},
    generator::Numbers,
    histories::text,
    native::Native,
    scheduler::{Outcome, Program, World, run},
    shapes::{SHAPES, completed, times},
    verdict::{Found, Verdict, judge},
};
use detector::history::{History, Kind};
use rustc_hash::FxHashMap;

/// Runs of each program that are compared with one that completed.
const RUNS: usize = 30;

/// An operation in terms that all runs share: its thread, and its number there.
type Place = (u32, usize);

/// What an operation does, and whose write or message it got.
type Done = (Kind, u32, Option<Place>);

/// What each thread did.
fn done(history: &History) -> Vec<Vec<Done>> {
    let mut threads: Vec<Vec<Done>> = vec![Vec::new(); history.threads.len()];
    let mut places: Vec<Place> = Vec::new();
    let mut written: FxHashMap<u32, Place> = FxHashMap::default();
    for (index, operation) in (0..).zip(&history.operations) {
        let place = (operation.thread, threads[operation.thread as usize].len());
        places.push(place);
        let of = match operation.kind {
            Kind::Read | Kind::Await => written.get(&operation.target).copied(),
            // Who confirms knows its own message.
            Kind::Take => history.resources.messages.get(&index).map(|give| places[*give as usize]),
            _ => None,
        };
        if operation.kind == Kind::Write {
            written.insert(operation.target, place);
        }
        threads[operation.thread as usize].push((operation.kind, operation.target, of));
    }
    threads
}

/// The operations of a history at which the threads of another run of its program hang; `None` if that run went another
/// way, or beyond the history.
fn hangs_in(history: &History, world: &World<'_>) -> Option<Blocked> {
    let (known, seen) = (done(history), done(&world.history));
    if known.iter().zip(&seen).any(|(known, seen)| !known.starts_with(seen)) {
        return None;
    }
    let own = |thread: usize| {
        (0..).zip(&history.operations).filter(move |(_, operation)| operation.thread as usize == thread)
    };
    let next = |thread: usize| own(thread).nth(seen[thread].len()).map(|(index, _)| index);
    world.blocked().into_iter().map(next).collect()
}

/// Each hang that the explorer reaches, along its way: the program hangs there, the same threads wait.
fn ways_are_real(program: &Program, history: &History, explored: &Explored) {
    let native = Native::new(history);
    for (blocked, (_, way)) in &explored.total {
        let world = World::along(program, &history.operations, &native.steps(way));
        assert!(!world.goes(), "goes on behind {way:?} of\n{}", text(history));
        assert_ne!(world.outcome(), Outcome::GivesUp, "some give up behind {way:?} of\n{}", text(history));
        assert_eq!(hangs_in(history, &world).as_ref(), Some(blocked), "hangs behind {way:?} of\n{}", text(history));
    }
}

#[test]
fn explorer_and_scheduler_agree() {
    for (seed, (name, shape)) in (1..).zip(&SHAPES) {
        let mut numbers = Numbers(seed);

        let (mut n_hanging, mut n_cores, mut n_states, mut n_ways, mut n_compared) = (0, 0, 0, 0, 0);
        let n = 200 * times();
        for _ in 0..n {
            let (program, history, outcome) = completed(&mut numbers, shape);
            let in_order = Native::new(&history).replay(0..history.operations.len() as u32);
            assert!(in_order.is_ok(), "{in_order:?}, of\n{}", text(&history));
            let explored = explore(&history);
            if explored.is_cut_short {
                continue;
            }
            n_states += explored.n_states;
            n_hanging += usize::from(!explored.total.is_empty() || !explored.cores.is_empty());
            n_cores += usize::from(!explored.cores.is_empty());
            // Of one that serves others nobody knows what it would do next.
            if outcome == Outcome::Completes {
                ways_are_real(&program, &history, &explored);
                n_ways += explored.total.len();
            }
            for _ in 0..RUNS {
                let (world, outcome) = run(&mut numbers, &program);
                let Some(blocked) = (outcome == Outcome::Hangs).then(|| hangs_in(&history, &world)).flatten() else {
                    continue;
                };
                let is_known = explored.total.contains_key(&blocked);
                assert!(is_known, "hangs at {blocked:?}, by\n{}of\n{}", text(&world.history), text(&history));
                n_compared += 1;
            }
        }
        println!(
            "{name}: {n} histories, {n_hanging} hang, {n_cores} of them in cores, {n_states} states; {n_ways} ways \
             gone, {n_compared} hangs of programs known"
        );
        assert!(n_ways >= 30 && n_compared >= 30, "too few to compare");
    }
}

/// An engine that knows all, for what is compared with it.
fn knows_all(history: &History) -> Says {
    let native = Native::new(history);
    let explored = explore(history);
    let found = |blocked: &Blocked, way: &[usize], is_total| Found {
        steps: native.steps(way),
        blocked: blocked.iter().copied().collect(),
        is_total,
        is_certain: false,
    };
    let total = explored.total.iter().map(|(blocked, (_, way))| found(blocked, way, true));
    (total.chain(explored.cores.iter().map(|(core, way)| found(core, way, false))).collect(), explored.is_cut_short)
}

#[test]
fn what_knows_all_is_right_and_what_knows_nothing_misses_all() {
    for which in 0..SHAPES.len() {
        let counts = differential(which, 7, 60, knows_all, drop);
        assert_eq!((counts.n_missed(), counts.n_cut_short), (0, 0), "{counts:?}");
        assert!(counts.n_hanging >= 8, "{counts:?}");
        let counts = differential(which, 7, 60, |_| (Vec::new(), false), drop);
        assert!(counts.n_missed() == counts.n_hanging && counts.found.is_empty(), "{counts:?}");
    }
}

#[test]
fn what_is_no_hang_is_called_false() {
    let mut n_judged = 0;
    for (seed, (_, shape)) in (20..).zip(&SHAPES) {
        let mut numbers = Numbers(seed);
        for _ in 0..30 {
            let (_, history, _) = completed(&mut numbers, shape);
            for found in knows_all(&history).0 {
                let is_false = |found: Found| matches!(judge(&history, &found), Verdict::False(_));
                // A step is done twice; what is blocked was done before; nobody is blocked.
                let twice = Found { steps: [&found.steps[..1], &found.steps].concat(), ..found.clone() };
                let done = Found { blocked: found.steps[..1].to_vec(), ..found.clone() };
                let nobody = Found { blocked: Vec::new(), ..found.clone() };
                assert!(!is_false(found) && is_false(twice) && is_false(done) && is_false(nobody));
                n_judged += 1;
            }
        }
    }
    assert!(n_judged >= 100, "too few: {n_judged}");
}
