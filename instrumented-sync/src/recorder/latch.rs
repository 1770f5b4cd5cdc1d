//! Whether this process records: decided once, at the first operation, and never taken back.
//!
//! No lock: another thread's fork would leave it locked in the child for ever, and the hooks that could mend that
//! are what is installed here. Whoever decides writes the process into [`STATE`]; a forked child finds there that
//! the one who was deciding is not one of its own, and decides itself.

use super::{
    copies::{self, Joined},
    local::Local,
    platform, process,
};
use crate::trace::StartError;
use std::{
    path::Path,
    sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU32,
        Ordering::{AcqRel, Acquire, Relaxed, Release},
        fence,
    },
    time::{Duration, Instant},
};

const UNDECIDED: u32 = 0;
const OFF: u32 = 1;
const ON: u32 = 2;
/// A thread finds out what the environment wants. Above it stands the process.
const DECIDING: u32 = 3;
/// A thread is in [`start`]; for all others recording is off. Above it stands the process.
const STARTING: u32 = 4;

/// Bits of [`STATE`] that say what is going on.
const WHAT_BITS: u32 = 3;

static STATE: AtomicU32 = AtomicU32::new(UNDECIDED);

/// Why recording was refused; leaked, null if it was not.
static REFUSAL: AtomicPtr<StartError> = AtomicPtr::new(std::ptr::null_mut());

/// How long an operation waits for another thread that is deciding. That takes well below a millisecond, unless
/// the thread waits itself, in an allocator for a lock that this one holds: then nothing of the waiting is recorded.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether operations are recorded: one load and a branch that the processor predicts.
#[inline]
pub(crate) fn recording() -> bool {
    // Relaxed: an operation that misses the turn to ON is one that came before it; what recording needs is
    // behind the recorder's lock, but for the directory, see `directory::file_path`.
    match STATE.load(Relaxed) {
        OFF => false,
        state => recording_or_undecided(state),
    }
}

/// Cold, so that the compiler lays out every lock for the case that recording is off: that way costs what std's
/// does, and the recorded one pays with a jump.
#[cold]
#[inline]
fn recording_or_undecided(state: u32) -> bool {
    state == ON || decide()
}

/// The state in which this process is at `what`.
fn own(what: u32) -> u32 {
    platform::pid() << WHAT_BITS | what
}

const fn what(state: u32) -> u32 {
    state & ((1 << WHAT_BITS) - 1)
}

#[cold]
fn decide() -> bool {
    // The environment is read with the program's allocator. Should that use one of our locks, its operation
    // finds this thread busy and goes through unrecorded.
    let Some(_busy) = Local::enter() else { return false };
    if !Local::with(Local::can_begin) {
        // Decided by an operation with more stack; if that never comes, nobody asks what was lost.
        process::count_lost(1);
        return false;
    }
    let deciding = own(DECIDING);
    let mut since = None;
    loop {
        // Relaxed: as in `recording`.
        let state = STATE.load(Relaxed);
        match what(state) {
            ON => return true,
            OFF | STARTING => return false,
            DECIDING if state == deciding => {
                // Another thread of this process. It is not waited for for ever: see `PATIENCE`.
                if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                    process::count_lost(1);
                    return false;
                }
                std::thread::yield_now();
            }
            // Nobody, or a thread of the process that this one was forked from. Relaxed: it is only asked who comes
            // first, and what that thread finds out is published below.
            _ => {
                if STATE.compare_exchange(state, deciding, Relaxed, Relaxed).is_ok() {
                    return settle(configure_from_environment());
                }
            }
        }
    }
}

/// Publishes what was decided.
fn settle(on: bool) -> bool {
    // Release: pairs with the acquire fence in `directory::file_path`.
    STATE.store(if on { ON } else { OFF }, Release);
    on
}

fn configure_from_environment() -> bool {
    let wanted = if platform::is_secure() { None } else { std::env::var_os(trace_format::TRACE_VARIABLE) };
    let Some(dir) = wanted.filter(|dir| !dir.is_empty()) else { return false };
    // All of it before any other thread finds recording on, and takes the lock that the hooks mend.
    platform::install();
    let Err(refusal) = copies::configure(Path::new(&dir)) else { return true };
    // Release: pairs with the acquire load in `refusal`.
    REFUSAL.store(Box::into_raw(Box::new(refusal)), Release);
    false
}

/// Whether operations are recorded; decides nothing.
pub(crate) fn is_on() -> bool {
    // Relaxed: as in `recording`.
    STATE.load(Relaxed) == ON
}

/// This copy meets what another copy recorded, and has not been told to record: it joins that one, if it can. Tried
/// once, since looking takes long.
pub(super) fn meet() {
    static TRIED: AtomicBool = AtomicBool::new(false);
    // Relaxed: it is only asked who comes first.
    if recording() || TRIED.swap(true, Relaxed) {
        // Another thread may be at it. What it finds is to count for this operation too, which ends a hold, perhaps.
        let since = Instant::now();
        while STATE.load(Relaxed) == own(STARTING) && since.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        // Pairs with the release store in `settle`: whose functions to call is known by then.
        fence(Acquire);
        return;
    }
    let Some(_busy) = Local::enter() else { return };
    // Relaxed: as in `decide`. Whoever is in `start` joins too.
    if STATE.compare_exchange(OFF, own(STARTING), Relaxed, Relaxed).is_ok() {
        platform::install();
        settle(copies::join());
    }
}

/// Turns recording on, into `dir`.
pub(crate) fn start(dir: &Path) -> Result<(), StartError> {
    if recording() {
        return Err(StartError::AlreadyRecording);
    }
    let Some(_busy) = Local::enter() else { return Err(StartError::Reentrant) };
    let starting = own(STARTING);
    let since = Instant::now();
    loop {
        // Relaxed: as in `recording`.
        let state = STATE.load(Relaxed);
        if state == ON || since.elapsed() > PATIENCE {
            // Somebody else has switched it on, or is about to.
            return Err(StartError::AlreadyRecording);
        }
        let is_others = state == starting || state == own(DECIDING);
        // Acquire: what an attempt before this one, which failed, has left behind. Release: nothing is published here.
        if !is_others && STATE.compare_exchange(state, starting, AcqRel, Relaxed).is_ok() {
            break;
        }
        std::thread::yield_now();
    }
    platform::install();
    let configured = copies::configure(dir);
    settle(configured.is_ok());
    if configured? == Joined::Elsewhere { Err(StartError::AlreadyRecording) } else { Ok(()) }
}

/// Why recording, which the environment asked for, was refused.
pub(crate) fn refusal() -> Option<StartError> {
    recording();
    // Acquire: pairs with the release store in `configure_from_environment`.
    let refusal = REFUSAL.load(Acquire);
    // SAFETY: a pointer that is not null is that of a box which was leaked, and which nobody changes.
    unsafe { refusal.as_ref() }.cloned()
}
