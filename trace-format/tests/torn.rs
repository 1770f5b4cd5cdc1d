//! A writer that is killed: after every single store of a script, what a reader finds is the state before or after
//! the step that the writer was in, never anything between.
//!
//! A killed process leaves the stores that it made, in the order in which it made them, so dying is modelled as
//! dropping every store from some point on.

use std::{
    cell::{Cell, RefCell},
    sync::atomic::Ordering::{self, Relaxed},
};
use trace_format::{
    Event, Flags, Kind, ObjectId,
    chunk::{self, ChunkKind, HEADER_WORDS, Header, State},
    slot::{self, FIRST_HOLD, FIRST_OVERFLOW_HOLD, HOLDS_INLINE, SLOT_WORDS, Snapshot},
    words::{ReadWords, Words},
};

/// Events that the segment has room for.
const N_EVENTS_MAX: usize = 4;
/// Where the slot's overflow record would lie in the file.
const OVERFLOW_OFFSET: u64 = 0x2_0000;

/// When the process dies: how many stores are still made, and whether one was dropped.
struct Life {
    n_stores_left: Cell<usize>,
    dead: Cell<bool>,
}

/// Words that outlive the process.
struct Memory<'a> {
    words: RefCell<Vec<u64>>,
    life: &'a Life,
}

impl<'a> Memory<'a> {
    fn new(n_words: usize, life: &'a Life) -> Self {
        Self { words: RefCell::new(vec![0; n_words]), life }
    }
}

impl ReadWords for Memory<'_> {
    fn load(&self, word: usize, _: Ordering) -> u64 {
        self.words.borrow().get(word).copied().unwrap_or(0)
    }

    fn fence(&self, _: Ordering) {}
}

impl Words for Memory<'_> {
    fn store(&self, word: usize, value: u64, _: Ordering) {
        match self.life.n_stores_left.get() {
            0 => self.life.dead.set(true),
            n => {
                self.life.n_stores_left.set(n - 1);
                self.words.borrow_mut()[word] = value;
            }
        }
    }
}

/// What the writer does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin,
    Append(Event),
    /// An event with its extension.
    AppendTwo(Event, Event),
    Finish(State),
    /// The reader's part.
    Drain,
    Take,
    Push(Event),
    Pop,
    BeginWait(Event),
    EndWait,
}

/// What a reader finds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Seen {
    /// The segment's events, if there is a segment.
    events: Option<Vec<Event>>,
    holds: Vec<Event>,
    wait: Option<Event>,
}

impl Seen {
    /// What a step means.
    fn then(&self, step: Step) -> Self {
        let mut seen = self.clone();
        let append = |events: &[Event]| Some([seen.events.clone().unwrap_or_default(), events.to_vec()].concat());
        match step {
            Step::Begin => seen.events = Some(Vec::new()),
            Step::Append(event) => seen.events = append(&[event]),
            Step::AppendTwo(event, extension) => seen.events = append(&[event, extension]),
            Step::Take if seen.events.as_ref().is_some_and(|events| events.len() == N_EVENTS_MAX) => {
                seen.events = Some(Vec::new());
            }
            Step::Finish(_) | Step::Drain | Step::Take => {}
            Step::Push(hold) => seen.holds.push(hold),
            Step::Pop => seen.holds.truncate(seen.holds.len() - 1),
            Step::BeginWait(wait) => seen.wait = Some(wait),
            Step::EndWait => seen.wait = None,
        }
        seen
    }
}

/// A process with one segment and one slot, and what its thread knows about them.
struct Process<'a> {
    life: &'a Life,
    segment: Memory<'a>,
    slot: Memory<'a>,
    overflow: Memory<'a>,
    at: usize,
    n_holds: usize,
}

impl<'a> Process<'a> {
    fn new(life: &'a Life) -> Self {
        Self {
            life,
            segment: Memory::new(HEADER_WORDS + N_EVENTS_MAX * Event::WORDS, life),
            slot: Memory::new(SLOT_WORDS, life),
            overflow: Memory::new(SLOT_WORDS, life),
            at: HEADER_WORDS,
            n_holds: 0,
        }
    }

    /// Runs `script` until the process dies or the script ends; returns how many steps it completed.
    fn run(&mut self, script: &[Step]) -> usize {
        let died_in = script.iter().position(|step| {
            self.step(*step);
            self.life.dead.get()
        });
        died_in.unwrap_or(script.len())
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Begin => chunk::begin(&self.segment, ChunkKind::EVENTS, chunk::CHUNK_ALIGN, 1),
            Step::Append(event) => {
                self.at = chunk::write(&self.segment, self.at, event);
                chunk::publish(&self.segment, self.at);
            }
            Step::AppendTwo(event, extension) => {
                self.at = chunk::write(&self.segment, self.at, event);
                self.at = chunk::write(&self.segment, self.at, extension);
                chunk::publish(&self.segment, self.at);
            }
            Step::Finish(state) => chunk::finish(&self.segment, state),
            Step::Drain => assert!(chunk::drain(&self.segment)),
            Step::Take => {
                let at = chunk::try_take(&self.segment, 2);
                assert!(at == Some(self.at) || at == Some(HEADER_WORDS));
                self.at = at.unwrap_or_default();
            }
            Step::Push(hold) => self.push(hold),
            Step::Pop => {
                self.n_holds -= 1;
                slot::pop(&self.slot, self.n_holds);
            }
            Step::BeginWait(wait) => slot::begin_wait(&self.slot, wait, 7, 70),
            Step::EndWait => slot::end_wait(&self.slot),
        }
    }

    fn push(&mut self, hold: Event) {
        let n = self.n_holds;
        if n < HOLDS_INLINE {
            slot::push(&self.slot, &self.slot, FIRST_HOLD + n * Event::WORDS, n, hold);
        } else {
            let at = FIRST_OVERFLOW_HOLD + (n - HOLDS_INLINE) * Event::WORDS;
            self.slot.store(slot::word::OVERFLOW, OVERFLOW_OFFSET, Relaxed);
            slot::push(&self.slot, &self.overflow, at, n, hold);
        }
        self.n_holds += 1;
    }

    fn seen(&self) -> Seen {
        let header = Header::read(&self.segment);
        let events = header.map(|header| events(&self.segment, HEADER_WORDS, (header.head / 8 - HEADER_WORDS) / 2));
        if header.is_some_and(|header| header.state == State::FULL) {
            assert_eq!(events.as_ref().map(Vec::len), Some(N_EVENTS_MAX), "the head of a full segment is final");
        }
        let Snapshot { n_holds, holds, overflow, wait, wait_object, since_ns, .. } = Snapshot::read(&self.slot);
        assert!(wait.is_none() || (wait_object, since_ns) == (7, 70), "a wait is published whole");
        let n_inline = n_holds.min(HOLDS_INLINE);
        let mut holds = holds[..n_inline].to_vec();
        if n_holds > n_inline {
            assert_eq!(overflow, OVERFLOW_OFFSET, "holds beyond the slot can be found");
            holds.extend(self::events(&self.overflow, FIRST_OVERFLOW_HOLD, n_holds - n_inline));
        }
        Seen { events, holds, wait }
    }
}

fn events(words: &impl ReadWords, at: usize, n: usize) -> Vec<Event> {
    (at..)
        .step_by(2)
        .take(n)
        .map(|at| Event::from_words([words.load(at, Relaxed), words.load(at + 1, Relaxed)]))
        .collect()
}

/// Asserts of a process killed after each of its stores that a reader finds a state between two steps.
fn check(script: &[Step]) {
    let states: Vec<Seen> = script
        .iter()
        .scan(Seen::default(), |seen, step| {
            let before = seen.clone();
            *seen = seen.then(*step);
            Some(before)
        })
        .collect();
    for n_stores in 0.. {
        let life = Life { n_stores_left: Cell::new(n_stores), dead: Cell::new(false) };
        let mut process = Process::new(&life);
        let n_steps = process.run(script);
        let seen = process.seen();
        if n_steps == script.len() {
            let end = states[n_steps - 1].then(script[n_steps - 1]);
            assert_eq!(seen, end, "the whole script");
            assert!(n_stores >= script.len(), "every step stores something");
            return;
        }
        let (before, after) = (&states[n_steps], states[n_steps].then(script[n_steps]));
        assert!(
            seen == *before || seen == after,
            "killed after {n_stores} stores, in {:?}:\n{seen:?}\nis neither\n{before:?}\nnor\n{after:?}",
            script[n_steps]
        );
    }
}

fn event(kind: Kind, n: u64) -> Event {
    Event::new(kind, Flags(n as u8), n as u32, ObjectId(n << 32 | n), n)
}

#[test]
fn events_are_whole_wherever_the_writer_dies() {
    let acquire = |n| Step::Append(event(Kind::ACQUIRE, n));
    check(&[
        Step::Begin,
        acquire(1),
        Step::AppendTwo(event(Kind::NOTIFY, 2), Event::extend(3, 4)),
        Step::Finish(State::IDLE),
        Step::Take,
        acquire(5),
        Step::Finish(State::FULL),
        Step::Drain,
        Step::Take,
        acquire(6),
        Step::AppendTwo(event(Kind::NOTIFY, 7), Event::extend(8, 9)),
        acquire(10),
        Step::Finish(State::FULL),
        Step::Drain,
        Step::Take,
        acquire(11),
        Step::Finish(State::IDLE),
    ]);
}

#[test]
fn slots_are_consistent_wherever_the_writer_dies() {
    let push = |n| Step::Push(event(Kind::ACQUIRE, n));
    let begin_wait = |n| Step::BeginWait(event(Kind::REQUEST, n));
    check(&[
        begin_wait(1),
        Step::EndWait,
        push(1),
        push(2),
        begin_wait(3),
        Step::EndWait,
        Step::Pop,
        push(3),
        Step::Pop,
        Step::Pop,
        begin_wait(4),
    ]);
}

#[test]
fn holds_go_on_in_the_overflow_record() {
    let n_holds = HOLDS_INLINE as u64 + 2;
    let mut script: Vec<Step> = (1..=n_holds).map(|n| Step::Push(event(Kind::ACQUIRE, n))).collect();
    script.extend([Step::BeginWait(event(Kind::REQUEST, 99)), Step::EndWait, Step::Pop, Step::Pop, Step::Pop]);
    check(&script);
}

#[test]
fn both_together() {
    let acquire = event(Kind::ACQUIRE, 1);
    check(&[
        Step::Begin,
        Step::Push(acquire),
        Step::Append(acquire),
        Step::Append(event(Kind::REQUEST, 2)),
        Step::BeginWait(event(Kind::REQUEST, 2)),
        Step::EndWait,
        Step::Push(event(Kind::ACQUIRE, 2)),
        Step::Append(event(Kind::ACQUIRE, 2)),
        Step::Append(event(Kind::RELEASE, 2)),
        Step::Pop,
        Step::Finish(State::FULL),
    ]);
}
