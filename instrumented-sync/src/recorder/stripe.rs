//! The stripes of this process: what numbers the operations on atomic variables. The protocol is [`trace_format::stripe`]'s.
//!
//! Nobody waits for ever: a thread may be stopped while it has a stripe. Who has waited for long enough goes on, and says that
//! the version is not certain. A signal handler on a thread that has a stripe does not wait at all, since that thread
//! cannot go on before it.

use super::{entry, platform};
use std::{
    cell::Cell,
    hint,
    sync::atomic::{AtomicU64, Ordering, compiler_fence},
    thread,
    time::Duration,
};
use trace_format::stripe::{self, STRIPES};

/// How long an operation waits for another thread's: that one has the stripe for some tens of nanoseconds, unless the system
/// stops it, for some milliseconds where there is more to do than there are processors. (With 10 ms, a test of ten thousand runs met a
/// thread that was stopped for longer, at a load of five on two processors: what it stored could not be numbered.)
const PATIENCE_NS: u64 = 200_000_000;
/// How often it looks before it lets others run, and then before it sleeps, so that the system finds an idle processor for the
/// other thread.
const SPINS: u32 = 64;
const YIELDS: u32 = 256;
const PAUSE: Duration = Duration::from_micros(100);

/// Each in a cache line of its own.
#[repr(align(64))]
struct Line(AtomicU64);

static TABLE: [Line; STRIPES] = [const { Line(AtomicU64::new(0)) }; STRIPES];

/// By stripe the word with which somebody had it for too long: the same is not waited for again. Of this copy's probes only.
static GIVEN_UP: [AtomicU64; STRIPES] = [const { AtomicU64::new(u64::MAX) }; STRIPES];

thread_local! {
    /// Whether this thread has a stripe, for signal handlers that come then. Of this copy's probes only: one in a handler of
    /// another copy waits, for as long as anybody does.
    static HAS_ONE: Cell<bool> = const { Cell::new(false) };
}

/// The word that versions of what lies at an address come from.
#[inline]
pub(super) fn word_of(address: u64) -> &'static AtomicU64 {
    &TABLE[stripe::of(address)].0
}

/// In a forked child: frees what threads have that do not exist here. Async-signal-safe: stores only.
pub(super) fn after_fork_in_child() {
    for Line(word) in &TABLE {
        stripe::free_orphaned(word);
    }
}

/// A stripe of the copy that records.
#[derive(Clone, Copy)]
pub(crate) struct Stripe {
    word: &'static AtomicU64,
    given_up: &'static AtomicU64,
}

impl Stripe {
    /// That of what lies at an address, if anything is recorded.
    #[inline]
    pub(crate) fn of(address: u64) -> Option<Self> {
        // SAFETY: a pointer that is not null is that to a word of the table of the copy that records, a static of a module
        // that is never unloaded.
        let word = unsafe { entry::stripe_of(address).as_ref() }?;
        Some(Self { word, given_up: &GIVEN_UP[stripe::of(address)] })
    }

    /// Takes the stripe: its version. An error is the version last seen; the stripe is not taken then.
    #[inline]
    pub(crate) fn take(self) -> Result<u64, u64> {
        if HAS_ONE.replace(true) {
            return Err(stripe::last_seen(self.word));
        }
        // Pairs with the fence in `free`, against a signal handler on this thread.
        compiler_fence(Ordering::SeqCst);
        match stripe::try_take(self.word) {
            Ok(version) => Ok(version),
            Err(_) => self.take_patiently(),
        }
    }

    #[cold]
    #[inline(never)]
    fn take_patiently(self) -> Result<u64, u64> {
        let taken = self.patiently(|| stripe::try_take(self.word).ok());
        if taken.is_none() {
            HAS_ONE.set(false);
        }
        taken.ok_or_else(|| stripe::last_seen(self.word))
    }

    /// Frees the stripe, which this thread has taken.
    #[inline]
    pub(crate) fn free(self, version: u64) {
        stripe::free(self.word, version);
        // Pairs with the fence in `take`: a handler that comes after this finds the stripe free.
        compiler_fence(Ordering::SeqCst);
        HAS_ONE.set(false);
    }

    /// Reads, and says of which version that is; an error is the version last seen. `native` may be called several times.
    #[inline]
    pub(crate) fn read<T>(self, native: impl Fn() -> T) -> (T, Result<u64, u64>) {
        match self.read_once(&native) {
            Some((value, version)) => (value, Ok(version)),
            None => self.read_patiently(native),
        }
    }

    #[inline]
    fn read_once<T>(self, native: impl Fn() -> T) -> Option<(T, u64)> {
        let version = stripe::look(self.word)?;
        let value = native();
        stripe::is_still(self.word, version).then_some((value, version))
    }

    #[cold]
    #[inline(never)]
    fn read_patiently<T>(self, native: impl Fn() -> T) -> (T, Result<u64, u64>) {
        let read = if HAS_ONE.get() { None } else { self.patiently(|| self.read_once(&native)) };
        match read {
            Some((value, version)) => (value, Ok(version)),
            None => (native(), Err(stripe::last_seen(self.word))),
        }
    }

    /// Asks again and again, for a while; not for what was waited for in vain before.
    fn patiently<T>(self, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
        for _ in 0..SPINS {
            hint::spin_loop();
            if let Some(answer) = ask() {
                return Some(answer);
            }
        }
        // Relaxed, here and below: all that matters is how long is waited.
        if self.given_up.load(Ordering::Relaxed) == self.word.load(Ordering::Relaxed) {
            return None;
        }
        let answer = wait_for(ask);
        if answer.is_none() {
            self.given_up.store(self.word.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        answer
    }
}

/// Asks again and again, for as long as anybody waits.
fn wait_for<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let (start, errno) = (platform::monotonic_ns(), platform::errno());
    let mut n_yields = 0;
    let mut answer = None;
    while answer.is_none() && platform::monotonic_ns().saturating_sub(start) < PATIENCE_NS {
        if n_yields < YIELDS {
            n_yields += 1;
            thread::yield_now();
        } else {
            thread::sleep(PAUSE);
        }
        answer = ask();
    }
    // A sleep that a signal interrupts sets it.
    platform::set_errno(errno);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    static WORD: AtomicU64 = AtomicU64::new(7 << 1);

    #[test]
    fn nobody_waits_for_ever() {
        let stripe = Stripe { word: &WORD, given_up: &GIVEN_UP[0] };
        assert_eq!(stripe.read(|| 'a'), ('a', Ok(7)));
        assert_eq!(stripe.take(), Ok(7));
        // As a signal handler would: at once.
        assert_eq!(stripe.take(), Err(7));
        assert_eq!(stripe.read(|| 'b'), ('b', Err(7)));
        let start = Instant::now();
        thread::scope(|scope| {
            let other = scope.spawn(move || (stripe.take(), stripe.read(|| 'c'), HAS_ONE.get()));
            assert_eq!(other.join().unwrap(), (Err(7), ('c', Err(7)), false));
        });
        let elapsed = start.elapsed();
        assert!(elapsed >= Duration::from_nanos(PATIENCE_NS), "it did not wait");
        assert!(elapsed < Duration::from_nanos(2 * PATIENCE_NS), "it waited again for what it had waited for in vain");
        stripe.free(8);
        assert_eq!((stripe.read(|| 'd'), HAS_ONE.get()), (('d', Ok(8)), false));
    }
}
