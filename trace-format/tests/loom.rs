//! Models of the crate's protocols: loom runs the same functions that the recorder and the readers run, in every
//! order of steps and with every value that the memory model lets a load see.
//!
//! Each model states its claims with [`claim`]. Each is explored twice over: as it is, where all claims must hold,
//! and with one of the orderings that the protocol relies on taken away, where a claim must break: otherwise the
//! model, or the ordering, would be worth nothing.
//!
//! Bounds. Segments hold two or three events, slots two holds, and a switch away from a thread that could have gone
//! on is explored up to [`PREEMPTIONS_MAX`] times per run, which finds every known way to break each protocol in
//! seconds. `LOOM_MAX_PREEMPTIONS=3` looks further; it takes about 40 s in a debug build.
//!
//! Models use `std::sync::Arc`: loom's own panics while a failed model unwinds, which aborts the test process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail like tests")]

#[path = "loom/stripe.rs"]
mod stripe;

use loom::sync::{
    Mutex,
    atomic::{AtomicU64, fence},
};
use std::{
    cell::RefCell,
    collections::BTreeSet,
    panic::catch_unwind,
    sync::{
        Arc,
        atomic::Ordering::{self, Acquire, Relaxed, Release},
    },
};
use trace_format::{
    Event, Flags, Kind, ObjectId,
    chunk::{self, ChunkKind, HEADER_WORDS, Header, State},
    slot::{self, FIRST_HOLD, Snapshot},
    words::{ReadWords, Words},
};

/// Switches away from a thread that could have gone on, per explored run.
const PREEMPTIONS_MAX: usize = 2;

/// What every broken claim's message begins with, so that no other panic passes for one.
const BROKEN: &str = "broken claim: ";

/// An ordering that is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakness {
    /// None: the protocol as it is.
    None,
    /// Release stores are relaxed.
    Stores,
    /// Acquire loads are relaxed.
    Loads,
    /// Release fences are missing.
    ReleaseFences,
    /// Acquire fences are missing.
    AcquireFences,
}

/// Words as loom sees them.
struct Memory {
    words: Vec<AtomicU64>,
    weakness: Weakness,
}

impl Memory {
    fn new(n_words: usize, weakness: Weakness) -> Arc<Self> {
        Arc::new(Self { words: (0..n_words).map(|_| AtomicU64::new(0)).collect(), weakness })
    }

    /// A segment with room for `n_events`, not begun.
    fn segment(n_events: usize, weakness: Weakness) -> Arc<Self> {
        Self::new(HEADER_WORDS + n_events * Event::WORDS, weakness)
    }
}

impl ReadWords for Memory {
    fn load(&self, word: usize, order: Ordering) -> u64 {
        let order = if self.weakness == Weakness::Loads { Relaxed } else { order };
        self.words.get(word).map_or(0, |word| word.load(order))
    }

    fn fence(&self, order: Ordering) {
        let missing = match order {
            Acquire => Weakness::AcquireFences,
            _ => Weakness::ReleaseFences,
        };
        if self.weakness != missing {
            fence(order);
        }
    }
}

impl Words for Memory {
    fn store(&self, word: usize, value: u64, order: Ordering) {
        let order = if self.weakness == Weakness::Stores { Relaxed } else { order };
        self.words[word].store(value, order);
    }
}

fn claim(holds: bool, what: &str) {
    assert!(holds, "{BROKEN}{what}");
}

thread_local! {
    /// Outcomes that the runs of a model came to; loom's threads all run on the thread that explores.
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Says that a run came to an outcome that is worth claiming something about.
fn reached(outcome: &'static str) {
    REACHED.with_borrow_mut(|outcomes| outcomes.insert(outcome));
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    // Taken from LOOM_MAX_PREEMPTIONS if that is set.
    builder.preemption_bound.get_or_insert(PREEMPTIONS_MAX);
    builder.check(model);
}

/// Asserts that a model holds, and that it came to all of `outcomes` and to no other.
#[track_caller]
fn assert_holds(model: fn(Weakness), outcomes: &[&'static str]) {
    explore(move || model(Weakness::None));
    let reached = REACHED.take();
    assert!(reached.iter().eq(outcomes), "the model reached {reached:?}");
}

/// Asserts that a model breaks one of its claims, and does not fail in another way.
#[track_caller]
fn assert_breaks(weakness: Weakness, model: fn(Weakness)) {
    let Err(panic) = catch_unwind(|| explore(move || model(weakness))) else {
        panic!("the model holds without what {weakness:?} takes away")
    };
    let message = panic.downcast_ref::<String>().map_or("", String::as_str);
    assert!(message.starts_with(BROKEN), "failed in another way: {message:?}");
}

/// Event `i` of generation `generation`; both words tell both numbers.
const fn event(generation: u32, i: u64) -> Event {
    Event::new(Kind::ACQUIRE, Flags(i as u8), generation, ObjectId(1), (generation as u64) << 8 | i)
}

/// The events below `head`.
fn copy(memory: &Memory, head: usize) -> Vec<Event> {
    (HEADER_WORDS..head / 8)
        .step_by(Event::WORDS)
        .map(|at| Event::from_words([memory.load(at, Relaxed), memory.load(at + 1, Relaxed)]))
        .collect()
}

/// What a reader does that looks at a segment while threads run: `None` if it may not use what it copied.
fn copy_checked(memory: &Memory) -> Option<(Header, Vec<Event>)> {
    let header = Header::read(memory)?;
    let events = copy(memory, header.head);
    // Pairs with the release fence in `try_take`: who copied a word from after the taking sees its generation.
    memory.fence(Acquire);
    (memory.load(chunk::word::GENERATION, Relaxed) == header.generation).then_some((header, events))
}

/// Appending against a reader: what lies below `head` is whole and in order, and a full segment's head is final.
fn appending(weakness: Weakness) {
    let script = [event(1, 0), event(1, 1), Event::extend(2, 2)];
    let memory = Memory::segment(script.len(), weakness);
    let writer = loom::thread::spawn({
        let memory = Arc::clone(&memory);
        move || {
            chunk::begin(&*memory, ChunkKind::EVENTS, chunk::CHUNK_ALIGN, 1);
            let at = chunk::write(&*memory, HEADER_WORDS, script[0]);
            chunk::publish(&*memory, at);
            let at = chunk::write(&*memory, at, script[1]);
            let at = chunk::write(&*memory, at, script[2]);
            chunk::publish(&*memory, at);
            chunk::finish(&*memory, State::FULL);
        }
    });
    if let Some(header) = Header::read(&*memory) {
        claim(header.kind == ChunkKind::EVENTS && header.generation == 1, "a header with its magic is whole");
        let events = copy(&memory, header.head);
        claim(script.starts_with(&events), "events below head are whole and in order");
        claim(events.len() != 2, "an event and its extension are published together");
        claim(header.state != State::FULL || events.len() == 3, "the head of a full segment is final");
        reached(["0 events", "1 event", "2 events", "3 events"][events.len()]);
    } else {
        reached("no header");
    }
    writer.join().unwrap();
}

#[test]
fn appended_events_are_whole() {
    assert_holds(appending, &["0 events", "1 event", "3 events", "no header"]);
}

#[test]
fn appending_needs_its_orderings() {
    assert_breaks(Weakness::Stores, appending);
    assert_breaks(Weakness::Loads, appending);
}

/// A slot through two waits, against a reader: an exact snapshot is of one wait.
fn waiting(weakness: Weakness) {
    let hold = |n: u32| Event::new(Kind::ACQUIRE, Flags::NONE, n, ObjectId(n.into()), n.into());
    let wait = |n: u32| Event::new(Kind::REQUEST, Flags::NONE, n, ObjectId(n.into()), 0);
    let (a, b, c, for_x, for_y) = (hold(1), hold(2), hold(3), wait(4), wait(5));
    let slot = Memory::new(FIRST_HOLD + 2 * Event::WORDS, weakness);
    let thread = loom::thread::spawn({
        let slot = Arc::clone(&slot);
        move || {
            slot::push(&*slot, &*slot, FIRST_HOLD, 0, a);
            slot::push(&*slot, &*slot, FIRST_HOLD + Event::WORDS, 1, b);
            slot::begin_wait(&*slot, for_x, 40, 400);
            slot::end_wait(&*slot);
            slot::pop(&*slot, 1);
            slot::push(&*slot, &*slot, FIRST_HOLD + Event::WORDS, 1, c);
            slot::begin_wait(&*slot, for_y, 50, 500);
        }
    });
    let Snapshot { exact, wait, wait_object, since_ns, n_holds, holds, .. } = Snapshot::read(&*slot);
    let holds = &holds[..n_holds];
    claim(holds.first().is_none_or(|hold| *hold == a), "a hold that is counted is written");
    if exact {
        let first = (wait, wait_object, since_ns) == (Some(for_x), 40, 400) && holds == [a, b];
        let second = (wait, wait_object, since_ns) == (Some(for_y), 50, 500) && holds == [a, c];
        claim(first || second, "an exact snapshot is of one wait");
        reached(if first { "first wait" } else { "second wait" });
    } else {
        reached(["no wait", "left its wait"][usize::from(wait.is_some())]);
    }
    thread.join().unwrap();
}

#[test]
fn exact_snapshots_are_of_one_wait() {
    assert_holds(waiting, &["first wait", "left its wait", "no wait", "second wait"]);
}

#[test]
fn snapshots_need_their_orderings() {
    assert_breaks(Weakness::Stores, waiting);
    assert_breaks(Weakness::Loads, waiting);
    assert_breaks(Weakness::ReleaseFences, waiting);
    assert_breaks(Weakness::AcquireFences, waiting);
}

const OLD: [Event; 2] = [event(1, 0), event(1, 1)];
const NEW: [Event; 2] = [event(2, 0), event(2, 1)];

/// [`chunk::try_take`], or what a model has in its place.
type TryTake = fn(&Memory, u64) -> Option<usize>;

/// Writes the new events over the old ones, once the segment is drained.
fn write_again(memory: &Memory, try_take: TryTake) {
    let taken = try_take(memory, 2).or_else(|| {
        // loom explores a switch to another thread at a step only if the last step on the same word was another
        // thread's, which hides the drainer's store behind its own load; this asks for the switch.
        loom::thread::yield_now();
        try_take(memory, 2)
    });
    let Some(at) = taken else { return reached("not taken") };
    reached("taken");
    claim(at == HEADER_WORDS, "a drained segment is taken from its start");
    let at = chunk::write(memory, at, NEW[0]);
    chunk::publish(memory, at);
    let at = chunk::write(memory, at, NEW[1]);
    chunk::publish(memory, at);
    chunk::finish(memory, State::FULL);
}

/// What a slow reader of a segment claims.
fn read_slowly(memory: &Memory) {
    let Some((header, events)) = copy_checked(memory) else { return reached("refused") };
    reached(if events.is_empty() {
        "empty copy"
    } else if events[0] == OLD[0] {
        "old copy"
    } else {
        "new copy"
    });
    claim(OLD.starts_with(&events) || NEW.starts_with(&events), "a copy is of one generation");
    claim(header.state != State::FULL || events.len() == 2, "the head of a full segment is final");
}

/// Draining against the writer: all is copied before anything is overwritten.
fn draining(weakness: Weakness) {
    let memory = Memory::segment(OLD.len(), weakness);
    chunk::begin(&*memory, ChunkKind::EVENTS, chunk::CHUNK_ALIGN, 1);
    let drainer = loom::thread::spawn({
        let memory = Arc::clone(&memory);
        move || {
            let Some((header, events)) = copy_checked(&memory) else { return };
            if header.state == State::FULL {
                claim(events == OLD, "what is drained was copied whole");
                claim(chunk::drain(&*memory), "a full segment can be drained");
                reached("drained");
            }
        }
    });
    let reader = loom::thread::spawn({
        let memory = Arc::clone(&memory);
        move || read_slowly(&memory)
    });
    let at = chunk::write(&*memory, HEADER_WORDS, OLD[0]);
    chunk::publish(&*memory, at);
    let at = chunk::write(&*memory, at, OLD[1]);
    chunk::publish(&*memory, at);
    chunk::finish(&*memory, State::FULL);
    write_again(&memory, chunk::try_take);
    drainer.join().unwrap();
    reader.join().unwrap();
}

#[test]
fn drained_events_were_copied() {
    assert_holds(draining, &["drained", "empty copy", "new copy", "not taken", "old copy", "refused", "taken"]);
}

#[test]
fn draining_needs_its_orderings() {
    assert_breaks(Weakness::Stores, draining);
    assert_breaks(Weakness::Loads, draining);
}

/// A drained segment is taken again, against a reader that is slow.
fn reusing(weakness: Weakness) {
    reusing_with(weakness, chunk::try_take);
}

fn reusing_with(weakness: Weakness, try_take: TryTake) {
    let memory = Memory::segment(OLD.len(), weakness);
    chunk::begin(&*memory, ChunkKind::EVENTS, chunk::CHUNK_ALIGN, 1);
    let at = chunk::write(&*memory, HEADER_WORDS, OLD[0]);
    let at = chunk::write(&*memory, at, OLD[1]);
    chunk::publish(&*memory, at);
    chunk::finish(&*memory, State::FULL);
    claim(chunk::drain(&*memory), "a full segment can be drained");
    let reader = loom::thread::spawn({
        let memory = Arc::clone(&memory);
        move || read_slowly(&memory)
    });
    write_again(&memory, try_take);
    reader.join().unwrap();
}

#[test]
fn copies_are_of_one_generation() {
    assert_holds(reusing, &["empty copy", "new copy", "old copy", "refused", "taken"]);
}

#[test]
fn reuse_needs_its_orderings() {
    assert_breaks(Weakness::Stores, reusing);
    assert_breaks(Weakness::Loads, reusing);
    assert_breaks(Weakness::ReleaseFences, reusing);
    assert_breaks(Weakness::AcquireFences, reusing);
}

/// [`chunk::try_take`] without an even generation: a reader may take the old head for one of the new content.
fn try_take_in_one_step(memory: &Memory, thread: u64) -> Option<usize> {
    if memory.load(chunk::word::STATE, Acquire) != State::DRAINED.0 {
        return None;
    }
    memory.store(chunk::word::GENERATION, 3, Relaxed);
    memory.fence(Release);
    memory.store(chunk::word::HEAD, chunk::HEADER_BYTES as u64, Relaxed);
    memory.store(chunk::word::THREAD, thread, Relaxed);
    memory.store(chunk::word::STATE, State::WRITING.0, Relaxed);
    Some(HEADER_WORDS)
}

#[test]
fn reuse_needs_two_steps() {
    assert_breaks(Weakness::None, |weakness| reusing_with(weakness, try_take_in_one_step));
}

/// Two threads want the segment of a third one that ends: at most one gets it, and goes on behind what is there.
fn taking_over(weakness: Weakness) {
    taking_over_with(weakness, true);
}

fn taking_over_with(weakness: Weakness, locked: bool) {
    let memory = Memory::segment(2, weakness);
    let lock = Arc::new(Mutex::new(()));
    chunk::begin(&*memory, ChunkKind::EVENTS, chunk::CHUNK_ALIGN, 1);
    let takers = [2, 3].map(|thread| {
        let (memory, lock) = (Arc::clone(&memory), Arc::clone(&lock));
        loom::thread::spawn(move || {
            let guard = locked.then(|| lock.lock().unwrap());
            let taken = chunk::try_take(&*memory, thread.into());
            drop(guard);
            let Some(at) = taken else { return false };
            claim(at == HEADER_WORDS + Event::WORDS, "an idle segment goes on behind its head");
            let at = chunk::write(&*memory, at, event(thread, 0));
            chunk::publish(&*memory, at);
            true
        })
    });
    let at = chunk::write(&*memory, HEADER_WORDS, event(1, 0));
    chunk::publish(&*memory, at);
    chunk::finish(&*memory, State::IDLE);

    let taken = takers.map(|taker| taker.join().unwrap());
    let header = Header::read(&*memory).unwrap();
    let events = copy(&memory, header.head);
    match taken {
        [true, true] => claim(false, "one segment has one taker"),
        [false, false] => {
            reached("not taken");
            claim(header.state == State::IDLE && events == [event(1, 0)], "what nobody took is idle");
        }
        [first, _] => {
            reached(if first { "taken by 2" } else { "taken by 3" });
            let thread = if first { 2 } else { 3 };
            claim(header.state == State::WRITING, "a segment that was taken is written");
            claim(events == [event(1, 0), event(thread, 0)], "the taker's event is behind the old one");
            claim(header.generation == 1, "nothing was overwritten, so the generation stays");
        }
    }
}

#[test]
fn idle_segments_have_one_taker() {
    assert_holds(taking_over, &["not taken", "taken by 2", "taken by 3"]);
}

#[test]
fn taking_over_needs_its_orderings_and_the_lock() {
    assert_breaks(Weakness::Stores, taking_over);
    assert_breaks(Weakness::Loads, taking_over);
    assert_breaks(Weakness::None, |weakness| taking_over_with(weakness, false));
}
