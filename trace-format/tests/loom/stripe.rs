//! Stripes: a version is of what was seen, and the orders of several stripes fit together.
//!
//! The value of a variable is the version that wrote it, so that a load tells which it should have been.

use crate::{Weakness, assert_breaks, assert_holds, claim, reached};
use loom::sync::atomic::{AtomicU64, fence};
use std::sync::{
    Arc,
    atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst},
};
use trace_format::stripe::{self, Word};

/// What a model does in place of the protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mutant {
    None,
    /// The stripe is free before the event is published.
    FreedEarly,
    /// A load looks once.
    OneLook,
    /// A load goes by a stripe that is taken, too.
    LooksAtTaken,
}

/// A stripe with a variable.
struct Variable {
    word: AtomicU64,
    value: AtomicU64,
    /// What the stream of whoever wrote a version says: whether its event is there.
    published: [AtomicU64; 3],
    weakness: Weakness,
    /// loom takes what is sequentially consistent for acquire and release. A fence behind the taking stands for the rest, but for
    /// more than that too, so only those models have it that need it. None before a look: that would wait for the freeing
    /// of the stripe before it, which nothing does.
    has_one_order: bool,
}

impl Variable {
    fn new(weakness: Weakness, has_one_order: bool) -> Self {
        Self {
            word: AtomicU64::new(0),
            value: AtomicU64::new(0),
            published: [1, 0, 0].map(AtomicU64::new),
            weakness,
            has_one_order,
        }
    }

    /// Takes the stripe, if it is free at the first or the second try.
    fn take(&self) -> Option<u64> {
        let taken = stripe::try_take(self).or_else(|_| {
            loom::thread::yield_now();
            stripe::try_take(self)
        });
        taken.ok()
    }

    /// A relaxed store; which version it made, if the stripe could be taken.
    fn store(&self, mutant: Mutant) -> Option<u64> {
        let version = self.take()? + 1;
        self.value.store(version, Relaxed);
        self.publish_and_free(version, mutant);
        Some(version)
    }

    /// A compare-exchange from 1: a read-modify-write, or a load that changes nothing.
    fn exchange(&self, mutant: Mutant) {
        let Some(version) = self.take() else { return reached("exchange not taken") };
        let result = self.value.compare_exchange(1, version + 1, Relaxed, Relaxed);
        let (Ok(seen) | Err(seen)) = result;
        claim(seen == version, "who has the stripe sees its version");
        if result.is_ok() {
            reached("exchanged");
            self.publish_and_free(version + 1, mutant);
        } else {
            reached("exchange failed");
            stripe::free(self, version);
        }
    }

    fn publish_and_free(&self, version: u64, mutant: Mutant) {
        if mutant == Mutant::FreedEarly {
            stripe::free(self, version);
        }
        self.published[version as usize].store(1, Relaxed);
        if mutant != Mutant::FreedEarly {
            stripe::free(self, version);
        }
    }

    /// A relaxed load: version and value, if they are certain.
    fn load(&self, mutant: Mutant) -> Option<(u64, u64)> {
        let word = if mutant == Mutant::LooksAtTaken { self.load_word(SeqCst) } else { stripe::look(self)? << 1 };
        let value = self.value.load(Relaxed);
        let is_certain = match mutant {
            Mutant::OneLook => true,
            Mutant::LooksAtTaken => {
                fence(Acquire);
                self.load_word(Relaxed) == word
            }
            _ => stripe::is_still(self, word >> 1),
        };
        is_certain.then_some((word >> 1, value))
    }

    fn load_word(&self, order: Ordering) -> u64 {
        Word::load(self, order)
    }
}

impl Word for Variable {
    fn load(&self, order: Ordering) -> u64 {
        let is_weak = self.weakness == Weakness::Loads || order == Relaxed;
        self.word.load(if is_weak { Relaxed } else { Acquire })
    }

    fn replace(&self, current: u64, new: u64, order: Ordering) -> bool {
        let order_of_word = if self.weakness == Weakness::Loads { Release } else { AcqRel };
        let is_replaced = self.word.compare_exchange(current, new, order_of_word, Relaxed).is_ok();
        if self.has_one_order && order == SeqCst {
            fence(SeqCst);
        }
        is_replaced
    }

    fn store(&self, value: u64, order: Ordering) {
        self.word.store(value, if self.weakness == Weakness::Stores { Relaxed } else { order });
    }

    fn fence(&self, order: Ordering) {
        let missing = if order == Acquire { Weakness::AcquireFences } else { Weakness::ReleaseFences };
        if self.weakness != missing {
            fence(order);
        }
    }
}

/// A store, a compare-exchange and a load of one variable.
fn versions(weakness: Weakness, mutant: Mutant) {
    let variable = Arc::new(Variable::new(weakness, false));
    let stores = loom::thread::spawn({
        let variable = Arc::clone(&variable);
        move || {
            if variable.store(mutant).is_none() {
                reached("store not taken");
            }
        }
    });
    let exchanges = loom::thread::spawn({
        let variable = Arc::clone(&variable);
        move || variable.exchange(mutant)
    });
    match variable.load(mutant) {
        Some((version, value)) => {
            reached(["loaded 0", "loaded 1", "loaded 2"][version as usize]);
            claim(value == version, "a load saw what its version says");
            let published = variable.published[version as usize].load(Relaxed);
            claim(published == 1, "a version that is seen has its event");
        }
        None => reached("load not certain"),
    }
    stores.join().unwrap();
    exchanges.join().unwrap();
    let version = stripe::look(&*variable);
    let n_published = variable.published.iter().map(|event| event.load(Relaxed)).sum::<u64>();
    claim(version.map(|version| version + 1) == Some(n_published), "versions have no hole");
}

#[test]
fn versions_are_of_what_was_seen() {
    assert_holds(
        |weakness| versions(weakness, Mutant::None),
        &["exchange failed", "exchanged", "load not certain", "loaded 0", "loaded 1", "loaded 2"],
    );
}

#[test]
fn versions_need_their_orderings() {
    for weakness in [Weakness::Stores, Weakness::Loads, Weakness::ReleaseFences, Weakness::AcquireFences] {
        assert_breaks(weakness, |weakness| versions(weakness, Mutant::None));
    }
}

#[test]
fn versions_need_two_looks_and_events_before_them() {
    assert_breaks(Weakness::None, |weakness| versions(weakness, Mutant::OneLook));
    assert_breaks(Weakness::None, |weakness| versions(weakness, Mutant::FreedEarly));
}

/// Two threads, each of which stores and then loads what the other one stores, in two stripes.
fn crossing(has_one_order: bool, mutant: Mutant) {
    let variables = Arc::new([(); 2].map(|()| Variable::new(Weakness::None, has_one_order)));
    let play = |own: usize| {
        let variables = Arc::clone(&variables);
        move || {
            let stored = variables[own].store(mutant);
            claim(stored == Some(1), "nobody else stores there");
            variables[1 - own].load(mutant).map(|(version, _)| version)
        }
    };
    let (first, second) = (loom::thread::spawn(play(0)), play(1));
    let seen = [second(), first.join().unwrap()];
    claim(seen != [Some(0), Some(0)], "one of two stores came first");
    reached(match seen {
        [Some(1), Some(1)] => "both seen",
        [None, None] => "none certain",
        [None, _] | [_, None] => "one certain",
        _ => "one seen",
    });
}

#[test]
fn orders_of_stripes_have_no_cycle() {
    assert_holds(|_| crossing(true, Mutant::None), &["both seen", "none certain", "one certain", "one seen"]);
}

#[test]
fn orders_of_stripes_need_one_order_and_free_stripes() {
    assert_breaks(Weakness::None, |_| crossing(false, Mutant::None));
    assert_breaks(Weakness::None, |_| crossing(true, Mutant::LooksAtTaken));
}
