//! Adds to the state of a program what the operating system says of threads that no recorded wait explains: nobody
//! who looks for a hang should have to guess whether a thread that is not listed was asleep.

use crate::{
    finding::{Code, Edge, Finding, Thread},
    model::{KernelThread, Model, ProcessId},
    symbolize::Symbolizer,
};

/// How modes of waits begin that come from the operating system; renderers know them by it.
pub const KERNEL: &str = "kernel:";

/// Threads without any record that one finding lists.
const UNRECORDED_MAX: usize = 32;

/// Completes the stalls among the findings. Later than [`crate::identity`], which must not see what changes from look
/// to look.
pub fn add(findings: &mut [Finding], model: &Model, symbolizer: &mut Symbolizer<'_>) {
    for (process, idx) in model.processes.iter().zip(0..) {
        let is_of_process = |finding: &&mut Finding| finding.threads.iter().any(|thread| thread.process == process.pid);
        let stalls = findings.iter_mut().filter(|finding| finding.code == Code::Stall);
        for stall in stalls.filter(is_of_process) {
            let mut n_more = 0;
            for thread in model.kernel.iter().filter(|thread| thread.process == ProcessId(idx)) {
                match thread.thread.and_then(|id| model.threads.get(id.idx())) {
                    Some(recorded) => explain_recorded(stall, (process.pid, recorded.number), thread, symbolizer),
                    None if stall.threads.iter().filter(|thread| thread.thread == 0).count() < UNRECORDED_MAX => {
                        add_unrecorded(stall, process.pid, thread);
                    }
                    None => n_more += 1,
                }
            }
            if n_more > 0 {
                let more = format!("; {n_more} more threads that recorded nothing are not listed");
                stall.help.push_str(&more);
            }
        }
    }
}

/// A thread that recorded something, and is not known to wait: where it was last heard of.
fn explain_recorded(stall: &mut Finding, of: (u32, u32), thread: &KernelThread, symbolizer: &mut Symbolizer<'_>) {
    let Some(idx) = stall.threads.iter().position(|thread| (thread.process, thread.thread) == of) else { return };
    for edge in stall.edges.iter_mut().filter(|edge| edge.thread == idx && edge.wanted_mode.is_none()) {
        edge.wanted_mode = Some(mode(thread));
        edge.wanted_at = thread.last.map(|site| symbolizer.place(site));
        edge.wanted_stack = thread.last.map(|site| symbolizer.stack(site).to_vec()).unwrap_or_default();
    }
}

fn add_unrecorded(stall: &mut Finding, pid: u32, thread: &KernelThread) {
    let mut name = format!("thread {} (not recorded)", thread.name);
    if thread.tid == pid {
        "main (not recorded)".clone_into(&mut name);
    } else if stall.threads.iter().any(|known| known.name == name) {
        name = format!("thread {} (not recorded, id {})", thread.name, thread.tid);
    }
    stall.threads.push(Thread { process: pid, thread: 0, name, is_left_behind: false });
    stall.edges.push(Edge {
        thread: stall.threads.len() - 1,
        holds: None,
        held_mode: None,
        held_at: None,
        held_stack: Vec::new(),
        released_at: None,
        wants: None,
        wanted_mode: Some(mode(thread)),
        wanted_at: None,
        wanted_stack: Vec::new(),
        could_release: Vec::new(),
    });
}

fn mode(thread: &KernelThread) -> String {
    let call = thread.call.as_ref().map(|call| format!(" in {call}")).unwrap_or_default();
    match thread.state {
        'R' => format!("{KERNEL}running"),
        'S' | 'I' => format!("{KERNEL}sleeping{call}"),
        'D' => format!("{KERNEL}sleeping uninterruptibly{call}"),
        'T' | 't' => format!("{KERNEL}stopped"),
        state => format!("{KERNEL}state {state}{call}"),
    }
}
