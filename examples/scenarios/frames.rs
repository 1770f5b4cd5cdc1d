//! A stack of its own for each operation of a program.
//!
//! All operations of all threads are performed by the same few lines. What tells operations apart in a report is
//! where they are, that is, a line and a stack; so each is performed under two frames that are its own.

use std::hint::black_box;

type Frame = fn(&mut dyn FnMut());

#[inline(never)]
fn frame<const N: usize>(perform: &mut dyn FnMut()) {
    perform();
    // Keeps the functions different, so that no linker folds them into one, and the call from becoming a jump.
    black_box(N);
}

macro_rules! frames {
    ($($n:literal)*) => { [$(frame::<$n>),*] };
}

const FRAMES: [Frame; 48] = frames!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23
    24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47
);

/// Performs an operation under the frames of `thread` and `pc`.
pub(crate) fn within<R>(thread: usize, pc: usize, perform: impl FnOnce() -> R) -> Option<R> {
    let mut perform = Some(perform);
    let mut result = None;
    FRAMES[thread % FRAMES.len()](&mut || {
        FRAMES[pc % FRAMES.len()](&mut || result = perform.take().map(|perform| perform()));
    });
    result
}
