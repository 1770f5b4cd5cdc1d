//! STD text and RapidBin: what of others' traces becomes a history, and what is said of the rest.
#![allow(clippy::unwrap_used, reason = "what a test cannot get, fails it")]

use detector::{
    finding::Problem,
    history::{Builder, History, Kind, Origin, PROBLEMS_MAX, Wrong},
    source::{self, Compression, Encoding, Found, HistoryError, HistoryFile, rapid_bin, std_text},
};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    io::{self, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

/// Cases of each test over arbitrary bytes.
const FUZZ_CASES: u32 = 50_000;

fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/traces")
}

/// The files of one folder, in order.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(traces().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn read(text: &str) -> (History, Vec<Problem>) {
    std_text::read(text.as_bytes(), "x.std")
}

/// The operations with names, which do not depend on who was numbered first.
fn named(history: &History) -> Vec<(String, Kind, String, String)> {
    let name = |operation: &detector::history::Operation| {
        let (thread, place) = (history.threads.text(operation.thread), history.places.text(operation.place));
        (thread.to_owned(), operation.kind, history.target_name(*operation).to_owned(), place.to_owned())
    };
    history.operations.iter().map(name).collect()
}

fn write(history: &History) -> String {
    io::read_to_string(std_text::StdText::new(history)).unwrap()
}

/// Operations without places, as a text has them.
fn operations(history: &History) -> String {
    let line = |(thread, kind, target, _): (String, Kind, String, String)| format!("{thread} {} {target}", kind.name());
    named(history).into_iter().map(|named| line(named).trim_end().to_owned()).collect::<Vec<_>>().join(", ")
}

fn texts(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.text.as_str()).collect()
}

/// A text of lines `T1 acq L, T1 rel L`, each at the place that is its number.
fn lines(script: &str) -> String {
    let line = |(line, n): (&str, u32)| {
        let mut words = line.split_whitespace();
        let (thread, kind) = (words.next().unwrap(), words.next().unwrap());
        format!("{thread}|{kind}({})|{n}\n", words.next().unwrap_or_default())
    };
    script.split(',').zip(1..).map(line).collect()
}

/// What a text holds, counted without the reader: operations by name, threads, locks.
fn count(text: &str) -> (BTreeMap<String, usize>, usize, usize) {
    let mut counts = BTreeMap::new();
    let (mut threads, mut locks) = (BTreeSet::new(), BTreeSet::new());
    let mut held: HashMap<&str, (&str, usize)> = HashMap::new();
    let (mut begun, mut last) = (BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        let fields: Vec<_> = line.split('|').collect();
        let (name, operand) = fields[1].split_once('(').unwrap();
        let (thread, operand) = (fields[0], operand.trim_end_matches(')'));
        threads.insert(thread);
        if ["fork", "join"].contains(&name) {
            threads.insert(operand);
        }
        last.insert(thread, name);
        if name == "begin" {
            begun.insert(thread);
        }
        if ["acq", "rel", "req"].contains(&name) {
            locks.insert(operand);
            let depth = held.get(operand).filter(|(owner, _)| *owner == thread).map_or(0, |(_, depth)| *depth);
            match name {
                "acq" if !held.contains_key(operand) || depth > 0 => drop(held.insert(operand, (thread, depth + 1))),
                "rel" if depth > 1 => drop(held.insert(operand, (thread, depth - 1))),
                "rel" if depth == 1 => drop(held.remove(operand)),
                _ => {}
            }
            if name == "rel" && depth != 1 || name != "rel" && depth > 0 {
                continue;
            }
        }
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    counts.insert("begin".to_owned(), begun.len());
    counts.insert("end".to_owned(), last.values().filter(|name| **name == "end").count());
    (counts, threads.len(), locks.len())
}

#[test]
fn public_traces_have_the_operations_that_are_in_their_lines() {
    let mut n_files = 0;
    for path in files("deadlock").into_iter().chain(files("race")) {
        let Found::File(file) = source::look(&path).unwrap() else { panic!("{path:?}") };
        let is_compressed = path.extension().unwrap() == "gz";
        assert_eq!(file.encoding, Encoding::StdText);
        assert_eq!(file.compression, if is_compressed { Compression::Gzip } else { Compression::None });
        let (history, problems) = file.read().unwrap();
        let text = if is_compressed {
            io::read_to_string(flate2::read::GzDecoder::new(fs::File::open(&path).unwrap())).unwrap()
        } else {
            fs::read_to_string(&path).unwrap()
        };
        let (mut counts, n_threads, n_locks) = count(&text);
        let is_contradictory = path.ends_with("cache4j_dlf.std.gz");
        if is_contradictory {
            *counts.get_mut("acq").unwrap() -= 1;
        }
        for kind in Kind::ALL {
            let n = history.operations.iter().filter(|operation| operation.kind == kind).count();
            assert_eq!(n, counts.get(kind.name()).copied().unwrap_or(0), "{path:?} {kind:?}");
        }
        assert_eq!((history.threads.len(), history.locks.len()), (n_threads, n_locks), "{path:?}");
        assert_eq!(problems.len(), usize::from(is_contradictory), "{path:?} {problems:?}");
        assert_eq!((history.flaws.len(), history.doubtful.len()), (problems.len(), 0), "{path:?}");
        n_files += 1;
    }
    assert_eq!(n_files, 18);
}

#[test]
fn binary_traces_are_those_that_they_were_made_of() {
    let paths = files("rapidbin");
    assert_eq!(paths.len(), 5);
    for path in paths {
        let Found::File(file) = source::look(&path).unwrap() else { panic!("{path:?}") };
        assert_eq!((file.encoding, file.compression), (Encoding::RapidBin, Compression::None));
        let (history, problems) = file.read().unwrap();
        assert_eq!(problems, []);
        let text = traces().join("deadlock").join(path.with_extension("std").file_name().unwrap());
        assert_eq!(named(&history), named(&source::history(&text).unwrap().0), "{path:?}");

        let mut bytes = Vec::new();
        rapid_bin::write(&history, &mut bytes).unwrap();
        let (again, problems) = rapid_bin::read(&bytes[..], "again").unwrap();
        assert_eq!(problems, []);
        assert_eq!(again.operations.len(), history.operations.len());
        for (again_is, is) in again.operations.iter().zip(&history.operations) {
            assert_eq!(again.threads.text(again_is.thread), format!("T{}", is.thread));
            assert_eq!(again.places.text(again_is.place), is.place.to_string());
            let name = again.target_name(*again_is);
            assert_eq!((again_is.kind, name.get(1..).unwrap_or("0")), (is.kind, is.target.to_string().as_str()));
        }
    }
}

#[test]
fn what_is_wrong_is_said_once_with_its_line() {
    let mut all = Vec::new();
    for path in files("malformed") {
        let (history, problems) = source::history(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_fine = name == "valid_trace.std";
        assert_eq!(problems.len(), usize::from(!is_fine), "{problems:?}");
        assert!(problems.iter().all(|problem| problem.fatal));
        all.push(format!("{name}: {} operations, {} flaws", history.operations.len(), history.flaws.len()));
        for text in texts(&problems) {
            let (_, text) = text.split_once("malformed/").unwrap();
            all.push(format!("  {text}"));
        }
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn dialects_are_understood() {
    let text = "\u{feff}T1|begin|0\r\n\r\nT1|begin()|0\nT1|begin...|x y|z\nT1|dummy(7)|1\n  \nT1|branch|2\nT1|broadcast(L)|\nT1|fork(9)|3\n\
        T9|end...|4\nT1|join(9)|file name.rs:7\r\nT1|w(a(b)[0])|5";
    let (history, problems) = read(text);
    assert_eq!(problems, []);
    let expected = "T1 begin, T1 branch, T1 notifyAll L, T1 fork T9, T9 end, T1 join T9, T1 w a(b)[0]";
    assert_eq!(operations(&history), expected);
    assert_eq!(history.places.iter().collect::<Vec<_>>()[..5], ["0", "x y|z", "2", "", "3"]);

    // Only where threads are called so, and nobody is called by the digits.
    assert_eq!(operations(&read(&lines("A fork 9, 9 w x")).0), "A fork 9, 9 w x");
    assert_eq!(operations(&read(&lines("9 w x, T1 join 9")).0), "9 w x, T1 join 9");
}

#[test]
fn lines_that_are_none_are_left_out_and_located() {
    let long = "x".repeat(70_000);
    let text = format!(
        "T1|w(x)|1\nT1 w(x) 1\nT1|w(x)\n|w(x)|1\nT 1|w(x)|1\nT1|w|1\nT1|w()|1\nT1|w(x y)|1\nT1|w(x|1\nT1|(x)|1\nT1|w({long})|1\n\
         \u{1b}[31m\nT1|w(x)|2\n"
    );
    let (history, problems) = read(&text);
    assert_eq!(operations(&history), "T1 w x, T1 w x");
    insta::assert_snapshot!(texts(&problems).join("\n"));
    // However the bytes come.
    for capacity in [1, 7, 4096, 65_536, 1 << 20] {
        let (again, same) = std_text::read(BufReader::with_capacity(capacity, text.as_bytes()), "x.std");
        assert_eq!((named(&again), same), (named(&history), problems.clone()), "{capacity}");
    }
    let (history, problems) = std_text::read(&b"T1|w(x)|1\nT1|w(\xff)|2\nT1|w(y)|3"[..], "x.std");
    assert_eq!(operations(&history), "T1 w x, T1 w y");
    assert_eq!(texts(&problems), ["x.std:2: the line is not UTF-8; it is left out: write its names in UTF-8"]);
}

#[test]
fn problems_are_bounded_and_the_rest_is_counted() {
    let (_, problems) = read(&"nonsense\n".repeat(PROBLEMS_MAX + 1000));
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(problems[PROBLEMS_MAX].text, "x.std: 1000 more lines are like these");
    assert!(problems[PROBLEMS_MAX].fatal);
}

#[test]
fn what_cannot_have_happened_is_a_flaw() {
    for (script, wrong, line, left) in [
        ("A rel L", Wrong::ReleasesFree, 1, ""),
        ("A acq L, A rel L, A rel L", Wrong::ReleasesFree, 3, "A acq L, A rel L"),
        ("A acq L, B rel L, A rel L", Wrong::ReleasesOthers, 2, "A acq L, A rel L"),
        // The release of what was not acquired goes with it.
        ("A acq L, B acq L, A rel L, B w x, B rel L", Wrong::AcquiresHeld, 2, "A acq L, A rel L, B w x"),
        ("A fork B, B w x, A join B, B w x, B end", Wrong::AfterEnd, 4, "A fork B, B w x, A join B"),
        ("A join A", Wrong::AfterEnd, 1, ""),
        ("B w x, A fork B", Wrong::ForksBegun, 2, "B w x"),
        ("A fork B, A fork B", Wrong::ForksBegun, 2, "A fork B"),
        ("A fork A", Wrong::ForksBegun, 1, ""),
    ] {
        let (history, problems) = read(&lines(script));
        assert_eq!(operations(&history), left, "{script}");
        assert_eq!(history.flaws.len(), 1, "{script}");
        let flaw = history.flaws[0];
        assert_eq!((flaw.wrong, flaw.at), (wrong, line), "{script}");
        let before = read(&lines(script).lines().take(line as usize - 1).collect::<Vec<_>>().join("\n"));
        assert_eq!(flaw.before, before.0.operations.len(), "{script}");
        assert!(problems.len() == 1 && problems[0].text.starts_with(&format!("x.std:{line}: ")), "{problems:?}");
    }
}

#[test]
fn what_can_have_happened_is_none() {
    for (script, left) in [
        ("A r x", "A r x"),
        ("A req L, A acq L, A req L, A acq L, A rel L, A rel L", "A req L, A acq L, A rel L"),
        // What runs at a thread's exit comes behind its body's end.
        (
            "A fork B, B begin, B end, B acq L, B rel L, A join B, B end",
            "A fork B, B begin, B acq L, B rel L, A join B",
        ),
        ("A end, A end", "A end"),
        // Declarations of threads are not their beginnings.
        ("A begin, B begin, A fork B, B begin, B w x", "A begin, A fork B, B begin, B w x"),
        ("A join B, A fork B, B w x, A join B", "A join B, A fork B, B w x, A join B"),
        ("A fork B, A join B, A join B", "A fork B, A join B, A join B"),
    ] {
        let (history, problems) = read(&lines(script));
        assert_eq!((operations(&history).as_str(), texts(&problems)), (left, vec![]), "{script}");
        assert_eq!((history.flaws.len(), history.doubtful.len()), (0, 0), "{script}");
    }
}

#[test]
fn waits_without_their_release_make_a_lock_doubtful() {
    for (script, left, doubtful) in [
        ("A acq L, A rel L, A wait L, A acq L, A rel L", "A acq L, A rel L, A wait L, A acq L, A rel L", ""),
        ("A acq L, A rel L, A wait L, A req L, A acq L", "A acq L, A rel L, A wait L, A req L, A acq L", ""),
        // A condition of its own name is no lock.
        ("A acq L, A rel L, A wait c, A acq L", "A acq L, A rel L, A wait c, A acq L", ""),
        ("A acq L, A wait L", "A acq L, A rel L, A wait L", "L"),
        ("A acq L, A wait L, A w x, A rel L", "A acq L, A rel L, A wait L, A acq L, A w x, A rel L", "L"),
        ("A acq L, A wait L, A acq L, A w x, A rel L", "A acq L, A rel L, A wait L, A acq L, A w x, A rel L", "L"),
        (
            "A acq L, A acq L, A wait L, A rel L, B w x, A rel L, B acq L",
            "A acq L, A rel L, A wait L, A acq L, B w x, A rel L, B acq L",
            "L",
        ),
        // Others had it, and did not give it back before: what the thread holds then is not said.
        (
            "A acq L, A wait L, B acq L, A w x, A rel L, B rel L",
            "A acq L, A rel L, A wait L, B acq L, A w x, B rel L",
            "L",
        ),
        ("A acq L, A rel L, A wait L, A w x", "A acq L, A rel L, A wait L, A w x", "L"),
    ] {
        let (history, problems) = read(&lines(script));
        assert_eq!(operations(&history), left, "{script}");
        assert_eq!(history.doubtful, history.locks.find(doubtful).into_iter().collect::<Vec<_>>(), "{script}");
        assert_eq!((problems.len(), history.flaws.len()), (history.doubtful.len(), 0), "{problems:?}");
        assert!(problems.iter().all(|problem| !problem.fatal));
    }
    let (_, problems) = read(&lines("A acq L, A wait L, A wait L"));
    assert_eq!(
        texts(&problems),
        [
            "x.std:2: A waits with L while it holds it: when others could hold L is not known, and nothing about it is proven; \
          record rel(L) before the wait and acq(L) after it"
        ]
    );
}

/// Some history: whatever of the operations can have happened.
fn histories() -> impl Strategy<Value = History> {
    const THREADS: [&str; 5] = ["T0", "T1", "main", "9x", "ü"];
    const OTHERS: [&str; 4] = ["L1", "@07", "a(b)", "V234.23[0]"];
    const PLACES: [&str; 4] = ["1", "src/main.rs:7", "two words|x", ""];
    let operation = (0..Kind::ALL.len(), 0..5_usize, 0..5_usize, 0..4_usize);
    prop::collection::vec(operation, 0..80).prop_map(|operations| {
        let mut builder = Builder::new(Origin::Lines("x".to_owned()));
        for (n, (kind, thread, target, place)) in (1..).zip(operations) {
            let kind = Kind::ALL[kind];
            let thread = builder.thread(THREADS[thread]);
            let target = match kind.target() {
                detector::history::Target::Lock => builder.lock(OTHERS[target % 4]),
                detector::history::Target::Variable => builder.variable(OTHERS[target % 4]),
                detector::history::Target::Thread => builder.thread(THREADS[target]),
                detector::history::Target::Resource | detector::history::Target::Nothing => 0,
            };
            let place = builder.place(PLACES[place]);
            builder.add(n, kind, thread, target, place);
        }
        builder.finish().0
    })
}

fn compressed(compression: Compression, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    compression.write(text.as_bytes(), &mut bytes).unwrap();
    bytes
}

fn recognise(bytes: Vec<u8>) -> Result<(History, Vec<Problem>), HistoryError> {
    HistoryFile::recognise(Path::new("x"), Box::new(Cursor::new(bytes)))?.read()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_history_written_and_read_is_the_same(history in histories()) {
        let text = write(&history);
        let (again, problems) = read(&text);
        prop_assert!(problems.iter().all(|problem| !problem.fatal), "{problems:?}\n{text}");
        prop_assert_eq!(named(&again), named(&history));
        prop_assert_eq!(again.flaws.len(), 0);
        for compression in [Compression::Gzip, Compression::Zstd] {
            let bytes = compressed(compression, &text);
            prop_assert_eq!(Compression::of(&bytes), compression);
            if !text.is_empty() {
                prop_assert_eq!(named(&recognise(bytes).unwrap().0), named(&history));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(FUZZ_CASES))]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = std_text::read(&bytes[..], "x");
        let _ = rapid_bin::read(&bytes[..], "x");
        let _ = recognise(bytes);
    }

    #[test]
    fn no_pieces_of_lines_make_a_reader_panic(pieces in prop::collection::vec(
        prop::sample::select(vec![
            "T1", "T2", "9", "|", "|", "acq", "rel", "wait", "fork", "join", "begin", "end", "(", ")", "(L)", "(T1)", "\n", "\r\n", "\0", "ü",
            "T1|acq(L)|1\n", "T2|acq(L)|1\n", "T1|rel(L)|1\n", "T1|wait(L)|1\n", "T2|fork(T1)|1\n", "T2|join(T1)|1\n", "T1|end|1\n",
        ]),
        0..60,
    )) {
        let text: String = pieces.concat();
        let (history, _) = read(&text);
        let (again, problems) = read(&write(&history));
        prop_assert!(problems.iter().all(|problem| !problem.fatal), "{problems:?}\n{text}");
        prop_assert_eq!(named(&again), named(&history));
    }

    #[test]
    fn no_events_make_a_reader_panic(
        header in (any::<i16>(), any::<i32>(), any::<i32>(), any::<i64>()),
        events in prop::collection::vec((any::<u64>(), 0..12_u64, 0..4_u64), 0..40),
        n_cut in 0..9_usize,
    ) {
        let mut bytes = Vec::new();
        bytes.extend(header.0.to_be_bytes());
        bytes.extend(header.1.to_be_bytes());
        bytes.extend(header.2.to_be_bytes());
        bytes.extend(header.3.to_be_bytes());
        for (event, operation, operand) in events {
            bytes.extend((event & 0x7fff_0000_0000_0003 | operation << 10 | operand << 14).to_be_bytes());
        }
        bytes.truncate(bytes.len() - n_cut.min(bytes.len()));
        let _ = rapid_bin::read(&bytes[..], "x");
        let _ = recognise(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn damaged_compression_is_told_and_what_comes_before_it_is_read(
        is_gzip in any::<bool>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let line = |n: u32| format!("T{}|w(V{})|{n}\n", n % 7, n * 7919 % 1000);
        let text = (0..1500).map(line).collect::<Vec<_>>().concat();
        let mut bytes = compressed(if is_gzip { Compression::Gzip } else { Compression::Zstd }, &text);
        let at = at.index(bytes.len());
        let is_same = !cut && bytes[at] == byte;
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        match recognise(bytes) {
            Ok((history, problems)) => {
                prop_assert!(!is_same || problems.is_empty() && history.operations.len() == 1500);
                prop_assert!(!cut || problems.len() == 1 && problems[0].text.contains("x: cannot be read on after line"), "{problems:?}");
            }
            Err(error) => {
                prop_assert!(!is_same);
                prop_assert!(error.to_string().starts_with("x "), "{error}");
            }
        }
    }
}

#[test]
fn several_frames_and_members_are_one_text() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let mut bytes = compressed(compression, "T1|w(x)|1\nT1|w(");
        if compression == Compression::Zstd {
            // A frame to be skipped, of three bytes.
            bytes.extend([0x57, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
        }
        bytes.extend(compressed(compression, "y)|2\n"));
        let (history, problems) = recognise(bytes).unwrap();
        assert_eq!((operations(&history).as_str(), problems), ("T1 w x, T1 w y", vec![]));
    }
}

#[test]
fn truncated_and_corrupt_binary_traces_say_where() {
    let whole = fs::read(traces().join("rapidbin/Bensalem.data")).unwrap();
    let text = |bytes: &[u8]| {
        let (history, problems) = rapid_bin::read(bytes, "x.data").unwrap();
        (history.operations.len(), texts(&problems).join("; "))
    };
    let (n, cut) = text(&whole[..18 + 8 * 20 + 3]);
    assert!(n > 10);
    assert_eq!(
        cut,
        "x.data: is truncated: it ends after 181 bytes, with 20 of 68 events; what is there was used: make or copy it again"
    );
    let mut longer = whole.clone();
    longer.push(0);
    assert!(text(&longer).1.contains("goes on after the 68 events"));
    for (at, byte, expected) in [
        (0, 0x80, "x.data: event 1: its first bit is set"),
        (6, 0x3c, "x.data: event 1: its operation is 15, and there are 0 to 9"),
        (7, 0xff, "x.data: event 1: it names thread 255, and the header counts 4"),
    ] {
        let mut corrupt = whole.clone();
        corrupt[18 + at] = byte;
        let (n, problem) = text(&corrupt);
        assert!(n > 50 && problem.starts_with(expected), "{n} {problem}");
    }
    // Counts are believed by nobody.
    let huge = [&0x0400_i16.to_be_bytes()[..], &[0x7f; 16]].concat();
    let (n, problem) = text(&huge);
    assert!(n == 0 && problem.contains("with 0 of 9187201950435737471 events"), "{problem}");
}

#[test]
fn what_is_no_trace_is_told_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let at = |bytes: &[u8]| {
        let path = dir.path().join("file");
        fs::write(&path, bytes).unwrap();
        let error = source::look(&path).unwrap_err().to_string();
        let (before, rest) = error.split_once(path.to_str().unwrap()).unwrap();
        format!("{before}FILE{rest}")
    };
    let mut all: Vec<String> = [
        &b""[..],
        b"DLCTRACE\0\0\0\0",
        b"\xfd7zXZ\0",
        b"\x7fELF\x02",
        b"{\"traceEvents\": [",
        b"some notes\nT1|w(x)|1\n",
        b"\x89PNG\r\n\x1a\n",
        &[0, 2, 0, 0],
        &[0, 2, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x1f, 0x8b, 8, 0, 0],
        &[0x28, 0xb5, 0x2f, 0xfd, 0xff],
    ]
    .into_iter()
    .map(at)
    .collect();
    all.push(
        source::look(&dir.path().join("none")).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "DIR"),
    );
    assert!(matches!(source::look(dir.path()), Ok(Found::Directory)));
    all.push(source::history(dir.path()).unwrap_err().to_string().replace(dir.path().to_str().unwrap(), "DIR"));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn names_that_a_line_cannot_have_stay_apart() {
    let mut builder = Builder::new(Origin::Lines("x".to_owned()));
    let threads = ["a b", "a_b", "a|b", ""].map(|name| builder.thread(name));
    let (lock, place) = (builder.lock("two\nlines"), builder.place("p\nq"));
    for (thread, n) in threads.into_iter().zip(1..) {
        builder.add(n, Kind::Notify, thread, lock, place);
    }
    let text = write(&builder.finish().0);
    assert_eq!(
        text,
        "a_b_|notify(two_lines)|p q\na_b|notify(two_lines)|p q\na_b__|notify(two_lines)|p q\n_|notify(two_lines)|p q\n"
    );
}

#[test]
fn an_output_that_fails_is_an_error_however_it_is_compressed() {
    struct Full;
    impl io::Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::NotConnected))
        }
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let text = "T1|w(x)|1\n".repeat(100_000);
        assert_eq!(compression.write(text.as_bytes(), Full).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(compression.write(Broken, io::sink()).unwrap_err().kind(), io::ErrorKind::NotConnected);
    }
}
