//! How a thread's end of the recorder begins and ends.

use super::{
    super::{platform, process},
    AREA_WORDS, Area, LOCAL, Local, NO_END, NONE, NOWHERE, OWN_SLOT_AT, SEGMENT_BYTES_FIRST, Target,
    fork::Inherited,
    overflow::Overflow,
};
use std::sync::atomic::Ordering;
use trace_format::{
    Event, Flags, Kind, ObjectId,
    segment::RawWords,
    slot::{self, Life, SLOT_WORDS},
    words::{ReadWords, Words},
};

impl Local {
    /// Says under which object id this thread was announced by a FORK; before the program's code runs on it.
    pub(crate) fn announce(&self, object: u64) {
        // An allocator that uses our locks was called by std before that: those were the operations of a thread
        // that nobody announced.
        thread_ends();
        self.announced.set(object);
    }

    /// Gives the thread its memory, slot, segment and identity. Called while busy.
    ///
    /// Before this operation takes its own lock, so what is allocated here (a foreign thread's name may be) meets
    /// an allocator that this operation has not locked.
    pub(super) fn begin(&self) {
        if self.area.get().is_none() {
            let area = process::take_area(AREA_WORDS * 8);
            // The mapping is rounded up to pages, or is what another thread gave back.
            self.area.set(area.and_then(|area| area.first_chunk()).map(Area));
        }
        let Some(area) = self.area.get() else {
            self.target.set(Target::Refused);
            return;
        };
        let inherited = self.inherited_holds(area);
        area.clear();
        self.n_waits.set(0);
        let forked = self.announced.replace(0);
        self.thread.set(if forked == 0 { self.next_object() } else { forked });
        self.n_segments.set(0);
        self.segment_bytes.set(SEGMENT_BYTES_FIRST);
        self.n_lost.set(0);
        self.take_slot(area, &inherited);
        self.describe(forked != 0);
        self.next_segment();
        let flags = if forked == 0 { Flags::NONE } else { Flags::FORKED };
        self.put(Event::new(Kind::BEGIN, flags, 0, ObjectId(self.thread.get()), 0));
        inherited.iter().for_each(|hold| self.put_with_room(hold));
        inherited.forget();
        platform::call_at_thread_end();
    }

    fn take_slot(&self, area: Area, inherited: &Inherited<'_>) {
        let slot = process::take_slot();
        self.real_slot.set(slot);
        // Without one the thread keeps its own list, for itself.
        let words = slot.map_or(area.words(OWN_SLOT_AT, SLOT_WORDS), |slot| slot.words);
        // SAFETY: slots are never unmapped, nor is private memory; both are `SLOT_WORDS` long.
        let words = unsafe { RawWords::new(words.as_ptr()) };
        self.slot.set(words);
        self.with_overflow(Overflow::forget);
        self.n_holds.set(0);
        // Relaxed: the release store of the state below publishes all of it.
        // The epoch goes on where the slot's last thread left it: a reader that looks twice must not see the same
        // number for two waits.
        let epoch = words.load(slot::word::EPOCH, Ordering::Relaxed);
        (0..SLOT_WORDS).for_each(|word| words.store(word, 0, Ordering::Relaxed));
        words.store(slot::word::EPOCH, epoch.next_multiple_of(2), Ordering::Relaxed);
        words.store(slot::word::THREAD, self.thread.get(), Ordering::Relaxed);
        words.store(slot::word::TID, u64::from(platform::tid()), Ordering::Relaxed);
        for hold in inherited.iter() {
            self.extend_holds();
            if !self.push_hold(hold) {
                process::count_lost(1);
            }
        }
        // Release: a reader that sees the slot live sees whose it is.
        words.store(slot::word::STATE, Life::LIVE.0, Ordering::Release);
    }

    /// Not if a signal handler comes while the list is read.
    fn with_overflow(&self, f: impl FnOnce(&mut Overflow)) {
        if let Ok(mut overflow) = self.overflow.try_borrow_mut() {
            f(&mut overflow);
        }
    }

    /// std's handle knows the name, but must not be asked for on a thread on which std may yet set it: a signal handler
    /// may come before that, and std would end the program. A thread that was announced has one. So has one whose name in
    /// the operating system is as long as that can be and new: std cuts it off, and gives it after the handle. Of
    /// any other the operating system's name is taken.
    fn describe(&self, was_announced: bool) {
        let mut buffer = [0; 16];
        let short = platform::thread_name(&mut buffer);
        // Asked for of each thread: those that it starts begin with its name.
        let is_own = process::is_new_name(short) && short.len() == platform::THREAD_NAME_BYTES_MAX;
        let is_main = platform::tid() == platform::pid();
        let thread = (was_announced || (is_own && !is_main)).then(std::thread::current);
        let name = match &thread {
            Some(thread) => thread.name().unwrap_or("").as_bytes(),
            None if is_main => b"main",
            None => short,
        };
        process::describe_thread(self.thread.get(), name);
    }

    /// Says that the thread has ended and gives back what it had.
    fn end(&self) {
        if self.prepare() {
            self.append(Event::new(Kind::END, Flags::NONE, 0, ObjectId(self.thread.get()), 0));
        }
        let Some(mut busy) = Self::enter() else { return };
        self.count_scratch();
        if let Some(segment) = self.segment.take() {
            process::return_segment(segment, self.target.get() == Target::Scratch);
        }
        let slot = self.real_slot.take();
        if slot.is_none() {
            // Nobody can find them.
            self.with_overflow(Overflow::give_back);
        }
        if let Some(slot) = slot {
            let life = if self.n_holds.get() == 0 { Life::FREE } else { Life::ENDED };
            // Release: a reader that sees the end sees what is still held.
            self.slot.get().store(slot::word::STATE, life.0, Ordering::Release);
            if life == Life::FREE {
                self.with_overflow(Overflow::give_back);
                process::return_slot(slot);
            }
        }
        if let Some(area) = self.area.take() {
            process::return_area(area.0);
        }
        self.detach();
        // A later destructor that locks begins anew, as another thread.
        self.announced.set(0);
        self.n_holds.set(0);
        busy.end = NO_END;
    }

    /// Forgets all memory but the private one.
    pub(super) fn detach(&self) {
        self.target.set(Target::Nothing);
        self.words.set(NONE);
        self.slot.set(NONE);
        self.at.set(NOWHERE);
        self.forget_accesses();
        self.segment.set(None);
        self.real_slot.set(None);
        self.lost_event.set(None);
        self.n_waits.set(0);
    }
}

/// This thread ends; all its other destructors have run.
pub(in crate::recorder) fn thread_ends() {
    LOCAL.with(|local| {
        if matches!(local.target.get(), Target::Segment | Target::Scratch) {
            local.end();
        }
    });
}

/// The program ends, on this thread. What it does after this, in exit handlers that come later, is recorded too.
pub(in crate::recorder) fn at_exit() {
    LOCAL.with(|local| {
        if let Some(_busy) = Local::enter() {
            local.count_scratch();
        }
    });
}
