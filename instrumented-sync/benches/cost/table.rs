//! The table: medians out of criterion's own files, as ratios.

use std::{env, error::Error, fmt::Write as _, fs, path::PathBuf};

/// Renders the cells that were measured, now or earlier, as a Markdown table.
pub(crate) fn render(rows: &[&str], modes: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut table = String::from("\n| operation | std |");
    for mode in modes {
        write!(table, " {mode} |")?;
    }
    table.push_str("\n|---|---|");
    table.push_str(&"---|".repeat(modes.len()));
    for row in rows {
        write!(table, "\n| {row} |")?;
        let mut cells = String::new();
        let mut std_ns = Vec::new();
        for mode in modes {
            match (median_ns(row, mode, "std"), median_ns(row, mode, "measured")) {
                (Some(std), Some(measured)) => {
                    std_ns.push(std);
                    write!(cells, " {:.2}x ({measured:.1} ns) |", measured / std)?;
                }
                _ => cells.push_str(" - |"),
            }
        }
        std_ns.sort_by(f64::total_cmp);
        let std = std_ns.get(std_ns.len() / 2).copied().unwrap_or(f64::NAN);
        write!(table, " {std:.1} ns |{cells}")?;
    }
    Ok(table)
}

fn median_ns(row: &str, mode: &str, function: &str) -> Option<f64> {
    let path = criterion_dir().join(format!("{row}-{mode}")).join(function).join("new/estimates.json");
    let estimates: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

fn criterion_dir() -> PathBuf {
    // `target/release/deps/cost-…` lies three below the target directory.
    let executable = env::current_exe().unwrap_or_default();
    let target = executable.ancestors().nth(3).map(PathBuf::from).unwrap_or_default();
    env::var_os("CRITERION_HOME").map_or_else(|| target.join("criterion"), PathBuf::from)
}
