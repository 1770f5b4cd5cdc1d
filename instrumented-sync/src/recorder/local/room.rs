//! Room on the stack: a signal handler may have a few kilobytes, and cold work is not to be what overflows them.
//!
//! What each takes was measured with a painted stack, as `tests/robust/stack.rs` does, the kernel's own frame of the
//! signal included: 23, 14 and 9 KiB with glibc 2.36, with and without optimisation. Unwinders and kernels differ.

use super::{super::platform, Local};

/// What it takes to begin a process or a thread: the directory and the file are made, the modules asked for.
const BEGIN_BYTES: usize = 40 << 10;
/// What it takes to capture a stack, through the unwinder.
pub(super) const CAPTURE_BYTES: usize = 20 << 10;
/// What all other cold work takes.
pub(super) const COLD_BYTES: usize = 12 << 10;

const PAGE_BYTES: usize = 4096;

impl Local {
    /// Whether this thread's stack has room for what comes first in a process or a thread.
    pub(in crate::recorder) fn can_begin(&self) -> bool {
        self.has_stack(BEGIN_BYTES)
    }

    /// Whether this thread's stack has room for so many bytes more. Asks the kernel once, and once for each page that
    /// it has not asked about before.
    pub(super) fn has_stack(&self, bytes: usize) -> bool {
        let pointer = platform::stack_pointer();
        // May lie anywhere, also within the thread's own stack, so it is always asked for.
        if let Some(left) = platform::alternate_stack_left(pointer) {
            return left >= bytes;
        }
        let wanted = pointer.saturating_sub(bytes);
        let (low, high) = self.stack.get();
        if low <= wanted && pointer <= high {
            return true;
        }
        // A guard page has no neighbour's stack in it, so each page is looked at.
        let mut pages = (wanted..pointer).step_by(PAGE_BYTES);
        if !pages.all(platform::is_readable) {
            return false;
        }
        let overlaps = low <= pointer && wanted <= high;
        self.stack.set(if overlaps { (low.min(wanted), high.max(pointer)) } else { (wanted, pointer) });
        true
    }
}
