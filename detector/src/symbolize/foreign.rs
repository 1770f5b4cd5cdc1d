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
}

const FOREIGN: [Foreign; 7] = [
    Foreign { name: "parking_lot locks", mangled: "11parking_lot", prefix: "parking_lot::" },
    Foreign { name: "crossbeam_channel channels", mangled: "17crossbeam_channel", prefix: "crossbeam_channel::" },
    Foreign { name: "tokio::sync primitives", mangled: "5tokio", prefix: "tokio::sync::" },
    Foreign { name: "flume channels", mangled: "5flume", prefix: "flume::" },
    Foreign { name: "async_channel channels", mangled: "13async_channel", prefix: "async_channel::" },
    Foreign { name: "spin locks", mangled: "4spin", prefix: "spin::" },
    Foreign { name: "async_lock locks", mangled: "10async_lock", prefix: "async_lock::" },
];

/// Names of the foreign primitives among an executable's symbols; none if it cannot be read.
pub fn foreign_primitives(program: &Path) -> Vec<&'static str> {
    let Ok(file) = open_regular(program) else { return Vec::new() };
    let cache = ReadCache::new(file);
    let Ok(object) = object::File::parse(&cache) else { return Vec::new() };
    let mut is_found = [false; FOREIGN.len()];
    for symbol in object.symbols().filter(ObjectSymbol::is_definition) {
        let Ok(name) = symbol.name() else { continue };
        for (foreign, is_found) in FOREIGN.iter().zip(&mut is_found) {
            // Demangling is dear and most symbols are somebody else's, hence the look at the raw name first.
            if !*is_found && name.contains(foreign.mangled) {
                *is_found = demangle(name).trim_start_matches(['<', '&']).starts_with(foreign.prefix);
            }
        }
    }
    FOREIGN.iter().zip(is_found).filter(|(_, is_found)| *is_found).map(|(foreign, _)| foreign.name).collect()
}
