//! Velocity equals a recompute from scratch, bit for bit, whatever the order of arrival.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use tidemill::event::Stream;
use tidemill::lab::replay::{Change, Recorded, replay};
use tidemill::queries::risk::velocity::Velocity;
use tidemill::query::AnyQuery;
use tidemill::value::Value;

/// A payment as it is told: the second, its number, four keys, cents.
type Payment = (i64, usize, [u64; 4], u64);

fn line((at, id, [card, user, ip, device], cents): Payment, diff: i64) -> String {
    let (time, whole, part) = (support::moment(at), cents / 100, cents % 100);
    let optional = ",".repeat(15);
    format!(
        "{time},t{id},,o,,u{user},i,1,{whole}.{part:02},EUR,captured,c{card},10.0.0.{ip},d{device},DE\
         {optional},,{diff}\n"
    )
}

/// Payments over three days in shuffled order, and three in ten of them taken back later on.
fn arrivals(random: &mut support::Random, count: usize) -> (String, Vec<Payment>) {
    let mut log: Vec<(u64, Payment, i64)> = Vec::new();
    let mut stay = Vec::new();
    for id in 0..count {
        let keys = [40, 25, 10, 3].map(|n| random.below(n));
        // Some in bursts, so that the shortest window is not always of one.
        let at = random.below(3 * 86_400);
        let at = if random.one_in(2) { at / 7200 * 7200 + at % 120 } else { at };
        let payment = (at as i64, id, keys, random.below(90_000));
        let place = random.below(1_000_000);
        log.push((place, payment, 1));
        if random.below(10) < 3 {
            log.push((place + 1 + random.below(1_000_000), payment, -1));
        } else {
            stay.push(payment);
        }
    }
    log.sort_unstable();
    let columns = Stream::Transactions.schema().fields.iter().map(|f| f.name);
    let header = columns.chain(["_diff"]).collect::<Vec<_>>().join(",");
    let lines: String = log.iter().map(|(_, payment, diff)| line(*payment, *diff)).collect();
    (format!("{header}\n{lines}"), stay)
}

/// The view after all changes.
fn view(log: &[Change]) -> Vec<String> {
    let mut rows: BTreeMap<String, isize> = BTreeMap::new();
    for change in log {
        *rows.entry(format!("{:?}", change.row)).or_default() += change.diff;
    }
    rows.retain(|_, n| *n != 0);
    assert!(rows.values().all(|n| *n == 1));
    rows.into_keys().collect()
}

/// Every feature of every payment from the plain list, by looking at all others.
fn as_of(payments: &[Payment]) -> Vec<String> {
    let base = 1_767_571_200_000;
    let mut rows = Vec::new();
    for (at, id, keys, _) in payments {
        for (kind, (by, prefix)) in
            [("card", "c"), ("user", "u"), ("ip", "10.0.0."), ("device", "d")].iter().enumerate()
        {
            let mut row = vec![
                Value::Text(format!("t{id}").as_str().into()),
                Value::Moment(base + at * 1000),
                Value::Text((*by).into()),
                Value::Text(format!("{prefix}{}", keys[kind]).as_str().into()),
            ];
            for width in [60, 3600, 86_400] {
                let inside: Vec<u64> = payments
                    .iter()
                    .filter(|other| other.2[kind] == keys[kind])
                    .filter(|other| other.0 <= *at && other.0 > at - width)
                    .map(|other| other.3)
                    .collect();
                row.push(Value::Integer(inside.len() as i64));
                row.push(Value::Money(inside.iter().sum::<u64>() as i64));
            }
            rows.push(format!("{row:?}"));
        }
    }
    rows.sort();
    rows
}

#[test]
fn velocity_equals_an_as_of_recompute_under_shuffled_arrival_and_retractions() {
    let queries: Vec<Arc<dyn AnyQuery>> = vec![Arc::new(Velocity)];
    for seed in 0..3 {
        let mut random = support::Random(700 + seed);
        let (csv, stay) = arrivals(&mut random, 1500);
        let recorded: Recorded = support::record(Stream::Transactions, 0, &csv, 4096);
        let want = as_of(&stay);
        for workers in [1, 3] {
            let logs =
                replay(&queries, &recorded, None, support::tick(), workers).expect("it runs");
            assert!(view(&logs[0]) == want, "seed {seed}, {workers} workers");
        }
    }
}
