//! From a location to a site id: two direct-mapped caches per thread, so that a stack is captured when it is
//! new and at no other time.
//!
//! * By (location, stack pointer). The same location reached at the same stack depth nearly always means the
//!   same path, and reading the stack pointer costs one instruction; the caller's return address, which would be
//!   exact, cannot be read in a build without frame pointers.
//! * By (newest hold and its site, object wanted, location wanted), for acquires under a lock. This is what makes
//!   up for the "nearly": what takes part in a lock order is captured once more, whatever the depth says.

use super::{local::Area, process, stack::Stack};
use std::{
    panic::Location,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

const DEPTH_ENTRIES: usize = 256;
const DEPTH_WORDS: usize = 3;
const PAIR_ENTRIES: usize = 1024;
const PAIR_WORDS: usize = 2;

/// Stacks captured for pairs before the objects leave the key: at some microseconds each, a program that nests
/// ten thousand locks at random would do nothing else.
const PAIR_CAPTURES_MAX: u64 = 4096;

/// Words that the caches need.
pub(super) const CACHE_WORDS: usize = DEPTH_ENTRIES * DEPTH_WORDS + PAIR_ENTRIES * PAIR_WORDS;

type Site = &'static Location<'static>;

/// Looks a site up by stack depth.
#[inline]
pub(super) fn by_depth(area: Area, location: Site, stack_pointer: usize) -> Option<u32> {
    let address = std::ptr::from_ref(location).addr();
    let entry = depth_entry(area, address, stack_pointer);
    // Relaxed, here and below: the area is this thread's own; atomics only because it came out of a mapping.
    let hit = entry[0].load(Relaxed) == address as u64 && entry[1].load(Relaxed) == stack_pointer as u64;
    hit.then(|| entry[2].load(Relaxed) as u32)
}

/// Captures the stack of a site that [`by_depth`] did not know.
#[cold]
pub(super) fn enter_depth(area: Area, location: Site, stack_pointer: usize) -> u32 {
    let site = process::intern_site(location, Stack::capture().addresses());
    if site != 0 {
        let address = std::ptr::from_ref(location).addr();
        let entry = depth_entry(area, address, stack_pointer);
        // Relaxed: as in `by_depth`.
        entry[0].store(address as u64, Relaxed);
        entry[1].store(stack_pointer as u64, Relaxed);
        entry[2].store(u64::from(site), Relaxed);
    }
    site
}

#[inline]
fn depth_entry(area: Area, address: usize, stack_pointer: usize) -> &'static [AtomicU64] {
    let hash = (address ^ stack_pointer.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    const { assert!(DEPTH_ENTRIES == 1 << 8) };
    area.words(hash * DEPTH_WORDS, DEPTH_WORDS)
}

/// Key of a nested acquire: first word of the newest hold (its object and site), object and location wanted.
#[inline]
pub(super) fn pair_key(area: Area, hold: u64, object: u64, location: Site) -> u64 {
    let address = std::ptr::from_ref(location).addr() as u64;
    let (hold, object) = if area.pair_captures() < PAIR_CAPTURES_MAX { (hold, object) } else { (hold & SITE_BITS, 0) };
    // Object ids and sites fill the word; the address goes on top, shifted so that it does not cancel them.
    (hold ^ object.rotate_left(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ address.rotate_left(24)
}

/// The bits of an event's first word that name its site.
const SITE_BITS: u64 = 0xff_ffff << 16;

/// Looks a site up by pair.
#[inline]
pub(super) fn by_pair(area: Area, key: u64) -> Option<u32> {
    let entry = pair_entry(area, key);
    // Relaxed: as in `by_depth`.
    (entry[0].load(Relaxed) == key).then(|| entry[1].load(Relaxed) as u32)
}

/// Captures the stack of a pair that [`by_pair`] did not know.
#[cold]
pub(super) fn enter_pair(area: Area, key: u64, location: Site) -> u32 {
    area.count_pair_capture();
    let site = process::intern_site(location, Stack::capture().addresses());
    let entry = pair_entry(area, key);
    // Relaxed: as in `by_depth`.
    entry[0].store(key, Relaxed);
    entry[1].store(u64::from(site), Relaxed);
    site
}

#[inline]
fn pair_entry(area: Area, key: u64) -> &'static [AtomicU64] {
    const { assert!(PAIR_ENTRIES == 1 << 10) };
    let entry = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize;
    area.words(DEPTH_ENTRIES * DEPTH_WORDS + entry * PAIR_WORDS, PAIR_WORDS)
}
