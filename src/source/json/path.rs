//! A path from a record to one of its values.

use std::fmt;

/// The most steps of a path.
const STEPS: usize = 16;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The value of a name in an object: `a`.
    Field(String),
    /// Each element of a list, in a row of its own: `[*]`.
    Each,
    /// The place of that element in the list, from 0: `[#]`.
    Place,
    /// The first element of a list: `[0]`.
    First,
    /// The last element of a list: `[-1]`.
    Last,
    /// The elements of a list in which a field has a value: `[key=x]`.
    Where(String, String),
}

/// See the module; for instance `ecommerce.items[*].item_id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(pub(super) Vec<Step>);

impl Path {
    /// Reads a path as it is written. A name that has any of `. [ ] "` or nothing in it stands in
    /// quotes.
    pub fn parse(text: &str) -> Result<Path, String> {
        let mut steps = Vec::new();
        let mut rest = text.trim();
        loop {
            let (name, after) = name(rest, &['.', '['])?;
            steps.push(Step::Field(name));
            rest = after;
            while let Some(inside) = rest.strip_prefix('[') {
                let (step, after) = bracket(inside)?;
                steps.push(step);
                rest = after;
            }
            match rest.strip_prefix('.') {
                Some(more) => rest = more,
                None if rest.is_empty() => break,
                None => return Err(format!("{text}: expected . or [ before {rest:?}")),
            }
        }
        let opened = steps.iter().filter(|step| matches!(step, Step::Each | Step::Place)).count();
        let last = steps.last() == Some(&Step::Place);
        if steps.len() > STEPS {
            return Err(format!("{text}: more than {STEPS} steps"));
        }
        if opened > 1 || (opened == 1 && steps.contains(&Step::Place) && !last) {
            return Err(format!("{text}: one list may be opened, once"));
        }
        Ok(Path(steps))
    }

    /// The list it opens, if it does: the steps that lead there.
    pub(super) fn opened(&self) -> Option<&[Step]> {
        let at = self.0.iter().position(|step| matches!(step, Step::Each | Step::Place))?;
        Some(&self.0[..at])
    }
}

/// Takes a name off the start, which ends before one of these characters.
fn name<'a>(text: &'a str, ends: &[char]) -> Result<(String, &'a str), String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let end = quoted.find('"').ok_or_else(|| format!("{text}: a quote is not closed"))?;
        return Ok((quoted[..end].to_owned(), &quoted[end + 1..]));
    }
    let end = text.find(ends).unwrap_or(text.len());
    if end == 0 {
        return Err(format!("expected a name before {text:?}"));
    }
    Ok((text[..end].to_owned(), &text[end..]))
}

/// What stands behind an opening bracket, up to its end.
fn bracket(text: &str) -> Result<(Step, &str), String> {
    for (mark, step) in
        [("*]", Step::Each), ("#]", Step::Place), ("0]", Step::First), ("-1]", Step::Last)]
    {
        if let Some(rest) = text.strip_prefix(mark) {
            return Ok((step, rest));
        }
    }
    let wrong = || format!("[{text}: expected [*], [#], [0], [-1] or [name=value]");
    let (field, rest) = name(text, &['=', ']']).map_err(|_| wrong())?;
    let (value, rest) =
        name(rest.strip_prefix('=').ok_or_else(wrong)?, &[']']).map_err(|_| wrong())?;
    let rest = rest.strip_prefix(']').ok_or_else(wrong)?;
    Ok((Step::Where(field, value), rest))
}

/// A name, in quotes where it needs them.
fn quoted(name: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match name.is_empty() || name.contains(['.', '[', ']', '=', '"']) {
        true => write!(out, "\"{name}\""),
        false => out.write_str(name),
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) => {
                    out.write_str(if i > 0 { "." } else { "" })?;
                    quoted(name, out)?;
                }
                Step::Each => out.write_str("[*]")?,
                Step::Place => out.write_str("[#]")?,
                Step::First => out.write_str("[0]")?,
                Step::Last => out.write_str("[-1]")?,
                Step::Where(field, value) => {
                    out.write_str("[")?;
                    quoted(field, out)?;
                    out.write_str("=")?;
                    quoted(value, out)?;
                    out.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        for text in [
            "a",
            "a.b.c",
            "items[*].item_id",
            "items[*]",
            "items[#]",
            "a.b[0].c[-1]",
            "event_params[key=ga_session_id].value.int_value",
            "\"a.b\".c",
            "\"\"",
            "p[key=\"a]b\"].value",
        ] {
            assert_eq!(Path::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(
            Path::parse("items[*].x").unwrap().opened(),
            Some(&[Step::Field("items".into())][..])
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (text, says) in [
            ("", "a name"),
            ("a..b", "a name"),
            ("a[1]", "[*]"),
            ("a[key]", "[*]"),
            ("a[*", "[*]"),
            ("a[0]b", "expected . or ["),
            ("a[*].b[*]", "one list"),
            ("a[#].b", "one list"),
            ("\"a", "not closed"),
            (&vec!["a"; 17].join("."), "16 steps"),
        ] {
            assert!(Path::parse(text).unwrap_err().contains(says), "{text}");
        }
    }
}
