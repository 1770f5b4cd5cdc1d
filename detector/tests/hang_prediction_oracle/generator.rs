//! Random small programs, of communications between threads that some order of them completes.
//!
//! What makes them hang in another order are the sections that are put around them.

use crate::scheduler::{Program, Step, Threads};
use detector::history::{Kind, Mode, Resource};

/// A generator of numbers, the same in every run.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    /// Whether something happens that happens once in `n` times.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What threads do with each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Does {
    /// A section in a section, of nobody else's concern.
    Sections,
    /// A message from one to another one.
    Message,
    /// One takes permits and gives them back.
    Own,
    /// One gives permits that another one takes.
    Signal,
    /// One waits until another one has begun.
    Await,
    /// One waits for a token that another one gives.
    Park,
    /// One waits on a condition until it is notified.
    BareWait,
    /// One waits on a condition until a variable is written.
    GuardedWait,
    /// One waits until a latch is open.
    Latch,
    /// All of a barrier arrive.
    Barrier,
}

/// What programs look like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) n_threads: &'static [usize],
    pub(crate) n_locks: &'static [usize],
    pub(crate) does: &'static [Does],
    /// Rooms of channels.
    pub(crate) rooms: &'static [Option<u32>],
    pub(crate) n_events: &'static [usize],
    /// Of so many blocks one is in a section.
    pub(crate) wraps: usize,
    /// Whether the first thread starts the others in some programs, and joins them.
    pub(crate) forks: bool,
    pub(crate) modes: &'static [Mode],
}

/// Steps of one thread that belong together.
type Block = Vec<Step>;

struct Making<'a> {
    numbers: &'a mut Numbers,
    shape: &'a Shape,
    n_locks: usize,
    blocks: Vec<Vec<Block>>,
    resources: Vec<Resource>,
    n_variables: usize,
}

/// A random program.
pub(crate) fn program(numbers: &mut Numbers, shape: &Shape) -> Program {
    let n_threads = numbers.of(shape.n_threads);
    let n_locks = numbers.of(shape.n_locks);
    let mut making = Making {
        numbers,
        shape,
        n_locks,
        blocks: vec![Vec::new(); n_threads],
        resources: Vec::new(),
        n_variables: n_locks,
    };
    for _ in 0..making.numbers.of(shape.n_events) {
        making.event();
    }
    let forks = shape.forks && making.numbers.below(5) > 1;
    making.close_channels(forks);
    let threads: Threads = making.blocks.iter().map(|blocks| blocks.concat()).collect();
    let mut program = Program { threads, forks, n_locks, n_variables: making.n_variables, resources: making.resources };
    if forks {
        fork_and_join(numbers, &mut program.threads);
    }
    give_up(numbers, &mut program.threads);
    program
}

impl Making<'_> {
    fn event(&mut self) {
        let does = self.numbers.of(self.shape.does);
        let one = self.numbers.below(self.blocks.len());
        let other = (one + 1 + self.numbers.below(self.blocks.len() - 1)) % self.blocks.len();
        match does {
            Does::Sections => self.sections(one),
            Does::Message => self.message(one, other),
            Does::Await => {
                let variable = self.variable();
                self.block(one, vec![Step::plain(Kind::Write, variable)]);
                self.block(other, vec![Step::plain(Kind::Await, variable)]);
            }
            Does::Own => self.own(one),
            Does::Signal => self.signal(one, other),
            Does::Park => {
                // Each thread has a token of its own.
                let token = self.owned(Resource::Token, other);
                self.block(one, vec![Step::plain(Kind::Give, token)]);
                self.block(other, vec![Step::plain(Kind::Take, token)]);
            }
            Does::BareWait => self.bare_wait(one, other),
            Does::GuardedWait => self.guarded_wait(one, other),
            Does::Latch => self.latch(one, other),
            Does::Barrier => self.barrier(one, other),
        }
    }

    /// The number of a resource of a kind: one that there is, or one more.
    fn resource(&mut self, kind: Resource, n_max: usize) -> u32 {
        let alike: Vec<usize> = (0..self.resources.len()).filter(|at| self.resources[*at] == kind).collect();
        if alike.len() < n_max && (alike.is_empty() || self.numbers.one_in(3)) {
            self.resources.push(kind);
            return self.resources.len() as u32 - 1;
        }
        alike[self.numbers.below(alike.len())] as u32
    }

    /// The resource of a thread, of a kind that comes once per thread.
    fn owned(&mut self, kind: Resource, thread: usize) -> u32 {
        while self.resources.iter().filter(|resource| **resource == kind).count() <= thread {
            self.resources.push(kind);
        }
        let alike = (0..self.resources.len()).filter(|at| self.resources[*at] == kind);
        alike.clone().nth(thread).unwrap() as u32
    }

    /// Adds a block to a thread, in a section or not.
    fn block(&mut self, thread: usize, mut block: Block) {
        if self.n_locks > 0 && self.numbers.one_in(self.shape.wraps) {
            let (lock, mode) = (self.lock(), self.numbers.of(self.shape.modes));
            if !block.iter().any(|step| step.lock() == Some(lock)) {
                self.access(&mut block);
                block.insert(0, Step::in_mode(Kind::Acquire, lock, mode));
                block.push(Step::in_mode(Kind::Release, lock, mode));
            }
        }
        if let Some(before) = self.blocks[thread].last_mut()
            && before.last().is_some_and(Step::is_release)
            && !before.iter().filter_map(Step::lock).any(|lock| block.iter().any(|step| step.lock() == Some(lock)))
            && self.numbers.one_in(4)
        {
            // Into the section before.
            let at = before.len() - 1;
            before.splice(at..at, block);
            return;
        }
        self.blocks[thread].push(block);
    }

    /// A variable of its own: the first ones are what locks guard.
    fn variable(&mut self) -> u32 {
        self.n_variables += 1;
        self.n_variables as u32 - 1
    }

    fn lock(&mut self) -> u32 {
        self.numbers.below(self.n_locks) as u32
    }

    fn access(&mut self, block: &mut Block) {
        if self.numbers.one_in(8) {
            let kind = self.numbers.of(&[Kind::Read, Kind::Write]);
            block.insert(0, Step::plain(kind, 0));
        }
    }

    fn sections(&mut self, thread: usize) {
        let (lock, mode) = (self.lock(), self.numbers.of(self.shape.modes));
        let mut block = vec![Step::in_mode(Kind::Acquire, lock, mode), Step::in_mode(Kind::Release, lock, mode)];
        let inner = self.lock();
        if inner != lock {
            let mode = self.numbers.of(self.shape.modes);
            let at = 1;
            block.splice(at..at, [Kind::Acquire, Kind::Release].map(|kind| Step::in_mode(kind, inner, mode)));
        }
        self.access(&mut block);
        self.block(thread, block);
    }

    fn message(&mut self, sender: usize, receiver: usize) {
        let room = self.numbers.of(self.shape.rooms);
        let channel = self.resource(Resource::Channel { room }, 2);
        let mut give = vec![Step::plain(Kind::Give, channel)];
        if room == Some(0) {
            give.push(Step::plain(Kind::Confirm, channel));
        }
        self.block(sender, give);
        self.block(receiver, vec![Step::receive(channel)]);
    }

    fn own(&mut self, thread: usize) {
        let n = 1 + self.numbers.below(2) as u32;
        let permits = self.resource(Resource::Permits(n), 2);
        // All at once, or one after the other.
        let amounts: &[u32] = if n == 1 { &[1] } else { self.numbers.of(&[&[1_u32] as &[u32], &[2], &[1, 1]]) };
        let mut block: Block = amounts.iter().map(|amount| Step::of(Kind::Take, permits, *amount)).collect();
        if self.numbers.one_in(2) {
            let inner = self.resource(Resource::Permits(n), 2);
            if inner != permits {
                block.extend([Kind::Take, Kind::Give].map(|kind| Step::plain(kind, inner)));
            }
        }
        if self.n_locks > 0 && self.numbers.one_in(3) {
            let lock = self.lock();
            block.extend([Kind::Acquire, Kind::Release].map(|kind| Step::plain(kind, lock)));
        }
        block.extend(amounts.iter().map(|amount| Step::of(Kind::Give, permits, *amount)));
        self.block(thread, block);
    }

    fn signal(&mut self, giver: usize, taker: usize) {
        let permits = self.resource(Resource::Permits(0), 2);
        let amount = 1 + self.numbers.below(2) as u32;
        self.block(giver, vec![Step::of(Kind::Give, permits, amount)]);
        let amount = if self.numbers.one_in(4) { 1 } else { amount };
        self.block(taker, vec![Step::of(Kind::Take, permits, amount)]);
    }

    fn bare_wait(&mut self, waiter: usize, notifier: usize) {
        let (condition, lock) = (self.resource(Resource::Condition, 2), 0);
        let acquire = Step::plain(Kind::Acquire, lock);
        let release = Step::plain(Kind::Release, lock);
        let wait = [Step::Enter { condition, lock }, Step::plain(Kind::Take, condition), acquire];
        // Some look at what the lock guards before they wait.
        let look = [Step::plain(Kind::Read, lock)];
        let look = &look[..self.numbers.below(2)];
        self.block(waiter, [&[acquire], look, wait.as_slice(), &[release]].concat());
        let give = Step::plain(self.numbers.of(&[Kind::Give, Kind::Give, Kind::GiveAll]), condition);
        let notify = if self.numbers.one_in(2) { vec![acquire, give, release] } else { vec![give] };
        self.block(notifier, notify);
    }

    fn guarded_wait(&mut self, waiter: usize, notifier: usize) {
        let (condition, lock) = (self.resource(Resource::Condition, 2), 0);
        let variable = self.variable();
        let acquire = Step::plain(Kind::Acquire, lock);
        let release = Step::plain(Kind::Release, lock);
        let guard = Step::Guard { variable, condition, lock };
        self.block(waiter, vec![acquire, guard, release]);
        let give = Step::plain(self.numbers.of(&[Kind::Give, Kind::Give, Kind::GiveAll]), condition);
        let write = Step::plain(Kind::Write, variable);
        let notify = match self.numbers.below(4) {
            0 => vec![acquire, write, give, release],
            1 => vec![acquire, write, release, give],
            // The mistake: the waiter may be between its look and its wait.
            2 => vec![write, give],
            _ => vec![write, acquire, give, release],
        };
        self.block(notifier, notify);
    }

    fn latch(&mut self, one: usize, other: usize) {
        let latch = self.resource(Resource::Latch(self.blocks.len() as u32 - 1), 1);
        for thread in (0..self.blocks.len()).filter(|thread| *thread != other) {
            self.block(thread, vec![Step::plain(Kind::Give, latch)]);
        }
        self.block(other, vec![Step::plain(Kind::Take, latch)]);
        if self.numbers.one_in(2) {
            self.block(one, vec![Step::plain(Kind::Take, latch)]);
        }
    }

    fn barrier(&mut self, one: usize, other: usize) {
        let barrier = self.resource(Resource::Barrier(2), 2);
        for thread in [one, other] {
            self.block(thread, [Kind::Give, Kind::Take].map(|kind| Step::plain(kind, barrier)).to_vec());
        }
    }

    /// Those who send drop what they send with, mostly; those who receive look whether there is more.
    fn close_channels(&mut self, forks: bool) {
        for channel in 0..self.resources.len() as u32 {
            if !matches!(self.resources[channel as usize], Resource::Channel { .. }) {
                continue;
            }
            let does = |blocks: &[Block], kind: fn(&Step) -> bool| {
                blocks.iter().flatten().any(|step| step.resource() == Some(channel) && kind(step))
            };
            let doing = |making: &Self, kind: fn(&Step) -> bool| -> Vec<usize> {
                (0..making.blocks.len()).filter(|thread| does(&making.blocks[*thread], kind)).collect()
            };
            let senders = doing(self, Step::is_give);
            let receivers = doing(self, Step::is_receive);
            let is_counted = senders.len() == 1 || (senders.len() == 2 && forks);
            if !is_counted || self.numbers.one_in(3) {
                continue;
            }
            if senders.len() == 2 {
                self.blocks[0].insert(0, vec![Step::plain(Kind::Open, channel)]);
            }
            for sender in senders {
                self.blocks[sender].push(vec![Step::plain(Kind::Close, channel)]);
            }
            let receiver = self.numbers.of(&receivers);
            if self.numbers.one_in(2) {
                self.block(receiver, vec![Step::Receive { channel, may_wait: true, is_last: false }]);
            }
        }
    }
}

/// Puts forks, and some joins, into the first thread.
fn fork_and_join(numbers: &mut Numbers, threads: &mut Threads) {
    for thread in 1..threads.len() {
        let opens = threads[0].iter().take_while(|step| step.is_open()).count();
        let half = (threads[0].len() - opens) / 2;
        let at = place_behind(threads, opens + numbers.below(half + 1));
        threads[0].insert(at, Step::plain(Kind::Fork, thread as u32));
        if numbers.below(3) > 0 {
            let at = place_behind(threads, at + 1 + numbers.below(threads[0].len() - at));
            threads[0].insert(at, Step::plain(Kind::Join, thread as u32));
        }
    }
}

/// A place in the first thread, at one or behind it, that tears nothing apart.
fn place_behind(threads: &Threads, at: usize) -> usize {
    let steps = &threads[0];
    (at..steps.len()).find(|at| *at == 0 || !steps[at - 1].goes_with(steps[*at])).unwrap_or(steps.len())
}

/// Some of what waits gives up instead.
fn give_up(numbers: &mut Numbers, threads: &mut Threads) {
    for step in threads.iter_mut().flatten() {
        if numbers.one_in(24) {
            step.give_up();
        }
    }
}
