//! Names as numbers, in order of appearance.

use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// Places of the table at first; a power of two, as ever after.
const SLOTS_MIN: usize = 16;

/// Bytes of the longest text that is kept in the list itself.
const INLINE_MAX: usize = 15;

/// What the last byte of a text in the list says if the text is elsewhere; else its length.
const ELSEWHERE: u8 = u8::MAX;

/// Texts with a number each: the first is 0.
///
/// The table that finds them holds numbers, and the list short texts themselves: a trace has as many names as it likes, each
/// operation asks for three, and what that takes is waiting for memory. Longer ones lie in one string.
///
/// ```
/// use detector::history::Names;
///
/// let mut names = Names::default();
/// assert_eq!((names.number("L1"), names.number("L2"), names.number("L1")), (0, 1, 0));
/// assert_eq!((names.text(1), names.len()), ("L2", 2));
/// assert_eq!(names.iter().collect::<Vec<_>>(), ["L1", "L2"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Each text, by number.
    list: Vec<Text>,
    /// The long ones, one behind the other.
    long: String,
    /// At most half full: the hash's upper half, and the number plus one; 0 is free.
    slots: Vec<u64>,
    /// How many have no text; their numbers come first.
    n_unnamed: u32,
}

/// A text of at most [`INLINE_MAX`] bytes, zeros behind it, and its length; or where a longer one begins in
/// [`Names::long`] in eight bytes, its length in seven, and [`ELSEWHERE`].
type Text = [u8; 16];

impl Names {
    /// Numbers below `n` for things that have no text. Names that are added get the numbers behind them.
    pub fn unnamed(n: u32) -> Self {
        Self { n_unnamed: n, ..Self::default() }
    }

    /// The number of a text; a new one if it is new.
    ///
    /// Beyond `u32::MAX - 1` texts, which no memory here holds, all share the last number.
    #[inline]
    pub fn number(&mut self, text: &str) -> u32 {
        if self.list.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let short = short(text.as_bytes());
        let hash = hash(short, text);
        let number = match self.look_up(hash, short, text) {
            Ok(number) => number,
            Err(place) => self.add(hash, place, text),
        };
        self.n_unnamed + number
    }

    /// The number of a text that has one.
    pub fn find(&self, text: &str) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let short = short(text.as_bytes());
        self.look_up(hash(short, text), short, text).ok().map(|number| self.n_unnamed + number)
    }

    /// The text with a number; empty if there is none.
    #[inline]
    pub fn text(&self, number: u32) -> &str {
        number.checked_sub(self.n_unnamed).map_or("", |number| self.own(number))
    }

    /// All texts, by number.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|number| self.text(number))
    }

    /// The text added as number `number`, from 0.
    fn own(&self, number: u32) -> &str {
        let Some(text) = self.list.get(number as usize) else { return "" };
        let own = if let [start @ .., _, _, _, _, _, _, _, ELSEWHERE] = text {
            let (start, len) = (u64::from_le_bytes(*start), u128::from_le_bytes(*text) << 8 >> 72);
            self.long.get(start as usize..start as usize + len as usize)
        } else {
            let len = usize::from(text[INLINE_MAX]);
            text.get(..len).and_then(|text| str::from_utf8(text).ok())
        };
        own.unwrap_or("")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len() + self.n_unnamed as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a text, or the free place where it belongs. The table has one.
    #[inline]
    fn look_up(&self, hash: u64, short: Option<u128>, text: &str) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = place_of(hash, self.slots.len());
        loop {
            match self.slots.get(place) {
                Some(0) | None => return Err(place),
                Some(slot) if slot >> 32 == hash >> 32 => {
                    let number = *slot as u32 - 1;
                    let is_it = match short {
                        Some(short) => {
                            self.list.get(number as usize).is_some_and(|text| u128::from_le_bytes(*text) == short)
                        }
                        None => self.own(number) == text,
                    };
                    if is_it {
                        return Ok(number);
                    }
                }
                Some(_) => {}
            }
            place = (place + 1) & mask;
        }
    }

    #[cold]
    fn add(&mut self, hash: u64, place: usize, text: &str) -> u32 {
        let number = self.list.len() as u32;
        if self.list.len() >= u32::MAX as usize - 1 {
            return number - 1;
        }
        let kept = short(text.as_bytes()).unwrap_or_else(|| {
            let start = self.long.len();
            self.long.push_str(text);
            start as u128 | (text.len() as u128) << 64 | u128::from(ELSEWHERE) << 120
        });
        self.list.push(kept.to_le_bytes());
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = hash >> 32 << 32 | u64::from(number + 1);
        }
        number
    }

    /// Doubles the table. What it holds is in the order of its places, and stays in it.
    #[cold]
    fn grow(&mut self) {
        let n_slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let slots = std::mem::replace(&mut self.slots, vec![0; n_slots]);
        for slot in slots.into_iter().filter(|slot| *slot != 0) {
            let mut place = place_of(slot, n_slots);
            while self.slots.get(place).is_some_and(|slot| *slot != 0) {
                place = (place + 1) & (n_slots - 1);
            }
            if let Some(free) = self.slots.get_mut(place) {
                *free = slot;
            }
        }
    }
}

/// Where a text with this hash is looked for first: by the upper half alone, which the table keeps, so that nothing else is
/// needed when it grows. `n_slots` is at most two for each of `u32::MAX` texts.
#[inline]
fn place_of(hash: u64, n_slots: usize) -> usize {
    (((hash >> 32) * (n_slots as u64 / 2)) >> 31) as usize
}

/// A short text as [`Text`] has it, as a number; `None` of a longer one.
#[inline]
fn short(text: &[u8]) -> Option<u128> {
    let n = text.len();
    // Two pieces that may overlap, the second one shifted to where it belongs: no loop, and no call.
    let (low, high) =
        match (text.first_chunk::<8>(), text.last_chunk::<8>(), text.first_chunk::<4>(), text.last_chunk::<4>()) {
            _ if n > INLINE_MAX => return None,
            (Some(head), Some(tail), ..) => {
                (u64::from_le_bytes(*head), u64::from_le_bytes(*tail) >> 8 >> (8 * (15 - n)))
            }
            (_, _, Some(head), Some(tail)) => {
                let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
                (u64::from(head) | u64::from(tail) >> (8 * (8 - n)) << 32, 0)
            }
            _ => (text.iter().rev().fold(0, |low, byte| low << 8 | u64::from(*byte)), 0),
        };
    Some(u128::from(low) | u128::from(high) << 64 | (n as u128) << 120)
}

/// Both halves of a product in one; the upper half of that is what counts.
#[inline]
fn hash(short: Option<u128>, text: &str) -> u64 {
    let Some(short) = short else { return FxBuildHasher.hash_one(text) };
    let (low, high) = (short as u64 ^ 0x9e37_79b9_7f4a_7c15, (short >> 64) as u64 ^ 0xd6e8_feb8_6659_fd93);
    let product = u128::from(low) * u128::from(high);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_are_found_again() {
        let mut names = Names::default();
        assert_eq!(names.find("0"), None);
        for n in 0..10_000_u32 {
            assert_eq!(names.number(&n.to_string()), n);
        }
        for n in 0..10_000_u32 {
            assert_eq!((names.find(&n.to_string()), names.text(n)), (Some(n), n.to_string().as_str()));
        }
        assert_eq!((names.number(""), names.find("x"), names.text(10_001)), (10_000, None, ""));
    }

    #[test]
    fn texts_of_every_length_are_told_apart() {
        // The longer ones share their beginning or their end with others, and some are zeros.
        let texts: Vec<String> = (0..40_usize)
            .flat_map(|n| [String::new(), "x".to_owned(), "\0".to_owned(), "ä".to_owned()].map(|c| c.repeat(n)))
            .flat_map(|text| [format!("{text}1"), format!("1{text}"), text])
            .collect();
        let mut names = Names::default();
        let mut expected: Vec<&str> = Vec::new();
        for text in texts.iter().chain(&texts) {
            let number = expected.iter().position(|known| known == text).unwrap_or(expected.len());
            if number == expected.len() {
                expected.push(text);
            }
            assert_eq!(names.number(text), number as u32, "{text:?}");
        }
        assert_eq!(names.iter().collect::<Vec<_>>(), expected);
        assert!((0..).zip(&expected).all(|(number, text)| names.find(text) == Some(number)));
    }
}
