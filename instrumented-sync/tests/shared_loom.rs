//! Models of what processes do to the words that they share: loom runs the same functions, in every order of steps and with every value
//! that the memory model lets a load see.
//!
//! Nobody who sleeps wakes because a time is over, as real sleepers do: so a wake-up that is lost is a deadlock, which loom finds. Each model
//! is explored as it is, and with one thing taken away that the protocol relies on; then it must fail, or the model would be worth nothing.
//!
//! Bounds: two or three threads, two switches away from a thread that could have gone on.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail like tests")]

#[path = "../src/process/shared/protocol.rs"]
#[allow(unreachable_pub, dead_code, reason = "written for the crate, of which this takes what it models")]
mod protocol;

use loom::{
    cell::UnsafeCell,
    sync::{
        Condvar, Mutex,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst},
            fence,
        },
    },
    thread,
};
use protocol::{Life, Taken, Word};
use std::{
    panic::catch_unwind,
    sync::{Arc, Mutex as StdMutex, MutexGuard as StdGuard, PoisonError},
};

/// What is taken away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Weakness {
    /// Nothing: the protocol as it is.
    None,
    /// The fences between each word and the look behind it.
    Fences,
    /// That who waits announces itself.
    Announcing,
    /// That all are woken who may have waited for a change.
    WakingAll,
    /// That who sees the count raised sees what it was raised for.
    Counting,
    /// What orders a store with the loads that see it.
    Orders,
}

/// A word of 64 bits.
struct Shared(AtomicU64, Weakness);

impl Word for Shared {
    fn load(&self) -> u64 {
        self.0.load(if self.1 == Weakness::Orders { Relaxed } else { Acquire })
    }

    fn store(&self, value: u64) {
        self.0.store(value, if self.1 == Weakness::Orders { Relaxed } else { Release });
    }

    fn exchange(&self, current: u64, new: u64) -> bool {
        let order = if self.1 == Weakness::Orders { Relaxed } else { AcqRel };
        self.0.compare_exchange(current, new, order, Relaxed).is_ok()
    }
}

/// An event count whose futex is a mutex and a condition variable.
struct Event {
    seq: AtomicU32,
    n_waiting: AtomicU32,
    sleepers: Mutex<()>,
    woken: Condvar,
    weakness: Weakness,
}

impl Event {
    fn new(weakness: Weakness) -> Self {
        let (seq, n_waiting) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { seq, n_waiting, sleepers: Mutex::new(()), woken: Condvar::new(), weakness }
    }
}

impl protocol::Event for Event {
    fn seq(&self) -> u32 {
        self.seq.load(if self.weakness == Weakness::Counting { Relaxed } else { Acquire })
    }

    fn announce(&self, is_coming: bool) {
        if self.weakness == Weakness::Announcing {
            return;
        }
        if is_coming {
            self.n_waiting.fetch_add(1, Relaxed);
        } else {
            self.n_waiting.fetch_sub(1, Relaxed);
        }
    }

    fn is_awaited(&self) -> bool {
        self.n_waiting.load(Relaxed) != 0
    }

    fn raise(&self, wakes_all: bool) {
        self.seq.fetch_add(1, if self.weakness == Weakness::Counting { Relaxed } else { Release });
        let _sleepers = self.sleepers.lock().unwrap();
        if wakes_all && self.weakness != Weakness::WakingAll {
            self.woken.notify_all();
        } else {
            self.woken.notify_one();
        }
    }

    fn sleep(&self, seen: u32) -> bool {
        let sleepers = self.sleepers.lock().unwrap();
        // As the kernel does: looked at once those who raise can be heard. A count that was raised is never seen as it was: of one
        // word all threads see one order, and the mutex orders the look behind the raise.
        if self.seq.load(SeqCst) == seen {
            drop(self.woken.wait(sleepers).unwrap());
        }
        true
    }

    fn fence(&self) {
        if self.weakness != Weakness::Fences {
            fence(SeqCst);
        }
    }
}

/// Who is dead: the owners with these words.
struct Dead(&'static [u64]);

impl Life for Dead {
    fn is_dead(&self, owner: u64) -> bool {
        self.0.contains(&owner)
    }
}

const NOBODY: Dead = Dead(&[]);

/// A mutex of the protocol, and what it guards.
struct Lock {
    owner: Shared,
    event: Event,
    readers: [Shared; 2],
    data: UnsafeCell<u32>,
}

// SAFETY: that threads exclude each other is what the models are about; loom looks at each access of the cell.
unsafe impl Sync for Lock {}
// SAFETY: as above.
unsafe impl Send for Lock {}

impl Lock {
    fn new(weakness: Weakness) -> Arc<Self> {
        let word = || Shared(AtomicU64::new(0), weakness);
        let event = Event::new(weakness);
        Arc::new(Self { owner: word(), event, readers: [word(), word()], data: UnsafeCell::new(0) })
    }

    fn lock(&self, me: u64, life: &Dead) -> Taken {
        let attempt = |asks| protocol::take(&self.owner, me, asks, life);
        attempt(false).or_else(|| protocol::wait_until(&self.event, attempt)).unwrap()
    }

    fn unlock(&self, me: u64) {
        assert!(protocol::give_back(&self.owner, me, &self.event, false));
    }

    fn write(&self, me: u64) {
        let want = |asks| protocol::want(&self.owner, me, asks, &NOBODY);
        want(false).or_else(|| protocol::wait_until(&self.event, want)).unwrap();
        let begin = |asks| protocol::is_alone(&self.readers, asks, &NOBODY, &self.event, |_| ()).then_some(());
        begin(false).or_else(|| protocol::wait_until(&self.event, begin)).unwrap();
        self.owner.store(me);
    }

    fn end_write(&self, me: u64) {
        assert!(protocol::give_back(&self.owner, me, &self.event, true));
    }

    fn read(&self, me: u64) -> usize {
        let enter = |_| protocol::enter(&self.owner, &self.readers, me, &self.event);
        enter(false).or_else(|| protocol::wait_until(&self.event, enter)).unwrap()
    }

    fn add(&self) {
        // SAFETY: loom reports an access that is not excluded.
        self.data.with_mut(|data| unsafe { *data += 1 });
    }

    fn get(&self) -> u32 {
        // SAFETY: as in `add`.
        self.data.with(|data| unsafe { *data })
    }
}

/// Loom's panics of two models at once would be one's.
fn one_at_a_time() -> StdGuard<'static, ()> {
    static MODELS: StdMutex<()> = StdMutex::new(());
    MODELS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn explore(model: fn(Weakness), weakness: Weakness) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(move || model(weakness));
}

/// Holds as it is, and not with any of these.
fn holds(model: fn(Weakness), without: &[Weakness]) {
    let _models = one_at_a_time();
    explore(model, Weakness::None);
    for weakness in without {
        assert!(catch_unwind(|| explore(model, *weakness)).is_err(), "it holds without {weakness:?}");
    }
}

/// Two threads and the first one take a lock and give it back.
fn two_take_turns(weakness: Weakness) {
    let lock = Lock::new(weakness);
    let other = {
        let lock = Arc::clone(&lock);
        thread::spawn(move || {
            lock.lock(2, &NOBODY);
            lock.add();
            lock.unlock(2);
        })
    };
    lock.lock(1, &NOBODY);
    lock.add();
    lock.unlock(1);
    other.join().unwrap();
    lock.lock(1, &NOBODY);
    assert_eq!(lock.get(), 2);
}

#[test]
fn owners_exclude_each_other_and_nobody_sleeps_on() {
    holds(two_take_turns, &[Weakness::Fences, Weakness::Announcing, Weakness::Orders]);
}

/// Two threads wait for an owner that is dead.
fn one_takes_over(weakness: Weakness) {
    const DEAD: Dead = Dead(&[9]);
    let lock = Lock::new(weakness);
    lock.owner.store(9);
    let take = |me: u64| {
        let lock = Arc::clone(&lock);
        thread::spawn(move || {
            // Whoever waited for a while asks who is alive; here at once.
            let taken = loop {
                if let Some(taken) = protocol::take(&lock.owner, me, true, &DEAD) {
                    break taken;
                }
                thread::yield_now();
            };
            lock.add();
            lock.unlock(me);
            taken
        })
    };
    let takers = [take(1), take(2)].map(|taker| taker.join().unwrap());
    let n_over = takers.iter().filter(|taken| **taken == Taken::From(9)).count();
    assert_eq!((n_over, lock.get()), (1, 2), "it died once");
}

#[test]
fn what_a_dead_owner_left_is_taken_over_once() {
    holds(one_takes_over, &[Weakness::Orders]);
}

/// A reader and a writer.
fn one_reads_while_one_writes(weakness: Weakness) {
    let lock = Lock::new(weakness);
    let reader = {
        let lock = Arc::clone(&lock);
        thread::spawn(move || {
            let slot = lock.read(2);
            let seen = lock.get();
            protocol::leave(&lock.readers, slot, 2, &lock.event);
            seen
        })
    };
    lock.write(1);
    lock.add();
    lock.end_write(1);
    assert!(reader.join().unwrap() <= 1);
}

#[test]
fn readers_and_writers_exclude_each_other_and_nobody_sleeps_on() {
    let without = [Weakness::Fences, Weakness::Announcing, Weakness::Counting, Weakness::Orders];
    holds(one_reads_while_one_writes, &without);
}

/// Two readers that wait for a writer are both woken.
fn two_wait_for_a_writer(weakness: Weakness) {
    let lock = Lock::new(weakness);
    lock.write(1);
    let read = |me: u64| {
        let lock = Arc::clone(&lock);
        thread::spawn(move || {
            let slot = lock.read(me);
            assert_eq!(lock.get(), 1);
            // Without telling, so that it is the writer alone who wakes.
            lock.readers[slot].store(0);
        })
    };
    let readers = [read(2), read(3)];
    lock.add();
    lock.owner.store(0);
    protocol::tell(&lock.event, true);
    for reader in readers {
        reader.join().unwrap();
    }
}

#[test]
fn all_readers_are_woken() {
    holds(two_wait_for_a_writer, &[Weakness::WakingAll]);
}

/// A copy of a guard, in a process that was forked, gives nothing back.
#[test]
fn who_is_not_the_owner_gives_nothing_back() {
    let _models = one_at_a_time();
    loom::model(|| {
        let lock = Lock::new(Weakness::None);
        lock.lock(1, &NOBODY);
        assert!(!protocol::give_back(&lock.owner, 2, &lock.event, false));
        assert_eq!(lock.owner.load(), 1);
    });
}
