//! Text from outside as a person may be shown it: nothing in it steers the terminal, and it is short.
//!
//! Escape sequences move the cursor or set the title, and the signs that turn the direction of
//! writing make a line read as another than it is. Data may hold both, so every text of a file that
//! goes to a terminal goes through here.

/// The most characters that are shown of one value.
pub const VALUE: usize = 60;
/// The most characters that are shown of a list, such as that of a file's columns.
pub const LIST: usize = 400;

/// At most so many characters of a text, with `?` for each that would not stay in its place.
pub fn shown(text: &str, most: usize) -> String {
    let mut out: String =
        text.chars().take(most).map(|c| if steers(c) { '?' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// As many names as there is room for, and how many more there are.
pub fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let (count, mut out) = (names.len(), String::new());
    for (i, name) in names.enumerate() {
        if out.len() > LIST {
            return format!("{out}, … ({} more)", count - i);
        }
        if i > 0 {
            out.push_str(", ");
        }
        out.push_str(&shown(name, VALUE));
    }
    out
}

/// A whole message, whose line ends are meant.
pub fn message(text: &str) -> String {
    text.chars().map(|c| if steers(c) && c != '\n' { '?' } else { c }).collect()
}

/// Whether a character does something else than stand in its place.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(shown("a\u{1b}[31mb\u{9b}\u{202E}\n\u{7f}é", 60), "a?[31mb????é");
        assert_eq!(message("a\nb\u{1b}c"), "a\nb?c");
    }

    #[test]
    fn what_is_long_is_cut() {
        assert_eq!(shown("ééé", 3), "ééé");
        assert_eq!(shown("éééx", 3), "ééé…");
        assert_eq!(list(["a", "b"].into_iter()), "a, b");
        let names = vec!["a_name"; 10_000];
        let list = list(names.into_iter());
        assert!(list.len() < 500 && list.ends_with("more)"), "{list}");
    }
}
