//! Tasks and the locks that they own.

use crate::{
    record, sequence, so_far,
    support::{Thread, Trace},
};
use instrumented_sync::{
    label,
    task::{Mutex, Task, Workers, record as recorded},
};
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};
use trace_format::{
    Event, Flags, Kind, ObjectId,
    slot::{Life, Snapshot},
};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A thread's events on an object, its making and its end left out.
fn uses(thread: &Thread, object: u64) -> Vec<(Kind, Flags, u64)> {
    let events = sequence(thread, object).into_iter();
    events.filter(|(kind, ..)| !matches!(*kind, Kind::CREATE | Kind::DESTROY)).collect()
}

fn object(trace: &Trace, task: &str) -> u64 {
    let found = trace.names.iter().find(|(_, tid, name)| *tid == 0 && name == task);
    found.unwrap_or_else(|| panic!("no task {task}: {:?}", trace.names)).0
}

/// The slot of a task, as the trace has it now.
fn slot(task: &str) -> (Trace, Snapshot) {
    let trace = so_far();
    let slot = trace.slot(object(&trace, task));
    assert_eq!(slot.tid, 0);
    (trace, slot)
}

fn wait(task: &str) -> Option<(Kind, u64)> {
    slot(task).1.wait.map(|wait| (wait.kind(), wait.object().0))
}

fn held(task: &str) -> Vec<u64> {
    let (trace, slot) = slot(task);
    trace.held(&slot)
}

/// One task holds the lock, another one wants it, gets it, and ends holding it.
pub(crate) fn handed_over() {
    let lock = Mutex::new(0);
    label(&lock, "lock");
    let object_of_lock = so_far().labelled("lock");
    let (first, second) = (Task::new("first"), Task::new("second"));
    let mut context = Context::from_waker(Waker::noop());
    let mut wanted = Box::pin(lock.lock());
    let held_by_first = first.poll(&mut context, |_| {
        let (trace, slot) = slot("first");
        let this_thread = trace.threads.iter().find(|thread| thread.count(Kind::TASK_BEGIN) > 0).unwrap().object;
        assert_eq!(slot.wait.map(|wait| (wait.kind(), wait.object())), Some((Kind::TASK_BEGIN, ObjectId(this_thread))));
        lock.try_lock().unwrap()
    });
    assert_eq!((held("first"), wait("first")), (vec![object_of_lock], None));
    assert!(second.poll(&mut context, |context| wanted.as_mut().poll(context).is_pending()));
    assert_eq!(wait("second"), Some((Kind::REQUEST, object_of_lock)));
    drop(held_by_first);
    assert_eq!((held("first"), held("second"), wait("second")), (vec![], vec![object_of_lock], None));
    let Poll::Ready(guard) = second.poll(&mut context, |context| wanted.as_mut().poll(context)) else { panic!() };
    assert_eq!(held("second"), [object_of_lock]);
    drop((first, second));
    let (trace, slot) = slot("second");
    assert_eq!((slot.life, trace.held(&slot)), (Life::ENDED, vec![object_of_lock]));
    drop(guard);
    assert!(!so_far().slots().iter().any(|slot| slot.tid == 0), "both slots were given back");
}

#[test]
fn a_release_hands_the_lock_to_the_task_that_waits() {
    let trace = record("task::handed_over");
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::TASK_BEGIN) > 0).unwrap();
    let lock = uses(thread, trace.labelled("lock"));
    let expected = [
        (Kind::ACQUIRE, Flags::TRY, 1),
        (Kind::REQUEST, Flags::NONE, 0),
        (Kind::RELEASE, Flags::NONE, 1),
        (Kind::ACQUIRE, Flags::CONTENDED, 2),
        (Kind::RELEASE, Flags::NONE, 2),
    ];
    assert_eq!(lock, expected);
    let polls = |n| [(Kind::TASK_BEGIN, Flags::NONE, n), (Kind::TASK_SUSPEND, Flags::NONE, n)];
    for (task, n_polls) in [("first", 1), ("second", 2)] {
        let mut expected: Vec<_> = (1..=n_polls).flat_map(polls).collect();
        expected.push((Kind::TASK_END, Flags::NONE, 0));
        assert_eq!(uses(thread, object(&trace, task)), expected);
    }
}

/// Futures that do not live to use what they got, and a waker in other hands.
pub(crate) fn given_up() {
    let [lock, other] = [Mutex::new(0), Mutex::new(0)];
    label(&lock, "lock");
    label(&other, "other");
    let object_of_lock = so_far().labelled("lock");
    let task = Task::new("fickle");
    let mut context = Context::from_waker(Waker::noop());
    let guards = (lock.try_lock().unwrap(), other.try_lock().unwrap());
    {
        let (mut wanted, mut too) = (pin!(lock.lock()), pin!(other.lock()));
        let mut both = |context: &mut Context<'_>| {
            (wanted.as_mut().poll(context).is_pending(), too.as_mut().poll(context).is_pending())
        };
        assert_eq!(task.poll(&mut context, &mut both), (true, true));
        assert_eq!(wait("fickle"), None, "either may come");
    }
    let mut wanted = Box::pin(lock.lock());
    let kept = task.poll(&mut context, |context| {
        assert!(wanted.as_mut().poll(context).is_pending());
        context.waker().clone()
    });
    assert_eq!(wait("fickle"), None, "somebody else may wake it");
    drop(kept);
    task.poll(&mut context, |context| assert!(wanted.as_mut().poll(context).is_pending()));
    assert_eq!(wait("fickle"), Some((Kind::REQUEST, object_of_lock)));
    drop(guards);
    assert_eq!(held("fickle"), [object_of_lock]);
    drop(wanted);
    assert_eq!(held("fickle"), []);
    drop(lock.try_lock().unwrap());
}

#[test]
fn what_is_given_up_takes_no_number() {
    let trace = record("task::given_up");
    let events: Vec<Event> = trace.events().filter(|event| event.object().0 == trace.labelled("lock")).collect();
    let numbers = |kind| {
        let of_kind = events.iter().filter(|event| event.kind() == kind);
        of_kind.map(|event| event.seq()).collect::<Vec<_>>()
    };
    assert_eq!((numbers(Kind::ACQUIRE), numbers(Kind::RELEASE)), (vec![1, 2], vec![1, 2]));
}

/// A task that is made, polled, woken, and polled within another one.
pub(crate) fn runnable() {
    let workers = Workers::new();
    label(&workers, "workers");
    let object_of_workers = so_far().labelled("workers");
    workers.enter();
    let mut woken = None;
    let mut inner = pin!(workers.record("inner", async {
        std::future::poll_fn(|context| {
            woken = Some(context.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    }));
    assert_eq!(wait("inner"), Some((Kind::WAIT, object_of_workers)));
    let mut outer = pin!(recorded("outer", async {
        assert!(poll(inner.as_mut()).is_pending());
        assert_eq!(wait("inner"), None, "suspended");
    }));
    assert!(poll(outer.as_mut()).is_ready());
    woken.unwrap().wake();
    assert_eq!(wait("inner"), Some((Kind::WAIT, object_of_workers)));
}

#[test]
fn nested_polls_begin_the_outer_task_again() {
    let trace = record("task::runnable");
    let thread = trace.threads.iter().find(|thread| thread.count(Kind::TASK_BEGIN) > 0).unwrap();
    let (outer, inner) = (object(&trace, "outer"), object(&trace, "inner"));
    let polls = thread.events.iter().filter(|event| matches!(event.kind(), Kind::TASK_BEGIN | Kind::TASK_SUSPEND));
    let polls: Vec<_> = polls.map(|event| (event.kind(), event.object().0, event.seq())).collect();
    let (begin, suspend) = (Kind::TASK_BEGIN, Kind::TASK_SUSPEND);
    let expected = [(begin, outer, 1), (begin, inner, 1), (suspend, inner, 1), (begin, outer, 1), (suspend, outer, 1)];
    assert_eq!(polls, expected);
    assert_eq!(uses(thread, trace.labelled("workers")), [(Kind::ARRIVE, Flags::NONE, 0)]);
}
