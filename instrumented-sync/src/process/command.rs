//! `Command`.

mod unix;

use super::{Child, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio, environment::Environment, record};
use crate::{
    native::process,
    probe::{Identity, Site},
};
use std::{ffi::OsStr, fmt, io, panic::Location, path::Path};

/// Drop-in for [`std::process::Command`].
///
/// What std gives it by [`CommandExt`](std::os::unix::process::CommandExt), which cannot be implemented elsewhere, are
/// functions of its own.
///
/// A child stays in the trace after [`env_clear`](Self::env_clear): variables that begin with `DEADLOCK_CHECK_` are
/// handed on to it nevertheless, but for those that the program sets or removes by name. They are not among
/// [`get_envs`](Self::get_envs). To leave the trace takes `env_remove("DEADLOCK_CHECK_TRACE")`.
pub struct Command {
    native: process::Command,
    environment: Environment,
    /// Whether the program said where they lead.
    is_set: IsSet,
}

#[derive(Clone, Copy, Default)]
struct IsSet {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    /// As [`std::process::Command::new`].
    ///
    /// ```
    /// use instrumented_sync::process::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "echo spoken"]).output()?;
    /// assert!(output.status.success());
    /// assert_eq!(output.stdout, b"spoken\n");
    /// # Ok::<_, std::io::Error>(())
    /// ```
    pub fn new<S: AsRef<OsStr>>(program: S) -> Self {
        Self { native: process::Command::new(program), environment: Environment::new(), is_set: IsSet::default() }
    }

    /// As [`std::process::Command::arg`].
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Self {
        self.native.arg(arg);
        self
    }

    /// As [`std::process::Command::args`].
    pub fn args<I, S>(&mut self, args: I) -> &mut Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.native.args(args);
        self
    }

    /// As [`std::process::Command::env`].
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Self
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.environment.set(key.as_ref());
        self.native.env(key, val);
        self
    }

    /// As [`std::process::Command::envs`].
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Self
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        for (key, val) in vars {
            self.env(key, val);
        }
        self
    }

    /// As [`std::process::Command::env_remove`].
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Self {
        self.environment.remove(key.as_ref());
        self.native.env_remove(key);
        self
    }

    /// As [`std::process::Command::env_clear`], but a recorded child stays recorded: see [`Command`].
    pub fn env_clear(&mut self) -> &mut Self {
        self.environment.clear();
        self.native.env_clear();
        self
    }

    /// As [`std::process::Command::current_dir`].
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Self {
        self.native.current_dir(dir);
        self
    }

    /// As [`std::process::Command::stdin`].
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.native.stdin(cfg);
        self.is_set.stdin = true;
        self
    }

    /// As [`std::process::Command::stdout`].
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.native.stdout(cfg);
        self.is_set.stdout = true;
        self
    }

    /// As [`std::process::Command::stderr`].
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Self {
        self.native.stderr(cfg);
        self.is_set.stderr = true;
        self
    }

    /// As [`std::process::Command::spawn`].
    ///
    /// # Errors
    ///
    /// As std's: the program is not there, or cannot be started.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        self.start(Identity::new(), Location::caller())
    }

    /// As [`std::process::Command::output`].
    ///
    /// # Errors
    ///
    /// As std's.
    #[track_caller]
    pub fn output(&mut self) -> io::Result<Output> {
        let (identity, caller) = (Identity::new(), Location::caller());
        self.lead_the_rest(Stdio::null, Stdio::piped);
        let child = self.start(identity, caller);
        // What any start but this one does with them.
        self.lead_the_rest(Stdio::inherit, Stdio::inherit);
        child?.output_at(caller)
    }

    /// As [`std::process::Command::status`].
    ///
    /// # Errors
    ///
    /// As std's.
    #[track_caller]
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        let caller = Location::caller();
        self.start(Identity::new(), caller)?.wait_at(caller)
    }

    /// As [`std::process::Command::get_program`].
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.native.get_program()
    }

    /// As [`std::process::Command::get_args`].
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.native.get_args()
    }

    /// As [`std::process::Command::get_envs`].
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.native.get_envs()
    }

    /// As [`std::process::Command::get_current_dir`].
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.native.get_current_dir()
    }

    fn start(&mut self, identity: Identity, site: Site) -> io::Result<Child> {
        let Self { native, environment, .. } = self;
        let start = || environment.handing_on(native, process::Command::spawn);
        record::starting(&identity, site, start).map(|native| Child::new(native, identity))
    }

    /// Says of what the program left open where it leads.
    fn lead_the_rest(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        if !self.is_set.stdin {
            self.native.stdin(input());
        }
        if !self.is_set.stdout {
            self.native.stdout(output());
        }
        if !self.is_set.stderr {
            self.native.stderr(output());
        }
    }
}

/// For what takes std's own. What is started by that is not recorded, but for what the child records itself.
impl From<Command> for process::Command {
    fn from(command: Command) -> Self {
        command.native
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.native.fmt(f)
    }
}
