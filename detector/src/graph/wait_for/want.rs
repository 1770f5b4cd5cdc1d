//! What each blocked thread needs: which of its blockers, and who they are.

use super::{Key, Need, Want};
use crate::model::{Model, Object, ObjectId, Releasers, Side, Thread, ThreadId, Wait};
use rustc_hash::FxHashMap;
use trace_format::{Kind, Mode, ObjectKind};

/// Who holds and who is queued for what.
pub(super) struct Holders {
    held: FxHashMap<ObjectId, Vec<(ThreadId, Mode)>>,
    /// Threads that wait to write.
    writers: FxHashMap<ObjectId, Vec<ThreadId>>,
}

impl Holders {
    pub(super) fn new(model: &Model) -> Self {
        let mut holders = Self { held: FxHashMap::default(), writers: FxHashMap::default() };
        for (thread, id) in model.threads.iter().zip(0_u32..) {
            // What a dead thread held in shared memory is taken over by whoever waits for it.
            let is_taken_over =
                |object: ObjectId| thread.ended && model.objects.get(object.idx()).is_some_and(Object::is_shared);
            for hold in thread.holds.iter().filter(|hold| !is_taken_over(hold.object)) {
                holders.held.entry(hold.object).or_default().push((ThreadId(id), hold.mode));
            }
            let Some(wait) = thread.wait.as_ref().filter(|wait| !wait.is_timed()) else { continue };
            let is_write = wait.event.kind() == Kind::UPGRADE
                || wait.event.kind() == Kind::REQUEST && wait.event.flags().mode() == Mode::Exclusive;
            if let Some(object) = wait.object.filter(|_| is_write) {
                holders.writers.entry(object).or_default().push(ThreadId(id));
            }
        }
        holders
    }

    fn of(&self, object: ObjectId) -> &[(ThreadId, Mode)] {
        self.held.get(&object).map_or(&[], Vec::as_slice)
    }
}

/// `None` if the thread runs, gives up by itself, or nothing is known to keep it.
pub(super) fn want(model: &Model, holders: &Holders, id: ThreadId, thread: &Thread) -> Option<Want> {
    let wait = thread.wait.as_ref().filter(|wait| !thread.ended && !wait.is_timed() && !wait.is_over)?;
    // Of a receive that would do with another channel, the other one counts as well.
    let other = wait.other.filter(|_| wait.event.kind() == Kind::RECEIVE);
    let (kind, mode) = (wait.event.kind(), wait.event.flags().mode());
    let key = Key { object: wait.object, other, kind, mode, thread: None };
    let all = |by: Vec<ThreadId>, thread: Option<ThreadId>| {
        let key = Key { thread, ..key };
        (!by.is_empty()).then(|| Want {
            need: Need::All,
            by,
            acted: Vec::new(),
            is_by_touch: true,
            is_closed: true,
            key,
        })
    };
    match wait.event.kind() {
        Kind::REQUEST => all(blockers(holders, wait.object?, key.mode), None),
        Kind::UPGRADE => all(kept_from_writing(holders.of(wait.object?), id), Some(id)),
        Kind::JOIN => {
            let joined = model.objects.get(wait.object?.idx())?.thread?;
            let is_over = model.threads.get(joined.idx()).is_none_or(|joined| joined.ended);
            all(if is_over { Vec::new() } else { vec![joined] }, None)
        }
        Kind::SCOPE_END => all(unended_in_scope(model, id, wait), Some(id)),
        // A task goes on if the thread does that runs it, a thread that waits for a task if that does.
        Kind::TASK_BEGIN => {
            let by = model.objects.get(wait.object?.idx())?.thread?;
            let is_over = model.threads.get(by.idx()).is_none_or(|by| by.ended);
            all(if is_over { Vec::new() } else { vec![by] }, None)
        }
        Kind::WAIT | Kind::RECEIVE => any(model, holders, thread, Side::Gives, key),
        Kind::SEND => any(model, holders, thread, Side::Takes, key),
        _ => None,
    }
}

/// Holders in a mode that excludes the wanted one, and where others hold it too, the writers that wait for those: a
/// reader queues behind them. Without any, the thread is about to go on.
fn blockers(holders: &Holders, object: ObjectId, mode: Mode) -> Vec<ThreadId> {
    let held = holders.of(object);
    let excluding = held.iter().filter(|(_, held)| held.excludes(mode)).map(|(by, _)| *by);
    let mut blockers: Vec<ThreadId> = excluding.collect();
    let queues = matches!(mode, Mode::Shared | Mode::Upgradable);
    if queues && held.iter().any(|(_, held)| !held.excludes(mode)) {
        blockers.extend(holders.writers.get(&object).into_iter().flatten());
    }
    blockers.sort_unstable();
    blockers.dedup();
    blockers
}

/// Holders that keep a reader from becoming the writer. Of its own holds one is what changes, the upgradable one if
/// there is one; a read beside it keeps the thread waiting for itself.
fn kept_from_writing(held: &[(ThreadId, Mode)], id: ThreadId) -> Vec<ThreadId> {
    let is_own =
        |mode: Option<Mode>| held.iter().position(|(by, held)| *by == id && mode.is_none_or(|mode| *held == mode));
    let changes = is_own(Some(Mode::Upgradable)).or_else(|| is_own(None));
    let others = held.iter().enumerate().filter(|(n, _)| Some(*n) != changes);
    let mut by: Vec<ThreadId> = others.map(|(_, (by, _))| *by).collect();
    by.sort_unstable();
    by.dedup();
    by
}

fn unended_in_scope(model: &Model, owner: ThreadId, wait: &Wait) -> Vec<ThreadId> {
    let owner_of = |thread: &Thread| thread.forked_by.filter(|_| thread.scope == Some(wait.event.seq()));
    let threads = model.threads.iter().zip(0_u32..);
    let in_scope = threads.filter(|(thread, _)| !thread.ended && owner_of(thread).is_some());
    // A thread of the scope may start others in it.
    let descends = |thread: &Thread| {
        let starter = |thread: &ThreadId| model.threads.get(thread.idx()).and_then(|thread| thread.forked_by);
        std::iter::successors(thread.forked_by, starter).take(model.threads.len()).any(|starter| starter == owner)
    };
    in_scope.filter(|(thread, _)| descends(thread)).map(|(_, id)| ThreadId(id)).collect()
}

fn any(model: &Model, holders: &Holders, thread: &Thread, side: Side, key: Key) -> Option<Want> {
    let object = key.object?;
    let is_of = |releasers: &&Releasers| {
        releasers.side == side && (releasers.object == object || Some(releasers.object) == key.other)
    };
    let (mut by, mut acted, mut is_by_touch) = (Vec::new(), Vec::new(), true);
    // Tasks are polled by those threads that said so.
    let is_closed = model.objects.get(object.idx()).is_some_and(|object| object.kind == ObjectKind::Workers);
    for releasers in model.releasers.iter().filter(is_of) {
        by.extend_from_slice(if is_closed { &releasers.acted } else { &releasers.reach });
        acted.extend_from_slice(&releasers.acted);
        is_by_touch &= releasers.is_by_touch;
    }
    if !model.releasers.iter().any(|releasers| is_of(&releasers)) {
        // None of its events is there, so it may be anybody.
        let threads = model.threads.iter().zip(0_u32..);
        let may_have = |other: &Thread| model.may_have(object, other.process, thread.process);
        by.extend(threads.filter(|(other, _)| may_have(other)).map(|(_, id)| ThreadId(id)));
        is_by_touch = false;
    }
    // Permits that are held can be given back.
    by.extend(holders.of(object).iter().map(|(holder, _)| *holder));
    acted.extend(holders.of(object).iter().map(|(holder, _)| *holder));
    for threads in [&mut by, &mut acted] {
        threads.sort_unstable();
        threads.dedup();
    }
    // Workers that have not entered yet may be anybody.
    let is_known = !is_closed || !by.is_empty();
    is_known.then_some(Want { need: Need::Any, by, acted, is_by_touch: is_by_touch || is_closed, is_closed, key })
}
