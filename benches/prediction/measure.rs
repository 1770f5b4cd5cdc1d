//! What one child measures, and how it tells.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    time::Duration,
};

/// Figures of one run, in the order in which they are written. Times are processor time, in a process of one thread: what
/// passes until it is done is the same on a machine that does nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// To go over the bytes of the trace and do next to nothing.
    pub(crate) pass: Duration,
    /// To read the trace; of a recorded one, to merge it and build the model.
    pub(crate) read: Duration,
    /// To analyse what was read.
    pub(crate) analyse: Duration,
    /// What passed while it was read and analysed.
    pub(crate) elapsed: Duration,
    /// Highest memory that the process took.
    pub(crate) peak_kib: u64,
    pub(crate) n_events: u64,
    pub(crate) n_deadlocks: u64,
    pub(crate) n_refuted: u64,
}

impl Figures {
    pub(crate) fn write(&self) -> String {
        let nanos = |duration: Duration| duration.as_nanos() as u64;
        let Self { pass, read, analyse, elapsed, peak_kib, n_events, n_deadlocks, n_refuted } = *self;
        let numbers =
            [nanos(pass), nanos(read), nanos(analyse), nanos(elapsed), peak_kib, n_events, n_deadlocks, n_refuted];
        numbers.map(|number| number.to_string()).join(" ")
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let numbers: Option<Vec<u64>> = text.split_whitespace().map(|number| number.parse().ok()).collect();
        let [pass, read, analyse, elapsed, peak_kib, n_events, n_deadlocks, n_refuted] = numbers?[..] else {
            return None;
        };
        let [pass, read, analyse, elapsed] = [pass, read, analyse, elapsed].map(Duration::from_nanos);
        Some(Self { pass, read, analyse, elapsed, peak_kib, n_events, n_deadlocks, n_refuted })
    }

    /// Medians of times, the highest of memory; what was found is that of all.
    pub(crate) fn of_runs(runs: &[Self]) -> Self {
        let median = |time: fn(&Self) -> Duration| {
            let mut times: Vec<Duration> = runs.iter().map(time).collect();
            times.sort();
            times[times.len() / 2]
        };
        Self {
            pass: median(|run| run.pass),
            read: median(|run| run.read),
            analyse: median(|run| run.analyse),
            elapsed: median(|run| run.elapsed),
            peak_kib: runs.iter().map(|run| run.peak_kib).max().unwrap_or_default(),
            ..runs[0]
        }
    }
}

/// Processor time that something takes, and what comes of it.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let begin = processor_time();
    let result = work();
    (processor_time().saturating_sub(begin), result)
}

fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// Goes over the bytes of a file, or of those in a directory, as cheaply as can be.
pub(crate) fn pass_over(path: &Path) -> u64 {
    if path.is_dir() {
        return fs::read_dir(path).unwrap().map(|entry| pass_over(&entry.unwrap().path())).sum();
    }
    let mut file = File::open(path).unwrap();
    let mut block = vec![0; 256 << 10];
    let mut n_line_feeds = 0;
    loop {
        let n = file.read(&mut block).unwrap();
        if n == 0 {
            return n_line_feeds;
        }
        n_line_feeds += block[..n].iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
    }
}

/// The highest memory that this process took so far.
pub(crate) fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim_end().parse().unwrap()
}
