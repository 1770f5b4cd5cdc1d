//! `Child`.

use super::{ChildStderr, ChildStdin, ChildStdout, ExitStatus, Output, record, record::Awaited};
use crate::{
    native::process,
    probe::{Identity, Site},
    trace::{Labelled, sealed},
};
use std::{fmt, io, panic::Location};

/// Drop-in for [`std::process::Child`].
///
/// Whoever waits for a child is shown to wait for whatever the child waits for. As with std's, dropping it neither waits
/// nor ends the child.
///
/// ```
/// use instrumented_sync::{label, process::{Command, Stdio}};
/// use std::io::Write;
///
/// let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// label(&child, "echo");
/// child.stdin.take().unwrap().write_all(b"text")?;
/// assert_eq!(child.wait_with_output()?.stdout, b"text");
/// # Ok::<_, std::io::Error>(())
/// ```
pub struct Child {
    /// The writing end of the child's standard input, if it is a pipe.
    pub stdin: Option<ChildStdin>,
    /// The reading end of the child's standard output, if it is a pipe.
    pub stdout: Option<ChildStdout>,
    /// The reading end of the child's standard error, if it is a pipe.
    pub stderr: Option<ChildStderr>,
    native: process::Child,
    identity: Identity,
    /// Its end is known: nothing of what is asked further is recorded.
    has_ended: bool,
}

impl Child {
    pub(super) fn new(mut native: process::Child, identity: Identity) -> Self {
        let (stdin, stdout, stderr) = (native.stdin.take(), native.stdout.take(), native.stderr.take());
        Self { stdin, stdout, stderr, native, identity, has_ended: false }
    }

    /// As [`std::process::Child::kill`].
    ///
    /// # Errors
    ///
    /// As std's.
    #[track_caller]
    pub fn kill(&mut self) -> io::Result<()> {
        if !self.has_ended {
            record::kills(&self.identity, &self.native, Location::caller());
        }
        self.native.kill()
    }

    /// As [`std::process::Child::id`].
    #[must_use]
    pub fn id(&self) -> u32 {
        self.native.id()
    }

    /// As [`std::process::Child::wait`].
    ///
    /// # Errors
    ///
    /// As std's: somebody else has waited for the child, say.
    #[track_caller]
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.wait_at(Location::caller())
    }

    /// As [`std::process::Child::try_wait`].
    ///
    /// # Errors
    ///
    /// As std's.
    #[track_caller]
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.has_ended {
            return self.native.try_wait();
        }
        let status = record::asking(&self.identity, &mut self.native, Location::caller())?;
        self.has_ended = status.is_some();
        Ok(status)
    }

    /// As [`std::process::Child::wait_with_output`].
    ///
    /// # Errors
    ///
    /// As std's.
    #[track_caller]
    pub fn wait_with_output(self) -> io::Result<Output> {
        self.output_at(Location::caller())
    }

    pub(super) fn wait_at(&mut self, site: Site) -> io::Result<ExitStatus> {
        // As std does, and before the child is asked whether it still runs.
        drop(self.stdin.take());
        let Self { native, identity, has_ended, .. } = self;
        let awaited = if *has_ended { None } else { Awaited::begin(identity, native, site) };
        // If it fails nothing is known: the child may be another process's, since this one was forked.
        let status = native.wait()?;
        *has_ended = true;
        if let Some(awaited) = awaited {
            awaited.end(status);
        }
        Ok(status)
    }

    pub(super) fn output_at(self, site: Site) -> io::Result<Output> {
        let Self { stdin, stdout, stderr, mut native, identity, has_ended } = self;
        drop(stdin);
        let awaited = if has_ended { None } else { Awaited::begin(&identity, &mut native, site) };
        (native.stdout, native.stderr) = (stdout, stderr);
        let output = native.wait_with_output()?;
        if let Some(awaited) = awaited {
            awaited.end(output.status);
        }
        Ok(output)
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

impl sealed::Sealed for Child {}

impl Labelled for Child {
    fn label(&self, text: &str) {
        record::label(&self.identity, &self.native, self.has_ended, text);
    }
}
