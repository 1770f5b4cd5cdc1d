//! The 16-byte event.
//!
//! ```text
//!          63                    40 39          16 15    8 7     0
//! word 0  | object, low 24 bits    | site 24      | flags | kind  |
//!          63                                  16 15             0
//! word 1  | sequence 48                          | object, high 16 |
//! ```
//!
//! An [`Kind::EXTEND`] event belongs to the event before it and carries 56 + 64 bits of payload: word 0 from bit
//! 8, and word 1. An event and its extensions are published by one store, so a reader never sees them apart.

mod flags;
mod kind;
mod object_kind;

pub use self::{
    flags::{Flags, Mode, Order},
    kind::Kind,
    object_kind::ObjectKind,
};

use crate::id::{ObjectId, SiteId};
use core::fmt;

/// The largest sequence number or message id: 48 bits.
pub const MESSAGE_MAX: u64 = (1 << 48) - 1;

/// The largest address that an event can name: 48 bits.
pub const ADDRESS_MAX: u64 = (1 << 48) - 1;

/// The largest number beside an address: 40 bits.
pub const BESIDE_MAX: u64 = (1 << 40) - 1;

/// The largest first payload of an extension: 56 bits.
pub const PAYLOAD_MAX: u64 = (1 << 56) - 1;

/// One thing that a thread did.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Event {
    words: [u64; 2],
}

const _: () = assert!(size_of::<Event>() == 16 && align_of::<Event>() == 8);

impl Event {
    /// Size of an event in 64-bit words.
    pub const WORDS: usize = 2;

    /// Packs an event; bits of `site`, `object` and `seq` beyond 24, 40 and 48 are cut off.
    #[inline]
    pub const fn new(kind: Kind, flags: Flags, site: u32, object: ObjectId, seq: u64) -> Self {
        let object = object.0 & ObjectId::MAX.0;
        let site = (site & SiteId::MAX.0) as u64;
        Self { words: [kind.0 as u64 | (flags.0 as u64) << 8 | site << 16 | object << 40, object >> 24 | seq << 16] }
    }

    /// Packs an event on memory that is known by its address: the low 40 bits of the address stand where an object does, the
    /// other 8 in the low bits of the sequence number, above them `beside`, of 40 bits: a version, or a length.
    ///
    /// ```
    /// use trace_format::{Event, Flags, Kind};
    ///
    /// let event = Event::at_address(Kind::ATOMIC_STORE, Flags::NONE, 7, 0x7fff_1234_5678, 3);
    /// assert_eq!((event.address(), event.beside()), (0x7fff_1234_5678, 3));
    /// ```
    #[inline]
    pub const fn at_address(kind: Kind, flags: Flags, site: u32, address: u64, beside: u64) -> Self {
        Self::new(kind, flags, site, ObjectId(address), beside << 8 | (address >> 40 & 0xff))
    }

    /// The address of an event on memory.
    #[inline]
    pub const fn address(self) -> u64 {
        self.object().0 | (self.seq() & 0xff) << 40
    }

    /// What stands beside the address of an event on memory.
    #[inline]
    pub const fn beside(self) -> u64 {
        self.seq() >> 8
    }

    /// Whether the event is on memory that is known by its address, and not on an object.
    #[inline]
    pub const fn is_at_address(self) -> bool {
        match self.kind() {
            Kind::ATOMIC_LOAD
            | Kind::ATOMIC_STORE
            | Kind::ATOMIC_RMW
            | Kind::PUBLISH
            | Kind::OBSERVE
            | Kind::CELL_FREE => true,
            Kind::CELL_READ | Kind::CELL_WRITE => self.flags().has(Flags::ADDRESS),
            _ => false,
        }
    }

    /// An extension of the event before it.
    #[inline]
    pub const fn extend(first: u64, second: u64) -> Self {
        Self { words: [Kind::EXTEND.0 as u64 | first << 8, second] }
    }

    /// The two payloads of an extension: 56 and 64 bits.
    #[inline]
    pub const fn payload(self) -> (u64, u64) {
        (self.words[0] >> 8, self.words[1])
    }

    /// The event as it lies in memory.
    #[inline]
    pub const fn words(self) -> [u64; 2] {
        self.words
    }

    /// Any two words are an event; its kind may be unknown.
    #[inline]
    pub const fn from_words(words: [u64; 2]) -> Self {
        Self { words }
    }

    /// What happened.
    #[inline]
    pub const fn kind(self) -> Kind {
        Kind(self.words[0] as u8)
    }

    /// Details of what happened; their meaning depends on the kind.
    #[inline]
    pub const fn flags(self) -> Flags {
        Flags((self.words[0] >> 8) as u8)
    }

    /// Where it happened: location and stack.
    #[inline]
    pub const fn site(self) -> SiteId {
        SiteId((self.words[0] >> 16) as u32 & SiteId::MAX.0)
    }

    /// What it happened to.
    #[inline]
    pub const fn object(self) -> ObjectId {
        ObjectId(self.words[0] >> 40 | (self.words[1] & 0xffff) << 24)
    }

    /// The number that orders events on one object; its meaning depends on the kind.
    #[inline]
    pub const fn seq(self) -> u64 {
        self.words[1] >> 16
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind() == Kind::EXTEND {
            let (first, second) = self.payload();
            return write!(f, "extend({first:#x}, {second:#x})");
        }
        let (kind, flags, site) = (self.kind(), self.flags().0, self.site().0);
        write!(f, "{kind:?}(flags {flags:#04x}, site {site}, object {}, seq {})", self.object().0, self.seq())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_bounds() {
        let event = Event::new(Kind(255), Flags(255), u32::MAX, ObjectId(u64::MAX), u64::MAX);
        assert_eq!(event.kind(), Kind(255));
        assert_eq!(event.flags(), Flags(255));
        assert_eq!(event.site(), SiteId::MAX);
        assert_eq!(event.object(), ObjectId::MAX);
        assert_eq!(event.seq(), MESSAGE_MAX);
    }

    #[test]
    fn addresses_and_what_is_beside_them_keep_their_bounds() {
        let event = Event::at_address(Kind::CELL_READ, Flags::ADDRESS, u32::MAX, u64::MAX, u64::MAX);
        assert_eq!((event.address(), event.beside()), (ADDRESS_MAX, BESIDE_MAX));
        let event = Event::at_address(Kind::ATOMIC_RMW, Flags::NONE, 1, 0x8040_2010_0804, 0);
        assert_eq!((event.address(), event.beside()), (0x8040_2010_0804, 0));
        assert!(event.is_at_address());
        assert!(!Event::new(Kind::CELL_READ, Flags::NONE, 1, ObjectId(1), 0).is_at_address());
    }

    #[test]
    fn flags_of_atomics_keep_order_and_length() {
        for order in [Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst] {
            for log2_bytes in 0..8 {
                let flags = Flags::atomic(order, log2_bytes);
                assert_eq!((flags.order(), flags.n_bytes()), (order, 1 << log2_bytes));
                assert!(!flags.has(Flags::UNCERTAIN));
                assert_eq!(flags.with(Flags::UNCERTAIN).n_bytes(), 1 << log2_bytes);
            }
        }
    }

    #[test]
    fn kinds_are_distinct() {
        for (i, (kind, _)) in Kind::ALL.iter().enumerate() {
            assert!(kind.0 != 0 && Kind::ALL[..i].iter().all(|(other, _)| other < kind), "{kind:?}");
        }
    }

    #[test]
    fn object_kinds_survive_their_number() {
        for number in 0..=255 {
            let kind = ObjectKind::from_number(number);
            assert!(kind as u8 == number || kind == ObjectKind::Unknown);
        }
    }

    #[test]
    fn modes_exclude_symmetrically() {
        let modes = [Mode::Exclusive, Mode::Shared, Mode::Upgradable, Mode::SharedRecursive];
        for a in modes {
            assert_eq!(a.flags().mode(), a);
            for b in modes {
                assert_eq!(a.excludes(b), b.excludes(a));
            }
        }
        assert!(!Mode::Shared.excludes(Mode::Upgradable));
        assert!(Mode::Upgradable.excludes(Mode::Upgradable));
    }
}
