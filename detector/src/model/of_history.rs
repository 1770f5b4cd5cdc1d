//! The model of a history: its threads, locks and places, with the numbers that they have there.

use super::{Model, Object, ObjectId, Process, ProcessId, Site, SiteId, Thread, ThreadId};
use crate::history::{History, Names};
use trace_format::ObjectKind;

/// What a history says of threads, locks and places. Index by index they are those of the history.
pub fn of_history(history: &History, program: &str) -> Model {
    let threads = texts(&history.threads).zip(1..).map(|(name, number)| thread(name, number)).collect();
    let object = |name: &str, kind| Object {
        process: ProcessId(0),
        shared_by: Vec::new(),
        kind,
        type_name: String::new(),
        label: Some(name.to_owned()),
        created_at: None,
        gap: false,
        thread: None,
        capacity: None,
        holders_max: None,
        id: 0,
    };
    let locks = texts(&history.locks).map(|name| object(name, ObjectKind::Mutex));
    let ends = texts(&history.threads).zip((0..).map(ThreadId));
    let ends = ends.map(|(name, thread)| Object { thread: Some(thread), ..object(name, ObjectKind::Thread) });
    Model {
        processes: vec![Process { program: program.to_owned(), exited: true, ..Process::default() }],
        threads,
        objects: locks.chain(ends).collect(),
        sites: texts(&history.places).map(site).collect(),
        n_events: history.operations.len() as u64,
        n_objects: (history.locks.len() + history.variables.len()) as u64,
        ..Model::default()
    }
}

/// What others wait for that wait for the end of a thread of a history.
pub fn thread_object(history: &History, thread: u32) -> ObjectId {
    ObjectId(history.locks.len() as u32 + thread)
}

/// The site of a place in a history.
pub const fn site_of(place: u32) -> SiteId {
    SiteId(place)
}

fn texts(names: &Names) -> impl Iterator<Item = &str> {
    (0..names.len() as u32).map(|number| names.text(number))
}

fn thread(name: &str, number: u32) -> Thread {
    Thread {
        process: ProcessId(0),
        number,
        tid: 0,
        is_task: false,
        name: Some(name.to_owned()),
        forked_by: None,
        scope: None,
        is_left_behind: false,
        ended: true,
        holds: Vec::new(),
        wait: None,
        lost: 0,
    }
}

/// A place: `path:line` or `path:line:column` is one in a file, anything else is whatever its writer meant.
fn site(text: &str) -> Site {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    let (head, last) = text.rsplit_once(':').map_or((text, None), |(head, last)| (head, number(last)));
    let (file, line, column) = match (last, head.rsplit_once(':').and_then(|(file, line)| Some((file, number(line)?))))
    {
        (Some(column), Some((file, line))) => (file.to_owned(), line, column),
        (Some(line), None) => (head.to_owned(), line, 0),
        (None, _) => (format!("location {text}"), 0, 0),
    };
    Site { process: ProcessId(0), file, line, column, stack: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_files_are_told_from_others() {
        let of = |text: &str| {
            let Site { file, line, column, .. } = site(text);
            (file, line, column)
        };
        assert_eq!(of("src/main.rs:7"), ("src/main.rs".to_owned(), 7, 0));
        assert_eq!(of("src/main.rs:7:13"), ("src/main.rs".to_owned(), 7, 13));
        assert_eq!(of("51"), ("location 51".to_owned(), 0, 0));
        assert_eq!(of("Account.java:0"), ("location Account.java:0".to_owned(), 0, 0));
    }
}
