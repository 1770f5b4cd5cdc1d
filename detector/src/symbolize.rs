//! From return addresses to functions and lines, and from sites to places with an excerpt of the source.
//!
//! Everything is lazy and cached: a module is opened when the first finding names an address in it, an address
//! is looked up once. Frames of the standard library, the test harness, the recorder and the C runtime are
//! dropped, since nobody can mend them. What could not be resolved ends up as hints, one per cause and module.

mod foreign;
mod module;
mod source_text;
mod trim;

use crate::{
    finding::{Frame, Place},
    model::{Model, ProcessId, Site, SiteId, Spot, StackId},
};
use module::{LoadedModule, Quality};
use rustc_hash::FxHashMap;
use source_text::SourceTexts;
use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    rc::Rc,
};

pub use foreign::foreign_primitives;

/// Most frames of one stack that are looked at; a trace is not trusted to keep to its own limit.
const STACK_FRAMES_MAX: usize = 256;

/// Resolves the addresses and sites of one model.
pub struct Symbolizer<'m> {
    model: &'m Model,
    /// Paths beneath it are shown relative to it.
    directory: PathBuf,
    modules: Vec<LoadedModule>,
    module_idx: FxHashMap<(String, Vec<u8>), usize>,
    addresses: FxHashMap<(usize, u64), Rc<[Frame]>>,
    stacks: FxHashMap<(ProcessId, StackId), Rc<[Frame]>>,
    texts: SourceTexts,
    hints: BTreeSet<String>,
}

impl fmt::Debug for Symbolizer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbolizer").field("modules", &self.modules.len()).finish_non_exhaustive()
    }
}

impl<'m> Symbolizer<'m> {
    /// A symbolizer for `model`; relative source paths are looked for in `directory` first.
    pub fn new(model: &'m Model, directory: &Path) -> Self {
        Self {
            model,
            directory: directory.to_owned(),
            modules: Vec::new(),
            module_idx: FxHashMap::default(),
            addresses: FxHashMap::default(),
            stacks: FxHashMap::default(),
            texts: SourceTexts::new(directory),
            hints: BTreeSet::new(),
        }
    }

    /// The user's frames of a site's stack, innermost first; empty if no stack was captured.
    pub fn stack(&mut self, site: SiteId) -> Rc<[Frame]> {
        let Some(site) = self.model.sites.get(site.idx()) else { return Rc::default() };
        let Some(stack) = site.stack else { return Rc::default() };
        if let Some(frames) = self.stacks.get(&(site.process, stack)) {
            return Rc::clone(frames);
        }
        let model = self.model;
        let addresses = model.stacks.get(stack.idx()).map_or(&[][..], Vec::as_slice);
        let frames = self.frames_of(site.process, addresses);
        self.stacks.insert((site.process, stack), Rc::clone(&frames));
        frames
    }

    fn frames_of(&mut self, process: ProcessId, addresses: &[u64]) -> Rc<[Frame]> {
        let addresses = addresses.iter().take(STACK_FRAMES_MAX);
        addresses.flat_map(|address| self.frames_at(process, *address).to_vec()).collect()
    }

    /// The source line of a site, with the function if symbols know it and an excerpt if the file is there.
    pub fn place(&mut self, site: SiteId) -> Place {
        let frames = self.stack(site);
        let Some(site) = self.model.sites.get(site.idx()) else { return unknown_place() };
        self.place_on(site, &frames)
    }

    /// The same of a place that the model does not have.
    pub fn place_of_spot(&mut self, spot: &Spot) -> Place {
        let frames = self.frames_of(spot.site.process, &spot.stack);
        self.place_on(&spot.site, &frames)
    }

    /// The user's frames of such a place's stack, innermost first.
    pub fn stack_of_spot(&mut self, spot: &Spot) -> Rc<[Frame]> {
        self.frames_of(spot.site.process, &spot.stack)
    }

    /// The source line of a site with these frames; without a location that of the innermost frame.
    fn place_on(&mut self, site: &Site, frames: &[Frame]) -> Place {
        let in_file = |frame: &&Frame| frame.file.as_deref().is_some_and(|file| same_file(file, &site.file));
        let frame = frames
            .iter()
            .filter(in_file)
            .find(|frame| frame.line == Some(site.line))
            .or_else(|| frames.iter().find(in_file))
            .or_else(|| frames.first());
        let function = frame.map(|frame| frame.function.clone());
        if site.line == 0 || site.file.is_empty() {
            // What has no line may have a name all the same: a history's places are what its writer called them.
            let file = if site.file.is_empty() { unknown_place().file } else { site.file.clone() };
            let place = frame.and_then(|frame| self.place_of(frame));
            return place.unwrap_or_else(|| Place { file, function, ..unknown_place() });
        }
        // What does not pass its caller's place on: the user's line is the one that called it.
        if trim::is_runtime_file(&site.file)
            && let Some(place) = frame.and_then(|frame| self.place_of(frame))
        {
            return place;
        }
        let program = self.model.processes.get(site.process.idx()).map_or("", |process| process.program.as_str());
        let files: Vec<&str> = frames.iter().filter_map(|frame| frame.file.as_deref()).collect();
        let excerpt = self.texts.excerpt(&site.file, site.line, &files, program);
        let file = relative_to(&self.directory, &site.file);
        Place { file, line: site.line, column: site.column, function, excerpt }
    }

    /// The source line of a frame; the column is not known.
    pub fn place_of(&mut self, frame: &Frame) -> Option<Place> {
        let (file, line) = (frame.file.clone()?, frame.line?);
        let excerpt = self.texts.excerpt(&file, line, &[], "");
        Some(Place { file, line, column: 0, function: Some(frame.function.clone()), excerpt })
    }

    /// Why names or lines are missing, each with its remedy.
    pub fn hints(&self) -> impl Iterator<Item = &str> {
        self.hints.iter().map(String::as_str)
    }

    /// The user's frames at a return address: none if it is the runtime's or in no known module.
    fn frames_at(&mut self, process: ProcessId, address: u64) -> Rc<[Frame]> {
        // A return address may lie behind the last byte of its function, the call never does.
        let probe = address.saturating_sub(1);
        let Some(process) = self.model.processes.get(process.idx()) else { return Rc::default() };
        let Some(module) = process.modules.iter().find(|module| (module.start..module.end).contains(&probe)) else {
            return Rc::default();
        };
        let key = (module.path.clone(), module.build_id.clone());
        let module_idx = *self.module_idx.entry(key).or_insert_with(|| {
            self.modules.push(LoadedModule::open(module));
            self.modules.len() - 1
        });
        let offset = probe.wrapping_sub(module.base);
        if let Some(frames) = self.addresses.get(&(module_idx, offset)) {
            return Rc::clone(frames);
        }
        let is_program = module.path == process.program;
        let frames = self.user_frames(module_idx, offset, is_program);
        self.addresses.insert((module_idx, offset), Rc::clone(&frames));
        frames
    }

    fn user_frames(&mut self, module_idx: usize, offset: u64, is_program: bool) -> Rc<[Frame]> {
        let module = &self.modules[module_idx];
        let is_system = !is_program && trim::is_system_library(&module.path);
        let frames = match module.lookup(offset) {
            frames if !frames.is_empty() => frames,
            _ if is_system => Vec::new(),
            // The address of the call, as everywhere: `addr2line -e module 0xoffset` finds it.
            _ => vec![Frame {
                function: format!("{}+{offset:#x}", module.name()),
                file: None,
                line: None,
                inlined: false,
            }],
        };
        let frames: Rc<[Frame]> = frames
            .into_iter()
            .filter(|frame| !trim::is_runtime(&frame.function, frame.file.as_deref()))
            .map(|frame| Frame { file: frame.file.map(|file| relative_to(&self.directory, &file)), ..frame })
            .collect();
        // Of the C library everybody lacks line tables; only what the user builds is worth a remark.
        if !frames.is_empty()
            && !is_system
            && let Some(hint) = hint(module)
        {
            self.hints.insert(hint);
        }
        frames
    }
}

/// What to tell the user about a module whose frames are less than they could be.
fn hint(module: &LoadedModule) -> Option<String> {
    let path = &module.path;
    Some(match &module.quality {
        Quality::Lines => return None,
        Quality::NamesOnly => format!(
            "{path} has no line tables, so stacks show functions only; for lines, add `debug = \"line-tables-only\"` \
             under `[profile.release]` in Cargo.toml (or set CARGO_PROFILE_RELEASE_DEBUG=line-tables-only) and record again"
        ),
        Quality::Stripped => format!(
            "{path} is stripped, so stacks show offsets only; for functions and lines, remove `strip` from the profile \
             in Cargo.toml, add `debug = \"line-tables-only\"`, and record again"
        ),
        Quality::Rebuilt => format!(
            "{path} was rebuilt since the trace was recorded, so stacks show offsets only; \
             record again, or check the trace before building"
        ),
        Quality::Unreadable(why) => format!(
            "{path} cannot be read ({why}), so stacks show offsets only; keep the program where it was until its trace \
             has been checked"
        ),
    })
}

/// Whether the frame's path, which is often absolute, and the location's name the same file.
fn same_file(frame_file: &str, location_file: &str) -> bool {
    !location_file.is_empty()
        && (Path::new(frame_file).ends_with(location_file) || Path::new(location_file).ends_with(frame_file))
}

fn relative_to(directory: &Path, file: &str) -> String {
    match Path::new(file).strip_prefix(directory) {
        Ok(relative) => relative.display().to_string(),
        Err(_) => file.to_owned(),
    }
}

fn unknown_place() -> Place {
    Place { file: Place::UNKNOWN.to_owned(), line: 0, column: 0, function: None, excerpt: None }
}
