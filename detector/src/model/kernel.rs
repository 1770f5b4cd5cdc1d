//! What the operating system says of threads that no recorded wait explains.

use super::{KernelThread, Model, process::Part};
use crate::source::{Family, SlotState};
use rustc_hash::FxHashMap;

/// Adds the threads of live processes that wait for nothing that was recorded, those that recorded nothing included.
pub(super) fn add(model: &mut Model, file: &Family, part: &mut Part) {
    for (idx, member) in file.members.iter().enumerate().filter(|(_, member)| !member.os_threads.is_empty()) {
        let is_of = |slot: &&SlotState| !slot.ended && file.member_of_object(slot.thread) == idx;
        let slots: FxHashMap<u32, &SlotState> = file.slots.iter().filter(is_of).map(|slot| (slot.tid, slot)).collect();
        let last_sites = file.last_sites(idx);
        for thread in &member.os_threads {
            let slot = slots.get(&thread.tid);
            if slot.is_some_and(|slot| slot.wait.is_some()) {
                continue;
            }
            let recorded = slot.and_then(|slot| part.threads.get(&slot.thread));
            let recorded = recorded.map(|idx| super::ThreadId(part.tables.first_thread + idx));
            let last = slot.and_then(|slot| last_sites.get(&slot.thread)).copied();
            let last = last.map(|site| part.tables.site(model, &file.dictionary, site));
            model.kernel.push(KernelThread {
                process: part.tables.process(idx),
                thread: recorded,
                tid: thread.tid,
                name: thread.name.clone(),
                state: thread.state,
                call: thread.call.clone(),
                last,
            });
        }
    }
}
