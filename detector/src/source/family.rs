//! Families: process files that belong together, as one recording.
//!
//! Processes that started or forked each other, that ran one program after the other, or that have an object in shared memory in
//! common are one run: who waits for whom, and what comes before what, goes through all of them. So their files are read as one,
//! with ids of its own: those of different files are kept apart, but for objects of shared memory, of which each has one id,
//! whoever names it. What happens to processes is told in the words for threads - a spawn is a FORK of the child's first thread,
//! a wait for its end a JOIN -, so that whoever comes after this module knows of threads alone, and does nothing for processes.

mod group;
mod kinship;
mod translation;

pub use self::translation::Ids;

use self::{kinship::Kinship, translation::Translation};
use super::{
    bytes::Bytes,
    dictionary::{Dictionary, Module},
    os_threads::OsThread,
    recorded::{Chunk, ProcessFile},
    slots::SlotState,
};
use rustc_hash::FxHashMap;
use std::{path::PathBuf, rc::Rc};
use trace_format::{Event, process::Header};

/// An address in the memory of a member: above all addresses stands whose it is.
#[inline]
pub const fn in_space(member: u32, address: u64) -> u64 {
    (member as u64 & 0x7fff) << 48 | address
}

/// Process files that belong together, read up to their events.
#[derive(Debug)]
pub struct Family {
    /// The files, in order of their names.
    pub members: Vec<Member>,
    /// What the family's ids stand for.
    pub dictionary: Dictionary,
    /// What its threads hold and wait for, in the family's ids.
    pub slots: Vec<SlotState>,
    /// The chunks that hold events, with the member, in order of place.
    pub(super) segments: Vec<(u32, Chunk)>,
    ids: Rc<Ids>,
}

/// A process file of a family.
#[derive(Debug)]
pub struct Member {
    /// Where it is.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// Whether its process is still alive, and still runs what the file is of.
    pub alive: bool,
    /// The monotonic clock at the time of reading, in nanoseconds since the file was made.
    pub now_ns: u64,
    /// Its threads as the operating system has them, recorded or not; empty when the process is gone.
    pub os_threads: Vec<OsThread>,
    /// Ids and names of its threads: now, if it is alive, else as the tool saw them before it ended the process.
    pub seen_threads: Option<Vec<(u32, String)>>,
    /// Path of the executable.
    pub program: String,
    /// What the process called itself, if it did.
    pub role: Option<String>,
    /// Executable and shared libraries.
    pub modules: Vec<Module>,
    /// The last of the family in which this process, by its number and start, is recorded.
    pub is_latest_image: bool,
    bytes: Box<dyn Bytes>,
    /// Whether its events are told as they are.
    is_plain: bool,
    kinship: Kinship,
    translation: Translation,
}

impl Family {
    /// The families of these files, in order of their first files.
    pub fn of(files: Vec<ProcessFile>) -> Vec<Self> {
        group::families(files).into_iter().map(Self::join).collect()
    }

    fn join(files: Vec<ProcessFile>) -> Self {
        let (translations, ids, started) = translation::of(&files);
        let mut kinships = kinship::of(&files, &translations, &started);
        let mut dictionary = Dictionary::default();
        let mut family_slots = Vec::new();
        let mut segments = Vec::new();
        let latest = group::latest_images(&files);
        let mut members: Vec<Member> = Vec::with_capacity(files.len());
        for (idx, (file, translation)) in files.into_iter().zip(translations).enumerate() {
            let kinship = kinships.get_mut(idx).map(std::mem::take).unwrap_or_default();
            let ProcessFile { path, header, alive, dictionary: mut own, slots, os_threads, seen_threads, .. } = file;
            segments.extend(file.segments.into_iter().map(|chunk| (idx as u32, chunk)));
            let modules = std::mem::take(&mut own.modules);
            let (program, role) = (std::mem::take(&mut own.program), own.role.take());
            dictionary.absorb(own, &translation);
            family_slots.extend(slots.into_iter().map(|slot| translated_slot(slot, &translation, &kinship)));
            members.push(Member {
                path,
                header,
                alive: alive && latest.get(idx).copied().unwrap_or(true),
                now_ns: file.now_ns,
                os_threads,
                seen_threads,
                program,
                role,
                modules,
                is_latest_image: latest.get(idx).copied().unwrap_or(true),
                bytes: file.bytes,
                is_plain: translation.is_plain() && kinship.is_none(),
                kinship,
                translation,
            });
        }
        Self { members, dictionary, slots: family_slots, segments, ids: Rc::new(ids) }
    }

    /// Whose its ids are.
    pub fn ids(&self) -> Rc<Ids> {
        Rc::clone(&self.ids)
    }

    /// The member in which an object was named so; the first one that names it, of what lies in shared memory.
    pub fn member_of_object(&self, object: u64) -> usize {
        self.ids.member_of_object(object)
    }

    /// What a forked process calls so is a copy of an object of the one that it was forked from: which.
    pub fn original(&self, object: u64) -> Option<u64> {
        let member = self.members.get(self.member_of_object(object))?;
        let (parent, local) = (member.kinship.parent?, self.ids.local(object)?);
        (local < member.header.forked_next_object).then_some(())?;
        Some(self.members.get(parent)?.translation.object(local)).filter(|original| *original != 0)
    }

    /// The members that name an object of shared memory; none of any other object.
    pub fn sharers(&self, object: u64) -> &[usize] {
        self.ids.sharers(object)
    }

    /// Whether an object is a forked process's copy of one that it inherited.
    pub fn is_inherited(&self, object: u64) -> bool {
        if !self.sharers(object).is_empty() {
            return false;
        }
        let member = self.members.get(self.member_of_object(object));
        let local = self.ids.local(object);
        member.zip(local).is_some_and(|(member, id)| member.is_forked() && id < member.header.forked_next_object)
    }

    /// Whether a process was killed by somebody else than the tool while others of its family went on: what it held and waited for
    /// when it died says nothing of how these ended.
    pub fn is_gone(&self, member: usize) -> bool {
        let is_killed = |member: &Member| !member.alive && !member.header.exited && member.seen_threads.is_none();
        self.members.get(member).is_some_and(is_killed) && !self.members.iter().all(is_killed)
    }

    /// Whether a process ended in order, while there are others of its family: its threads can do nothing for those any more.
    pub fn has_exited(&self, member: usize) -> bool {
        self.members.len() > 1 && self.members.get(member).is_some_and(|member| member.header.exited && !member.alive)
    }

    /// How many child processes there were of which no file is there.
    pub fn n_unrecorded_children(&self) -> usize {
        let is_recorded = |(pid, start): (u32, u64)| {
            self.members.iter().any(|member| (member.header.pid, member.header.start) == (pid, start))
        };
        self.dictionary.children.values().filter(|child| !is_recorded(**child)).count()
    }

    /// How many events there are at most.
    pub fn n_events_max(&self) -> u64 {
        self.segments.iter().map(|(_, segment)| (segment.end - segment.start) / 16).sum()
    }

    /// Whether nothing that happened is known to be missing.
    pub fn is_complete(&self) -> bool {
        self.members.iter().all(|member| member.header.lost == 0) && self.slots.iter().all(|slot| slot.lost == 0)
    }

    /// Operations lost that no event counts.
    pub fn n_lost(&self) -> u64 {
        self.members.iter().fold(0, |lost, member| member.header.lost.saturating_add(lost))
    }

    /// The site of the last operation of each thread, by the thread's object id; of those whose last few events have
    /// one.
    pub fn last_sites(&self, member: usize) -> FxHashMap<u64, u32> {
        let mut sites = FxHashMap::default();
        let Some(of) = self.members.get(member) else { return sites };
        for (_, segment) in self.segments.iter().filter(|(idx, _)| *idx as usize == member) {
            // Of what cannot be read, nothing is known.
            if let Ok(Some((thread, site))) = super::recorded::last_site(&*of.bytes, *segment) {
                sites.insert(of.translation.object(thread), of.translation.site(site));
            }
        }
        sites
    }

    pub(super) fn member(&self, idx: u32) -> Option<&Member> {
        self.members.get(idx as usize)
    }
}

impl Member {
    /// Whether its process was forked from one that was recorded.
    pub const fn is_forked(&self) -> bool {
        self.header.forked_from.is_some()
    }

    /// The file's bytes.
    pub(super) fn bytes(&self) -> &dyn Bytes {
        &*self.bytes
    }

    /// An event in the family's ids.
    #[inline]
    pub(super) fn translated(&self, event: Event) -> Event {
        if self.is_plain { event } else { self.translated_fully(event) }
    }

    fn translated_fully(&self, event: Event) -> Event {
        self.kinship.told(event, &self.translation).unwrap_or_else(|| self.translation.event(event))
    }

    /// What comes in a thread's stream, given in the family's ids, before its first event.
    pub(super) fn before(&self, thread: u64) -> Vec<Event> {
        self.kinship.before(thread)
    }

    /// What comes behind an event, which is in the file's ids.
    pub(super) fn behind(&self, event: Event) -> Vec<Event> {
        self.kinship.behind(event, &self.translation)
    }

    /// Whether anything comes [`behind`](Self::behind) its events.
    #[inline]
    pub(super) fn has_kin(&self) -> bool {
        !self.is_plain
    }

    pub(super) fn thread(&self, thread: u64) -> u64 {
        self.translation.object(thread)
    }
}

fn translated_slot(slot: SlotState, translation: &Translation, kinship: &Kinship) -> SlotState {
    let SlotState { thread, holds, wait, wait_object, .. } = slot;
    SlotState {
        thread: translation.object(thread),
        holds: holds.into_iter().map(|hold| translation.event(hold)).collect(),
        wait: wait.map(|wait| kinship.waited(wait, translation).unwrap_or_else(|| translation.event(wait))),
        wait_object: trace_format::ObjectId(translation.object(wait_object.0)),
        ..slot
    }
}
