//! The README's query is compiled and run as it stands there, and its commands exist.

#[path = "support/revenue_by_user.rs"]
mod revenue_by_user;
mod support;

use revenue_by_user::RevenueByUser;
use std::sync::Arc;
use tidemill::config::Settings;
use tidemill::lab::replay::replay;
use tidemill::operator::{Dedupe, OnDuplicate};
use tidemill::queries::configured;
use tidemill::query::{AnyQuery, History};

const README: &str = include_str!("../README.md");
const QUERY: &str = include_str!("support/revenue_by_user.rs");

#[test]
fn the_readme_query_works_and_is_the_one_shown() {
    // Inside the crate it is `crate::`, in a test it is `tidemill::`.
    assert!(README.contains(&QUERY.replace("tidemill::", "crate::")));
    let recorded = support::history(1, 100, false);
    let how = Some(Dedupe { policy: OnDuplicate::Replace, keep: None, lateness: None });
    let query: Arc<dyn AnyQuery> = Arc::new(RevenueByUser);
    let logs = replay(&[Arc::clone(&query)], &recorded, how, support::tick(), 2).expect("runs");
    let history = History::new(recorded, how);
    let end = *history.times().last().expect("records");
    let mut view = Vec::new();
    for change in &logs[0] {
        match view.iter().position(|row| *row == change.row) {
            Some(at) if change.diff < 0 => drop(view.swap_remove(at)),
            _ => view.push(change.row.clone()),
        }
    }
    view.sort_by_key(|row| format!("{row:?}"));
    let mut answer = query.answer_cells(&history, end);
    answer.sort_by_key(|row| format!("{row:?}"));
    assert!(!answer.is_empty());
    assert_eq!(view, answer);
}

#[test]
fn the_readme_parameters_are_good() {
    let blocks = README.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut sources = 0;
    for toml in blocks {
        let mut settings = Settings::default();
        settings.parse("README.md", toml).expect("it is TOML");
        configured(&settings).expect("the queries know them");
        sources += settings.sources().expect("the sources are sound").len();
    }
    assert_eq!(sources, 1);
}
