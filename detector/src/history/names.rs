//! Names as numbers, in order of appearance.

use rustc_hash::FxBuildHasher;
use std::hash::BuildHasher;

/// Places of the table at first; a power of two, as ever after.
const SLOTS_MIN: usize = 16;

/// Texts with a number each: the first is 0.
///
/// All texts lie in one string, and the table that finds them holds numbers: a trace has as many names as it likes, and
/// each operation asks for two.
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
    texts: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// At most half full: the hash's upper half, and the number plus one; 0 is free.
    slots: Vec<u64>,
    /// How many have no text; their numbers come first.
    n_unnamed: u32,
}

impl Names {
    /// Numbers below `n` for things that have no text. Names that are added get the numbers behind them.
    pub fn unnamed(n: u32) -> Self {
        Self { n_unnamed: n, ..Self::default() }
    }

    /// The number of a text; a new one if it is new.
    ///
    /// Beyond `u32::MAX - 1` texts, which no memory here holds, all share the last number.
    pub fn number(&mut self, text: &str) -> u32 {
        if self.ends.len() * 2 >= self.slots.len() {
            self.grow();
        }
        let hash = hash(text);
        let number = match self.look_up(hash, text) {
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
        self.look_up(hash(text), text).ok().map(|number| self.n_unnamed + number)
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
    #[inline]
    fn own(&self, number: u32) -> &str {
        let number = number as usize;
        let Some(end) = self.ends.get(number) else { return "" };
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.texts.get(start..*end).unwrap_or("")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len() + self.n_unnamed as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a text, or the free place where it belongs. The table has one.
    #[inline]
    fn look_up(&self, hash: u64, text: &str) -> Result<u32, usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = hash as usize & mask;
        loop {
            match self.slots.get(place) {
                Some(0) | None => return Err(place),
                Some(slot) if slot >> 32 == hash >> 32 => {
                    let number = *slot as u32 - 1;
                    if self.own(number) == text {
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
        let number = self.ends.len() as u32;
        if self.ends.len() >= u32::MAX as usize - 1 {
            return number - 1;
        }
        self.texts.push_str(text);
        self.ends.push(self.texts.len());
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = hash >> 32 << 32 | u64::from(number + 1);
        }
        number
    }

    #[cold]
    fn grow(&mut self) {
        let n_slots = (self.slots.len() * 2).max(SLOTS_MIN);
        self.slots = vec![0; n_slots];
        for number in 0..self.ends.len() as u32 {
            let hash = hash(self.own(number));
            let mut place = hash as usize & (n_slots - 1);
            while self.slots.get(place).is_some_and(|slot| *slot != 0) {
                place = (place + 1) & (n_slots - 1);
            }
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = hash >> 32 << 32 | u64::from(number + 1);
            }
        }
    }
}

fn hash(text: &str) -> u64 {
    FxBuildHasher.hash_one(text)
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
}
