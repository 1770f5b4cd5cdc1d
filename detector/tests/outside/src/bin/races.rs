//! Programs that share data without a lock around each access: of the first no two accesses are unordered, in no schedule; of
//! the others some are. The argument names one.

use instrumented_sync::{
    atomic::{fence, AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering},
    cell::{RaceCell, UnsafeCell},
    free_of, mpsc::{channel, sync_channel},
    read_of, thread, trace, tracked, write_of, Arc, Barrier, Condvar, Latch, LazyLock, Mutex, Once, OnceLock, RwLock,
    Semaphore,
};
use std::{ptr, time::Duration};

/// The schedule of this run, as far as it is not left to chance. No verdict about a right program depends on it.
fn later(n: u64) {
    std::thread::sleep(Duration::from_millis(20 * n));
}

/// Data that threads share.
type Cell = Arc<RaceCell<u32>>;

fn cell() -> Cell {
    Arc::new(RaceCell::new(0))
}

#[track_caller]
fn get(cell: &RaceCell<u32>) -> u32 {
    unsafe { cell.read() }
}

#[track_caller]
fn set(cell: &RaceCell<u32>, value: u32) {
    unsafe { cell.write(value) }
}

/// Two threads at once.
fn both(first: impl FnOnce() + Send, second: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(first);
        scope.spawn(second);
    });
}

fn forks_and_joins() {
    let data = cell();
    set(&data, 1);
    let of_thread = data.clone();
    let thread = thread::spawn(move || set(&of_thread, get(&of_thread) + 1));
    thread.join().unwrap();
    set(&data, get(&data) + 1);
}

fn scope_after_scope() {
    let data = RaceCell::new(0);
    for _ in 0..2 {
        thread::scope(|scope| {
            scope.spawn(|| set(&data, 1));
        });
        set(&data, 2);
    }
}

fn readers_only() {
    let data = RaceCell::new(7);
    both(|| assert_eq!(get(&data), 7), || assert_eq!(get(&data), 7));
}

fn under_a_lock() {
    let (data, lock) = (RaceCell::new(0), Mutex::new(()));
    let add = || {
        for _ in 0..100 {
            let _guard = lock.lock().unwrap();
            set(&data, get(&data) + 1);
        }
    };
    both(add, add);
}

fn under_a_read_write_lock() {
    let (data, lock) = (RaceCell::new(0), RwLock::new(()));
    let work = || {
        for at in 0..100 {
            if at % 10 == 0 {
                let _guard = lock.write().unwrap();
                set(&data, at);
            } else {
                let _guard = lock.read().unwrap();
                get(&data);
            }
        }
    };
    both(work, work);
}

fn through_messages() {
    let data = cell();
    let (sender, receiver) = channel();
    let of_thread = data.clone();
    let thread = thread::spawn(move || {
        set(&of_thread, 1);
        sender.send(()).unwrap();
    });
    receiver.recv().unwrap();
    set(&data, 2);
    thread.join().unwrap();
}

fn through_the_end_of_messages() {
    let data = cell();
    let (sender, receiver) = channel::<()>();
    let of_thread = data.clone();
    let thread = thread::spawn(move || {
        set(&of_thread, 1);
        drop(sender);
    });
    assert!(receiver.recv().is_err());
    set(&data, 2);
    thread.join().unwrap();
}

/// Whoever has the one place in the channel is alone.
fn bounded_channel_as_a_lock() {
    let data = RaceCell::new(0);
    let (sender, receiver) = sync_channel(1);
    let receiver = Mutex::new(receiver);
    let work = |sender: instrumented_sync::mpsc::SyncSender<()>| {
        let (data, receiver) = (&data, &receiver);
        move || {
            for _ in 0..50 {
                sender.send(()).unwrap();
                set(data, get(data) + 1);
                receiver.lock().unwrap().recv().unwrap();
            }
        }
    };
    both(work(sender.clone()), work(sender));
}

fn rendezvous() {
    let data = RaceCell::new(0);
    let (sender, receiver) = sync_channel(0);
    let receiver = Mutex::new(receiver);
    both(
        || {
            sender.send(()).unwrap();
            set(&data, 2);
        },
        || {
            set(&data, 1);
            receiver.lock().unwrap().recv().unwrap();
        },
    );
}

fn through_a_condition() {
    let (data, ready, changed) = (RaceCell::new(0), Mutex::new(false), Condvar::new());
    both(
        || {
            let _ready = changed.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
            set(&data, 2);
        },
        || {
            set(&data, 1);
            *ready.lock().unwrap() = true;
            changed.notify_one();
        },
    );
}

fn round_after_round() {
    let (data, barrier) = ([RaceCell::new(0), RaceCell::new(0)], Barrier::new(2));
    let work = |me: usize| {
        let (data, barrier) = (&data, &barrier);
        move || {
            for at in 0..20 {
                set(&data[me], at);
                barrier.wait();
                get(&data[1 - me]);
                barrier.wait();
            }
        }
    };
    both(work(0), work(1));
}

fn behind_a_latch() {
    let (data, latch) = (RaceCell::new(0), Latch::new(1));
    both(
        || {
            set(&data, 1);
            latch.count_down();
        },
        || {
            latch.wait();
            get(&data);
        },
    );
}

fn one_permit() {
    let (data, semaphore) = (RaceCell::new(0), Semaphore::new(1));
    let add = || {
        for _ in 0..50 {
            let _permit = semaphore.access();
            set(&data, get(&data) + 1);
        }
    };
    both(add, add);
}

fn parked_until() {
    let data = cell();
    let of_thread = data.clone();
    let thread = thread::spawn(move || {
        thread::park();
        get(&of_thread);
    });
    set(&data, 1);
    thread.thread().unpark();
    thread.join().unwrap();
}

fn initialised_once() {
    static DATA: RaceCell<u32> = RaceCell::new(0);
    static ONCE: Once = Once::new();
    static FIRST: OnceLock<u32> = OnceLock::new();
    static LAZY: LazyLock<u32> = LazyLock::new(|| get(&DATA));
    let work = || {
        ONCE.call_once(|| set(&DATA, 1));
        assert_eq!((get(&DATA), *FIRST.get_or_init(|| 1), *LAZY), (1, 1, 1));
    };
    both(work, work);
}

fn published() {
    let (data, ready) = (RaceCell::new(0), AtomicBool::new(false));
    both(
        || {
            set(&data, 1);
            ready.store(true, Ordering::Release);
        },
        || {
            while !ready.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(get(&data), 1);
        },
    );
}

fn published_behind_fences() {
    let (data, ready) = (RaceCell::new(0), AtomicBool::new(false));
    both(
        || {
            set(&data, 1);
            fence(Ordering::Release);
            ready.store(true, Ordering::Relaxed);
        },
        || {
            while !ready.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            fence(Ordering::Acquire);
            assert_eq!(get(&data), 1);
        },
    );
}

/// The counter goes on, relaxed, from what was released: a release sequence.
fn counted_up_from_what_was_published() {
    let (data, count) = (RaceCell::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            set(&data, 1);
            count.fetch_add(1, Ordering::Release);
        });
        scope.spawn(|| {
            while count.fetch_add(1, Ordering::Relaxed) == 0 {
                count.fetch_sub(1, Ordering::Relaxed);
                std::thread::yield_now();
            }
        });
        scope.spawn(|| {
            while count.load(Ordering::Acquire) < 2 {
                std::thread::yield_now();
            }
            assert_eq!(get(&data), 1);
        });
    });
}

fn taken_by_compare_exchange() {
    let (data, lock) = (RaceCell::new(0), AtomicU32::new(0));
    let add = || {
        for _ in 0..100 {
            while lock.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed).is_err() {
                std::thread::yield_now();
            }
            set(&data, get(&data) + 1);
            lock.store(0, Ordering::Release);
        }
    };
    both(add, add);
}

/// Nobody else can have it.
fn alone() {
    let mut data = UnsafeCell::new(0);
    *data.get_mut() = 1;
    let thread = thread::spawn(move || {
        data.with_mut(|data| unsafe { *data = 2 });
        data
    });
    let mut data = thread.join().unwrap();
    *data.get_mut() = 3;
    assert_eq!(data.into_inner(), 3);
}

/// Cells move, and others come to where they were.
fn cells_that_move() {
    struct Shared(UnsafeCell<u64>);
    unsafe impl Sync for Shared {}
    let work = || {
        for _ in 0..100 {
            let mut cells: Vec<Shared> = Vec::new();
            for at in 0..10 {
                cells.push(Shared(UnsafeCell::new(at)));
                cells.iter().for_each(|cell| cell.0.with_mut(|data| unsafe { *data += 1 }));
            }
        }
    };
    both(work, work);
}

/// What one thread frees the allocator gives to another.
fn memory_that_is_used_again() {
    let work = || {
        for at in 0..200_u64 {
            let data = Box::into_raw(Box::new([at; 4]));
            unsafe {
                write_of!((*data)[1]);
                (*data)[1] = 1;
                read_of!(*data);
                assert_eq!((*data)[1], 1);
                free_of!(*data);
                drop(Box::from_raw(data));
            }
        }
    };
    both(work, work);
    thread::spawn(work).join().unwrap();
}

/// Each thread has a field of its own.
fn fields_side_by_side() {
    struct Fields(*mut [u8; 2]);
    unsafe impl Sync for Fields {}
    let fields = Fields(Box::into_raw(Box::new([0; 2])));
    let add = |me: usize| {
        let fields = &fields;
        move || {
            for _ in 0..100 {
                unsafe {
                    write_of!((*fields.0)[me]);
                    (*fields.0)[me] += 1;
                }
            }
        }
    };
    both(add(0), add(1));
    unsafe {
        read_of!(*fields.0);
        free_of!(*fields.0);
        drop(Box::from_raw(fields.0));
    }
}

/// The last of those who share something has it alone.
fn last_of_those_who_share() {
    let data = tracked::Arc::new(UnsafeCellOf(UnsafeCell::new(0_u32)));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let data = data.clone();
            thread::spawn(move || data.0.with(|data| unsafe { *data }))
        })
        .collect();
    drop(data);
    threads.into_iter().for_each(|thread| _ = thread.join().unwrap());
    struct UnsafeCellOf(UnsafeCell<u32>);
    unsafe impl Sync for UnsafeCellOf {}
    impl Drop for UnsafeCellOf {
        fn drop(&mut self) {
            self.0.with_mut(|data| unsafe { *data = 1 });
        }
    }
}

/// A count that is not recorded, and what it orders said by hand.
fn said_by_hand() {
    let (data, count) = (RaceCell::new(0), std::sync::atomic::AtomicUsize::new(2));
    let leave = || {
        get(&data);
        trace::released(&count);
        if count.fetch_sub(1, Ordering::Release) == 1 {
            std::sync::atomic::fence(Ordering::Acquire);
            trace::acquired(&count);
            set(&data, 1);
        }
    };
    both(leave, leave);
}

fn nothing_in_between() {
    let data = RaceCell::new(0);
    both(
        || set(&data, 1), // first
        || {
            later(1);
            get(&data); // second
        },
    );
}

fn published_too_weakly() {
    let (data, ready) = (RaceCell::new(0), AtomicBool::new(false));
    both(
        || {
            set(&data, 1); // first
            ready.store(true, Ordering::Relaxed); // repair
        },
        || {
            while !ready.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            get(&data); // second
        },
    );
}

fn looked_at_too_weakly() {
    let (data, ready) = (RaceCell::new(0), AtomicBool::new(false));
    both(
        || {
            set(&data, 1); // first
            ready.store(true, Ordering::Release);
        },
        || {
            while !ready.load(Ordering::Relaxed) { // repair
                std::thread::yield_now();
            }
            get(&data); // second
        },
    );
}

fn one_fence_is_missing() {
    let (data, ready) = (RaceCell::new(0), AtomicBool::new(false));
    both(
        || {
            set(&data, 1); // first
            fence(Ordering::Release);
            ready.store(true, Ordering::Relaxed);
        },
        || {
            while !ready.load(Ordering::Relaxed) { // repair
                std::thread::yield_now();
            }
            get(&data); // second
        },
    );
}

fn flag_before_the_data() {
    let (data, ready) = (RaceCell::new(0), AtomicBool::new(false));
    both(
        || {
            ready.store(true, Ordering::Release);
            set(&data, 1); // first
        },
        || {
            later(1);
            if ready.load(Ordering::Acquire) {
                get(&data); // second
            }
        },
    );
}

fn written_under_a_shared_lock() {
    let (data, lock) = (RaceCell::new(0), RwLock::new(()));
    both(
        || {
            let _guard = lock.read().unwrap();
            set(&data, 1); // first
        },
        || {
            let _guard = lock.read().unwrap();
            set(&data, 2); // second
        },
    );
}

fn one_lock_each() {
    let (data, first, second) = (RaceCell::new(0), Mutex::new(()), Mutex::new(()));
    both(
        || {
            let _guard = first.lock().unwrap();
            set(&data, 1); // first
        },
        || {
            let _guard = second.lock().unwrap();
            set(&data, 2); // second
        },
    );
}

fn used_behind_the_message() {
    let data = cell();
    let (sender, receiver) = channel();
    let of_thread = data.clone();
    let thread = thread::spawn(move || {
        sender.send(()).unwrap();
        set(&of_thread, 1); // first
    });
    receiver.recv().unwrap();
    later(1);
    get(&data); // second
    thread.join().unwrap();
}

fn atomic_and_not() {
    static DATA: AtomicU32 = AtomicU32::new(0);
    both(
        || DATA.store(1, Ordering::Relaxed), // first
        || {
            later(1);
            read_of!(DATA); // second
        },
    );
}

/// The run has the lock in an order that keeps the two apart; another one has not.
fn hidden_by_the_order_of_a_lock() {
    let (data, lock) = (RaceCell::new(0), Mutex::new(0));
    both(
        || {
            set(&data, 1); // first
            *lock.lock().unwrap() += 1;
        },
        || {
            later(2);
            drop(lock.lock().unwrap());
            set(&data, 2); // second
        },
    );
}

fn one_permit_too_many() {
    let (data, semaphore) = (RaceCell::new(0), Semaphore::new(2));
    both(
        || {
            let _permit = semaphore.access();
            set(&data, 1); // first
        },
        || {
            later(2);
            let _permit = semaphore.access();
            set(&data, 2); // second
        },
    );
}

/// The node is freed while somebody else may still read it.
fn freed_too_early() {
    let head = AtomicPtr::new(Box::into_raw(Box::new(1_u32)));
    both(
        || {
            let node = head.load(Ordering::Acquire);
            later(4);
            assert!(!node.is_null());
            read_of!(*node); // first
        },
        || {
            later(2);
            let node = head.swap(ptr::null_mut(), Ordering::AcqRel);
            later(4);
            free_of!(*node); // second
            drop(unsafe { Box::from_raw(node) });
        },
    );
}

fn main() {
    let name = std::env::args().nth(1).unwrap();
    macro_rules! run {
        ($($name:ident)*) => {
            match name.as_str() {
                $(stringify!($name) => $name(),)*
                _ => panic!("there is no {name}"),
            }
        };
    }
    run!(
        forks_and_joins scope_after_scope readers_only under_a_lock under_a_read_write_lock through_messages
        through_the_end_of_messages bounded_channel_as_a_lock rendezvous through_a_condition round_after_round behind_a_latch
        one_permit parked_until initialised_once published published_behind_fences counted_up_from_what_was_published
        taken_by_compare_exchange alone cells_that_move memory_that_is_used_again fields_side_by_side
        last_of_those_who_share said_by_hand nothing_in_between published_too_weakly looked_at_too_weakly
        one_fence_is_missing flag_before_the_data written_under_a_shared_lock one_lock_each used_behind_the_message
        atomic_and_not hidden_by_the_order_of_a_lock one_permit_too_many freed_too_early
    )
}
