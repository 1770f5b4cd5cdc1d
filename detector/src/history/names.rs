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
    /// How many have a number but no text.
    n_unnamed: u32,
}

impl Names {
    /// The number of a text; a new one if it is new.
    ///
    /// Beyond `u32::MAX` texts, which no memory here holds, all share the last number.
    pub fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.by_text.get(text) {
            return *number;
        }
        let number = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.texts.push(text.into());
        self.by_text.insert(text.into(), number);
        number
    }

    /// The numbers below `n` for things that have no text, instead of what was there.
    pub fn unnamed(n: u32) -> Self {
        Self { n_unnamed: n, ..Self::default() }
    }

    /// The number of a text that has one.
    pub fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// The text with a number; empty if there is none.
    pub fn text(&self, number: u32) -> &str {
        let text = number.checked_sub(self.n_unnamed).and_then(|at| self.texts.get(at as usize));
        text.map_or("", |text| text)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len() + self.n_unnamed as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
