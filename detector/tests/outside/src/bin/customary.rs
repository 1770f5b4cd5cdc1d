//! What programs customarily do, and what cannot hang in any schedule: the argument names one. The naps only make some
//! schedules likelier than others.

use instrumented_sync::{mpsc, thread, Barrier, Condvar, Latch, Mutex, Once, OnceLock, RwLock, Semaphore};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::Arc;
use std::time::Duration;
fn nap(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms))
}
struct Bounded {
    q: Mutex<VecDeque<u32>>,
    not_empty: Condvar,
    not_full: Condvar,
    cap: usize,
    lazy: bool,
}
impl Bounded {
    fn push(&self, x: u32) {
        let mut q = self.not_full.wait_while(self.q.lock().unwrap(), |q| q.len() >= self.cap).unwrap();
        let was_empty = q.is_empty();
        q.push_back(x);
        drop(q);
        if !self.lazy || was_empty {
            if self.lazy {
                self.not_empty.notify_all()
            } else {
                self.not_empty.notify_one()
            }
        }
    }
    fn pop(&self) -> u32 {
        let mut q = self.not_empty.wait_while(self.q.lock().unwrap(), |q| q.is_empty()).unwrap();
        let was_full = q.len() >= self.cap;
        let x = q.pop_front().unwrap();
        drop(q);
        if !self.lazy || was_full {
            if self.lazy {
                self.not_full.notify_all()
            } else {
                self.not_full.notify_one()
            }
        }
        x
    }
}
fn bounded(cap: usize, lazy: bool, n: u32) {
    let b = Arc::new(Bounded {
        q: Mutex::new(VecDeque::new()),
        not_empty: Condvar::new(),
        not_full: Condvar::new(),
        cap,
        lazy,
    });
    let p: Vec<_> = (0..2)
        .map(|_| {
            let b = b.clone();
            thread::spawn(move || {
                for i in 0..n {
                    b.push(i)
                }
            })
        })
        .collect();
    let c: Vec<_> = (0..2)
        .map(|_| {
            let b = b.clone();
            thread::spawn(move || (0..n).map(|_| b.pop() as u64).sum::<u64>())
        })
        .collect();
    for t in p {
        t.join().unwrap()
    }
    println!("{}", c.into_iter().map(|t| t.join().unwrap()).sum::<u64>());
}
type Job = Box<dyn FnOnce() + Send>;
struct Pool {
    tx: Option<mpsc::Sender<Job>>,
    workers: Vec<thread::JoinHandle<()>>,
}
impl Pool {
    fn new(n: usize) -> Self {
        let (tx, rx) = mpsc::channel::<Job>();
        let rx = Arc::new(Mutex::new(rx));
        let workers = (0..n)
            .map(|_| {
                let rx = rx.clone();
                thread::spawn(move || loop {
                    let job = rx.lock().unwrap().recv();
                    match job {
                        Ok(j) => j(),
                        Err(_) => break,
                    }
                })
            })
            .collect();
        Self { tx: Some(tx), workers }
    }
}
impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.tx.take());
        for w in self.workers.drain(..) {
            w.join().unwrap()
        }
    }
}
fn main() {
    match std::env::args().nth(1).unwrap().as_str() {
        "pool" => {
            let total = Arc::new(Mutex::new(0));
            {
                let p = Pool::new(3);
                for i in 0..20 {
                    let t = total.clone();
                    p.tx.as_ref().unwrap().send(Box::new(move || *t.lock().unwrap() += i)).unwrap();
                }
            }
            println!("{}", total.lock().unwrap());
        }
        "bounded" => bounded(2, false, 50),
        "bounded_big" => bounded(1000, false, 50),
        "bounded_lazy" => bounded(2, true, 50),
        "bounded_lazy_big" => bounded(1000, true, 50),
        "actor" => {
            enum Msg {
                Add(u64, mpsc::Sender<u64>),
                Stop,
            }
            let (tx, rx) = mpsc::channel();
            let a = thread::spawn(move || {
                let mut s = 0;
                for m in rx {
                    match m {
                        Msg::Add(n, r) => {
                            s += n;
                            let _ = r.send(s);
                        }
                        Msg::Stop => break,
                    }
                }
            });
            let cs: Vec<_> = (0..3)
                .map(|i| {
                    let tx = tx.clone();
                    thread::spawn(move || {
                        for j in 0..5 {
                            let (r, w) = mpsc::channel();
                            tx.send(Msg::Add(i + j, r)).unwrap();
                            w.recv().unwrap();
                        }
                    })
                })
                .collect();
            for c in cs {
                c.join().unwrap()
            }
            tx.send(Msg::Stop).unwrap();
            a.join().unwrap();
        }
        "pipeline" => {
            let (a, b) = mpsc::sync_channel(2);
            let (c, d) = mpsc::sync_channel(1);
            let (e, f) = mpsc::sync_channel(0);
            let t = [
                thread::spawn(move || {
                    for i in 0..30 {
                        a.send(i).unwrap()
                    }
                }),
                thread::spawn(move || {
                    for x in b {
                        c.send(x + 1).unwrap()
                    }
                }),
                thread::spawn(move || {
                    for x in d {
                        e.send(x * 2).unwrap()
                    }
                }),
            ];
            println!("{}", f.iter().sum::<i32>());
            for t in t {
                t.join().unwrap()
            }
        }
        "atomic_flag_under_lock" => {
            let s = Arc::new((Mutex::new(()), Condvar::new(), AtomicBool::new(false)));
            let s2 = s.clone();
            let t = thread::spawn(move || {
                let mut g = s2.0.lock().unwrap();
                while !s2.2.load(SeqCst) {
                    g = s2.1.wait(g).unwrap()
                }
            });
            nap(20);
            s.2.store(true, SeqCst);
            {
                let _g = s.0.lock().unwrap();
                s.1.notify_all();
            }
            t.join().unwrap();
        }
        "atomic_flag_under_lock_state" => {
            let s = Arc::new((Mutex::new(7u32), Condvar::new(), AtomicBool::new(false)));
            let s2 = s.clone();
            let t = thread::spawn(move || {
                let mut g = s2.0.lock().unwrap();
                while !s2.2.load(SeqCst) {
                    g = s2.1.wait(g).unwrap()
                }
                println!("{}", *g)
            });
            nap(20);
            {
                let _g = s.0.lock().unwrap();
                s.2.store(true, SeqCst);
                s.1.notify_all();
            }
            t.join().unwrap();
        }
        "park_loop" => {
            let f = Arc::new(AtomicUsize::new(0));
            let f2 = f.clone();
            let t = thread::spawn(move || {
                for i in 1..=3 {
                    while f2.load(SeqCst) < i {
                        thread::park()
                    }
                }
            });
            for i in 1..=3 {
                nap(10);
                f.store(i, SeqCst);
                t.thread().unpark();
            }
            t.join().unwrap();
        }
        "barrier_phases" => {
            let b = Arc::new(Barrier::new(3));
            let m = Arc::new(Mutex::new(0));
            let t: Vec<_> = (0..3)
                .map(|_| {
                    let (b, m) = (b.clone(), m.clone());
                    thread::spawn(move || {
                        for _ in 0..4 {
                            *m.lock().unwrap() += 1;
                            b.wait();
                            let _x = *m.lock().unwrap();
                            b.wait();
                        }
                    })
                })
                .collect();
            for t in t {
                t.join().unwrap()
            }
        }
        "latch_gate" => {
            let (s, d) = (Arc::new(Latch::new(1)), Arc::new(Latch::new(3)));
            let m = Arc::new(Mutex::new(0));
            let t: Vec<_> = (0..3)
                .map(|_| {
                    let (s, d, m) = (s.clone(), d.clone(), m.clone());
                    thread::spawn(move || {
                        s.wait();
                        *m.lock().unwrap() += 1;
                        d.count_down();
                    })
                })
                .collect();
            s.count_down();
            d.wait();
            println!("{}", m.lock().unwrap());
            for t in t {
                t.join().unwrap()
            }
        }
        "sem_pool" => {
            let s = Arc::new(Semaphore::new(3));
            let m = Arc::new(Mutex::new(0));
            let t: Vec<_> = (0..4)
                .map(|i| {
                    let (s, m) = (s.clone(), m.clone());
                    thread::spawn(move || {
                        for _ in 0..5 {
                            if i == 0 {
                                s.acquire_many(3);
                                *m.lock().unwrap() += 1;
                                s.release_many(3)
                            } else {
                                let _p = s.access();
                                *m.lock().unwrap() += 1;
                            }
                        }
                    })
                })
                .collect();
            for t in t {
                t.join().unwrap()
            }
        }
        "sem_piecewise_enough" => {
            let s = Arc::new(Semaphore::new(3));
            let t: Vec<_> = (0..2)
                .map(|_| {
                    let s = s.clone();
                    thread::spawn(move || {
                        for _ in 0..3 {
                            let _a = s.access();
                            let _b = s.access();
                        }
                    })
                })
                .collect();
            for t in t {
                t.join().unwrap()
            }
        }
        "sem_signal" => {
            let s = Arc::new(Semaphore::new(0));
            let m = Arc::new(Mutex::new(0));
            let (s2, m2) = (s.clone(), m.clone());
            let t = thread::spawn(move || {
                for _ in 0..3 {
                    *m2.lock().unwrap() += 1;
                    s2.release();
                }
            });
            for _ in 0..3 {
                s.acquire();
                *m.lock().unwrap() += 1;
            }
            t.join().unwrap();
        }
        "join_other_lock" => {
            let (a, b) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
            let b2 = b.clone();
            let t = thread::spawn(move || *b2.lock().unwrap() += 1);
            let g = a.lock().unwrap();
            t.join().unwrap();
            println!("{} {}", *g, b.lock().unwrap());
        }
        "join_after_message" => {
            let a = Arc::new(Mutex::new(0));
            let a2 = a.clone();
            let (tx, rx) = mpsc::channel();
            let t = thread::spawn(move || {
                *a2.lock().unwrap() += 1;
                tx.send(()).unwrap();
            });
            rx.recv().unwrap();
            let g = a.lock().unwrap();
            t.join().unwrap();
            println!("{}", *g);
        }
        "rwlock_cache" => {
            let c = Arc::new(RwLock::new(HashMap::new()));
            let t: Vec<_> = (0..4)
                .map(|i| {
                    let c = c.clone();
                    thread::spawn(move || {
                        for k in 0..5 {
                            let hit = c.read().unwrap().get(&k).copied();
                            if hit.is_none() {
                                c.write().unwrap().entry(k).or_insert(i);
                            }
                        }
                    })
                })
                .collect();
            for t in t {
                t.join().unwrap()
            }
        }
        "once" => {
            static V: OnceLock<u32> = OnceLock::new();
            static O: Once = Once::new();
            static M: Mutex<u32> = Mutex::new(0);
            let t: Vec<_> = (0..3)
                .map(|_| {
                    thread::spawn(|| {
                        O.call_once(|| *M.lock().unwrap() += 1);
                        V.get_or_init(|| *M.lock().unwrap() + 1);
                    })
                })
                .collect();
            for t in t {
                t.join().unwrap()
            }
            println!("{:?}", V.get());
        }
        "logger" => {
            let (tx, rx) = mpsc::channel::<String>();
            let out = Arc::new(Mutex::new(Vec::new()));
            let o = out.clone();
            thread::spawn(move || {
                for l in rx {
                    o.lock().unwrap().push(l)
                }
            });
            let t: Vec<_> = (0..3)
                .map(|i| {
                    let tx = tx.clone();
                    thread::spawn(move || tx.send(format!("{i}")).unwrap())
                })
                .collect();
            for t in t {
                t.join().unwrap()
            }
            nap(20);
            println!("{}", out.lock().unwrap().len());
        }
        "timeouts" => {
            let s = Arc::new((Mutex::new(0), Condvar::new()));
            let s2 = s.clone();
            let (tx, rx) = mpsc::channel::<u32>();
            let t = thread::spawn(move || {
                let g = s2.0.lock().unwrap();
                let (mut g, _) = s2.1.wait_timeout_while(g, Duration::from_millis(50), |x| *x < 1).unwrap();
                *g += 1;
                drop(g);
                let _ = rx.recv_timeout(Duration::from_millis(20));
            });
            nap(10);
            {
                let mut g = s.0.lock().unwrap();
                *g += 1;
                s.1.notify_one();
                let _ = tx.send(1);
            }
            t.join().unwrap();
        }
        "set_and_notify" => {
            let s = Arc::new((Mutex::new(false), Condvar::new()));
            let s2 = s.clone();
            let t = thread::spawn(move || {
                nap(10);
                *s2.0.lock().unwrap() = true;
                s2.1.notify_one();
            });
            let mut g = s.0.lock().unwrap();
            while !*g {
                g = s.1.wait(g).unwrap()
            }
            drop(g);
            t.join().unwrap();
        }
        "passed_and_notify" => {
            let s = Arc::new((Mutex::new(false), Condvar::new()));
            let s2 = s.clone();
            let t = thread::spawn(move || {
                *s2.0.lock().unwrap() = true;
                s2.1.notify_one();
            });
            nap(20);
            drop(s.1.wait_while(s.0.lock().unwrap(), |x| !*x).unwrap());
            t.join().unwrap();
        }
        "two_predicates" => {
            let s = Arc::new((Mutex::new((false, false)), Condvar::new()));
            let t: Vec<_> = (0..2)
                .map(|i| {
                    let s = s.clone();
                    thread::spawn(move || {
                        drop(s.1.wait_while(s.0.lock().unwrap(), |x| if i == 0 { !x.0 } else { !x.1 }).unwrap())
                    })
                })
                .collect();
            nap(10);
            s.0.lock().unwrap().0 = true;
            s.1.notify_all();
            s.0.lock().unwrap().1 = true;
            s.1.notify_all();
            for t in t {
                t.join().unwrap()
            }
        }
        "counter_cv" => {
            let s = Arc::new((Mutex::new(0), Condvar::new()));
            let t: Vec<_> = (0..4)
                .map(|_| {
                    let s = s.clone();
                    thread::spawn(move || {
                        let mut g = s.0.lock().unwrap();
                        *g += 1;
                        if *g == 4 {
                            s.1.notify_all()
                        }
                    })
                })
                .collect();
            drop(s.1.wait_while(s.0.lock().unwrap(), |n| *n < 4).unwrap());
            for t in t {
                t.join().unwrap()
            }
        }
        "scope_locks" => {
            let m = Mutex::new(0);
            let n = Mutex::new(0);
            thread::scope(|s| {
                s.spawn(|| *m.lock().unwrap() += 1);
                let _g = n.lock().unwrap();
                s.spawn(|| *m.lock().unwrap() += 1);
            });
            let g = n.lock().unwrap();
            thread::scope(|s| {
                s.spawn(|| *m.lock().unwrap() += 1);
            });
            println!("{g}");
        }
        "rendezvous" => {
            let (a, b) = mpsc::sync_channel(0);
            let (c, d) = mpsc::sync_channel(0);
            let t = thread::spawn(move || {
                for x in b {
                    if c.send(x * 2).is_err() {
                        break;
                    }
                }
            });
            for i in 0..5 {
                a.send(i).unwrap();
                d.recv().unwrap();
            }
            drop(a);
            t.join().unwrap();
        }
        "shutdown_flag" => {
            let s = Arc::new((Mutex::new((VecDeque::new(), false)), Condvar::new()));
            let s2 = s.clone();
            let t = thread::spawn(move || {
                let mut n = 0;
                loop {
                    let mut g = s2.1.wait_while(s2.0.lock().unwrap(), |x| x.0.is_empty() && !x.1).unwrap();
                    if let Some(x) = g.0.pop_front() {
                        n += x
                    } else {
                        break n;
                    }
                }
            });
            for i in 0..5 {
                s.0.lock().unwrap().0.push_back(i);
                s.1.notify_one();
            }
            s.0.lock().unwrap().1 = true;
            s.1.notify_one();
            println!("{}", t.join().unwrap());
        }
        "fork_join_sum" => {
            fn sum(x: &[u64]) -> u64 {
                if x.len() < 4 {
                    return x.iter().sum();
                }
                let (a, b) = x.split_at(x.len() / 2);
                thread::scope(|s| {
                    let h = s.spawn(|| sum(a));
                    sum(b) + h.join().unwrap()
                })
            }
            println!("{}", sum(&(0..40).collect::<Vec<_>>()));
        }
        "handover" => {
            let m = Arc::new(Mutex::new(vec![1]));
            let (tx, rx) = mpsc::channel();
            let m2 = m.clone();
            let t = thread::spawn(move || {
                for i in 0..3 {
                    m2.lock().unwrap().push(i);
                    tx.send(i).unwrap();
                }
            });
            for _ in 0..3 {
                let _x = rx.recv().unwrap();
                let g = m.lock().unwrap();
                drop(g);
            }
            t.join().unwrap();
        }
        "poison" => {
            let m = Arc::new(Mutex::new(0));
            let m2 = m.clone();
            let (tx, rx) = mpsc::channel::<()>();
            let t = thread::spawn(move || {
                let _tx = tx;
                let _g = m2.lock().unwrap();
                panic!("x")
            });
            let _ = rx.recv();
            let _ = t.join();
            drop(m.lock());
        }
        other => panic!("{other}"),
    }
}
