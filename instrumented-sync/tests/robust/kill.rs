//! `kill -9` at any instruction: what a thread was done with is in the trace, and nothing else is.

use crate::support::{
    Thread, Trace, process_files,
    program::{command, own_trace, start, tell},
    rules,
};
use instrumented_sync::{Mutex, label, thread};
use std::{
    fs::{File, OpenOptions},
    path::Path,
    sync::atomic::Ordering::{Relaxed, Release},
    time::Duration,
};
use trace_format::{Kind, segment::Segment};

const N_RUNS: u32 = 200;
const N_THREADS: usize = 2;
const COUNTS_BYTES: usize = 4096;

static SHARED: Mutex<u64> = Mutex::new(0);

/// Where the program counts what it is done with: beside the trace, in memory that outlives it too.
fn counts_file(trace: &Path) -> std::path::PathBuf {
    trace.with_file_name("counts")
}

/// Threads that lock and unlock, a shared lock and one of their own in turn, and count each round.
pub(crate) fn numbered() {
    let file = OpenOptions::new().read(true).write(true).open(counts_file(&own_trace())).unwrap();
    let counts = Segment::create(&file, 0, COUNTS_BYTES, COUNTS_BYTES).unwrap().leak();
    label(&SHARED, "shared");
    for (n, count) in counts.iter().enumerate().take(N_THREADS) {
        let name = format!("worker {n}");
        let work = move || {
            let own = Mutex::new(0_u64);
            label(&own, &format!("own {n}"));
            for round in 1.. {
                *own.lock().unwrap() += 1;
                *SHARED.lock().unwrap() += 1;
                // Release: the count is not stored before the events, by the compiler either.
                count.store(round, Release);
            }
        };
        thread::Builder::new().name(name).spawn(work).unwrap();
    }
    while counts.iter().take(N_THREADS).any(|count| count.load(Relaxed) == 0) {
        thread::yield_now();
    }
    tell("under way");
    loop {
        thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn what_was_published_before_a_kill_is_read_back() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let (mut n_events, mut n_rounds, mut n_without) = (0, 0, 0);
    for run in 0..N_RUNS {
        let dir = tempfile::tempdir().unwrap();
        let trace = dir.path().join("trace");
        File::create(counts_file(&trace)).unwrap().set_len(COUNTS_BYTES as u64).unwrap();
        let mut program = start(&mut command("kill::numbered", &trace));
        // Every other run is killed while it starts.
        if run % 2 == 0 {
            assert!(program.heard("under way"));
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(1000 + random % 19_000));
        program.kill();
        let counts = std::fs::read(counts_file(&trace)).unwrap();
        let read = process_files(&trace).first().and_then(|path| Trace::read(path));
        let Some(read) = read else {
            assert!(run % 2 == 1 && counts.iter().all(|byte| *byte == 0));
            n_without += 1;
            continue;
        };
        // Without events there may be nothing yet that describes the program either.
        if !read.threads.is_empty() {
            rules::check(&read, rules::Ending::Killed);
        }
        n_events += read.threads.iter().map(|thread| thread.events.len()).sum::<usize>();
        n_rounds +=
            (0..N_THREADS).map(|n| check_rounds(&read, n, trace_format::words::word_at(&counts, n))).sum::<u64>();
    }
    println!(
        "{N_RUNS} runs killed, {n_without} before their file was made: {n_events} events, {n_rounds} rounds read back"
    );
    assert!(n_rounds > 0);
}

/// All rounds that the worker counted are there, at most one more, and nothing else is on its own lock. Returns
/// how many it counted.
fn check_rounds(trace: &Trace, n: usize, n_counted: u64) -> u64 {
    let Some((object, _, _)) = trace.names.iter().find(|(_, _, name)| *name == format!("worker {n}")) else {
        assert_eq!(n_counted, 0);
        return 0;
    };
    let Some(worker) = trace.threads.iter().find(|thread| thread.object == *object) else {
        assert_eq!(n_counted, 0);
        return 0;
    };
    if n_counted > 0 {
        let own = pairs(worker, trace.labelled(&format!("own {n}")));
        assert_eq!(own.iter().copied().max(), Some(own.len() as u64));
        assert!((n_counted..=n_counted + 1).contains(&(own.len() as u64)), "{n_counted} rounds, {} locks", own.len());
        let shared = pairs(worker, trace.labelled("shared"));
        let n_shared = shared.len() as u64;
        assert!((n_counted..=own.len() as u64).contains(&n_shared), "{n_counted} rounds, {n_shared} locks");
        assert!(shared.windows(2).all(|pair| pair[0] < pair[1]), "a thread sees the shared lock's numbers rise");
    }
    n_counted
}

/// Numbers of the acquires of `object`; ACQUIRE and RELEASE alternate.
fn pairs(thread: &Thread, object: u64) -> Vec<u64> {
    let events = thread.on(object, &[Kind::ACQUIRE, Kind::RELEASE]);
    for pair in events.chunks(2) {
        assert_eq!(pair[0].kind(), Kind::ACQUIRE);
        assert!(pair.get(1).is_none_or(|release| release.kind() == Kind::RELEASE && release.seq() == pair[0].seq()));
    }
    events.iter().filter(|event| event.kind() == Kind::ACQUIRE).map(|event| event.seq()).collect()
}
