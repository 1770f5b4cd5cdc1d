//! What objects are.

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
#[non_exhaustive]
pub enum ObjectKind {
    /// Not known, or of a kind newer than this reader.
    Unknown = 0,
    /// `Mutex`.
    Mutex = 1,
    /// `RwLock`.
    RwLock = 2,
    /// `Condvar`.
    Condvar = 3,
    /// A channel, bounded or not.
    Channel = 4,
    /// A thread, as something to join, park or unpark.
    Thread = 5,
    /// `Barrier`.
    Barrier = 6,
    /// `Once`, `OnceLock`, `LazyLock`.
    Once = 7,
    /// A counting semaphore.
    Semaphore = 8,
    /// A latch that opens once.
    Latch = 9,
    /// A mutex that its owner may lock again.
    ReentrantMutex = 10,
    /// A resource that the program describes itself.
    Resource = 11,
    /// An asynchronous task.
    Task = 12,
    /// A child process.
    Process = 13,
    /// A pipe.
    Pipe = 14,
    /// A file lock.
    FileLock = 15,
    /// An atomic variable.
    Atomic = 16,
    /// A cell whose accesses are recorded.
    Cell = 17,
    /// A lock of an asynchronous runtime.
    AsyncLock = 18,
    /// A set of scoped threads.
    Scope = 19,
    /// Threads that poll tasks.
    Workers = 20,
}

impl ObjectKind {
    /// The kind with this number; unknown numbers are [`ObjectKind::Unknown`].
    pub const fn from_number(number: u8) -> Self {
        const ALL: [ObjectKind; 21] = [
            ObjectKind::Unknown,
            ObjectKind::Mutex,
            ObjectKind::RwLock,
            ObjectKind::Condvar,
            ObjectKind::Channel,
            ObjectKind::Thread,
            ObjectKind::Barrier,
            ObjectKind::Once,
            ObjectKind::Semaphore,
            ObjectKind::Latch,
            ObjectKind::ReentrantMutex,
            ObjectKind::Resource,
            ObjectKind::Task,
            ObjectKind::Process,
            ObjectKind::Pipe,
            ObjectKind::FileLock,
            ObjectKind::Atomic,
            ObjectKind::Cell,
            ObjectKind::AsyncLock,
            ObjectKind::Scope,
            ObjectKind::Workers,
        ];
        if (number as usize) < ALL.len() { ALL[number as usize] } else { Self::Unknown }
    }

    /// What reports call it, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "object",
            Self::Mutex => "mutex",
            Self::RwLock => "rwlock",
            Self::Condvar => "condvar",
            Self::Channel => "channel",
            Self::Thread => "thread",
            Self::Barrier => "barrier",
            Self::Once => "once",
            Self::Semaphore => "semaphore",
            Self::Latch => "latch",
            Self::ReentrantMutex => "reentrant mutex",
            Self::Resource => "resource",
            Self::Task => "task",
            Self::Process => "process",
            Self::Pipe => "pipe",
            Self::FileLock => "file lock",
            Self::Atomic => "atomic",
            Self::Cell => "cell",
            Self::AsyncLock => "async lock",
            Self::Scope => "thread scope",
            Self::Workers => "workers",
        }
    }
}
