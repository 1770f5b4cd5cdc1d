//! Which process files belong together.

use super::super::{dictionary::Place, recorded::ProcessFile};
use rustc_hash::FxHashMap;
use trace_format::process::{Apart, Header};

/// One process of one boot: pid, start time, boot.
type Name = (u32, u64, u64);

const fn name(header: &Header) -> Name {
    (header.pid, header.start, header.boot)
}

/// The files by families; in each as they were.
pub(super) fn families(files: Vec<ProcessFile>) -> Vec<Vec<ProcessFile>> {
    let mut sets = Sets::new(files.len());
    let mut by_name: FxHashMap<Name, usize> = FxHashMap::default();
    let mut by_place: FxHashMap<Place, usize> = FxHashMap::default();
    for (idx, file) in files.iter().enumerate() {
        let same = *by_name.entry(name(&file.header)).or_insert(idx);
        sets.join(idx, same);
        for place in file.dictionary.shared.values() {
            let same = *by_place.entry(*place).or_insert(idx);
            sets.join(idx, same);
        }
    }
    for (idx, file) in files.iter().enumerate() {
        let boot = file.header.boot;
        let forked_from = file.header.forked_from.map(|(pid, start, _)| (pid, start, boot));
        let children = file.dictionary.children.values().map(|(pid, start)| (*pid, *start, boot));
        for relative in forked_from.into_iter().chain(children) {
            if let Some(other) = by_name.get(&relative) {
                sets.join(idx, *other);
            }
        }
    }
    let mut families: Vec<Vec<ProcessFile>> = Vec::new();
    let mut family_of: FxHashMap<usize, usize> = FxHashMap::default();
    for (idx, file) in files.into_iter().enumerate() {
        let next = families.len();
        let family = *family_of.entry(sets.first(idx)).or_insert(next);
        if family == next {
            families.push(Vec::new());
        }
        if let Some(family) = families.get_mut(family) {
            family.push(file);
        }
    }
    families
}

/// For each file whether its process runs no later program that was recorded.
pub(super) fn latest_images(files: &[ProcessFile]) -> Vec<bool> {
    let is_before = |one: &Header, other: &Header| {
        name(one) == name(other) && one.copy < other.copy && other.apart == Apart::Nobody
    };
    files.iter().map(|file| !files.iter().any(|other| is_before(&file.header, &other.header))).collect()
}

/// For each file the one that its process ran just before, if another one was recorded.
pub(super) fn earlier_images(files: &[ProcessFile]) -> Vec<Option<usize>> {
    let earlier = |file: &ProcessFile| {
        let of_process = files
            .iter()
            .enumerate()
            .filter(|(_, other)| name(&other.header) == name(&file.header) && other.header.copy < file.header.copy);
        let latest = of_process.max_by_key(|(_, other)| other.header.copy).map(|(idx, _)| idx);
        latest.filter(|_| file.header.apart == Apart::Nobody)
    };
    files.iter().map(earlier).collect()
}

/// The files of one process, in the order of its programs.
pub(super) fn images(files: &[ProcessFile], (pid, start): (u32, u64), boot: u64) -> Vec<usize> {
    let is_of = |file: &ProcessFile| name(&file.header) == (pid, start, boot);
    let mut images: Vec<usize> = files.iter().enumerate().filter(|(_, file)| is_of(file)).map(|(idx, _)| idx).collect();
    images.sort_by_key(|idx| files[*idx].header.copy);
    images
}

/// Disjoint sets of numbers, each known by its smallest.
struct Sets(Vec<usize>);

impl Sets {
    fn new(n: usize) -> Self {
        Self((0..n).collect())
    }

    fn first(&self, mut of: usize) -> usize {
        while self.0[of] != of {
            of = self.0[of];
        }
        of
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.0[one.max(other)] = one.min(other);
    }
}
