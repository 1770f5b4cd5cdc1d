//! fork(2), as a program calls it that knows no better.

/// The child does `body` and ends at once; its process id for the parent.
pub fn fork(body: impl FnOnce()) -> i32 {
    // SAFETY: the child calls `body` only, which takes locks but allocates no more than the recorder does, and ends by _exit.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork");
    if child == 0 {
        body();
        // SAFETY: ends the process; nothing of the parent's is run or flushed.
        unsafe { libc::_exit(0) };
    }
    child
}

/// Waits for the end of a child that nobody recorded as one; its status.
pub fn wait_for(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` lives long enough.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    status
}
