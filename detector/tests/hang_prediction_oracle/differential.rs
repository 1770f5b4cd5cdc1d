//! What the engine finds, against what there is.

use crate::{
    class::class,
    explorer::{Explored, Order, explore, explore_in},
    generator::Numbers,
    histories::{shrunk, text},
    native::Native,
    shapes::{SHAPES, completed, times},
    verdict::{Found, Verdict, judge},
};
use detector::history::History;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// What a search for hangs says: what it found, and whether it was cut short.
pub(crate) type Says = (Vec<Found>, bool);

/// A search for hangs.
pub(crate) type Engine = fn(&History) -> Says;

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Histories that were explored.
    pub(crate) n_histories: usize,
    /// Of them, those in which a hang is reachable.
    pub(crate) n_hanging: usize,
    /// Of those, in how many a cycle of locks and joins is.
    pub(crate) n_with_core: usize,
    /// Histories too large to be explored.
    pub(crate) n_too_large: usize,
    /// Histories of which the engine cut its search short.
    pub(crate) n_cut_short: usize,
    /// What the hangs were that it found.
    pub(crate) found: BTreeMap<Verdict, usize>,
    /// Histories in which it found no hang though there are, by the classes of those.
    pub(crate) missed: BTreeMap<String, usize>,
}

impl Counts {
    pub(crate) fn n_missed(&self) -> usize {
        self.missed.values().sum()
    }
}

fn hangs(explored: &Explored) -> bool {
    !explored.total.is_empty() || !explored.cores.is_empty()
}

/// The first hang of a history that is none, and why.
fn first_false(history: &History, engine: Engine) -> Option<(Found, String)> {
    let (found, _) = engine(history);
    found.into_iter().find_map(|found| match judge(history, &found) {
        Verdict::False(why) => Some((found, why)),
        _ => None,
    })
}

/// Of which classes the hangs of a history are, and whether sections keep their order in one of each class.
pub(crate) fn classes(history: &History) -> String {
    let of = |order| -> BTreeSet<String> {
        let explored = explore_in(history, order);
        let total = explored.total.iter();
        let core = (!explored.cores.is_empty()).then(|| "core".to_owned());
        total.map(|(blocked, (state, _))| class(history, state, blocked)).chain(core).collect()
    };
    let (all, preserved) = (of(Order::Any), of(Order::Preserved));
    let named = |class: &String| if preserved.contains(class) { class.clone() } else { format!("{class} (reordered)") };
    all.iter().map(named).collect::<Vec<_>>().join(" + ")
}

fn example(history: &History) -> String {
    let mut text = text(history);
    let native = Native::new(history);
    for (blocked, (_, way)) in explore(history).total {
        writeln!(text, "  all hang at {blocked:?} behind {:?}", native.steps(&way)).unwrap();
    }
    for (core, way) in explore(history).cores {
        writeln!(text, "  a core of {core:?} behind {:?}", native.steps(&way)).unwrap();
    }
    text
}

/// Goes over so many histories of a shape, and compares. Fails at the first hang that is none.
pub(crate) fn differential(which: usize, seed: u64, n: usize, engine: Engine) -> Counts {
    let (name, shape) = &SHAPES[which];
    let mut numbers = Numbers(seed);
    let mut counts = Counts::default();
    for _ in 0..n * times() {
        let (_, history, _) = completed(&mut numbers, shape);
        let explored = explore(&history);
        if explored.is_cut_short {
            counts.n_too_large += 1;
            continue;
        }
        counts.n_histories += 1;
        counts.n_hanging += usize::from(hangs(&explored));
        counts.n_with_core += usize::from(!explored.cores.is_empty());
        if first_false(&history, engine).is_some() {
            let history = shrunk(&history, |history| first_false(history, engine).is_some());
            let why = first_false(&history, engine);
            assert!(why.is_none(), "{name}: {why:?} is no hang, of\n{}", example(&history));
        }
        let (found, is_cut_short) = engine(&history);
        counts.n_cut_short += usize::from(is_cut_short);
        for found in &found {
            *counts.found.entry(judge(&history, found)).or_default() += 1;
        }
        if found.is_empty() && hangs(&explored) {
            let class = classes(&history);
            let n_missed = counts.missed.entry(class.clone()).or_default();
            *n_missed += 1;
            if *n_missed == 1 {
                let is_missed = |history: &History| engine(history).0.is_empty() && hangs(&explore(history));
                let history = shrunk(&history, |history| is_missed(history) && classes(history) == class);
                println!("{name}: missed, {class}:\n{}", example(&history));
            }
        }
    }
    println!("{name}: {counts:#?}");
    counts
}
