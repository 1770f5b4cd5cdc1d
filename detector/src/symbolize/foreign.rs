//! Primitives that the program has but the recorder does not see.

use super::module::{demangle, open_regular};
use object::{Object, ObjectSymbol, ReadCache};
use std::path::Path;

/// A library of primitives: how it is called in reports, what its mangled symbols contain (both mangling
/// schemes write an identifier as its length and the identifier), and how its demangled ones begin.
struct Foreign {
    name: &'static str,
    mangled: &'static str,
    prefix: &'static str,
    /// Whether its locks are raw locks of `lock_api`, which `instrumented_sync` wraps.
    is_raw: bool,
}

/// What the mangled symbols of a program contain that wraps raw locks.
const RAW_LOCKS: &str = "17instrumented_sync7backend";

const FOREIGN: [Foreign; 7] = [
    Foreign { name: "parking_lot locks", mangled: "11parking_lot", prefix: "parking_lot::", is_raw: true },
    Foreign {
        name: "crossbeam_channel channels",
        mangled: "17crossbeam_channel",
        prefix: "crossbeam_channel::",
        is_raw: false,
    },
    Foreign { name: "tokio::sync primitives", mangled: "5tokio", prefix: "tokio::sync::", is_raw: false },
    Foreign { name: "flume channels", mangled: "5flume", prefix: "flume::", is_raw: false },
    Foreign { name: "async_channel channels", mangled: "13async_channel", prefix: "async_channel::", is_raw: false },
    Foreign { name: "spin locks", mangled: "4spin", prefix: "spin::", is_raw: true },
    Foreign { name: "async_lock locks", mangled: "10async_lock", prefix: "async_lock::", is_raw: false },
];

/// The foreign primitives among an executable's symbols; none if it cannot be read. Of those that are wrapped too it is not known
/// whether there are others.
pub fn foreign_primitives(program: &Path) -> Vec<String> {
    let Ok(file) = open_regular(program) else { return Vec::new() };
    let cache = ReadCache::new(file);
    let Ok(object) = object::File::parse(&cache) else { return Vec::new() };
    let mut is_found = [false; FOREIGN.len()];
    let mut wraps_raw = false;
    for symbol in object.symbols().filter(ObjectSymbol::is_definition) {
        let Ok(name) = symbol.name() else { continue };
        wraps_raw = wraps_raw || name.contains(RAW_LOCKS);
        for (foreign, is_found) in FOREIGN.iter().zip(&mut is_found) {
            // Demangling is dear and most symbols are somebody else's, hence the look at the raw name first.
            if !*is_found && name.contains(foreign.mangled) {
                *is_found = demangle(name).trim_start_matches(['<', '&']).starts_with(foreign.prefix);
            }
        }
    }
    let found = FOREIGN.iter().zip(is_found).filter(|(_, is_found)| *is_found).map(|(foreign, _)| foreign);
    found
        .map(|foreign| {
            let is_wrapped = wraps_raw && foreign.is_raw;
            let others = if is_wrapped { " that are not `instrumented_sync`'s, if there are any" } else { "" };
            format!("{}{others}", foreign.name)
        })
        .collect()
}
