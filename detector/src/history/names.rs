//! Names as numbers, in order of appearance.

use rustc_hash::FxHashMap;

/// Texts with a number each: the first is 0.
///
/// ```
/// use detector::history::Names;
///
/// let mut names = Names::default();
/// assert_eq!((names.number("L1"), names.number("L2"), names.number("L1")), (0, 1, 0));
/// assert_eq!((names.text(1), names.len()), ("L2", 2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_text: FxHashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Names {
    /// The number of a text; a new one if it is new.
    ///
    /// Beyond `u32::MAX` texts, which no memory here holds, all share the last number.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.by_text.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.into());
        self.by_text.insert(text.into(), number);
        number
    }

    /// The number of a text that has one.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// The text with a number; empty if there is none.
    pub fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", |text| text)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }
}
