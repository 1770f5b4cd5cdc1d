//! Programs that stand still for a while and then end by themselves; nobody of them hangs.

use instrumented_sync::{
    label,
    mpsc::{channel, Sender},
    thread, Arc, Condvar, Mutex,
};
use outside::line_up::start;
use std::{
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    process::{id, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering::SeqCst},
        Barrier,
    },
    thread::sleep,
    time::{Duration, Instant},
};

mod crowd;

/// Longer than the time after which a hang is called possible.
const PAUSE: Duration = Duration::from_secs(7);
const WORKERS: [&str; 3] = ["worker 1", "worker 2", "worker 3"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments[0].as_str() {
        "condvar_pool" => condvar_pool(),
        "channel_pool" => channel_pool(),
        "park_pool" => park_pool(),
        "static_pool" => static_pool(),
        "event_loop" => event_loop(),
        "stream" => stream(),
        "sleepers" => sleepers(),
        "timed" => timed(),
        "busy_notifier" => busy_notifier(),
        "notifier_first" => notifier_first(),
        "sender_by_channel" => sender_by_channel(),
        "sender_by_static" => sender_by_static(),
        "stranger" => stranger(),
        "stopped" => stopped(),
        "crowd" => crowd::run(seconds(&arguments)),
        "crowd_and_deadlock" => {
            crowd::run(seconds(&arguments));
            outside::hangs::locks::ab_ba();
        }
        "connect" => connect(&arguments[1]),
        name => panic!("unknown: {name}"),
    }
}

fn seconds(arguments: &[String]) -> Duration {
    Duration::from_secs(arguments[1].parse().unwrap())
}

/// A queue, and whether it is closed.
type Queue = (Mutex<(Vec<u32>, bool)>, Condvar);

fn work(queue: &Queue) {
    let mut jobs = queue.0.lock().unwrap();
    while !jobs.1 {
        if jobs.0.pop().is_none() {
            jobs = queue.1.wait(jobs).unwrap();
        }
    }
}

fn close(queue: &Queue) {
    queue.0.lock().unwrap().1 = true;
    queue.1.notify_all();
}

fn condvar_pool() {
    let queue = Arc::new(Queue::default());
    label(&queue.1, "work");
    let workers = WORKERS.map(|name| {
        let queue = queue.clone();
        start(name, move || work(&queue))
    });
    sleep(PAUSE);
    close(&queue);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

/// One worker waits for a message under the lock, the others for the lock.
fn channel_pool() {
    let (jobs, todo) = channel::<u32>();
    let todo = Arc::new(Mutex::new(todo));
    let workers = WORKERS.map(|name| {
        let todo = todo.clone();
        start(name, move || loop {
            let job = todo.lock().unwrap().recv();
            if job.is_err() {
                return;
            }
        })
    });
    sleep(PAUSE);
    drop(jobs);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

fn park_pool() {
    let is_over = Arc::new(AtomicBool::new(false));
    let workers = WORKERS.map(|name| {
        let is_over = is_over.clone();
        start(name, move || {
            while !is_over.load(SeqCst) {
                thread::park();
            }
        })
    });
    sleep(PAUSE);
    is_over.store(true, SeqCst);
    for worker in workers {
        worker.thread().unpark();
        worker.join().unwrap();
    }
}

static QUEUE: Queue = (Mutex::new((Vec::new(), false)), Condvar::new());

/// The main thread reads what another process will write.
fn static_pool() {
    let workers = WORKERS.map(|name| start(name, || work(&QUEUE)));
    let mut child = Command::new("sleep").arg("7").stdout(Stdio::piped()).spawn().unwrap();
    child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
    child.wait().unwrap();
    close(&QUEUE);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

/// All wait for one that waits for a connection.
fn event_loop() {
    let queue = Arc::new(Queue::default());
    let (message, messages) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let mut client = Command::new(env::current_exe().unwrap()).args(["connect", &port]).spawn().unwrap();
    let waiter = {
        let queue = queue.clone();
        start("waiter", move || work(&queue))
    };
    let receiver = start("receiver", move || messages.recv().unwrap());
    let events = start("events", move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        close(&queue);
        message.send(1).unwrap();
    });
    waiter.join().unwrap();
    receiver.join().unwrap();
    events.join().unwrap();
    client.wait().unwrap();
}

fn connect(port: &str) {
    sleep(PAUSE);
    // Nobody listens any more if the program was killed.
    let _connected_or_refused = TcpStream::connect(("127.0.0.1", port.parse().unwrap()));
}

fn stream() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    let waiter = start("waiter", thread::park);
    let handle = waiter.thread().clone();
    let reader = start("reader", move || {
        near.read_exact(&mut [0]).unwrap();
        handle.unpark();
    });
    let writer = start("writer", move || {
        sleep(PAUSE);
        far.write_all(&[1]).unwrap();
    });
    for thread in [waiter, reader, writer] {
        thread.join().unwrap();
    }
}

/// Each in one of the ways to end somebody's wait.
fn sleepers() {
    let queue = Arc::new(Queue::default());
    let (message, messages) = channel();
    let (first, second) = (start("parked", thread::park), start("receiver", move || messages.recv().unwrap()));
    let third = {
        let queue = queue.clone();
        start("waiter", move || work(&queue))
    };
    let handle = first.thread().clone();
    start("sleeper", move || {
        sleep(PAUSE);
        handle.unpark();
        message.send(()).unwrap();
        close(&queue);
    });
    for thread in [first, second, third] {
        thread.join().unwrap();
    }
}

fn timed() {
    let end = Instant::now() + PAUSE;
    let step = Duration::from_secs(1);
    let (message, messages) = channel::<()>();
    let threads = [
        start("waiter", move || {
            let (mutex, condvar) = (Mutex::new(()), Condvar::new());
            while Instant::now() < end {
                drop(condvar.wait_timeout(mutex.lock().unwrap(), step).unwrap());
            }
        }),
        start("receiver", move || {
            while Instant::now() < end {
                messages.recv_timeout(step).unwrap_err();
            }
        }),
        start("parked", move || {
            while Instant::now() < end {
                thread::park_timeout(step);
            }
        }),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
    drop(message);
}

/// Who will notify computes, and has not touched the condition variable.
fn busy_notifier() {
    let queue = Arc::new(Queue::default());
    let notifier = {
        let queue = queue.clone();
        start("notifier", move || {
            let begin = Instant::now();
            while begin.elapsed() < PAUSE {
                std::hint::spin_loop();
            }
            close(&queue);
        })
    };
    let waiter = start("waiter", move || work(&queue));
    waiter.join().unwrap();
    notifier.join().unwrap();
}

/// Who will notify was there before the condition variable, and got it in a way that is not recorded.
fn notifier_first() {
    static HANDED: std::sync::Mutex<Option<Arc<Queue>>> = std::sync::Mutex::new(None);
    static MET: std::sync::LazyLock<Barrier> = std::sync::LazyLock::new(|| Barrier::new(2));
    let notifier = start("notifier", || {
        MET.wait();
        let queue = HANDED.lock().unwrap().take().unwrap();
        sleep(PAUSE);
        close(&queue);
    });
    let queue = Arc::new(Queue::default());
    *HANDED.lock().unwrap() = Some(queue.clone());
    MET.wait();
    let waiter = start("waiter", move || work(&queue));
    waiter.join().unwrap();
    notifier.join().unwrap();
}

/// A thread of std's own has the sender, and takes longer than any wait that the tool acts upon.
fn stranger() {
    let (message, messages) = channel();
    let stranger = std::thread::Builder::new().name("stranger".into());
    let stranger = stranger.spawn(move || {
        sleep(2 * PAUSE);
        message.send(1).unwrap();
    });
    messages.recv().unwrap();
    stranger.unwrap().join().unwrap();
}

/// The sender reaches an older thread in a message.
fn sender_by_channel() {
    let (hand, handed) = channel::<Sender<u32>>();
    let source = start("source", move || {
        let sender = handed.recv().unwrap();
        sleep(PAUSE);
        sender.send(1).unwrap();
    });
    let (message, messages) = channel();
    hand.send(message).unwrap();
    let receiver = start("receiver", move || messages.recv().unwrap());
    receiver.join().unwrap();
    source.join().unwrap();
}

/// The sender reaches an older thread through a static variable.
fn sender_by_static() {
    static HANDED: Mutex<Option<Sender<u32>>> = Mutex::new(None);
    static MET: std::sync::LazyLock<Barrier> = std::sync::LazyLock::new(|| Barrier::new(2));
    let source = start("source", || {
        MET.wait();
        let sender = HANDED.lock().unwrap().take().unwrap();
        sleep(PAUSE);
        sender.send(1).unwrap();
    });
    let (message, messages) = channel();
    *HANDED.lock().unwrap() = Some(message);
    MET.wait();
    let receiver = start("receiver", move || messages.recv().unwrap());
    receiver.join().unwrap();
    source.join().unwrap();
}

/// The process is stopped for two seconds while its threads hand messages on.
fn stopped() {
    let (ping, pinged) = channel();
    let (pong, ponged) = channel();
    let echo = start("echo", move || pinged.iter().for_each(|n: u32| pong.send(n).unwrap()));
    let script = format!("sleep 1; kill -STOP {0}; sleep 2; kill -CONT {0}", id());
    let mut shell = Command::new("sh").args(["-c", &script]).spawn().unwrap();
    for n in 0..30 {
        ping.send(n).unwrap();
        assert_eq!(ponged.recv().unwrap(), n);
        sleep(Duration::from_millis(100));
    }
    drop(ping);
    echo.join().unwrap();
    shell.wait().unwrap();
}
