//! Slots of a process file: what each thread holds and waits for.

use super::{
    bytes::{self, Bytes},
    recorded::Chunk,
};
use rustc_hash::FxHashSet;
use std::io;
use trace_format::{
    Event, ObjectId,
    slot::{FIRST_OVERFLOW_HOLD, HOLDS_INLINE, HOLDS_OVERFLOW, Life, SLOT_BYTES, SLOT_WORDS, Snapshot},
    words::{Copied, word_at},
};

/// How often a slot that is being written is looked at again.
const LOOKS_MAX: usize = 4;

/// What a thread holds and waits for, as its slot says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotState {
    /// The thread as an object.
    pub thread: u64,
    /// Its id in the operating system.
    pub tid: u32,
    /// Whether it has ended.
    pub ended: bool,
    /// Odd while the thread waits, even while it runs; never falls. Two looks that find the same odd number saw the
    /// same wait.
    pub epoch: u64,
    /// What it holds, oldest first, each like its ACQUIRE.
    pub holds: Vec<Event>,
    /// What it waits for, like a REQUEST or WAIT. Whatever else is said here was so throughout that wait.
    pub wait: Option<Event>,
    /// A second object that matters to the wait.
    pub wait_object: ObjectId,
    /// Start of the wait, nanoseconds since the process file was made.
    pub since_ns: u64,
    /// Operations of the thread that were lost.
    pub lost: u64,
}

/// Reads the slots in one chunk. Overflow records, which lie among them, are read with the slot they belong to.
pub(super) fn read(bytes: &dyn Bytes, chunk: Chunk, file_len: u64, slots: &mut Vec<SlotState>) -> io::Result<()> {
    let payload = bytes::copy(bytes, chunk.start, (chunk.end - chunk.start) as usize)?;
    for (i, copy) in payload.chunks_exact(SLOT_BYTES).enumerate() {
        // The first word of an overflow record is an offset in the file, which no life is as small as.
        if matches!(Life(word_at(copy, 0)), Life::LIVE | Life::ENDED) {
            let at = chunk.start + (i * SLOT_BYTES) as u64;
            slots.extend(read_slot(bytes, copy.to_vec(), at, file_len)?);
        }
    }
    Ok(())
}

fn read_slot(bytes: &dyn Bytes, mut copy: Vec<u8>, at: u64, file_len: u64) -> io::Result<Option<SlotState>> {
    // A copy is not taken in one moment: two that agree are one that did not change. What lies in overflow records
    // is read between the two. A thread that runs may change those unseen; one in a wait, with its epoch odd in both
    // copies, does not.
    let mut holds = holds_of(bytes, &copy, file_len)?;
    let mut is_stable = false;
    for _ in 1..LOOKS_MAX {
        let again = bytes::copy(bytes, at, SLOT_BYTES)?;
        is_stable = again == copy;
        if is_stable {
            break;
        }
        holds = holds_of(bytes, &again, file_len)?;
        copy = again;
    }
    let snapshot = Snapshot::read(&Copied(&copy));
    if !matches!(snapshot.life, Life::LIVE | Life::ENDED) {
        return Ok(None);
    }
    let ended = snapshot.life == Life::ENDED;
    Ok(Some(SlotState {
        thread: snapshot.thread,
        tid: snapshot.tid,
        ended,
        epoch: snapshot.epoch,
        holds,
        wait: snapshot.wait.filter(|_| is_stable && !ended),
        wait_object: ObjectId(snapshot.wait_object),
        since_ns: snapshot.since_ns,
        lost: snapshot.lost,
    }))
}

/// The holds that a copy of a slot lists, those in its overflow records included.
fn holds_of(bytes: &dyn Bytes, copy: &[u8], file_len: u64) -> io::Result<Vec<Event>> {
    let snapshot = Snapshot::read(&Copied(copy));
    let mut holds: Vec<Event> = snapshot.holds.iter().copied().take(snapshot.n_holds).collect();
    if snapshot.n_holds > HOLDS_INLINE {
        read_overflow(bytes, snapshot.overflow, file_len, snapshot.n_holds, &mut holds)?;
    }
    Ok(holds)
}

/// Follows the chain of overflow records. Each is visited once, so a chain that bites its tail ends.
fn read_overflow(
    bytes: &dyn Bytes,
    mut at: u64,
    file_len: u64,
    n_holds: usize,
    holds: &mut Vec<Event>,
) -> io::Result<()> {
    let mut visited = FxHashSet::default();
    let n_records_max = file_len / SLOT_BYTES as u64;
    while holds.len() < n_holds && at != 0 && at.checked_add(SLOT_BYTES as u64).is_some_and(|end| end <= file_len) {
        if !visited.insert(at) || visited.len() as u64 > n_records_max {
            break;
        }
        let record = bytes::copy(bytes, at, SLOT_BYTES)?;
        let n_more = (n_holds - holds.len()).min(HOLDS_OVERFLOW);
        let words = (FIRST_OVERFLOW_HOLD..SLOT_WORDS).step_by(Event::WORDS);
        holds.extend(
            words.take(n_more).map(|word| Event::from_words([word_at(&record, word), word_at(&record, word + 1)])),
        );
        at = word_at(&record, 0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use trace_format::{
        Flags, Kind,
        slot::{FIRST_HOLD, word},
    };

    const SLOT_AT: u64 = 64;
    const RECORD_AT: u64 = SLOT_AT + SLOT_BYTES as u64;

    /// A live slot with many holds, of which the overflow record at `RECORD_AT` has the rest and leads to `next`.
    fn chunk(n_holds: usize, next: u64) -> Vec<u8> {
        let hold = |i: usize| Event::new(Kind::ACQUIRE, Flags::NONE, 1, ObjectId(i as u64 + 1), 1).words();
        let mut words = vec![0_u64; (RECORD_AT as usize + SLOT_BYTES) / 8];
        let slot = SLOT_AT as usize / 8;
        words[slot] = Life::LIVE.0;
        words[slot + 1] = 7;
        words[slot + 4] = n_holds as u64;
        words[slot + 8] = RECORD_AT;
        words[slot + SLOT_WORDS] = next;
        for i in 0..HOLDS_INLINE {
            words[slot + FIRST_HOLD + 2 * i..][..2].copy_from_slice(&hold(i));
        }
        for i in 0..HOLDS_OVERFLOW {
            let at = slot + SLOT_WORDS + FIRST_OVERFLOW_HOLD + 2 * i;
            words[at..][..2].copy_from_slice(&hold(HOLDS_INLINE + i));
        }
        words.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    fn slots(bytes: &Vec<u8>) -> Vec<SlotState> {
        let (mut slots, len) = (Vec::new(), bytes.len() as u64);
        read(bytes, Chunk { start: SLOT_AT, end: len }, len, &mut slots).unwrap();
        slots
    }

    #[test]
    fn holds_go_on_in_overflow_records() {
        let slots = slots(&chunk(100, 0));
        assert_eq!(slots.len(), 1, "a record is no slot");
        let objects: Vec<u64> = slots[0].holds.iter().map(|hold| hold.object().0).collect();
        assert_eq!(objects, (1..=100).collect::<Vec<u64>>());
    }

    #[test]
    fn a_chain_that_bites_its_tail_or_leads_nowhere_ends() {
        for next in [RECORD_AT, SLOT_AT, 1 << 60, u64::MAX] {
            let slots = slots(&chunk(usize::MAX, next));
            let n_holds = slots[0].holds.len();
            assert!(
                (HOLDS_INLINE + HOLDS_OVERFLOW..=HOLDS_INLINE + 2 * HOLDS_OVERFLOW).contains(&n_holds),
                "{n_holds}"
            );
        }
    }

    /// A slot whose thread goes from wait to wait between any two looks.
    #[derive(Debug)]
    struct Restless(Mutex<Vec<u8>>);

    impl Bytes for Restless {
        fn len(&self) -> io::Result<u64> {
            Bytes::len(&*self.0.lock().unwrap())
        }

        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let mut bytes = self.0.lock().unwrap();
            bytes[SLOT_AT as usize + 8 * word::EPOCH] += 2;
            bytes.read_at(buffer, offset)
        }
    }

    #[test]
    fn a_wait_counts_only_if_two_looks_find_the_same_one() {
        let mut bytes = chunk(0, 0);
        let request = Event::new(Kind::REQUEST, Flags::NONE, 1, ObjectId(9), 0).words();
        for (at, value) in [(word::EPOCH, 3), (word::WAIT, request[0]), (word::WAIT + 1, request[1])] {
            let at = SLOT_AT as usize + 8 * at;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        let waits = |bytes: &dyn Bytes, len: usize| {
            let mut slots = Vec::new();
            read(bytes, Chunk { start: SLOT_AT, end: len as u64 }, len as u64, &mut slots).unwrap();
            assert_eq!((slots.len(), slots[0].epoch % 2), (1, 1));
            slots[0].wait.map(Event::object)
        };
        let len = bytes.len();
        assert_eq!(waits(&bytes, len), Some(ObjectId(9)));
        assert_eq!(waits(&Restless(Mutex::new(bytes)), len), None);
    }
}
