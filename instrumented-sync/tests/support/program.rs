//! Another program, which is this test binary with a part to play.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use trace_format::TRACE_VARIABLE;

/// Names the part that the test `child` plays.
pub(crate) const ROLE: &str = "INSTRUMENTED_SYNC_TEST_ROLE";

/// After this long a program hangs. Nothing here takes a tenth of it.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Plays the part that the environment names, if it does, and ends the process.
pub(crate) fn play(roles: &[(&str, fn())]) {
    let Ok(role) = env::var(ROLE) else { return };
    let (_, play) = roles.iter().find(|(name, _)| *name == role).unwrap_or_else(|| panic!("no role {role}"));
    play();
    std::process::exit(0);
}

/// The command that plays `role`, recorded into `dir`.
pub(crate) fn command(role: &str, dir: &Path) -> Command {
    command_of(&env::current_exe().unwrap(), role, dir)
}

/// As [`command`], for a copy of this test binary.
pub(crate) fn command_of(exe: &Path, role: &str, dir: &Path) -> Command {
    let mut command = Command::new(exe);
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(TRACE_VARIABLE, dir);
    command
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) {
    let status = start(command).end();
    assert!(status.success(), "{status}");
}

/// The directory that this process records into.
pub(crate) fn own_trace() -> PathBuf {
    env::var_os(TRACE_VARIABLE).expect("plays a recorded part").into()
}

/// Tells the program that started this one how far it is.
pub(crate) fn tell(word: &str) {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "\n@{word}").unwrap();
    stdout.flush().unwrap();
}

/// Waits until the program that started this one says that it may go on.
pub(crate) fn wait_for_go() {
    std::io::stdin().read_exact(&mut [0]).unwrap();
}

/// A program that runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

/// Starts a program.
pub(crate) fn start(command: &mut Command) -> Running {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
    Running { child, stdin, stdout }
}

impl Running {
    /// Waits until the program tells something; it returns false if it ended without.
    pub(crate) fn heard(&mut self, word: &str) -> bool {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if line.trim_end().strip_prefix('@') == Some(word) {
                return true;
            }
            line.clear();
        }
        false
    }

    pub(crate) fn go(&mut self) {
        self.stdin.as_mut().unwrap().write_all(b"!").unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the program's end.
    pub(crate) fn end(mut self) -> ExitStatus {
        let mut stdout = self.stdout;
        let reading = thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        });
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let text = reading.join().unwrap();
                if !status.success() {
                    println!("{text}");
                }
                return status;
            }
            if start.elapsed() > LIMIT {
                self.child.kill().unwrap();
                panic!("the program hangs; it said: {}", reading.join().unwrap());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}
