//! Which threads can have come to know of which objects: who touched one knows it, and knowledge goes wherever a
//! reference can be handed on - to threads that are started, with messages, by joins and notifies, and through locks: what
//! a thread knew when it released one, whoever acquires it later may have found there.
//!
//! Kept as sets of bits, one set for each thread and each lock that somebody released who knew something.

use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Who knows what.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    /// 64-bit words of a set; 0 if there is nothing to know.
    n_words: usize,
    /// By thread; shared with what it sent, until it learns more.
    threads: Vec<Rc<[u64]>>,
    locks: FxHashMap<u32, Vec<u64>>,
}

impl Knowledge {
    /// Room for `n_facts` facts and `n_threads` threads.
    pub(super) fn new(n_facts: usize, n_threads: usize) -> Self {
        let n_words = n_facts.div_ceil(64);
        let nothing: Rc<[u64]> = vec![0; n_words].into();
        let threads = if n_words == 0 { Vec::new() } else { vec![nothing; n_threads] };
        Self { n_words, threads, locks: FxHashMap::default() }
    }

    /// Whether there is anything to know.
    #[inline]
    pub(super) const fn is_tracked(&self) -> bool {
        self.n_words > 0
    }

    /// A thread has a fact in its hands.
    pub(super) fn learn(&mut self, thread: u32, fact: usize) {
        if !self.knows(thread, fact)
            && let Some(word) = self.set_mut(thread).get_mut(fact / 64)
        {
            *word |= 1 << (fact % 64);
        }
    }

    pub(super) fn knows(&self, thread: u32, fact: usize) -> bool {
        let word = self.threads.get(thread as usize).and_then(|set| set.get(fact / 64));
        word.is_some_and(|word| word & 1 << (fact % 64) != 0)
    }

    /// What a thread knows now.
    pub(super) fn known_to(&self, thread: u32) -> Rc<[u64]> {
        self.threads.get(thread as usize).cloned().unwrap_or_default()
    }

    /// A thread learns what another one knew.
    pub(super) fn hand_on(&mut self, known: &[u64], later: u32) {
        let set = self.threads.get(later as usize).map_or(&[][..], |set| set);
        if set.iter().zip(known).any(|(own, known)| known & !own != 0) {
            self.set_mut(later).iter_mut().zip(known).for_each(|(own, known)| *own |= known);
        }
    }

    pub(super) fn release(&mut self, thread: u32, lock: u32) {
        let Some(known) = self.threads.get(thread as usize) else { return };
        if known.iter().any(|word| *word != 0) {
            let left = self.locks.entry(lock).or_insert_with(|| vec![0; self.n_words]);
            left.iter_mut().zip(known.iter()).for_each(|(left, known)| *left |= known);
        }
    }

    pub(super) fn acquire(&mut self, thread: u32, lock: u32) {
        if let Some(left) = self.locks.remove(&lock) {
            self.hand_on(&left, thread);
            self.locks.insert(lock, left);
        }
    }

    fn set_mut(&mut self, thread: u32) -> &mut [u64] {
        self.threads.get_mut(thread as usize).map(Rc::make_mut).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knowledge_goes_where_a_reference_can_go_and_nowhere_else() {
        let mut knowledge = Knowledge::new(100, 5);
        knowledge.release(0, 7);
        let before = knowledge.known_to(0);
        knowledge.learn(0, 99);
        knowledge.acquire(1, 7);
        knowledge.hand_on(&before, 4);
        assert!(!knowledge.knows(1, 99), "the lock was released before");
        knowledge.release(0, 7);
        knowledge.acquire(1, 7);
        knowledge.hand_on(&knowledge.known_to(1).clone(), 2);
        knowledge.hand_on(&knowledge.known_to(3).clone(), 0);
        assert_eq!([0, 1, 2, 3, 4].map(|thread| knowledge.knows(thread, 99)), [true, true, true, false, false]);
        assert!(!knowledge.knows(0, 98));
    }

    #[test]
    fn without_facts_nothing_is_kept() {
        let mut knowledge = Knowledge::new(0, 3);
        knowledge.learn(0, 0);
        knowledge.release(0, 7);
        knowledge.acquire(1, 7);
        assert!(!knowledge.is_tracked() && !knowledge.knows(0, 0) && knowledge.locks.is_empty());
    }
}
