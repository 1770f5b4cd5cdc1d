//! Ids: small integers that events carry, each meaningful inside one process file.

use core::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty), bits = $bits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl $name {
            /// The id that stands for "none" or "not known".
            pub const NONE: Self = Self(0);
            /// The largest id that an event or record can carry.
            pub const MAX: Self = Self((1 << $bits) - 1);

            /// Whether this is [`Self::NONE`].
            pub const fn is_none(self) -> bool {
                self.0 == 0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id! {
    /// A lock, condition variable, channel, thread, or anything else that threads meet at; 40 bits.
    ///
    /// Never reused within a process file. Threads take ids in blocks, so they are unique but not contiguous.
    ObjectId(u64), bits = 40
}

impl ObjectId {
    /// Set in the ids of objects that lie in memory which several processes share.
    const IN_SHARED_MEMORY: u64 = 1 << 39;

    /// This id for an object that lies in memory which several processes share.
    ///
    /// ```
    /// use trace_format::ObjectId;
    ///
    /// let id = ObjectId(7).in_shared_memory();
    /// assert!(id.is_in_shared_memory() && id <= ObjectId::MAX);
    /// assert!(!ObjectId(7).is_in_shared_memory());
    /// ```
    #[must_use]
    pub const fn in_shared_memory(self) -> Self {
        Self(self.0 | Self::IN_SHARED_MEMORY)
    }

    /// Whether the object lies in memory which several processes share: others may name it by ids of their own.
    pub const fn is_in_shared_memory(self) -> bool {
        self.0 & Self::IN_SHARED_MEMORY != 0
    }
}
id! {
    /// A source location together with the call stack that led there; 24 bits.
    SiteId(u32), bits = 24
}
id! {
    /// A source location: file, line, column.
    LocationId(u32), bits = 24
}
id! {
    /// A call stack: raw return addresses, innermost first.
    StackId(u32), bits = 24
}
id! {
    /// What an object is and the Rust type that it guards.
    ClassId(u32), bits = 24
}
