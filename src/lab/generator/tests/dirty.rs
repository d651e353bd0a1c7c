//! Dirt comes in the shares asked for and leaves the clean data inside.

use super::*;

/// Rows that came whole: the right number of fields, a time and a number.
fn whole(rows: &[Fields], number: usize) -> Vec<&Fields> {
    let width = rows.iter().map(Vec::len).fold(BTreeMap::new(), |mut counts, width| {
        *counts.entry(width).or_insert(0) += 1;
        counts
    });
    let width = width.into_iter().max_by_key(|&(_, count)| count).map_or(0, |(width, _)| width);
    rows.iter()
        .filter(|row| row.len() == width && !row[0].starts_with("2026-13") && row[number] != "1O.5")
        .collect()
}

#[test]
fn the_clean_rows_are_inside_the_dirty_ones() {
    let transport = Dirt {
        disorder: 0.2,
        late: 0.05,
        duplicates: 0.1,
        corrections: 0.1,
        malformed: 0.05,
        ..punctual().dirt
    };
    let dirty = Options { dirt: transport, ..punctual() };
    for (feed, number) in [(Feed::Behavior, 7), (Feed::Transactions, 6), (Feed::Logistics, 10)] {
        let (before, after) = (rows(&punctual(), feed), rows(&dirty, feed));
        let whole = whole(&after, number);
        let damaged = after.len() - whole.len();
        near(damaged, before.len(), 0.05, "malformed");

        let wanted: BTreeSet<&Fields> = before.iter().collect();
        let mut left = wanted.clone();
        let (mut again, mut changed) = (0, 0);
        for row in whole {
            if !left.remove(row) {
                if wanted.contains(row) { again += 1 } else { changed += 1 }
            }
        }
        assert!(left.is_empty(), "{} rows of {} got lost", left.len(), feed.name());
        near(again, before.len(), 0.1, "duplicates");
        let amendable = match feed {
            Feed::Behavior => before.iter().filter(|row| row[4] == "add_to_cart").count(),
            Feed::Logistics => before.iter().filter(|row| row[9] == "Delivered").count(),
            _ => before.iter().filter(|row| row[8] == "captured").count() * 8 / 10,
        };
        near(changed, amendable, 0.1, "corrections");
    }
}

/// Within a fifth of the share asked for, and some for chance.
fn near(count: usize, of: usize, share: f64, what: &str) {
    let wanted = of as f64 * share;
    let slack = wanted / 5.0 + 4.0 * wanted.sqrt();
    assert!((count as f64 - wanted).abs() <= slack, "{what}: {count} of {of}, asked for {share}");
}

#[test]
fn shares_of_dirt_are_near_those_asked_for() {
    let dirt = Dirt { disorder: 0.15, late: 0.04, ..punctual().dirt };
    let options = Options { dirt, foreign: 0.2, ..punctual() };
    let visits = rows(&options, Feed::Behavior);
    // A row that comes after one with a later time was held back.
    let (mut latest, mut behind) = (String::new(), 0);
    for row in &visits {
        behind += usize::from(row[0] < latest);
        latest = latest.max(row[0].clone());
    }
    // Short delays may go unseen between sparse rows.
    assert!(
        (visits.len() / 20..visits.len() / 5).contains(&behind),
        "{behind} of {}",
        visits.len()
    );

    // Of what was sold in the first two weeks all that is taken back is back before the end.
    let options = Options { days: 40, events: 250_000, ..options };
    let charges = rows(&options, Feed::Transactions);
    let sold = |row: &&Fields| row[8] == "captured" && row[0].as_str() < "2026-01-15";
    let sold: BTreeSet<&str> = charges.iter().filter(sold).map(|row| row[1].as_str()).collect();
    // Some are given back in part, under another id.
    let of = |row: &Fields| sold.contains(row[if row[13].is_empty() { 1 } else { 13 }].as_str());
    let count = |status: &str| charges.iter().filter(|r| r[8] == status && of(r)).count();
    assert!(sold.len() > 500, "{}", sold.len());
    near(count("cancelled"), sold.len(), 0.1, "cancellations");
    near(count("refunded"), sold.len() - count("cancelled"), 0.1, "refunds");
    let foreign = charges.iter().filter(|row| row[7] != "EUR").count();
    near(foreign, charges.len(), 0.2, "foreign");
}
