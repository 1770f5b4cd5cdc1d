//! What the explorer says of histories made by hand, one primitive after the other.

use crate::{
    explorer::{Explored, explore},
    histories::pair_messages,
    native::Native,
};
use detector::history::{
    History,
    Kind::{self, *},
    Mode, Operation, Resource,
};

/// A history of which thread does what with which target.
fn history(resources: &[Resource], operations: &[(u32, Kind, u32)]) -> History {
    let mut history = History::default();
    history.resources.kinds = resources.to_vec();
    for n in 0..4 {
        history.locks.number(&format!("L{n}"));
        history.variables.number(&format!("V{n}"));
    }
    for (thread, kind, target) in operations {
        while history.threads.len() <= *thread as usize {
            history.threads.number(&format!("T{}", history.threads.len()));
        }
        history.operations.push(Operation::new(*thread, *kind, *target, 0));
    }
    pair_messages(&mut history);
    history
}

fn explored(history: &History) -> Explored {
    let end = Native::new(history).replay(0..history.operations.len() as u32);
    assert!(end.is_ok(), "the history is no run: {end:?}");
    explore(history)
}

/// The operations at which all hang, each set a list.
fn total(history: &History) -> Vec<Vec<u32>> {
    explored(history).total.into_keys().map(|blocked| blocked.into_iter().collect()).collect()
}

#[test]
fn two_locks_in_two_orders_are_a_core() {
    let mut history = history(
        &[],
        &[
            (0, Acquire, 0),
            (0, Acquire, 1),
            (0, Release, 1),
            (0, Release, 0),
            (1, Acquire, 1),
            (1, Acquire, 0),
            (1, Release, 0),
            (1, Release, 1),
        ],
    );
    let cores: Vec<Vec<u32>> = explored(&history).cores.into_keys().map(|core| core.into_iter().collect()).collect();
    assert_eq!((cores, total(&history)), (vec![vec![1, 5]], vec![vec![1, 5]]));
    // One of them only tries.
    history.operations[5].may_wait = false;
    assert_eq!((explored(&history).cores.len(), total(&history).len()), (0, 0));
    history.operations[5].may_wait = true;
    // Readers do not exclude each other.
    for index in [1, 2, 4, 7] {
        history.operations[index].mode = Mode::Shared;
    }
    assert_eq!(explored(&history).cores.len(), 0);
}

#[test]
fn a_join_in_a_section_of_what_the_joined_one_wants_is_a_core() {
    let history =
        history(&[], &[(0, Fork, 1), (1, Acquire, 0), (1, Release, 0), (0, Acquire, 0), (0, Join, 1), (0, Release, 0)]);
    let explored = explored(&history);
    assert_eq!(explored.cores.into_keys().collect::<Vec<_>>(), [[1, 4].into()]);
    assert_eq!(explored.total.into_keys().collect::<Vec<_>>(), [[1, 4].into()]);
}

#[test]
fn what_was_read_has_to_be_read_again() {
    // The second section of the one wants to see what the other one wrote; before, it cannot be there.
    let history = history(
        &[],
        &[
            (0, Acquire, 0),
            (0, Acquire, 1),
            (0, Release, 1),
            (0, Write, 0),
            (0, Release, 0),
            (1, Read, 0),
            (1, Acquire, 1),
            (1, Acquire, 0),
            (1, Release, 0),
            (1, Release, 1),
        ],
    );
    assert_eq!(explored(&history).cores.len(), 0);
}

#[test]
fn a_channel_gives_in_order_and_knows_who_sends() {
    let channel = [Resource::Channel { room: None }];
    // The receiver in a section that the sender wants before it sends.
    let operations = [(0, Acquire, 0), (0, Give, 0), (0, Release, 0), (1, Acquire, 0), (1, Take, 0), (1, Release, 0)];
    assert_eq!(total(&history(&channel, &operations)), [vec![0, 4]]);
    // Two receivers: the messages may not change hands, so the second one waits for the first one.
    let operations =
        [(0, Give, 0), (0, Give, 0), (1, Acquire, 0), (1, Take, 0), (1, Release, 0), (2, Acquire, 0), (2, Take, 0)];
    assert_eq!(total(&history(&channel, &operations)).len(), 0, "the other one would take the wrong message");
    // Who waits for the end of sending in a section that the sender wants before.
    let operations =
        [(0, Acquire, 0), (0, Release, 0), (0, Close, 0), (1, Acquire, 0), (1, FindClosed, 0), (1, Release, 0)];
    assert_eq!(total(&history(&channel, &operations)), [vec![0, 4]]);
    // With another one who sends, it waits for both.
    let operations = [(0, Open, 0), (0, Close, 0), (1, Close, 0), (2, Acquire, 0), (2, FindClosed, 0), (2, Release, 0)];
    let mut operations = operations.to_vec();
    operations.splice(2..2, [(1, Acquire, 0), (1, Release, 0)]);
    assert_eq!(total(&history(&channel, &operations)), [vec![2, 6]]);
}

#[test]
fn a_give_waits_for_room_and_a_confirm_for_the_take() {
    // The room is for one; the receiver wants the lock that the second give has.
    let operations = |last| {
        vec![
            (0, Give, 0),
            (1, Acquire, 0),
            (1, Take, 0),
            (1, Release, 0),
            (0, Acquire, 0),
            (0, last, 0),
            (0, Release, 0),
        ]
    };
    let of_room = |room| history(&[Resource::Channel { room }], &operations(Give));
    assert_eq!(total(&of_room(Some(1))), [vec![1, 5]]);
    assert_eq!(total(&of_room(Some(2))).len(), 0);
    assert_eq!(total(&of_room(None)).len(), 0);
    assert_eq!(total(&of_room(Some(0))).len(), 0, "a give does not wait without room");
    let confirm = history(&[Resource::Channel { room: Some(0) }], &operations(Confirm));
    assert_eq!(total(&confirm), [vec![1, 5]]);
}

#[test]
fn permits_are_taken_as_many_as_wanted() {
    // Each takes one of two, and then one more.
    let takes = [(0, Take, 0), (0, Take, 0), (0, Give, 0), (0, Give, 0)];
    let mut operations = takes.to_vec();
    operations.extend(takes.map(|(_, kind, target)| (1, kind, target)));
    let mut history = history(&[Resource::Permits(2)], &operations);
    assert_eq!(total(&history), [vec![1, 5]]);
    // Both at once: there is nothing between.
    history.operations.retain({
        let mut at = 0;
        move |_| {
            at += 1;
            at % 2 == 1
        }
    });
    history.resources.amounts = (0..4).map(|index| (index, 2)).collect();
    assert_eq!(total(&history).len(), 0);
}

#[test]
fn a_token_is_one_however_often_it_is_given() {
    let operations = [(0, Give, 0), (1, Take, 0), (0, Give, 0), (1, Take, 0)];
    assert_eq!(total(&history(&[Resource::Token], &operations)), [vec![3]]);
    assert_eq!(total(&history(&[Resource::Permits(0)], &operations)).len(), 0);
}

#[test]
fn a_notify_before_the_wait_is_lost() {
    let condition = [Resource::Condition];
    let wait = |thread| [Acquire, Enter, Release, Take, Acquire, Release].map(|kind| (thread, kind, 0));
    let [acquire, enter, release, take, again, end] = wait(0);
    let operations = [acquire, enter, release, (1, Give, 0), take, again, end];
    assert_eq!(total(&history(&condition, &operations)), [vec![4]]);
    // In the section, and of a guard that says whether: the wait is not begun then.
    let guarded = [
        acquire,
        (0, Read, 0),
        enter,
        release,
        (1, Acquire, 0),
        (1, Write, 0),
        (1, Release, 0),
        (1, Give, 0),
        take,
        again,
        (0, Read, 0),
        end,
    ];
    assert_eq!(total(&history(&condition, &guarded)).len(), 0);
    // The guard is written without the lock: between the look and the wait.
    let mut torn = guarded.to_vec();
    torn.retain(|operation| !matches!(operation, (1, Acquire | Release, 0)));
    assert_eq!(total(&history(&condition, &torn)), [vec![6]]);
    // Two wait, one is woken by each; or both by one that wakes all.
    let [acquire2, enter2, release2, take2, again2, end2] = wait(2);
    let two = |notifies: &[(u32, Kind, u32)]| {
        let waits = [acquire, enter, release, acquire2, enter2, release2];
        history(&condition, &[&waits, notifies, &[take, again, end, take2, again2, end2]].concat())
    };
    let sets = total(&two(&[(1, Give, 0), (1, Give, 0)]));
    assert_eq!(sets, [vec![8], vec![8, 11], vec![11]], "each may come too late");
    let sets = total(&two(&[(1, GiveAll, 0)]));
    assert_eq!(sets, [vec![7], vec![7, 10], vec![10]]);
}

#[test]
fn a_latch_stays_open_and_a_barrier_counts_rounds() {
    let latch = [Resource::Latch(2)];
    let operations = [
        (0, Give, 0),
        (1, Acquire, 0),
        (1, Give, 0),
        (1, Release, 0),
        (2, Acquire, 0),
        (2, Take, 0),
        (2, Take, 0),
        (2, Release, 0),
    ];
    assert_eq!(total(&history(&latch, &operations)), [vec![1, 5]]);
    let barrier = [Resource::Barrier(2)];
    let round = [(0, Give, 0), (1, Give, 0), (0, Take, 0), (1, Take, 0)];
    assert_eq!(total(&history(&barrier, &round)).len(), 0);
    assert_eq!(total(&history(&barrier, &[round, round].concat())).len(), 0);
    // One comes twice, the others once: if those two meet, it is left alone.
    let mut operations = round.to_vec();
    operations.extend([(2, Give, 0), (0, Give, 0), (2, Take, 0), (0, Take, 0)]);
    assert_eq!(total(&history(&barrier, &operations)), [vec![2]]);
}

#[test]
fn what_is_opaque_never_waits() {
    let operations = [(0, Acquire, 0), (0, Give, 0), (0, Release, 0), (1, Acquire, 0), (1, Take, 0), (1, Release, 0)];
    assert_eq!(total(&history(&[Resource::Opaque], &operations)).len(), 0);
}

#[test]
fn who_would_give_up_makes_no_hang() {
    let operations = [(0, Acquire, 0), (0, Give, 0), (0, Release, 0), (1, Acquire, 0), (1, Take, 0), (1, Release, 0)];
    let mut history = history(&[Resource::Permits(0)], &operations);
    assert_eq!(total(&history), [vec![0, 4]]);
    history.operations[4].may_wait = false;
    assert_eq!(total(&history).len(), 0);
}
