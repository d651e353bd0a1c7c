//! The section `[[source]]` that reads a file, as it was found to be.

use std::fmt::Write;

use super::meaning::Taken;
use super::{Inspected, Reading};
use crate::shown::shown;

/// The sections for some files, as a file for `--config`.
pub fn toml_text(files: &[Inspected]) -> String {
    files.iter().map(section).collect::<Vec<_>>().join("\n")
}

/// A text as TOML has it, in which nothing steers a terminal.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let plain = c == '?' || !shown(c.encode_utf8(&mut [0; 4]), 1).starts_with('?');
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if plain => out.push(c),
            // Writing to a String cannot fail.
            c => {
                let _ = write!(out, "\\U{:08X}", c as u32);
            }
        }
    }
    out.push('"');
    out
}

/// A key as TOML has it.
fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

fn list<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let texts: Vec<String> = texts.map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// What says how text is written, where it is not found by itself.
fn dialect(found: &Inspected, out: &mut String) {
    if let Some(encoding) = found.encoding {
        let _ = writeln!(out, "encoding = {}", quoted(encoding));
    }
}

fn section(found: &Inspected) -> String {
    let mut out = String::from("[[source]]\n");
    let file = quoted(&found.file);
    if let Some(format) = found.format {
        let _ = writeln!(out, "format = {}\nfiles = {file}", quoted(format));
        dialect(found, &mut out);
        return out;
    }
    let columns = list(found.columns.iter().map(|column| &column.name));
    let Some(guess) = &found.guess else {
        // Something to fill in.
        let _ = writeln!(out, "stream = \"\"\nfiles = {file}");
        if !found.named {
            let _ = writeln!(out, "columns = {columns}");
        }
        out.push_str("[source.fields]\n");
        return out.lines().map(|line| format!("# {line}\n")).collect();
    };
    let _ = writeln!(out, "stream = {}\nfiles = {file}", quoted(guess.stream.name()));
    dialect(found, &mut out);
    if !found.named {
        let _ = writeln!(out, "columns = {columns}");
    }
    let open = found.columns.iter().any(|column| {
        let used = guess.by_column().contains_key(column.name.as_str());
        used && matches!(column.reading, Reading::Date(Err(_)))
    });
    match guess.time_format {
        Some(form) => {
            let _ = writeln!(out, "time_format = {}", quoted(form));
        }
        None if open => out.push_str("# time_format = \"day-first\"  # or \"month-first\"\n"),
        None => {}
    }
    if found.decimal_comma {
        out.push_str("decimal_comma = true\n");
    }
    out.push_str("\n[source.fields]\n");
    for (field, taken) in &guess.fields {
        let _ = match taken {
            Taken::Column(column) => writeln!(out, "{field} = {}", quoted(column)),
            Taken::Product(factors) => {
                writeln!(out, "{field} = {{ product = {} }}", list(factors.iter()))
            }
        };
    }
    for (field, names) in &guess.values {
        let _ = writeln!(out, "\n[source.values.{field}]");
        for (name, known) in names {
            let _ = writeln!(out, "{} = {}", key(name), quoted(known));
        }
    }
    out
}
