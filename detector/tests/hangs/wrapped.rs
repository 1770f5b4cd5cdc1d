//! What happens once, barriers, and other crates' locks. `_` is an object without a label.

use super::{
    Inside,
    expected::{Hang, hang, knot},
    outside::{program, test_program},
    prove,
};

fn wrapped() -> Vec<Hang> {
    let once = ["initialiser | _, exclusive: the first call | _, exclusive: the set-up calls itself"];
    let cell = ["reader | _, exclusive: the config asks for read | _, exclusive: read asks for the config"];
    let once_and_lock = [
        "editor | pages, exclusive: the editor holds | _, exclusive: the editor wants",
        "indexer | _, exclusive: INDEX.get_or_init(|| { | pages, exclusive: the indexer wants",
    ];
    let barrier = ["white | - | _, wait: a player waits", "black | - | _, wait: a player waits"];
    vec![
        hang("wrapped", "once_again", "self-deadlock", vec![knot(&once, &["main"])]),
        hang("wrapped", "cell_again", "self-deadlock", vec![knot(&cell, &["main"])]),
        hang("wrapped", "once_and_lock", "deadlock", vec![knot(&once_and_lock, &["main"])]),
        hang("wrapped", "missing_party", "deadlock", vec![knot(&barrier, &["main"])]).reach(),
    ]
}

#[test]
fn programs_that_hang_once_or_at_a_barrier() {
    prove(&wrapped(), &program("hangs"), Inside::Program);
}

#[test]
fn tests_that_hang_once_or_at_a_barrier() {
    prove(&wrapped(), &test_program("hangs"), Inside::Test);
}

fn parked() -> Vec<Hang> {
    let ab_ba = [
        "left | alpha, exclusive: left holds alpha | beta, exclusive: left wants beta",
        "right | beta, exclusive: right holds beta | alpha, exclusive: right wants alpha",
    ];
    let read_again = [
        "reader | table, shared: the reader holds the table | table, shared: the reader wants the table",
        "writer | - | table, exclusive: the writer wants the table",
    ];
    let upgrade = [
        "editor | index, exclusive: the editor holds the index | page, upgrade: the editor wants to write",
        "reader | page, shared: the reader holds the page | index, exclusive: the reader wants the index",
    ];
    let notify =
        ["guest | - | door opened, wait: the guest waits", "opener | - | door opened, notified: the early notify"];
    let other_notify =
        ["guest | - | door opened, wait: the other guest", "opener | - | door opened, notified: the other notify"];
    let once = ["initialiser | _, exclusive: the first call | _, exclusive: the set-up calls itself"];
    vec![
        hang("parked", "parked_ab_ba", "deadlock", vec![knot(&ab_ba, &["main"])]),
        hang("parked", "parked_read_again", "self-deadlock", vec![knot(&read_again, &["main"])]),
        hang("parked", "parked_upgrade", "deadlock", vec![knot(&upgrade, &["main"])]),
        hang("parked", "parked_early_notify", "lost-wakeup", vec![knot(&notify, &["main"])]).reach(),
        hang("parked", "parked_early_notify_013", "lost-wakeup", vec![knot(&other_notify, &["main"])]).reach(),
        hang("parked", "parked_once_again", "self-deadlock", vec![knot(&once, &["main"])]),
    ]
}

#[test]
fn programs_that_hang_in_locks_of_parking_lot() {
    prove(&parked(), &program("hangs"), Inside::Program);
}

#[test]
fn tests_that_hang_in_locks_of_parking_lot() {
    prove(&parked(), &test_program("hangs"), Inside::Test);
}

fn cells() -> Vec<Hang> {
    let again = ["reader | _, exclusive: the cell asks for read | _, exclusive: read asks for the cell"];
    let cycle = [
        "counter | _, exclusive: the counter begins | _, exclusive: the words want the pages",
        "printer | _, exclusive: the printer begins | _, exclusive: the pages want the words",
    ];
    vec![
        hang("cells", "once_cell_again", "self-deadlock", vec![knot(&again, &["main"])]),
        hang("cells", "lazy_cycle", "deadlock", vec![knot(&cycle, &["main"])]),
    ]
}

#[test]
fn programs_that_hang_in_cells_of_once_cell() {
    prove(&cells(), &program("hangs"), Inside::Program);
}

#[test]
fn tests_that_hang_in_cells_of_once_cell() {
    prove(&cells(), &test_program("hangs"), Inside::Test);
}
