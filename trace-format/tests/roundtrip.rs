//! Properties of the encodings: what is written is read back, and no bytes make a reader panic.

use proptest::{collection::vec, prelude::*};
use std::iter::repeat_n;
use trace_format::{
    ClassId, Event, Flags, Kind, LocationId, MESSAGE_MAX, ObjectId, ObjectKind, PAYLOAD_MAX, SiteId, StackId, chunk,
    dictionary::{Addresses, Malformed, Record, STACK_FRAMES_MAX, TEXT_BYTES_MAX, records},
    process,
    slot::{self, Snapshot},
    version::Version,
    words::Copied,
};

/// Cases of what must not panic; they are small.
const N_CASES: u32 = 100_000;
/// Words of such a case: more than a chunk's header and the fixed fields of every record.
const N_WORDS_MAX: usize = 12;

fn encode(record: &Record<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut |word: u64| bytes.extend(word.to_le_bytes()));
    bytes
}

/// Text of `len` bytes or up to three more, whose last characters have one to four bytes.
fn text_near(len: usize, wide: char) -> String {
    let n_narrow = len % wide.len_utf8();
    repeat_n('x', n_narrow).chain(repeat_n(wide, (len - n_narrow) / wide.len_utf8())).collect()
}

fn object_kind() -> impl Strategy<Value = ObjectKind> {
    (0..=19_u8).prop_map(ObjectKind::from_number)
}

/// What the fields of a record are made of.
#[derive(Clone, Debug)]
struct Parts {
    ids: [u32; 3],
    words: [u64; 3],
    kind: ObjectKind,
    texts: [Vec<u8>; 2],
    addresses: Vec<u64>,
    unknown_tag: u16,
}

fn parts() -> impl Strategy<Value = Parts> {
    let texts = [vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..40)];
    (any::<[u32; 3]>(), any::<[u64; 3]>(), object_kind(), texts, vec(any::<u64>(), 0..=STACK_FRAMES_MAX), 12..u16::MAX)
        .prop_map(|(ids, words, kind, texts, addresses, unknown_tag)| Parts {
            ids,
            words,
            kind,
            texts,
            addresses,
            unknown_tag,
        })
}

/// One record of every kind.
fn records_of(parts: &Parts) -> [Record<'_>; 12] {
    let Parts { ids: [id, low, high], words: [base, start, end], kind, texts: [text, other], addresses, unknown_tag } =
        parts;
    [
        Record::Location { id: LocationId(*id), line: *low, column: *high, file: text },
        Record::Stack { id: StackId(*id), addresses: Addresses::Words(addresses) },
        Record::Site { id: SiteId(*id), location: LocationId(*low), stack: StackId(*high) },
        Record::Module { base: *base, start: *start, end: *end, build_id: text, path: other },
        Record::Label { object: ObjectId(*base), text },
        Record::Thread { object: ObjectId(*base), tid: *low, start: *start, name: text },
        Record::Class { id: ClassId(*id), kind: *kind, type_name: text },
        Record::Program { path: text },
        Record::Shared { object: ObjectId(*base), device: *start, inode: *end, offset: !*base, birth: !*start },
        Record::Child { object: ObjectId(*base), pid: *low, start: *start },
        Record::Role { text },
        Record::Unknown { tag: *unknown_tag },
    ]
}

proptest! {
    #[test]
    fn events_keep_their_fields(
        kind: u8, flags: u8, site in 0..=SiteId::MAX.0, object in 0..=ObjectId::MAX.0, seq in 0..=MESSAGE_MAX,
    ) {
        let event = Event::new(Kind(kind), Flags(flags), site, ObjectId(object), seq);
        prop_assert_eq!(event.kind(), Kind(kind));
        prop_assert_eq!(event.flags(), Flags(flags));
        prop_assert_eq!(event.site(), SiteId(site));
        prop_assert_eq!(event.object(), ObjectId(object));
        prop_assert_eq!(event.seq(), seq);
        prop_assert_eq!(Event::from_words(event.words()), event);
    }

    #[test]
    fn fields_beyond_their_bits_are_cut_and_touch_no_other(
        kind: u8, flags: u8, site: u32, object: u64, seq: u64,
    ) {
        let whole = Event::new(Kind(kind), Flags(flags), site, ObjectId(object), seq);
        let cut = Event::new(
            Kind(kind), Flags(flags), site & SiteId::MAX.0, ObjectId(object & ObjectId::MAX.0), seq & MESSAGE_MAX,
        );
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn every_two_words_are_an_event(words: [u64; 2]) {
        let event = Event::from_words(words);
        prop_assert_eq!(event.words(), words);
        let again = Event::new(event.kind(), event.flags(), event.site().0, event.object(), event.seq());
        prop_assert_eq!(again, event);
        let text = format!("{event:?}");
        prop_assert!(text.ends_with(')'));
    }

    #[test]
    fn extensions_keep_their_payload(first in 0..=PAYLOAD_MAX, second: u64) {
        let event = Event::extend(first, second);
        prop_assert_eq!(event.kind(), Kind::EXTEND);
        prop_assert_eq!(event.payload(), (first, second));
    }

    #[test]
    fn versions_survive_packing(packed: u32, other: u32) {
        let (version, other_version) = (Version::unpack(packed), Version::unpack(other));
        prop_assert_eq!(version.pack(), packed);
        prop_assert_eq!(version.cmp(&other_version), packed.cmp(&other), "packed versions keep their order");
        prop_assert_eq!(version.check_readable_by(other_version).is_ok(), version.major == other_version.major);
    }

    #[test]
    fn records_survive_encoding(parts in parts()) {
        let written = records_of(&parts);
        let mut bytes = Vec::new();
        for record in &written {
            let encoded = encode(record);
            prop_assert_eq!(encoded.len(), record.words_len() * 8);
            bytes.extend(encoded);
        }
        let read: Vec<_> = records(&bytes).collect();
        prop_assert_eq!(read, written.map(Ok));
    }

    #[test]
    fn records_that_are_cut_off_are_malformed(parts in parts(), cut in any::<prop::sample::Index>()) {
        for record in records_of(&parts) {
            let bytes = encode(&record);
            let len = 1 + cut.index(bytes.len() - 1);
            prop_assert_eq!(records(&bytes[..len]).collect::<Vec<_>>(), [Err(Malformed { offset: 0 })]);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters(
        len in TEXT_BYTES_MAX - 5..TEXT_BYTES_MAX + 9,
        wide in prop::sample::select(vec!['x', 'é', '錠', '🔒']),
    ) {
        let text = text_near(len, wide);
        let [record, module] = [
            Record::Label { object: ObjectId(1), text: text.as_bytes() },
            Record::Module { base: 1, start: 2, end: 3, build_id: b"id", path: text.as_bytes() },
        ];
        for bytes in [encode(&record), encode(&module)] {
            let [Ok(Record::Label { text: read, .. } | Record::Module { path: read, .. })] =
                records(&bytes).collect::<Vec<_>>()[..]
            else {
                return Err(TestCaseError::fail("one record with a text"));
            };
            let read = std::str::from_utf8(read).expect("text that was UTF-8 still is");
            prop_assert!(text.starts_with(read));
            prop_assert!(read.len() <= TEXT_BYTES_MAX);
            prop_assert!(read == text || read.len() + wide.len_utf8() > TEXT_BYTES_MAX, "only what must go is cut");
        }
    }
}

#[test]
fn stacks_beyond_the_maximum_lose_their_outermost_addresses() {
    let addresses: Vec<u64> = (0..STACK_FRAMES_MAX as u64 + 9).collect();
    let bytes = encode(&Record::Stack { id: StackId(1), addresses: Addresses::Words(&addresses) });
    let kept = Addresses::Words(&addresses[..STACK_FRAMES_MAX]);
    assert_eq!(records(&bytes).collect::<Vec<_>>(), [Ok(Record::Stack { id: StackId(1), addresses: kept })]);
}

/// Bytes that are anything, with a record's header in front often enough for its fields to be looked at.
fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let header = prop_oneof![
        (0..=N_WORDS_MAX as u64, 0..10_u64).prop_map(|(n_words, tag)| (n_words * 8) | (tag << 32)),
        any::<u64>(),
    ];
    let word = prop_oneof![any::<u64>(), 0..64_u64, (0..64_u64).prop_map(|high| high << 32)];
    (header, vec(word, 0..N_WORDS_MAX), 0..8_usize).prop_map(|(header, words, n_cut)| {
        let mut bytes: Vec<u8> = [header].into_iter().chain(words).flat_map(u64::to_le_bytes).collect();
        bytes.truncate(bytes.len() - n_cut);
        bytes
    })
}

/// `bytes` with another first word.
fn starting_with(magic: u64, bytes: &[u8]) -> Vec<u8> {
    magic.to_le_bytes().into_iter().chain(bytes.iter().copied().skip(8)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(N_CASES))]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in hostile_bytes()) {
        // Every record takes a word at least, so the iterator ends.
        let n_records = records(&bytes).count();
        prop_assert!(n_records <= bytes.len().div_ceil(8));

        prop_assert_eq!(process::Header::read(&Copied(&bytes)).is_some(), bytes.starts_with(b"DLCTRACE"));
        prop_assert!(process::Header::read(&Copied(&starting_with(process::MAGIC, &bytes))).is_some());

        for bytes in [&bytes, &starting_with(chunk::MAGIC, &bytes)] {
            if let Some(header) = chunk::Header::read(&Copied(bytes)) {
                prop_assert!((chunk::CHUNK_ALIGN..=chunk::CHUNK_BYTES_MAX).contains(&header.bytes));
                prop_assert!((chunk::HEADER_BYTES..=header.bytes).contains(&header.head));
            }
        }

        let snapshot = Snapshot::read(&Copied(&bytes));
        prop_assert!(snapshot.wait.is_none() || snapshot.epoch % 2 == 1);
        let n_holds = snapshot.n_holds.min(slot::HOLDS_INLINE);
        prop_assert!(snapshot.holds[n_holds..].iter().all(|hold| *hold == Event::default()));
    }
}
