//! Which findings are the same: stable ids, and the merging of repeats.
//!
//! `id` is to survive edits: it is made of the code, and for each edge of the function paths, the classes of the
//! locks (kind, type, label), the modes and the text of the lines; no line number and no absolute path goes in. `line_id` is made of
//! the same with the exact places. Of a race the accesses stand for the edges, whichever of them came first. Two findings with one `line_id` are one, counted; two with one `id` and
//! different places are told apart by a suffix, in the order of the source.

use crate::finding::{Access, Code, Edge, Finding, Frame, Object, Place};
use rustc_hash::FxHashMap;
use std::{cmp::Ordering, fmt::Write, path::Path};

/// Fills in the ids of `findings` and makes repeats one.
pub fn identify(findings: Vec<Finding>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    let mut idx_of: FxHashMap<(Code, String), usize> = FxHashMap::default();
    for mut finding in findings {
        (finding.id, finding.line_id) = (id(&finding), line_id(&finding));
        let next_idx = merged.len();
        let idx = *idx_of.entry((finding.code, finding.line_id.clone())).or_insert(next_idx);
        if idx == next_idx {
            merged.push(finding);
        } else {
            merge(&mut merged[idx], finding);
        }
    }
    merged.sort_by(by_source);
    number_equal_ids(&mut merged);
    merged
}

/// Adds a repeat; of two certainties with their reasons the graver one stays.
fn merge(into: &mut Finding, repeat: Finding) {
    let count = into.count.saturating_add(repeat.count);
    if repeat.certainty > into.certainty {
        *into = repeat;
    }
    into.count = count;
}

/// Appends `-2`, `-3`, … to the ids of findings that only their lines tell apart.
fn number_equal_ids(findings: &mut [Finding]) {
    let mut n_of: FxHashMap<String, usize> = FxHashMap::default();
    for finding in findings {
        let n = n_of.entry(finding.id.clone()).or_default();
        *n += 1;
        if *n > 1 {
            finding.id = format!("{}-{n}", finding.id);
        }
    }
}

fn by_source(a: &Finding, b: &Finding) -> Ordering {
    let places = |finding: &Finding| {
        let places = finding.edges.iter().flat_map(|edge| [edge.held_at.as_ref(), edge.wanted_at.as_ref()]);
        let places = places.chain(finding.accesses.iter().map(|access| access.at.as_ref()));
        let mut places: Vec<_> = places.flatten().map(|place| (place.file.clone(), place.line, place.column)).collect();
        places.sort_unstable();
        places
    };
    places(a).cmp(&places(b)).then_with(|| a.line_id.cmp(&b.line_id))
}

fn id(finding: &Finding) -> String {
    let of_edge = |edge: &Edge, text: &mut String| {
        for function in function_path(edge, Side::Held).chain(["|".to_owned()]).chain(function_path(edge, Side::Wanted))
        {
            let _ = write!(text, "{function}<");
        }
        for side in [Side::Held, Side::Wanted] {
            let _ = write!(text, "|{}", side.place(edge).and_then(source_line).unwrap_or_default());
        }
    };
    let of_access = |access: &Access, other: Option<&Access>, text: &mut String| {
        for function in functions(deciding_frames_of_access(access, other), access.at.as_ref()) {
            let _ = write!(text, "{function}<");
        }
        let _ = write!(text, "|{}", access.at.as_ref().and_then(source_line).unwrap_or_default());
    };
    hash(finding, of_edge, of_access)
}

/// What the line says, however it is indented: all closures have one name, what they lock tells them apart.
fn source_line(place: &Place) -> Option<String> {
    let excerpt = place.excerpt.as_ref()?;
    let line_idx = place.line.checked_sub(excerpt.first_line)? as usize;
    let words: Vec<&str> = excerpt.text.lines().nth(line_idx)?.split_whitespace().collect();
    Some(words.join(" "))
}

fn line_id(finding: &Finding) -> String {
    let of_edge = |edge: &Edge, text: &mut String| {
        for side in [Side::Held, Side::Wanted] {
            write_lines(side.place(edge), deciding_frames(edge, side), text);
        }
    };
    let of_access = |access: &Access, other: Option<&Access>, text: &mut String| {
        write_lines(access.at.as_ref(), deciding_frames_of_access(access, other), text);
    };
    hash(finding, of_edge, of_access)
}

fn write_lines(place: Option<&Place>, frames: &[Frame], text: &mut String) {
    if let Some(place) = place {
        let _ = write!(text, "{}:{}:{}|", place.file, place.line, place.column);
    }
    for frame in frames {
        let (file, line) = (frame.file.as_deref().unwrap_or_default(), frame.line.unwrap_or(0));
        let _ = write!(text, "{}@{file}:{line}<", frame.function);
    }
}

/// Hashes code, classes, modes, and what the others say about each edge, whatever edge a cycle begins with, and about each
/// access - they are given the other one, too -, whichever comes first.
fn hash(
    finding: &Finding,
    write_edge: impl Fn(&Edge, &mut String),
    write_access: impl Fn(&Access, Option<&Access>, &mut String),
) -> String {
    let mut edges: Vec<String> = finding
        .edges
        .iter()
        .map(|edge| {
            let mut text = format!(
                "{}|{}|{}|{}|",
                class(finding, edge.holds),
                edge.held_mode.as_deref().unwrap_or_default(),
                class(finding, edge.wants),
                edge.wanted_mode.as_deref().unwrap_or_default()
            );
            write_edge(edge, &mut text);
            text
        })
        .collect();
    if finding.code.is_cycle() {
        rotate_to_least(&mut edges);
    } else {
        // No cycle: the order of the threads is that of their appearance, which the schedule decides, and so is how many
        // of a pool's workers wait at one place.
        edges.sort_unstable();
        edges.dedup();
    }
    let accesses = finding.accesses.iter().enumerate().map(|(idx, access)| {
        let mut text = format!("{}|{}|", class(finding, access.object), access.op.name());
        write_access(access, finding.accesses.get(1 - idx.min(1)), &mut text);
        text
    });
    let mut accesses: Vec<String> = accesses.collect();
    accesses.sort_unstable();
    let mut fnv = Fnv::new(finding.code.name());
    for text in edges.iter().chain(&accesses) {
        fnv.write(text);
    }
    format!("{:016x}", fnv.0)
}

fn rotate_to_least(edges: &mut [String]) {
    let rotated = |start: usize| edges[start..].iter().chain(&edges[..start]);
    if let Some(start) = (0..edges.len()).min_by(|a, b| rotated(*a).cmp(rotated(*b))) {
        edges.rotate_left(start);
    }
}

/// FNV-1a, 64 bits: ids have to be the same for ever, which std's hashers do not promise.
struct Fnv(u64);

impl Fnv {
    fn new(seed: &str) -> Self {
        let mut fnv = Self(0xcbf2_9ce4_8422_2325);
        fnv.write(seed);
        fnv
    }

    fn write(&mut self, text: &str) {
        // The zero keeps ("ab", "c") and ("a", "bc") apart; no text has one.
        for byte in text.bytes().chain([0]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Kind, type and label of an object: what stays the same about it from run to run.
fn class(finding: &Finding, object: Option<usize>) -> String {
    let Some(Object { kind, type_name, label, .. }) = object.and_then(|idx| finding.objects.get(idx)) else {
        return String::new();
    };
    format!("{kind} {type_name} {}", label.as_deref().unwrap_or_default())
}

#[derive(Clone, Copy)]
enum Side {
    Held,
    Wanted,
}

impl Side {
    fn place(self, edge: &Edge) -> Option<&Place> {
        match self {
            Self::Held => edge.held_at.as_ref(),
            Self::Wanted => edge.wanted_at.as_ref(),
        }
    }
}

/// The frames that tell this edge from others: from the innermost up to and including the first in which the
/// two stacks differ. A user's own `fn lock(m)` is the same in both, so its callers belong to the path too.
fn deciding_frames(edge: &Edge, side: Side) -> &[Frame] {
    let (own, other) = match side {
        Side::Held => (&edge.held_stack, &edge.wanted_stack),
        Side::Wanted => (&edge.wanted_stack, &edge.held_stack),
    };
    frames_until_they_differ(own, other, Side::Held.place(edge) != Side::Wanted.place(edge))
}

/// The same of an access, which the other one is told apart from.
fn deciding_frames_of_access<'a>(access: &'a Access, other: Option<&Access>) -> &'a [Frame] {
    match other {
        Some(other) => frames_until_they_differ(&access.stack, &other.stack, access.at != other.at),
        None => &access.stack,
    }
}

fn frames_until_they_differ<'a>(own: &'a [Frame], other: &[Frame], places_differ: bool) -> &'a [Frame] {
    let both_known = !own.is_empty() && !other.is_empty();
    if !both_known {
        return own;
    }
    let n_equal = own.iter().zip(other).take_while(|(a, b)| a.is_same_line(b)).count();
    match n_equal {
        // One function, even one line, with two calls in it: nothing further out is needed.
        n if n == own.len() && n == other.len() && places_differ => &own[..1],
        n => &own[..(n + 1).min(own.len())],
    }
}

/// The functions of the deciding frames; the place's file where there are no symbols.
fn function_path(edge: &Edge, side: Side) -> impl Iterator<Item = String> + use<> {
    functions(deciding_frames(edge, side), side.place(edge))
}

fn functions(frames: &[Frame], place: Option<&Place>) -> impl Iterator<Item = String> + use<> {
    let file = place.map(|place| portable_file(&place.file)).unwrap_or_default();
    let functions: Vec<String> =
        frames.iter().filter(|frame| !is_offset(frame)).map(|frame| frame.function.clone()).collect();
    // Offsets change with every build, the name of the file does not.
    let stand_in = if functions.is_empty() { Some(file) } else { None };
    functions.into_iter().chain(stand_in)
}

/// Whether a frame is `module+0xoffset` for want of symbols.
fn is_offset(frame: &Frame) -> bool {
    frame.function.rsplit_once("+0x").is_some_and(|(_, digits)| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A relative path as it is; of an absolute one, which differs from machine to machine, the last two components.
fn portable_file(file: &str) -> String {
    let path = Path::new(file);
    if path.is_relative() {
        return file.to_owned();
    }
    let components: Vec<_> = path.iter().collect();
    let last = components.len().saturating_sub(2);
    components[last..].iter().collect::<std::path::PathBuf>().display().to_string()
}
