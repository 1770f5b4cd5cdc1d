//! What the toolchain's own documentation says is public and stable in `std::process`, `std::sync` and `std::thread`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The oldest version of Rust that this crate builds with; what is as old needs no note.
const OLDEST: (u32, u32) = (1, 85);

/// Traits whose implementations cannot be asked about: they may not be named in bounds, are not stable, or are sealed.
const NOT_ASKED: [&str; 5] = ["Drop", "StructuralPartialEq", "ChildExt", "CommandExt", "From<ExitStatusError>"];

/// Types of which std's own are handed on, and whose names are enough: see `surface/shared.rs`.
fn is_only_named(name: &str) -> bool {
    ["Arc", "Weak", "Ordering"].contains(&name)
}

/// The documentation of the compiler that builds this, if it is installed: its folder and its version.
pub(crate) fn installed() -> Option<(PathBuf, String)> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let html = Path::new(String::from_utf8(sysroot.stdout).ok()?.trim()).join("share/doc/rust/html");
    let index = fs::read_to_string(html.join("std/sync/index.html")).ok()?;
    let version = between(&index, "data-rustdoc-version=\"", "\"")?.split(' ').next()?.to_owned();
    Some((html, version))
}

/// One line for each item, sorted.
pub(crate) fn items(html: &Path) -> Vec<String> {
    let mut items = vec!["macro thread_local".to_owned()];
    assert!(html.join("std/macro.thread_local.html").exists());
    for module in ["process", "sync", "thread"] {
        let folder = html.join("std").join(module);
        let unstable = modules(&folder).filter(|(_, index)| is_unstable(top(index))).map(|(name, _)| name).collect();
        read_module(&folder, module, &unstable, &mut items);
    }
    items.extend(extension(html));
    items.sort();
    items.dedup();
    items
}

/// What a trait that only std can implement gives a command, as functions of the type.
fn extension(html: &Path) -> Vec<String> {
    let page = fs::read_to_string(html.join("std/os/unix/process/trait.CommandExt.html")).unwrap();
    let mut items = Vec::new();
    for section in page.split("<section id=\"").skip(1) {
        let is_method = section.starts_with("method.") || section.starts_with("tymethod.");
        let Some((header, after)) = section.split_once("</section>").filter(|_| is_method) else { continue };
        if !(after.starts_with("<span class=\"item-info\">")
            && is_unstable(after.split("</span></div>").next().unwrap()))
        {
            let text = plain(between(header, "class=\"code-header\">", "</h4>").unwrap());
            items.push(with_version(&format!("process::Command: impl Command: {text}"), header));
        }
    }
    items
}

/// The modules in a module: name and page. What moved has a folder too, but no index.
fn modules(folder: &Path) -> impl Iterator<Item = (String, String)> {
    fs::read_dir(folder).unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let index = fs::read_to_string(entry.path().join("index.html")).ok()?;
        Some((entry.file_name().into_string().unwrap(), index))
    })
}

fn read_module(folder: &Path, path: &str, unstable: &Vec<String>, items: &mut Vec<String>) {
    for (name, _) in modules(folder).filter(|(name, _)| !unstable.contains(name)) {
        read_module(&folder.join(&name), &format!("{path}::{name}"), unstable, items);
    }
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let file = entry.file_name().into_string().unwrap();
        let [kind, name, "html"] = file.split('.').collect::<Vec<_>>()[..] else { continue };
        let page = fs::read_to_string(entry.path()).unwrap();
        if is_unstable(top(&page)) {
            continue;
        }
        let path = format!("{path}::{name}");
        let declaration = plain(between(&page, "<pre class=\"rust item-decl\"><code>", "</code></pre>").unwrap());
        items.push(with_version(&declared(kind, &path, &declaration), top(&page)));
        if ["struct", "enum"].contains(&kind) && !is_only_named(name) {
            // `TryLockError<T>`: what a variant or a field holds may name its parameters.
            let head = declaration.split([' ', '{', '(']).find(|word| word.starts_with(name)).unwrap();
            items.extend(members(&page, name, unstable).into_iter().map(|member| {
                let is_part = member.starts_with("variant ") || member.starts_with("field ");
                let path = if is_part { path.replace(name, head) } else { path.clone() };
                format!("{path}: {member}")
            }));
        }
    }
}

/// The line of an item that is not in another.
fn declared(kind: &str, path: &str, declaration: &str) -> String {
    let name = path.rsplit("::").next().unwrap();
    let declaration = declaration.trim_start_matches("pub ").trim_end_matches(';');
    match kind {
        // Structures or, in later versions, aliases of one that is generic: no matter.
        "struct" | "enum" | "type" if is_only_named(name) || name.starts_with("Atomic") => format!("name {path}"),
        "fn" | "constant" | "type" => declaration.replacen(&format!(" {name}"), &format!(" {path}"), 1),
        _ => format!("{kind} {path}"),
    }
}

/// Variants, functions and implementations of a type that are stable.
fn members(page: &str, name: &str, unstable: &[String]) -> Vec<String> {
    let own = ["id=\"deref-methods", "id=\"synthetic-implementations\"", "id=\"blanket-implementations\""];
    let end = own.iter().filter_map(|end| page.find(&format!("<h2 {end}"))).min().unwrap_or(page.len());
    let (mut members, mut block) = (fields(&page[..end]), String::new());
    for section in page[..end].split("<section id=\"").skip(1) {
        let id = section.split('"').next().unwrap();
        let Some((header, after)) = section.split_once("</section>") else { continue };
        let code = between(header, "class=\"code-header\">", if id.starts_with("impl-") { "</h3>" } else { "</h" });
        let Some(code) = code.filter(|_| !header.contains("class=\"method trait-impl\"")) else { continue };
        let text = plain(code);
        if id.starts_with("impl-") && !text.contains(" for ") {
            block = text;
            continue;
        }
        let is_hidden = after.starts_with("<span class=\"item-info\">") && is_unstable(after);
        let member = if id.starts_with("method.") || id.starts_with("associatedconstant.") {
            format!("{block}: {}", text.trim_start_matches("pub "))
        } else if id.starts_with("variant.") {
            format!("variant {text}")
        } else if id.starts_with("impl-") && is_asked(&text, code, name, unstable) {
            text
        } else {
            continue;
        };
        if !is_hidden {
            members.push(with_version(&member, header));
        }
    }
    members
}

/// Public fields of a type.
fn fields(page: &str) -> Vec<String> {
    let fields = page.split("<span id=\"structfield.").skip(1);
    fields.map(|field| format!("field {}", plain(between(field, "<code>", "</code>").unwrap()))).collect()
}

/// Whether an implementation is one of a stable trait for this very type.
fn is_asked(text: &str, code: &str, name: &str, unstable: &[String]) -> bool {
    let (head, of) = text.split_once(" for ").unwrap();
    let of = of.trim_start_matches("&'a ").split('<').next().unwrap();
    let is_elsewhere =
        code.contains("/os/windows/") || unstable.iter().any(|module| code.contains(&format!("{module}/")));
    of == name && !is_elsewhere && !NOT_ASKED.iter().any(|trait_| head.ends_with(&format!(" {trait_}")))
}

/// The part of a page that is about the item as a whole.
fn top(page: &str) -> &str {
    let main = page.find("id=\"main-content\"").map_or("", |start| &page[start..]);
    main.split("class=\"section-header\"").next().unwrap()
}

fn is_unstable(html: &str) -> bool {
    html.contains("class=\"stab unstable\"")
}

/// Notes the version since when an item is stable, if it is newer than the oldest that is supported.
fn with_version(item: &str, html: &str) -> String {
    let note = between(html, "class=\"since\" title=\"Stable since Rust version ", "\"").unwrap_or_default();
    let version = |text: &str| {
        let mut numbers = text.split('.').map(|number| number.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    };
    // Also `1.80.0, const since 1.90.0`: what matters is when all of it was there.
    let since = note.split([',', ' ']).map(version).max().unwrap_or_default();
    if since > OLDEST { format!("{item} // since {}.{}", since.0, since.1) } else { item.to_owned() }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    Some(&rest[..rest.find(end)?])
}

/// Text without its tags, on one line.
fn plain(html: &str) -> String {
    let html = html.replace("<div class=\"where\">", " ");
    let mut text = String::new();
    for (n, part) in html.split('<').enumerate() {
        text.push_str(if n == 0 { part } else { part.split_once('>').unwrap().1 });
    }
    let marks =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", " "), ("&amp;", "&"), ("ⓘ", "")];
    let text = marks.iter().fold(text, |text, (mark, sign)| text.replace(mark, sign));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("( ", "(").replace(", )", ")").trim_end_matches(',').to_owned()
}
