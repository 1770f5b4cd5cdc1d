//! Many processes with many threads over shared locks, of which some are killed again and again; others take their places.
//!
//! `soak FOLDER OPERATIONS` directs until so many were done, or until there is a file `FOLDER/stop`; it kills a worker now and then.
//! `soak FOLDER OPERATIONS PLACE INCARNATION` is a worker. What each thread did is counted in `FOLDER/counts`, in memory that all
//! processes share and of which nothing is recorded: for each kind of operation how many were begun, and how many done. The locks
//! are in a region named after the folder.

use instrumented_sync::{
    process::{
        self,
        shared::{Condvar, LockResult, Mutex, PoisonError, Region, RwLock, Semaphore, TryLockError},
        Child, Command,
    },
    thread,
};
use std::{
    fs::{self, OpenOptions},
    os::{fd::AsRawFd, unix::process::ExitStatusExt},
    path::{Path, PathBuf},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

const N_PROCESSES: usize = 8;
const N_THREADS: usize = 4;
const N_MUTEXES: usize = 12;
const INCARNATIONS_MAX: usize = 2000;
/// Nests of mutexes, reads and writes, permits, notifies.
const N_KINDS: usize = 4;
/// Between one kill and the next.
const PAUSE_MS: [u64; 2] = [50, 400];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments[1..].iter().map(|number| number.parse().unwrap()).collect();
    let folder = PathBuf::from(&arguments[0]);
    let counts = Counts::open(&folder.join("counts"));
    match numbers[..] {
        [n_operations] => direct(&folder, counts, n_operations as u64),
        [n_operations, place, incarnation] => {
            process::set_role(&format!("worker {place}"));
            let workers: Vec<_> = (0..N_THREADS)
                .map(|number| {
                    let mut worker = Worker::new(&folder, counts, incarnation, number);
                    thread::spawn(move || worker.work(n_operations as u64))
                })
                .collect();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
        }
        _ => panic!("which part?"),
    }
}

/// Where it is counted.
#[derive(Clone, Copy)]
struct Counts(&'static [AtomicU64]);

impl Counts {
    /// The total, and for each thread of each incarnation two numbers of each kind.
    const LEN: usize = 1 + INCARNATIONS_MAX * N_THREADS * N_KINDS * 2;

    fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len(Self::LEN as u64 * 8).unwrap();
        let (read_write, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping, of a file of that length.
        let at = unsafe { libc::mmap(ptr::null_mut(), Self::LEN * 8, read_write, shared, file.as_raw_fd(), 0) };
        assert_ne!(at, libc::MAP_FAILED);
        // SAFETY: it is as long, stays for ever, lies at a page, and is used as atomic words alone, in all processes.
        Self(unsafe { std::slice::from_raw_parts(at.cast(), Self::LEN) })
    }

    fn total(self) -> &'static AtomicU64 {
        &self.0[0]
    }

    /// What a thread has begun of a kind, and behind that what it has done.
    fn of(self, incarnation: usize, thread: usize, kind: usize) -> &'static [AtomicU64] {
        let at = 1 + ((incarnation * N_THREADS + thread) * N_KINDS + kind) * 2;
        &self.0[at..at + 2]
    }
}

fn direct(folder: &Path, counts: Counts, n_operations: u64) {
    process::set_role("director");
    let mut random = Random(u64::from(process::id()) << 20 | 1);
    let mut n_incarnations = 0;
    let mut start = |place: usize| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(folder).arg(n_operations.to_string()).args([place.to_string(), n_incarnations.to_string()]);
        let worker = command.spawn().unwrap();
        // What the trace calls it: its number, and field 22 of this.
        let stat = fs::read_to_string(format!("/proc/{}/stat", worker.id())).unwrap();
        let start = stat[stat.rfind(')').unwrap()..].split_whitespace().nth(20).unwrap();
        fs::write(folder.join(format!("incarnation-{n_incarnations}")), format!("{}-{start}", worker.id())).unwrap();
        n_incarnations += 1;
        worker
    };
    let mut workers: Vec<Child> = (0..N_PROCESSES).map(&mut start).collect();
    let mut n_killed = 0;
    while counts.total().load(Ordering::Relaxed) < n_operations && !folder.join("stop").exists() {
        let pause = PAUSE_MS[0] + random.below(PAUSE_MS[1] - PAUSE_MS[0]);
        let until = Instant::now() + Duration::from_millis(pause);
        while Instant::now() < until && counts.total().load(Ordering::Relaxed) < n_operations {
            std::thread::sleep(Duration::from_millis(10));
        }
        let place = random.below(N_PROCESSES as u64) as usize;
        // It may have ended by itself, since all is done.
        let _ended = workers[place].kill();
        n_killed += usize::from(workers[place].wait().unwrap().signal() == Some(9));
        workers[place] = start(place);
    }
    // Those who have not seen it.
    counts.total().fetch_max(n_operations, Ordering::Relaxed);
    for worker in &mut workers {
        assert!(worker.wait().unwrap().success());
    }
    Region::remove(&region_name(folder)).unwrap();
    println!("{n_killed} of {n_incarnations} processes were killed");
    fs::write(folder.join("ended"), "").unwrap();
}

fn region_name(folder: &Path) -> String {
    format!("deadlock-check-soak{}", folder.file_name().unwrap().to_str().unwrap())
}

struct Worker {
    counts: Counts,
    incarnation: usize,
    number: usize,
    random: Random,
    mutexes: Vec<Mutex<u64>>,
    table: RwLock<u64>,
    seats: Semaphore,
    queue: Mutex<u64>,
    filled: Condvar,
}

/// What somebody left behind who died is as good as anything here.
fn mended<G>(taken: LockResult<G>, clear: impl FnOnce()) -> G {
    taken.unwrap_or_else(|poisoned: PoisonError<G>| {
        clear();
        poisoned.into_inner()
    })
}

impl Worker {
    fn new(folder: &Path, counts: Counts, incarnation: usize, number: usize) -> Self {
        let region = Region::named(&region_name(folder), 1 << 17).unwrap();
        let mutex = |idx: usize| Mutex::open(&region, &format!("mutex {idx}"), 0).unwrap();
        Self {
            counts,
            incarnation,
            number,
            random: Random(((incarnation * N_THREADS + number) as u64) << 32 | u64::from(process::id())),
            mutexes: (0..N_MUTEXES).map(mutex).collect(),
            table: RwLock::open(&region, "table", 0).unwrap(),
            seats: Semaphore::open(&region, "seats", 3).unwrap(),
            queue: Mutex::open(&region, "queue", 0).unwrap(),
            filled: Condvar::open(&region, "filled").unwrap(),
        }
    }

    fn work(&mut self, n_operations: u64) {
        while self.counts.total().fetch_add(1, Ordering::Relaxed) < n_operations {
            let kind = match self.random.below(16) {
                0..=9 => 0,
                10..=12 => 1,
                13 | 14 => 2,
                _ => 3,
            };
            let [begun, done] = self.counts.of(self.incarnation, self.number, kind) else { unreachable!() };
            begun.fetch_add(1, Ordering::SeqCst);
            match kind {
                0 => self.nest(),
                1 => self.look_up(),
                2 => self.sit_down(),
                _ => self.notify_or_wait(),
            }
            done.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Two acquires, always in the order of their names.
    fn nest(&mut self) {
        let outer = self.random.below(N_MUTEXES as u64 - 1) as usize;
        let inner = outer + 1 + self.random.below((N_MUTEXES - outer - 1) as u64) as usize;
        let (outer, inner) = (&self.mutexes[outer], &self.mutexes[inner]);
        let mut outer_value = mended(outer.lock(), || outer.clear_poison());
        *mended(inner.lock(), || inner.clear_poison()) += 1;
        *outer_value += 1;
    }

    /// One acquire.
    fn look_up(&mut self) {
        let table = &self.table;
        if self.random.below(8) == 0 {
            *mended(table.write(), || table.clear_poison()) += 1;
        } else {
            drop(mended(table.read(), || table.clear_poison()));
        }
    }

    /// One permit. With a time limit, which is never reached: of waits that end in any case nobody asks whether they could hang, one by one.
    fn sit_down(&mut self) {
        match self.seats.acquire_timeout(Duration::from_secs(60)) {
            Ok(()) => {}
            // It is taken all the same.
            Err(TryLockError::Poisoned(_)) => self.seats.clear_poison(),
            Err(TryLockError::WouldBlock) => panic!("a permit is lost"),
        }
        self.seats.release();
    }

    /// One notify; and now and then a wait for a moment before.
    fn notify_or_wait(&mut self) {
        let mut filled = mended(self.queue.lock(), || self.queue.clear_poison());
        if self.random.below(4) == 0 {
            let waited = self.filled.wait_timeout(filled, Duration::from_millis(1));
            filled = mended(waited, || self.queue.clear_poison()).0;
        }
        *filled += 1;
        self.filled.notify_one();
    }
}

/// A generator of numbers that are random enough: xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}
