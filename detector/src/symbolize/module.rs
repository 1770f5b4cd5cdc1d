//! One executable or shared library on disk: its symbols and line tables.

use crate::{finding::Frame, model::Module};
use addr2line::Loader;
use object::{Object, ObjectSymbol, ReadCache};
use std::{fs::File, path::Path};

/// How much a module can say about its addresses.
pub(super) enum Quality {
    /// Functions, files and lines.
    Lines,
    /// Functions only.
    NamesOnly,
    /// Nothing: neither symbols nor line tables.
    Stripped,
    /// Nothing: the file is not the one that was running.
    Rebuilt,
    /// Nothing: the file is gone or not an object file.
    Unreadable(String),
}

/// A module, opened as far as that was possible.
pub(super) struct LoadedModule {
    pub(super) path: String,
    pub(super) quality: Quality,
    loader: Option<Loader>,
}

impl LoadedModule {
    /// Opens the file that the trace names, if it is still the same one.
    pub(super) fn open(module: &Module) -> Self {
        let path = module.path.clone();
        let quality = inspect(module).unwrap_or_else(Quality::Unreadable);
        if !matches!(quality, Quality::Lines | Quality::NamesOnly) {
            return Self { path, quality, loader: None };
        }
        match Loader::new(&module.path) {
            Ok(loader) => Self { path, quality, loader: Some(loader) },
            Err(error) => Self { path, quality: Quality::Unreadable(error.to_string()), loader: None },
        }
    }

    /// File name, for frames that have nothing better.
    pub(super) fn name(&self) -> &str {
        Path::new(&self.path).file_name().and_then(|name| name.to_str()).unwrap_or("?")
    }

    /// All frames at an address of the file, innermost first; empty if it knows none.
    pub(super) fn lookup(&self, offset: u64) -> Vec<Frame> {
        let Some(loader) = &self.loader else { return Vec::new() };
        let mut frames = Vec::new();
        if let Ok(mut found) = loader.find_frames(offset) {
            while let Ok(Some(frame)) = found.next() {
                let function = frame.function.and_then(|name| Some(demangle(&name.raw_name().ok()?)));
                let (file, line) = frame.location.map_or((None, None), |at| (at.file.map(str::to_owned), at.line));
                frames.push((function, file, line));
            }
        }
        if frames.is_empty() {
            frames.push((None, None, None));
        }
        // Without full debug information only the symbol table knows the outermost function, the one that
        // exists as code; the frames before it were inlined into it.
        let outermost = frames.len() - 1;
        let symbol = |frame_idx| if frame_idx == outermost { loader.find_symbol(offset).map(demangle) } else { None };
        frames
            .into_iter()
            .enumerate()
            .filter_map(|(frame_idx, (function, file, line))| {
                let function = match function {
                    // A name without a path is what reduced debug information leaves; the symbol has the path.
                    Some(name) if name.contains("::") => name,
                    Some(name) => symbol(frame_idx).unwrap_or(name),
                    None => symbol(frame_idx)?,
                };
                Some(Frame { function, file, line, inlined: frame_idx != outermost })
            })
            .collect()
    }
}

/// The name for people: demangled, without the hash of the crate.
pub(super) fn demangle(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Finds out what the file has, without loading it.
fn inspect(module: &Module) -> Result<Quality, String> {
    let file = open_regular(Path::new(&module.path))?;
    let cache = ReadCache::new(file);
    let object = object::File::parse(&cache).map_err(|error| error.to_string())?;
    let build_id = object.build_id().ok().flatten().unwrap_or_default();
    if !module.build_id.is_empty() && build_id != module.build_id {
        return Ok(Quality::Rebuilt);
    }
    if object.section_by_name(".debug_line").is_some() {
        return Ok(Quality::Lines);
    }
    let has_functions = object.symbols().any(|symbol| symbol.is_definition());
    Ok(if has_functions { Quality::NamesOnly } else { Quality::Stripped })
}

/// Opens a file that a trace names. The trace is not trusted: opening a pipe would block, reading a device may
/// never end.
pub(super) fn open_regular(path: &Path) -> Result<File, String> {
    let kind = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !kind.is_file() {
        return Err("not a regular file".to_owned());
    }
    File::open(path).map_err(|error| error.to_string())
}
