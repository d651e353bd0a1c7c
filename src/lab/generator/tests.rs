//! The feeds as a reader meets them: text, split at commas, checked against each other and
//! against the options.

mod dirty;
mod orders;
mod planted;
mod rates;

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// A row of fields.
type Fields = Vec<String>;

fn options() -> Options {
    Options { events: 40_000, seed: 7, days: 10, ..Options::default() }
}

fn clean() -> Options {
    Options { dirt: Dirt::none(), plants: Plants::none(), ..options() }
}

/// Things are undone, but every row arrives at its time and once.
fn punctual() -> Options {
    let (cancellations, refunds) = (0.1, 0.1);
    let dirt = Dirt { cancellations, refunds, ..Dirt::none() };
    Options { dirt, ..options() }
}

/// The same, with orders enough.
fn busy() -> Options {
    Options { events: 160_000, ..punctual() }
}

fn text(options: &Options, feed: Feed) -> Vec<u8> {
    blocks(options, feed).expect("valid options").flatten().collect()
}

fn rows(options: &Options, feed: Feed) -> Vec<Fields> {
    let text = String::from_utf8(text(options, feed)).expect("generated text is ASCII");
    let fields = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().skip(1).map(fields).collect()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn the_first_megabyte_of_seed_7_never_changes() {
    let options = Options { seed: 7, ..Options::default() };
    let hashes = Feed::ALL.map(|feed| {
        let mut bytes = Vec::new();
        for block in blocks(&options, feed).expect("valid options") {
            bytes.extend(block);
            if bytes.len() >= 1 << 20 {
                break;
            }
        }
        bytes.truncate(1 << 20);
        (feed, fnv(&bytes))
    });
    // A change here changes everybody's data: do it on purpose or not at all.
    let golden = [
        0x17ca_8107_d6fb_2ce8,
        0xc184_3419_4692_426f,
        0x03e2_2e5b_6591_4f98,
        0x94bc_80ab_86dc_0c78,
        0x8dd2_a62a_5e55_d0be,
        0x6518_6345_0c00_a0f8,
        0x9ce0_ea5a_5656_cf36,
        0x34d9_6151_05f1_0c6f,
        0x8f63_9348_6d57_3b21,
    ];
    assert_eq!(hashes.map(|(_, hash)| hash), golden, "{hashes:#x?}");
}

#[test]
fn options_decide_the_bytes_and_nothing_else() {
    let other = Options { seed: 8, ..options() };
    for feed in Feed::ALL {
        let bytes = text(&options(), feed);
        assert_eq!(bytes, text(&options(), feed), "{}", feed.name());
        assert_ne!(bytes, text(&other, feed), "{}", feed.name());
    }
}

#[test]
fn blocks_hold_whole_rows_and_can_be_sent() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let mut count = 0;
    for block in sendable(blocks(&options(), Feed::Behavior).expect("valid options")) {
        assert!(block.ends_with(b"\n") && block.len() < 260 * 1024);
        count += 1;
    }
    assert!(count > 10);
    let header = String::from_utf8(text(&options(), Feed::Truth)).expect("ASCII");
    assert!(header.starts_with("kind,key,time,detail\n"));
}

#[test]
fn row_counts_are_close_to_those_asked_for() {
    let sizes = [2_000, 40_000, 150_000];
    let kinds = [clean(), punctual()];
    for events in sizes {
        for kind in &kinds {
            let options = Options { events, ..kind.clone() };
            let summary = summary(&options).expect("valid options");
            let counted = |pair: &&(Feed, u64)| pair.0.is_counted();
            let total: u64 = summary.iter().filter(counted).map(|pair| pair.1).sum();
            assert!(total.abs_diff(events) * 50 <= events, "{total} of {events}");
        }
    }
    let summary = summary(&options()).expect("valid options");
    for (feed, count) in summary {
        assert_eq!(count, rows(&options(), feed).len() as u64, "{}", feed.name());
    }
}

#[test]
fn all_feeds_go_on_to_the_end_and_no_further() {
    for feed in Feed::ALL.into_iter().filter(|feed| !matches!(feed, Feed::Catalog | Feed::Truth)) {
        let rows = rows(&clean(), feed);
        let (day, hour) = rows[rows.len() - 1][0].split_at(10);
        assert_eq!(day, "2026-01-10", "{}", feed.name());
        assert!(hour[1..].starts_with("23:"), "{} {hour}", feed.name());
    }
}

#[test]
fn shares_of_the_feeds_are_as_designed() {
    let options = Options { events: 200_000, ..clean() };
    let summary: BTreeMap<Feed, u64> =
        summary(&options).expect("valid options").into_iter().collect();
    let percent = |feed| summary[&feed] * 100 / 200_000;
    assert!((93..98).contains(&percent(Feed::Behavior)), "{summary:?}");
    assert!((1..3).contains(&percent(Feed::Transactions)), "{summary:?}");
    assert!((2..5).contains(&percent(Feed::Logistics)), "{summary:?}");
}

#[test]
fn clean_feeds_are_sorted_with_unique_ids() {
    for feed in [
        Feed::Behavior,
        Feed::Transactions,
        Feed::Logistics,
        Feed::Ads,
        Feed::Logins,
        Feed::Inventory,
    ] {
        let rows = rows(&clean(), feed);
        assert!(rows.is_sorted_by(|a, b| a[0] <= b[0]), "{}", feed.name());
    }
    let mut seen = BTreeSet::new();
    assert!(rows(&clean(), Feed::Behavior).iter().all(|row| seen.insert(row[1].clone())));
    // Transactions and parcels repeat their id with each new status: once per status, and
    // per scan.
    let mut seen = BTreeSet::new();
    let charges = rows(&clean(), Feed::Transactions);
    assert!(charges.iter().all(|row| seen.insert((row[1].clone(), row[8].clone()))));
    let mut seen = BTreeSet::new();
    let scans = rows(&clean(), Feed::Logistics);
    assert!(scans.iter().all(|row| seen.insert((row[1].clone(), row[0].clone()))));
}

#[test]
fn memory_follows_what_is_in_flight() {
    let peak = |options: &Options, feed| {
        let mut arrivals = blocks::Arrivals::new(options, feed);
        let count = arrivals.by_ref().count();
        (count, arrivals.peak())
    };
    for feed in [Feed::Behavior, Feed::Logistics] {
        let (few, short) = peak(&options(), feed);
        let longer = Options { events: 160_000, days: 40, ..options() };
        let (many, long) = peak(&longer, feed);
        // Four times the rows over four times the days: no more waits at once.
        assert!(many > 3 * few && long < 2 * short, "{few} {short} {many} {long}");
    }
    let (_, visits) = peak(&clean(), Feed::Behavior);
    assert!(visits < 600, "{visits} rows of visits at once");
}

#[test]
fn wrong_options_are_named() {
    let share = |late| Options { dirt: Dirt { late, ..Dirt::none() }, ..options() };
    let said = |options: &Options| blocks(options, Feed::Ads).err().map(|error| error.to_string());
    let message = "generator: late is 1.5, but a share of rows must lie between 0 and 1";
    assert_eq!(said(&share(1.5)).as_deref(), Some(message));
    assert!(said(&share(f64::NAN)).is_some() && said(&share(-0.1)).is_some());
    assert_eq!(said(&share(1.0)), None);
    let message = "generator: days is 0; give a value from 1 to 3660";
    assert_eq!(said(&Options { days: 0, ..options() }).as_deref(), Some(message));
    assert!(said(&Options { events: 0, ..options() }).is_some());
    assert!(summary(&Options { foreign: 2.0, ..options() }).is_err());
}
