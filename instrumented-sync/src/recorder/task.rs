//! A task's end of the recorder: its object and its slot. Its events lie in the streams of the threads that poll it.
//!
//! A slot of a thread is written by that thread alone; a task's by whoever holds the lock around its [`TaskSlot`].

use super::{
    entry,
    process::Slot,
    table_abi::{Source, Text},
};
use std::{
    panic::Location,
    sync::atomic::Ordering::{Relaxed, Release},
};
use trace_format::{
    Event, Flags, Kind, ObjectId, ObjectKind,
    slot::{self, FIRST_HOLD, HOLDS_INLINE, Life, SLOT_WORDS, word},
    words::{ReadWords, Words},
};

/// What a task holds and waits for, as the trace shows it.
pub(crate) struct TaskSlot {
    /// `None` if no space was left for it, and after its end.
    slot: Option<Slot>,
    object: u64,
    n_holds: usize,
    wait: Option<(Event, u64)>,
    ended: bool,
    /// Of which process it is: after a fork the slot is the parent's.
    generation: u64,
}

impl TaskSlot {
    /// Begins a task: takes an id and a slot, says who it is. `None` if this thread cannot record now.
    pub(crate) fn begin(name: &str, made_at: &'static Location<'static>) -> Option<Self> {
        let object = entry::take_object();
        if object == 0 {
            return None;
        }
        let class = entry::class(ObjectKind::Task as u32, Text::of(""));
        let site = entry::bare_site(Source::of(made_at));
        let slot = Slot::from_raw(entry::begin_task(object, Text::of(name)));
        if let Some(Slot { words, .. }) = slot {
            // Relaxed: the release store of the state below publishes all of it. The epoch goes on where the slot's
            // last owner left it.
            let epoch = words.load(word::EPOCH, Relaxed);
            (0..SLOT_WORDS).for_each(|at| words.store(at, 0, Relaxed));
            words.store(word::EPOCH, epoch.next_multiple_of(2), Relaxed);
            words.store(word::THREAD, object, Relaxed);
            // Release: a reader that sees the slot live sees whose it is.
            words.store(word::STATE, Life::LIVE.0, Release);
        }
        let create = Event::new(Kind::CREATE, Flags::NONE, site, ObjectId(object), u64::from(class));
        entry::append_pair(create.into(), Event::extend(0, 0).into());
        let generation = entry::generation();
        Some(Self { slot, object, n_holds: 0, wait: None, ended: false, generation })
    }

    /// The task as an object.
    pub(crate) const fn object(&self) -> ObjectId {
        ObjectId(self.object)
    }

    /// Whether the task is of this process, and not of the one that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.generation == entry::generation()
    }

    fn words(&self) -> Option<&'static [std::sync::atomic::AtomicU64]> {
        self.slot.filter(|_| self.is_ours()).map(|slot| slot.words)
    }

    /// Publishes a hold. Of a task that holds more than a slot has room for, the rest is not shown.
    pub(crate) fn hold(&mut self, hold: Event) {
        let Some(words) = self.words().filter(|_| self.n_holds < HOLDS_INLINE) else { return };
        self.outside_of_wait(words, |task| {
            slot::push(words, words, FIRST_HOLD + task.n_holds * Event::WORDS, task.n_holds, hold);
            task.n_holds += 1;
        });
    }

    /// Takes the hold of an object back.
    pub(crate) fn release(&mut self, object: ObjectId) {
        let Some(words) = self.words() else { return };
        let at = |n: usize| FIRST_HOLD + n * Event::WORDS;
        // Relaxed, here and below: whoever writes the slot has its lock.
        let load = |n: usize| [words.load(at(n), Relaxed), words.load(at(n) + 1, Relaxed)];
        let is_of = |n: &usize| Event::from_words(load(*n)).object() == object;
        let Some(found) = (0..self.n_holds).rev().find(is_of) else { return };
        self.outside_of_wait(words, |task| {
            for n in found + 1..task.n_holds {
                let [first, second] = load(n);
                // Relaxed: the slot is in no wait meanwhile, so no snapshot of it claims to be exact.
                words.store(at(n - 1), first, Relaxed);
                words.store(at(n - 1) + 1, second, Relaxed);
            }
            task.n_holds -= 1;
            slot::pop(words, task.n_holds);
        });
        if self.ended && self.n_holds == 0 {
            self.give_back();
        }
    }

    /// Publishes what the task waits for from here on; `None`: nothing.
    pub(crate) fn wait(&mut self, wait: Option<Event>) {
        let Some(words) = self.words() else { return };
        if self.wait.take().is_some() {
            slot::end_wait(words);
        }
        if let Some(wait) = wait {
            let since_ns = entry::elapsed_ns();
            slot::begin_wait(words, wait, 0, since_ns);
            self.wait = Some((wait, since_ns));
        }
    }

    /// While the epoch is odd the list of holds does not change: the wait is interrupted for the change.
    fn outside_of_wait(&mut self, words: &[std::sync::atomic::AtomicU64], f: impl FnOnce(&mut Self)) {
        if self.wait.is_some() {
            slot::end_wait(words);
        }
        f(self);
        if let Some((wait, since_ns)) = self.wait {
            slot::begin_wait(words, wait, 0, since_ns);
        }
    }

    /// The task has ended. What it still holds stays in the slot until it is released.
    pub(crate) fn end(&mut self) {
        self.wait(None);
        self.ended = true;
        if self.n_holds == 0 {
            self.give_back();
        } else if let Some(words) = self.words() {
            // Release: a reader that sees the end sees what is still held.
            words.store(word::STATE, Life::ENDED.0, Release);
        }
    }

    fn give_back(&mut self) {
        let Some(slot) = self.slot.take().filter(|_| self.is_ours()) else { return };
        // Release: who takes the slot next comes through the lock of the pool; readers tell by this word alone.
        slot.words.store(word::STATE, Life::FREE.0, Release);
        entry::return_slot(slot.into_raw());
    }
}
