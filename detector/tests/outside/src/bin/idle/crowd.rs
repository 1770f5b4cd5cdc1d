//! Many threads that contend for everything.

use instrumented_sync::{mpsc::channel, Arc, Condvar, Mutex, RwLock};
use outside::line_up::start;
use std::{
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread::sleep,
    time::{Duration, Instant},
};

const THREADS: u32 = 200;

pub fn run(time: Duration) {
    let end = Instant::now() + time;
    let locks: Arc<[Mutex<u32>; 4]> = Arc::default();
    let table = Arc::new(RwLock::new(0));
    let turn = Arc::new((Mutex::new(0_u32), Condvar::new()));
    let (done, dones) = channel();
    let n_running = Arc::new(AtomicU32::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|n| {
            let (locks, table, turn, done) = (locks.clone(), table.clone(), turn.clone(), done.clone());
            let n_running = n_running.clone();
            start(&format!("member {n}"), move || {
                for round in (n..).take_while(|_| Instant::now() < end) {
                    let mut first = locks[(round % 3) as usize].lock().unwrap();
                    *first += *locks[3].lock().unwrap();
                    drop(first);
                    if round % 8 == 0 {
                        *table.write().unwrap() += 1;
                    } else {
                        assert!(*table.read().unwrap() < u32::MAX);
                    }
                    done.send(round).unwrap();
                    *turn.0.lock().unwrap() += 1;
                    turn.1.notify_all();
                    sleep(Duration::from_millis(20));
                }
                // The waiting member is told by the others, and by the last one that it is over.
                n_running.fetch_sub(1, SeqCst);
                drop(turn.0.lock().unwrap());
                turn.1.notify_all();
            })
        })
        .collect();
    drop(done);
    let waiter = start("waiter", move || {
        let mut turns = turn.0.lock().unwrap();
        while n_running.load(SeqCst) > 0 {
            turns = turn.1.wait(turns).unwrap();
        }
    });
    assert!(dones.iter().count() > THREADS as usize);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    waiter.join().unwrap();
}
