//! The limit of bytes: the program goes on, what is not kept is counted, and slots stay exact.

use crate::support::{
    Trace,
    program::{command, own_trace, start, tell, wait_for_go},
    rules,
};
use instrumented_sync::{Mutex, label, thread};
use trace_format::{Kind, MAX_BYTES_VARIABLE, process::Stopped};

const N_PAIRS: u32 = 30_000;

static WANTED: Mutex<u32> = Mutex::new(0);
static OWN: Mutex<u32> = Mutex::new(0);

/// Work that fills any small file, then a thread that waits for a lock which this one holds.
pub(crate) fn works() {
    label(&WANTED, "wanted");
    label(&OWN, "own");
    let work = || (0..N_PAIRS).for_each(|_| *OWN.lock().unwrap() += 1);
    let builder = thread::Builder::new().name("worker".into());
    builder.spawn(work).unwrap().join().unwrap();
    assert_eq!(*OWN.lock().unwrap(), N_PAIRS);
    let held = WANTED.lock().unwrap();
    let builder = thread::Builder::new().name("waiter".into());
    let waiter = builder.spawn(|| {
        let _own = OWN.lock().unwrap();
        *WANTED.lock().unwrap() += 1;
    });
    while !Trace::only(&own_trace()).slots().iter().any(|slot| slot.exact) {
        thread::yield_now();
    }
    tell("blocked");
    wait_for_go();
    drop(held);
    waiter.unwrap().join().unwrap();
    assert_eq!(*WANTED.lock().unwrap(), 1);
}

/// Runs the program with a limit; returns its trace at the end.
fn run_with(bytes_max: u64) -> Trace {
    let dir = tempfile::tempdir().unwrap();
    let mut program = start(command("limit::works", dir.path()).env(MAX_BYTES_VARIABLE, bytes_max.to_string()));
    assert!(program.heard("blocked"));
    check_slots(&Trace::only(dir.path()));
    program.go();
    let status = program.end();
    assert!(status.success(), "{status}");
    let trace = Trace::only(dir.path());
    assert_eq!(trace.header.limit_bytes, bytes_max);
    assert!(trace.header.exited);
    trace
}

fn check_slots(trace: &Trace) {
    let (wanted, own) = (trace.labelled("wanted"), trace.labelled("own"));
    let slots = trace.slots();
    assert_eq!(slots.len(), 2);
    let (waiter, holder) = if slots[0].exact { (slots[0], slots[1]) } else { (slots[1], slots[0]) };
    let wait = waiter.wait.expect("the waiter waits");
    assert_eq!((wait.kind(), wait.object().0), (Kind::REQUEST, wanted));
    assert_eq!((trace.held(&waiter), trace.held(&holder)), (vec![own], vec![wanted]));
    assert_eq!(trace.holds(&waiter)[0].seq(), u64::from(N_PAIRS) + 2);
}

fn n_recorded(trace: &Trace) -> u64 {
    let mark = |kind| matches!(kind, Kind::TIME | Kind::LOST | Kind::OWNER);
    trace.events().filter(|event| !mark(event.kind())).count() as u64
}

#[test]
fn what_the_limit_cuts_off_is_counted() {
    let all = run_with(1 << 30);
    assert_eq!((all.n_lost(), all.header.stopped), (0, Stopped::No));
    rules::check(&all, rules::Ending::Exit);
    let n_performed = n_recorded(&all);
    assert!(n_performed > u64::from(2 * N_PAIRS));
    // Room for no segment at all, for one, for a few.
    for bytes_max in [100_000, 200_000, 300_000, 600_000] {
        let trace = run_with(bytes_max);
        assert_eq!(trace.header.stopped, Stopped::Limit);
        let (n_recorded, n_lost) = (n_recorded(&trace), trace.n_lost());
        println!("limit {bytes_max}: {n_recorded} recorded, {n_lost} lost of {n_performed}");
        // What a thread without space did last is counted when it ends, and the main thread's when the program does.
        assert_eq!(n_recorded + n_lost, n_performed);
        let bytes_events: usize = trace.segments().map(|(_, header)| header.bytes).sum();
        assert!(bytes_events as u64 <= bytes_max);
        check_marks(&trace);
    }
}

/// Behind a LOST event its thread has nothing more in that segment, and each counts something.
fn check_marks(trace: &Trace) {
    for thread in &trace.threads {
        for (n, lost) in thread.events.iter().enumerate().filter(|(_, event)| event.kind() == Kind::LOST) {
            assert!(lost.seq() > 0);
            assert!(n + 1 == thread.events.len() || thread.segments.len() > 1);
        }
    }
}
