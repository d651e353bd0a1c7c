//! Words that stand for nothing: what databases and data frames write where a value is missing.

/// The words that are always known.
const WORDS: [&str; 17] = [
    "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "Null", "null", "NaN", "nan", "NAN", "NaT", "None",
    "Nil", "nil", "\\N", "-",
];
/// The longest of them.
const LONGEST: usize = 4;

/// The words that stand for nothing, those the user adds included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Absent(Vec<String>);

impl Absent {
    /// The known words and these.
    pub fn with(words: &[String]) -> Absent {
        Absent(words.to_vec())
    }

    /// Adds words.
    pub fn add(&mut self, words: &[String]) {
        self.0.extend_from_slice(words);
    }

    /// Whether a text stands for nothing.
    #[inline]
    pub fn has(&self, text: &str) -> bool {
        // Hardly any value is as short as these words and begins like one.
        let short = text.len() <= LONGEST;
        let alike =
            short && matches!(text.as_bytes(), [b'N' | b'n' | b'-' | b'\\' | b'#' | b'<', ..]);
        (alike && WORDS.contains(&text))
            || (!self.0.is_empty() && self.0.iter().any(|word| word == text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_nothing_as_a_whole_only() {
        let absent = Absent::with(&["unknown".into()]);
        assert!(WORDS.iter().all(|word| absent.has(word) && word.len() <= LONGEST));
        assert!(absent.has("unknown"));
        assert!(
            ["", "Nancy", "-5", "nana", "NAs", "Unknown", "\\"]
                .iter()
                .all(|text| !absent.has(text))
        );
    }
}
