//! Histories as they are recorded: behind a wait stands by whom it was ended.

use crate::histories::pair_messages;
use detector::history::{History, Kind, Operation, Resource, Target};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// How the names of variables begin that are marks.
const MARK: &str = "by ";

/// What is known of a resource at one point.
#[derive(Default)]
struct Ended {
    waiting: VecDeque<u32>,
    /// By thread that was woken, the mark of who woke it.
    by: BTreeMap<u32, u32>,
    /// The mark of the latest give.
    latest: Option<u32>,
    /// The marks of those who send no more.
    closed: Vec<u32>,
}

impl Ended {
    /// The marks of those who let a take, or what else waited, go on.
    fn by(&mut self, kind: Kind, resource: Resource, thread: u32, of_message: Option<u32>) -> Vec<u32> {
        match (kind, resource) {
            (Kind::Take | Kind::Confirm, Resource::Channel { .. }) => of_message.into_iter().collect(),
            (Kind::FindClosed, _) => self.closed.clone(),
            (Kind::Take, Resource::Token) => self.latest.into_iter().collect(),
            (Kind::Take, Resource::Condition) => self.by.remove(&thread).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// A thread has done what may let others go on, and leaves its mark.
    fn end(&mut self, kind: Kind, mark: u32) {
        let n_woken = match kind {
            Kind::Give => self.waiting.len().min(1),
            Kind::GiveAll => self.waiting.len(),
            _ => 0,
        };
        self.by.extend(self.waiting.drain(..n_woken).map(|woken| (woken, mark)));
        self.latest = Some(mark);
        if kind == Kind::Close {
            self.closed.push(mark);
        }
    }
}

/// The history with a write of a variable of its own behind each send, notify and unpark, and a read of it behind each take
/// that this one let go on. So it is with confirms, too, and with closes.
pub(crate) fn marked(history: &History) -> History {
    let mut marked = History { operations: Vec::new(), ..history.clone() };
    (marked.resources.amounts, marked.resources.passes) = (FxHashMap::default(), FxHashMap::default());
    marked.resources.messages.clear();
    let mut ended: FxHashMap<u32, Ended> = FxHashMap::default();
    // The marks of gives and takes, by give.
    let (mut gives, mut takes): (FxHashMap<u32, u32>, FxHashMap<u32, u32>) = Default::default();
    for (index, operation) in (0..).zip(&history.operations) {
        let at = marked.operations.len() as u32;
        marked.operations.push(*operation);
        copy(&history.resources.amounts, index, &mut marked.resources.amounts, at);
        copy(&history.resources.passes, index, &mut marked.resources.passes, at);
        let Operation { thread, target, kind, place, .. } = *operation;
        let resource = history.resources.kind(target);
        let is_marked = matches!(resource, Resource::Channel { .. } | Resource::Condition | Resource::Token);
        if kind.target() != Target::Resource || !is_marked {
            continue;
        }
        let ended = ended.entry(target).or_default();
        let message = history.resources.messages.get(&index);
        let of_message = if kind == Kind::Confirm { &takes } else { &gives };
        let of_message = message.and_then(|give| of_message.get(give)).copied();
        let reads = ended.by(kind, resource, thread, of_message);
        marked.operations.extend(reads.into_iter().map(|mark| Operation::new(thread, Kind::Read, mark, place)));
        let leaves = match kind {
            Kind::Take => resource == Resource::Channel { room: Some(0) },
            Kind::Give | Kind::GiveAll | Kind::Close => true,
            _ => false,
        };
        if leaves {
            let mark = marked.variables.number(&format!("{MARK}{at}"));
            marked.operations.push(Operation::new(thread, Kind::Write, mark, place));
            ended.end(kind, mark);
            match (kind, message) {
                (Kind::Take, Some(give)) => _ = takes.insert(*give, mark),
                _ => _ = gives.insert(index, mark),
            }
        }
        if kind == Kind::Enter {
            ended.waiting.push_back(thread);
        }
    }
    pair_messages(&mut marked);
    marked
}

/// Whether an operation says by whom a wait was ended.
pub(crate) fn is_mark(history: &History, at: usize) -> bool {
    let operation = history.operations[at];
    operation.kind.target() == Target::Variable && history.variables.text(operation.target).starts_with(MARK)
}

fn copy(from: &FxHashMap<u32, u32>, index: u32, to: &mut FxHashMap<u32, u32>, at: u32) {
    if let Some(value) = from.get(&index) {
        to.insert(at, *value);
    }
}
