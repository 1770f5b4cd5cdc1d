//! Capturing a call stack: raw return addresses, no symbols, no allocation.

use trace_format::dictionary::STACK_FRAMES_MAX;

/// Return addresses, innermost first.
pub(super) struct Stack {
    addresses: [u64; STACK_FRAMES_MAX],
    /// Where the stack pointer stands when each call returns.
    pointers: [usize; STACK_FRAMES_MAX],
    n: usize,
}

impl Stack {
    /// The stack of the caller.
    ///
    /// Through the unwinder, which every Rust program on this platform has tables for. It costs microseconds,
    /// which is why sites are cached. A walk along frame pointers would cost tens of nanoseconds, but programs
    /// are built without them unless asked, and a mixed build truncates such walks silently.
    #[inline(never)]
    pub(super) fn capture() -> Self {
        let mut stack = Self { addresses: [0; STACK_FRAMES_MAX], pointers: [0; STACK_FRAMES_MAX], n: 0 };
        let mut push = |frame: &backtrace::Frame| {
            let address = frame.ip().addr() as u64;
            // A thread's outermost frame returns to nowhere, which no module contains.
            if address != 0 {
                stack.addresses[stack.n] = address;
                stack.pointers[stack.n] = frame.sp().addr();
                stack.n += 1;
            }
            address != 0 && stack.n < STACK_FRAMES_MAX
        };
        // SAFETY: unsynchronised means that two threads may do this at once, which matters to platforms whose
        // unwinder is not thread-safe; that of Linux is.
        unsafe { backtrace::trace_unsynchronized(&mut push) };
        stack
    }

    /// Return addresses with the places on the stack where the processor's call put them, as far as it does: right
    /// below the stack pointer of the return. Elsewhere the words there are others, which whoever compares finds.
    pub(super) fn return_addresses(&self) -> impl Iterator<Item = (u64, usize)> + '_ {
        let pointers = self.pointers[..self.n].iter();
        self.addresses().iter().copied().zip(pointers.map(|pointer| pointer.wrapping_sub(8)))
    }

    pub(super) fn addresses(&self) -> &[u64] {
        &self.addresses[..self.n]
    }
}
