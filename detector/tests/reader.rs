//! Reading what is not as it should be: nothing panics, what is readable is analysed, and the message has path
//! and remedy.

mod support;

use detector::{
    finding::{Certainty, Problem},
    merge::FirstPass,
    race::{HappensBefore, Recorded, Rule},
    source::{self, OpenError},
};
use proptest::prelude::*;
use std::{fs, io, path::Path};
use support::{Process, analyse, analyse_trace, cycles_in, trace_of};
use trace_format::{
    BESIDE_MAX, Event, Flags, Kind, MARKER, ObjectId, ObjectKind,
    chunk::{self, ChunkKind},
    process::{self, HEADER_BYTES},
    version::CURRENT,
};

/// Cases of each test over arbitrary bytes.
const FUZZ_CASES: u32 = 100_000;

const INVERSION: &str = "
    t1: acq A@1 | acq B@2 | rel B | rel A
    t2: acq B@3 | acq A@4 | rel A | rel B
";

fn inversion() -> Vec<u8> {
    Process::new(1).script(INVERSION).to_bytes()
}

fn write_trace(dir: &Path, files: &[(&str, &[u8])]) -> io::Result<()> {
    fs::write(dir.join(MARKER), "")?;
    files.iter().try_for_each(|(name, bytes)| fs::write(dir.join(name), bytes))
}

fn texts(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.text.as_str()).collect()
}

#[test]
fn a_trace_directory_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let two_segments = {
        let mut process = Process::new(2).script(INVERSION);
        process.segment_events = 3;
        process.to_bytes()
    };
    write_trace(dir.path(), &[("1-10-0.events", &inversion()), ("2-20-0.events", &two_segments)]).unwrap();
    let (model, findings, problems) = analyse_trace(source::open(dir.path()).unwrap());
    assert_eq!(problems, []);
    assert_eq!(model.processes.iter().map(|process| process.pid).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(cycles_in(&model, &findings), ["A B", "A B"]);
    assert_eq!((model.n_events, model.n_objects, model.n_gaps), (24, 8, 0));
}

#[test]
fn unusable_directories_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nothing");
    let error = source::open(&missing).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }));
    assert!(error.to_string().contains("nothing: record one"), "{error}");

    assert!(matches!(source::open(dir.path()), Err(OpenError::NotATrace { .. })));

    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(source::open(&file), Err(OpenError::NotADirectory { .. })));

    fs::write(dir.path().join("deadlock-check-trace.2"), "").unwrap();
    let error = source::open(dir.path()).unwrap_err();
    assert!(matches!(error, OpenError::OtherVersion { .. }));
    assert!(error.to_string().contains("deadlock-check-trace.2"), "{error}");
}

#[test]
fn an_empty_trace_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    write_trace(dir.path(), &[]).unwrap();
    let (model, findings, problems) = analyse_trace(source::open(dir.path()).unwrap());
    assert_eq!((model.processes.len(), findings.len(), problems.len()), (0, 0, 0));
}

#[test]
fn bad_files_are_named_and_good_ones_are_analysed() {
    let dir = tempfile::tempdir().unwrap();
    let mut newer = inversion();
    newer[8 + 4 + 2..][..2].copy_from_slice(&(CURRENT.major + 1).to_le_bytes());
    let files: [(&str, &[u8]); 6] = [
        ("1-1-0.events", &inversion()),
        ("2-1-0.events", &newer),
        ("3-1-0.events", &[b'x'; 5000]),
        ("4-1-0.events", &inversion()[..100]),
        ("5-1-0.events", &[]),
        ("notes.txt", b"mine"),
    ];
    write_trace(dir.path(), &files).unwrap();
    let (model, findings, problems) = analyse_trace(source::open(dir.path()).unwrap());
    assert_eq!(cycles_in(&model, &findings), ["A B"]);
    let texts = texts(&problems);
    assert_eq!(texts.len(), 5, "{texts:?}");
    assert!(texts[0].contains("2-1-0.events") && texts[0].contains("update deadlock-check"), "{}", texts[0]);
    assert!(texts[1].contains("3-1-0.events is not a recording"), "{}", texts[1]);
    assert!(texts[2].contains("4-1-0.events is truncated: it ends after 100"), "{}", texts[2]);
    assert!(texts[3].contains("5-1-0.events holds no recording: it has 0 bytes"), "{}", texts[3]);
    assert!(texts[4].contains("notes.txt is not part of the trace"), "{}", texts[4]);
    assert_eq!(problems.iter().filter(|problem| problem.fatal).count(), 3);
}

#[test]
fn a_file_cut_anywhere_is_read_up_to_there() {
    let whole = inversion();
    let mut n_found = 0;
    for len in (0..whole.len()).step_by(64) {
        let (model, findings, problems) = analyse([whole[..len].to_vec()]);
        n_found += usize::from(!cycles_in(&model, &findings).is_empty());
        let is_fatal = problems.iter().any(|problem| problem.fatal);
        assert_eq!(is_fatal, len > 0, "{len}: {problems:?}");
        assert_eq!(problems.len(), 1, "{len}: {problems:?}");
    }
    assert!(n_found > 900, "the zeros behind the last event are not needed: {n_found}");
    assert_eq!(analyse([whole]).2, []);
}

#[test]
fn a_file_cut_between_chunks_or_behind_its_last_event_is_truncated() {
    let mut process = Process::new(1).script(&INVERSION.repeat(20));
    process.segment_events = 30;
    let whole = process.to_bytes();
    for n_lost in [1, chunk::CHUNK_ALIGN, 3 * chunk::CHUNK_ALIGN] {
        let mut cut = whole[..whole.len() - n_lost].to_vec();
        let (model, _, problems) = analyse([cut.clone()]);
        let expected = format!("0-1-0.events is truncated: it ends at byte {}, and bytes up to", cut.len());
        assert!(texts(&problems)[0].contains(&expected), "{problems:?}");
        assert!(problems[0].fatal && model.n_events > 0);
        // Of another recorder, which does not count: the chunk tells.
        cut[process::word::TAKEN * 8..][..8].fill(0);
        let is_reported = analyse([cut]).2.iter().any(|problem| problem.text.contains("is truncated"));
        assert_eq!(is_reported, n_lost == 1);
    }
}

#[test]
fn a_file_cut_within_a_chunk_is_truncated() {
    let whole = inversion();
    let events = HEADER_BYTES + 2 * chunk::CHUNK_ALIGN + chunk::HEADER_BYTES;
    let (model, _, problems) = analyse([whole[..events + 5 * 16].to_vec()]);
    assert!(texts(&problems)[0].contains("is truncated"), "{problems:?}");
    assert!(model.n_events > 0);
}

#[test]
fn damage_in_the_middle_is_skipped() {
    let mut process = Process::new(1).script(&INVERSION.repeat(20));
    process.segment_events = 30;
    let mut bytes = process.to_bytes();
    let third_segment = HEADER_BYTES + 4 * chunk::CHUNK_ALIGN;
    bytes[third_segment..][..8].fill(7);
    let (model, findings, problems) = analyse([bytes]);
    assert!(texts(&problems)[0].contains("is corrupt"), "{problems:?}");
    assert_eq!(cycles_in(&model, &findings), ["A B"]);
}

#[test]
fn every_byte_of_the_first_pages_may_be_wrong() {
    let whole = inversion();
    // The header, then the first 4 KiB of the dictionary, of the slots and of the events.
    let pages = [0, HEADER_BYTES, HEADER_BYTES + chunk::CHUNK_ALIGN, HEADER_BYTES + 2 * chunk::CHUNK_ALIGN];
    for at in pages.into_iter().flat_map(|page| page..page + 4096) {
        for wrong in [0xff, 0x01, 0x80] {
            let mut bytes = whole.clone();
            bytes[at] ^= wrong;
            let (_, findings, _) = analyse([bytes]);
            assert!(findings.iter().all(|finding| finding.certainty != Certainty::Proven));
        }
    }
}

#[test]
fn segments_may_be_missing() {
    let mut process = Process::new(1).script(
        &"
        t1: acq A@1 | read RB@2 | rel RB | rel A | send C
        t2: recv C | acq RB@3 | acq A@4 | rel A | rel RB
        t3: read RB@5 | acq D@6 | rel D | rel RB | notify K
        t2: wake K
        "
        .repeat(40),
    );
    process.segment_events = 20;
    let head = process.to_bytes();
    let segments = process.segments();
    let n_bytes: usize = segments.iter().map(Vec::len).sum();
    let head = &head[..head.len() - n_bytes];
    let mut random = 1_u64;
    for _ in 0..300 {
        let mut file = head.to_vec();
        for segment in &segments {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if random >> 60 > 2 {
                file.extend(segment);
            }
        }
        let (model, findings, _) = analyse([file]);
        assert!(findings.iter().all(|finding| finding.certainty <= Certainty::Possible));
        assert!(model.nested.iter().all(|nested| nested.holds.len() == 1), "nothing is held for ever");
    }
}

/// A generator of numbers: what it makes follows from the seed that a failing case prints.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 33
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn event(&mut self) -> Event {
        let (kind, _) = Kind::ALL[self.below(Kind::ALL.len() as u64) as usize];
        if self.below(4) == 0 {
            return self.event_at_address(kind);
        }
        let (flags, object, seq) = (Flags(self.next() as u8), ObjectId(self.below(5)), self.below(6));
        Event::new(kind, flags, 1, object, seq)
    }

    /// At a few addresses or any, of a few bytes or versions or as many as there can be.
    fn event_at_address(&mut self, kind: Kind) -> Event {
        let flags = Flags(self.next() as u8);
        let address = if self.below(8) == 0 { self.next() >> 16 } else { self.below(40) };
        let beside = if self.below(8) == 0 { BESIDE_MAX - self.below(2) } else { self.below(6) };
        Event::at_address(kind, flags, 1, address, beside)
    }

    /// Something on memory, of whichever thread it is.
    fn access(&mut self) -> Event {
        const KINDS: [Kind; 9] = [
            Kind::CELL_READ,
            Kind::CELL_WRITE,
            Kind::CELL_FREE,
            Kind::ATOMIC_LOAD,
            Kind::ATOMIC_STORE,
            Kind::ATOMIC_RMW,
            Kind::PUBLISH,
            Kind::OBSERVE,
            Kind::FENCE,
        ];
        let kind = KINDS[self.below(KINDS.len() as u64) as usize];
        self.event_at_address(kind)
    }

    /// A word that looks like one that belongs into some chunk.
    fn word(&mut self) -> u64 {
        match self.below(4) {
            0 => self.next(),
            1 => self.below(2000),
            2 => ((1 + self.below(8)) << 32) | (self.below(40) * 8),
            _ => self.event().words()[0],
        }
    }
}

/// A process file whose last chunk is cut behind its payload, which makes a small file.
fn file(forked_from: u64, chunks: &[(ChunkKind, u64, Vec<u64>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let put = |bytes: &mut Vec<u8>, words: &[u64]| words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    let version = u64::from(CURRENT.pack()) << 32;
    put(&mut bytes, &[process::MAGIC, version, 1, 1, forked_from % 3, 0, forked_from]);
    bytes.resize(HEADER_BYTES, 0);
    for (i, (kind, head, payload)) in chunks.iter().enumerate() {
        let start = bytes.len();
        let kind = u64::from(kind.0) | (chunk::CHUNK_ALIGN as u64) << 32;
        put(&mut bytes, &[chunk::MAGIC, kind, 1, *head, 1, 1, 0, 0]);
        put(&mut bytes, payload);
        if i + 1 < chunks.len() {
            bytes.resize(start + chunk::CHUNK_ALIGN, 0);
        }
    }
    bytes
}

fn arbitrary_file(seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let n_chunks = 1 + numbers.below(2);
    let chunks: Vec<_> = (0..n_chunks)
        .map(|_| {
            let kind = ChunkKind(numbers.below(5) as u16);
            let head = if numbers.below(2) == 0 { numbers.below(2000) } else { numbers.next() };
            (kind, head, (0..numbers.below(150)).map(|_| numbers.word()).collect())
        })
        .collect();
    let mut bytes = file(numbers.next(), &chunks);
    let whole = bytes.len() - numbers.below(8) as usize;
    bytes.truncate(whole);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { cases: FUZZ_CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        analyse([bytes]);
    }

    #[test]
    fn arbitrary_chunks_never_panic(seed in any::<u64>()) {
        analyse([arbitrary_file(seed)]);
    }

    #[test]
    fn arbitrary_events_never_panic(seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let events: Vec<Event> = (0..numbers.below(80)).map(|_| numbers.event()).collect();
        let words: Vec<u64> = events.iter().flat_map(|event| event.words()).collect();
        let head = (chunk::HEADER_WORDS + words.len()) as u64 * 8;
        let (model, _, problems) = analyse([file(0, &[(ChunkKind::EVENTS, head, words)])]);
        prop_assert!(problems.iter().all(|problem| problem.text.contains("is truncated")), "{:?}", problems);
        prop_assert!(model.n_events <= events.len() as u64);
    }

    #[test]
    fn arbitrary_accesses_never_panic(seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let events: Vec<Event> = (0..numbers.below(60)).map(|_| numbers.access()).collect();
        let words: Vec<u64> = events.iter().flat_map(|event| event.words()).collect();
        let head = (chunk::HEADER_WORDS + words.len()) as u64 * 8;
        let trace = trace_of([file(0, &[(ChunkKind::EVENTS, head, words)])]);
        for process in &trace.families {
            let recorded = Recorded::new(process, &FirstPass::new(process), |_| ObjectKind::Mutex);
            let mut analysis = HappensBefore::new(Rule::Schedulable);
            recorded.pass(&mut analysis);
            prop_assert_eq!(analysis.finish().list.len(), 0, "one thread");
        }
    }
}
