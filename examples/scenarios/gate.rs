//! How a thread of the program and the driver speak: over a Unix socket that the recorder knows nothing about.
//!
//! The thread says who it is, and before each operation which one is next; then it waits for a byte: go on with this
//! one, or go on without asking.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
};

/// Name of the driver's socket in the directory of a scenario.
pub(crate) const SOCKET: &str = "driver";
/// Perform the operation.
pub(crate) const STEP: u8 = b's';
/// Perform everything that is left.
pub(crate) const RUN: u8 = b'r';

/// The thread's side. Its closing tells the driver of the thread's end.
#[derive(Debug)]
pub(crate) struct Gate {
    /// `None` once the thread runs freely.
    driver: Option<UnixStream>,
}

impl Gate {
    /// Tells the driver that the calling thread is `name`.
    ///
    /// # Errors
    ///
    /// The driver is gone.
    pub(crate) fn connect(directory: &Path, name: &str) -> io::Result<Self> {
        // The process id and the thread id: `123/task/456`.
        let this = std::fs::read_link("/proc/thread-self")?;
        let mut driver = UnixStream::connect(directory.join(SOCKET))?;
        writeln!(driver, "{name} {}", this.display())?;
        Ok(Self { driver: Some(driver) })
    }

    /// Waits until operation `pc` may be performed. Never blocks again once the driver lets go, or is gone.
    pub(crate) fn arrive(&mut self, pc: usize) {
        let Some(driver) = &mut self.driver else { return };
        let mut answer = [RUN];
        let asked = writeln!(driver, "{pc}").and_then(|()| driver.read_exact(&mut answer));
        if asked.is_err() || answer == [RUN] {
            self.driver = None;
        }
    }
}
