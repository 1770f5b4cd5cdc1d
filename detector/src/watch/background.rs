//! Watching on a thread: of the tool, or of a program that watches itself.

use super::{Hang, Look, Watch};
use crate::finding::{Certainty, Report};
use std::{
    env, fmt, io,
    path::Path,
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How to watch.
pub struct Settings {
    /// How often to look; [`super::EVERY`] is a good answer.
    pub every: Duration,
    /// Is called with each hang that is found, on the watching thread. The report's findings are that hang alone.
    pub on_report: Box<dyn Fn(&Report) + Send>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("every", &self.every).finish_non_exhaustive()
    }
}

/// A watch on a thread of its own; ends when this is dropped.
#[derive(Debug)]
pub struct WatchHandle {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Watches a trace from a thread, for a program that records itself.
///
/// The thread is called `deadlock-check`, records nothing, and does not count as one that could end a wait of the
/// program. The callback should not take the program's locks, which may be those that are stuck.
///
/// # Errors
///
/// The thread cannot be started.
///
/// ```
/// use detector::{render, watch};
///
/// let dir = tempfile::tempdir()?;
/// // instrumented_sync::trace::start(dir.path())?;
/// let on_report = Box::new(|report: &detector::finding::Report| {
///     let text = render::render(report, render::Format::Human, false);
///     assert!(!text.is_empty());
/// });
/// let watch = watch::spawn(dir.path(), watch::Settings { every: watch::EVERY, on_report })?;
/// // The program does its work. Later:
/// drop(watch);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn spawn(dir: &Path, settings: Settings) -> io::Result<WatchHandle> {
    let watch = Watch::new(dir, &env::current_dir().unwrap_or_default());
    let Settings { every, on_report } = settings;
    start(watch, every, move |hang| {
        let Hang { mut report, mut findings, is_settled, .. } = hang;
        // One that is possible comes again when it has settled.
        findings.retain(|finding| !is_settled || finding.certainty == Certainty::Observed);
        if !findings.is_empty() {
            report.findings = findings;
            on_report(&report);
        }
    })
}

/// As [`spawn`], with everything that is known of the hang.
pub(crate) fn start(
    watch: Watch,
    every: Duration,
    on_hang: impl FnMut(Hang) + Send + 'static,
) -> io::Result<WatchHandle> {
    let (stop, stopped) = mpsc::channel();
    let thread =
        thread::Builder::new().name("deadlock-check".to_owned()).spawn(move || run(watch, every, &stopped, on_hang))?;
    Ok(WatchHandle { stop: Some(stop), thread: Some(thread) })
}

fn run(mut watch: Watch, every: Duration, stopped: &Receiver<()>, mut on_hang: impl FnMut(Hang)) {
    while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        if let Look::Hang(hang) = watch.look() {
            on_hang(*hang);
        }
    }
}

impl WatchHandle {
    /// Ends the watch without waiting for a look that has begun.
    pub(crate) fn abandon(mut self) {
        self.thread = None;
    }
}

impl Drop for WatchHandle {
    /// Ends the watch; the callback is not called any more.
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // It ends at its next look at the latest; that of a callback that panicked ended before.
            let _ = thread.join();
        }
    }
}
