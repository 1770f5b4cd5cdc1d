//! What the live watch costs: the program that is watched, and the one that watches.
//!
//! A child process locks and unlocks while it records, watched and not watched in turn; and one with idle threads does
//! nothing for a while. Prints a table; `cargo bench --bench watch` at the root of the workspace.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::exit,
    reason = "a program made to measure prints, and fails where it stands"
)]

use detector::watch::{EVERY, Look, Watch};
use instrumented_sync::{Condvar, Mutex, thread};
use std::{
    env,
    hint::black_box,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// Pairs of lock and unlock in one run: about half a second.
const PAIRS: u32 = 10_000_000;
const ROUNDS: usize = 9;
/// How long the idle program is watched.
const IDLE: Duration = Duration::from_secs(10);
const IDLE_THREADS: usize = 50;

fn main() {
    match env::var("WATCH_BENCH").as_deref() {
        Ok("locks") => locks(),
        Ok("idle") => idle(),
        _ => measure(),
    }
}

/// Prints the nanoseconds that a pair takes; the events are kept on disk.
fn locks() {
    let mutex = Mutex::new(0_u64);
    let begin = Instant::now();
    for _ in 0..PAIRS {
        *black_box(&mutex).lock().unwrap() += 1;
    }
    println!("{}", begin.elapsed().as_secs_f64() * 1e9 / f64::from(PAIRS));
}

/// Threads that wait for work until this process is ended.
fn idle() {
    static WORK: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());
    for _ in 0..IDLE_THREADS {
        thread::spawn(|| drop(WORK.1.wait_while(WORK.0.lock().unwrap(), |work| !*work)));
    }
    std::thread::sleep(IDLE + Duration::from_secs(5));
}

fn measure() {
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(run_locks(false));
        watched.push(run_locks(true));
    }
    let (alone, watched) = (median(alone), median(watched));
    println!("| what | not watched | watched |");
    println!("|---|---|---|");
    println!("| lock and unlock, recorded | {alone:.1} ns | {:.2}x ({watched:.1} ns) |", watched / alone);
    println!("| watching {IDLE_THREADS} idle threads | - | {:.2}% of a core |", 100.0 * watch_idle());
}

fn child(part: &str, trace: &Path) -> Child {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env("WATCH_BENCH", part).env("DEADLOCK_CHECK_TRACE", trace).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn run_locks(is_watched: bool) -> f64 {
    let trace = tempfile::tempdir().unwrap();
    let mut child = child("locks", trace.path());
    let mut watch = Watch::new(trace.path(), Path::new("."));
    while child.try_wait().unwrap().is_none() {
        if is_watched {
            assert!(matches!(watch.look(), Look::Quiet), "nothing hangs");
        }
        std::thread::sleep(EVERY);
    }
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    text.trim().parse().unwrap()
}

/// The part of a core that watching idle threads takes.
fn watch_idle() -> f64 {
    let trace = tempfile::tempdir().unwrap();
    let mut child = child("idle", trace.path());
    let mut watch = Watch::new(trace.path(), Path::new("."));
    // Until the threads are there.
    std::thread::sleep(Duration::from_secs(1));
    let (begin, used) = (Instant::now(), cpu_time());
    while begin.elapsed() < IDLE {
        assert!(matches!(watch.look(), Look::Quiet), "nothing hangs");
        std::thread::sleep(EVERY);
    }
    let part = cpu_time().saturating_sub(used).as_secs_f64() / begin.elapsed().as_secs_f64();
    child.kill().unwrap();
    child.wait().unwrap();
    part
}

/// Processor time of this process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
