//! What happens once, and barriers. `_` is an object without a label.

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
