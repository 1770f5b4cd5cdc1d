//! From what was taken to operations.

use super::taken::{Action, Does, Taken};
use crate::{
    history::{Builder, Kind},
    source::Family,
};
use rustc_hash::FxHashMap;
use trace_format::{Mode, ObjectKind};

/// Writes the operations of one process into a builder.
pub(super) struct Expansion<'a> {
    builder: &'a mut Builder,
    file: &'a Family,
    threads: &'a [String],
    locks: &'a [String],
    prefix: &'a str,
    /// How each actor holds each object.
    holds: FxHashMap<(u32, u32), Vec<Mode>>,
    places: FxHashMap<u32, u32>,
    n: u64,
}

impl<'a> Expansion<'a> {
    pub(super) fn new(
        builder: &'a mut Builder,
        file: &'a Family,
        threads: &'a [String],
        locks: &'a [String],
        prefix: &'a str,
    ) -> Self {
        let (holds, places) = (FxHashMap::default(), FxHashMap::default());
        Self { builder, file, threads, locks, prefix, holds, places, n: 0 }
    }

    pub(super) fn add_all(&mut self, taken: &Taken) {
        for action in taken.actions.iter().chain(&taken.unanswered()) {
            self.add(taken, *action);
        }
    }

    fn add(&mut self, taken: &Taken, action: Action) {
        let Action { actor, .. } = action;
        match action.does {
            Does::Request(object, mode) => {
                if let Some(lock) = self.parts(taken, actor, object, Some(mode)).first() {
                    self.on_lock(action, Kind::Request, lock);
                }
            }
            Does::Acquire(object, mode) => {
                self.holds.entry((actor, object)).or_default().push(mode);
                self.change(taken, action, object, (None, Some(mode)));
            }
            Does::Release(object, mode) => self.release(taken, action, object, mode),
            Does::Upgrade(object) => {
                let held = self.take_hold(actor, object, &[Mode::Upgradable, Mode::Shared]);
                self.holds.entry((actor, object)).or_default().push(Mode::Exclusive);
                self.change(taken, action, object, (held, Some(Mode::Exclusive)));
            }
            Does::Downgrade(object, mode) => {
                let held = self.take_hold(actor, object, &[Mode::Exclusive, Mode::Upgradable]);
                self.holds.entry((actor, object)).or_default().push(mode);
                self.change(taken, action, object, (held, Some(mode)));
            }
            Does::Fork(thread) => self.on_thread(action, Kind::Fork, thread),
            Does::Join(thread) => self.on_thread(action, Kind::Join, thread),
            Does::Begin => self.on_nothing(action, Kind::Begin),
            Does::End => self.on_nothing(action, Kind::End),
            Does::Depart(number) if taken.arrived.contains(&number) => {
                self.edge(action, Kind::Write, &self.edge_name(number));
            }
            Does::Depart(_) => {}
            Does::Arrive(number) => self.edge(action, Kind::Read, &self.edge_name(number)),
        }
    }

    /// A guard may be released by somebody else: then it is the holder's release, after what the other did before.
    fn release(&mut self, taken: &Taken, action: Action, object: u32, mode: Mode) {
        let mut holder = action.actor;
        if self.take_hold(holder, object, &[mode]).is_none() && !self.is_semaphore(taken, object) {
            let others = self.holds.iter().filter(|((_, of), modes)| *of == object && modes.contains(&mode));
            if let Some(other) = others.map(|((other, _), _)| *other).min() {
                holder = other;
                self.take_hold(holder, object, &[mode]);
                let name = format!("{}handover{}", self.prefix, self.n);
                self.edge(action, Kind::Write, &name);
                self.edge(Action { actor: holder, ..action }, Kind::Read, &name);
            }
        }
        self.change(taken, Action { actor: holder, ..action }, object, (Some(mode), None));
    }

    /// Takes away the newest hold in the first of these modes that there is.
    fn take_hold(&mut self, actor: u32, object: u32, modes: &[Mode]) -> Option<Mode> {
        let holds = self.holds.get_mut(&(actor, object))?;
        let place = modes.iter().find_map(|mode| holds.iter().rposition(|held| held == mode))?;
        Some(holds.remove(place))
    }

    /// Acquires and releases the parts by which two modes differ.
    fn change(&mut self, taken: &Taken, action: Action, object: u32, (from, to): (Option<Mode>, Option<Mode>)) {
        let (from, to) = (self.parts(taken, action.actor, object, from), self.parts(taken, action.actor, object, to));
        for lock in to.iter().filter(|lock| !from.contains(lock)) {
            self.on_lock(action, Kind::Acquire, lock);
        }
        for lock in from.iter().rev().filter(|lock| !to.contains(lock)) {
            self.on_lock(action, Kind::Release, lock);
        }
    }

    /// The locks that stand for an object held in a mode.
    fn parts(&self, taken: &Taken, actor: u32, object: u32, mode: Option<Mode>) -> Vec<String> {
        if self.is_semaphore(taken, object) {
            return Vec::new();
        }
        let name = self.locks.get(object as usize).map_or("", |name| name);
        let (readers, is_upgradable) = (taken.readers.get(&object), taken.upgradable.contains(&object));
        let of_reader = |reader: &u32| format!("{name}/r.{}", self.thread(*reader));
        match mode {
            None => Vec::new(),
            Some(_) if readers.is_none() && !is_upgradable => vec![name.to_owned()],
            Some(Mode::Shared | Mode::SharedRecursive) => vec![of_reader(&actor)],
            Some(Mode::Exclusive) => {
                let upgradable = is_upgradable.then(|| format!("{name}/u"));
                upgradable.into_iter().chain(readers.into_iter().flatten().map(of_reader)).collect()
            }
            Some(Mode::Upgradable) => vec![format!("{name}/u")],
        }
    }

    fn is_semaphore(&self, taken: &Taken, object: u32) -> bool {
        let class = taken.classes.get(&object).and_then(|class| self.file.dictionary.classes.get(class));
        class.is_some_and(|class| class.kind == ObjectKind::Semaphore)
    }

    fn edge_name(&self, number: u32) -> String {
        format!("{}edge{number}", self.prefix)
    }

    fn edge(&mut self, action: Action, kind: Kind, name: &str) {
        self.on_lock(action, Kind::Acquire, name);
        let variable = self.builder.variable(name);
        self.push(action, kind, variable);
        self.on_lock(action, Kind::Release, name);
    }

    fn on_lock(&mut self, action: Action, kind: Kind, lock: &str) {
        let lock = self.builder.lock(lock);
        self.push(action, kind, lock);
    }

    fn on_thread(&mut self, action: Action, kind: Kind, thread: u32) {
        let thread = self.builder.thread(self.threads.get(thread as usize).map_or("", |name| name));
        self.push(action, kind, thread);
    }

    fn on_nothing(&mut self, action: Action, kind: Kind) {
        self.push(action, kind, 0);
    }

    fn push(&mut self, action: Action, kind: Kind, target: u32) {
        self.n += 1;
        let thread = self.builder.thread(self.threads.get(action.actor as usize).map_or("", |name| name));
        let place = self.place(action.site);
        self.builder.add(self.n, kind, thread, target, place);
    }

    fn thread(&self, thread: u32) -> &str {
        self.threads.get(thread as usize).map_or("", |name| name)
    }

    /// `file:line`; `-` if it is not known.
    fn place(&mut self, site: u32) -> u32 {
        if let Some(place) = self.places.get(&site) {
            return *place;
        }
        let dictionary = &self.file.dictionary;
        let location = dictionary.sites.get(&site).and_then(|(location, _)| dictionary.locations.get(location));
        let place = match location {
            Some(location) => self.builder.place(&format!("{}:{}", location.file, location.line)),
            None => self.builder.place("-"),
        };
        self.places.insert(site, place);
        place
    }
}
