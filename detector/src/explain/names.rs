//! What threads and objects are called in reports.

use crate::{
    finding::{Object, Place, Thread},
    model::{self, Model, ThreadId},
};
use std::path::Path;
use trace_format::ObjectKind;

/// Names of threads, distinct within the finding.
pub(super) fn threads(ids: &[ThreadId], model: &Model) -> Vec<Thread> {
    let mut threads: Vec<Thread> = ids.iter().map(|id| thread(&model.threads[id.idx()], model)).collect();
    let several_processes = threads.windows(2).any(|pair| pair[0].process != pair[1].process);
    let names: Vec<String> = threads.iter().map(|thread| thread.name.clone()).collect();
    for thread in &mut threads {
        let is_ambiguous = names.iter().filter(|name| **name == thread.name).count() > 1;
        // An unnamed thread has its number already.
        if is_ambiguous && !thread.name.ends_with(&format!("#{}", thread.thread)) {
            thread.name = format!("{} #{}", thread.name, thread.thread);
        }
        if several_processes {
            thread.name = format!("{} of process {}", thread.name, thread.process);
        }
    }
    threads
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
    Thread { process, thread: thread.number, name }
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
