//! Data that is read without a lock, and read again if it changed meanwhile.

use instrumented_sync::{
    atomic::{fence, AtomicUsize, Ordering},
    cell::UnsafeCell,
    hint::spin_loop,
};

#[derive(Default)]
pub struct SeqLock {
    /// Odd while somebody writes.
    sequence: AtomicUsize,
    pair: UnsafeCell<[u64; 2]>,
}

unsafe impl Sync for SeqLock {}

impl SeqLock {
    /// There is one writer.
    pub fn write(&self, pair: [u64; 2]) {
        let before = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(before + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.pair.with_mut(|place| unsafe { *place = pair }); // races
        self.sequence.store(before + 2, Ordering::Release);
    }

    pub fn read(&self) -> [u64; 2] {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            if before % 2 == 0 {
                let pair = self.pair.with(|place| unsafe { std::ptr::read_volatile(place) }); // races too
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
