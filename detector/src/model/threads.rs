//! The threads of a process at the end of its trace: what each holds and waits for, and who could let it go on.

use super::{
    Hold, Model, Thread, ThreadId, UnrecordedThread, Wait,
    process::{Part, Recording, State, held},
};
use crate::{
    merge::{FirstPass, NO_OBJECT},
    source::{Family, Member, SlotState},
};
use rustc_hash::{FxHashMap, FxHashSet};
use std::{cell::RefCell, time::Duration};
use trace_format::{Event, Kind, ObjectKind};

pub(super) fn add(model: &mut Model, file: &Family, part: &mut Part, recording: &mut Recording, ids: &[u64]) {
    let slots: FxHashMap<u64, &SlotState> = file.slots.iter().map(|slot| (slot.thread, slot)).collect();
    let records: FxHashMap<u64, _> = file.dictionary.threads.iter().map(|record| (record.object, record)).collect();
    let mut numbers = vec![0_u32; file.members.len()];
    for (id, idx) in ids.iter().zip(0_u32..) {
        let slot = slots.get(id).copied();
        let record = records.get(id);
        let state = recording.states.get(idx as usize).copied().unwrap_or_default();
        let tid = record.map_or(0, |record| record.tid);
        let tid = if tid == 0 { slot.map_or(0, |slot| slot.tid) } else { tid };
        let name = record.map(|record| record.name.clone()).filter(|name| !name.is_empty());
        let lost = state.lost.max(slot.map_or(0, |slot| slot.lost));
        let member = file.member_of_object(*id);
        let is_gone = file.is_gone(member);
        let holds = if is_gone {
            Vec::new()
        } else if let Some(slot) = slot {
            slot_holds(model, file, part, recording, slot)
        } else {
            let objects = &part.merged.objects;
            recording.held.holds(idx).map(|held| part.tables.hold(model, &file.dictionary, objects, held)).collect()
        };
        let wait = slot.filter(|_| !is_gone).and_then(|slot| slot_wait(model, file, part, recording, slot));
        // Its process tells of its end, not each of its threads; one that was in a wait then may have been stuck.
        let has_exited = file.has_exited(member) && wait.is_none() && holds.is_empty();
        let number = numbers.get_mut(member).map_or(idx + 1, |number| {
            *number += 1;
            *number
        });
        let pid = file.members.get(member).map_or(0, |member| member.header.pid);
        let thread = Thread {
            process: part.tables.process(member),
            number,
            tid,
            is_task: is_task(file, part, *id) || tid == 0 && slot.is_some(),
            name: name.or_else(|| (tid == pid && tid != 0).then(|| "main".to_owned())),
            forked_by: state.forked_by.map(|forker| ThreadId(part.tables.first_thread + forker)),
            scope: state.scope,
            ended: is_gone || has_exited || state.ended || slot.is_some_and(|slot| slot.ended),
            is_left_behind: false,
            holds,
            wait,
            lost,
        };
        if state.is_bare && thread.wait.is_some() {
            model.bare_waits.insert(ThreadId(part.tables.first_thread + idx));
        }
        model.threads.push(thread);
        // What the slot counts is in LOST events or in the header too.
        model.n_lost = model.n_lost.saturating_add(state.lost);
        add_pending(recording, part, idx, state, slot);
    }
    recording.orphans.add(model, file, part);
    add_releasers(model, file, part, recording, ids);
    add_unrecorded(model, file, part);
}

/// Whether the object was made as a task.
fn is_task(file: &Family, part: &Part, id: u64) -> bool {
    let created = part.created.get(part.merged.objects.find(id) as usize);
    let class = created.and_then(|created| file.dictionary.classes.get(&created.class));
    class.is_some_and(|class| class.kind == ObjectKind::Task)
}

/// The objects that nobody owns and that some thread waits for at the end, in the merge's numbers, and whether their
/// making is an event.
pub(super) fn waited_for<'a>(file: &'a Family, first: &'a FirstPass) -> impl Iterator<Item = (u32, bool)> + 'a {
    let waits = file.slots.iter().filter_map(|slot| Some((slot, slot.wait?)));
    let objects = waits.flat_map(|(slot, wait)| match wait.kind() {
        Kind::WAIT => [Some((wait.object(), first.thread(wait.object().0).is_some())), None],
        Kind::SEND => [Some((wait.object(), true)), None],
        Kind::RECEIVE => [Some((wait.object(), true)), Some((slot.wait_object, true))],
        _ => [None, None],
    });
    objects
        .flatten()
        .map(|(object, has_maker)| (first.objects.find(object.0), has_maker))
        .filter(|(object, _)| *object != NO_OBJECT)
}

/// Locks that threads hold which have ended, in the merge's numbers.
pub(super) fn held_for_ever(file: &Family, first: &FirstPass) -> FxHashSet<u32> {
    let ended = file.slots.iter().filter(|slot| slot.ended);
    let held = ended.flat_map(|slot| &slot.holds).map(|hold| first.objects.find(hold.object().0));
    held.filter(|object| *object != NO_OBJECT).collect()
}

fn add_releasers(model: &mut Model, file: &Family, part: &mut Part, recording: &mut Recording, ids: &[u64]) {
    let first_thread = part.tables.first_thread;
    let member_of = |object: u32| {
        let id = part.merged.objects.id(object);
        file.sharers(id).is_empty().then(|| file.member_of_object(id))
    };
    let (objects, cell) = (&part.merged.objects, RefCell::new((&mut part.tables, &mut *model)));
    let object_of = |object: u32| {
        let (tables, model) = &mut *cell.borrow_mut();
        tables.object(model, objects.id(object))
    };
    let site_of = |site: u32| {
        let (tables, model) = &mut *cell.borrow_mut();
        tables.site(model, &file.dictionary, site)
    };
    // Where operations are lost, any of them may have made an object known to anybody.
    let is_complete = file.is_complete();
    let is_static = |object: u32, address: u64| {
        let of = member_of(object).and_then(|member| file.members.get(member));
        let is_in_module = |of: &Member| of.modules.iter().any(|module| (module.start..module.end).contains(&address));
        // What lies in shared memory may be opened by each of its processes.
        !is_complete || of.is_none_or(is_in_module)
    };
    // Only a process that names an object has it.
    let may_have = |object: u32, thread: u32| {
        let id = objects.id(object);
        let member = file.member_of_object(ids.get(thread as usize).copied().unwrap_or(0));
        let sharers = file.sharers(id);
        if sharers.is_empty() { file.member_of_object(id) == member } else { sharers.contains(&member) }
    };
    let releasers = recording.reach.releasers(ids.len() as u32, first_thread, object_of, site_of, is_static, may_have);
    for releasers in &releasers {
        let capacity = releasers.capacity;
        if let Some(object) = model.objects.get_mut(releasers.object.idx()) {
            object.capacity = capacity;
        }
    }
    model.releasers.extend(releasers);
}

/// Threads that have no slot. Of a process that was killed while nobody looked it is not known whether there were any.
fn add_unrecorded(model: &mut Model, file: &Family, part: &Part) {
    let first = part.tables.first_thread as usize;
    for (idx, member) in file.members.iter().enumerate() {
        let process = part.tables.process(idx);
        let is_recorded =
            |tid: u32| model.threads.iter().skip(first).any(|thread| thread.process == process && thread.tid == tid);
        let mut known: Vec<(u32, String)> = member.seen_threads.clone().unwrap_or_default();
        if known.is_empty() {
            known.push((member.header.pid, "main".to_owned()));
        }
        known.retain(|(tid, _)| !is_recorded(*tid));
        if member.seen_threads.is_none() && !member.header.exited {
            known.push((0, String::new()));
        }
        // What ran another program since has no threads.
        if !member.is_latest_image {
            known.clear();
        }
        let unrecorded = known.into_iter().map(|(tid, name)| UnrecordedThread { tid, name }).collect();
        if let Some(process) = model.processes.get_mut(process.idx()) {
            process.unrecorded = unrecorded;
        }
    }
}

/// An attempt that is still pending at the end counts like an acquire.
fn add_pending(recording: &mut Recording, part: &mut Part, thread: u32, state: State, slot: Option<&SlotState>) {
    if let Some((request, object)) = state.pending {
        recording.wants(thread, object, request);
    } else if let Some(slot) = slot
        && let Some(request) = slot.wait.filter(|wait| wait.kind() == Kind::REQUEST)
    {
        // The event is lost, but slots stay exact.
        recording.held.forget(thread);
        for hold in &slot.holds {
            let object = part.merged.objects.intern(hold.object().0);
            recording.held.acquire(thread, held(object, *hold));
        }
        let object = part.merged.objects.intern(request.object().0);
        recording.wants(thread, object, request);
    }
}

fn slot_holds(model: &mut Model, file: &Family, part: &mut Part, recording: &Recording, slot: &SlotState) -> Vec<Hold> {
    // What a dead process held in shared memory somebody may have taken over: then its events say that it is released.
    let is_alive = file.members.get(file.member_of_object(slot.thread)).is_some_and(|member| member.alive);
    let thread = part.threads.get(&slot.thread).copied();
    let is_taken_over = |event: &Event| {
        let object = part.merged.objects.find(event.object().0);
        thread.is_some_and(|thread| recording.held.newest(thread, object).is_none())
    };
    let is_held = |event: &&Event| is_alive || !event.object().is_in_shared_memory() || !is_taken_over(event);
    let held: Vec<Event> = slot.holds.iter().filter(is_held).copied().collect();
    let hold = |event: &Event| Hold {
        object: part.tables.object(model, event.object().0),
        mode: event.flags().mode(),
        site: part.tables.site(model, &file.dictionary, event.site().0),
    };
    held.iter().map(hold).collect()
}

/// The kind of an object of the merge, if it was made in this process.
fn kind_of(file: &Family, part: &Part, object: u32) -> ObjectKind {
    let class = part.created.get(object as usize).and_then(|created| file.dictionary.classes.get(&created.class));
    class.map_or(ObjectKind::Unknown, |class| class.kind)
}

fn slot_wait(
    model: &mut Model,
    file: &Family,
    part: &mut Part,
    recording: &Recording,
    slot: &SlotState,
) -> Option<Wait> {
    let event = slot.wait?;
    let is_complete = file.is_complete();
    let waited_for = part.merged.objects.find(event.object().0);
    let is_thread = part.threads.contains_key(&event.object().0);
    let kind = if is_thread { ObjectKind::Thread } else { kind_of(file, part, waited_for) };
    // Of a receive that would do with another channel, that one counts as well.
    let other = part.merged.objects.find(slot.wait_object.0);
    let is_other_over = event.kind() == Kind::RECEIVE && recording.reach.is_over(other, event, ObjectKind::Channel);
    let is_over = is_complete && (recording.reach.is_over(waited_for, event, kind) || is_other_over);
    let mut object = |id: u64| (id != 0).then(|| part.tables.object(model, id));
    let (wanted, other) = match event.kind() {
        // Waits for a scope, which is no object.
        Kind::SCOPE_END => (None, None),
        _ => (object(event.object().0), object(slot.wait_object.0)),
    };
    let member = file.members.get(file.member_of_object(slot.thread)).filter(|member| member.alive);
    let age = member.map(|member| Duration::from_nanos(member.now_ns.saturating_sub(slot.since_ns)));
    let site = part.tables.site(model, &file.dictionary, event.site().0);
    Some(Wait { event, object: wanted, site, other, age, is_over })
}
