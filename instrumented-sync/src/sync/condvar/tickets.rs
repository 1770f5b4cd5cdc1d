//! Who waits, in order: each with a ticket, which a notify gives its number.

use crate::{
    held::Hold,
    native,
    probe::{self, Waiting},
    sync::deadline::Deadline,
};
use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
};
use trace_format::{Event, Flags, Kind, ObjectId};

/// A recorded operation: object and site. `None` if it is not recorded.
type Operation = Option<(ObjectId, u32)>;

/// The threads that wait, without what they wait for.
pub(crate) struct Tickets(native::Mutex<Queue>);

struct Queue {
    waiting: VecDeque<(u64, Arc<Ticket>)>,
    n_issued: u64,
    n_notifies: u64,
    /// Generation of the process that the queued threads belong to.
    generation: u64,
}

/// One thread's wait: the number of the notify that ended it, once there is one.
struct Ticket {
    notify: native::Mutex<Option<u64>>,
    changed: native::Condvar,
}

impl Tickets {
    pub(crate) const fn new() -> Self {
        let queue = Queue { waiting: VecDeque::new(), n_issued: 0, n_notifies: 0, generation: 0 };
        Self(native::Mutex::new(queue))
    }

    /// Waits, having freed the mutex of `hold` with `unlock`: for a notify, whose number it says, or until the deadline.
    pub(crate) fn wait(
        &self,
        operation: Operation,
        hold: Hold<'_>,
        deadline: Deadline,
        unlock: impl FnOnce(),
    ) -> Option<u64> {
        let (number, ticket) = self.issue();
        // The ticket is queued while the mutex is held: whoever takes the mutex from here on and notifies finds
        // it, as with any condition variable.
        let waiting = begin(hold, operation, number, deadline);
        unlock();
        let notify = ticket.wait(deadline).or_else(|| self.withdraw(number, &ticket));
        end(waiting, operation, notify, deadline);
        notify
    }

    /// Wakes those that wait longest: one, or with [`Flags::ALL`] all. Says how many.
    pub(crate) fn notify(&self, operation: Operation, flags: Flags) -> usize {
        let mut queue = self.queue();
        queue.n_notifies += 1;
        let number = queue.n_notifies;
        let n_woken = if flags.has(Flags::ALL) { queue.waiting.len() } else { queue.waiting.len().min(1) };
        let woken: VecDeque<_> = queue.waiting.drain(..n_woken).collect();
        drop(queue);
        if let Some((object, site)) = operation {
            let highest = woken.back().map_or(0, |(number, _)| *number);
            let event = Event::new(Kind::NOTIFY, flags, site, object, number);
            probe::append_extended(event, Event::extend(n_woken as u64, highest));
        }
        for (_, ticket) in &woken {
            ticket.notify(number);
        }
        n_woken
    }

    fn issue(&self) -> (u64, Arc<Ticket>) {
        let ticket = Arc::new(Ticket { notify: native::Mutex::new(None), changed: native::Condvar::new() });
        let mut queue = self.queue();
        queue.n_issued += 1;
        let number = queue.n_issued;
        queue.waiting.push_back((number, Arc::clone(&ticket)));
        (number, ticket)
    }

    /// Takes a ticket back whose time is over. If a notify was faster, that one counts.
    fn withdraw(&self, number: u64, ticket: &Ticket) -> Option<u64> {
        let mut queue = self.queue();
        if let Some(place) = queue.waiting.iter().position(|(queued, _)| *queued == number) {
            queue.waiting.remove(place);
            return None;
        }
        drop(queue);
        ticket.wait(Deadline::NEVER)
    }

    fn queue(&self) -> native::MutexGuard<'_, Queue> {
        // Nothing panics while the queue is locked, but for a failed allocation, which leaves it as it was.
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.generation != probe::generation() {
            // Forked: the threads that wait are the parent's, and a notify here must not be spent on them.
            queue.generation = probe::generation();
            queue.waiting.clear();
        }
        queue
    }
}

impl Ticket {
    /// Sleeps until the ticket is notified, or the time is over.
    fn wait(&self, deadline: Deadline) -> Option<u64> {
        let mut notify = self.notify.lock().unwrap_or_else(PoisonError::into_inner);
        while notify.is_none() {
            notify = deadline.sleep(&self.changed, notify).ok()?;
        }
        *notify
    }

    fn notify(&self, number: u64) {
        *self.notify.lock().unwrap_or_else(PoisonError::into_inner) = Some(number);
        self.changed.notify_one();
    }
}

/// Records that the mutex is released for a wait, and the wait, which may be unrecorded.
pub(super) fn begin(hold: Hold<'_>, operation: Operation, number: u64, deadline: Deadline) -> Option<Waiting> {
    let mutex = hold.identity().known_object();
    hold.release_with(Flags::FOR_WAIT, operation.map_or(0, |(_, site)| site));
    let flags = deadline.flags();
    operation.map(|(object, site)| Waiting::begin(Event::new(Kind::WAIT, flags, site, object, number), mutex))
}

/// Records the end of a wait, by this notify or because the time is over.
pub(super) fn end(waiting: Option<Waiting>, operation: Operation, notify: Option<u64>, deadline: Deadline) {
    waiting.inspect(|waiting| waiting.end());
    if let Some((object, site)) = operation {
        let flags = Flags::TIMED_OUT.when(notify.is_none()).with(deadline.flags());
        probe::append(Event::new(Kind::WAKE, flags, site, object, notify.unwrap_or(0)));
    }
}
