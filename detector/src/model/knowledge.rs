//! Which threads can have come to know of which objects: who touched one knows it, and knowledge goes wherever a
//! reference can be handed on - to threads that are started, with messages, by joins and notifies, and through locks: what
//! a thread knew when it released one, whoever acquires it later may have found there.
//!
//! Kept as sets of bits, one set for each thread and each lock that somebody released who knew something. It is
//! generous: of two threads that must-order connects the later one learns what the earlier one knows *now*.

use rustc_hash::FxHashMap;

/// Who knows what.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    /// 64-bit words of a set; 0 if there is nothing to know.
    n_words: usize,
    /// The sets of the threads, one after the other.
    threads: Vec<u64>,
    locks: FxHashMap<u32, Vec<u64>>,
}

impl Knowledge {
    /// Room for `n_facts` facts and `n_threads` threads.
    pub(super) fn new(n_facts: usize, n_threads: usize) -> Self {
        let n_words = n_facts.div_ceil(64);
        Self { n_words, threads: vec![0; n_words * n_threads], locks: FxHashMap::default() }
    }

    /// Whether there is anything to know.
    #[inline]
    pub(super) const fn is_tracked(&self) -> bool {
        self.n_words > 0
    }

    /// A thread has a fact in its hands.
    pub(super) fn learn(&mut self, thread: u32, fact: usize) {
        if let Some(word) = self.set_mut(thread).get_mut(fact / 64) {
            *word |= 1 << (fact % 64);
        }
    }

    pub(super) fn knows(&self, thread: u32, fact: usize) -> bool {
        let word = self.set(thread).get(fact / 64);
        word.is_some_and(|word| word & 1 << (fact % 64) != 0)
    }

    /// `later` comes after `earlier` in every schedule.
    pub(super) fn hand_on(&mut self, earlier: u32, later: u32) {
        for word in 0..self.n_words {
            let known = self.set(earlier).get(word).copied().unwrap_or_default();
            if let Some(word) = self.set_mut(later).get_mut(word) {
                *word |= known;
            }
        }
    }

    pub(super) fn release(&mut self, thread: u32, lock: u32) {
        if self.set(thread).iter().all(|word| *word == 0) {
            return;
        }
        let start = thread as usize * self.n_words;
        let left = self.locks.entry(lock).or_insert_with(|| vec![0; self.n_words]);
        let known = self.threads.get(start..start + self.n_words).unwrap_or_default();
        left.iter_mut().zip(known).for_each(|(left, known)| *left |= known);
    }

    pub(super) fn acquire(&mut self, thread: u32, lock: u32) {
        let Some(left) = self.locks.get(&lock) else { return };
        let start = thread as usize * self.n_words;
        let known = self.threads.get_mut(start..start + self.n_words).unwrap_or_default();
        known.iter_mut().zip(left).for_each(|(known, left)| *known |= left);
    }

    fn set(&self, thread: u32) -> &[u64] {
        let start = thread as usize * self.n_words;
        self.threads.get(start..start + self.n_words).unwrap_or_default()
    }

    fn set_mut(&mut self, thread: u32) -> &mut [u64] {
        let start = thread as usize * self.n_words;
        self.threads.get_mut(start..start + self.n_words).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_goes_where_a_reference_can_go_and_nowhere_else() {
        let mut knowledge = Knowledge::new(100, 5);
        knowledge.release(0, 7);
        knowledge.learn(0, 99);
        knowledge.acquire(1, 7);
        assert!(!knowledge.knows(1, 99), "the lock was released before");
        knowledge.release(0, 7);
        knowledge.acquire(1, 7);
        knowledge.hand_on(1, 2);
        knowledge.hand_on(3, 0);
        assert_eq!([0, 1, 2, 3, 4].map(|thread| knowledge.knows(thread, 99)), [true, true, true, false, false]);
        assert!(!knowledge.knows(0, 98));
    }

    #[test]
    fn without_facts_nothing_is_kept() {
        let mut knowledge = Knowledge::new(0, 3);
        knowledge.learn(0, 0);
        knowledge.release(0, 7);
        knowledge.hand_on(0, 1);
        assert!(!knowledge.is_tracked() && !knowledge.knows(0, 0) && knowledge.locks.is_empty());
    }
}
