//! The committed list.

use std::fmt;

/// What is public and stable in a version of Rust, one line for each item.
pub(crate) struct List {
    pub(crate) version: String,
    pub(crate) items: Vec<String>,
}

impl List {
    pub(crate) fn committed() -> Self {
        let (heading, items) = include_str!("std_api.txt").split_once('\n').unwrap();
        let items: Vec<_> = items.lines().map(ToOwned::to_owned).collect();
        let (version, n_items) = heading.strip_prefix("# Rust ").unwrap().split_once(", ").unwrap();
        assert_eq!(n_items, format!("{} items", items.len()));
        assert!(items.len() > 300, "the list has lost its content");
        Self { version: version.to_owned(), items }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Rust {}, {} items", self.version, self.items.len())?;
        self.items.iter().try_for_each(|item| writeln!(f, "{item}"))
    }
}

/// Versions that brought some of the items, and whether this compiler is as new.
const VERSIONS: [(&str, bool); 7] = [
    ("86", cfg!(since_1_86)),
    ("87", cfg!(since_1_87)),
    ("89", cfg!(since_1_89)),
    ("91", cfg!(since_1_91)),
    ("92", cfg!(since_1_92)),
    ("94", cfg!(since_1_94)),
    ("95", cfg!(since_1_95)),
];

/// Whether this compiler's std has an item. What is newer than all of these is expected: it needs an entry.
pub(crate) fn is_expected(item: &str) -> bool {
    let Some((_, since)) = item.split_once(" // since 1.") else { return true };
    VERSIONS.iter().find(|(version, _)| *version == since).is_none_or(|(_, has_it)| *has_it)
}

/// A line of the list, or an entry, without what the two write differently.
pub(crate) fn key(item: &str) -> String {
    let item = item.split(" // since ").next().unwrap().replace("=>", " for ");
    item.chars().filter(|c| !c.is_whitespace() && !"[]{}<>,".contains(*c)).collect()
}
