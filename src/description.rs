//! What a run was started with, part by part, so that processes that do not belong together, and a
//! run and the checkpoint it is to go on from, can say by name in what they differ.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The most characters of a value that are shown; the whole of it is compared.
const SHOWN: usize = 100;
/// The most differences that are told one by one.
const TOLD: usize = 3;

/// What a process was started with. Bound: `SHOWN` characters per part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    name: String,
    shown: String,
    hash: String,
}

/// The beginning of a checksum, as text.
fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn cut(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => text[..end].chars().map(plain).chain(['…']).collect(),
        None => text.chars().map(plain).collect(),
    }
}

impl Description {
    /// Adds a part; those that tell most come first.
    pub fn add(&mut self, name: impl Into<String>, value: impl ToString) {
        let value = value.to_string();
        let hash = fingerprint(value.as_bytes());
        self.parts.push(Part { name: name.into(), shown: cut(&value), hash });
    }

    /// Adds a part that is compared by content and shown as something shorter.
    pub fn add_contents(&mut self, name: impl Into<String>, shown: &str, contents: &[u8]) {
        let hash = fingerprint(&[shown.as_bytes(), &[0], contents].concat());
        self.parts.push(Part { name: name.into(), shown: cut(shown), hash });
    }

    /// The same without some parts.
    pub fn without(&self, goes: impl Fn(&str) -> bool) -> Description {
        let parts = self.parts.iter().filter(|part| !goes(&part.name));
        Description { parts: parts.cloned().collect() }
    }

    /// In what two differ, if they do: `me` is the one with this description, `them` the other.
    pub fn difference(&self, me: &str, other: &Description, them: &str) -> Option<String> {
        let find = |all: &[Part], name: &str| all.iter().find(|p| p.name == name).cloned();
        let mut told = Vec::new();
        for part in &self.parts {
            match find(&other.parts, &part.name) {
                None => told
                    .push(format!("{} is {} in {me} and nothing in {them}", part.name, part.shown)),
                Some(theirs) if theirs.hash == part.hash => {}
                Some(theirs) if theirs.shown == part.shown => {
                    told.push(format!("{} ({}) has other contents", part.name, part.shown));
                }
                Some(theirs) => told.push(format!(
                    "{} is {} in {me} and {} in {them}",
                    part.name, part.shown, theirs.shown
                )),
            }
        }
        for part in other.parts.iter().filter(|p| find(&self.parts, &p.name).is_none()) {
            told.push(format!("{} is {} in {them} and nothing in {me}", part.name, part.shown));
        }
        let more = told.len().saturating_sub(TOLD);
        told.truncate(TOLD);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!told.is_empty()).then(|| told.join("; ") + &more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_and_what_is_the_same_is_not() {
        let describe = |decimals: u32, file: &str, more: bool| {
            let mut description = Description::default();
            description.add("--decimals", decimals);
            description.add_contents("source 1", "a.csv, 9 bytes", file.as_bytes());
            if more {
                description.add("source 2", "b.csv");
            }
            description
        };
        let mine = describe(2, "x", false);
        assert_eq!(mine.difference("process 0", &mine.clone(), "process 1"), None);
        let told = |other: &Description| {
            mine.difference("process 0", other, "process 1").expect("a difference")
        };
        assert_eq!(
            told(&describe(3, "x", false)),
            "--decimals is 2 in process 0 and 3 in process 1"
        );
        assert_eq!(told(&describe(2, "y", false)), "source 1 (a.csv, 9 bytes) has other contents");
        let more = "source 2 is b.csv in process 1 and nothing in process 0";
        assert_eq!(told(&describe(2, "x", true)), more);
    }

    #[test]
    fn a_long_value_is_compared_whole_and_shown_in_part() {
        let (mut a, mut b) = (Description::default(), Description::default());
        a.add("--map", "x".repeat(5000) + "a");
        b.add("--map", "x".repeat(5000) + "b");
        let told = a.difference("process 0", &b, "process 1").expect("a difference");
        assert!(told.len() < 200 && told.contains("--map"), "{told}");
    }
}
