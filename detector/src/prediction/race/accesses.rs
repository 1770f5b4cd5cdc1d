//! The accesses that may race, each with what must come before it: one pass with clocks.

use super::{
    super::past::{Event, Hold, NONE, Pass, Past},
    screen::Screen,
};
use crate::history::{History, Kind, Operation, Target};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Words of clocks that are kept: 256 MB. In a run of very many threads that learn from each other all the time the rest is
/// not looked at.
const CLOCK_WORDS_MAX: usize = 64 << 20;

/// An access of a variable that may have races.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    /// Index in the history.
    pub(super) index: u32,
    /// The event, with what comes before it in other threads. It does not know what it reads itself.
    pub(super) event: Event,
    /// Index into [`Accesses::held_sets`].
    pub(super) held: u32,
    /// Accesses of one class are of one thread, with nothing between them that orders anything: what is so for one of them is so
    /// for all.
    pub(super) class: u32,
    pub(super) variable: u32,
    pub(super) place: u32,
    pub(super) is_write: bool,
}

/// Accesses of one variable by one thread, all reads or all writes, and if wanted all at one place.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) thread: u32,
    pub(super) is_write: bool,
    /// In [`Streams::entries`]: the first access of each class, in order.
    pub(super) entries: Range<u32>,
}

/// Accesses by variable, thread and kind.
#[derive(Debug)]
pub(super) struct Streams {
    pub(super) all: Vec<Stream>,
    /// Indexes into [`Accesses::all`].
    pub(super) entries: Vec<u32>,
    /// Per variable, in `all`.
    pub(super) of_variable: Vec<Range<u32>>,
}

/// A give or take of a resource: where it is, and the event.
pub(super) type Move = (u32, Kind, Event);

/// What the pass found.
#[derive(Debug)]
pub(super) struct Accesses {
    pub(super) past: Past,
    /// In the order of the history.
    pub(super) all: Vec<Access>,
    /// Per thread, indexes into `all`.
    pub(super) of_thread: Vec<Vec<u32>>,
    /// Locks held, without those that keep nothing apart.
    pub(super) held_sets: Vec<Box<[Hold]>>,
    pub(super) n_classes: u32,
    /// By resource, in order.
    pub(super) moves: FxHashMap<u32, Vec<Move>>,
    /// Whether some accesses were left out.
    pub(super) is_cut_short: bool,
}

impl Accesses {
    /// Goes over the history; `None` if nothing in it can race.
    pub(super) fn of(history: &History, is_data: &dyn Fn(u32) -> bool) -> Option<Self> {
        let screen = Screen::of(history, is_data);
        if !screen.is_candidate.contains(&true) {
            return None;
        }
        let n_threads = history.threads.len();
        let mut collecting = Collecting {
            screen: &screen,
            pass: Pass::new(history),
            writers: vec![NONE; history.variables.len()],
            classes: (0..n_threads as u32).collect(),
            held: vec![NONE; n_threads],
            numbers: FxHashMap::default(),
            all: Vec::new(),
            of_thread: vec![Vec::new(); n_threads],
            held_sets: Vec::new(),
            n_classes: n_threads as u32,
            moves: FxHashMap::default(),
            is_cut_short: false,
        };
        for (index, operation) in (0..).zip(&history.operations) {
            collecting.step(index, operation);
        }
        Some(collecting.finish())
    }

    /// Whether two accesses are kept apart by a lock that both hold.
    pub(super) fn are_kept_apart(&self, one: &Access, other: &Access) -> bool {
        let [one, other] = [one, other].map(|access| &self.held_sets[access.held as usize]);
        one.iter().any(|(lock, mode)| other.iter().any(|(held, other)| held == lock && mode.excludes(*other)))
    }

    /// The accesses of each variable, apart by thread and kind, and if wanted by place.
    pub(super) fn streams(&self, n_variables: usize, by_place: bool) -> Streams {
        let mut order: Vec<u32> = (0..self.all.len() as u32).collect();
        let place = |access: &Access| if by_place { access.place } else { 0 };
        let key = |access: &Access| (access.variable, access.event.thread, access.is_write, place(access));
        order.sort_by_key(|at| key(&self.all[*at as usize]));
        let mut streams =
            Streams { all: Vec::new(), entries: Vec::new(), of_variable: vec![Range::default(); n_variables] };
        for run in order.chunk_by(|a, b| key(&self.all[*a as usize]) == key(&self.all[*b as usize])) {
            let begin = streams.entries.len() as u32;
            let mut class = NONE;
            for at in run {
                if std::mem::replace(&mut class, self.all[*at as usize].class) != class {
                    streams.entries.push(*at);
                }
            }
            let first = &self.all[run[0] as usize];
            let of_variable = &mut streams.of_variable[first.variable as usize];
            let number = streams.all.len() as u32;
            let since = if of_variable.end == 0 { number } else { of_variable.start };
            *of_variable = since..number + 1;
            let entries = begin..streams.entries.len() as u32;
            streams.all.push(Stream { thread: first.event.thread, is_write: first.is_write, entries });
        }
        streams.entries.shrink_to_fit();
        streams
    }
}

struct Collecting<'a> {
    screen: &'a Screen,
    pass: Pass,
    /// Per variable who wrote it last.
    writers: Vec<u32>,
    /// Per thread the class of its next access.
    classes: Vec<u32>,
    /// Per thread the number of what it holds, if that is known.
    held: Vec<u32>,
    numbers: FxHashMap<Box<[Hold]>, u32>,
    all: Vec<Access>,
    of_thread: Vec<Vec<u32>>,
    held_sets: Vec<Box<[Hold]>>,
    n_classes: u32,
    moves: FxHashMap<u32, Vec<Move>>,
    is_cut_short: bool,
}

impl Collecting<'_> {
    fn step(&mut self, index: u32, operation: &Operation) {
        let Operation { thread, target, kind, .. } = *operation;
        if matches!(kind, Kind::Read | Kind::Write) && self.screen.is_candidate[target as usize] {
            self.access(index, operation);
        }
        self.pass.step(index, operation);
        if matches!(kind, Kind::Give | Kind::GiveAll | Kind::Close | Kind::Take) {
            let (lt, clock) = self.pass.now(thread);
            self.moves.entry(target).or_default().push((index, kind, Event { thread, lt, clock }));
        }
        // A hold that another thread ends is not among those that are looked at.
        if matches!(kind, Kind::Acquire | Kind::Release) {
            self.held[thread as usize] = NONE;
        }
        if self.orders(index, operation) {
            self.classes[thread as usize] = self.n_classes;
            self.n_classes += 1;
        }
        if kind == Kind::Write {
            self.writers[target as usize] = thread;
        }
    }

    /// Whether an operation orders what comes before it and behind it differently.
    fn orders(&self, index: u32, operation: &Operation) -> bool {
        let Operation { thread, target, kind, .. } = *operation;
        match kind {
            Kind::Acquire | Kind::Release | Kind::Fork | Kind::Join => true,
            Kind::Read | Kind::Await => {
                let writer = self.writers[target as usize];
                writer != NONE && writer != thread
            }
            Kind::Write => self.screen.is_seen[index as usize],
            _ => kind.target() == Target::Resource,
        }
    }

    fn access(&mut self, index: u32, operation: &Operation) {
        let Operation { thread, target, place, kind, .. } = *operation;
        if self.pass.n_words() > CLOCK_WORDS_MAX {
            self.is_cut_short = true;
            return;
        }
        let held = self.held(thread);
        let (before, clock) = self.pass.now(thread);
        self.of_thread[thread as usize].push(self.all.len() as u32);
        self.all.push(Access {
            index,
            event: Event { thread, lt: before + 1, clock },
            held,
            class: self.classes[thread as usize],
            variable: target,
            place,
            is_write: kind == Kind::Write,
        });
    }

    fn held(&mut self, thread: u32) -> u32 {
        if self.held[thread as usize] != NONE {
            return self.held[thread as usize];
        }
        let mut held = self.pass.held(thread);
        held.retain(|(lock, _)| !self.screen.handed_over.contains(lock));
        let held_sets = &mut self.held_sets;
        let number = *self.numbers.entry(held.into()).or_insert_with_key(|held| {
            held_sets.push(held.clone());
            held_sets.len() as u32 - 1
        });
        self.held[thread as usize] = number;
        number
    }

    fn finish(self) -> Accesses {
        Accesses {
            past: self.pass.into_past(),
            all: self.all,
            of_thread: self.of_thread,
            held_sets: self.held_sets,
            n_classes: self.n_classes,
            moves: self.moves,
            is_cut_short: self.is_cut_short,
        }
    }
}
