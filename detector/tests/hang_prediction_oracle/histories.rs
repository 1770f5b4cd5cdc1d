//! Histories as text, and smaller ones of those that fail.

use crate::{marks::is_mark, native::Native};
use detector::history::{History, Kind, Mode, Operation, Resource, Target};
use rustc_hash::FxHashMap;
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    ops::{Range, RangeBounds},
};

/// The history, an operation per line, with all that makes a difference.
pub(crate) fn text(history: &History) -> String {
    let mut text = String::new();
    for (resource, kind) in history.resources.kinds.iter().enumerate() {
        let target = |operation: &Operation| (operation.kind.target(), operation.target as usize);
        if history.operations.iter().any(|operation| target(operation) == (Target::Resource, resource)) {
            writeln!(text, "R{resource}: {kind:?}").unwrap();
        }
    }
    for (index, operation) in (0..).zip(&history.operations) {
        writeln!(text, "{index:>3} {}", line(history, index, *operation)).unwrap();
    }
    text
}

fn line(history: &History, index: u32, operation: Operation) -> String {
    let Operation { thread, target, kind, mode, may_wait, .. } = operation;
    let target = match kind.target() {
        Target::Resource => format!("R{target}"),
        _ => history.target_name(operation).to_owned(),
    };
    let mut line = format!("{}|{}({target})", history.threads.text(thread), kind.name());
    let amount = history.resources.amount(index);
    if amount != 1 {
        write!(line, " x{amount}").unwrap();
    }
    if let Some(message) = history.resources.messages.get(&index) {
        write!(line, " of {message}").unwrap();
    }
    if mode != Mode::Exclusive {
        write!(line, " {mode:?}").unwrap();
    }
    if !may_wait {
        line.push_str(" gives up");
    }
    line
}

/// A smaller history that fails as well: operations are left out, with all that goes with them, as long as that is so.
pub(crate) fn shrunk(history: &History, fails: impl Fn(&History) -> bool) -> History {
    let mut smallest = history.clone();
    let mut at = 0;
    while at < smallest.operations.len() {
        match without(&smallest, at).filter(|smaller| fails(smaller)) {
            Some(smaller) => {
                smallest = smaller;
                at = 0;
            }
            None => at += 1,
        }
    }
    // What gives up though that makes no difference only puzzles.
    for at in 0..smallest.operations.len() {
        let mut patient = smallest.clone();
        patient.operations[at].may_wait = true;
        if !smallest.operations[at].may_wait && fails(&patient) {
            smallest = patient;
        }
    }
    smallest
}

/// The history without an operation and what goes with it, if that could have happened.
fn without(history: &History, at: usize) -> Option<History> {
    let mut left_out = BTreeSet::from([at]);
    let mut open = vec![at];
    while let Some(at) = open.pop() {
        open.extend(partners(history, at).into_iter().filter(|partner| left_out.insert(*partner)));
    }
    let kept: Vec<usize> = (0..history.operations.len()).filter(|index| !left_out.contains(index)).collect();
    let numbers: FxHashMap<u32, u32> = (0..).zip(&kept).map(|(new, old)| (*old as u32, new)).collect();
    let renumbered = |of: &FxHashMap<u32, u32>| -> FxHashMap<u32, u32> {
        of.iter().filter_map(|(old, value)| Some((*numbers.get(old)?, *value))).collect()
    };
    let mut smaller = history.clone();
    smaller.operations = kept.iter().map(|index| history.operations[*index]).collect();
    smaller.resources.amounts = renumbered(&history.resources.amounts);
    smaller.resources.passes = renumbered(&history.resources.passes);
    smaller.resources.messages.clear();
    pair_messages(&mut smaller);
    let native = Native::new(&smaller);
    let is_run = native.replay(0..smaller.operations.len() as u32).is_ok();
    is_run.then_some(smaller)
}

/// What cannot be left without an operation.
fn partners(history: &History, at: usize) -> Vec<usize> {
    let mut partners = of_primitive(history, at);
    let Operation { thread, target, kind, .. } = history.operations[at];
    let own = |other: &usize| history.operations[*other].thread == thread;
    match kind {
        // What is recorded of who ended a wait goes with the give, and with the take.
        Kind::Write | Kind::Read if is_mark(history, at) => {
            partners.extend((0..at).rev().find(own));
            let reads = |other: &usize| {
                (history.operations[*other].kind, history.operations[*other].target) == (Kind::Read, target)
            };
            partners.extend((0..history.operations.len()).filter(|other| kind == Kind::Write && reads(other)));
        }
        Kind::Give | Kind::GiveAll | Kind::Take | Kind::Confirm | Kind::FindClosed | Kind::Close => {
            let next = (at + 1..history.operations.len()).filter(own);
            partners.extend(next.take_while(|next| is_mark(history, *next)));
        }
        _ => {}
    }
    partners
}

fn of_primitive(history: &History, at: usize) -> Vec<usize> {
    let Operation { target, kind, .. } = history.operations[at];
    let is_channel = matches!(history.resources.kind(target), Resource::Channel { .. });
    let of_wait = || own(history, at, ..=at, Kind::Enter).last().map(|enter| wait(history, *enter)).unwrap_or_default();
    let on_target = |range: Range<usize>, kind| -> Vec<usize> {
        range.filter(|at| (history.operations[*at].kind, history.operations[*at].target) == (kind, target)).collect()
    };
    let n = history.operations.len();
    match kind {
        Kind::Enter => wait(history, at),
        Kind::Take if history.resources.kind(target) == Resource::Condition => of_wait(),
        Kind::Acquire | Kind::Release if of_wait().contains(&at) => of_wait(),
        Kind::Acquire => section(history, at),
        Kind::Release => {
            let mut acquires = own(history, at, ..at, Kind::Acquire);
            acquires.retain(|acquire| section(history, *acquire).contains(&at));
            acquires.first().map(|acquire| section(history, *acquire)).unwrap_or_default()
        }
        Kind::Fork => {
            let of_thread = (0..n).filter(|other| history.operations[*other].thread == target);
            of_thread.chain(on_target(0..n, Kind::Join)).collect()
        }
        // Whose close that was makes no difference.
        Kind::Open => on_target(at..n, Kind::Close).pop().into_iter().collect(),
        Kind::Give if is_channel => message(history, at as u32),
        Kind::Take | Kind::Confirm if is_channel => message(history, history.resources.messages[&(at as u32)]),
        Kind::Give if matches!(history.resources.kind(target), Resource::Barrier(_)) => {
            own(history, at, at.., Kind::Take).into_iter().take(1).collect()
        }
        _ => Vec::new(),
    }
}

/// Operations of a kind that the thread of one does, in a range; on the same target, but for enters and what belongs to them.
fn own(history: &History, of: usize, range: impl RangeBounds<usize>, kind: Kind) -> Vec<usize> {
    let Operation { thread, target, kind: of_kind, .. } = history.operations[of];
    let is_one = |at: &usize| {
        let operation = history.operations[*at];
        let is_about = kind == Kind::Enter || of_kind.target() != kind.target() || operation.target == target;
        range.contains(at) && (operation.thread, operation.kind) == (thread, kind) && is_about
    };
    (0..history.operations.len()).filter(is_one).collect()
}

/// An enter, and the release, the take and the acquire that are one wait with it.
fn wait(history: &History, enter: usize) -> Vec<usize> {
    let first = |from: usize, kind| own(history, enter, from.., kind).first().copied();
    let take = first(enter, Kind::Take);
    let acquire = take.and_then(|take| first(take, Kind::Acquire));
    [Some(enter), first(enter, Kind::Release), take, acquire].into_iter().flatten().collect()
}

/// An acquire, its release, and the waits between.
fn section(history: &History, acquire: usize) -> Vec<usize> {
    let mut section = vec![acquire];
    let mut from = acquire;
    while let Some(release) = own(history, acquire, from + 1.., Kind::Release).first().copied() {
        let enter = own(history, acquire, from..release, Kind::Enter).pop();
        match enter.map(|enter| wait(history, enter)).filter(|wait| wait.contains(&release)) {
            Some(wait) if wait.len() == 4 => {
                from = wait[3];
                section.extend(wait);
            }
            _ => {
                section.push(release);
                break;
            }
        }
    }
    section
}

/// A give, and all that is about its message.
fn message(history: &History, give: u32) -> Vec<usize> {
    let messages = history.resources.messages.iter();
    let others = messages.filter(|(_, of)| **of == give).map(|(taker, _)| *taker as usize);
    others.chain([give as usize]).collect()
}

/// Which take, and which confirm, belongs to which give: the first one takes what was given first.
pub(crate) fn pair_messages(history: &mut History) {
    let mut n_taken: FxHashMap<u32, usize> = FxHashMap::default();
    let operations = &history.operations;
    for (index, operation) in operations.iter().enumerate() {
        if !matches!(history.resources.kind(operation.target), Resource::Channel { .. }) {
            continue;
        }
        let is_give = |other: &&Operation| (other.kind, other.target) == (Kind::Give, operation.target);
        let give = match operation.kind {
            Kind::Take => {
                let nth = n_taken.entry(operation.target).or_default();
                *nth += 1;
                (0_u32..).zip(operations).filter(|(_, other)| is_give(other)).nth(*nth - 1)
            }
            Kind::Confirm => {
                let own = |other: &&Operation| is_give(other) && other.thread == operation.thread;
                (0_u32..).zip(&operations[..index]).filter(|(_, other)| own(other)).last()
            }
            _ => None,
        };
        if let Some((give, _)) = give {
            history.resources.messages.insert(index as u32, give);
        }
    }
}
