//! Models made by hand for the analyses' unit tests: one process, locks by name, one site per operation.

use crate::model::{
    Epoch, EpochId, Hold, Model, NestedAcquire, Object, ObjectId, Process, ProcessId, Releasers, Side, Site, SiteId,
    Thread, ThreadId, Wait,
};
use trace_format::{Event, Flags, Kind, Mode, ObjectKind};

/// A lock by name, and how it is held.
pub(crate) type Held<'a> = (&'a str, Mode);

/// A model under construction. Each thread is one epoch.
#[derive(Default)]
pub(crate) struct Fixture {
    pub(crate) model: Model,
}

impl Fixture {
    /// Threads up to this one exist.
    pub(crate) fn thread(&mut self, thread: u32) {
        if self.model.processes.is_empty() {
            self.model.processes.push(Process { pid: 1, ..Process::default() });
        }
        while self.model.threads.len() as u32 <= thread {
            let idx = self.model.threads.len() as u32;
            self.model.epochs.push(Epoch { thread: ThreadId(idx), time: 1, clock: Vec::new() });
            self.model.threads.push(Thread {
                process: ProcessId(0),
                number: idx + 1,
                tid: idx + 1,
                is_task: false,
                name: None,
                forked_by: None,
                scope: None,
                is_left_behind: false,
                ended: false,
                holds: Vec::new(),
                wait: None,
                lost: 0,
            });
        }
    }

    /// The lock with this name.
    pub(crate) fn lock(&mut self, name: &str) -> ObjectId {
        let known = self.model.objects.iter().position(|object| object.label.as_deref() == Some(name));
        let object = known.unwrap_or_else(|| {
            self.model.objects.push(Object {
                process: ProcessId(0),
                shared_by: Vec::new(),
                kind: ObjectKind::Unknown,
                type_name: String::new(),
                label: Some(name.to_owned()),
                created_at: None,
                gap: false,
                thread: None,
                capacity: None,
                holders_max: None,
                id: 0,
            });
            self.model.objects.len() - 1
        });
        ObjectId(object as u32)
    }

    /// The thread acquired a lock while it held others.
    pub(crate) fn nested(&mut self, thread: u32, holds: &[Held<'_>], wants: &str, mode: Mode) -> &mut NestedAcquire {
        let nested = self.acquire(thread, holds, wants, mode);
        self.model.nested.push(nested);
        self.model.nested.last_mut().unwrap()
    }

    /// The thread wrote a read-write lock.
    pub(crate) fn writer(&mut self, thread: u32, holds: &[Held<'_>], wants: &str) {
        let writer = self.acquire(thread, holds, wants, Mode::Exclusive);
        self.model.writers.push(writer);
    }

    /// The thread acquired a lock that some ended thread holds at the end.
    pub(crate) fn takes_abandoned(&mut self, thread: u32, wants: &str) {
        let acquire = self.acquire(thread, &[], wants, Mode::Exclusive);
        self.model.abandoned.push(acquire);
    }

    /// The thread is blocked.
    pub(crate) fn waits(&mut self, thread: u32, holds: &[Held<'_>], wants: &str, mode: Mode) {
        let NestedAcquire { holds, wants, site, .. } = self.acquire(thread, holds, wants, mode);
        let event = Event::new(Kind::REQUEST, mode.flags(), site.0, trace_format::ObjectId(1), 0);
        let state = &mut self.model.threads[thread as usize];
        state.holds = holds;
        state.wait = Some(Wait { event, object: Some(wants), site, other: None, age: None, is_over: false });
    }

    /// The thread waits for what nobody owns.
    pub(crate) fn awaits(&mut self, thread: u32, kind: Kind, of: ObjectKind, name: &str) {
        self.thread(thread);
        let (object, site) = (self.lock(name), self.site(&format!("wait {name}")));
        self.model.objects[object.idx()].kind = of;
        let event = Event::new(kind, Flags::NONE, site.0, trace_format::ObjectId(1), 0);
        self.model.threads[thread as usize].wait =
            Some(Wait { event, object: Some(object), site, other: None, age: None, is_over: false });
    }

    /// The thread waits for another one to end.
    pub(crate) fn joins(&mut self, thread: u32, joined: u32) {
        self.thread(joined);
        let name = format!("thread {joined}");
        self.awaits(thread, Kind::JOIN, ObjectKind::Thread, &name);
        let object = self.lock(&name);
        self.model.objects[object.idx()].thread = Some(ThreadId(joined));
    }

    /// Who may end waits for an object, and who of them did so before.
    pub(crate) fn reach(&mut self, name: &str, side: Side, reach: &[u32], acted: &[u32]) -> &mut Releasers {
        let ids = |threads: &[u32]| threads.iter().map(|thread| ThreadId(*thread)).collect();
        let (object, reach, acted) = (self.lock(name), ids(reach), ids(acted));
        let (capacity, idle_notify) = (None, None);
        self.model.releasers.push(Releasers { object, side, acted, reach, capacity, idle_notify, is_by_touch: true });
        self.model.releasers.last_mut().unwrap()
    }

    /// The thread holds locks, and runs.
    pub(crate) fn holds(&mut self, thread: u32, holds: &[Held<'_>]) {
        let acquire = self.acquire(thread, holds, "?", Mode::Exclusive);
        self.model.threads[thread as usize].holds = acquire.holds;
    }

    /// Everything in `before` comes before everything in `after`.
    pub(crate) fn order(&mut self, before: u32, after: u32) {
        self.thread(before.max(after));
        let clock = &mut self.model.epochs[after as usize].clock;
        clock.resize(clock.len().max(before as usize + 1), 0);
        clock[before as usize] = 1;
    }

    fn acquire(&mut self, thread: u32, holds: &[Held<'_>], wants: &str, mode: Mode) -> NestedAcquire {
        self.thread(thread);
        let holds = holds
            .iter()
            .map(|(name, mode)| Hold { object: self.lock(name), mode: *mode, site: self.site(&format!("hold {name}")) })
            .collect();
        let (wants, site) = (self.lock(wants), self.site(&format!("want {wants}")));
        let (thread, epoch) = (ThreadId(thread), EpochId(thread));
        NestedAcquire { thread, holds, wants, mode, site, may_wait: true, epoch, count: 1 }
    }

    fn site(&mut self, file: &str) -> SiteId {
        let known = self.model.sites.iter().position(|site| site.file == file);
        let site = known.unwrap_or_else(|| {
            let site = Site { process: ProcessId(0), file: file.to_owned(), line: 1, column: 1, stack: None };
            self.model.sites.push(site);
            self.model.sites.len() - 1
        });
        SiteId(site as u32)
    }
}
