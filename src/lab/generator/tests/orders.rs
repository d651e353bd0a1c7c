//! The feeds tell the same story: orders, charges, parcels, visits and the catalog agree.

use super::*;

/// An amount in cents; nothing where there is none.
fn cents(amount: &str) -> i64 {
    amount.replace('.', "").parse().unwrap_or(0)
}

/// Of charges that are the same line of an order the first: a line is charged twice now and then.
fn first_of<'a>(charges: &'a [Fields], row: &Fields) -> &'a str {
    let same = |other: &&Fields| other[2] == row[2] && other[4] == row[4];
    charges.iter().find(same).map_or("", |first| first[1].as_str())
}

#[test]
fn feeds_agree_about_orders() {
    let options = busy();
    let charges = rows(&options, Feed::Transactions);
    let mut sold: BTreeMap<&str, &Fields> = BTreeMap::new();
    let (mut undone, mut in_part) = (0, 0);
    for row in &charges {
        match row[8].as_str() {
            "captured" => assert!(sold.insert(&row[1], row).is_none(), "{row:?}"),
            "authorized" => assert!(!sold.contains_key(row[1].as_str()), "{row:?}"),
            _ => {
                // Undone is only what was sold before, in order of arrival, as it was sold.
                if row[13].is_empty() {
                    let sale = sold[row[1].as_str()];
                    assert_eq!((&sale[2..8], &sale[9..]), (&row[2..8], &row[9..]));
                } else {
                    // A part of it, under an id of its own.
                    let sale = sold[row[13].as_str()];
                    assert_eq!(&sale[2..6], &row[2..6]);
                    assert!(row[8] == "refunded" && cents(&row[6]) < cents(&sale[6]), "{row:?}");
                    in_part += 1;
                }
                undone += 1;
            }
        }
    }
    assert!(undone > 100 && in_part > 10, "{undone} {in_part}");
    let captured: BTreeSet<&str> = sold.values().map(|row| row[2].as_str()).collect();
    let cancelled: BTreeSet<&str> =
        charges.iter().filter(|row| row[8] == "cancelled").map(|row| row[2].as_str()).collect();
    let scans = rows(&options, Feed::Logistics);
    for scan in &scans {
        assert!(captured.contains(scan[2].as_str()) && !cancelled.contains(scan[2].as_str()));
    }
    // What comes back is of an order that was sent, and there before the money was given back.
    let back: Vec<&Fields> = scans.iter().filter(|scan| scan[13] == "return").collect();
    assert!(back.len() > 10, "{}", back.len());
    for scan in back.iter().filter(|scan| scan[9] == "Delivered") {
        let of = |row: &&Fields| row[2] == scan[2] && row[8] == "refunded" && row[0] > scan[0];
        let soon = scan[0].as_str() > "2026-01-10 22";
        assert!(soon || charges.iter().any(|row| of(&row)), "{scan:?}");
    }

    // Each purchase tells its order as a whole: its pieces, and what is paid for all of them.
    let mut orders: BTreeMap<&str, (u64, i64)> = BTreeMap::new();
    for row in sold.values().filter(|row| row[1] == first_of(&charges, row)) {
        let (pieces, paid) = orders.entry(row[2].as_str()).or_default();
        *pieces += row[5].parse::<u64>().expect("a number");
        *paid += cents(&row[6]) + cents(&row[14]) + cents(&row[15]) - cents(&row[16]);
    }
    let visits = rows(&options, Feed::Behavior);
    let purchases: Vec<&Fields> = visits.iter().filter(|row| row[4] == "purchase").collect();
    for row in &purchases {
        let told = (row[7].parse().expect("a number"), cents(&row[17]));
        assert_eq!(orders[row[16].as_str()], told, "{row:?}");
    }
    // An order is either sent or cancelled; the card testers' orders are neither.
    let sent: BTreeSet<&str> = scans.iter().map(|scan| scan[2].as_str()).collect();
    // Of the last ones that is not known yet.
    for row in purchases.iter().filter(|row| row[0].as_str() < "2026-01-10 12") {
        let order = row[16].as_str();
        assert!(sent.contains(order) != cancelled.contains(order), "{row:?}");
    }

    // The catalog knows all items, and prices are those of its last word before.
    let catalog = rows(&options, Feed::Catalog);
    let mut prices: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for row in &catalog {
        prices.entry(&row[1]).or_default().push((&row[0], &row[3]));
    }
    assert!(prices.len() == 2_000 && catalog.len() > 2_100, "{}", catalog.len());
    for row in visits.iter().filter(|row| !row[5].is_empty()) {
        let told = prices[row[5].as_str()].iter().rfind(|(time, _)| *time <= row[0].as_str());
        assert_eq!(told.map(|(_, price)| *price), Some(row[8].as_str()), "{row:?}");
    }
}
