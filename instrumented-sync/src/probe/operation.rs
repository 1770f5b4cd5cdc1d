//! Operations of primitives that are more than a lock: semaphores, latches, upgrades.

use super::{
    Class, Flags, Identity, Mode, Site, Text, Waiting, append, append_extended, entry, recording, release, site_here,
};
use crate::held::Hold;
use trace_format::{Event, Kind, ObjectId, PAYLOAD_MAX};

/// An operation that can be recorded: its object and its site.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    object: ObjectId,
    site: u32,
}

impl Operation {
    /// The operation at `site`, `None` if it is not or cannot be recorded.
    pub(crate) fn on(identity: &Identity, class: Class, capacity: usize, site: Site) -> Option<Self> {
        if !recording() {
            return None;
        }
        let object = identity.object_with_capacity(class, capacity as u64);
        if object == 0 {
            return None;
        }
        site_here(site).map(|site| Self { object: ObjectId(object), site })
    }

    /// A change of a hold, `None` if it is not recorded.
    pub(crate) fn change(hold: &Hold<'_>, site: Site) -> Option<Self> {
        if !hold.is_recorded() {
            return None;
        }
        let object = ObjectId(hold.identity().known_object());
        site_here(site).map(|site| Self { object, site })
    }

    /// Names the object.
    pub(crate) fn label(self, text: &str) {
        entry::label(self.object.0, Text::of(text));
    }

    /// How often this thread holds the object.
    pub(crate) fn n_holds(self) -> usize {
        entry::n_holds_of(self.object.0) as usize
    }

    /// Records `n` shared holds, which nothing numbers, of permits that were taken at once.
    pub(crate) fn acquired(self, n: usize, flags: Flags) {
        let mut flags = Mode::Shared.flags().with(flags);
        for _ in 0..n {
            if entry::prepare() {
                entry::append_acquire(self.event(Kind::ACQUIRE, flags, 0).into());
            }
            flags = flags.with(Flags::JOINT);
        }
    }

    /// Takes back `n` of those holds.
    pub(crate) fn released(self, n: usize) {
        for _ in 0..n {
            release(self.object.0, Mode::Shared.flags(), 0);
        }
    }

    /// Publishes a wait that is about to begin: for a turn, or for so many permits.
    pub(crate) fn waits(self, ticket: u64, is_timed: bool) -> Waiting {
        let flags = Flags::TIMED.when(is_timed);
        Waiting::begin(self.event(Kind::WAIT, flags, ticket), 0)
    }

    /// Records that the thread goes on, because of notify number `notify`; 0 if there is none. `flags` are those that an
    /// acquire would have: whether the operation could have given up, at once or after a time, and whether this permit was
    /// taken with others.
    pub(crate) fn woken(self, notify: u64, flags: Flags) {
        let gives_up = flags.has(Flags::TRY) || flags.has(Flags::TIMED);
        let gives_up = Flags::TIMED.when(gives_up);
        let joint = Flags::JOINT.when(flags.has(Flags::JOINT));
        append(self.event(Kind::WAKE, gives_up.with(joint), notify));
    }

    /// Records that the thread goes on because its time was over.
    pub(crate) fn timed_out(self) {
        append(self.event(Kind::WAKE, Flags::TIMED_OUT.with(Flags::TIMED), 0));
    }

    /// Records notify number `number`, which lets `n` threads through.
    pub(crate) fn notifies(self, number: u64, n: usize) {
        let n = (n as u64).min(PAYLOAD_MAX);
        append_extended(self.event(Kind::NOTIFY, Flags::NONE, number), Event::extend(n, 0));
    }

    /// Records notify number `number`, which lets everybody through, whenever they come.
    pub(crate) fn opens(self, number: u64) {
        append_extended(self.event(Kind::NOTIFY, Flags::ALL, number), Event::extend(PAYLOAD_MAX, 0));
    }

    /// Records that the mutex of `hold` is given up to wait with this ticket, and publishes the wait.
    #[cfg(shared)]
    pub(crate) fn waits_without(self, hold: Hold<'_>, ticket: u64, is_timed: bool) -> Waiting {
        let mutex = hold.identity().known_object();
        hold.release_with(Flags::FOR_WAIT, self.site);
        let flags = Flags::TIMED.when(is_timed);
        Waiting::begin(self.event(Kind::WAIT, flags, ticket), mutex)
    }

    /// Records the end of such a wait, by this notify; 0 if there was none.
    #[cfg(shared)]
    pub(crate) fn wakes(self, notify: u64, is_over: bool, is_timed: bool) {
        let flags = Flags::TIMED_OUT.when(is_over);
        let flags = if is_timed { flags.with(Flags::TIMED) } else { flags };
        append(self.event(Kind::WAKE, flags, notify));
    }

    /// Records notify number `number`, which wakes so many tickets.
    #[cfg(shared)]
    pub(crate) fn notifies_tickets(self, number: u64, flags: Flags, n_woken: u64, highest: u64) {
        append_extended(self.event(Kind::NOTIFY, flags, number), Event::extend(n_woken, highest));
    }

    /// Records that round `generation` is complete, by who came last, besides `n_woken` others.
    #[cfg(shared)]
    pub(crate) fn lets_all(self, generation: u64, n_woken: u64) {
        append_extended(self.event(Kind::NOTIFY, Flags::ALL, generation), Event::extend(n_woken, 0));
    }

    /// Records an arrival in round `generation`.
    pub(crate) fn arrives(self, generation: u64) {
        append(self.event(Kind::ARRIVE, Flags::NONE, generation));
    }

    /// Publishes, in the slot only, that the thread waits to upgrade its hold.
    pub(crate) fn waits_for_upgrade(self) -> Waiting {
        Waiting::begin_silent(self.event(Kind::UPGRADE, Mode::Exclusive.flags(), 0), 0)
    }

    /// Records that an upgradable hold became exclusive.
    pub(crate) fn upgraded(self, hold: &mut Hold<'_>) {
        self.changed(Kind::UPGRADE, Mode::Upgradable, Mode::Exclusive, hold, Identity::next_version);
    }

    /// Records that a hold of mode `from` becomes one of mode `to`, which excludes fewer; nobody else may use that yet.
    pub(crate) fn downgrades(self, from: Mode, to: Mode, hold: &mut Hold<'_>) {
        let seq = hold.seq();
        self.changed(Kind::DOWNGRADE, from, to, hold, |_| seq);
    }

    fn changed(self, kind: Kind, from: Mode, mode: Mode, hold: &mut Hold<'_>, number: impl FnOnce(&Identity) -> u64) {
        // Without room the hold goes on as it was recorded: its release matches what the trace says.
        if entry::prepare() {
            let seq = number(hold.identity());
            entry::change_hold(from as u32, self.event(kind, mode.flags(), seq).into());
            hold.change(mode, seq);
        }
    }

    fn event(self, kind: Kind, flags: Flags, seq: u64) -> Event {
        Event::new(kind, flags, self.site, self.object, seq)
    }
}
