//! Locks in memory that processes share.
//!
//! Processes open a [`Region`], and in it what they need, by name: whoever comes first makes it. What is opened behaves as std's primitives
//! do, between threads of whatever process; the owner's death is noticed and handed on.
//!
//! **What is shared** is bytes: a type may lie in a region if any bytes are one of its values and none of them is padding
//! ([`Shareable`]). Nothing in it is a pointer, so it may be mapped anywhere.
//!
//! **What another process can do.** Whoever may open the region's file (mode 0600 where it is made here) may write whatever it likes at any time, and is
//! trusted like this program itself: it can change values under a lock, leave a lock held, let two threads in, cut the file, which ends those that touch
//! it by SIGBUS. To write what another thread has locked is a data race, which the language says nothing about. What it cannot do is to have an
//! index, a length or a pointer of its choice used: none that lies in the memory is used before it was compared with what it may be.
//!
//! **Who is alive** is asked of `/proc`, by a thread's number and its start. So all processes of a region have to be in one PID and time namespace: a region that
//! was made in another one is refused. A thread of another user that `/proc` hides counts as alive as long as its number is in use.
//!
//! **Recorded** are the same events as of private primitives. The report goes through all processes that recorded into one trace, and knows that an object
//! is the same wherever it is mapped.
//!
//! ```
//! use instrumented_sync::process::shared::{Mutex, Region};
//!
//! let name = format!("example-{}", std::process::id());
//! let region = Region::named(&name, 4096)?;              // each process
//! let total = Mutex::open(&region, "total", 0_u64)?;
//! match total.lock() {
//!     Ok(mut total) => *total += 1,
//!     Err(poisoned) => {                                 // `process 4711 (worker), thread `writer` 4712, died while it held `total``
//!         eprintln!("{poisoned}");
//!         *poisoned.into_inner() = 0;
//!         total.clear_poison();
//!     }
//! }
//! Region::remove(&name)?;                                // whoever comes last
//! # Ok::<(), std::io::Error>(())
//! ```

mod barrier;
mod condvar;
mod event;
mod gate;
#[allow(unreachable_pub, reason = "guards are bound by a trait that nobody outside can name")]
mod guarded;
mod mutex;
mod object;
mod owner;
mod poison;
#[allow(unreachable_pub, reason = "models take the file in by its path")]
mod protocol;
mod region;
mod rwlock;
mod semaphore;

use self::region::Lies;

pub use self::{
    barrier::{Barrier, BarrierWaitResult},
    condvar::Condvar,
    guarded::Exclusive,
    mutex::{Mutex, MutexGuard},
    object::Shareable,
    poison::{LockResult, Owner, PoisonError, TryLockError, TryLockResult},
    region::Region,
    rwlock::{Reading, RwLock, RwLockReadGuard, RwLockWriteGuard},
    semaphore::{Permit, Semaphore},
};
pub use zerocopy::{FromBytes, IntoBytes};

/// Where in an object of this kind the words of its owners are.
fn owners(kind: u64) -> Vec<usize> {
    let is = |lies: Lies| kind == lies as u64;
    match () {
        () if is(Lies::Mutex) => mutex::owners(),
        () if is(Lies::RwLock) => rwlock::owners(),
        () if is(Lies::Semaphore) => semaphore::owners(),
        () if is(Lies::Condvar) => condvar::owners(),
        () if is(Lies::Barrier) => barrier::owners(),
        () => Vec::new(),
    }
}
