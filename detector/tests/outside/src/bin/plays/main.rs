//! Plays of several processes: those that hang, those that do not and could have, and those that only look so.
//!
//! `plays PLAY hangs|completes FOLDER` directs a play; whom it casts are started as `… FOLDER ROLE`. The folder is empty at first. What
//! they have to know of each other to hang for certain, or not to, they learn from files in it, of which nothing is recorded.

mod circles;
mod deaths;
mod forks;
mod left_behind;
mod quiet;
mod stage;
mod waits;

use stage::Stage;

/// Each play by name, with what each role does; the first role directs.
const PLAYS: &[(&str, &[(&str, fn(&Stage))])] = &[
    ("ab_ba", circles::AB_BA),
    ("through_a_shell", circles::THROUGH_A_SHELL),
    ("ring", circles::RING),
    ("mixed", circles::MIXED),
    ("two_addresses", circles::TWO_ADDRESSES),
    ("two_handles", circles::TWO_HANDLES),
    ("child_needs_the_lock", waits::CHILD_NEEDS_THE_LOCK),
    ("early_notify", waits::EARLY_NOTIFY),
    ("owner_killed", deaths::OWNER_KILLED),
    ("killed_while_waiting", deaths::KILLED_WHILE_WAITING),
    ("fork_that_locks", forks::LOCKS),
    ("fork_that_does_not_lock", forks::DOES_NOT_LOCK),
    ("equal_addresses", forks::EQUAL_ADDRESSES),
    ("ordered", quiet::ORDERED),
    ("one_after_the_other", quiet::ONE_AFTER_THE_OTHER),
    ("unrelated_wait", quiet::UNRELATED_WAIT),
    ("exec", quiet::EXEC),
    ("cleared_environment", quiet::CLEARED_ENVIRONMENT),
    ("unrecorded_child", quiet::UNRECORDED_CHILD),
    ("left_behind", left_behind::ORPHAN),
    ("daemon", left_behind::DAEMON),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [play, ending, folder, rest @ ..] = arguments.as_slice() else { panic!("which play?") };
    let (_, roles) = PLAYS.iter().find(|(name, _)| name == play).expect("a known play");
    let role = rest.first().map_or(roles[0].0, String::as_str);
    let (_, act) = roles.iter().find(|(name, _)| *name == role).expect("a known role");
    instrumented_sync::process::set_role(role);
    act(&Stage::new(play, ending, folder, role));
}
