//! What a scenario's primitives are: those of `instrumented_sync`, labelled with their names.
//!
//! Everything lives for the rest of the process, so that guards can outlive the operation that took them.

use super::{
    channel::Channel,
    number::Number,
    parked::{self, Parked, ParkedGuard},
    record::{Op, Scenario},
};
use instrumented_sync::{
    Barrier, Condvar, Latch, Mutex, MutexGuard, Once, PoisonError, ReentrantLock, ReentrantLockGuard, RwLock,
    RwLockReadGuard, RwLockWriteGuard, Semaphore, TryLockError, UpgradableGuard, UpgradableReadGuard, UpgradableRwLock,
    UpgradableWriteGuard, label,
    process::shared::{self, Region},
};
use std::{
    collections::BTreeMap,
    io,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

/// Why a scenario cannot be executed.
#[derive(Debug)]
pub(crate) struct Unsupported(pub String);

/// Variables by name: the data of a lock.
pub(crate) type Data = BTreeMap<String, i64>;

/// A primitive.
pub(crate) enum Object {
    /// A mutex with the variables that it guards.
    Mutex(Mutex<Data>),
    /// A mutex of several processes, which guards nothing here.
    SharedMutex(shared::Mutex<u64>),
    /// A read-write lock with the variables that it guards.
    RwLock(RwLock<Data>),
    /// A mutex that its holder may take again.
    Reentrant(ReentrantLock<()>),
    /// A read-write lock with recursive and upgradable readers, and the variables that it guards.
    Upgradable(UpgradableRwLock<Data>),
    /// A semaphore.
    Semaphore(Semaphore),
    /// A latch.
    Latch(Latch),
    /// A condition variable.
    Condvar(Condvar),
    /// A channel.
    Channel(Channel),
    /// A barrier.
    Barrier(Barrier),
    /// A once.
    Once(Once),
    /// One of these as `parking_lot` has it.
    Parked(Parked),
    /// A variable that no lock guards.
    Number(Number),
    /// A variable among the data of the lock of this name.
    Guarded(String),
}

/// The hold of a lock.
pub(crate) enum Guard {
    /// Of a mutex.
    Mutex(MutexGuard<'static, Data>),
    /// Of a mutex of several processes.
    #[expect(dead_code, reason = "held until it is dropped, and it guards nothing to look at")]
    SharedMutex(shared::MutexGuard<'static, u64>),
    /// Of a read-write lock, alone.
    Write(RwLockWriteGuard<'static, Data>),
    /// Of a read-write lock, with others.
    Read(RwLockReadGuard<'static, Data>),
    /// Of a mutex that may be taken again.
    #[expect(dead_code, reason = "held until it is dropped, and it guards nothing to look at")]
    Reentrant(ReentrantLockGuard<'static, ()>),
    /// Of an upgradable lock, alone.
    RichWrite(UpgradableWriteGuard<'static, Data>),
    /// Of an upgradable lock, with others.
    RichRead(UpgradableReadGuard<'static, Data>),
    /// Of an upgradable lock, with readers, and with the right to become its writer.
    RichUpgradable(UpgradableGuard<'static, Data>),
    /// Of a lock of `parking_lot`.
    Parked(ParkedGuard),
}

/// The variables of a lock that holds none.
static NOTHING: Data = Data::new();

/// In which way a lock is taken or held.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// By one thread.
    Alone,
    /// With others.
    Shared,
    /// With others, also past a writer that waits. Held, it is `Shared`.
    Recursive,
    /// With others that read, and with the right to become the writer.
    Upgradable,
}

/// How long to wait for a lock.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// For ever.
    Endless,
    /// Not at all.
    None,
    /// For some time.
    For(Duration),
}

impl Guard {
    /// How the lock is held.
    pub(crate) fn how(&self) -> How {
        match self {
            Self::Read(_) | Self::RichRead(_) => How::Shared,
            Self::RichUpgradable(_) => How::Upgradable,
            Self::Parked(guard) => guard.how(),
            Self::Mutex(_) | Self::SharedMutex(_) | Self::Write(_) | Self::Reentrant(_) | Self::RichWrite(_) => {
                How::Alone
            }
        }
    }

    /// The data, to be read.
    pub(crate) fn data(&self) -> &Data {
        match self {
            Self::Mutex(guard) => guard,
            Self::Write(guard) => guard,
            Self::Read(guard) => guard,
            Self::Reentrant(_) | Self::SharedMutex(_) => &NOTHING,
            Self::RichWrite(guard) => guard,
            Self::RichRead(guard) => guard,
            Self::RichUpgradable(guard) => guard,
            Self::Parked(guard) => guard.data(),
        }
    }

    /// The data, to be written.
    pub(crate) fn data_mut(&mut self) -> Option<&mut Data> {
        match self {
            Self::Mutex(guard) => Some(guard),
            Self::Write(guard) => Some(guard),
            Self::RichWrite(guard) => Some(guard),
            Self::Parked(guard) => guard.data_mut(),
            Self::Read(_) | Self::Reentrant(_) | Self::SharedMutex(_) | Self::RichRead(_) | Self::RichUpgradable(_) => {
                None
            }
        }
    }

    /// The same lock, held alone; `None` if it is not held so that it can be.
    pub(crate) fn upgraded(self) -> Option<Self> {
        match self {
            Self::RichUpgradable(guard) => Some(Self::RichWrite(UpgradableGuard::upgrade(guard))),
            Self::Parked(guard) => guard.upgraded().map(Self::Parked),
            _ => None,
        }
    }

    /// The same lock, held with others; `None` if it is not held so that it can be.
    pub(crate) fn downgraded(self) -> Option<Self> {
        match self {
            Self::RichWrite(guard) => Some(Self::RichRead(UpgradableWriteGuard::downgrade(guard))),
            Self::Parked(guard) => guard.downgraded().map(Self::Parked),
            _ => None,
        }
    }
}

impl Object {
    /// Makes what `declaration` says, for a scenario.
    ///
    /// # Errors
    ///
    /// There is no such primitive yet.
    pub(crate) fn new(
        declaration: &Op,
        scenario: &Scenario,
        guarded: &BTreeMap<String, String>,
        directory: &Path,
    ) -> Result<Self, Unsupported> {
        let name = declaration.word(1);
        let number = |n| declaration.number(n).unwrap_or(0);
        // Of readers that never queue it has no lock.
        let is_parked = scenario.locks.as_deref() == Some(parked::NAME) && scenario.rw_policy.is_none();
        let parked = || Parked::new(declaration.name(), || data_of(name, scenario, guarded));
        if let Some(parked) = is_parked.then(parked).flatten() {
            return Ok(Self::Parked(parked).labelled(name));
        }
        Ok(match declaration.name() {
            "mutex" => Self::Mutex(Mutex::new(data_of(name, scenario, guarded))),
            "shm_mutex" => {
                Self::SharedMutex(shared_mutex(name, directory).map_err(|error| Unsupported(error.to_string()))?)
            }
            "rwlock" if is_plain(name, scenario) => Self::RwLock(RwLock::new(data_of(name, scenario, guarded))),
            "rwlock" if scenario.rw_policy.as_deref() == Some("reader_pref") => {
                Self::Upgradable(UpgradableRwLock::reader_preferring(data_of(name, scenario, guarded)))
            }
            "rwlock" => Self::Upgradable(UpgradableRwLock::new(data_of(name, scenario, guarded))),
            "remutex" => Self::Reentrant(ReentrantLock::new(())),
            "sem" => Self::Semaphore(Semaphore::new(usize::try_from(number(2)).unwrap_or(0))),
            "latch" => Self::Latch(Latch::new(usize::try_from(number(2)).unwrap_or(0))),
            "condvar" => Self::Condvar(Condvar::new()),
            "barrier" => Self::Barrier(Barrier::new(usize::try_from(number(2)).unwrap_or(0))),
            "once" => Self::Once(Once::new()),
            "var" | "atomic" => match guarded.get(name) {
                Some(lock) if is_lock(lock, scenario) => Self::Guarded(lock.clone()),
                _ => Self::Number(Number::new(name, number(2), scenario)),
            },
            "chan" => Self::Channel(Channel::new(declaration, scenario, guarded.contains_key(name))),
            other => return Err(Unsupported(format!("{other} {name}"))),
        }
        .labelled(name))
    }

    fn labelled(self, name: &str) -> Self {
        let name = name.split('@').next().unwrap_or(name);
        match &self {
            Self::Mutex(mutex) => label(mutex, name),
            Self::SharedMutex(mutex) => label(mutex, name),
            Self::RwLock(lock) => label(lock, name),
            Self::Reentrant(lock) => label(lock, name),
            Self::Upgradable(lock) => label(lock, name),
            Self::Semaphore(semaphore) => label(semaphore, name),
            Self::Latch(latch) => label(latch, name),
            Self::Condvar(condvar) => label(condvar, name),
            Self::Barrier(barrier) => label(barrier, name),
            Self::Once(once) => label(once, name),
            Self::Parked(parked) => parked.label(name),
            // They have been given their names.
            Self::Channel(_) | Self::Number(_) | Self::Guarded(_) => {}
        }
        self
    }

    /// Takes a lock; `None` if the patience was not enough.
    ///
    /// # Errors
    ///
    /// It is not a lock, or not one that can be held like this.
    pub(crate) fn acquire(&'static self, how: How, patience: Patience) -> Result<Option<Guard>, Unsupported> {
        match patience {
            Patience::Endless => self.lock(how).map(Some),
            Patience::None => self.try_lock(how),
            Patience::For(time) => {
                let deadline = Instant::now() + time;
                loop {
                    let guard = self.try_lock(how)?;
                    if guard.is_some() || Instant::now() >= deadline {
                        return Ok(guard);
                    }
                    sleep(Duration::from_millis(1));
                }
            }
        }
    }

    fn lock(&'static self, how: How) -> Result<Guard, Unsupported> {
        Ok(match self {
            Self::Mutex(mutex) if how == How::Alone => {
                Guard::Mutex(mutex.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Self::SharedMutex(mutex) if how == How::Alone => {
                Guard::SharedMutex(mutex.lock().unwrap_or_else(shared::PoisonError::into_inner))
            }
            Self::RwLock(lock) if how == How::Shared => {
                Guard::Read(lock.read().unwrap_or_else(PoisonError::into_inner))
            }
            Self::RwLock(lock) if how == How::Alone => {
                Guard::Write(lock.write().unwrap_or_else(PoisonError::into_inner))
            }
            Self::Reentrant(lock) if how == How::Alone => Guard::Reentrant(lock.lock()),
            Self::Parked(parked) => Guard::Parked(parked.lock(how)?),
            Self::Upgradable(lock) => match how {
                How::Alone => Guard::RichWrite(lock.write()),
                How::Shared => Guard::RichRead(lock.read()),
                How::Recursive => Guard::RichRead(lock.read_recursive()),
                How::Upgradable => Guard::RichUpgradable(lock.upgradable_read()),
            },
            _ => return Err(no_lock()),
        })
    }

    fn try_lock(&'static self, how: How) -> Result<Option<Guard>, Unsupported> {
        Ok(match self {
            Self::Mutex(mutex) if how == How::Alone => tried(mutex.try_lock()).map(Guard::Mutex),
            Self::SharedMutex(mutex) if how == How::Alone => match mutex.try_lock() {
                Ok(guard) => Some(Guard::SharedMutex(guard)),
                Err(shared::TryLockError::Poisoned(error)) => Some(Guard::SharedMutex(error.into_inner())),
                Err(shared::TryLockError::WouldBlock) => None,
            },
            Self::RwLock(lock) if how == How::Shared => tried(lock.try_read()).map(Guard::Read),
            Self::RwLock(lock) if how == How::Alone => tried(lock.try_write()).map(Guard::Write),
            Self::Reentrant(lock) if how == How::Alone => lock.try_lock().map(Guard::Reentrant),
            Self::Parked(parked) => parked.try_lock(how)?.map(Guard::Parked),
            Self::Upgradable(lock) => match how {
                How::Alone => lock.try_write().map(Guard::RichWrite),
                How::Shared => lock.try_read().map(Guard::RichRead),
                How::Recursive => lock.try_read_recursive().map(Guard::RichRead),
                How::Upgradable => lock.try_upgradable_read().map(Guard::RichUpgradable),
            },
            _ => return Err(no_lock()),
        })
    }
}

/// What is said of an object that cannot be held, or not in this way.
pub(crate) fn no_lock() -> Unsupported {
    Unsupported("a lock of something that is no lock".to_owned())
}

/// Bytes of the memory that a scenario's processes share.
const MEMORY: usize = 1 << 16;

fn shared_mutex(name: &str, directory: &Path) -> io::Result<shared::Mutex<u64>> {
    shared::Mutex::open(&Region::at(directory.join("memory"), MEMORY)?, name, 0)
}

fn tried<G>(result: Result<G, TryLockError<G>>) -> Option<G> {
    match result {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Whether std's read-write lock does: writers first, readers not recursive, nothing upgraded.
fn is_plain(lock: &str, scenario: &Scenario) -> bool {
    let is_richer =
        |op: &Op| ["rlock_rec", "ulock", "uunlock", "upgrade", "downgrade"].contains(&op.name()) && op.word(1) == lock;
    let mut ops = scenario.program.iter().flat_map(Op::all);
    scenario.rw_policy.as_deref() != Some("reader_pref") && !ops.any(|op| is_richer(&op))
}

/// Whether the declared thing holds data.
fn is_lock(name: &str, scenario: &Scenario) -> bool {
    let mut declarations = scenario.primitives.iter().map(|text| Op::new(text));
    declarations.any(|declared| ["mutex", "rwlock"].contains(&declared.name()) && declared.word(1) == name)
}

/// The variables that live in `lock`, with their first values.
fn data_of(lock: &str, scenario: &Scenario, guarded: &BTreeMap<String, String>) -> Data {
    let declarations = scenario.primitives.iter().map(|text| Op::new(text));
    declarations
        .filter(|declared| ["var", "atomic"].contains(&declared.name()))
        .filter(|declared| guarded.get(declared.word(1)).is_some_and(|guard| guard == lock))
        .map(|declared| (declared.word(1).to_owned(), declared.number(2).unwrap_or(0)))
        .collect()
}
