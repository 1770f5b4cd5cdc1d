//! What is said of races: the latest synchronisation, and what would repair them.

use super::{
    graph, pairs,
    runs::{self, Numbers, Run, What},
    times,
};
use detector::race::{Done, Explainer, Explanation, Point, Rule};

fn explain(run: &Run, races: &[(usize, usize)]) -> Vec<Explanation> {
    let at = |index: usize| Point { thread: run[index].0, place: index as u32, index: index as u32 };
    let points: Vec<_> = races.iter().map(|(first, second)| (at(*first), at(*second))).collect();
    let mut explainer = Explainer::new(&points);
    runs::drive(run, &mut explainer);
    explainer.finish()
}

/// A run whose atomic operations are stronger where it is said how: to release, to acquire.
fn strengthened(run: &Run, how: impl Fn(usize) -> (bool, bool)) -> Run {
    let operation = |(index, (thread, what)): (usize, &(u32, What))| {
        let (release, acquire) = how(index);
        let what = match *what {
            What::Load(atomic, order) => What::Load(atomic, graph::stronger(order, false, acquire)),
            What::Store(atomic, order) => What::Store(atomic, graph::stronger(order, release, false)),
            What::Rmw(atomic, order) => What::Rmw(atomic, graph::stronger(order, release, acquire)),
            what => what,
        };
        (*thread, what)
    };
    run.iter().enumerate().map(operation).collect()
}

fn is_ordered(run: &Run, (first, second): (usize, usize)) -> bool {
    graph::before(run, Rule::HappensBefore)[second] & 1 << first != 0
}

/// Checks the repair of one race; whether there is one.
fn check_repair(run: &Run, race: (usize, usize), explanation: &Explanation) -> bool {
    let all = strengthened(run, |_| (true, true));
    assert_eq!(explanation.repair.is_some(), is_ordered(&all, race), "{race:?} {explanation:?} {run:#?}");
    let Some(repair) = &explanation.repair else { return false };
    let named = |index: usize| {
        let is_it = |point: Point| point.index as usize == index;
        let release = repair.hops.iter().any(|hop| hop.store_needs_release && is_it(hop.store.at));
        let acquire = repair.hops.iter().any(|hop| hop.load_needs_acquire && is_it(hop.load.at));
        (release, acquire)
    };
    assert!(is_ordered(&strengthened(run, named), race), "does not help: {race:?} {repair:?} {run:#?}");
    for hop in &repair.hops {
        assert!(hop.store_needs_release || hop.load_needs_acquire);
        let is_named = |done| matches!(done, Done::Load { atomic, .. } | Done::Store { atomic, .. } | Done::Rmw { atomic, .. } if atomic == hop.atomic);
        assert!(is_named(hop.store.done) && is_named(hop.load.done), "{hop:?}");
    }
    true
}

/// Checks the latest synchronisation of one race; whether there is one.
fn check_last(run: &Run, (first, second): (usize, usize), explanation: &Explanation) -> bool {
    let before = graph::before(run, Rule::HappensBefore)[second];
    let known = (0..run.len()).rev().find(|n| before & 1 << n != 0 && run[*n].0 == run[first].0);
    let Some(last) = explanation.last_sync else {
        assert_eq!(known, None, "{run:#?}");
        return false;
    };
    let (from, to) = (last.from.at, last.to.at);
    assert_eq!((from.thread, to.thread), (run[first].0, run[second].0));
    assert!(to.index as usize <= second, "{last:?}");
    // A store shows what its thread had behind it at a fence.
    let fence = known.filter(|known| matches!(run[*known].1, What::Fence(_)));
    assert!(
        known == Some(from.index as usize) || fence.is_some_and(|fence| fence < from.index as usize),
        "{known:?} is known: {last:?} {run:#?}"
    );
    true
}

#[test]
fn what_repairs_a_race_orders_it_and_the_latest_synchronisation_is_the_latest() {
    let mut numbers = Numbers(5);
    let (mut n_races, mut n_repairs, mut n_last) = (0, 0, 0);
    for _ in 0..2_000 * times() {
        let run = runs::run(&mut numbers);
        let races: Vec<_> = pairs(&super::found(&run, Rule::HappensBefore)).into_iter().collect();
        for (race, explanation) in races.iter().zip(explain(&run, &races)) {
            n_races += 1;
            n_repairs += usize::from(check_repair(&run, *race, &explanation));
            n_last += usize::from(check_last(&run, *race, &explanation));
        }
    }
    println!(
        "{n_races} races, {n_repairs} with a repair that orders them, {n_last} of threads that were ordered before"
    );
    assert!(n_races >= 5_000 && n_repairs >= 500 && n_last >= 500, "{n_races} {n_repairs} {n_last}");
}
