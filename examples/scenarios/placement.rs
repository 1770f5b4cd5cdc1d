//! Where a variable lives: in the lock that guards it, if there is one, or on its own.
//!
//! In Rust a variable that several threads use is either the data of a lock or shared on its own. A program says
//! which by what it holds at each access. A variable that decides nothing, which is read and written and no more, is on its own
//! in any case: of the data of a lock it is not known whether whoever writes it looks at it first.

use super::record::{Op, Scenario};
use std::collections::{BTreeMap, BTreeSet};

/// A lock, and whether it is held alone.
type Hold = (String, bool);

/// An access of a thread to a variable or a channel, with what it holds there.
#[derive(Debug)]
struct Access {
    object: String,
    writes: bool,
    atomic: bool,
    /// Whether the program goes on according to what it finds, or gives it to who does.
    decides: bool,
    holds: BTreeSet<Hold>,
}

/// For each object of which every access is under one lock, that lock.
///
/// A write counts only if the lock is held alone. An object with an atomic operation is in no lock.
pub(crate) fn guards(scenario: &Scenario) -> BTreeMap<String, String> {
    let mut by_object: BTreeMap<String, Vec<Access>> = BTreeMap::new();
    for access in scenario.program.iter().flat_map(|thread| accesses(&Op::all(thread))) {
        by_object.entry(access.object.clone()).or_default().push(access);
    }
    by_object.into_iter().filter_map(|(object, accesses)| Some((object, common_guard(&accesses)?))).collect()
}

/// The names of the threads that receive from a channel.
pub(crate) fn receivers<'a>(scenario: &'a Scenario, channel: &str) -> BTreeSet<&'a str> {
    let receives = |op: &Op| {
        ["recv", "recv_timeout", "try_recv_empty", "select_recv"].contains(&op.name())
            && op.operands().any(|operand| operand == channel)
    };
    let threads = scenario.program.iter();
    threads.filter(|thread| Op::all(thread).iter().any(receives)).map(|thread| thread.name.as_str()).collect()
}

fn common_guard(accesses: &[Access]) -> Option<String> {
    let is_guarded_by = |access: &Access, lock: &str| {
        let alone = access.holds.contains(&(lock.to_owned(), true));
        !access.atomic && (alone || (!access.writes && access.holds.contains(&(lock.to_owned(), false))))
    };
    if !accesses.iter().any(|access| access.decides) {
        return None;
    }
    let candidates = accesses.first()?.holds.iter().map(|(lock, _)| lock);
    candidates.into_iter().find(|lock| accesses.iter().all(|access| is_guarded_by(access, lock))).cloned()
}

/// The accesses of one thread, as if it took no branch.
fn accesses(ops: &[Op]) -> Vec<Access> {
    let mut held: Vec<Hold> = Vec::new();
    let mut found = Vec::new();
    for op in ops {
        let object = op.word(1).to_owned();
        let decides = !["read", "write"].contains(&op.name());
        let mut access = |object: &str, writes, atomic| {
            let holds = held.iter().cloned().collect();
            found.push(Access { object: object.to_owned(), writes, atomic, decides, holds });
        };
        match op.name() {
            "read" | "skip_if" => access(&object, false, false),
            "write" | "set" | "recv" | "recv_timeout" | "try_recv_empty" => access(&object, true, false),
            "wait_until" => access(op.word(3), false, false),
            "atomic_load" | "atomic_store" | "atomic_rmw" | "spin_until" | "cas_lock" => access(&object, true, true),
            "lock" | "trylock_ok" | "lock_timeout" => held.push((object, true)),
            "rlock" | "rlock_rec" | "tryrlock_ok" | "ulock" => held.push((object, false)),
            "unlock" => release(&mut held, &object, true),
            "runlock" | "uunlock" => release(&mut held, &object, false),
            "upgrade" => {
                release(&mut held, &object, false);
                held.push((object, true));
            }
            "downgrade" => {
                release(&mut held, &object, true);
                held.push((object, false));
            }
            _ => {}
        }
    }
    found
}

fn release(held: &mut Vec<Hold>, lock: &str, alone: bool) {
    if let Some(place) = held.iter().rposition(|hold| hold.0 == lock && hold.1 == alone) {
        held.remove(place);
    }
}
