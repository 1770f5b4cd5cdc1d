//! The format's bytes. `tests/golden` keeps a file of every version; every later version must read it, and the
//! version that wrote it must still write the same.
//!
//! A golden file is text for the sake of reviews: a line per word that is not zero, its offset and its value, both
//! in hexadecimal. `BLESS_GOLDEN=1 cargo test -p trace-format --test golden` writes the current version's anew,
//! which is right only as long as that version has not been released.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests fail like tests")]

use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release},
    },
};
use trace_format::{
    ClassId, Event, Flags, Kind, LocationId, Mode, ObjectId, ObjectKind, Order, SiteId, StackId,
    chunk::{self, CHUNK_ALIGN, ChunkKind, HEADER_WORDS, State},
    dictionary::{Addresses, Record, records},
    process::{self, Apart, Stopped, fnv1a},
    slot::{self, FIRST_HOLD, HOLDS_INLINE, Life, SLOT_BYTES, SLOT_WORDS, Snapshot},
    version::{CURRENT, Incompatible, Version},
    words::{Copied, Words, word_at},
};

const CHUNK_WORDS: usize = CHUNK_ALIGN / 8;
const HEADER_END: usize = process::HEADER_BYTES / 8;
/// The golden file: a header and three chunks.
const FILE_WORDS: usize = HEADER_END + 3 * CHUNK_WORDS;

const MAIN: ObjectId = ObjectId(1);
const WORKER: ObjectId = ObjectId(2);
const LOCK_A: ObjectId = ObjectId(0x12_3456_7890);
const LOCK_B: ObjectId = ObjectId(4);
const CONDVAR: ObjectId = ObjectId(5);
const CHANNEL: ObjectId = ObjectId(6);
const BARRIER: ObjectId = ObjectId(8);
const TASK: ObjectId = ObjectId(9);
const CELL: ObjectId = ObjectId(10);
const SHARED: ObjectId = ObjectId(11).in_shared_memory();
const CHILD: ObjectId = ObjectId(12);
const ATOMIC_ADDRESS: u64 = 0x5555_5565_4400;
const CELL_ADDRESS: u64 = 0x7fff_8765_4320;
const SCOPE_ADDRESS: u64 = 0x7fff_1234_5678;

/// Every record that version 1.0 knows.
const RECORDS: [Record<'static>; 12] = [
    Record::Program { path: b"/home/dev/bank/target/debug/bank" },
    Record::Module {
        base: 0x5555_5555_0000,
        start: 0x5555_5556_0000,
        end: 0x5555_5566_0000,
        build_id: &[0xb1, 0xd0, 0x01, 0x02, 0x03],
        path: b"/home/dev/bank/target/debug/bank",
    },
    Record::Location { id: LocationId(1), line: 17, column: 9, file: "src/kontoführung.rs".as_bytes() },
    Record::Stack { id: StackId(2), addresses: Addresses::Words(&[0x5555_5556_1111, 0x5555_5556_2222]) },
    Record::Site { id: SiteId(3), location: LocationId(1), stack: StackId(2) },
    Record::Site { id: SiteId(4), location: LocationId(1), stack: StackId::NONE },
    Record::Class { id: ClassId(5), kind: ObjectKind::Mutex, type_name: b"bank::Account" },
    Record::Label { object: LOCK_A, text: b"accounts" },
    Record::Thread { object: WORKER, tid: 4243, start: 123_457, name: b"" },
    Record::Shared { object: SHARED, device: 0x1a, inode: 77, offset: 4160, birth: 0xfeed_f00d_dead_beef },
    Record::Child { object: CHILD, pid: 4300, start: 123_500 },
    Record::Role { text: "Erzähler".as_bytes() },
];

/// An event of every kind that version 1.0 emits, in an order that a thread could have come to.
fn events() -> Vec<Event> {
    let event = |kind, flags, site, object, seq| Event::new(kind, flags, site, object, seq);
    let at_address = |kind, flags, address, beside| Event::at_address(kind, flags, 3, address, beside);
    let (none, nothing) = (Flags::NONE, ObjectId::NONE);
    let shared = Mode::Shared.flags();
    vec![
        event(Kind::OWNER, none, 0, MAIN, 0),
        event(Kind::BEGIN, none, 0, MAIN, 0),
        event(Kind::TIME, none, 0, nothing, 1_500_000),
        event(Kind::CREATE, none, 4, LOCK_A, 5),
        event(Kind::CREATE, none, 4, BARRIER, 8),
        Event::extend(0, 0x5555_5565_4320),
        event(Kind::CAPACITY, none, 4, BARRIER, 2),
        event(Kind::FORK, Flags::SCOPED, 3, WORKER, SCOPE_ADDRESS),
        event(Kind::FORK_FAILED, none, 3, ObjectId(7), 0),
        event(Kind::ACQUIRE, Flags::TRY.with(Flags::POISONED), 3, LOCK_A, 1),
        event(Kind::REQUEST, shared, 3, LOCK_B, 0),
        event(Kind::ACQUIRE, shared.with(Flags::CONTENDED), 3, LOCK_B, 0xffff_ffff_ffff),
        event(Kind::RELEASE, shared.with(Flags::READ), 3, LOCK_B, 0xffff_ffff_ffff),
        event(Kind::DOWNGRADE, shared, 3, LOCK_B, 9),
        event(Kind::UPGRADE, none, 3, LOCK_B, 10),
        event(Kind::ACQUIRE_FAILED, Flags::TIMED, 3, LOCK_B, 0),
        event(Kind::TASK_BEGIN, none, 0, TASK, 1),
        event(Kind::TASK_SUSPEND, none, 0, TASK, 1),
        event(Kind::TASK_END, none, 0, TASK, 0),
        event(Kind::SIGNAL_BEGIN, none, 3, nothing, 10),
        event(Kind::SIGNAL_END, none, 3, nothing, 10),
        event(Kind::RELEASE, Flags::FOR_WAIT.with(Flags::WROTE), 0xff_ffff, LOCK_A, 1),
        event(Kind::WAIT, Flags::TIMED, 3, CONDVAR, 1),
        event(Kind::WAKE, Flags::TIMED_OUT.with(Flags::TIMED), 3, CONDVAR, 0),
        event(Kind::REQUEST, Flags::REACQUIRE, 3, LOCK_A, 0),
        event(Kind::ACQUIRE, Flags::REACQUIRE.with(Flags::CONTENDED), 3, LOCK_A, 2),
        event(Kind::NOTIFY, Flags::ALL, 3, CONDVAR, 1),
        Event::extend(0xff_ffff_ffff_ffff, u64::MAX),
        event(Kind::ARRIVE, none, 3, BARRIER, 1),
        event(Kind::LOOK, none, 0, BARRIER, 0),
        event(Kind::PASS, none, 3, CONDVAR, LOCK_A.0),
        event(Kind::HANDLE_CLONE, Flags::SENDER, 3, CHANNEL, 2),
        event(Kind::SEND, Flags::TRY, 3, CHANNEL, 1),
        event(Kind::SEND_FAILED, Flags::DISCONNECTED, 3, CHANNEL, 1),
        event(Kind::RECEIVE, Flags::AMONG, 3, CHANNEL, 2),
        event(Kind::RECEIVE_FAILED, Flags::TIMED_OUT.with(Flags::TIMED), 3, CHANNEL, 0),
        event(Kind::SENT, Flags::TIMED, 3, CHANNEL, 7),
        event(Kind::HANDLE_DROP, Flags::RECEIVER, 3, CHANNEL, 0),
        event(Kind::FENCE, Flags::atomic(Order::SeqCst, 0), 3, nothing, 0),
        at_address(Kind::ATOMIC_LOAD, Flags::atomic(Order::Acquire, 3), ATOMIC_ADDRESS, 6),
        at_address(Kind::ATOMIC_STORE, Flags::atomic(Order::Release, 0), ATOMIC_ADDRESS, 7),
        at_address(Kind::ATOMIC_RMW, Flags::atomic(Order::AcqRel, 2).with(Flags::UNCERTAIN), ATOMIC_ADDRESS, 7),
        event(Kind::CELL_READ, none, 3, CELL, 0),
        at_address(Kind::CELL_WRITE, Flags::ADDRESS, CELL_ADDRESS, 24),
        at_address(Kind::PUBLISH, none, CELL_ADDRESS, 8),
        at_address(Kind::OBSERVE, none, CELL_ADDRESS, 8),
        at_address(Kind::CELL_FREE, none, CELL_ADDRESS, 24),
        event(Kind::SCOPE_END, none, 3, nothing, SCOPE_ADDRESS),
        event(Kind::JOIN, none, 3, WORKER, 0),
        event(Kind::OWNER_DIED, none, 3, SHARED, 41),
        Event::extend(4243, 123_457),
        event(Kind::PROCESS_FORK, none, 3, nothing, 1),
        event(Kind::PROCESS_SPAWN, none, 3, CHILD, 0),
        event(Kind::PROCESS_KILL, none, 3, CHILD, 0),
        event(Kind::PROCESS_WAIT, Flags::TRY, 3, CHILD, 0),
        event(Kind::CHILD_EXIT, none, 3, CHILD, 9),
        event(Kind::EXEC, none, 3, nothing, 0),
        event(Kind::DESTROY, none, 0, LOCK_A, 0),
        event(Kind::BODY_END, Flags::PANICKING, 0, MAIN, 0),
        event(Kind::END, none, 0, MAIN, 0),
        event(Kind::LOST, none, 0, nothing, 12),
    ]
}

/// What a reader of the golden file must find, written by hand.
const EVENTS_READ: [&str; 61] = [
    "OWNER(flags 0x00, site 0, object 1, seq 0)",
    "BEGIN(flags 0x00, site 0, object 1, seq 0)",
    "TIME(flags 0x00, site 0, object 0, seq 1500000)",
    "CREATE(flags 0x00, site 4, object 78187493520, seq 5)",
    "CREATE(flags 0x00, site 4, object 8, seq 8)",
    "extend(0x0, 0x555555654320)",
    "CAPACITY(flags 0x00, site 4, object 8, seq 2)",
    "FORK(flags 0x08, site 3, object 2, seq 140733498807928)",
    "FORK_FAILED(flags 0x00, site 3, object 7, seq 0)",
    "ACQUIRE(flags 0x28, site 3, object 78187493520, seq 1)",
    "REQUEST(flags 0x01, site 3, object 4, seq 0)",
    "ACQUIRE(flags 0x11, site 3, object 4, seq 281474976710655)",
    "RELEASE(flags 0x09, site 3, object 4, seq 281474976710655)",
    "DOWNGRADE(flags 0x01, site 3, object 4, seq 9)",
    "UPGRADE(flags 0x00, site 3, object 4, seq 10)",
    "ACQUIRE_FAILED(flags 0x80, site 3, object 4, seq 0)",
    "TASK_BEGIN(flags 0x00, site 0, object 9, seq 1)",
    "TASK_SUSPEND(flags 0x00, site 0, object 9, seq 1)",
    "TASK_END(flags 0x00, site 0, object 9, seq 0)",
    "SIGNAL_BEGIN(flags 0x00, site 3, object 0, seq 10)",
    "SIGNAL_END(flags 0x00, site 3, object 0, seq 10)",
    "RELEASE(flags 0x30, site 16777215, object 78187493520, seq 1)",
    "WAIT(flags 0x80, site 3, object 5, seq 1)",
    "WAKE(flags 0x88, site 3, object 5, seq 0)",
    "REQUEST(flags 0x40, site 3, object 78187493520, seq 0)",
    "ACQUIRE(flags 0x50, site 3, object 78187493520, seq 2)",
    "NOTIFY(flags 0x08, site 3, object 5, seq 1)",
    "extend(0xffffffffffffff, 0xffffffffffffffff)",
    "ARRIVE(flags 0x00, site 3, object 8, seq 1)",
    "LOOK(flags 0x00, site 0, object 8, seq 0)",
    "PASS(flags 0x00, site 3, object 5, seq 78187493520)",
    "HANDLE_CLONE(flags 0x01, site 3, object 6, seq 2)",
    "SEND(flags 0x08, site 3, object 6, seq 1)",
    "SEND_FAILED(flags 0x10, site 3, object 6, seq 1)",
    "RECEIVE(flags 0x40, site 3, object 6, seq 2)",
    "RECEIVE_FAILED(flags 0x88, site 3, object 6, seq 0)",
    "SENT(flags 0x80, site 3, object 6, seq 7)",
    "HANDLE_DROP(flags 0x02, site 3, object 6, seq 0)",
    "FENCE(flags 0x04, site 3, object 0, seq 0)",
    "ATOMIC_LOAD(flags 0x31, site 3, object 366504920064, seq 1621)",
    "ATOMIC_STORE(flags 0x02, site 3, object 366504920064, seq 1877)",
    "ATOMIC_RMW(flags 0x2b, site 3, object 366504920064, seq 1877)",
    "CELL_READ(flags 0x00, site 3, object 10, seq 0)",
    "CELL_WRITE(flags 0x10, site 3, object 1097488220960, seq 6271)",
    "PUBLISH(flags 0x00, site 3, object 1097488220960, seq 2175)",
    "OBSERVE(flags 0x00, site 3, object 1097488220960, seq 2175)",
    "CELL_FREE(flags 0x00, site 3, object 1097488220960, seq 6271)",
    "SCOPE_END(flags 0x00, site 3, object 0, seq 140733498807928)",
    "JOIN(flags 0x00, site 3, object 2, seq 0)",
    "OWNER_DIED(flags 0x00, site 3, object 549755813899, seq 41)",
    "extend(0x1093, 0x1e241)",
    "PROCESS_FORK(flags 0x00, site 3, object 0, seq 1)",
    "PROCESS_SPAWN(flags 0x00, site 3, object 12, seq 0)",
    "PROCESS_KILL(flags 0x00, site 3, object 12, seq 0)",
    "PROCESS_WAIT(flags 0x08, site 3, object 12, seq 0)",
    "CHILD_EXIT(flags 0x00, site 3, object 12, seq 9)",
    "EXEC(flags 0x00, site 3, object 0, seq 0)",
    "DESTROY(flags 0x00, site 0, object 78187493520, seq 0)",
    "BODY_END(flags 0x40, site 0, object 1, seq 0)",
    "END(flags 0x00, site 0, object 1, seq 0)",
    "LOST(flags 0x00, site 0, object 0, seq 12)",
];

/// Writes the golden file's content as a recorder would.
fn write_file(words: &[AtomicU64]) {
    let (header, chunks) = words.split_at(HEADER_END);
    write_header(header);
    let mut chunks = chunks.chunks(CHUNK_WORDS);
    let mut chunk = |kind| {
        let words = chunks.next().unwrap();
        chunk::begin(words, kind, CHUNK_ALIGN, MAIN.0);
        words
    };
    write_records(chunk(ChunkKind::DICTIONARY), HEADER_WORDS, &RECORDS);
    write_slot(chunk(ChunkKind::SLOTS));
    let segment = chunk(ChunkKind::EVENTS);
    write_events(segment, HEADER_WORDS, &events());
    chunk::finish(segment, State::IDLE);
}

fn write_header(words: &[AtomicU64]) {
    use process::word;
    let values = [
        (word::VERSION, u64::from(CURRENT.pack()) << 32 | 1),
        (word::PID, 4242),
        (word::START, 123_456),
        (word::FORKED_PID, 4141),
        (word::FORKED_START, 99_999),
        (word::FORKED_NEXT_OBJECT, 3),
        (word::FORKED_NUMBER, 2),
        (word::BOOT, fnv1a(b"5f1b6cf4-1d5c-4d39-8f2b-0f2f6a1c7e11")),
        (word::WALL_NS, 1_767_225_600_000_000_000),
        (word::MONOTONIC_NS, 86_400_000_000_000),
        (word::END, 1),
        (word::LOST, 7),
        (word::LIMIT, 4 << 30),
        (word::TAKEN, (FILE_WORDS * 8) as u64),
        (word::FORKED_COPY, 2),
        (word::STOPPED, Stopped::Limit as u64),
    ];
    for (word, value) in values {
        words.store(word, value, Relaxed);
    }
    words.store(word::MAGIC, process::MAGIC, Release);
}

fn write_records(words: &[AtomicU64], at: usize, records: &[Record<'_>]) {
    let mut at = at;
    for record in records {
        record.encode(&mut |value| {
            words.store(at, value, Relaxed);
            at += 1;
        });
    }
    chunk::publish(words, at);
}

fn write_slot(words: &[AtomicU64]) {
    use slot::word;
    let slot = &words[HEADER_WORDS..HEADER_WORDS + SLOT_WORDS];
    for (word, value) in [(word::THREAD, MAIN.0), (word::TID, 4242), (word::LOST, 12), (word::STATE, Life::LIVE.0)] {
        slot.store(word, value, Relaxed);
    }
    let hold = |object, seq| Event::new(Kind::ACQUIRE, Flags::NONE, 3, object, seq);
    slot::push(slot, slot, FIRST_HOLD, 0, hold(LOCK_A, 1));
    slot::push(slot, slot, FIRST_HOLD + Event::WORDS, 1, hold(LOCK_B, 2));
    let wait = Event::new(Kind::WAIT, Flags::NONE, 3, CONDVAR, 8);
    slot::begin_wait(slot, wait, LOCK_B.0, 2_000_000_000);
    chunk::publish(words, HEADER_WORDS + SLOT_WORDS);
}

fn write_events(words: &[AtomicU64], at: usize, events: &[Event]) {
    let end = events.iter().fold(at, |at, event| chunk::write(words, at, *event));
    chunk::publish(words, end);
}

fn zeros(n_words: usize) -> Vec<AtomicU64> {
    (0..n_words).map(|_| AtomicU64::new(0)).collect()
}

fn bytes(words: &[AtomicU64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect()
}

fn written() -> Vec<AtomicU64> {
    let words = zeros(FILE_WORDS);
    write_file(&words);
    words
}

fn golden_path(version: Version) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &format!("v{version}.txt")].iter().collect()
}

fn to_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for word in 0..bytes.len() / 8 {
        match word_at(bytes, word) {
            0 => {}
            value => writeln!(text, "{:06x}: {value:016x}", word * 8).unwrap(),
        }
    }
    writeln!(text, "{:06x}: end", bytes.len()).unwrap();
    text
}

fn from_text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let (offset, value) = line.split_once(": ").unwrap();
        bytes.resize(usize::from_str_radix(offset, 16).unwrap(), 0);
        if value != "end" {
            bytes.extend(u64::from_str_radix(value, 16).unwrap().to_le_bytes());
        }
    }
    bytes
}

/// A process file, read as a reader must: what it does not know it skips and counts.
#[derive(Debug, Default)]
struct Trace {
    chunks: Vec<(ChunkKind, State)>,
    records: Vec<String>,
    events: Vec<Event>,
    slots: Vec<Snapshot>,
    n_unknown: usize,
}

impl Trace {
    fn read(bytes: &[u8]) -> Result<(process::Header, Self), Incompatible> {
        let file = process::Header::read(&Copied(bytes)).unwrap();
        file.version.check_readable_by(CURRENT)?;
        let mut trace = Self::default();
        let mut rest = &bytes[process::HEADER_BYTES..];
        while let Some(header) = chunk::Header::read(&Copied(rest)) {
            trace.chunks.push((header.kind, header.state));
            trace.read_payload(header.kind, &rest[chunk::HEADER_BYTES..header.head]);
            rest = &rest[header.bytes..];
        }
        Ok((file, trace))
    }

    fn read_payload(&mut self, kind: ChunkKind, payload: &[u8]) {
        match kind {
            ChunkKind::DICTIONARY => records(payload).for_each(|record| match record.unwrap() {
                Record::Unknown { .. } => self.n_unknown += 1,
                record => self.records.push(readable(&record)),
            }),
            ChunkKind::SLOTS => {
                self.slots.extend(payload.chunks(SLOT_BYTES).map(|slot| Snapshot::read(&Copied(slot))));
            }
            ChunkKind::EVENTS => self.read_events(payload),
            _ => self.n_unknown += 1,
        }
    }

    fn read_events(&mut self, payload: &[u8]) {
        let mut known = false;
        for at in (0..payload.len() / 8).step_by(Event::WORDS) {
            let event = Event::from_words([word_at(payload, at), word_at(payload, at + 1)]);
            if event.kind() != Kind::EXTEND {
                known = event.kind().name().is_some();
                self.n_unknown += usize::from(!known);
            }
            if known {
                self.events.push(event);
            }
        }
    }
}

/// A record as text, in which names can be read.
fn readable(record: &Record<'_>) -> String {
    let text = String::from_utf8_lossy;
    match *record {
        Record::Location { id, line, column, file } => format!("{id:?} {}:{line}:{column}", text(file)),
        Record::Stack { id, addresses } => format!("{id:?} {addresses:x?}"),
        Record::Site { id, location, stack } => format!("{id:?} {location:?} {stack:?}"),
        Record::Module { base, start, end, build_id, path } => {
            format!("module {base:x} {start:x}-{end:x} {build_id:x?} {}", text(path))
        }
        Record::Label { object, text: label } => format!("{object:?} label {}", text(label)),
        Record::Thread { object, tid, start, name } => format!("{object:?} thread {tid} {start} {:?}", text(name)),
        Record::Class { id, kind, type_name } => format!("{id:?} {} {}", kind.name(), text(type_name)),
        Record::Program { path } => format!("program {}", text(path)),
        Record::Shared { object, device, inode, offset, birth } => {
            format!("{object:?} shared {device:x} {inode} {offset} {birth:x}")
        }
        Record::Child { object, pid, start } => format!("{object:?} child {pid} {start}"),
        Record::Role { text: role } => format!("role {}", text(role)),
        Record::Unknown { tag } => format!("unknown {tag}"),
    }
}

/// The golden file of version 1.0, from the repository.
fn golden() -> Vec<u8> {
    from_text(&fs::read_to_string(golden_path(Version { major: 1, minor: 0 })).unwrap())
}

#[test]
fn the_current_version_writes_its_golden_bytes() {
    let path = golden_path(CURRENT);
    let written = bytes(&written());
    if std::env::var_os("BLESS_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, to_text(&written)).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    assert_eq!(to_text(&written), golden, "the format changed: see FORMAT.md, \"Versions\"");
    assert_eq!(from_text(&golden), written);
}

#[test]
#[cfg(all(feature = "map", unix))]
fn a_mapped_file_gets_the_golden_bytes() {
    use trace_format::segment::Segment;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("4242-123456-1.events");
    let file = fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    let bytes = FILE_WORDS * 8;
    write_file(Segment::create(&file, 0, bytes, bytes).unwrap().words());
    assert_eq!(to_text(&fs::read(&path).unwrap()), to_text(&golden()));
}

#[test]
fn the_header_of_1_0_is_read() {
    let (header, trace) = Trace::read(&golden()).unwrap();
    let expected = process::Header {
        version: Version { major: 1, minor: 0 },
        pid: 4242,
        start: 123_456,
        copy: 1,
        forked_from: Some((4141, 99_999, 2)),
        forked_next_object: 3,
        forked_number: 2,
        boot: 0xb5f1_b9d7_bb4a_1634,
        wall_ns: 1_767_225_600_000_000_000,
        exited: true,
        lost: 7,
        limit_bytes: 4_294_967_296,
        stopped: Stopped::Limit,
        apart: Apart::Nobody,
        recorder: None,
    };
    assert_eq!(header, expected);
    let chunks =
        [(ChunkKind::DICTIONARY, State::WRITING), (ChunkKind::SLOTS, State::WRITING), (ChunkKind::EVENTS, State::IDLE)];
    assert_eq!(trace.chunks, chunks);
    assert_eq!(trace.n_unknown, 0);
}

#[test]
fn the_records_of_1_0_are_read() {
    let (_, trace) = Trace::read(&golden()).unwrap();
    let expected = [
        "program /home/dev/bank/target/debug/bank",
        "module 555555550000 555555560000-555555660000 [b1, d0, 1, 2, 3] /home/dev/bank/target/debug/bank",
        "LocationId(1) src/kontoführung.rs:17:9",
        "StackId(2) [555555561111, 555555562222]",
        "SiteId(3) LocationId(1) StackId(2)",
        "SiteId(4) LocationId(1) StackId(0)",
        "ClassId(5) mutex bank::Account",
        "ObjectId(78187493520) label accounts",
        "ObjectId(2) thread 4243 123457 \"\"",
        "ObjectId(549755813899) shared 1a 77 4160 feedf00ddeadbeef",
        "ObjectId(12) child 4300 123500",
        "role Erzähler",
    ];
    assert_eq!(trace.records, expected);
}

#[test]
fn the_events_of_1_0_are_read() {
    let (_, trace) = Trace::read(&golden()).unwrap();
    let events: Vec<String> = trace.events.iter().map(|event| format!("{event:?}")).collect();
    assert_eq!(events, EVENTS_READ);
}

#[test]
fn the_slot_of_1_0_is_read() {
    let (_, trace) = Trace::read(&golden()).unwrap();
    let [slot] = trace.slots[..] else { panic!("one slot") };
    let mut holds = [Event::default(); HOLDS_INLINE];
    holds[0] = Event::new(Kind::ACQUIRE, Flags::NONE, 3, ObjectId(78_187_493_520), 1);
    holds[1] = Event::new(Kind::ACQUIRE, Flags::NONE, 3, ObjectId(4), 2);
    let expected = Snapshot {
        life: Life::LIVE,
        thread: 1,
        tid: 4242,
        epoch: 1,
        wait: Some(Event::new(Kind::WAIT, Flags::NONE, 3, ObjectId(5), 8)),
        wait_object: 4,
        since_ns: 2_000_000_000,
        n_holds: 2,
        holds,
        overflow: 0,
        lost: 12,
        exact: true,
    };
    assert_eq!(slot, expected);
}

#[test]
fn another_major_version_is_refused() {
    let file = |version: Version| {
        let words = written();
        words.store(process::word::VERSION, u64::from(version.pack()) << 32, Relaxed);
        bytes(&words)
    };
    let version = Version { major: CURRENT.major + 1, minor: 0 };
    let too_new = Incompatible::TooNew { file: version, reader: CURRENT };
    assert_eq!(Trace::read(&file(version)).unwrap_err(), too_new);
    let version = Version { major: CURRENT.major - 1, minor: u16::MAX };
    let too_old = Incompatible::TooOld { file: version, reader: CURRENT };
    assert_eq!(Trace::read(&file(version)).unwrap_err(), too_old);
}

#[test]
fn a_newer_minor_version_is_read_but_for_what_is_unknown() {
    let later = Record::Label { object: LOCK_B, text: b"later" };
    let [destroy_a, destroy_b] = [LOCK_A, LOCK_B].map(|lock| Event::new(Kind::DESTROY, Flags(0x80), 0, lock, 0));
    let unknown = Event::new(Kind(200), Flags(0xff), 1, LOCK_A, 1);
    let version = Version { major: CURRENT.major, minor: CURRENT.minor + 1 };

    let words = zeros(FILE_WORDS + 3 * CHUNK_WORDS);
    write_file(&words);
    words.store(process::word::VERSION, u64::from(version.pack()) << 32, Relaxed);
    words.store(process::HEADER_BYTES / 8 - 1, 1, Relaxed);
    let chunk_at = |n: usize| &words[HEADER_END + n * CHUNK_WORDS..];
    let end_of = |n: usize| chunk::Header::read(chunk_at(n)).unwrap().head / 8;

    // A record with a tag that is unknown and a payload of two words, and a known one after it.
    let at = end_of(0);
    let n_bytes = 3 * 8;
    chunk_at(0).store(at, n_bytes | (900 << 32), Relaxed);
    chunk_at(0).store(at + 1, u64::MAX, Relaxed);
    chunk_at(0).store(at + 2, u64::MAX, Relaxed);
    write_records(chunk_at(0), at + 3, &[later]);
    write_events(chunk_at(2), end_of(2), &[destroy_a, unknown, Event::extend(1, 2), Event::extend(3, 4)]);
    // A chunk of a kind that is unknown, of two units, and a known one after it.
    chunk::begin(chunk_at(3), ChunkKind(900), 2 * CHUNK_ALIGN, 0);
    write_events(chunk_at(3), HEADER_WORDS, &[unknown; 9]);
    chunk::begin(chunk_at(5), ChunkKind::EVENTS, CHUNK_ALIGN, 0);
    write_events(chunk_at(5), HEADER_WORDS, &[destroy_b]);

    let (header, trace) = Trace::read(&bytes(&words)).unwrap();
    assert_eq!(header.version, version);
    assert_eq!(trace.n_unknown, 3, "a record, an event with its extensions, and a chunk");
    assert_eq!(trace.records.len(), RECORDS.len() + 1);
    assert_eq!(trace.records.last(), Some(&readable(&later)));
    assert_eq!(trace.events, [events(), vec![destroy_a, destroy_b]].concat());
    assert_eq!(trace.slots.len(), 1);
}

/// The rows of FORMAT.md's table of events: kinds with their numbers and whether version 1.0 emits them.
fn kinds_in_format_md() -> Vec<(String, u8, bool)> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/FORMAT.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| kind | no. |")).skip(2);
    let mut kinds = Vec::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let [_, names, numbers, emitted, ..] = row.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("a row has more cells: {row}")
        };
        let numbers: Vec<u8> = match numbers.split_once('-') {
            Some((first, last)) => (first.parse().unwrap()..=last.parse().unwrap()).collect(),
            None => numbers.split(", ").map(|number| number.parse().unwrap()).collect(),
        };
        let emitted: Vec<bool> = emitted.split(", ").map(|emitted| emitted == "E").collect();
        for (i, name) in names.split(", ").enumerate() {
            // "ATOMIC_LOAD, _STORE" is short for "ATOMIC_LOAD, ATOMIC_STORE".
            let name = if name.starts_with('_') { format!("ATOMIC{name}") } else { name.to_owned() };
            kinds.push((name, numbers[i], *emitted.get(i).unwrap_or(&emitted[0])));
        }
    }
    kinds
}

#[test]
fn format_md_lists_the_kinds_and_the_golden_file_has_those_emitted() {
    let listed = kinds_in_format_md();
    let numbers: Vec<_> = listed.iter().map(|(name, number, _)| (Kind(*number), name.as_str())).collect();
    assert_eq!(numbers, Kind::ALL);

    let (_, trace) = Trace::read(&golden()).unwrap();
    for (name, number, emitted) in listed {
        let found = trace.events.iter().any(|event| event.kind() == Kind(number));
        assert_eq!(found, emitted, "{name}");
    }
}
