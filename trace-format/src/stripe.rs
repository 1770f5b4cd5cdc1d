//! Stripes: what numbers the operations on atomic variables.
//!
//! An atomic variable is known by its address and has no room for a number of its own. So a process has [`STRIPES`] words, each
//! for the variables whose addresses [`of`] gives it; only recorders use them, readers know which stripe an address has.
//!
//! ```text
//!   63                     1     0
//!  | version of the stripe | taken |
//! ```
//!
//! | from | to | by |
//! |---|---|---|
//! | free, version n | taken, version n | a store or read-modify-write, before it touches the variable |
//! | taken, version n | free, version n + 1 | the same, once it has and its event is published |
//! | taken, version n | free, version n | the same, if it changed nothing |
//!
//! A load that finds the stripe free in one version before and after it saw what that version left. So the stores of a stripe
//! are numbered without a hole, and a load of version n comes after store n and before store n + 1 of the stripe.
//!
//! **Across stripes** these orders, with the order within each thread, have no cycle. Taking a stripe and the first look at it
//! are sequentially consistent, so there is one order of all of them, which agrees with that of each thread. A store counts as
//! of its taking, a load as of the first look that it went by. The taking of store n comes before the look that finds
//! version n free, and that before the taking of store n + 1. Would a look make do with a stripe that is taken, two threads
//! that each store and then load what the other stores could both have come first.
//!
//! **Within a stripe** a load is of its version whatever ordering the program gave it. Not older: the look acquires what
//! [`free`] released. Not newer: [`try_take`] has a release fence behind it and [`is_still`] an acquire fence before it, so who
//! sees a value sees that the stripe was taken for it.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{self, Acquire, Relaxed, Release, SeqCst},
    fence,
};

/// How many stripes a process has.
pub const STRIPES: usize = 1024;

const _: () = assert!(STRIPES.is_power_of_two());

/// The stripe of the variable at an address.
///
/// Neighbours in an array or a structure are spread. Fibonacci hashing (Knuth, TAOCP 3, 6.4); with the shift, since by itself
/// it puts variables that are 8 bytes apart into less than half of the stripes.
///
/// ```
/// use trace_format::stripe;
///
/// assert!(stripe::of(0x7fff_1234_5678) < stripe::STRIPES);
/// assert_ne!(stripe::of(0x1000), stripe::of(0x1008));
/// ```
#[inline]
pub const fn of(address: u64) -> usize {
    ((address ^ address >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - STRIPES.ilog2())) as usize
}

/// Set while the stripe is taken.
const TAKEN: u64 = 1;

/// The word of a stripe, or what a model has in its place.
pub trait Word {
    /// Reads the word.
    fn load(&self, order: Ordering) -> u64;

    /// Replaces `current` by `new`, as [`AtomicU64::compare_exchange`] does; false if it was not there.
    fn replace(&self, current: u64, new: u64, order: Ordering) -> bool;

    /// Writes the word.
    fn store(&self, value: u64, order: Ordering);

    /// Orders what is before it against what is after it, as [`core::sync::atomic::fence`] does.
    fn fence(&self, order: Ordering);
}

impl Word for AtomicU64 {
    #[inline]
    fn load(&self, order: Ordering) -> u64 {
        self.load(order)
    }

    #[inline]
    fn replace(&self, current: u64, new: u64, order: Ordering) -> bool {
        // Relaxed: who failed has seen nothing that it goes by.
        self.compare_exchange(current, new, order, Relaxed).is_ok()
    }

    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        self.store(value, order);
    }

    #[inline]
    fn fence(&self, order: Ordering) {
        fence(order);
    }
}

/// Takes a stripe and returns its version.
///
/// # Errors
///
/// Another thread has it, in this version.
///
/// ```
/// use core::sync::atomic::AtomicU64;
/// use trace_format::stripe;
///
/// let word = AtomicU64::new(0);
/// assert_eq!(stripe::try_take(&word), Ok(0));
/// assert_eq!((stripe::try_take(&word), stripe::look(&word)), (Err(0), None));
/// stripe::free(&word, 1);
/// assert_eq!(stripe::look(&word), Some(1));
/// assert!(stripe::is_still(&word, 1));
/// ```
#[inline]
pub fn try_take<W: Word + ?Sized>(word: &W) -> Result<u64, u64> {
    // Relaxed: what counts is found out by the replacement.
    let seen = word.load(Relaxed);
    // Acquire: pairs with the release store in `free`, so that the operations of a stripe come one after the other. Sequentially
    // consistent: see the module's documentation.
    if seen & TAKEN != 0 || !word.replace(seen, seen | TAKEN, SeqCst) {
        return Err(seen >> 1);
    }
    // Pairs with the acquire fence in `is_still`.
    word.fence(Release);
    Ok(seen >> 1)
}

/// Frees a stripe that this thread has taken, in the version that it has now.
#[inline]
pub fn free<W: Word + ?Sized>(word: &W, version: u64) {
    // Release: pairs with the acquire loads in `look` and `try_take`. What was written is there, and so is its event.
    word.store(version << 1, Release);
}

/// The version of a stripe that is free.
#[inline]
pub fn look<W: Word + ?Sized>(word: &W) -> Option<u64> {
    // Acquire: pairs with the release store in `free`. Sequentially consistent: see the module's documentation.
    let seen = word.load(SeqCst);
    (seen & TAKEN == 0).then_some(seen >> 1)
}

/// Whether what was loaded since [`look`] returned a version is of that version.
#[inline]
pub fn is_still<W: Word + ?Sized>(word: &W, version: u64) -> bool {
    // Pairs with the release fence in `try_take`.
    word.fence(Acquire);
    // Relaxed: the fence is before it.
    word.load(Relaxed) == version << 1
}

/// The version of a stripe, whoever has it.
#[inline]
pub fn last_seen<W: Word + ?Sized>(word: &W) -> u64 {
    // Relaxed: nothing is concluded from it.
    word.load(Relaxed) >> 1
}

/// In a forked child: frees a stripe that a thread took which does not exist there.
pub fn free_orphaned<W: Word + ?Sized>(word: &W) {
    // Relaxed, both: the child has one thread. Only stored if need be, which would copy a page.
    let seen = word.load(Relaxed);
    if seen & TAKEN != 0 {
        word.store(seen & !TAKEN, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_side_by_side_are_spread() {
        for step in [1, 4, 8, 16, 64, 4096] {
            let mut is_used = [false; STRIPES];
            (0..STRIPES as u64).for_each(|n| is_used[of(0x7f12_3400_0000 + n * step)] = true);
            let n = is_used.iter().filter(|is_used| **is_used).count();
            assert!(n > STRIPES / 2, "{n} stripes for {STRIPES} variables {step} bytes apart");
        }
    }
}
