//! What processes do to the words that they share, generic over the words, so that models run the same functions.
//!
//! ```text
//! owner word    0                     free                           --take--> owner
//!               owner                 held by that thread            --give back, by the owner--> 0
//!                                                                    --take over, once the owner is dead--> owner
//!               owner | WANTS         of a read-write lock: its thread writes once the readers are gone
//! slots         0 / owner each        readers; permits that are owned
//! event count   seq, n_waiting        raised, and slept on, by who waits for any of these to change
//! ```
//!
//! An owner is a thread's id and the time when it was started in one word, taken by one compare-exchange: there is no moment in which
//! something is held and nobody knows by whom. Whoever waits announces itself, looks, and sleeps unless the count was raised since;
//! whoever changes something looks afterwards whether somebody announced itself. Of the two looks one sees the other's word, since a fence
//! stands between each word and the look behind it; and whoever sees the count raised sees what it was raised for. A process may be
//! killed between any two steps: what is left is an owner that is dead, which others find out since nobody sleeps for ever, or a count of waiting that is too high, which costs a system call.

/// A word of 64 bits in shared memory.
pub trait Word {
    /// Its value; acquires what came before the store of it.
    fn load(&self) -> u64;
    /// Sets it; releases what came before.
    fn store(&self, value: u64);
    /// Sets it to `new` if it is `current`; says whether it was. Acquires and releases.
    fn exchange(&self, current: u64, new: u64) -> bool;
}

/// What threads of all processes sleep on.
pub trait Event {
    /// The count.
    fn seq(&self) -> u32;
    /// Somebody is about to look, and to sleep unless it finds something: adds, or takes back, one.
    fn announce(&self, is_coming: bool);
    /// Whether anybody has announced itself.
    fn is_awaited(&self) -> bool;
    /// Raises the count and wakes those that sleep, or one of them.
    fn raise(&self, wakes_all: bool);
    /// Sleeps unless the count is another one; not for ever, whatever happens. False once the time is over.
    fn sleep(&self, seen: u32) -> bool;
    /// A fence that all threads see in one order.
    fn fence(&self);
}

/// Set in the owner word of a read-write lock while its writer waits for readers to go.
pub const WANTS: u64 = 1 << 31;

/// Tells an owner that lives from a dead one.
pub trait Life {
    /// Whether the thread exists no more.
    fn is_dead(&self, owner: u64) -> bool;
}

/// How a word was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// It was free.
    Free,
    /// It was held by this owner, who is dead.
    From(u64),
}

/// Takes a word that is free, or whose owner is dead; `asks` says whether to find out about that.
pub fn take(word: &impl Word, me: u64, asks: bool, life: &impl Life) -> Option<Taken> {
    if word.exchange(0, me) {
        return Some(Taken::Free);
    }
    let owner = word.load();
    let is_dead = asks && owner != 0 && life.is_dead(owner);
    (is_dead && word.exchange(owner, me)).then_some(Taken::From(owner))
}

/// The same for who wants to write what others may be reading: a word that says so, unless its dead owner has written. What that left is
/// handed on by who takes its place, who may be killed before it could.
pub fn want(word: &impl Word, me: u64, asks: bool, life: &impl Life) -> Option<Taken> {
    if word.exchange(0, me | WANTS) {
        return Some(Taken::Free);
    }
    let owner = word.load();
    let is_dead = asks && owner != 0 && life.is_dead(owner);
    (is_dead && word.exchange(owner, me | owner & WANTS)).then_some(Taken::From(owner))
}

/// Gives a word back that `me` holds, and lets one of those look again that wait for it, or all; false, and nothing, if another one
/// holds it: a forked process has copies of guards.
pub fn give_back(word: &impl Word, me: u64, event: &impl Event, wakes_all: bool) -> bool {
    let is_own = word.load() & !WANTS == me;
    if is_own {
        word.store(0);
        tell(event, wakes_all);
    }
    is_own
}

/// Lets those look again that wait for a change.
pub fn tell(event: &impl Event, all: bool) {
    // Partners with the fence in `wait_until`.
    event.fence();
    if event.is_awaited() {
        event.raise(all);
    }
}

/// Attempts until that succeeds, sleeping in between; `None` once the time is over. The attempt hears whether something may have been wrong
/// for a while, so that it is worth asking who is alive.
pub fn wait_until<R>(event: &impl Event, mut attempt: impl FnMut(bool) -> Option<R>) -> Option<R> {
    let mut asks = false;
    loop {
        event.announce(true);
        // Partners with the fence in `tell`.
        event.fence();
        let seen = event.seq();
        let result = attempt(asks);
        let goes_on = result.is_none() && event.sleep(seen);
        event.announce(false);
        if result.is_some() {
            return result;
        }
        if !goes_on {
            return attempt(true);
        }
        asks = true;
    }
}

/// Enters as a reader: takes a free slot and says which, unless somebody writes or wants to.
pub fn enter<W: Word>(writer: &impl Word, slots: &[W], me: u64, event: &impl Event) -> Option<usize> {
    if writer.load() != 0 {
        return None;
    }
    let slot = occupy(slots, me)?;
    // Partners with the fence in `is_alone`: of a reader that enters and a writer that comes one sees the other.
    event.fence();
    if writer.load() == 0 {
        return Some(slot);
    }
    leave(slots, slot, me, event);
    None
}

/// Takes a slot that is free.
pub fn occupy<W: Word>(slots: &[W], me: u64) -> Option<usize> {
    let first = me as usize % slots.len().max(1);
    (first..slots.len()).chain(0..first).find(|slot| slots[*slot].exchange(0, me))
}

/// Leaves a slot, which is that of `me`.
pub fn leave<W: Word>(slots: &[W], slot: usize, me: u64, event: &impl Event) {
    if slots.get(slot).is_some_and(|slot| slot.exchange(me, 0)) {
        tell(event, true);
    }
}

/// Whether no reader is left, for a writer whose word says that it wants. Slots of the dead are freed, if `asks` says to find out; `died` hears of
/// each.
pub fn is_alone<W: Word>(
    slots: &[W],
    asks: bool,
    life: &impl Life,
    event: &impl Event,
    mut died: impl FnMut(u64),
) -> bool {
    // Partners with the fence in `enter`.
    event.fence();
    let mut is_free = |slot: &W| {
        let reader = slot.load();
        let is_gone = reader != 0 && asks && life.is_dead(reader) && slot.exchange(reader, 0);
        if is_gone {
            died(reader);
        }
        reader == 0 || is_gone
    };
    // All of them, so that each of the dead is heard of.
    slots.iter().filter(|slot| !is_free(slot)).count() == 0
}
