//! Writes process files from scripts, through trace-format.
//!
//! A script runs line by line, in the order in which it is written, as one schedule of the program. Each line is
//! a thread and what it does: `t1: acq A@1 | acq B@2 | rel B | rel A`, where `@1` is the site. Names that begin
//! with R are read-write locks, with C channels, with K condition variables, with t threads, others mutexes.
//!
//! A release may say what was done to what the lock guards: `rel A~rwl`, read, wrote, and that late.
//!
//! `acq read try tryread req block rel down | fork t join t scoped t scope_end body_end end | send C recv C
//! sent C drop C disconnected C rdrop C refused C | notify K wake K | unpark t park | look A | lost`
//!
//! `spawn 200`, `waitpid 200`, `pfork 1`: a child process by its pid, the first fork; `died shared.A 101`: of the thread with that id.
//! Names that begin with `shared.` are mutexes in shared memory: the same in each process.
//!
//! `unbounded C` says so of a channel. `wait K A` waits with the mutex A in hand, `woken K A` goes on from that; `pass K A` would have
//! waited.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};
use trace_format::{
    Event, Flags, Kind, LocationId, MESSAGE_MAX, Mode, ObjectId, ObjectKind, SiteId, StackId,
    chunk::{self, CHUNK_ALIGN, ChunkKind, HEADER_WORDS},
    dictionary::{Addresses, Record},
    process::{self, HEADER_BYTES},
    slot::{self, FIRST_HOLD, SLOT_WORDS},
    version::CURRENT,
};

/// Address of the only scope that a script can have open.
const SCOPE: u64 = 0x7fff_0000;

/// A slot as it will be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slot {
    pub(crate) holds: Vec<Event>,
    pub(crate) wait: Option<Event>,
    pub(crate) ended: bool,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    events: Vec<Event>,
    slot: Slot,
    forked: bool,
    began: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Lock {
    acquired: u64,
    held_by: Vec<(String, u64, Mode)>,
}

/// A process file under construction.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) exited: bool,
    pub(crate) forked_from: Option<(u32, u64)>,
    pub(crate) slots: bool,
    /// Events that each segment gets at most.
    pub(crate) segment_events: usize,
    names: BTreeMap<String, u64>,
    order: Vec<String>,
    threads: BTreeMap<String, Thread>,
    locks: BTreeMap<String, Lock>,
    messages: BTreeMap<String, VecDeque<u64>>,
    numbers: BTreeMap<String, u64>,
    sites: u32,
    /// Children by their names here.
    children: Vec<String>,
    /// Which fork of its parent it is.
    pub(crate) forked_number: u64,
}

impl Process {
    pub(crate) fn new(pid: u32) -> Self {
        Self {
            pid,
            exited: true,
            forked_from: None,
            slots: true,
            segment_events: 4000,
            names: BTreeMap::new(),
            order: Vec::new(),
            threads: BTreeMap::new(),
            locks: BTreeMap::new(),
            messages: BTreeMap::new(),
            numbers: BTreeMap::new(),
            sites: 100,
            children: Vec::new(),
            forked_number: 0,
        }
    }

    /// Runs a script.
    pub(crate) fn script(mut self, script: &str) -> Self {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (thread, operations) = line.split_once(':').expect("a line is `thread: operations`");
            for operation in operations.split('|').map(str::trim) {
                self.run(thread.trim(), operation);
            }
        }
        self
    }

    /// One operation of a thread.
    pub(crate) fn run(&mut self, thread: &str, operation: &str) {
        self.begin(thread);
        let (operation, site) = operation.split_once('@').unwrap_or((operation, "0"));
        let site = site.parse().expect("a site is a number");
        let (verb, name) = operation.split_once(' ').unwrap_or((operation, ""));
        match verb {
            "acq" | "read" | "try" | "tryread" | "req" | "block" | "rel" | "down" => {
                self.lock(thread, verb, name, site);
            }
            "fork" | "join" | "scoped" | "scope_end" | "body_end" | "end" => self.life(thread, verb, name, site),
            "spawn" | "waitpid" | "pfork" | "died" => self.process(thread, verb, name, site),
            "wait" | "woken" | "pass" => self.condition(thread, verb, name, site),
            _ => self.message(thread, verb, name, site),
        }
    }

    /// What happens to processes.
    fn process(&mut self, thread: &str, verb: &str, name: &str, site: u32) {
        self.sites = self.sites.max(site);
        match verb {
            "spawn" => {
                self.children.push(name.to_owned());
                self.emit(thread, Kind::PROCESS_SPAWN, Flags::NONE, site, &format!("pid.{name}"), 0);
            }
            "waitpid" => self.emit(thread, Kind::PROCESS_WAIT, Flags::NONE, site, &format!("pid.{name}"), 0),
            "pfork" => {
                let number = name.parse().expect("the number of the fork");
                self.push(thread, Event::new(Kind::PROCESS_FORK, Flags::NONE, site, ObjectId::NONE, number));
            }
            _ => {
                let (name, tid) = name.split_once(' ').expect("a lock and a thread");
                let lock = self.locks.get_mut(name).expect("it was acquired");
                let (_, seq, mode) = lock.held_by.pop().expect("it was held");
                self.emit(thread, Kind::OWNER_DIED, mode.flags(), site, name, seq);
                self.push(thread, Event::extend(tid.parse().expect("a number"), 0));
            }
        }
    }

    /// Lets another process's state of the locks of shared memory be this one's.
    pub(crate) fn exchange_shared(&mut self, locks: &mut BTreeMap<String, Lock>) {
        let is_shared = |name: &String| name.starts_with("shared.");
        let own: Vec<String> = self.locks.keys().filter(|name| is_shared(name)).cloned().collect();
        let taken: BTreeMap<String, Lock> = own.into_iter().filter_map(|name| self.locks.remove_entry(&name)).collect();
        self.locks.extend(std::mem::replace(locks, taken));
    }

    /// The id of an object that has one.
    pub(crate) fn name(&self, name: &str) -> ObjectId {
        ObjectId(self.names[name])
    }

    /// Lets a thread wait at the end.
    pub(crate) fn wait(&mut self, thread: &str, wait: Event) {
        self.sites = self.sites.max(wait.site().0);
        self.threads.get_mut(thread).expect("it began").slot.wait = Some(wait);
    }

    /// Gives an object of shared memory another id.
    pub(crate) fn alias(&mut self, name: &str, id: ObjectId) {
        let alias = format!("{name}#");
        self.names.insert(alias.clone(), id.0);
        self.order.push(alias);
    }

    /// A condition variable and its mutex.
    fn condition(&mut self, thread: &str, verb: &str, names: &str, site: u32) {
        let (name, mutex) = names.split_once(' ').expect("a condition variable and a mutex");
        let number = self.numbers.get(name).copied().unwrap_or(0);
        match verb {
            "wait" => {
                self.lock(thread, "rel", &format!("{mutex}~rf"), site);
                self.emit(thread, Kind::WAIT, Flags::NONE, site, name, 1);
            }
            "woken" => {
                self.emit(thread, Kind::WAKE, Flags::NONE, site, name, number);
                self.lock(thread, "acq", mutex, site);
            }
            _ => {
                let mutex = self.object(thread, mutex);
                self.emit(thread, Kind::PASS, Flags::NONE, site, name, mutex.0);
            }
        }
    }

    /// The id of an object, and its creation by `thread` if it is new.
    pub(crate) fn object(&mut self, thread: &str, name: &str) -> ObjectId {
        if let Some(id) = self.names.get(name) {
            return ObjectId(*id);
        }
        let id = ObjectId(self.names.len() as u64 + 1);
        let id = if name.starts_with("shared.") { id.in_shared_memory().0 } else { id.0 };
        self.names.insert(name.to_owned(), id);
        self.order.push(name.to_owned());
        if !name.starts_with('t') {
            let class = u64::from(class_of(name) as u8);
            self.push(thread, Event::new(Kind::CREATE, Flags::NONE, 99, ObjectId(id), class));
        }
        ObjectId(id)
    }

    /// Appends an event to a thread.
    pub(crate) fn push(&mut self, thread: &str, event: Event) {
        self.threads.entry(thread.to_owned()).or_default().events.push(event);
    }

    fn emit(&mut self, thread: &str, kind: Kind, flags: Flags, site: u32, name: &str, seq: u64) {
        let object = self.object(thread, name);
        self.push(thread, Event::new(kind, flags, site, object, seq));
    }

    fn begin(&mut self, thread: &str) {
        let object = self.object(thread, thread);
        let state = self.threads.entry(thread.to_owned()).or_default();
        if !state.began {
            state.began = true;
            let flags = if state.forked { Flags::FORKED } else { Flags::NONE };
            state.events.push(Event::new(Kind::BEGIN, flags, 0, object, 0));
        }
    }

    fn lock(&mut self, thread: &str, verb: &str, name: &str, site: u32) {
        self.sites = self.sites.max(site);
        let mode = if verb.ends_with("read") { Mode::Shared } else { Mode::Exclusive };
        let (name, touched) = name.split_once('~').unwrap_or((name, ""));
        let object = self.object(thread, name);
        let lock = self.locks.entry(name.to_owned()).or_default();
        let place = lock.held_by.iter().rposition(|(holder, ..)| holder == thread);
        match verb {
            "rel" => {
                let (_, seq, mode) = lock.held_by.remove(place.expect("released what is held"));
                let flag = |flags: Flags, touch| match touch {
                    'r' => flags.with(Flags::READ),
                    'w' => flags.with(Flags::WROTE),
                    'f' => flags.with(Flags::FOR_WAIT),
                    _ => flags.with(Flags::LATE),
                };
                let flags = touched.chars().fold(mode.flags(), flag);
                let site = if flags.has(Flags::FOR_WAIT) { site } else { 0 };
                self.push(thread, Event::new(Kind::RELEASE, flags, site, object, seq));
                let holds = &mut self.threads.get_mut(thread).expect("it began").slot.holds;
                let place = holds.iter().rposition(|hold| hold.object() == object).expect("a hold per acquire");
                holds.remove(place);
            }
            "down" => {
                let held = &mut lock.held_by[place.expect("downgraded what is held")];
                held.2 = Mode::Shared;
                let seq = held.1;
                self.push(thread, Event::new(Kind::DOWNGRADE, Flags::SHARED, 0, object, seq));
            }
            "req" | "block" => {
                let request = Event::new(Kind::REQUEST, mode.flags(), site, object, 0);
                self.push(thread, request);
                if verb == "block" {
                    self.threads.get_mut(thread).expect("it began").slot.wait = Some(request);
                }
            }
            _ => {
                let free = lock.held_by.iter().all(|(.., held)| !held.excludes(mode));
                assert!(free, "{thread}: {verb} {name}: it is held");
                lock.acquired += u64::from(mode == Mode::Exclusive);
                let seq = lock.acquired;
                lock.held_by.push((thread.to_owned(), seq, mode));
                let attempt = if verb.starts_with("try") { Flags::TRY } else { Flags::NONE };
                let acquire = Event::new(Kind::ACQUIRE, mode.flags().with(attempt), site, object, seq);
                self.push(thread, acquire);
                self.threads.get_mut(thread).expect("it began").slot.holds.push(acquire);
            }
        }
    }

    fn life(&mut self, thread: &str, verb: &str, name: &str, site: u32) {
        self.sites = self.sites.max(site);
        match verb {
            "fork" | "scoped" => {
                let (flags, seq) = if verb == "fork" { (Flags::NONE, 0) } else { (Flags::SCOPED, SCOPE) };
                self.emit(thread, Kind::FORK, flags, site, name, seq);
                self.threads.entry(name.to_owned()).or_default().forked = true;
            }
            "join" => self.emit(thread, Kind::JOIN, Flags::NONE, site, name, 0),
            "scope_end" => self.push(thread, Event::new(Kind::SCOPE_END, Flags::NONE, 0, ObjectId::NONE, SCOPE)),
            "body_end" => self.emit(thread, Kind::BODY_END, Flags::NONE, site, thread, 0),
            _ => {
                self.emit(thread, Kind::END, Flags::NONE, site, thread, 0);
                self.threads.get_mut(thread).expect("it began").slot.ended = true;
            }
        }
    }

    fn message(&mut self, thread: &str, verb: &str, name: &str, site: u32) {
        self.sites = self.sites.max(site);
        let name = if verb == "park" { thread } else { name };
        let number = self.numbers.entry(name.to_owned()).or_default();
        if matches!(verb, "send" | "notify" | "unpark") {
            *number += 1;
        }
        let number = *number;
        match verb {
            "send" => {
                self.messages.entry(name.to_owned()).or_default().push_back(number);
                self.emit(thread, Kind::SEND, Flags::NONE, site, name, number);
            }
            "recv" => {
                let message = self.messages.get_mut(name).and_then(VecDeque::pop_front).expect("a message");
                self.emit(thread, Kind::RECEIVE, Flags::NONE, site, name, message);
            }
            "sent" => self.emit(thread, Kind::SENT, Flags::NONE, site, name, number),
            "drop" => self.emit(thread, Kind::HANDLE_DROP, Flags::SENDER, site, name, 0),
            "rdrop" => self.emit(thread, Kind::HANDLE_DROP, Flags::RECEIVER, site, name, 0),
            "refused" => self.emit(thread, Kind::SEND_FAILED, Flags::DISCONNECTED, site, name, number),
            "disconnected" => self.emit(thread, Kind::RECEIVE_FAILED, Flags::DISCONNECTED, site, name, 0),
            "notify" | "unpark" => {
                self.emit(thread, Kind::NOTIFY, Flags::NONE, site, name, number);
                self.push(thread, Event::extend(u64::from(verb == "notify"), number));
            }
            "wake" | "park" => self.emit(thread, Kind::WAKE, Flags::NONE, site, name, number),
            "unbounded" => self.emit(thread, Kind::CAPACITY, Flags::NONE, site, name, MESSAGE_MAX),
            "lost" => self.push(thread, Event::new(Kind::LOST, Flags::NONE, 0, ObjectId::NONE, 5)),
            "look" => self.emit(thread, Kind::LOOK, Flags::NONE, site, name, 0),
            _ => panic!("unknown operation {verb}"),
        }
    }

    /// The process file.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut file = vec![0; HEADER_BYTES];
        let mut word = |word: usize, value: u64| file[word * 8..][..8].copy_from_slice(&value.to_le_bytes());
        word(process::word::MAGIC, process::MAGIC);
        word(process::word::VERSION, u64::from(CURRENT.pack()) << 32);
        word(process::word::PID, u64::from(self.pid));
        word(process::word::START, u64::from(self.pid) * 10);
        word(process::word::BOOT, 1);
        word(process::word::END, u64::from(self.exited));
        if let Some((parent, next_object)) = self.forked_from {
            word(process::word::FORKED_PID, u64::from(parent));
            word(process::word::FORKED_START, u64::from(parent) * 10);
            word(process::word::FORKED_NEXT_OBJECT, next_object);
            word(process::word::FORKED_NUMBER, self.forked_number);
        }
        file.extend(self.dictionary());
        if self.slots {
            file.extend(self.slot_chunk());
        }
        self.segments().into_iter().for_each(|segment| file.extend(segment));
        let taken = (file.len() as u64).to_le_bytes();
        file[process::word::TAKEN * 8..][..8].copy_from_slice(&taken);
        file
    }

    /// The segments: each thread's events in pieces, the pieces of all threads in turn.
    pub(crate) fn segments(&self) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        for (name, thread) in &self.threads {
            let object = ObjectId(self.names[name]);
            // An event and its extension are published together, so no segment ends between them.
            let mut events = thread.events.as_slice();
            let mut seq = 0;
            while !events.is_empty() {
                let mut n = events.len().min(self.segment_events);
                n += usize::from(events.get(n).is_some_and(|event| event.kind() == Kind::EXTEND));
                let owner = Event::new(Kind::OWNER, Flags::NONE, 0, object, seq);
                let piece: Vec<Event> = std::iter::once(owner).chain(events[..n].iter().copied()).collect();
                pieces.push((seq, piece));
                events = &events[n..];
                seq += 1;
            }
        }
        pieces.sort_by_key(|(seq, _)| *seq);
        pieces.into_iter().map(|(_, events)| segment(&events)).collect()
    }

    fn dictionary(&self) -> Vec<u8> {
        let mut words = Vec::new();
        let mut put = |record: Record<'_>| record.encode(&mut |word| words.push(word));
        put(Record::Program { path: b"/bin/program" });
        for kind in [ObjectKind::Mutex, ObjectKind::RwLock, ObjectKind::Channel, ObjectKind::Condvar] {
            put(Record::Class { id: trace_format::ClassId(kind as u32), kind, type_name: b"i32" });
        }
        for id in 1..=self.sites {
            let addresses = [0x1000 + u64::from(id)];
            put(Record::Location { id: LocationId(id), line: id, column: 5, file: b"src/main.rs" });
            put(Record::Stack { id: StackId(id), addresses: Addresses::Words(&addresses) });
            put(Record::Site { id: SiteId(id), location: LocationId(id), stack: StackId(id) });
        }
        for name in &self.order {
            let object = ObjectId(self.names[name]);
            if name.starts_with('t') {
                put(Record::Thread { object, tid: self.pid + object.0 as u32 - 1, start: 0, name: b"" });
                continue;
            }
            put(Record::Label { object, text: name.as_bytes() });
            if let Some(child) = name.strip_prefix("pid.") {
                let pid: u32 = child.parse().expect("a pid");
                put(Record::Child { object, pid, start: u64::from(pid) * 10 });
            }
            if object.is_in_shared_memory() {
                let offset = process::fnv1a(name.trim_end_matches('#').as_bytes());
                put(Record::Shared { object, device: 1, inode: 2, offset, birth: 3 });
            }
        }
        chunk_of(ChunkKind::DICTIONARY, &words)
    }

    fn slot_chunk(&self) -> Vec<u8> {
        let mut words: Vec<u64> = Vec::new();
        for (name, thread) in &self.threads {
            let object = self.names[name];
            let slot: Vec<AtomicU64> = (0..SLOT_WORDS).map(|_| AtomicU64::new(0)).collect();
            let life = if thread.slot.ended { slot::Life::ENDED } else { slot::Life::LIVE };
            slot[slot::word::STATE].store(life.0, Relaxed);
            slot[slot::word::THREAD].store(object, Relaxed);
            slot[slot::word::TID].store(u64::from(self.pid) + object - 1, Relaxed);
            for (n, hold) in thread.slot.holds.iter().enumerate() {
                slot::push(&*slot, &*slot, FIRST_HOLD + n * Event::WORDS, n, *hold);
            }
            if let Some(wait) = thread.slot.wait {
                slot::begin_wait(&*slot, wait, 0, 0);
            }
            words.extend(slot.iter().map(|word| word.load(Relaxed)));
        }
        chunk_of(ChunkKind::SLOTS, &words)
    }
}

/// A segment with these events.
pub(crate) fn segment(events: &[Event]) -> Vec<u8> {
    let words: Vec<u64> = events.iter().flat_map(|event| event.words()).collect();
    chunk_of(ChunkKind::EVENTS, &words)
}

fn chunk_of(kind: ChunkKind, payload: &[u64]) -> Vec<u8> {
    let bytes = ((HEADER_WORDS + payload.len()) * 8).next_multiple_of(CHUNK_ALIGN);
    let words: Vec<AtomicU64> = (0..bytes / 8).map(|_| AtomicU64::new(0)).collect();
    chunk::begin(&*words, kind, bytes, 0);
    for (word, value) in words[HEADER_WORDS..].iter().zip(payload) {
        word.store(*value, Relaxed);
    }
    chunk::publish(&*words, HEADER_WORDS + payload.len());
    words.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect()
}

fn class_of(name: &str) -> ObjectKind {
    match name.trim_start_matches("shared.").as_bytes()[0] {
        b'R' => ObjectKind::RwLock,
        b'C' => ObjectKind::Channel,
        b'K' => ObjectKind::Condvar,
        _ => ObjectKind::Mutex,
    }
}
