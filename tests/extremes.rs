//! The largest amounts, numbers and weights a record can carry: nothing wraps, nothing panics
//! (tests are built with overflow checks), nothing is made as often as a weight says, and what is
//! taken back is gone to the last digit.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill::event::Stream;
use tidemill::lab::replay::{Change, Recorded, replay};
use tidemill::queries::catalog;
use tidemill::query::AnyQuery;
use tidemill::value::Value;

const WEIGHT: i64 = i32::MAX as i64;
const ROWS: i64 = 6;
const MONEY: &str = "92233720368547758.07";
const MOST: i64 = i64::MAX;

/// A record of a stream: everything it can carry is as large as can be.
fn row(stream: Stream, at: i64, n: i64) -> String {
    let time = support::moment(at);
    match stream {
        Stream::Behavior => {
            let event = ["view_item", "add_to_cart", "purchase"][n as usize % 3];
            format!(
                "{time},e{n},ann,s1,{event},i{n},shoes,{MOST},{MONEY},{MOST},{MOST},phone,10.0.0.1,k1,DE,\
                 a1,o1,{MONEY},EUR,x,y,r,p,s,mobile,safari,granted,e1,b,no"
            )
        }
        Stream::Transactions => {
            format!(
                "{time},t{n},{n},o{},,ann,i{},{MOST},{MONEY},EUR,captured,c1,10.0.0.1,d1,DE,{MONEY},\
                 {MONEY},,SALE,{MONEY},m1,card,web,e1,4000,DE,y,m,passed,DE",
                n / 3,
                n % 3
            )
        }
        Stream::Logistics => {
            let (ordered, promised) = (support::moment(at - 9_000), support::moment(at + 60));
            let status = if n % 3 == 0 { "InTransit" } else { "Delivered" };
            format!(
                "{time},p{n},o{n},dhl,north,w1,{ordered},{ordered},{promised},{status},{MONEY},{MOST},{MOST},\
                 outbound,x,{promised},express"
            )
        }
        Stream::Ads => {
            let event = ["impression", "click"][n as usize % 2];
            format!("{time},{event},ann,k1,v{n},{MONEY}")
        }
        Stream::Logins => format!("{time},ann,10.0.0.{n},phone,failure"),
        Stream::Inventory => format!("{time},lamp,w1,{}", if n % 2 == 0 { MOST } else { -MOST }),
        Stream::Catalog => format!("{time},i{n},shoes,{MONEY},{MONEY},yes"),
        Stream::Customers => format!("{time},ann,a1,e1,DE,granted,{time}"),
    }
}

fn recorded() -> Recorded {
    let mut all = Recorded::new();
    for &stream in Stream::ALL {
        let columns = stream.schema().fields.iter().map(|f| f.name).chain(["_diff"]);
        let mut csv = columns.collect::<Vec<_>>().join(",") + "\n";
        // What comes in the first hour, of which the first half is there twice, goes in the second.
        for back in [false, true] {
            for n in (0..ROWS).chain(0..ROWS / 2) {
                let diff = if back { -WEIGHT } else { WEIGHT };
                csv += &format!("{},,{diff}\n", row(stream, 36_001 + n * 7, n));
            }
            if !back {
                // Something small, so that the view is sealed before all goes.
                csv += &format!("{},,1\n", row(stream, 42_000, ROWS + 1));
            }
        }
        csv += &format!("{},,-1\n", row(stream, 42_000, ROWS + 1));
        // A full hour comes, at which boards are renewed.
        csv += &format!("{},,1\n", row(stream, 50_400, ROWS + 1));
        csv += &format!("{},,-1\n", row(stream, 50_400, ROWS + 1));
        all.extend(support::record(stream, 0, &csv, 1 << 16));
    }
    all
}

fn view(log: &[Change], until: u64) -> BTreeMap<String, isize> {
    let mut rows: BTreeMap<String, isize> = BTreeMap::new();
    for change in log.iter().filter(|change| change.time.millis() <= until) {
        *rows.entry(format!("{:?}", change.row)).or_default() += change.diff;
    }
    rows.retain(|_, n| *n != 0);
    rows
}

#[test]
fn the_largest_weights_and_amounts_are_summed_exactly_and_go_again() {
    let queries: Vec<Arc<dyn AnyQuery>> = catalog().into_iter().map(|(_, query)| query).collect();
    let logs = replay(&queries, &recorded(), None, support::tick(), 2).expect("nothing panics");
    for (query, log) in queries.iter().zip(&logs) {
        assert!(log.len() < 3_000, "{}: {} changes", query.name(), log.len());
        let left = view(log, u64::MAX);
        assert!(left.values().all(|n| *n == 1), "{}: {left:?}", query.name());
        // What arrived has arrived, and what was decided stays decided.
        let kept = ["stream_health", "risk_decisions_at_time"].contains(&query.name());
        assert_eq!(left.is_empty(), !kept, "{}: {left:?}", query.name());
    }
    // Before anything is taken back: nine records of the largest weight.
    let cells = |name: &str| -> Vec<Vec<Value>> {
        let place = queries.iter().position(|q| q.name() == name).expect("in the catalog");
        let first = logs[place].iter().filter(|c| c.time <= logs[place][0].time && c.diff > 0);
        first.map(|change| change.row.clone()).collect()
    };
    let count = Value::Integer(9 * WEIGHT);
    let hours = cells("hourly_transactions");
    assert_eq!((&hours[0][1], &hours[0][2]), (&count, &Value::Empty));
    assert_eq!(hours[0][4], Value::Quotient(MOST.into(), 1, 1));
    let hours = cells("hourly_behavior");
    assert_eq!(hours[0][1..3], [Value::Empty, Value::Empty]);
    let items = cells("top_items_hourly");
    assert_eq!(items.len(), 3);
    assert!(items.iter().all(|row| row[3] == Value::Empty), "{items:?}");
    let campaigns = cells("attribution");
    // Each order has one campaign here at each time at which it was paid, or none.
    let conversions = campaigns.iter().map(|row| match row[1] {
        Value::Integer(n) => n,
        _ => 0,
    });
    assert_eq!(conversions.sum::<i64>(), ROWS, "{campaigns:?}");
    assert!(campaigns.iter().all(|row| row[3] == Value::Empty), "{campaigns:?}");
}
