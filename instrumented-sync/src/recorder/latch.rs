//! Whether this process records: decided once, at the first operation, and never taken back.

use super::{
    copies::{self, Joined},
    local::Local,
    platform,
};
use crate::trace::StartError;
use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
};

const UNDECIDED: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(UNDECIDED);

/// Held while deciding, and while `start` turns "off" into "on"; keeps why recording was refused.
static REFUSAL: Mutex<Option<StartError>> = Mutex::new(None);

/// Whether operations are recorded: one load and a branch that the processor predicts.
#[inline]
pub(crate) fn recording() -> bool {
    // Relaxed: an operation that misses the turn to ON is one that came before it; what recording needs is
    // behind the recorder's lock.
    match STATE.load(Ordering::Relaxed) {
        OFF => false,
        state => recording_or_undecided(state),
    }
}

/// Cold, so that the compiler lays out every lock for the case that recording is off: that way costs what std's
/// does, and the recorded one pays with a jump.
#[cold]
#[inline]
fn recording_or_undecided(state: u8) -> bool {
    state == ON || decide()
}

#[cold]
fn decide() -> bool {
    // The environment is read with the program's allocator. Should that use one of our locks, its operation
    // finds this thread busy and goes through unrecorded.
    let Some(_busy) = Local::enter() else { return false };
    let wanted = if platform::is_secure() { None } else { std::env::var_os(trace_format::TRACE_VARIABLE) };
    let wanted = wanted.filter(|dir| !dir.is_empty());
    if wanted.is_some() {
        // Before any lock is taken that another thread's fork could leave locked in the child.
        platform::install_hooks();
    }
    let mut refusal = REFUSAL.lock().unwrap_or_else(PoisonError::into_inner);
    // Relaxed: REFUSAL is held.
    if STATE.load(Ordering::Relaxed) == UNDECIDED {
        let started = wanted.map(|dir| copies::configure(Path::new(&dir)));
        let on = matches!(started, Some(Ok(_)));
        *refusal = started.and_then(Result::err);
        // Relaxed: see `recording`.
        STATE.store(if on { ON } else { OFF }, Ordering::Relaxed);
    }
    // Relaxed: REFUSAL is held.
    STATE.load(Ordering::Relaxed) == ON
}

/// Whether operations are recorded; decides nothing.
pub(crate) fn is_on() -> bool {
    // Relaxed: as in `recording`.
    STATE.load(Ordering::Relaxed) == ON
}

/// This copy meets what another copy recorded, and has not been told to record: it joins that one, if it can. Tried
/// once, since looking takes long.
pub(super) fn meet() {
    static TRIED: AtomicBool = AtomicBool::new(false);
    // Relaxed: it is only asked who comes first.
    if recording() || TRIED.swap(true, Ordering::Relaxed) {
        return;
    }
    let Some(_busy) = Local::enter() else { return };
    platform::install_hooks();
    let _decided = REFUSAL.lock().unwrap_or_else(PoisonError::into_inner);
    // Relaxed: REFUSAL is held.
    if STATE.load(Ordering::Relaxed) == OFF && copies::join() {
        // Relaxed: see `recording`.
        STATE.store(ON, Ordering::Relaxed);
    }
}

/// Turns recording on, into `dir`.
pub(crate) fn start(dir: &Path) -> Result<(), StartError> {
    if recording() {
        return Err(StartError::AlreadyRecording);
    }
    let Some(_busy) = Local::enter() else { return Err(StartError::Reentrant) };
    platform::install_hooks();
    let _decided = REFUSAL.lock().unwrap_or_else(PoisonError::into_inner);
    // Relaxed: REFUSAL is held, which serialises everybody who turns recording on.
    if STATE.load(Ordering::Relaxed) == ON {
        return Err(StartError::AlreadyRecording);
    }
    let joined = copies::configure(dir)?;
    // Relaxed: see `recording`.
    STATE.store(ON, Ordering::Relaxed);
    if joined == Joined::Elsewhere { Err(StartError::AlreadyRecording) } else { Ok(()) }
}

/// Why recording, which the environment asked for, was refused.
pub(crate) fn refusal() -> Option<StartError> {
    recording();
    REFUSAL.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
