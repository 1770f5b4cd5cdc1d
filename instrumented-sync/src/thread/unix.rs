//! What `std::os::unix::thread` gives a handle: the platform's own name of the thread.
//!
//! The trait is std's, so that what asks for it takes our handles too. On a platform without it nothing is wrapped.

use super::handle::JoinHandle;
use std::os::unix::thread::{JoinHandleExt, RawPthread};

/// A thread that is joined by its raw handle is not seen to be joined.
///
/// ```
/// use instrumented_sync::thread;
/// use std::os::unix::thread::JoinHandleExt;
///
/// let handle = thread::spawn(|| 1);
/// assert_ne!(handle.as_pthread_t(), 0);
/// assert_eq!(handle.join().unwrap(), 1);
/// ```
impl<T> JoinHandleExt for JoinHandle<T> {
    fn as_pthread_t(&self) -> RawPthread {
        self.native().as_pthread_t()
    }

    fn into_pthread_t(self) -> RawPthread {
        self.into_native().into_pthread_t()
    }
}
