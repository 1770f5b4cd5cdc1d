//! Vector clocks that many events share: one copy for each stretch in which a thread learnt nothing new.

/// A clock in a [`Clocks`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ClockId(u32);

/// Clocks of one width, counted, so that the memory of one that nothing refers to any more is taken again.
///
/// Only what is remembered has a copy here: with a copy for each event that learns something, a million events of 256
/// threads would need a gigabyte.
#[derive(Debug)]
pub(super) struct Clocks {
    width: usize,
    words: Vec<u32>,
    references: Vec<u32>,
    free: Vec<ClockId>,
}

impl Clocks {
    pub(super) fn new(width: usize) -> Self {
        Self { width, words: Vec::new(), references: Vec::new(), free: Vec::new() }
    }

    /// A copy of `clock`, with one reference.
    pub(super) fn copy(&mut self, clock: &[u32]) -> ClockId {
        if let Some(id) = self.free.pop() {
            let at = id.0 as usize * self.width;
            self.words[at..at + self.width].copy_from_slice(clock);
            self.references[id.0 as usize] = 1;
            return id;
        }
        let id = ClockId(self.references.len() as u32);
        self.words.extend_from_slice(clock);
        self.references.push(1);
        id
    }

    /// How many words of memory the copies take.
    pub(super) fn n_words(&self) -> usize {
        self.words.len()
    }

    pub(super) fn retain(&mut self, id: ClockId) {
        self.references[id.0 as usize] += 1;
    }

    pub(super) fn release(&mut self, id: ClockId) {
        let references = &mut self.references[id.0 as usize];
        *references -= 1;
        if *references == 0 {
            self.free.push(id);
        }
    }

    pub(super) fn get(&self, id: ClockId) -> &[u32] {
        let at = id.0 as usize * self.width;
        &self.words[at..at + self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_again_when_nothing_refers_to_a_clock() {
        let mut clocks = Clocks::new(2);
        let first = clocks.copy(&[1, 2]);
        let second = clocks.copy(&[3, 4]);
        clocks.retain(first);
        clocks.release(first);
        assert_eq!(clocks.get(first), [1, 2]);
        clocks.release(first);
        let third = clocks.copy(&[5, 6]);
        assert_eq!((third, clocks.get(third), clocks.get(second)), (first, &[5, 6][..], &[3, 4][..]));
    }
}
