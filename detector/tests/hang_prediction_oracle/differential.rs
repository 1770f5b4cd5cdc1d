//! What the engine finds, against what there is.

use crate::{
    class::class,
    explorer::{Explored, Order, explore, explore_in},
    generator::Numbers,
    histories::{shrunk, text},
    marks::marked,
    native::Native,
    scheduler::{Program, World},
    shapes::{SHAPES, completed, times},
    verdict::{Found, Verdict, judge},
};
use detector::history::{History, Operation};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// What a search for hangs says: what it found, and whether it was cut short.
pub(crate) type Says = (Vec<Found>, bool);

/// Takes what a reader may want to see.
pub(crate) type Tell = fn(String);

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
    /// Total hangs that it found in which a thread of which the end is not known would go on.
    pub(crate) n_served: usize,
    /// Hangs that are said to be certain though others do what is not known: not wrong yet, but to be looked at.
    pub(crate) n_overconfident: usize,
    /// Histories in which it found no hang though there are, by the classes of those.
    pub(crate) missed: BTreeMap<String, usize>,
}

impl Counts {
    /// How many of the found hangs are none.
    pub(crate) fn n_false(&self) -> usize {
        let is_false = |verdict: &Verdict| matches!(verdict, Verdict::False(_));
        self.found.iter().filter(|(verdict, _)| is_false(verdict)).map(|(_, n)| n).sum()
    }

    /// How many of the found hangs are of this verdict.
    pub(crate) fn n_found(&self, verdict: &Verdict) -> usize {
        self.found.get(verdict).copied().unwrap_or_default()
    }

    pub(crate) fn n_missed(&self) -> usize {
        self.missed.values().sum()
    }
}

fn hangs(explored: &Explored) -> bool {
    !explored.total.is_empty() || !explored.cores.is_empty()
}

/// The first of the found hangs of a history of which a verdict is given.
fn first_judged(history: &History, engine: Engine, verdict: &Verdict) -> Option<Found> {
    engine(history).0.into_iter().find(|found| judge(history, found) == *verdict)
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

/// Whether some thread of the program goes on at the end of a schedule, of which the history knows nothing more.
fn is_served(program: &Program, history: &History, found: &Found) -> bool {
    let world = World::along(program, &history.operations, &found.steps);
    let n_done = |thread: u32, operations: &[Operation]| {
        operations.iter().filter(|operation| operation.thread == thread && program.knows(**operation)).count()
    };
    (0..program.threads.len() as u32).any(|thread| {
        n_done(thread, &world.history.operations) >= n_done(thread, &history.operations)
            && world.goes_on(thread as usize)
    })
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

/// Goes over so many histories of a shape, and compares.
pub(crate) fn differential(which: usize, seed: u64, n: usize, engine: Engine, tell: Tell) -> Counts {
    let (name, shape) = &SHAPES[which];
    let mut numbers = Numbers(seed);
    let mut counts = Counts::default();
    for _ in 0..n * times() {
        let (program, history, _) = completed(&mut numbers, shape);
        let history = marked(&history);
        let explored = explore(&history);
        if explored.is_cut_short {
            counts.n_too_large += 1;
            continue;
        }
        counts.n_histories += 1;
        counts.n_hanging += usize::from(hangs(&explored));
        counts.n_with_core += usize::from(!explored.cores.is_empty());
        let (found, is_cut_short) = engine(&history);
        counts.n_cut_short += usize::from(is_cut_short);
        for found in &found {
            let verdict = judge(&history, found);
            if matches!(verdict, Verdict::False(_) | Verdict::Early | Verdict::Unstarted)
                && !counts.found.contains_key(&verdict)
            {
                let history = shrunk(&history, |history| first_judged(history, engine, &verdict).is_some());
                let found = first_judged(&history, engine, &verdict);
                tell(format!("{name}: {verdict:?}: {found:?} of\n{}", example(&history)));
            }
            let is_served = verdict == Verdict::Total && is_served(&program, &history, found);
            counts.n_served += usize::from(is_served);
            if found.is_certain && (is_served || verdict == Verdict::Doubtful) {
                counts.n_overconfident += 1;
                let of =
                    if is_served { "somebody of whom nothing more is known goes on" } else { "others are in doubt" };
                tell(format!("{name}: certain, but {of}: {found:?} of\n{}", text(&history)));
            }
            *counts.found.entry(verdict).or_default() += 1;
        }
        if found.is_empty() && hangs(&explored) {
            let class = classes(&history);
            let n_missed = counts.missed.entry(class.clone()).or_default();
            *n_missed += 1;
            if *n_missed == 1 {
                let is_missed = |history: &History| engine(history).0.is_empty() && hangs(&explore(history));
                let history = shrunk(&history, |history| is_missed(history) && classes(history) == class);
                tell(format!("{name}: missed, {class}:\n{}", example(&history)));
            }
        }
    }
    tell(format!("{name}: {counts:#?}"));
    counts
}
