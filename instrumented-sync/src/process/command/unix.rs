//! What `std::os::unix::process::CommandExt` gives a command. The trait is sealed, so these are functions of the type:
//! a program's import of the trait stays valid, and is merely not used.

use super::{super::record, Command};
use std::{ffi::OsStr, io, os::unix::process::CommandExt, panic::Location};

impl Command {
    /// As [`uid`](CommandExt::uid) of std's extension.
    pub fn uid(&mut self, id: u32) -> &mut Self {
        self.native.uid(id);
        self
    }

    /// As [`gid`](CommandExt::gid) of std's extension.
    pub fn gid(&mut self, id: u32) -> &mut Self {
        self.native.gid(id);
        self
    }

    /// As [`pre_exec`](CommandExt::pre_exec) of std's extension. What the closure does is recorded as that of a process
    /// forked from this one.
    ///
    /// # Safety
    ///
    /// As std's: the closure runs between fork and exec, in a process in which the other threads of this one do not exist.
    pub unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller promises what std asks for.
        unsafe { self.native.pre_exec(f) };
        self
    }

    /// As [`before_exec`](CommandExt::before_exec) of std's extension.
    ///
    /// ```
    /// # #![allow(deprecated)]
    /// use instrumented_sync::process::Command;
    ///
    /// let mut command = Command::new("true");
    /// // SAFETY: the closure does nothing.
    /// unsafe { command.before_exec(|| Ok(())) };
    /// assert!(command.status()?.success());
    /// # Ok::<_, std::io::Error>(())
    /// ```
    ///
    /// # Safety
    ///
    /// That of [`pre_exec`](Self::pre_exec).
    #[deprecated = "std's is: use `pre_exec`"]
    pub unsafe fn before_exec<F>(&mut self, f: F) -> &mut Self
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller promises what `pre_exec` asks for.
        unsafe { self.pre_exec(f) }
    }

    /// As [`exec`](CommandExt::exec) of std's extension. What takes the place of this program records for itself.
    ///
    /// ```
    /// use instrumented_sync::process::Command;
    ///
    /// // It returns only if it fails.
    /// let error = Command::new("/there/is/no/such/program").exec();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    #[track_caller]
    pub fn exec(&mut self) -> io::Error {
        record::executes(Location::caller());
        let Self { native, environment, .. } = self;
        environment.handing_on(native, CommandExt::exec)
    }

    /// As [`arg0`](CommandExt::arg0) of std's extension.
    pub fn arg0<S>(&mut self, arg: S) -> &mut Self
    where
        S: AsRef<OsStr>,
    {
        self.native.arg0(arg);
        self
    }

    /// As [`process_group`](CommandExt::process_group) of std's extension.
    pub fn process_group(&mut self, pgroup: i32) -> &mut Self {
        self.native.process_group(pgroup);
        self
    }
}
