//! Data that is read without a lock, and read again if it changed meanwhile.

use instrumented_sync::{
    atomic::{fence, AtomicU64, AtomicUsize, Ordering},
    hint::spin_loop,
};

#[derive(Default)]
pub struct SeqLock {
    /// Odd while somebody writes.
    sequence: AtomicUsize,
    pair: [AtomicU64; 2],
}

impl SeqLock {
    /// There is one writer.
    pub fn write(&self, pair: [u64; 2]) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(before + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.pair[0].store(pair[0], Ordering::Relaxed);
        self.pair[1].store(pair[1], Ordering::Relaxed);
        self.sequence.store(before + 2, Ordering::Release);
    }

    pub fn read(&self) -> [u64; 2] {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before % 2 == 0 {
                let pair = [self.pair[0].load(Ordering::Relaxed), self.pair[1].load(Ordering::Relaxed)];
                fence(Ordering::Acquire);
                if self.sequence.load(Ordering::Relaxed) == before {
                    return pair;
                }
            }
            spin_loop();
        }
    }
}

pub fn run(n: usize) -> bool {
    let pair = SeqLock::default();
    crate::two(n, &pair, |pair, turn| {
        for at in turn.operations() {
            if turn.me == 0 {
                pair.write([at as u64; 2]);
            } else {
                let [first, second] = pair.read();
                assert_eq!(first, second);
            }
        }
    })
}
