//! Models: every schedule of a small program, by loom; or many of a larger one, by shuttle.
//!
//! With `RUSTFLAGS="--cfg instrumented_sync_loom"` (or `--cfg loom`, which other crates react to as well: tokio has no
//! net then) the paths of this crate lead to [loom](https://docs.rs/loom)'s primitives, or to what is built on them. With
//! `--cfg instrumented_sync_shuttle` they lead to [shuttle](https://docs.rs/shuttle)'s. A crate that imports from
//! `instrumented_sync` alone is modelled as it is; its own manifest says that it knows the words:
//!
//! ```toml
//! [lints.rust]
//! unexpected_cfgs = { level = "warn", check-cfg = ['cfg(instrumented_sync_loom)', 'cfg(instrumented_sync_shuttle)'] }
//! ```
//!
//! Nothing is recorded in such a build, and outside of [`model`](model()) its primitives cannot be made.
//!
//! loom looks at every schedule that can make a difference, and at every value that the memory model lets a load see, so
//! it finds a missing `Release` and the two uses of a cell that nothing orders. It has five threads, the model's own among
//! them, and a thousand steps a run (`LOOM_MAX_BRANCHES`); `LOOM_MAX_PREEMPTIONS=2` makes larger models feasible.
//! It remembers the *last* use of an atomic only: a thread's look at an atomic hides an earlier one of another thread from
//! it, and schedules are left out. Where one side looks once and goes on, let it wait instead.
//!
//! shuttle takes random schedules, then such with few changes of the running thread (PCT), 1000 each
//! (`SHUTTLE_ITERATIONS`). It takes as many threads as there are, but lets all of them see all stores at once: it finds
//! no missing `Release`, and does not look into cells.
//!
//! # What is what
//!
//! `tests/model` of the repository uses each name below, under each root.
//!
//! | std | under loom | under shuttle |
//! |---|---|---|
//! | `Mutex`, `MutexGuard` | loom's; no `is_poisoned`, `clear_poison` | shuttle's; the same |
//! | `Condvar`, `WaitTimeoutResult` | loom's, and here `wait_while` and waits with a timeout | shuttle's, and the same |
//! | `RwLock` and its guards | built here of a mutex and a condition variable: loom's has no recursive reads; no `downgrade` | the same |
//! | `Barrier`, `Once`, `OnceState`, `OnceLock`, `LazyLock` | built here of the same; a panic poisons as in std | the same |
//! | `mpsc`, with `sync_channel(0)`, iterators and timeouts | built here, on [`mpmc`](crate::mpmc) | the same |
//! | `Arc` | loom's, and told apart from a leak; no `downgrade`, `make_mut`, unsizing (see `from_std`) | std's |
//! | `Weak` | not there; std's `Arc` and `Weak` work, but dropping the last orders nothing and leaks are not seen | std's |
//! | `atomic` | loom's; `with_mut` instead of `get_mut`, no `compiler_fence` | shuttle's |
//! | `PoisonError`, `LockResult`, `TryLockError`, `TryLockResult` | std's | std's |
//! | `thread::spawn`, `Builder`, `JoinHandle` | loom's, and here `is_finished` and `spawn_scoped` | shuttle's, without those |
//! | `thread::scope` | built here | shuttle's |
//! | `park`, `unpark`, `current`, `Thread`, `ThreadId`, `yield_now` | loom's | shuttle's |
//! | `sleep`, `park_timeout` | let others run | the same |
//! | `panicking`, `available_parallelism` | std's | std's |
//! | `thread_local!`, `LocalKey` | loom's, with `const { … }`; no `set`, `get`, `with_borrow` and their like | shuttle's |
//! | [`hint::spin_loop`](crate::hint::spin_loop) | lets others run | the same |
//! | [`UnsafeCell`](crate::cell::UnsafeCell), `Cell` | loom's: tells of races; pointers of its `get` and `get_mut` are lent too | std's |
//! | [`RaceCell`](crate::cell::RaceCell) | this crate's, on loom's cell: tells of races | on std's |
//! | [`read_of!`](crate::read_of), [`write_of!`](crate::write_of), [`free_of!`](crate::free_of) | nothing | nothing |
//! | [`Semaphore`](crate::Semaphore), [`Latch`](crate::Latch), [`ReentrantLock`](crate::ReentrantLock), [`UpgradableRwLock`](crate::UpgradableRwLock), [`mpmc`](crate::mpmc), [`task`](crate::task) | this crate's, on the above | the same |
//! | [`tracked::Arc`](crate::tracked::Arc) | std's `Arc` in another form: dropping the last orders nothing, leaks are not seen | the same, and it orders |
//! | [`resource`](crate::resource), [`signal`](crate::signal), [`label`](crate::label()), [`trace`](crate::trace) | nothing | nothing |
//!
//! **No `static`s.** No constructor is `const`: a model makes what it uses, in each run anew. A `static` of a primitive
//! does not compile. `thread_local!` is renewed by the checker.
//!
//! **Time** passes in waits that give up and in `sleep`, for all threads alike. A wait with a timeout goes on at once the
//! first time, and lets others run if the one before it gave up too; it never takes a `notify_one` from a thread that
//! waits without a timeout. So both ends of a single wait are looked at, and a loop of waits ends.
//! [`std::time::Instant`] is not modelled.
//!
//! **A panic ends a model.** It is not told to who joins, and while it unwinds what is built here is not given back: a
//! lock that is held stays held, also if the panic is caught within the model. A `Mutex` whose holder panicked panics when it is locked.
//!
//! **A deadlock** is a panic too, so a test finds it. With loom's own `Arc` in the closure of a thread the process would
//! end instead; the one here lets go. A destructor of the program's own that locks something then still ends it.
//!
//! **Scoped threads** under loom: where a model breaks off for another reason than a deadlock (too many steps) while
//! threads borrow from the scope, the process ends, since loom could still run them.

#[cfg(modelled_by = "loom")]
use ::loom as engine;
#[cfg(modelled_by = "shuttle")]
use ::shuttle as engine;

#[cfg(modelled_by = "loom")]
mod arc;
#[cfg(modelled)]
mod barrier;
#[cfg(not(modelled_by = "loom"))]
pub(crate) mod cell;
#[cfg(modelled)]
pub(crate) mod clock;
#[cfg(modelled)]
mod condvar;
#[cfg(modelled_by = "loom")]
mod local;
#[cfg(modelled)]
pub(crate) mod mpsc;
#[cfg(modelled)]
mod mutex;
#[cfg(modelled)]
mod once;
#[cfg(modelled)]
mod once_lock;
#[cfg(modelled)]
mod rwlock;
#[cfg(modelled_by = "loom")]
pub(crate) mod thread;

/// What `crate::hint` has in a model.
#[cfg(modelled)]
pub(crate) mod hint {
    pub use super::engine::hint::spin_loop;
}

/// What `crate::sync` has in a model.
#[cfg(modelled)]
pub(crate) mod sync {
    #[cfg(modelled_by = "loom")]
    pub use super::arc::Arc;
    pub use super::engine::sync::atomic;
    pub use super::{
        barrier::{Barrier, BarrierWaitResult},
        condvar::{Condvar, WaitTimeoutResult},
        mutex::{Mutex, MutexGuard},
        once::{Once, OnceState},
        once_lock::{LazyLock, OnceLock},
        rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    };
    #[cfg(modelled_by = "shuttle")]
    pub use std::sync::{Arc, Weak};
    pub use std::sync::{LockResult, PoisonError, TryLockError, TryLockResult};
}

/// What `crate::thread` has in a model.
#[cfg(modelled_by = "shuttle")]
pub(crate) mod thread {
    use std::time::Duration;

    pub use shuttle::thread::{
        AccessError, Builder, JoinHandle, LocalKey, Result, Scope, ScopedJoinHandle, Thread, ThreadId, current,
        panicking, park, scope, spawn, yield_now,
    };
    pub use std::thread::available_parallelism;

    /// Lets others run, and the model's time pass.
    pub fn sleep(duration: Duration) {
        yield_now();
        super::clock::advance(duration);
    }

    /// As [`park`], but lets others run and goes on, unparked or not. shuttle's own never gives up.
    pub fn park_timeout(duration: Duration) {
        sleep(duration);
    }
}

/// What `crate::cell` has in a model.
#[cfg(modelled_by = "loom")]
pub(crate) mod cell {
    pub use loom::cell::{Cell, ConstPtr, MutPtr, UnsafeCell};
    pub use std::cell::{BorrowError, BorrowMutError, OnceCell, Ref, RefCell, RefMut};
}

/// Runs `f` as a model: under loom in every schedule that can make a difference, under shuttle in many, and in any
/// other build once, as it is.
///
/// What `f` uses has to be made by `f`: it is run again and again, from the start.
///
/// # Panics
///
/// `f` does, in one of the schedules; or it deadlocks in one; under loom also when two threads use an
/// [`UnsafeCell`](crate::cell::UnsafeCell) with nothing that orders them, or something is leaked.
///
/// ```
/// use instrumented_sync::{Arc, Mutex, model, thread};
///
/// model(|| {
///     let hits = Arc::new(Mutex::new(0));
///     let of_thread = Arc::clone(&hits);
///     let thread = thread::spawn(move || *of_thread.lock().unwrap() += 1);
///     *hits.lock().unwrap() += 1;
///     thread.join().unwrap();
///     assert_eq!(*hits.lock().unwrap(), 2);
/// });
/// ```
pub fn model<F>(f: F)
where
    F: Fn() + Send + Sync + 'static,
{
    run(f);
}

#[cfg(not(modelled))]
fn run(f: impl Fn() + Send + Sync + 'static) {
    f();
}

#[cfg(modelled_by = "loom")]
fn run(f: impl Fn() + Send + Sync + 'static) {
    loom::model(f);
}

#[cfg(modelled_by = "shuttle")]
fn run(f: impl Fn() + Send + Sync + 'static) {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    const SCHEDULES: usize = 1000;
    /// Bugs that take more changes of the running thread than this are rare.
    const DEPTH: usize = 3;

    let asked = std::env::var("SHUTTLE_ITERATIONS").ok().and_then(|n| n.parse().ok());
    let n_schedules = asked.unwrap_or(SCHEDULES);
    let f = std::sync::Arc::new(f);
    let again = std::sync::Arc::clone(&f);
    shuttle::check_random(move || f(), n_schedules);
    let result = catch_unwind(AssertUnwindSafe(|| shuttle::check_pct(move || again(), n_schedules, DEPTH)));
    if let Err(panic) = result {
        // It refuses a model in which there is nothing to choose; such a one has passed.
        let is_refusal = panic.downcast_ref::<&str>().is_some_and(|text| text.contains("any concurrency"));
        if !is_refusal {
            resume_unwind(panic);
        }
    }
}
