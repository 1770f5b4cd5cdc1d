//! Signals that would end this process: they are for the program, the report is written all the same.

use super::supervise::Wake;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM},
    iterator::{SignalsInfo, exfiltrator::origin::WithOrigin},
    low_level::{emulate_default_handler, siginfo::Cause},
};
use std::{
    fs, io,
    sync::{Arc, OnceLock, mpsc::Sender},
    thread,
    time::{Duration, Instant},
};

/// A signal that ends the program may reach this process after the program's end; later ones are meant for it.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// A signal that came.
#[derive(Clone, Copy)]
pub(super) struct Received {
    pub(super) number: i32,
    /// Whether a process sent it to this one. One from the terminal goes to all processes in the foreground,
    /// the program among them.
    pub(super) was_sent: bool,
}

/// When the program ended, if it has.
pub(super) type ProgramEnd = Arc<OnceLock<Instant>>;

/// Passes signals on to `wakes` until the program has ended; after that they have their usual effect.
///
/// # Errors
/// A handler cannot be installed.
pub(super) fn watch(wakes: Sender<Wake>, program_end: ProgramEnd) -> io::Result<()> {
    let ignored = ignored_mask();
    // What was ignored, as by `nohup`, has to stay ignored: the program inherits that, but not a handler.
    let is_ignored = |signal: i32| ignored & (1 << (signal - 1)) != 0;
    let watched = [SIGINT, SIGQUIT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = SignalsInfo::<WithOrigin>::new(watched)?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for origin in &mut signals {
            if program_end.get().is_some_and(|end| end.elapsed() > SAME_SIGNAL) {
                let _ = emulate_default_handler(origin.signal);
            }
            let was_sent = matches!(origin.cause, Cause::Sent(_));
            let _ = wakes.send(Wake::Signal(Received { number: origin.signal, was_sent }));
        }
    })?;
    Ok(())
}

/// The signals that this process ignores, as bits; none if the kernel does not say.
fn ignored_mask() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
