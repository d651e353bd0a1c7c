//! The shop is one that could be: few buy, few click, and most are nobody the shop knows.

use super::*;

/// How many of a thousand.
fn permille(part: usize, of: usize) -> usize {
    part * 1000 / of.max(1)
}

#[test]
fn few_buy_and_fewer_click() {
    let options = Options { events: 200_000, seed: 3, days: 14, ..clean() };
    let visits = rows(&options, Feed::Behavior);
    let mut sessions: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for row in &visits {
        let (known, bought) = sessions.entry(&row[3]).or_default();
        *known |= !row[2].is_empty();
        *bought |= row[4] == "purchase";
    }
    let buyers = sessions.values().filter(|(_, bought)| *bought).count();
    let known = sessions.values().filter(|(known, _)| *known).count();
    let conversion = permille(buyers, sessions.len());
    assert!((20..=30).contains(&conversion), "{conversion} of a thousand sessions buy");
    let known = permille(known, sessions.len());
    assert!((30..250).contains(&known), "{known} of a thousand sessions are of someone known");
    let ads = rows(&options, Feed::Ads);
    let of = |event: &str| ads.iter().filter(|row| row[1] == event).count();
    let clicked = of("click") * 10_000 / of("impression");
    assert!((80..=120).contains(&clicked), "{clicked} of ten thousand impressions are clicked");
    // An order has some lines, some with a discount, and small ones pay for shipping.
    let charges = rows(&options, Feed::Transactions);
    let sold: Vec<&Fields> = charges.iter().filter(|row| row[8] == "captured").collect();
    let orders: BTreeSet<&str> = sold.iter().map(|row| row[2].as_str()).collect();
    let lines = sold.len() * 10 / orders.len();
    assert!((15..35).contains(&lines), "{lines} tenths of a line an order");
    let share =
        |column: usize| permille(sold.iter().filter(|r| !r[column].is_empty()).count(), sold.len());
    let [tax, shipping, discount] = [14, 15, 16].map(share);
    assert!((5..80).contains(&tax), "{tax}");
    assert!(
        (20..500).contains(&shipping) && (80..220).contains(&discount),
        "{shipping} {discount}"
    );
}
