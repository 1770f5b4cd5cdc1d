//! A spinner for long work, on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Work shorter than this passes without a flicker.
const QUIET: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(100);

/// Shows that the tool is at work until it is dropped.
pub(super) struct Progress {
    shown: Option<(Sender<&'static str>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins with a stage; nothing is ever shown if stderr is not a terminal.
    pub(super) fn start(stage: &'static str) -> Self {
        if !io::stderr().is_terminal() {
            return Self { shown: None };
        }
        let (sender, stages) = mpsc::channel();
        let spinner = thread::spawn(move || {
            let mut stage = stage;
            // Whatever comes in the quiet time is only remembered.
            let shown_from = std::time::Instant::now() + QUIET;
            loop {
                match stages.recv_timeout(shown_from.saturating_duration_since(std::time::Instant::now())) {
                    Ok(next) => stage = next,
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            let bar = ProgressBar::new_spinner().with_message(stage);
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(TICK);
            while let Ok(stage) = stages.recv() {
                bar.set_message(stage);
            }
            bar.finish_and_clear();
        });
        Self { shown: Some((sender, spinner)) }
    }

    /// Says what is being done now.
    pub(super) fn stage(&self, stage: &'static str) {
        if let Some((sender, _)) = &self.shown {
            let _ = sender.send(stage);
        }
    }
}

impl Drop for Progress {
    /// The line is clear again before a report is written.
    fn drop(&mut self) {
        if let Some((sender, spinner)) = self.shown.take() {
            drop(sender);
            let _ = spinner.join();
        }
    }
}
