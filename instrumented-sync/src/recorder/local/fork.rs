//! What fork does to a thread's end of the recorder, and what a forked child inherits.

use super::{
    super::{process, table::List},
    APPENDING, Area, BUSY, FORK_AT, FORK_WORDS, LOCAL, Local, NO_END, Target, refill,
};
use std::{cell::Ref, mem::ManuallyDrop, sync::atomic::Ordering};
use trace_format::{
    Event, Flags, Kind, ObjectId,
    slot::{FIRST_HOLD, HOLDS_INLINE, SLOT_WORDS},
    words::ReadWords,
};

/// In a forked child: the holds that [`before_fork`] saved. Copied out of the thread's private memory, as far as that
/// is cleared.
pub(super) struct Inherited<'a> {
    inline: [Event; HOLDS_INLINE],
    n_inline: usize,
    /// Those that a slot has no room for, two words each.
    beyond: Option<Ref<'a, ManuallyDrop<List>>>,
    n_beyond: usize,
    local: &'a Local,
}

impl Inherited<'_> {
    /// The holds, oldest first, without their sites, which are the parent's. Not those of what lies in shared memory: of that the child has
    /// no copy, and the parent goes on holding it.
    pub(super) fn iter(&self) -> impl Iterator<Item = Event> + '_ {
        let beyond = (0..self.n_beyond).filter_map(|n| {
            let words = self.beyond.as_ref()?;
            Some(Event::from_words([words.get(n * 2)?, words.get(n * 2 + 1)?]))
        });
        let all = self.inline.iter().take(self.n_inline).copied().chain(beyond);
        let all = all.filter(|hold| !hold.object().is_in_shared_memory());
        all.map(|hold| Event::new(hold.kind(), hold.flags(), 0, hold.object(), hold.seq()))
    }

    /// They are listed and recorded: nothing is inherited any more.
    pub(super) fn forget(self) {
        let Self { beyond, local, .. } = self;
        drop(beyond);
        local.forget_inherited();
    }
}

impl Local {
    /// What this thread held when its process was forked, and nothing if it was not. Called while busy.
    pub(super) fn inherited_holds(&self, area: Area) -> Inherited<'_> {
        let saved = area.words(FORK_AT, SLOT_WORDS);
        let n = self.n_holds.get();
        let mut inline = [Event::default(); HOLDS_INLINE];
        for (n, hold) in inline.iter_mut().enumerate().take(n) {
            let at = FIRST_HOLD + n * Event::WORDS;
            // Relaxed: private memory.
            *hold = Event::from_words([at, at + 1].map(|word| saved[word].load(Ordering::Relaxed)));
        }
        let beyond = self.inherited.try_borrow().ok();
        Inherited {
            inline,
            n_inline: n.min(HOLDS_INLINE),
            beyond,
            n_beyond: n.saturating_sub(HOLDS_INLINE),
            local: self,
        }
    }

    /// Records that the process is about to be forked by this thread, and returns the number of that fork; 0 if it cannot be
    /// recorded here and now: nothing is waited for, and no room is made.
    fn append_fork(&self) -> u64 {
        if !self.has_room_for_fork() {
            return 0;
        }
        let n = process::next_fork();
        self.append(Event::new(Kind::PROCESS_FORK, Flags::NONE, 0, ObjectId::NONE, n));
        n
    }

    /// Also behind the room of a page or a segment: within the slack.
    fn has_room_for_fork(&self) -> bool {
        // Relaxed: for this thread.
        let is_busy = self.at.get() == APPENDING || self.end.load(Ordering::Relaxed) == BUSY;
        let Some(segment) = self.segment.get().filter(|_| self.target.get() == Target::Segment) else { return false };
        !is_busy && self.at.get() <= refill::segment_end(segment) + FORK_WORDS - Event::WORDS
    }

    fn forget_inherited(&self) {
        if let Ok(mut inherited) = self.inherited.try_borrow_mut() {
            while inherited.pop().is_some() {}
        }
    }
}

/// In the parent, before a fork: records it, and remembers what this thread holds, in memory that the child gets a copy of.
/// (The slot is shared with the child, and the parent goes on changing it.)
///
/// A signal handler may come between this and the fork, and fork too. Then both children have the later number: both come
/// after that event.
pub(in crate::recorder) fn before_fork() {
    LOCAL.with(|local| {
        local.forks_as.set(local.append_fork());
        let Some(area) = local.area.get() else { return };
        // Forked itself and nothing recorded since: what its own parent saved is what it holds.
        if local.target.get() == Target::Nothing {
            return;
        }
        let slot = local.slot.get();
        for (word, saved) in area.words(FORK_AT, SLOT_WORDS).iter().enumerate() {
            // Relaxed: this thread wrote the one and will read the other.
            saved.store(slot.load(word, Ordering::Relaxed), Ordering::Relaxed);
        }
        local.forget_inherited();
        let Ok(mut inherited) = local.inherited.try_borrow_mut() else { return };
        for hold in (HOLDS_INLINE..local.n_holds.get()).map_while(|n| local.hold(n)) {
            let [first, second] = hold.words();
            if !(inherited.push(first) && inherited.push(second)) {
                break;
            }
        }
    });
}

/// In the parent, after a fork: makes room for the next one, which could not.
pub(in crate::recorder) fn after_fork_in_parent() {
    LOCAL.with(|local| {
        if local.target.get() == Target::Segment {
            local.prepare();
        }
    });
}

/// Which fork of its parent's this process comes from, as far as this thread knows: it is the one that forked.
pub(in crate::recorder) fn forked_as() -> u64 {
    LOCAL.with(|local| local.forks_as.get())
}

/// In a forked child: leaves the parent's memory alone; the next operation begins a thread of this process.
pub(in crate::recorder) fn after_fork_in_child() {
    LOCAL.with(|local| {
        if matches!(local.target.get(), Target::Segment | Target::Scratch) {
            local.detach();
            // Relaxed: for this thread.
            local.end.store(NO_END, Ordering::Relaxed);
            // Ids of the parent's block would go on meaning the parent's objects.
            local.next_object.set(0);
            local.objects_end.set(0);
            local.announced.set(0);
        }
    });
}
