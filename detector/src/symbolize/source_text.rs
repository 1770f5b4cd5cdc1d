//! Excerpts of source files, if they can be found.

use super::module::open_regular;
use crate::finding::Excerpt;
use rustc_hash::FxHashMap;
use std::{
    io::Read,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Larger files are no source that anybody wrote; a trace may name any file.
const SOURCE_BYTES_MAX: u64 = 16 << 20;

/// Lines shown before and after the one that matters, so that two places near each other join.
const CONTEXT_LINES: u32 = 1;

/// Source files, each read once.
pub(super) struct SourceTexts {
    directory: PathBuf,
    files: FxHashMap<PathBuf, Option<Rc<str>>>,
}

impl SourceTexts {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), files: FxHashMap::default() }
    }

    /// The line and its neighbours, from the first candidate that is a readable file.
    ///
    /// Relative paths are those of the directory in which the compiler ran, often a workspace root: the current
    /// directory, else what the path of a frame says, else some directory above the program.
    pub(super) fn excerpt(&mut self, file: &str, line: u32, frames: &[&str], program: &str) -> Option<Excerpt> {
        let mut candidates = vec![self.directory.join(file)];
        if Path::new(file).is_relative() {
            // Frames below the current directory were made relative to it.
            let of_frames = frames.iter().map(Path::new).filter(|path| path.ends_with(file));
            candidates.extend(of_frames.map(|path| self.directory.join(path)));
            let above_program = Path::new(program).ancestors().skip(1).filter(|path| path.parent().is_some());
            candidates.extend(above_program.map(|directory| directory.join(file)));
        }
        let text = candidates.into_iter().find_map(|path| self.text(path))?;
        excerpt_of(&text, line)
    }

    fn text(&mut self, path: PathBuf) -> Option<Rc<str>> {
        self.files.entry(path).or_insert_with_key(|path| read(path)).clone()
    }
}

fn read(path: &Path) -> Option<Rc<str>> {
    let file = open_regular(path).ok()?;
    let mut text = String::new();
    file.take(SOURCE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text.into())
}

fn excerpt_of(text: &str, line: u32) -> Option<Excerpt> {
    let first_line = line.checked_sub(CONTEXT_LINES + 1).map_or(1, |before| before + 1);
    // The file may have been cut since: without the line itself there is nothing to show.
    text.lines().nth(line.checked_sub(1)? as usize)?;
    let n_lines = (line - first_line + 1 + CONTEXT_LINES) as usize;
    let lines = text.lines().skip(first_line as usize - 1).take(n_lines);
    let text = lines.flat_map(|line| [line, "\n"]).collect();
    Some(Excerpt { first_line, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_is_the_line_with_its_neighbours() {
        let text = "one\ntwo\nthree\nfour";
        let excerpt = |line| excerpt_of(text, line).map(|excerpt| (excerpt.first_line, excerpt.text));
        assert_eq!(excerpt(1), Some((1, "one\ntwo\n".to_owned())));
        assert_eq!(excerpt(3), Some((2, "two\nthree\nfour\n".to_owned())));
        assert_eq!(excerpt(4), Some((3, "three\nfour\n".to_owned())));
        assert_eq!(excerpt(5), None);
        assert_eq!(excerpt(0), None);
    }
}
