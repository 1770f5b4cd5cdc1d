//! Child processes.

use super::{process, thread};
use crate::until;
use process::{Child, Command, ExitCode, ExitStatus, Output, Stdio, Termination};
use std::{
    ffi::OsStr,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    os::unix::process::ExitStatusExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

#[allow(unused_imports, reason = "of the one root the functions are its own")]
use std::os::unix::process::CommandExt;

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

fn text(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap().trim_end()
}

/// A child that runs until its input ends.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn statuses_come_back() {
    assert!(Command::new("true").status().unwrap().success());
    assert_eq!(shell("exit 7").status().unwrap().code(), Some(7));
    assert_eq!(shell("exit 8").output().unwrap().status.code(), Some(8));
    assert_eq!(shell("exit 9").spawn().unwrap().wait().unwrap(), ExitStatus::from_raw(9 << 8));
    let killed = shell("kill -TERM $$").status().unwrap();
    assert_eq!((killed.code(), killed.signal()), (None, Some(15)));
}

#[test]
fn a_status_stays() {
    let mut child = shell("exit 3").spawn().unwrap();
    let status = child.wait().unwrap();
    assert_eq!(child.wait().unwrap(), status);
    assert_eq!(child.try_wait().unwrap(), Some(status));
    child.kill().unwrap();
    assert_eq!(child.wait_with_output().unwrap().status, status);
    let mut asked = shell("exit 4").spawn().unwrap();
    until(|| asked.try_wait().unwrap().is_some());
    assert_eq!(asked.wait().unwrap().code(), Some(4));
}

#[test]
fn a_running_child_has_no_status_and_can_be_killed() {
    let mut child = cat();
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(child.stdin.is_none() && child.stdout.is_some(), "a wait closes the input");
}

#[test]
fn a_wait_closes_the_input_first() {
    let mut child = cat();
    child.stdin.as_mut().unwrap().write_all(b"spoken").unwrap();
    assert!(child.wait().unwrap().success(), "cat ends when its input does");
    let mut heard = String::new();
    child.stdout.take().unwrap().read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "spoken");
    let mut other = cat();
    other.stdin.as_mut().unwrap().write_all(b"again").unwrap();
    assert_eq!(text(&other.wait_with_output().unwrap()), "again");
}

#[test]
fn both_outputs_are_read_at_once() {
    let script = "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero";
    let output = shell(script).output().unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (600_000, 300_000));
    let mut command = shell(script);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout.len(), 600_000);
}

#[test]
fn what_is_not_set_leads_where_it_does_in_std() {
    let mut command = shell("readlink /proc/self/fd/0; echo spoken >&2");
    let output = command.output().unwrap();
    assert_eq!((text(&output), output.stderr.as_slice()), ("/dev/null", &b"spoken\n"[..]));
    // The same command again, as a child whose output is this one's.
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let own = std::fs::read_link("/proc/self/fd/0").unwrap();
    assert_eq!(Path::new(text(&command.spawn().unwrap().wait_with_output().unwrap())), own);
    let output = command.output().unwrap();
    assert_eq!((text(&output), output.stderr.len()), ("/dev/null", 0));
    let mut child = Command::new("true").spawn().unwrap();
    assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
    assert!(child.wait().unwrap().success());
    let mut silent = shell("echo lost");
    assert_eq!(text(&silent.stdout(Stdio::null()).output().unwrap()), "");
}

#[test]
fn a_command_is_started_again_and_again() {
    let mut command = shell("echo $0 $ROUND");
    for round in 0..3 {
        command.env("ROUND", round.to_string()).arg(round.to_string());
        assert_eq!(text(&command.output().unwrap()), format!("0 {round}"));
        assert!(command.stdout(Stdio::piped()).status().unwrap().success());
    }
    assert_eq!(command.get_args().count(), 5);
}

#[test]
fn environments() {
    let variables = |command: &mut Command| {
        let output = command.output().unwrap();
        let lines = text(&output).lines().filter(|line| !line.starts_with("DEADLOCK_CHECK_"));
        let mut lines: Vec<_> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let path = std::env::var_os("PATH").unwrap();
    let mut command = Command::new("env");
    command.env_clear().env("PATH", &path).env("ONE", "1").envs([("TWO", "2"), ("THREE", "3")]).env_remove("TWO");
    assert_eq!(
        variables(&mut command),
        ["ONE=1", "PATH", "THREE=3"].map(|line| line.replace("PATH", &format!("PATH={}", path.display())))
    );
    let set: Vec<_> = command.get_envs().map(|(name, value)| (name.to_owned(), value.is_some())).collect();
    assert_eq!(set, ["ONE", "PATH", "THREE"].map(|name| (name.into(), true)));
    let mut inherits = Command::new("env");
    inherits.env("ONE", "1").env_remove("PATH");
    assert_eq!(
        inherits.get_envs().collect::<Vec<_>>(),
        [(OsStr::new("ONE"), Some(OsStr::new("1"))), (OsStr::new("PATH"), None)]
    );
    let seen = variables(&mut inherits);
    assert!(seen.contains(&"ONE=1".to_owned()) && !seen.iter().any(|line| line.starts_with("PATH=")));
    inherits.env_clear();
    assert_eq!((inherits.get_envs().len(), variables(&mut inherits).len()), (0, 0));
}

#[test]
fn what_a_command_says_of_itself() {
    let mut command = Command::new("printf");
    command.arg("%s").args(["a", "b"]).current_dir("/").env("ONE", "1");
    assert_eq!((command.get_program(), command.get_current_dir()), (OsStr::new("printf"), Some(Path::new("/"))));
    assert!(command.get_args().eq(["%s", "a", "b"]));
    assert_eq!(format!("{command:?}"), r#"cd "/" && ONE="1" "printf" "%s" "a" "b""#);
    assert!(format!("{command:#?}").starts_with("Command {\n    program: \"printf\",\n"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    assert!(child.id() > 1 && child.id() != process::id());
    let shown = format!("{child:?}");
    assert!(shown.starts_with("Child { stdin: None, stdout: Some(ChildStdout { .. }), stderr: None"), "{shown}");
    assert!(child.wait().unwrap().success());
    assert_eq!(text(&shell("pwd").current_dir("/").output().unwrap()), "/");
}

#[test]
fn what_cannot_be_started_is_an_error() {
    let mut missing = Command::new("/there/is/no/such/program");
    assert_eq!(missing.spawn().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(missing.status().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(missing.output().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(missing.exec().kind(), ErrorKind::NotFound);
    assert_eq!(Command::new("/").spawn().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(Command::new("true").arg("nul\0").spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(Command::new("true").current_dir("/no/such/folder").spawn().unwrap_err().kind(), ErrorKind::NotFound);
    assert!(missing.env_clear().spawn().is_err() && missing.get_envs().len() == 0);
}

#[test]
fn what_unix_adds() {
    assert_eq!(text(&shell("echo $0").arg0("named").output().unwrap()), "named");
    let (uid, gid) = std::fs::metadata("/proc/self")
        .map(|own| {
            use std::os::unix::fs::MetadataExt;
            (own.uid(), own.gid())
        })
        .unwrap();
    assert_eq!(text(&shell("id -u; id -g").uid(uid).gid(gid).output().unwrap()), format!("{uid}\n{gid}"));
    let mut child = cat();
    let group = i32::try_from(child.id()).unwrap();
    drop(child.stdin.take());
    let mut leader = Command::new("cat").stdin(Stdio::piped()).process_group(0).spawn().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", leader.id())).unwrap();
    assert_eq!(stat.split(' ').nth(4).unwrap(), leader.id().to_string(), "the leader of its group");
    assert!(leader.wait().unwrap().success() && child.wait().unwrap().success() && group > 1);
}

#[test]
fn closures_run_before_exec() {
    let mut command = shell("pwd");
    // SAFETY: the closures make a system call and return.
    unsafe { command.pre_exec(|| std::env::set_current_dir("/")).pre_exec(|| Ok(())) };
    assert_eq!(text(&command.output().unwrap()), "/");
    assert_eq!(text(&command.output().unwrap()), "/");
    // SAFETY: the closure returns.
    unsafe { command.pre_exec(|| Err(io::Error::from_raw_os_error(5))) };
    assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(5));
}

#[test]
fn children_are_connected() {
    let mut first = Command::new("echo").arg("through both").stdout(Stdio::piped()).spawn().unwrap();
    let between = first.stdout.take().unwrap();
    let second = Command::new("cat").stdin(between).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(text(&second.wait_with_output().unwrap()), "through both");
    assert!(first.wait().unwrap().success());
    let from_file = Command::new("cat").stdin(File::open("/dev/null").unwrap()).output().unwrap();
    assert_eq!(from_file.stdout, b"");
}

#[test]
fn fields_are_taken_out() {
    let Child { stdin, stdout, stderr, .. } = cat();
    let (mut stdin, mut heard) = (stdin.unwrap(), String::new());
    assert!(stderr.is_none());
    stdin.write_all(b"outlives its handle").unwrap();
    drop(stdin);
    stdout.unwrap().read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "outlives its handle");
}

#[test]
fn children_are_waited_for_anywhere() {
    let mut child = cat();
    let stdin = child.stdin.take();
    let waits = thread::spawn(move || child.wait().unwrap());
    drop(stdin);
    assert!(waits.join().unwrap().success());
}

/// Waits when it is dropped.
struct Reaped<'a>(Child, &'a mut Option<i32>);

impl Drop for Reaped<'_> {
    fn drop(&mut self) {
        *self.1 = self.0.wait().unwrap().code();
    }
}

#[test]
fn destructors_wait_also_while_panicking() {
    let (mut calm, mut unwinding) = (None, None);
    drop(Reaped(shell("exit 5").spawn().unwrap(), &mut calm));
    let panics = || {
        let _reaped = Reaped(shell("exit 6").spawn().unwrap(), &mut unwinding);
        panic!("with a child");
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!((calm, unwinding), (Some(5), Some(6)));
}

#[test]
fn exit_codes() {
    fn reported(with: impl Termination) -> ExitCode {
        with.report()
    }
    assert_eq!(format!("{:?}", reported(())), format!("{:?}", ExitCode::SUCCESS));
    assert_eq!(format!("{:?}", ExitCode::from(3)), format!("{:?}", reported(ExitCode::from(3))));
    assert_eq!(ExitStatus::default().code(), Some(0));
}
