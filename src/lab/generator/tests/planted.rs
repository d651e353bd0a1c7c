//! What the truth says is found in the feeds again, by slow and simple detectors.

use super::*;

fn truths(options: &Options, kind: &str) -> BTreeMap<String, Fields> {
    let rows = rows(options, Feed::Truth);
    let mine = rows.into_iter().filter(|row| row[0] == kind);
    mine.map(|row| (row[1].clone(), row)).collect()
}

fn number(detail: &str) -> usize {
    let digits = detail.split('=').nth(1).and_then(|text| text.parse().ok());
    digits.unwrap_or_else(|| panic!("no number in {detail}"))
}

/// Milliseconds within the month of a time; enough for differences of minutes.
fn millis(time: &str) -> i64 {
    let part = |from: usize, to: usize| time[from..to].parse::<i64>().expect("digits");
    let (day, hour) = (part(8, 10) + 31 * part(5, 7), part(11, 13));
    ((day * 24 + hour) * 60 + part(14, 16)) * 60_000 + part(17, 19) * 1000 + part(20, 23)
}

#[test]
fn duplicates_are_found_and_no_others() {
    let mut options = busy();
    options.plants.duplicates = 0.05;
    let charges = rows(&options, Feed::Transactions);
    let mut last: BTreeMap<(&str, &str, &str), &Fields> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for row in charges.iter().filter(|row| row[8] == "captured") {
        let key = (row[9].as_str(), row[4].as_str(), row[6].as_str());
        if let Some(first) = last.insert(key, row)
            && millis(&row[0]) - millis(&first[0]) <= 600_000
        {
            found.insert(row[1].clone(), format!("of={}", first[1]));
        }
    }
    let truth = truths(&options, "duplicate");
    assert!(truth.len() > 8, "{}", truth.len());
    let truth: BTreeMap<String, String> =
        truth.into_iter().map(|(key, row)| (key, row[3].clone())).collect();
    assert_eq!(found, truth);
}

#[test]
fn late_parcels_are_found_and_no_others() {
    let scans = rows(&busy(), Feed::Logistics);
    let last: BTreeMap<&str, &Fields> = scans.iter().map(|row| (row[1].as_str(), row)).collect();
    // What is on the road at the end of the ten days is late if it should have come by then.
    let late = |row: &&&Fields| match row[9].as_str() {
        "Expired" => true,
        "Delivered" => row[0] > row[8],
        _ => row[8].as_str() < "2026-01-11",
    };
    let found = last.values().filter(late);
    let open = found.clone().filter(|row| !matches!(row[9].as_str(), "Expired" | "Delivered"));
    assert!(open.count() > 5);
    let found: BTreeSet<String> = found.map(|row| row[1].clone()).collect();
    let truth: BTreeSet<String> = truths(&busy(), "late_parcel").into_keys().collect();
    assert!(truth.len() > 20);
    assert_eq!(found, truth);
}

#[test]
fn shelves_run_empty_where_planted_and_never_below() {
    let options = Options { events: 150_000, ..punctual() };
    let mut stock: BTreeMap<String, i64> = BTreeMap::new();
    let mut empty: BTreeMap<String, String> = BTreeMap::new();
    for row in rows(&options, Feed::Inventory) {
        let shelf = format!("{}@{}", row[1], row[2]);
        let level = stock.entry(shelf.clone()).or_insert(0);
        *level += row[3].parse::<i64>().expect("a number");
        assert!(*level >= 0, "{row:?}");
        if *level == 0 {
            empty.entry(shelf).or_insert_with(|| row[0].clone());
        }
    }
    let truth = truths(&options, "stock_out");
    assert!(truth.len() >= 3, "{}", truth.len());
    let truth: BTreeMap<String, String> =
        truth.into_iter().map(|(key, row)| (key, row[2].clone())).collect();
    assert_eq!(empty, truth);
}

#[test]
fn attacks_on_logins_are_found() {
    let options = Options { events: 60_000, ..punctual() };
    let logins = rows(&options, Feed::Logins);
    for (user, row) in truths(&options, "brute_force") {
        let failed = |login: &&Fields| login[1] == user && login[4] == "failure";
        let near = |login: &&Fields| (0..=600_000).contains(&(millis(&login[0]) - millis(&row[2])));
        let count = logins.iter().filter(failed).filter(near).count();
        assert!(count >= number(&row[3]) && count >= 30, "{row:?}");
    }
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for login in &logins {
        users.entry(&login[2]).or_default().insert(&login[1]);
    }
    let truth = truths(&options, "credential_stuffing");
    assert!(!truth.is_empty());
    for (ip, users) in users {
        assert_eq!(users.len() > 20, truth.contains_key(ip), "{ip}");
        if let Some(row) = truth.get(ip) {
            assert_eq!(users.len(), number(&row[3]));
        }
    }
}

#[test]
fn bots_and_card_testers_are_found() {
    let options = Options { events: 100_000, ..punctual() };
    let mut pages: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in rows(&options, Feed::Behavior) {
        pages.entry(row[3].clone()).or_default().push(millis(&row[0]));
    }
    let truth = truths(&options, "bot");
    assert_eq!(truth.len(), 2);
    for (session, times) in pages {
        assert_eq!(times.len() > 40, truth.contains_key(&session), "{session}");
        if let Some(row) = truth.get(&session) {
            assert_eq!(times.len(), number(&row[3]));
            let span = times[times.len() - 1] - times[0];
            assert!(span < times.len() as i64 * 500, "{span} ms");
        }
    }
    let mut cards: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows(&options, Feed::Transactions) {
        cards.entry(row[11].clone()).or_default().insert(row[9].clone());
    }
    let truth = truths(&options, "card_testing");
    assert_eq!(truth.len(), 2);
    for (device, cards) in cards {
        assert_eq!(cards.len() > 10, truth.contains_key(&device), "{device}");
        if let Some(row) = truth.get(&device) {
            assert_eq!(cards.len(), number(&row[3]));
        }
    }
}

#[test]
fn nothing_is_planted_in_an_honest_world() {
    let kinds: BTreeSet<String> =
        rows(&clean(), Feed::Truth).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(kinds, BTreeSet::from(["late_parcel".to_owned()]));
}
