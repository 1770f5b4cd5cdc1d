//! Locks alone.

use crate::line_up::{start, Blocking};
use instrumented_sync::{label, Arc, Mutex, RwLock};
use std::sync::Barrier;

pub fn ab_ba() {
    let (alpha, beta) = crate::two();
    label(&*alpha, "alpha");
    label(&*beta, "beta");
    let met = Arc::new(Barrier::new(2));
    let left = {
        let (alpha, beta, met) = (alpha.clone(), beta.clone(), met.clone());
        start("left", move || {
            let _alpha = alpha.lock().unwrap(); // left holds alpha
            met.wait();
            let _beta = beta.lock().unwrap(); // left wants beta
        })
    };
    let right = start("right", move || {
        let _beta = beta.lock().unwrap(); // right holds beta
        met.wait();
        let _alpha = alpha.lock().unwrap(); // right wants alpha
    });
    left.join().unwrap();
    right.join().unwrap();
}

pub fn cycle_of_3() {
    cycle(3);
}

pub fn cycle_of_10() {
    cycle(10);
}

fn cycle(n: usize) {
    let forks: Arc<Vec<_>> = Arc::new((0..n).map(Mutex::new).collect());
    for (idx, fork) in forks.iter().enumerate() {
        label(fork, &format!("fork {idx}"));
    }
    let seated = Arc::new(Barrier::new(n));
    let philosophers: Vec<_> = (0..n)
        .map(|idx| {
            let (forks, seated) = (forks.clone(), seated.clone());
            start(&format!("philosopher {idx}"), move || {
                let _left = forks[idx].lock().unwrap(); // a philosopher holds a fork
                seated.wait();
                let _right = forks[(idx + 1) % n].lock().unwrap(); // a philosopher wants a fork
            })
        })
        .collect();
    for philosopher in philosophers {
        philosopher.join().unwrap();
    }
}

static JOURNAL: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn append(line: &str) {
    JOURNAL.lock().unwrap().push(line.into()); // append wants the journal
}

pub fn relock() {
    label(&JOURNAL, "journal");
    let writer = start("writer", || {
        let journal = JOURNAL.lock().unwrap(); // the writer holds the journal
        append("begin");
        drop(journal);
    });
    writer.join().unwrap();
}

pub fn relock_after_contention() {
    let ledger = Arc::new(Mutex::new(0));
    label(&*ledger, "ledger");
    let blocked = Arc::new(Blocking::default());
    let total = ledger.lock().unwrap();
    let rival = {
        let (ledger, blocked) = (ledger.clone(), blocked.clone());
        start("rival", move || {
            blocked.begins();
            *ledger.lock().unwrap() += 1;
        })
    };
    blocked.wait_until_asleep();
    drop(total);
    rival.join().unwrap();
    let clerk = start("clerk", move || {
        let total = ledger.lock().unwrap(); // the clerk holds the ledger
        *ledger.lock().unwrap() += *total; // the clerk wants the ledger
    });
    clerk.join().unwrap();
}

pub fn read_again() {
    let table = Arc::new(RwLock::new(0));
    label(&*table, "table");
    let (reading, writing) = (Arc::new(Barrier::new(2)), Arc::new(Blocking::default()));
    let reader = {
        let (table, reading, writing) = (table.clone(), reading.clone(), writing.clone());
        start("reader", move || {
            let first = table.read().unwrap(); // the reader holds the table
            reading.wait();
            writing.wait_until_asleep();
            let second = table.read().unwrap(); // the reader wants the table
            assert_eq!(*first, *second);
        })
    };
    let writer = start("writer", move || {
        reading.wait();
        writing.begins();
        *table.write().unwrap() += 1; // the writer wants the table
    });
    reader.join().unwrap();
    writer.join().unwrap();
}

/// The link between the two readers is the writer that queues between them.
pub fn ring_of_readers() {
    let (table, stats) = (Arc::new(RwLock::new(0)), Arc::new(Mutex::new(0)));
    label(&*table, "table");
    label(&*stats, "stats");
    let (met, writing) = (Arc::new(Barrier::new(3)), Arc::new(Blocking::default()));
    let first = {
        let (table, stats, met) = (table.clone(), stats.clone(), met.clone());
        start("first", move || {
            let row = table.read().unwrap(); // first holds the table
            met.wait();
            *stats.lock().unwrap() += *row; // first wants the stats
        })
    };
    let second = {
        let (table, met, writing) = (table.clone(), met.clone(), writing.clone());
        start("second", move || {
            let mut sum = stats.lock().unwrap(); // second holds the stats
            met.wait();
            writing.wait_until_asleep();
            *sum += *table.read().unwrap(); // second wants the table
        })
    };
    let writer = start("writer", move || {
        met.wait();
        writing.begins();
        *table.write().unwrap() += 1; // the writer of the ring wants the table
    });
    for thread in [first, second, writer] {
        thread.join().unwrap();
    }
}

pub fn upgrade() {
    let config = Arc::new(RwLock::new(0));
    label(&*config, "config");
    let met = Arc::new(Barrier::new(2));
    let threads = ["first", "second"].map(|name| {
        let (config, met) = (config.clone(), met.clone());
        start(name, move || {
            let seen = config.read().unwrap(); // it holds the config for reading
            met.wait();
            if *seen == 0 {
                *config.write().unwrap() = 1; // it wants the config for writing
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Two that have nothing to do with each other.
pub fn two_hangs() {
    let [orders, stock, bills, cash] = ["orders", "stock", "bills", "cash"].map(|name| {
        let mutex = Arc::new(Mutex::new(0));
        label(&*mutex, name);
        mutex
    });
    let (shop, till) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let threads = [
        {
            let (orders, stock, shop) = (orders.clone(), stock.clone(), shop.clone());
            start("seller", move || {
                let _orders = orders.lock().unwrap(); // the seller holds the orders
                shop.wait();
                let _stock = stock.lock().unwrap(); // the seller wants the stock
            })
        },
        start("packer", move || {
            let _stock = stock.lock().unwrap(); // the packer holds the stock
            shop.wait();
            let _orders = orders.lock().unwrap(); // the packer wants the orders
        }),
        {
            let (bills, cash, till) = (bills.clone(), cash.clone(), till.clone());
            start("biller", move || {
                let _bills = bills.lock().unwrap(); // the biller holds the bills
                till.wait();
                let _cash = cash.lock().unwrap(); // the biller wants the cash
            })
        },
        start("cashier", move || {
            let _cash = cash.lock().unwrap(); // the cashier holds the cash
            till.wait();
            let _bills = bills.lock().unwrap(); // the cashier wants the bills
        }),
    ];
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Others queue for a lock of those that hang.
pub fn bystanders() {
    let (red, blue) = crate::two();
    label(&*red, "red");
    label(&*blue, "blue");
    let met = Arc::new(Barrier::new(2));
    let painter = {
        let (red, blue, met) = (red.clone(), blue.clone(), met.clone());
        start("painter", move || {
            let _red = red.lock().unwrap(); // the painter holds red
            met.wait();
            let _blue = blue.lock().unwrap(); // the painter wants blue
        })
    };
    let holds_blue = Arc::new(Barrier::new(2));
    let printer = {
        let (red, blue, holds_blue) = (red.clone(), blue.clone(), holds_blue.clone());
        start("printer", move || {
            let _blue = blue.lock().unwrap(); // the printer holds blue
            holds_blue.wait();
            met.wait();
            let _red = red.lock().unwrap(); // the printer wants red
        })
    };
    holds_blue.wait();
    let visitors = [1, 2, 3].map(|n| {
        let blue = blue.clone();
        start(&format!("visitor {n}"), move || drop(blue.lock().unwrap()))
    });
    for thread in [painter, printer].into_iter().chain(visitors) {
        thread.join().unwrap();
    }
}
