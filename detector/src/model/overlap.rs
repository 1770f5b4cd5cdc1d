//! Whether two nested acquires may be under way at the same time in some schedule of the run.

use super::{Model, NestedAcquire};

impl Model {
    /// Whether `a` and `b` may wait at the same time: they belong to different threads, must-order puts neither
    /// before the other, and no lock that both hold (a *gate*) keeps them apart.
    pub fn may_overlap(&self, a: &NestedAcquire, b: &NestedAcquire) -> bool {
        a.thread != b.thread && !gate_between(a, b) && !self.is_ordered(a, b)
    }

    /// Whether all of `acquires`, of different threads, may be under way at once as far as semaphores go: no more of
    /// them hold one than it has permits.
    pub fn have_permits(&self, acquires: &[&NestedAcquire]) -> bool {
        let held = acquires.iter().flat_map(|acquire| acquire.holds.iter().map(|hold| hold.object));
        held.into_iter().all(|object| {
            let Some(max) = self.objects.get(object.idx()).and_then(|object| object.holders_max) else { return true };
            let holds = |acquire: &&&NestedAcquire| acquire.holds.iter().any(|hold| hold.object == object);
            acquires.iter().filter(holds).count() as u64 <= max
        })
    }

    /// Whether must-order puts `a` before `b`.
    pub fn is_ordered_before(&self, a: &NestedAcquire, b: &NestedAcquire) -> bool {
        match (self.epochs.get(a.epoch.idx()), self.epochs.get(b.epoch.idx())) {
            (Some(a), Some(b)) => a.precedes(b),
            _ => false,
        }
    }

    fn is_ordered(&self, a: &NestedAcquire, b: &NestedAcquire) -> bool {
        self.is_ordered_before(a, b) || self.is_ordered_before(b, a)
    }
}

/// Readers pass a gate together, so a gate is one only in modes that exclude each other.
fn gate_between(a: &NestedAcquire, b: &NestedAcquire) -> bool {
    a.holds.iter().any(|held| b.holds.iter().any(|other| held.object == other.object && held.mode.excludes(other.mode)))
}
