//! Child processes.

use super::process;
use process::{
    Child, ChildStderr, ChildStdin, ChildStdout, Command, CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output,
    Stdio, Termination,
};
#[cfg(since_1_87)]
use std::io::{PipeReader, PipeWriter};
use std::{
    ffi::OsStr,
    fmt::{Debug, Display},
    fs::File,
    io::{Error, Read, Result, Stderr, Stdout, Write},
    os::{
        fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
};

surface! {
    {fn process::abort() -> !}
    {fn process::exit(code: i32) -> !}
    {fn process::id() -> u32}
    {process::Child: field stderr: Option<ChildStderr>}
    {process::Child: field stdin: Option<ChildStdin>}
    {process::Child: field stdout: Option<ChildStdout>}
    {process::Child: impl [] Child: fn id(&self) -> u32}
    {process::Child: impl [] Child: fn kill(&mut self) -> Result<()>}
    {process::Child: impl [] Child: fn try_wait(&mut self) -> Result<Option<ExitStatus>>}
    {process::Child: impl [] Child: fn wait(&mut self) -> Result<ExitStatus>}
    {process::Child: impl [] Child: fn wait_with_output(self) -> Result<Output>}
    {process::Child: impl [] Debug => Child}
    {process::ChildStderr: impl [] AsFd => ChildStderr}
    {process::ChildStderr: impl [] AsRawFd => ChildStderr}
    {process::ChildStderr: impl [] Debug => ChildStderr}
    {process::ChildStderr: impl [] From<OwnedFd> => ChildStderr}
    {process::ChildStderr: impl [] IntoRawFd => ChildStderr}
    {process::ChildStderr: impl [] Read => ChildStderr}
    {process::ChildStdin: impl [] AsFd => ChildStdin}
    {process::ChildStdin: impl [] AsRawFd => ChildStdin}
    {process::ChildStdin: impl [] Debug => ChildStdin}
    {process::ChildStdin: impl [] From<OwnedFd> => ChildStdin}
    {process::ChildStdin: impl [] IntoRawFd => ChildStdin}
    {process::ChildStdin: impl [] Write => ChildStdin}
    {process::ChildStdout: impl [] AsFd => ChildStdout}
    {process::ChildStdout: impl [] AsRawFd => ChildStdout}
    {process::ChildStdout: impl [] Debug => ChildStdout}
    {process::ChildStdout: impl [] From<OwnedFd> => ChildStdout}
    {process::ChildStdout: impl [] IntoRawFd => ChildStdout}
    {process::ChildStdout: impl [] Read => ChildStdout}
    {process::Command: impl [] Command: fn arg0<S>(&mut self, arg: S) -> &mut Command where {S: AsRef<OsStr>}}
    {process::Command: impl [] Command: fn arg [S: AsRef<OsStr>,] (&mut self, arg: S) -> &mut Command}
    {process::Command: impl [] Command: fn args<I, S>(&mut self, args: I) -> &mut Command where {I: IntoIterator<Item = S>, S: AsRef<OsStr>}}
    {process::Command: impl [] Command: fn current_dir [P: AsRef<Path>,] (&mut self, dir: P) -> &mut Command}
    {process::Command: impl [] Command: fn env<K, V>(&mut self, key: K, val: V) -> &mut Command where {K: AsRef<OsStr>, V: AsRef<OsStr>}}
    {process::Command: impl [] Command: fn env_clear(&mut self) -> &mut Command}
    {process::Command: impl [] Command: fn env_remove [K: AsRef<OsStr>,] (&mut self, key: K) -> &mut Command}
    {process::Command: impl [] Command: fn envs<I, K, V>(&mut self, vars: I) -> &mut Command where {I: IntoIterator<Item = (K, V)>, K: AsRef<OsStr>, V: AsRef<OsStr>}}
    {process::Command: impl [] Command: fn exec(&mut self) -> Error}
    {process::Command: impl [] Command: fn get_args(&self) -> CommandArgs<'_>}
    {process::Command: impl [] Command: fn get_current_dir(&self) -> Option<&Path>}
    {process::Command: impl [] Command: fn get_envs(&self) -> CommandEnvs<'_>}
    {process::Command: impl [] Command: fn get_program(&self) -> &OsStr}
    {process::Command: impl [] Command: fn gid(&mut self, id: u32) -> &mut Command}
    {process::Command: impl [] Command: fn new [S: AsRef<OsStr>,] (program: S) -> Command}
    {process::Command: impl [] Command: fn output(&mut self) -> Result<Output>}
    {process::Command: impl [] Command: fn process_group(&mut self, pgroup: i32) -> &mut Command}
    {process::Command: impl [] Command: fn spawn(&mut self) -> Result<Child>}
    {process::Command: impl [] Command: fn status(&mut self) -> Result<ExitStatus>}
    {process::Command: impl [] Command: fn stderr [T: Into<Stdio>,] (&mut self, cfg: T) -> &mut Command}
    {process::Command: impl [] Command: fn stdin [T: Into<Stdio>,] (&mut self, cfg: T) -> &mut Command}
    {process::Command: impl [] Command: fn stdout [T: Into<Stdio>,] (&mut self, cfg: T) -> &mut Command}
    {process::Command: impl [] Command: fn uid(&mut self, id: u32) -> &mut Command}
    {process::Command: impl [] Command: unsafe fn before_exec<F>(&mut self, f: F) -> &mut Command where {F: FnMut() -> Result<()> + Send + Sync + 'static}}
    {process::Command: impl [] Command: unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command where {F: FnMut() -> Result<()> + Send + Sync + 'static}}
    {process::Command: impl [] Debug => Command}
    {process::CommandArgs: impl ['a,] Debug => CommandArgs<'a>}
    {process::CommandArgs: impl ['a,] ExactSizeIterator => CommandArgs<'a>}
    {process::CommandArgs: impl ['a,] Iterator => CommandArgs<'a>}
    {process::CommandEnvs: impl ['a,] Debug => CommandEnvs<'a>}
    {process::CommandEnvs: impl ['a,] ExactSizeIterator => CommandEnvs<'a>}
    {process::CommandEnvs: impl ['a,] Iterator => CommandEnvs<'a>}
    {process::ExitCode: impl [] Clone => ExitCode}
    {process::ExitCode: impl [] Copy => ExitCode}
    {process::ExitCode: impl [] Debug => ExitCode}
    {process::ExitCode: impl [] Default => ExitCode}
    {process::ExitCode: impl [] ExitCode: const FAILURE: ExitCode}
    {process::ExitCode: impl [] ExitCode: const SUCCESS: ExitCode}
    {process::ExitCode: impl [] From<u8> => ExitCode}
    {process::ExitCode: impl [] PartialEq => ExitCode}
    {process::ExitCode: impl [] Termination => ExitCode}
    {process::ExitStatus: impl [] Clone => ExitStatus}
    {process::ExitStatus: impl [] Copy => ExitStatus}
    {process::ExitStatus: impl [] Debug => ExitStatus}
    {process::ExitStatus: impl [] Default => ExitStatus}
    {process::ExitStatus: impl [] Display => ExitStatus}
    {process::ExitStatus: impl [] Eq => ExitStatus}
    {process::ExitStatus: impl [] ExitStatus: fn code(&self) -> Option<i32>}
    {process::ExitStatus: impl [] ExitStatus: fn success(&self) -> bool}
    {process::ExitStatus: impl [] ExitStatusExt => ExitStatus}
    {process::ExitStatus: impl [] PartialEq => ExitStatus}
    {process::Output: field status: ExitStatus}
    {process::Output: field stderr: Vec<u8>}
    {process::Output: field stdout: Vec<u8>}
    {process::Output: impl [] Clone => Output}
    {process::Output: impl [] Debug => Output}
    {process::Output: impl [] Eq => Output}
    {process::Output: impl [] PartialEq => Output}
    {process::Stdio: impl [] Debug => Stdio}
    {process::Stdio: impl [] From<ChildStderr> => Stdio}
    {process::Stdio: impl [] From<ChildStdin> => Stdio}
    {process::Stdio: impl [] From<ChildStdout> => Stdio}
    {process::Stdio: impl [] From<File> => Stdio}
    {process::Stdio: impl [] From<OwnedFd> => Stdio}
    #[cfg(since_1_87)]
    {process::Stdio: impl [] From<PipeReader> => Stdio}
    #[cfg(since_1_87)]
    {process::Stdio: impl [] From<PipeWriter> => Stdio}
    {process::Stdio: impl [] From<Stderr> => Stdio}
    {process::Stdio: impl [] From<Stdout> => Stdio}
    {process::Stdio: impl [] FromRawFd => Stdio}
    {process::Stdio: impl [] Stdio: fn inherit() -> Stdio}
    {process::Stdio: impl [] Stdio: fn null() -> Stdio}
    {process::Stdio: impl [] Stdio: fn piped() -> Stdio}
    {struct process::Child}
    {struct process::ChildStderr}
    {struct process::ChildStdin}
    {struct process::ChildStdout}
    {struct process::Command}
    {struct process::CommandArgs}
    {struct process::CommandEnvs}
    {struct process::ExitCode}
    {struct process::ExitStatus}
    {struct process::Output}
    {struct process::Stdio}
    {trait process::Termination}
}
