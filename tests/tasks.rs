//! Hangs of tasks, from the program to the report.
//!
//! Each case is a program of its own: this test binary, run again with a part to play, and killed when it stands still.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::exit,
    clippy::print_stdout,
    reason = "programs made for tests fail like tests"
)]

use detector::{
    finding::{Code, Finding, Report},
    model,
    pipeline::{self, Races, Stopped},
    source,
};
use instrumented_sync::{
    Mutex as ThreadMutex, label, mpsc,
    task::{self, Mutex, Workers},
    thread,
};
use std::{
    collections::VecDeque,
    env,
    future::{Future, poll_fn},
    path::Path,
    pin::{Pin, pin},
    process::{Child, Command},
    sync::{
        Arc, Condvar as StdCondvar, Mutex as StdMutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};
use trace_format::TRACE_VARIABLE;

const ROLE: &str = "TASKS_TEST_ROLE";
const LIMIT: Duration = Duration::from_secs(60);

const ROLES: &[(&str, fn())] = &[
    ("opposite_orders", opposite_orders),
    ("future_lock", future_lock),
    ("blocked_worker", blocked_worker),
    ("starved_sender", starved_sender),
    ("idle", idle),
    ("other_waker", other_waker),
    ("predicted", predicted),
    ("many", many),
];

/// Plays a part if the environment names one, and is nothing otherwise.
#[test]
fn child() {
    let Ok(role) = env::var(ROLE) else { return };
    let (_, play) = ROLES.iter().find(|(name, _)| *name == role).unwrap();
    play();
    std::process::exit(0);
}

struct Kill(Child);

impl Drop for Kill {
    fn drop(&mut self) {
        // Gone already if the part has an end.
        let _gone = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn start(role: &str, dir: &Path) -> Kill {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    Kill(command.env(ROLE, role).env(TRACE_VARIABLE, dir).spawn().unwrap())
}

fn report(dir: &Path) -> Report {
    pipeline::report(&[pipeline::read(dir)], Stopped::No, Races::default(), dir)
}

/// Runs a part until its report has a finding of this kind, which it has to keep.
fn hang(role: &str, code: Code) -> Finding {
    let dir = tempfile::tempdir().unwrap();
    let _child = start(role, dir.path());
    let begin = Instant::now();
    loop {
        let found = report(dir.path());
        if let Some(finding) = found.findings.iter().find(|finding| finding.code == code) {
            return finding.clone();
        }
        assert!(begin.elapsed() < LIMIT, "{found:#?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a part until it says that it is ready, looks at it a few times, and returns the first report with a hang in it,
/// or the last one.
fn standing(role: &str) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().with_extension("ready");
    let _child = start(role, dir.path());
    let begin = Instant::now();
    while !ready.exists() {
        assert!(begin.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::remove_file(ready).unwrap();
    let mut found = report(dir.path());
    for _ in 0..5 {
        if found.findings.iter().any(|finding| finding.code != Code::LockOrder) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        found = report(dir.path());
    }
    found
}

/// Says that the part has come to where it stands.
fn ready() {
    let dir = env::var_os(TRACE_VARIABLE).unwrap();
    std::fs::write(Path::new(&dir).with_extension("ready"), []).unwrap();
}

fn names(finding: &Finding) -> Vec<String> {
    let mut names: Vec<_> = finding.edges.iter().map(|edge| finding.threads[edge.thread].name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// An executor: a queue, which threads take tasks from. Not instrumented, as real ones are not.
#[derive(Default)]
struct Executor {
    queue: StdMutex<VecDeque<Arc<Spawned>>>,
    filled: StdCondvar,
    workers: Workers,
}

struct Spawned {
    future: StdMutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
    executor: &'static Executor,
}

impl Executor {
    fn leak() -> &'static Self {
        Box::leak(Box::default())
    }

    fn spawn(&'static self, name: &str, future: impl Future<Output = ()> + Send + 'static) {
        let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(self.workers.record(name, future));
        let future = StdMutex::new(Some(future));
        self.push(Arc::new(Spawned { future, executor: self }));
    }

    fn push(&self, task: Arc<Spawned>) {
        self.queue.lock().unwrap().push_back(task);
        self.filled.notify_one();
    }

    /// Starts threads that poll for ever.
    fn start(&'static self, n: usize) -> Vec<thread::JoinHandle<()>> {
        let start = |i| thread::Builder::new().name(format!("worker-{i}")).spawn(|| self.work()).unwrap();
        (0..n).map(start).collect()
    }

    fn work(&self) {
        self.workers.enter();
        loop {
            let mut queue = self.queue.lock().unwrap();
            while queue.is_empty() {
                queue = self.filled.wait(queue).unwrap();
            }
            let task = queue.pop_front().unwrap();
            drop(queue);
            let waker = Waker::from(Arc::clone(&task));
            let mut future = task.future.lock().unwrap();
            if let Some(polled) = &mut *future
                && polled.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                *future = None;
            }
        }
    }
}

impl Wake for Spawned {
    fn wake(self: Arc<Self>) {
        self.executor.push(Arc::clone(&self));
    }
}

/// Suspends the task once.
async fn turn() {
    let mut has_turned = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_turned, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn until(n: &AtomicU32, at_least: u32) {
    while n.load(SeqCst) < at_least {
        turn().await;
    }
}

fn locks(names: [&str; 2]) -> [Arc<Mutex<u32>>; 2] {
    names.map(|name| {
        let lock = Arc::new(Mutex::new(0));
        label(&*lock, name);
        lock
    })
}

fn opposite_orders() {
    let executor = Executor::leak();
    let [a, b] = locks(["a", "b"]);
    let n_held = Arc::new(AtomicU32::new(0));
    for (name, first, second) in [("forward", a.clone(), b.clone()), ("backward", b, a)] {
        let n_held = n_held.clone();
        executor.spawn(name, async move {
            let _first = first.lock().await;
            n_held.fetch_add(1, SeqCst);
            until(&n_held, 2).await;
            let _second = second.lock().await;
        });
    }
    executor.start(2).remove(0).join().unwrap();
}

#[test]
fn tasks_that_lock_in_opposite_orders() {
    let finding = hang("opposite_orders", Code::Deadlock);
    assert_eq!(names(&finding), ["task backward", "task forward"]);
    assert!(finding.title.contains("`a`") && finding.title.contains("`b`"), "{}", finding.title);
}

fn future_lock() {
    let executor = Executor::leak();
    let [lock, _] = locks(["lock", "other"]);
    let held = lock.try_lock().unwrap();
    let wanted = Arc::new(AtomicU32::new(0));
    let (task_lock, task_wanted) = (lock.clone(), wanted.clone());
    executor.spawn("forgetful", async move {
        let mut queued = pin!(task_lock.lock());
        let poll = poll_fn(|context| Poll::Ready(queued.as_mut().poll(context).is_pending())).await;
        assert!(poll);
        task_wanted.store(1, SeqCst);
        let _again = task_lock.lock().await;
    });
    let workers = executor.start(1);
    while wanted.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    drop(held);
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn a_future_that_has_the_lock_and_is_not_polled() {
    let finding = hang("future_lock", Code::SelfDeadlock);
    assert_eq!(names(&finding), ["task forgetful"]);
    assert!(finding.title.contains("`lock`"), "{}", finding.title);
}

fn blocked_worker() {
    let executor = Executor::leak();
    let [lock, _] = locks(["lock", "other"]);
    let plain = Arc::new(ThreadMutex::new(0));
    label(&*plain, "plain");
    let (has_plain, may_take_plain) = mpsc::channel();
    let (has_lock, may_take_lock) = mpsc::channel();
    let (task_lock, task_plain) = (lock.clone(), plain.clone());
    executor.spawn("holder", async move {
        let _lock = task_lock.lock().await;
        has_lock.send(()).unwrap();
        may_take_plain.recv().unwrap();
        let _plain = task_plain.lock().unwrap();
    });
    let owner = thread::Builder::new().name("owner".to_owned()).spawn(move || {
        let _plain = plain.lock().unwrap();
        has_plain.send(()).unwrap();
        may_take_lock.recv().unwrap();
        task::block_on(async { drop(lock.lock().await) });
    });
    executor.start(1);
    owner.unwrap().join().unwrap();
}

#[test]
fn a_worker_that_blocks_while_its_task_holds() {
    let finding = hang("blocked_worker", Code::Deadlock);
    assert_eq!(names(&finding), ["owner", "task holder", "task owner", "worker-0"]);
    assert!(finding.help.contains("`plain`") && !finding.help.contains("unknown"), "{}", finding.help);
}

fn starved_sender() {
    let executor = Executor::leak();
    let (sender, receiver) = mpsc::channel();
    label(&receiver, "answers");
    executor.spawn("receives", async move { assert_eq!(receiver.recv(), Ok(1)) });
    executor.spawn("sends", async move { sender.send(1).unwrap() });
    executor.start(1).remove(0).join().unwrap();
}

#[test]
fn a_sender_that_no_worker_is_left_for() {
    let finding = hang("starved_sender", Code::Deadlock);
    let names: Vec<_> = finding.threads.iter().map(|thread| thread.name.as_str()).collect();
    assert!(names.contains(&"worker-0") && names.contains(&"task sends"), "{finding:#?}");
}

/// Tasks that wait for what nobody records, one of them holding what the other one wants.
fn idle() {
    let executor = Executor::leak();
    let [lock, _] = locks(["lock", "other"]);
    let n_begun = Arc::new(AtomicU32::new(0));
    let (held, holder_begun) = (lock.clone(), n_begun.clone());
    executor.spawn("holder", async move {
        let _held = held.lock().await;
        holder_begun.fetch_add(1, SeqCst);
        std::future::pending::<()>().await;
    });
    let waiter_begun = n_begun.clone();
    executor.spawn("waiter", async move {
        until(&waiter_begun, 1).await;
        let mut wanted = pin!(lock.lock());
        poll_fn(|context| {
            let poll = wanted.as_mut().poll(context);
            waiter_begun.fetch_add(1, SeqCst);
            poll.map(drop)
        })
        .await;
    });
    let workers = executor.start(2);
    while n_begun.load(SeqCst) < 2 {
        std::thread::yield_now();
    }
    ready();
    for worker in workers {
        worker.join().unwrap();
    }
}

#[test]
fn idle_tasks_are_not_accused() {
    let found = standing("idle");
    assert!(found.findings.is_empty(), "{:#?}", found.findings);
    // That of the test's own thread, which the harness started; tasks are started by nobody.
    let starts: Vec<_> = found.coverage.unrecorded.iter().filter(|text| text.contains("start")).collect();
    assert_eq!(starts, ["the start of 1 thread (not through instrumented_sync)"]);
}

/// Two tasks in the state of a deadlock, which a timeout of the one will end.
fn other_waker() {
    let executor = Executor::leak();
    let [a, b] = locks(["a", "b"]);
    let n_held = Arc::new(AtomicU32::new(0));
    let timer = Arc::new(StdMutex::new(None::<Waker>));
    let n_waiting = Arc::new(AtomicU32::new(0));
    for (name, first, second) in [("forward", a.clone(), b.clone()), ("backward", b, a)] {
        let (n_held, n_waiting) = (n_held.clone(), n_waiting.clone());
        let timer = (name == "forward").then(|| timer.clone());
        executor.spawn(name, async move {
            let _first = first.lock().await;
            n_held.fetch_add(1, SeqCst);
            until(&n_held, 2).await;
            let mut second = pin!(second.lock());
            poll_fn(|context| {
                if let Some(timer) = &timer {
                    *timer.lock().unwrap() = Some(context.waker().clone());
                }
                let poll = second.as_mut().poll(context);
                n_waiting.fetch_add(1, SeqCst);
                poll.map(drop)
            })
            .await;
        });
    }
    let workers = executor.start(2);
    while n_waiting.load(SeqCst) < 2 {
        std::thread::yield_now();
    }
    ready();
    for worker in workers {
        worker.join().unwrap();
    }
    drop(timer);
}

#[test]
fn a_task_that_something_else_may_wake_is_not_accused() {
    let found = standing("other_waker");
    let is_hang = |finding: &&Finding| finding.code != Code::LockOrder;
    assert!(!found.findings.iter().any(|finding| is_hang(&finding)), "{:#?}", found.findings);
}

/// Opposite orders on one worker, one after the other.
fn predicted() {
    let executor = Executor::leak();
    let [a, b] = locks(["a", "b"]);
    let n_done = Arc::new(AtomicU32::new(0));
    for (name, first, second) in [("forward", a.clone(), b.clone()), ("backward", b, a)] {
        let n_done = n_done.clone();
        executor.spawn(name, async move {
            let _first = first.lock().await;
            let _second = second.lock().await;
            n_done.fetch_add(1, SeqCst);
        });
    }
    executor.start(1);
    while n_done.load(SeqCst) < 2 {
        std::thread::yield_now();
    }
}

#[test]
fn opposite_orders_of_tasks_are_predicted() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("predicted", dir.path());
    assert!(child.0.wait().unwrap().success());
    let found = report(dir.path());
    let cycles: Vec<_> = found.findings.iter().filter(|finding| finding.code == Code::LockOrder).collect();
    assert_eq!(cycles.len(), 1, "{:#?}", found.findings);
    assert_eq!(names(cycles[0]), ["task backward", "task forward"]);
}

/// Many tasks on four workers, which meet at one lock and sometimes give up.
fn many() {
    const N_TASKS: u32 = 20;
    let executor = Executor::leak();
    let lock = Arc::new(Mutex::new(0_u32));
    let n_done = Arc::new(AtomicU32::new(0));
    for i in 0..N_TASKS {
        let (lock, n_done) = (lock.clone(), n_done.clone());
        executor.spawn(&format!("many-{i}"), async move {
            for round in 0..50 {
                if round % 7 == 3 {
                    let mut given_up = Box::pin(lock.lock());
                    poll_fn(|context| {
                        drop(given_up.as_mut().poll(context));
                        Poll::Ready(())
                    })
                    .await;
                }
                let mut held = lock.lock().await;
                turn().await;
                *held += 1;
            }
            n_done.fetch_add(1, SeqCst);
        });
    }
    executor.start(4);
    while n_done.load(SeqCst) < N_TASKS {
        std::thread::yield_now();
    }
    assert_eq!(*lock.try_lock().unwrap(), 50 * N_TASKS);
}

#[test]
fn the_polls_of_many_tasks_have_one_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start("many", dir.path());
    assert!(child.0.wait().unwrap().success());
    let (model, problems) = model::build(&source::open(dir.path()).unwrap());
    assert_eq!((model.n_gaps, model.n_lost, problems), (0, 0, Vec::new()));
    assert_eq!(model.threads.iter().filter(|thread| thread.is_task).count(), 20);
    assert!(model.threads.iter().all(|thread| thread.holds.is_empty()), "{:#?}", model.threads);
    let found = report(dir.path());
    assert!(found.findings.is_empty(), "{:#?}", found.findings);
}
