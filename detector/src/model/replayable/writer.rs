//! Takes the merged order of a recorded process down as a history.

use super::accesses::Accessed;
use crate::{
    history::{History, Kind as Does, Mode, Operation, Resource},
    merge::{NOTIFIES_MAX, Sink, Step},
    model::{Numbering, guarded::Data},
    source::{Ends, Memory},
};
use rustc_hash::FxHashMap;
use trace_format::{Event, Flags, Kind, ObjectKind};

const LOOKED: &str = "a thread in it found out that something was not so, or looked without waiting (a failed try, a time that \
                      was over, `is_finished`, `Debug`), which orders nothing";
const POISONED: &str = "a thread in it found a lock poisoned, which orders nothing";
const MANY_NOTIFIES: &str = "it has a wait for an object that was notified more often than is kept";
const OVERLAPPING: &str = "it reads under a shared lock data that may change under it";
const UNTICKETED: &str = "it has a wait of which it is not known who ended it";
const UNOWNED: &str = "permits of a semaphore are taken in it of which it is not known where they are from";

/// A section that a thread is in.
#[derive(Clone, Copy, Debug)]
struct Section {
    object: u32,
    mode: Mode,
    /// Operations that stand for the read of what is guarded, if there is one: behind the acquire, and behind the
    /// thread's next one, or its next wait.
    read: usize,
    late_read: Option<usize>,
    /// Whether the thread is in another section of the lock already, which it alone can be: this one says nothing new.
    is_inner: bool,
}

/// What is known of a thread at one point of the order.
#[derive(Clone, Debug, Default)]
struct Thread {
    sections: Vec<Section>,
    /// The mark of its latest departure, and after how many operations that was.
    marked: Option<(u32, usize)>,
    /// The operation that begins the wait of which the lock was released just now.
    enters: Option<usize>,
    /// Whether the wait that it is in gives up after a time.
    is_timed: bool,
    /// The latest take, to which further permits may belong.
    took: Option<usize>,
}

/// Takes the merged order down as a history.
pub(super) struct Writer<'a> {
    pub(super) history: History,
    /// The thread of the latest step, and where that was.
    latest: (u32, u32),
    numbering: &'a Numbering,
    /// One for each object, then one for each mark, and for what lay in marked memory.
    pub(super) n_variables: u32,
    pub(super) accessed: Accessed<'a>,
    /// By thread: the member of the family.
    members: Vec<u32>,
    has_atomics: bool,
    pub(super) distrust: Option<&'static str>,
    pub(super) doubtful: FxHashMap<u32, &'static str>,
    threads: Vec<Thread>,
    /// By id.
    object_numbers: FxHashMap<u64, u32>,
    /// Marks that the event to come arrives from, each with the thread that arrives.
    arrived: Vec<(u32, u32)>,
    /// Of each message that is under way, the operation that sent it.
    messages: FxHashMap<(u32, u64), u32>,
    /// Of each latch that is open, the marks of those that opened it.
    opened: FxHashMap<u32, Vec<u32>>,
    n_notifies: FxHashMap<u32, usize>,
    /// Operations that stand for wake-ups, with their objects.
    wakes: Vec<(u32, u32)>,
}

impl Sink for Writer<'_> {
    type Mark = u32;

    fn step(&mut self, step: &Step) {
        let Step { thread, object, event } = *step;
        self.latest = (thread, event.site().0);
        let arrived: Vec<(u32, u32)> = std::mem::take(&mut self.arrived);
        let marks: Vec<u32> = arrived.iter().filter(|(of, _)| *of == thread).map(|(_, mark)| *mark).collect();
        match event.kind() {
            Kind::ACQUIRE if self.kind(object) == ObjectKind::Semaphore => self.take_permit(thread, object, event),
            Kind::ACQUIRE => self.acquire(thread, object, event),
            Kind::RELEASE if self.kind(object) == ObjectKind::Semaphore => {
                self.resource(thread, Does::Give, object, event);
            }
            Kind::RELEASE => self.release(thread, object, event),
            Kind::LOOK | Kind::ACQUIRE_FAILED => self.doubt(thread, LOOKED),
            Kind::SEND | Kind::SEND_FAILED | Kind::RECEIVE | Kind::RECEIVE_FAILED | Kind::SENT => {
                self.message(thread, object, event, &marks);
            }
            Kind::HANDLE_CLONE if event.flags().handle() == Flags::SENDER => {
                self.resource(thread, Does::Open, object, event);
            }
            Kind::HANDLE_DROP if event.flags().handle() == Flags::SENDER => {
                self.resource(thread, Does::Close, object, event);
            }
            Kind::WAIT => self.wait(thread, object, event),
            Kind::WAKE => self.wake(thread, object, event, &marks),
            Kind::ARRIVE => _ = self.resource(thread, Does::Give, object, event),
            Kind::NOTIFY => self.notify(thread, object, event, &marks),
            Kind::PASS => self.pass(thread, object, event),
            Kind::CELL_READ | Kind::CELL_WRITE | Kind::CELL_FREE => self.access(thread, object, event),
            Kind::ATOMIC_LOAD | Kind::ATOMIC_STORE | Kind::ATOMIC_RMW | Kind::PUBLISH | Kind::OBSERVE => {
                if self.has_atomics || Ends::is_told(event) {
                    self.atomic(thread, object, event);
                }
            }
            // What was touched so far may have decided what the new thread does.
            Kind::FORK => self.touch_early(thread),
            Kind::JOIN => match self.numbering.threads.get(&event.object().0).copied() {
                Some(joined) => self.push_operation(Operation::new(thread, Does::Join, joined, event.site().0)),
                None => self.arrive_at(thread, &marks, Does::Await, event),
            },
            Kind::BEGIN | Kind::SCOPE_END | Kind::PROCESS_WAIT => self.arrive_at(thread, &marks, Does::Await, event),
            Kind::LOST => self.distrust = Some("some of its events are missing"),
            Kind::TASK_BEGIN => self.distrust = Some("its process runs tasks, which are not replayed"),
            Kind::UPGRADE | Kind::DOWNGRADE => {
                self.distrust = Some("its process changes modes of locks, which is not replayed");
            }
            _ => self.arrive_at(thread, &marks, Does::Read, event),
        }
        if is_wait(event.kind()) {
            self.touch_late(thread);
        }
    }

    fn notified(&mut self, step: &Step, n: u64) {
        if self.kind(step.object) == ObjectKind::Semaphore {
            let next = self.history.operations.len() as u32;
            self.history.resources.amounts.insert(next, u32::try_from(n).unwrap_or(u32::MAX));
        }
    }

    fn depart(&mut self, thread: u32) -> u32 {
        let n = self.history.operations.len();
        let place = if self.latest.0 == thread { self.latest.1 } else { 0 };
        // What was not followed by anything, but at another place, needs no mark of its own.
        if let Some((mark, at)) = self.threads.get(thread as usize).and_then(|thread| thread.marked)
            && at == n
            && self.history.operations.last().is_some_and(|latest| latest.place == place)
        {
            return mark;
        }
        let mark = self.n_variables;
        self.n_variables = self.n_variables.saturating_add(1);
        self.push_operation(Operation::new(thread, Does::Write, mark, place));
        if let Some(thread) = self.threads.get_mut(thread as usize) {
            thread.marked = Some((mark, n + 1));
        }
        mark
    }

    fn arrive(&mut self, thread: u32, mark: &u32) {
        self.arrived.push((thread, *mark));
    }
}

/// Whether the event ends something that may have been a wait, for what is no lock.
const fn is_wait(kind: Kind) -> bool {
    matches!(kind, Kind::RECEIVE | Kind::SENT | Kind::WAKE | Kind::JOIN | Kind::SCOPE_END)
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        history: History,
        numbering: &'a Numbering,
        memory: &'a Memory,
        members: Vec<u32>,
        has_atomics: bool,
    ) -> Self {
        let n_objects = numbering.ids.len() as u32;
        Self {
            n_variables: n_objects,
            accessed: Accessed::new(memory),
            members,
            has_atomics,
            threads: vec![Thread::default(); history.threads.len()],
            history,
            latest: (0, 0),
            numbering,
            distrust: None,
            doubtful: FxHashMap::default(),
            object_numbers: numbering.ids.iter().copied().zip(0..).collect(),
            arrived: Vec::new(),
            messages: FxHashMap::default(),
            opened: FxHashMap::default(),
            n_notifies: FxHashMap::default(),
            wakes: Vec::new(),
        }
    }

    /// The member of the family that a thread is of.
    pub(super) fn member_of(&self, thread: u32) -> u32 {
        self.members.get(thread as usize).copied().unwrap_or(0)
    }

    fn push(&mut self, thread: u32, kind: Does, target: u32) -> usize {
        self.push_operation(Operation::new(thread, kind, target, 0));
        self.history.operations.len() - 1
    }

    pub(super) fn push_operation(&mut self, operation: Operation) {
        self.history.operations.push(operation);
    }

    /// The thread goes on after each of the marks.
    fn arrive_at(&mut self, thread: u32, marks: &[u32], kind: Does, event: Event) {
        for mark in marks {
            self.push_operation(Operation::new(thread, kind, *mark, event.site().0));
        }
    }

    /// Nothing is proven behind this point of the thread.
    pub(super) fn doubt(&mut self, thread: u32, why: &'static str) {
        let at = self.push(thread, Does::Branch, 0);
        self.doubtful.insert(at as u32, why);
    }

    fn kind(&self, object: u32) -> ObjectKind {
        self.numbering.kind(object)
    }

    fn resource_kind(&self, object: u32) -> Resource {
        self.numbering.described.get(object as usize).map_or(Resource::Opaque, |described| described.resource)
    }

    /// An operation on a resource; one that gives up, at once or after a time, does not hang.
    fn resource(&mut self, thread: u32, kind: Does, object: u32, event: Event) -> usize {
        let flags = event.flags();
        // Of a wake-up bit 3 says that its time was over, of a failed receive too.
        let gives_up = flags.has(Flags::TIMED) || flags.has(Flags::TRY);
        // A message from another channel would do as well.
        let is_among = flags.has(Flags::AMONG) && matches!(event.kind(), Kind::RECEIVE | Kind::RECEIVE_FAILED);
        let may_wait = !gives_up && !is_among;
        self.push_operation(Operation { may_wait, ..Operation::new(thread, kind, object, event.site().0) });
        self.history.operations.len() - 1
    }

    fn message(&mut self, thread: u32, object: u32, event: Event, marks: &[u32]) {
        let id = (object, event.seq());
        let is_rendezvous = self.resource_kind(object) == Resource::Channel { room: Some(0) };
        match event.kind() {
            Kind::SEND => {
                let give = self.resource(thread, Does::Give, object, event);
                self.messages.insert(id, give as u32);
            }
            Kind::RECEIVE => {
                let take = self.resource(thread, Does::Take, object, event);
                if let Some(give) = self.messages.get(&id).copied() {
                    self.history.resources.messages.insert(take as u32, give);
                    if !is_rendezvous {
                        self.messages.remove(&id);
                    }
                }
            }
            Kind::SENT => {
                let confirm = self.resource(thread, Does::Confirm, object, event);
                if let Some(give) = self.messages.remove(&id) {
                    self.history.resources.messages.insert(confirm as u32, give);
                }
            }
            Kind::SEND_FAILED => {
                // It came back: nothing was given.
                if let Some(give) =
                    self.messages.remove(&id).and_then(|give| self.history.operations.get_mut(give as usize))
                {
                    (give.kind, give.target) = (Does::Branch, 0);
                }
                if !event.flags().has(Flags::DISCONNECTED) {
                    self.doubt(thread, LOOKED);
                }
            }
            _ if event.flags().has(Flags::DISCONNECTED) => _ = self.resource(thread, Does::FindClosed, object, event),
            _ => self.doubt(thread, LOOKED),
        }
        self.arrive_at(thread, marks, Does::Read, event);
    }

    fn wait(&mut self, thread: u32, object: u32, event: Event) {
        let Some(of) = self.threads.get_mut(thread as usize) else { return };
        of.is_timed = event.flags().has(Flags::TIMED);
        let enters = of.enters.take();
        if self.kind(object) != ObjectKind::Condvar {
            return;
        }
        // Whoever takes the lock from its release on finds the thread waiting.
        match enters.and_then(|enters| self.history.operations.get_mut(enters)) {
            Some(operation) => (operation.kind, operation.target) = (Does::Enter, object),
            None => _ = self.push(thread, Does::Enter, object),
        }
        if event.seq() == 0 {
            self.doubt(thread, UNTICKETED);
        }
    }

    fn wake(&mut self, thread: u32, object: u32, event: Event, marks: &[u32]) {
        let waited = self.threads.get_mut(thread as usize).map(|thread| std::mem::take(&mut thread.is_timed));
        if event.flags().has(Flags::TIMED_OUT) {
            self.doubt(thread, LOOKED);
            return;
        }
        let (kind, resource) = (self.kind(object), self.resource_kind(object));
        if event.seq() == 0 && matches!(resource, Resource::Permits(_) | Resource::Token) {
            // Nobody woke it, as far as is known.
            self.doubt(thread, if kind == ObjectKind::Semaphore { UNOWNED } else { LOOKED });
            return;
        }
        let is_joint = kind == ObjectKind::Semaphore && event.flags().has(Flags::JOINT);
        let took = if is_joint && self.takes_more(thread, object) {
            self.push(thread, Does::Branch, 0)
        } else {
            let took = self.resource(thread, Does::Take, object, event);
            self.history.operations[took].may_wait &= waited != Some(true);
            self.threads[thread as usize].took = Some(took);
            took
        };
        self.wakes.push((took as u32, object));
        let opened = self.opened.get(&object).cloned().unwrap_or_default();
        self.arrive_at(thread, if opened.is_empty() { marks } else { &opened }, Does::Read, event);
    }

    fn notify(&mut self, thread: u32, object: u32, event: Event, marks: &[u32]) {
        *self.n_notifies.entry(object).or_default() += 1;
        match (self.kind(object), self.resource_kind(object)) {
            (ObjectKind::Latch, _) => {
                // Whoever opens it does not wait for the others that count.
                self.opened.insert(object, marks.to_vec());
            }
            (ObjectKind::Barrier, _) => {
                // Who comes last would have waited, had it come first. (The notify's ALL is the bit that is TRY elsewhere.)
                let took = self.resource(thread, Does::Take, object, event);
                self.history.operations[took].may_wait = true;
                self.arrive_at(thread, marks, Does::Read, event);
            }
            (_, Resource::Condition) if event.flags().has(Flags::ALL) => {
                self.resource(thread, Does::GiveAll, object, event);
            }
            (_, Resource::Condition | Resource::Token | Resource::Permits(_)) => {
                self.resource(thread, Does::Give, object, event);
            }
            _ => self.arrive_at(thread, marks, Does::Read, event),
        }
    }

    /// A permit that the thread gives back itself. Further ones of the same operation are the same take.
    fn take_permit(&mut self, thread: u32, object: u32, event: Event) {
        if event.flags().has(Flags::JOINT) && self.takes_more(thread, object) {
            return;
        }
        let took = self.resource(thread, Does::Take, object, event);
        if let Some(thread) = self.threads.get_mut(thread as usize) {
            thread.took = Some(took);
        }
    }

    /// Counts one more to the thread's latest take, if that was of the object.
    fn takes_more(&mut self, thread: u32, object: u32) -> bool {
        let took = self.threads.get(thread as usize).and_then(|thread| thread.took);
        let Some(took) = took.filter(|took| self.history.operations[*took].target == object) else { return false };
        *self.history.resources.amounts.entry(took as u32).or_insert(1) += 1;
        true
    }

    fn pass(&mut self, thread: u32, object: u32, event: Event) {
        let Some(lock) = self.object_numbers.get(&event.seq()).copied() else { return };
        let pass = self.resource(thread, Does::Pass, object, event);
        self.history.resources.passes.insert(pass as u32, lock);
    }

    /// The thread's sections may have been touched from here on by others too.
    fn touch_early(&mut self, thread: u32) {
        for section in self.threads.get_mut(thread as usize).into_iter().flat_map(|thread| &mut thread.sections) {
            section.late_read = section.late_read.or(Some(section.read));
        }
    }

    /// What is touched late in the thread's sections is touched from here on at the earliest.
    fn touch_late(&mut self, thread: u32) {
        for at in 0..self.threads.get(thread as usize).map_or(0, |thread| thread.sections.len()) {
            if self.threads[thread as usize].sections[at].late_read.is_none() {
                let late = self.push(thread, Does::Branch, 0);
                self.threads[thread as usize].sections[at].late_read = Some(late);
            }
        }
    }

    fn acquire(&mut self, thread: u32, object: u32, event: Event) {
        let (flags, mode) = (event.flags(), event.flags().mode());
        let Some(of) = self.threads.get_mut(thread as usize) else { return };
        if mode == Mode::Exclusive && of.sections.iter().any(|section| (section.object, section.mode) == (object, mode))
        {
            of.sections.push(Section { object, mode, read: 0, late_read: Some(0), is_inner: true });
            return;
        }
        let operation = Operation {
            mode,
            may_wait: !flags.has(Flags::TRY) && !flags.has(Flags::TIMED),
            ..Operation::new(thread, Does::Acquire, object, event.site().0)
        };
        self.push_operation(operation);
        if flags.has(Flags::POISONED) {
            self.doubt(thread, POISONED);
        }
        self.touch_late(thread);
        let read = self.push(thread, Does::Branch, 0);
        let section = Section { object, mode, read, late_read: None, is_inner: false };
        self.threads[thread as usize].sections.push(section);
    }

    fn release(&mut self, thread: u32, object: u32, event: Event) {
        let (mode, flags) = (event.flags().mode(), event.flags());
        let Some(section) = self.end_section(thread, object, mode).filter(|section| !section.is_inner) else { return };
        let writes = self.guarded(section, flags);
        if writes {
            self.push(thread, Does::Write, object);
        }
        let is_shared = self
            .numbering
            .described
            .get(object as usize)
            .is_some_and(|of| matches!(of.data, Data::Shared | Data::Unseen));
        if is_shared && writes && mode != Mode::Exclusive {
            self.doubt(thread, OVERLAPPING);
        }
        if flags.has(Flags::FOR_WAIT) {
            let enters = self.push(thread, Does::Branch, 0);
            self.threads[thread as usize].enters = Some(enters);
        }
        self.push_operation(Operation { mode, ..Operation::new(thread, Does::Release, object, event.site().0) });
    }

    /// Says what a section did to what the lock guards: the read, and whether it wrote.
    fn guarded(&mut self, section: Section, flags: Flags) -> bool {
        let Section { object, mode, .. } = section;
        let (data, kind) = match self.numbering.described.get(object as usize) {
            Some(described) => (described.data, described.kind),
            None => (Data::Elsewhere, ObjectKind::Unknown),
        };
        let (read, wrote) = (flags.has(Flags::READ), flags.has(Flags::WROTE));
        let (reads, writes) = match (kind, data) {
            // Whoever finds it initialised sees what the initialiser did.
            (ObjectKind::Once, _) => (true, mode == Mode::Exclusive),
            (_, Data::Elsewhere) => (false, false),
            (_, Data::Shared | Data::Unseen) => (read || wrote, read || wrote),
            (_, Data::Plain) => (read || wrote, wrote),
        };
        if reads {
            let late = section.late_read.filter(|_| flags.has(Flags::LATE));
            if let Some(operation) = self.history.operations.get_mut(late.unwrap_or(section.read)) {
                (operation.kind, operation.target) = (Does::Read, object);
            }
        }
        writes
    }

    /// Sections that never ended may have read. And of many notifies the merge forgets the first.
    pub(super) fn end(&mut self) {
        for (at, object) in std::mem::take(&mut self.wakes) {
            if self.n_notifies.get(&object).is_some_and(|n| *n > NOTIFIES_MAX) {
                self.doubtful.insert(at, MANY_NOTIFIES);
            }
        }
        let sections: Vec<Section> = self.threads.iter_mut().flat_map(|of| std::mem::take(&mut of.sections)).collect();
        for section in sections.into_iter().filter(|section| !section.is_inner) {
            self.guarded(section, Flags::READ);
        }
        let objects = (0..).zip(&self.numbering.described);
        self.history.unseen = objects.filter(|(_, of)| of.data == Data::Unseen).map(|(object, _)| object).collect();
        self.history.resources.kinds = self.numbering.described.iter().map(|described| described.resource).collect();
    }

    /// Takes out the section that a release ends: the thread's newest one of the object, else whosever it is.
    fn end_section(&mut self, thread: u32, object: u32, mode: Mode) -> Option<Section> {
        let is_it = |section: &Section| (section.object, section.mode) == (object, mode);
        let own = self.threads.get(thread as usize)?.sections.iter().rposition(is_it);
        let (of, at) = if let Some(at) = own {
            (thread as usize, at)
        } else {
            let mut threads = self.threads.iter().enumerate();
            threads.find_map(|(of, thread)| Some((of, thread.sections.iter().rposition(is_it)?)))?
        };
        Some(self.threads[of].sections.remove(at))
    }
}
