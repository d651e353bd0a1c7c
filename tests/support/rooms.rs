//! Source files as the tidy test reads them: their code without comments and tests, and the rooms
//! that they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A source file.
#[derive(Clone)]
pub struct Source {
    /// Its path from the package's root.
    pub path: String,
    /// All of it.
    pub text: String,
    /// Without comments and without its tests.
    pub code: String,
    /// Its place among the modules of the crate.
    pub module: Vec<String>,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

/// The source files of a room or directory: `src/x` is `src/x.rs` and what is in `src/x`.
pub fn sources(of: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join(of), root.join(format!("{of}.rs"))];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|e| e == "rs") && path.exists() {
            let text = fs::read_to_string(&path).expect("a source file");
            let path = path.strip_prefix(root).expect("of the package").to_str().expect("UTF-8");
            found.push(Source::new(path, &text));
        }
    }
    assert!(!found.is_empty(), "{of} has no source files");
    let tests: Vec<Vec<String>> = found.iter().flat_map(Source::test_modules).collect();
    for source in &mut found {
        source.test = tests.iter().any(|test| source.module.starts_with(test));
    }
    found
}

/// The rooms in which macros are that all can use, each with its `!`.
pub fn macros(all: &[Source]) -> BTreeMap<String, String> {
    let mut macros = BTreeMap::new();
    for source in all {
        for after in source.text.split("#[macro_export]\nmacro_rules! ").skip(1) {
            macros.insert(format!("{}!", word(after)), source.module[0].clone());
        }
    }
    assert!(!macros.is_empty());
    macros
}

impl Source {
    /// A file by its path and text.
    pub fn new(path: &str, text: &str) -> Source {
        let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
        let parts = inside.split('/').filter(|part| !["mod", "lib", "main"].contains(part));
        let module = parts.map(str::to_string).collect();
        let code = code(text);
        Source { path: path.into(), text: text.into(), code, module, test: false }
    }

    /// The modules of this one that are compiled for tests only.
    fn test_modules(&self) -> Vec<Vec<String>> {
        let declared = self.text.split("#[cfg(test)]\n").skip(1);
        let names =
            declared.filter_map(|after| after.split_once("mod ")).filter_map(|(kind, rest)| {
                let visibility = kind.is_empty() || kind.starts_with("pub");
                (visibility && !kind.contains('\n') && rest[word(rest).len()..].starts_with(';'))
                    .then(|| word(rest).to_string())
            });
        names.map(|name| [self.module.as_slice(), &[name]].concat()).collect()
    }

    /// The rooms that it uses, and the macros that all can use, each with its `!`.
    pub fn uses(&self) -> BTreeSet<String> {
        let squeezed: String = self.code.split_whitespace().collect::<Vec<_>>().join(" ");
        let squeezed = squeezed.replace(" ::", "::").replace(":: ", "::");
        let mut found = BTreeSet::new();
        let up = "super::".repeat(self.module.len());
        for root in ["crate::", "tidemill::", &up] {
            for (at, _) in squeezed.match_indices(root) {
                let before = squeezed[..at].chars().next_back();
                // A part of a longer word or path, such as `other_crate::` or one more `super::`.
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let after = &squeezed[at + root.len()..];
                match after.strip_prefix('{') {
                    Some(group) => found.extend(heads(group)),
                    None => found.extend(head(after)),
                }
            }
        }
        found
    }
}

/// The word that a text begins with.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The room or macro that a path begins with.
fn head(path: &str) -> Option<String> {
    let name = word(path);
    let bang = if path[name.len()..].starts_with('!') { "!" } else { "" };
    (!name.is_empty() && name != "super").then(|| format!("{name}{bang}"))
}

/// What the parts of a group begin with, up to its closing brace.
fn heads(group: &str) -> BTreeSet<String> {
    let (mut depth, mut start, mut found) = (0, 0, BTreeSet::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                found.extend(head(group[start..at].trim()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The code of a file: without comments, and without what is compiled for tests only.
fn code(text: &str) -> String {
    let (mut kept, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // What follows ends with its line, or with a brace in the same column.
            let column = line.len() - line.trim_start().len();
            let end = |line: &str| line.len() > column && line[column..].starts_with('}');
            if lines.next().is_some_and(|item| item.trim_end().ends_with('{')) {
                lines.by_ref().find(|line| end(line));
            }
            continue;
        }
        kept.push(uncommented(line));
    }
    kept.join("\n")
}

/// A line without the comment at its end. A mark within quotes is none.
fn uncommented(line: &str) -> &str {
    let mark = |(at, _): &(usize, &str)| line[..*at].matches('"').count().is_multiple_of(2);
    line.match_indices("//").find(mark).map_or(line, |(at, _)| &line[..at])
}
