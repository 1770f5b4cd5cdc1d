//! Says in one word each what the sources ask about: who the primitives are, and what this compiler's std has.

use autocfg::AutoCfg;

/// Versions of Rust whose standard library has something that older ones lack.
const VERSIONS: [(usize, &str); 8] = [
    (86, "since_1_86"),
    (87, "since_1_87"),
    (89, "since_1_89"),
    (91, "since_1_91"),
    (92, "since_1_92"),
    (94, "since_1_94"),
    (95, "since_1_95"),
    (96, "since_1_96"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(recorded)");
    println!("cargo::rustc-check-cfg=cfg(shared)");

    let is_modelled = modelled();
    // The recorder's words are 64 bits wide and written in the order of the file's.
    let can_record = target("OS") == "linux" && target("POINTER_WIDTH") == "64" && target("ENDIAN") == "little";
    if can_record && !is_modelled && std::env::var_os("CARGO_FEATURE_RECORD").is_some() {
        println!("cargo::rustc-cfg=recorded");
    }

    if can_record && !is_modelled && std::env::var_os("CARGO_FEATURE_SHARED").is_some() {
        println!("cargo::rustc-cfg=shared");
    }

    // A compiler that cannot be asked is taken for the oldest that is supported.
    let compiler = AutoCfg::new().ok();
    for (minor, name) in VERSIONS {
        println!("cargo::rustc-check-cfg=cfg({name})");
        if compiler.as_ref().is_some_and(|compiler| compiler.probe_rustc_version(1, minor)) {
            println!("cargo::rustc-cfg={name}");
        }
    }
}

/// Says whether a model checker's primitives stand in for std's, and whose. loom's, if both were asked for.
fn modelled() -> bool {
    println!("cargo::rustc-check-cfg=cfg(modelled)");
    println!("cargo::rustc-check-cfg=cfg(modelled_by, values(\"loom\", \"shuttle\"))");
    let is_set = |name: &str| std::env::var_os(format!("CARGO_CFG_{name}")).is_some();
    let checker = if is_set("LOOM") || is_set("INSTRUMENTED_SYNC_LOOM") {
        "loom"
    } else if is_set("INSTRUMENTED_SYNC_SHUTTLE") {
        "shuttle"
    } else {
        return false;
    };
    println!("cargo::rustc-cfg=modelled");
    println!("cargo::rustc-cfg=modelled_by=\"{checker}\"");
    true
}

/// What cargo says of the target.
fn target(property: &str) -> String {
    std::env::var(format!("CARGO_CFG_TARGET_{property}")).unwrap_or_default()
}
