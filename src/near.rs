//! "Did you mean": the name nearest to one that does not exist.

/// The name most like `name`, whatever its case, if one is like it at all.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.trim().to_lowercase();
    let like = |other: &str| strsim::jaro_winkler(&name, &other.to_lowercase());
    names.map(|other| (like(other), other)).max_by(|a, b| a.0.total_cmp(&b.0)).and_then(
        // Below this they have hardly a syllable in common.
        |(like, other)| (like > 0.75).then_some(other),
    )
}

/// The end of a message about a name that does not exist: a near one, or nothing.
pub fn did_you_mean<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(name, names).map_or(String::new(), |near| format!("; did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_near_name_is_found_in_any_case_and_a_far_one_is_not() {
        let names = ["hourly_transactions", "hourly_behavior", "velocity"];
        let near = |name: &str| nearest(name, names.into_iter());
        assert_eq!(near("hourly_transaction"), Some("hourly_transactions"));
        assert_eq!(near("Hourly_Behaviour"), Some("hourly_behavior"));
        assert_eq!(near("VELOCITY"), Some("velocity"));
        assert_eq!(near("velcoity"), Some("velocity"));
        assert_eq!(near("xyz"), None);
        assert_eq!(near(""), None);
    }
}
