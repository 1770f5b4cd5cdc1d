//! Who could end a wait for something that nobody owns.
//!
//! A condition variable, a channel, a barrier: whoever can reach it may notify, send or arrive. Programs do not say
//! who holds a reference, so it is bounded from what they did:
//!
//! * A channel and a thread (as something to unpark) are known from the moment when they were made. Who may reach them
//!   are the threads that touched them, and those that came to know of a touch since, see [`Knowledge`].
//! * Everything else may have been made long before its first recorded operation, by any thread that was the first
//!   toucher's starter, or sent it a message, or their other children: all threads that fork, messages and joins
//!   connect with a toucher.
//! * What lies in a static variable may be reached by every thread.
//!
//! What this misses: a reference that went from hand to hand through something that was not recorded. A verdict that
//! rests on it says so.

use super::{ObjectId, Releasers, Side, SiteId, ThreadId, knowledge::Knowledge};
use rustc_hash::FxHashMap;
use std::rc::Rc;
use trace_format::{Event, Flags, Kind, ObjectKind};

/// What happened to the objects that somebody waits for at the end.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// By object of the merge: its place in `watched`, plus one.
    places: Vec<u32>,
    watched: Vec<Watched>,
    /// By thread: the NOTIFY or CREATE whose extension comes next, and its object.
    extended: FxHashMap<u32, (Kind, u32)>,
    /// Union-find over the threads that must-order connects.
    kin: Vec<u32>,
    /// Who came to know of each object, as one to give through and as one to take from.
    knowledge: Knowledge,
}

/// One object.
#[derive(Debug)]
struct Watched {
    object: u32,
    /// Whether its making is an event of its own, and whether that was seen.
    has_maker: bool,
    is_made: bool,
    address: u64,
    gives: Vec<Touch>,
    takes: Vec<Touch>,
    wakes: Wakes,
    /// The latest notify: thread and site; and the latest one that found nobody waiting.
    last_notify: Option<(u32, u32)>,
    idle_notify: Option<(u32, u32)>,
}

/// The touches of one thread, and whether one of them was of the kind that ends waits.
#[derive(Debug)]
struct Touch {
    thread: u32,
    is_act: bool,
}

/// What is left of notifies, messages and permits: a wait may be over although its thread has not woken yet.
#[derive(Clone, Copy, Debug, Default)]
struct Wakes {
    /// Highest ticket that a notify was for.
    ticket: u64,
    /// Highest notify, and the highest that a wake-up answered.
    notified: u64,
    answered: u64,
    /// Messages sent and not received, or permits given and not taken.
    left: i64,
    /// Room of a channel, permits of a semaphore.
    capacity: Option<u64>,
    /// Whether it is a barrier or a latch: somebody arrived.
    has_arrivals: bool,
}

impl Reach {
    /// Watches `objects` of the merge, of `n_objects`, in a process with `n_threads`. With each comes whether it was
    /// recorded when it was made, as channels and threads are.
    pub(super) fn new(objects: impl Iterator<Item = (u32, bool)>, n_objects: usize, n_threads: usize) -> Self {
        let mut reach = Self { places: vec![0; n_objects], kin: (0..n_threads as u32).collect(), ..Self::default() };
        for (object, has_maker) in objects {
            let Some(place) = reach.places.get_mut(object as usize) else { continue };
            if *place == 0 {
                let (gives, takes) = (Vec::new(), Vec::new());
                let wakes = Wakes::default();
                let (last_notify, idle_notify) = (None, None);
                let is_made = false;
                let address = 0;
                let watched =
                    Watched { object, has_maker, is_made, address, gives, takes, wakes, last_notify, idle_notify };
                reach.watched.push(watched);
                *place = reach.watched.len() as u32;
            }
        }
        let is_known_by_touch = reach.watched.iter().any(|watched| watched.has_maker);
        reach.knowledge = Knowledge::new(if is_known_by_touch { 2 * reach.watched.len() } else { 0 }, n_threads);
        reach
    }

    /// An acquire or a release of a lock, which may hand references on.
    #[inline]
    pub(super) fn lock(&mut self, thread: u32, object: u32, kind: Kind) {
        if self.knowledge.is_tracked() {
            match kind {
                Kind::ACQUIRE | Kind::UPGRADE => self.knowledge.acquire(thread, object),
                _ => self.knowledge.release(thread, object),
            }
        }
    }

    #[inline]
    pub(super) fn is_watched(&self, object: u32) -> bool {
        self.places.get(object as usize).is_some_and(|place| *place != 0)
    }

    /// What a thread knows of at this moment; `None` if there is nothing to know.
    pub(super) fn known_to(&mut self, thread: u32) -> Option<Rc<[u64]>> {
        self.knowledge.is_tracked().then(|| self.knowledge.known_to(thread))
    }

    /// Must-order leads from one thread, which knew of `known` then, to another.
    pub(super) fn connect(&mut self, earlier: u32, later: u32, known: Option<&[u64]>) {
        if self.watched.is_empty() {
            return;
        }
        if let Some(known) = known {
            self.knowledge.hand_on(known, later);
        }
        let (a, b) = (self.root(earlier), self.root(later));
        if let Some(parent) = self.kin.get_mut(a.max(b) as usize) {
            *parent = a.min(b);
        }
    }

    fn root(&self, mut thread: u32) -> u32 {
        // Roots are smaller than what leads to them, so this ends.
        while let Some(parent) = self.kin.get(thread as usize)
            && *parent < thread
        {
            thread = *parent;
        }
        thread
    }

    /// The payload behind an event on a watched object.
    pub(super) fn extend(&mut self, thread: u32, extension: Event) {
        let Some((kind, object)) = self.extended.remove(&thread) else { return };
        let Some(watched) = self.watched_mut(object) else { return };
        let (n, highest) = extension.payload();
        if kind == Kind::CREATE {
            watched.address = highest;
            return;
        }
        watched.wakes.ticket = watched.wakes.ticket.max(highest);
        watched.wakes.left = watched.wakes.left.saturating_add(i64::try_from(n).unwrap_or(i64::MAX));
        if n == 0 {
            watched.idle_notify = watched.last_notify;
        }
    }

    /// An event on a watched object.
    pub(super) fn touch(&mut self, thread: u32, object: u32, event: Event) {
        if matches!(event.kind(), Kind::NOTIFY | Kind::CREATE) {
            self.extended.insert(thread, (event.kind(), object));
        }
        let Some(watched) = self.watched_mut(object) else { return };
        if event.kind() == Kind::NOTIFY {
            watched.last_notify = Some((thread, event.site().0));
        }
        watched.wakes.count(event);
        let kind = event.kind();
        watched.is_made |= matches!(kind, Kind::CREATE | Kind::FORK);
        let is_of_receiver = event.flags().handle() == Flags::RECEIVER;
        let (gives, takes, is_act) = match kind {
            Kind::HANDLE_CLONE | Kind::HANDLE_DROP => (!is_of_receiver, is_of_receiver, true),
            Kind::SEND | Kind::NOTIFY | Kind::ARRIVE | Kind::RELEASE => (true, false, true),
            Kind::RECEIVE | Kind::RECEIVE_FAILED => (false, true, true),
            Kind::CREATE | Kind::FORK | Kind::WAIT | Kind::ACQUIRE | Kind::WAKE => (true, true, false),
            _ => return,
        };
        for (touches, is_so) in [(&mut watched.gives, gives), (&mut watched.takes, takes)] {
            match touches.iter_mut().find(|touch| touch.thread == thread) {
                _ if !is_so => {}
                Some(touch) => touch.is_act |= is_act,
                None => touches.push(Touch { thread, is_act }),
            }
        }
        let place = self.places.get(object as usize).map_or(0, |place| *place as usize);
        for (side, is_so) in [(Side::Gives, gives), (Side::Takes, takes)] {
            if is_so && let Some(place) = place.checked_sub(1) {
                self.knowledge.learn(thread, fact(place, side));
            }
        }
    }

    fn watched(&self, object: u32) -> Option<&Watched> {
        self.watched.get((*self.places.get(object as usize)? as usize).checked_sub(1)?)
    }

    fn watched_mut(&mut self, object: u32) -> Option<&mut Watched> {
        self.watched.get_mut((*self.places.get(object as usize)? as usize).checked_sub(1)?)
    }

    /// Whether what `wait` waits for has come already.
    pub(super) fn is_over(&self, object: u32, wait: Event, kind: ObjectKind) -> bool {
        self.watched(object).is_some_and(|watched| watched.wakes.is_over(wait, kind))
    }

    /// Who could end waits for the watched objects. `object_of` gives an object its id in the model; threads are
    /// numbered from `first_thread` there. `is_static` says of an object and its address whether it may be a static
    /// variable, `may_have` whether the thread's process can have the object.
    pub(super) fn releasers(
        &self,
        n_threads: u32,
        first_thread: u32,
        mut object_of: impl FnMut(u32) -> ObjectId,
        mut site_of: impl FnMut(u32) -> SiteId,
        is_static: impl Fn(u32, u64) -> bool,
        may_have: impl Fn(u32, u32) -> bool,
    ) -> Vec<Releasers> {
        let mut all = Vec::new();
        for (place, watched) in self.watched.iter().enumerate() {
            let object = object_of(watched.object);
            let is_static = is_static(watched.object, watched.address);
            let by_touch = watched.has_maker && watched.is_made && !is_static;
            let idle_notify =
                watched.idle_notify.map(|(thread, site)| (ThreadId(first_thread + thread), site_of(site)));
            for (side, touches) in [(Side::Gives, &watched.gives), (Side::Takes, &watched.takes)] {
                // Without a touch nothing is known, so it may be anybody.
                let may_reach = |thread: &u32| match () {
                    () if is_static || touches.is_empty() => true,
                    () if by_touch => self.knowledge.knows(*thread, fact(place, side)),
                    () => touches.iter().any(|touch| self.is_kin(*thread, touch)),
                };
                let reach = (0..n_threads).filter(may_reach).filter(|thread| may_have(watched.object, *thread));
                let reach = reach.map(|thread| ThreadId(first_thread + thread)).collect();
                let acted = touches.iter().filter(|touch| touch.is_act);
                let acted = acted.map(|touch| ThreadId(first_thread + touch.thread)).collect();
                let capacity = watched.wakes.capacity;
                all.push(Releasers { object, side, acted, reach, capacity, idle_notify, is_by_touch: by_touch });
            }
        }
        all
    }

    fn is_kin(&self, thread: u32, touch: &Touch) -> bool {
        self.root(thread) == self.root(touch.thread)
    }
}

/// The fact that a thread has the object with this place in its hands, on this side.
const fn fact(place: usize, side: Side) -> usize {
    2 * place + side as usize
}

impl Wakes {
    fn count(&mut self, event: Event) {
        match event.kind() {
            Kind::CAPACITY => self.capacity = Some(event.seq()),
            Kind::ARRIVE => self.has_arrivals = true,
            Kind::NOTIFY => self.notified = self.notified.max(event.seq()),
            Kind::WAKE => {
                self.answered = self.answered.max(event.seq());
                self.left -= i64::from(event.seq() > 0);
            }
            Kind::SEND | Kind::RELEASE => self.left += 1,
            Kind::RECEIVE | Kind::SEND_FAILED | Kind::ACQUIRE => self.left -= 1,
            _ => {}
        }
    }

    fn is_over(&self, wait: Event, kind: ObjectKind) -> bool {
        let capacity = self.capacity.and_then(|capacity| i64::try_from(capacity).ok());
        // Of a barrier or a latch nobody may have arrived.
        let has_arrivals = self.has_arrivals || matches!(kind, ObjectKind::Barrier | ObjectKind::Latch);
        match wait.kind() {
            Kind::RECEIVE => self.left > 0,
            // The message that waits is among those sent.
            Kind::SEND => capacity.is_some_and(|capacity| self.left <= capacity),
            _ if kind == ObjectKind::Thread => self.notified > self.answered,
            _ if has_arrivals => wait.seq() > 0 && self.notified >= wait.seq(),
            // A semaphore: so many permits are wanted.
            _ if capacity.is_some() => {
                let n_wanted = i64::try_from(wait.seq().max(1)).unwrap_or(i64::MAX);
                capacity.unwrap_or(0).saturating_add(self.left) >= n_wanted
            }
            _ => wait.seq() > 0 && self.ticket >= wait.seq(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trace_format::ObjectId;

    fn event(kind: Kind, seq: u64) -> Event {
        Event::new(kind, Flags::NONE, 1, ObjectId(1), seq)
    }

    fn wakes(events: &[(Kind, u64)]) -> Wakes {
        let mut wakes = Wakes::default();
        for (kind, seq) in events {
            wakes.count(event(*kind, *seq));
        }
        wakes
    }

    #[test]
    fn a_latch_at_which_nobody_arrived_is_not_open() {
        let closed = wakes(&[(Kind::CAPACITY, 2)]);
        assert!(!closed.is_over(event(Kind::WAIT, 1), ObjectKind::Latch));
        let open = wakes(&[(Kind::CAPACITY, 1), (Kind::ARRIVE, 1), (Kind::NOTIFY, 1)]);
        assert!(open.is_over(event(Kind::WAIT, 1), ObjectKind::Latch));
    }

    #[test]
    fn as_many_permits_have_to_be_there_as_are_wanted() {
        let two_left = wakes(&[(Kind::CAPACITY, 3), (Kind::ACQUIRE, 0)]);
        for (n_wanted, is_over) in [(1, true), (2, true), (3, false)] {
            let wait = event(Kind::WAIT, n_wanted);
            assert_eq!(two_left.is_over(wait, ObjectKind::Semaphore), is_over, "{n_wanted}");
        }
        assert!(!wakes(&[(Kind::CAPACITY, 0)]).is_over(event(Kind::WAIT, 0), ObjectKind::Semaphore));
    }
}
