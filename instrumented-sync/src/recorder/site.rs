//! From a location to a site id: a cache per thread, so that a stack is captured when it is new and at no other
//! time.
//!
//! The key is (location, stack pointer); reading the stack pointer costs one instruction. Two callers of one
//! function often have frames of one size, so an entry also remembers where the innermost return addresses lie
//! on the stack and what they were: a hit compares [`CHECKED`] words. Without that the report blamed the wrong
//! caller. What lies further out than the checked frames is taken to be the same if the depth is.
//!
//! Four entries per key: a helper that locks for many callers would otherwise capture at every call.
//!
//! **Releases.** Where a guard is dropped is known to its stack alone: `Drop` has no caller's location. One bit for each
//! site that something was acquired at says whether a release of such a thing was told; the first one captures, while
//! its lock is held, once in a process. The bits are shared by all threads and never evict, so that neither a short
//! thread nor two sites that meet in one place capture again; a site beyond the bits shares one, and may go untold.

use super::{local::Area, process, stack::Stack, table_abi::Source};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use trace_format::SiteId;

/// Return addresses compared at a hit: the call of the probe, and the program's innermost calls. Without
/// optimisation a dozen calls of our own come first.
const CHECKED: usize = if cfg!(debug_assertions) { 18 } else { 5 };

const SETS: usize = 64;
const WAYS: usize = 4;

/// Words of an entry: location, stack pointer, site; then for each checked return address how many words above
/// the stack pointer it lies, and what it was. The list ends with a distance of 0: there is never one.
const ENTRY_WORDS: usize = CHECKS_AT + 2 * CHECKED;
const CHECKS_AT: usize = 3;

/// Return addresses further away than this are not checked: a stack is surely mapped that far.
const DISTANCE_WORDS_MAX: usize = 4096;

/// Captures of a thread before the location alone is the key: at some microseconds each, a program that keeps
/// showing new paths, as a recursion that locks at every level, would do nothing else.
const CAPTURES_MAX: u64 = 1 << 14;

/// Words that the cache needs.
pub(super) const CACHE_WORDS: usize = SETS * WAYS * ENTRY_WORDS;

/// Sites with a bit of their own in [`RELEASES`]; a power of two.
const RELEASE_BITS: usize = 1 << 15;

/// By site of an acquire, whether a release of what was acquired there has a site. In a forked child all are new.
static RELEASES: [AtomicU64; RELEASE_BITS / 64] = [const { AtomicU64::new(0) }; RELEASE_BITS / 64];

/// Whether some release has a site of what was acquired at this one.
#[inline]
pub(super) fn has_release(acquired: SiteId) -> bool {
    let (word, bit) = release_bit(acquired);
    // Relaxed: a thread that sees it late finds out in `is_first_release`.
    word.load(Relaxed) & bit != 0
}

/// Whether this is the first release that asks of what was acquired at this site.
pub(super) fn is_first_release(acquired: SiteId) -> bool {
    let (word, bit) = release_bit(acquired);
    // Relaxed: it is only asked who comes first.
    word.fetch_or(bit, Relaxed) & bit == 0
}

#[inline]
fn release_bit(acquired: SiteId) -> (&'static AtomicU64, u64) {
    let site = acquired.0 as usize % RELEASE_BITS;
    (&RELEASES[site / 64], 1 << (site % 64))
}

/// In a forked child, which numbers its sites anew. Async-signal-safe: stores only.
pub(super) fn after_fork_in_child() {
    for word in &RELEASES {
        // Relaxed: the child has one thread.
        word.store(0, Relaxed);
    }
}

/// Captures the stack of a release.
pub(super) fn of_stack() -> u32 {
    process::intern_site(None, Stack::capture().addresses())
}

/// Looks a site up.
#[inline]
pub(super) fn find(area: Area, source: Source, stack_pointer: usize) -> Option<u32> {
    let address = source.key();
    let stack_pointer = depth(area, stack_pointer);
    for entry in set(area, address, stack_pointer).chunks_exact(ENTRY_WORDS) {
        // Relaxed, here and below: the area is this thread's own; atomics only because it came out of a mapping.
        let is_key = entry[0].load(Relaxed) == address as u64 && entry[1].load(Relaxed) == stack_pointer as u64;
        if is_key && is_path(entry, stack_pointer) {
            return Some(entry[2].load(Relaxed) as u32);
        }
    }
    None
}

/// The stack pointer as part of the key; 0, which no stack has, when the thread has captured enough.
#[inline]
fn depth(area: Area, stack_pointer: usize) -> usize {
    if area.captures() > CAPTURES_MAX { 0 } else { stack_pointer }
}

/// Whether the checked return addresses are on the stack where the entry says.
#[inline]
fn is_path(entry: &[AtomicU64], stack_pointer: usize) -> bool {
    // Relaxed: as in `find`.
    let checks = entry[CHECKS_AT..].chunks_exact(2).map(|check| (check[0].load(Relaxed), check[1].load(Relaxed)));
    checks
        .take_while(|(distance, _)| *distance != 0)
        .all(|(distance, address)| word_at(stack_pointer, distance as usize) == address)
}

/// Captures the stack of a site that [`find`] did not know.
#[cold]
#[inline(never)]
pub(super) fn enter(area: Area, source: Source, stack_pointer: usize) -> u32 {
    let stack = Stack::capture();
    // Also a site of 0 is remembered: a dictionary that cannot grow would cost a capture at every operation.
    let site = process::intern_site(Some(source), stack.addresses());
    let address = source.key();
    let way = area.count_capture() as usize % WAYS;
    let stack_pointer = depth(area, stack_pointer);
    let entry = &set(area, address, stack_pointer)[way * ENTRY_WORDS..][..ENTRY_WORDS];
    let above = stack.return_addresses().filter_map(|(address, at)| {
        let distance = at.checked_sub(stack_pointer)? / 8;
        (distance > 0 && stack_pointer != 0).then_some((address, distance))
    });
    let mut checks = above.take_while(|(address, distance)| {
        *distance <= DISTANCE_WORDS_MAX && word_at(stack_pointer, *distance) == *address
    });
    // Relaxed: as in `find`.
    for check in entry[CHECKS_AT..].chunks_exact(2) {
        let (address, distance) = checks.next().unwrap_or((0, 0));
        check[0].store(distance as u64, Relaxed);
        check[1].store(address, Relaxed);
    }
    entry[0].store(address as u64, Relaxed);
    entry[1].store(stack_pointer as u64, Relaxed);
    entry[2].store(u64::from(site), Relaxed);
    site
}

/// The word that lies so many words above the stack pointer.
#[inline]
fn word_at(stack_pointer: usize, words: usize) -> u64 {
    let place = std::ptr::with_exposed_provenance::<u64>(stack_pointer + words * 8);
    // SAFETY: the stack pointer is that of a live frame of this thread, and when the entry was made there was a
    // return address at this place, above it. Callers ask outwards and stop at the first place that differs, so the
    // return addresses below this one are those of then: the frames between are the same functions', of the same size,
    // and the place lies in a live frame, whichever stack that is on. The word may be anything; it is compared, not
    // used. Volatile, since the compiler does not know that the word exists.
    unsafe { place.read_volatile() }
}

#[inline]
fn set(area: Area, address: usize, stack_pointer: usize) -> &'static [AtomicU64] {
    const { assert!(SETS == 1 << 6) };
    let hash = (address ^ stack_pointer.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
    area.words(hash * WAYS * ENTRY_WORDS, WAYS * ENTRY_WORDS)
}
