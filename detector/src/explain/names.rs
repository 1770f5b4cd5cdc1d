//! What threads and objects are called in reports.

use crate::{
    analysis::{RawEdge, RawFinding},
    finding::{Object, Place, Thread},
    model::{self, Model, ObjectId, ProcessId, ThreadId},
};
use std::path::Path;
use trace_format::ObjectKind;

/// Names of threads, distinct within the finding.
pub(super) fn threads(ids: &[ThreadId], model: &Model) -> Vec<Thread> {
    let mut threads: Vec<Thread> = ids.iter().map(|id| thread(&model.threads[id.idx()], model)).collect();
    let several_processes = ids.iter().any(|id| is_one_of_several(*id, model));
    let names: Vec<(u32, String)> = threads.iter().map(|thread| (thread.process, thread.name.clone())).collect();
    for thread in &mut threads {
        let is_same = |(process, name): &&(u32, String)| (*process, name) == (thread.process, &thread.name);
        let is_ambiguous = names.iter().filter(is_same).count() > 1;
        // An unnamed thread has its number already.
        if is_ambiguous && !thread.name.ends_with(&format!("#{}", thread.thread)) {
            thread.name = format!("{} #{}", thread.name, thread.thread);
        }
        if several_processes {
            thread.name = format!("{} of {}", thread.name, process(thread.process, model));
        }
    }
    threads
}

/// Whether a thread's process had to do with others: then the name of a thread says of which it is.
fn is_one_of_several(id: ThreadId, model: &Model) -> bool {
    let family = model.family_of(id);
    let mut pids = model.processes.iter().filter(|process| process.family == family).map(|process| process.pid);
    let first = pids.next();
    pids.any(|pid| Some(pid) != first)
}

/// Says of objects that are threads of which process they are, in a finding about several. Who waits for the end of another
/// process's first thread waits for the process.
pub(super) fn tell_processes(raw: &RawFinding, ids: &[ObjectId], objects: &mut [Object], model: &Model) {
    let waits_from_elsewhere = |edge: &RawEdge, id: ObjectId, process: ProcessId| {
        let waiting = model.threads.get(edge.thread.idx());
        let is_join = edge.wants.is_some_and(|(object, mode, _)| object == Some(id) && mode == "join");
        is_join && waiting.is_some_and(|waiting| waiting.process != process)
    };
    for (id, object) in ids.iter().zip(objects) {
        let Some(thread_id) = model.objects.get(id.idx()).and_then(|object| object.thread) else { continue };
        let Some(of_thread) = model.threads.get(thread_id.idx()).filter(|_| is_one_of_several(thread_id, model)) else {
            continue;
        };
        let named = thread(of_thread, model);
        let process = process(named.process, model);
        let is_first = model.is_first_of_process(thread_id);
        if is_first && raw.edges.iter().any(|edge| waits_from_elsewhere(edge, *id, of_thread.process)) {
            ObjectKind::Process.name().clone_into(&mut object.kind);
            // Not the process id: ids of findings rest on labels.
            object.label = model.processes.get(of_thread.process.idx()).and_then(|process| process.role.clone());
            object.reference = process;
        } else {
            object.reference = format!("{} of {process}", named.name);
        }
    }
}

/// ``consumer (process 4711)``, or without what it calls itself.
fn process(pid: u32, model: &Model) -> String {
    let of_pid = model.processes.iter().filter(|process| process.pid == pid);
    match of_pid.filter_map(|process| process.role.as_deref()).next_back() {
        Some(role) => format!("{role} (process {pid})"),
        None => format!("process {pid}"),
    }
}

fn thread(thread: &model::Thread, model: &Model) -> Thread {
    let process = model.processes.get(thread.process.idx());
    let is_test = thread.forked_by.is_none() && process.is_some_and(|process| is_test(process, thread.tid));
    let process = process.map_or(0, |process| process.pid);
    let name = match &thread.name {
        _ if thread.is_task => format!("task {}", thread.name.as_deref().unwrap_or("<unnamed>")),
        // The harness starts a thread for each test, under the test's name.
        Some(name) if !name.is_empty() && is_test => format!("test {name}"),
        Some(name) if !name.is_empty() => name.clone(),
        _ if thread.tid != 0 && thread.tid == process => "main".to_owned(),
        _ => format!("<unnamed> #{}", thread.number),
    };
    let name = if thread.is_left_behind { format!("{name} (before the fork)") } else { name };
    Thread { process, thread: thread.number, name, is_left_behind: thread.is_left_behind }
}

/// Whether a thread that nobody was seen to start was started by a test harness, which names it after the test.
fn is_test(process: &model::Process, tid: u32) -> bool {
    tid != process.pid && process.is_test_harness()
}

/// How texts call an object: by its label, else by kind, type and where it was made.
pub(super) fn object_reference(object: &model::Object, created_at: Option<&Place>) -> String {
    match &object.label {
        Some(name) if object.kind == ObjectKind::Task => return format!("task {name}"),
        Some(label) => return label.clone(),
        None => {}
    }
    let of_type = short_type(&object.type_name);
    let wrapped = |wrapper: &str| match of_type.as_str() {
        "" => wrapper.to_owned(),
        of_type => format!("{wrapper}<{of_type}>"),
    };
    let what = match object.kind {
        ObjectKind::Mutex => wrapped("Mutex"),
        ObjectKind::RwLock => wrapped("RwLock"),
        ObjectKind::ReentrantMutex => wrapped("ReentrantMutex"),
        ObjectKind::Channel => wrapped("channel"),
        ObjectKind::AsyncLock => wrapped("async Mutex"),
        ObjectKind::Cell => wrapped("cell"),
        kind => kind.name().to_owned(),
    };
    match created_at {
        Some(place) if place.line > 0 && !is_of_std(&place.file) => {
            format!("{what} made at {}:{}", short_file(&place.file), place.line)
        }
        _ => what,
    }
}

/// Whether a file is the standard library's: of `map(Mutex::new)` that is where the closure is called.
fn is_of_std(file: &str) -> bool {
    file.starts_with("/rustc/")
        || ["core", "std", "alloc"].iter().any(|name| file.contains(&format!("/library/{name}/")))
}

/// Appends `#1`, `#2`, … to references that are the same.
pub(super) fn make_distinct(objects: &mut [Object]) {
    let references: Vec<String> = objects.iter().map(|object| object.reference.clone()).collect();
    for (idx, object) in objects.iter_mut().enumerate() {
        let is_same = |reference: &&String| **reference == references[idx];
        if references.iter().filter(is_same).count() > 1 {
            let number = references[..=idx].iter().filter(is_same).count();
            object.reference = format!("{} #{number}", object.reference);
        }
    }
}

/// A type without the paths of its parts: `Option<Account>` for `core::option::Option<bank::Account>`.
pub(super) fn short_type(type_name: &str) -> String {
    let mut short = String::with_capacity(type_name.len());
    let mut part_start = 0;
    let mut rest = type_name;
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("::") {
            short.truncate(part_start);
            rest = behind;
            continue;
        }
        short.push(c);
        if !c.is_alphanumeric() && c != '_' {
            part_start = short.len();
        }
        rest = &rest[c.len_utf8()..];
    }
    short
}

/// In a sentence, a dependency's file needs no more than its last components.
fn short_file(file: &str) -> String {
    let path = Path::new(file);
    if path.is_relative() {
        return file.to_owned();
    }
    let components: Vec<_> = path.iter().collect();
    let last = components.len().saturating_sub(3);
    components[last..].iter().collect::<std::path::PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::{is_of_std, is_test, short_type};
    use crate::model::Process;

    #[test]
    fn threads_of_a_test_harness_are_tests() {
        let process = |program: &str| Process { pid: 7, program: program.to_owned(), ..Process::default() };
        let harness = process("/w/target/debug/deps/bank-0123456789abcdef");
        assert!(is_test(&harness, 8));
        assert!(!is_test(&harness, 7), "the first thread");
        assert!(!is_test(&process("/w/target/debug/bank"), 8));
        assert!(!is_test(&process("/w/target/debug/deps/bank-vault"), 8));
    }

    #[test]
    fn places_in_the_standard_library_say_nothing() {
        assert!(is_of_std("/rustc/0123abc/library/core/src/ops/function.rs"));
        assert!(is_of_std("/home/a/.rustup/toolchains/x/lib/rustlib/src/rust/library/core/src/ops/function.rs"));
        assert!(!is_of_std("src/library/mod.rs"));
    }

    #[test]
    fn types_lose_the_paths_of_their_parts() {
        assert_eq!(short_type("i32"), "i32");
        assert_eq!(short_type("bank::Account"), "Account");
        assert_eq!(
            short_type("alloc::vec::Vec<(core::option::Option<bank::A>, &mut b::B)>"),
            "Vec<(Option<A>, &mut B)>"
        );
        assert_eq!(short_type("dyn core::fmt::Debug + core::marker::Send"), "dyn Debug + Send");
        assert_eq!(short_type(""), "");
    }
}
