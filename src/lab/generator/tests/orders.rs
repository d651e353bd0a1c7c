//! The feeds tell the same story: orders, charges, parcels, visits and the catalog agree.

use super::*;

#[test]
fn feeds_agree_about_orders() {
    let options = punctual();
    let charges = rows(&options, Feed::Transactions);
    let mut sold: BTreeMap<&str, &Fields> = BTreeMap::new();
    let mut undone = 0;
    for row in &charges {
        match row[8].as_str() {
            "captured" => assert!(sold.insert(&row[1], row).is_none(), "{row:?}"),
            "authorized" => assert!(!sold.contains_key(row[1].as_str()), "{row:?}"),
            _ => {
                // Undone is only what was sold before, in order of arrival, as it was sold.
                let sale = sold[row[1].as_str()];
                assert_eq!((&sale[2..8], &sale[9..]), (&row[2..8], &row[9..]));
                undone += 1;
            }
        }
    }
    assert!(undone > 100);
    let captured: BTreeSet<&str> = sold.values().map(|row| row[2].as_str()).collect();
    let cancelled: BTreeSet<&str> =
        charges.iter().filter(|row| row[8] == "cancelled").map(|row| row[2].as_str()).collect();
    let scans = rows(&options, Feed::Logistics);
    for scan in &scans {
        assert!(captured.contains(scan[2].as_str()) && !cancelled.contains(scan[2].as_str()));
    }

    // Each purchase is an order by that user, with the item and quantity in one of its lines.
    let mut lines: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    lines.extend(sold.values().map(|row| (row[3].as_str(), row[4].as_str(), row[5].as_str())));
    let visits = rows(&options, Feed::Behavior);
    let purchases: Vec<&Fields> = visits.iter().filter(|row| row[4] == "purchase").collect();
    for row in &purchases {
        assert!(lines.contains(&(row[2].as_str(), row[5].as_str(), row[7].as_str())), "{row:?}");
    }
    // An order is either sent or cancelled; the card testers' orders are neither.
    let sent: BTreeSet<&str> = scans.iter().map(|scan| scan[2].as_str()).collect();
    assert_eq!(sent.len() + cancelled.len(), purchases.len());

    // The catalog knows all items, and prices agree.
    let catalog = rows(&options, Feed::Catalog);
    let prices: BTreeMap<&str, &str> =
        catalog.iter().map(|row| (row[1].as_str(), row[3].as_str())).collect();
    assert_eq!(prices.len(), 2_000);
    for row in visits.iter().filter(|row| !row[5].is_empty()) {
        assert_eq!(prices[row[5].as_str()], row[8]);
    }
}
