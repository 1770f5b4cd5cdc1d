//! Dense indexes for the object ids of one process file.

use rustc_hash::FxHashMap;

/// The index that stands for no object.
pub const NO_OBJECT: u32 = u32::MAX;

/// Marks an address, with its process above it, among the ids of objects: atomic variables, and memory that a program marks, are known by theirs.
pub const AT_ADDRESS: u64 = 1 << 63;

/// Ids below this many are looked up in a table, however short the file.
const DENSE_IDS_MIN: u64 = 1 << 12;

/// Object ids and their indexes, in order of first appearance in the file.
///
/// Threads take ids in blocks, so ids are nearly dense and a table serves them. An id that is out of all
/// proportion to the file - it is damaged, or was inherited across a fork - goes through a hash map, so that no
/// number in a file sizes an allocation.
#[derive(Debug, Default)]
pub struct Objects {
    by_id: Vec<u32>,
    dense_ids: u64,
    sparse: FxHashMap<u64, u32>,
    ids: Vec<u64>,
}

impl Objects {
    /// For a file with `n_events` events.
    pub fn new(n_events: u64) -> Self {
        Self { dense_ids: n_events.saturating_mul(4).max(DENSE_IDS_MIN), ..Self::default() }
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The id of an index.
    pub fn id(&self, object: u32) -> u64 {
        self.ids.get(object as usize).copied().unwrap_or(0)
    }

    /// The index of an id; [`NO_OBJECT`] for 0 and for ids never seen.
    #[inline]
    pub fn find(&self, id: u64) -> u32 {
        match self.by_id.get(id as usize) {
            Some(object) => *object,
            None => self.sparse.get(&id).copied().unwrap_or(NO_OBJECT),
        }
    }

    /// The index of an id, which is new if the id is.
    #[inline]
    pub fn intern(&mut self, id: u64) -> u32 {
        match self.find(id) {
            NO_OBJECT => self.add(id),
            object => object,
        }
    }

    #[cold]
    fn add(&mut self, id: u64) -> u32 {
        let object = self.ids.len() as u32;
        // One index less than a 32-bit number can hold: a file with as many objects is over 60 GB long.
        if id == 0 || object == NO_OBJECT {
            return NO_OBJECT;
        }
        self.ids.push(id);
        let place = id as usize;
        if id < self.dense_ids {
            if place >= self.by_id.len() {
                let len = (place + 1).next_power_of_two().min(self.dense_ids as usize);
                self.by_id.resize(len.max(place + 1), NO_OBJECT);
                self.move_to_table();
            }
            if let Some(entry) = self.by_id.get_mut(place) {
                *entry = object;
            }
        } else {
            self.sparse.insert(id, object);
        }
        object
    }

    /// A lookup below the table's length sees the table only, so what the growth covers must be in it.
    fn move_to_table(&mut self) {
        if self.sparse.is_empty() {
            return;
        }
        let by_id = &mut self.by_id;
        self.sparse.retain(|id, object| match by_id.get_mut(*id as usize) {
            Some(entry) => {
                *entry = *object;
                false
            }
            None => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_dense_and_wild_ids_cost_no_table() {
        let mut objects = Objects::new(10);
        let ids = [7, 1 << 39, 3, (1 << 40) - 1, DENSE_IDS_MIN, DENSE_IDS_MIN - 1];
        let indexes = ids.map(|id| objects.intern(id));
        assert_eq!(indexes, [0, 1, 2, 3, 4, 5]);
        assert_eq!(ids.map(|id| objects.find(id)), indexes);
        assert_eq!(indexes.map(|object| objects.id(object)), ids);
        assert!(objects.by_id.len() as u64 <= DENSE_IDS_MIN);
        assert_eq!(objects.intern(0), NO_OBJECT);
        assert_eq!(objects.find(99), NO_OBJECT);
    }
}
