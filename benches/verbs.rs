//! What each verb costs against a hand-written loop on one thread over the same columns in memory.
//!
//! `cargo bench --bench verbs -- [EVENTS] [NAME...]`. A figure is the median of five ratios; in
//! each round the loop and the verb run one after the other, so that a noisy machine meets both.
//! The loops answer once, at the end; the verbs answer at every tick (`TICKS` of them), with one
//! worker.

use hashbrown::HashMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use tidemill::batch::{Batch, Column};
use tidemill::clock::{Millis, Tick, Time};
use tidemill::event::behavior::{ITEM_ID, PRICE, SESSION_ID};
use tidemill::event::{Behavior, Row, Stream};
use tidemill::lab::replay::{Cost, Recorded, cost};
use tidemill::monoid::{HyperLogLog, Members, Moments, Quantiles, Values, Weights};
use tidemill::operator::Collection;
use tidemill::query::Inputs;
use tidemill::text::Text;
use tidemill::value::{Hour, Money};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

const TICKS: usize = 100;
const ROUNDS: usize = 5;
const BATCH: usize = 16_384;
const DAYS: u64 = 30;
const ITEMS: usize = 10_000;
fn random(state: &mut u64) -> u64 {
    // splitmix64
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Items by a Zipf law: a table of its quantiles.
fn zipf() -> Vec<u16> {
    let harmonic: f64 = (1..=ITEMS).map(|i| 1.0 / i as f64).sum();
    let (size, mut share) = (1 << 16, 0.0);
    let mut table = Vec::with_capacity(size);
    for i in 1..=ITEMS {
        share += 1.0 / i as f64 / harmonic;
        let until = (share * size as f64) as usize;
        table.resize(until.max(table.len()), (i - 1) as u16);
    }
    table.resize(size, 0);
    table
}

/// Thirty days of visits: items by a Zipf law, sessions of about ten events, one event in a
/// hundred up to a day late, prices from 0 to 1310.70.
fn events(count: usize) -> Recorded {
    let (zipf, mut seed) = (zipf(), 42);
    let (span, tick) = (DAYS * 86_400_000, tick());
    let mut all = Recorded::new();
    for start in (0..count).step_by(BATCH) {
        let mut batch = Batch::new(0, start as u64, Stream::Behavior.schema().fields.len());
        let (mut sessions, mut items, mut prices) = (Vec::new(), Vec::new(), Vec::new());
        for i in start..(start + BATCH).min(count) {
            let (a, b) = (random(&mut seed), random(&mut seed));
            let clock = i as u64 * span / count as u64;
            let late = if b.is_multiple_of(100) { (b >> 32) % 86_400_000 } else { 0 };
            batch.times.push(clock.saturating_sub(late) as i64);
            sessions.push(Text::from(i as u64 / 10 + (b >> 8) % 5_000));
            items.push(Text::from(u64::from(zipf[(a & 0xFFFF) as usize])));
            prices.push(((((a >> 16) & 0xFFFF) * ((a >> 32) & 0xFFFF)) >> 15) as i64);
            batch.stamp(Time::default().after(Millis(clock), tick));
        }
        batch.columns[SESSION_ID.field] = Column::Text(sessions);
        batch.columns[ITEM_ID.field] = Column::Text(items);
        batch.columns[PRICE.field] = Column::Number(prices);
        all.push((Stream::Behavior, Arc::new(batch)));
    }
    all
}

fn tick() -> Tick {
    Tick::from_millis(DAYS * 86_400_000 / TICKS as u64).expect("not zero")
}

/// Every row of the recorded batches.
fn each(recorded: &Recorded, mut see: impl FnMut(Row<'_, Behavior>)) {
    for (_, batch) in recorded {
        (0..batch.len()).for_each(|i| see(Row::new(batch, i)));
    }
}

fn item(row: &Row<'_, Behavior>) -> u32 {
    row.item_id().as_number().unwrap_or(0) as u32
}
fn price(row: &Row<'_, Behavior>) -> i64 {
    row.price().map_or(0, |Money(price)| price)
}

/// Runs loop and verb by turns and prints the median figures.
fn compare(
    name: &str,
    recorded: &Recorded,
    by_hand: impl Fn(&Recorded) -> usize,
    verb: impl Fn(&Recorded) -> Cost,
) {
    let rows: usize = recorded.iter().map(|(_, batch)| batch.len()).sum();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        black_box(by_hand(recorded));
        let hand = began.elapsed().as_secs_f64();
        let cost = verb(recorded);
        rounds.push((cost.elapsed.as_secs_f64() / hand, hand, cost));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (least, most) = (rounds[0].0, rounds[ROUNDS - 1].0);
    let (ratio, hand, cost) = rounds[ROUNDS / 2];
    let rate = |seconds: f64| rows as f64 / seconds / 1e6;
    println!(
        "{name:<14} {ratio:>6.2} {least:>6.2} {most:>6.2} {:>9.1} {:>9.1} {:>12}",
        rate(hand),
        rate(cost.elapsed.as_secs_f64()),
        cost.changes,
    );
}

/// The cost of a dataflow with one worker.
fn flow<O: tidemill::operator::Item>(
    recorded: &Recorded,
    build: impl for<'s> Fn(&Inputs<'s>) -> Collection<'s, O> + Send + Sync + 'static,
) -> Cost {
    cost(recorded, tick(), 1, build).expect("one worker runs")
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let events_asked = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(10_000_000);
    let names: Vec<&String> = arguments.iter().filter(|a| a.parse::<usize>().is_err()).collect();
    let recorded = events(events_asked);
    println!("{events_asked} events, {TICKS} ticks; verb time / loop time, million events/s");
    println!("verb            ratio    min    max      loop      verb      changes");
    for (name, run) in VERBS {
        if names.is_empty() || names.iter().any(|n| n == name) {
            run(name, &recorded);
        }
    }
}

type Run = fn(&str, &Recorded);
const VERBS: &[(&str, Run)] = &[
    ("moments", moments),
    ("sums", sums),
    ("quantile", quantile),
    ("top_k", top_k),
    ("distinct", distinct),
    ("distinct_est", distinct_estimated),
];

/// Count, sum and sum of squares by hour.
fn moments(name: &str, recorded: &Recorded) {
    let by_hand = |recorded: &Recorded| {
        let mut hours: Table<Hour, Moments> = Table::default();
        each(recorded, |row| hours.entry(row.hour()).or_default().add(price(&row), 1));
        hours.len()
    };
    compare(name, recorded, by_hand, |recorded| {
        flow(recorded, |inputs| {
            inputs.behavior(&[PRICE]).aggregate(
                "Moments",
                |row| Some(row.hour()),
                |sums: &mut Moments, row, diff| sums.add(price(row), diff),
                |hour, sums| Some((*hour, sums.count(), sums.sum().map(|sum| sum as i64))),
            )
        })
    });
}

/// Revenue by hour and item.
fn sums(name: &str, recorded: &Recorded) {
    let by_hand = |recorded: &Recorded| {
        let mut sums: Table<(Hour, u32), i64> = Table::default();
        each(recorded, |row| *sums.entry((row.hour(), item(&row))).or_default() += price(&row));
        sums.len()
    };
    compare(name, recorded, by_hand, |recorded| {
        flow(recorded, |inputs| {
            inputs.behavior(&[ITEM_ID, PRICE]).aggregate(
                "Sums",
                |row| Some((row.hour(), item(row))),
                |sum: &mut i64, row, diff| *sum += price(row) * diff,
                |key, sum| Some((*key, *sum)),
            )
        })
    });
}

/// Median and 95th percentile by hour; the loop selects in a list per hour.
fn quantile(name: &str, recorded: &Recorded) {
    let by_hand = |recorded: &Recorded| {
        let mut hours: Table<Hour, Vec<i64>> = Table::default();
        each(recorded, |row| hours.entry(row.hour()).or_default().push(price(&row)));
        for values in hours.values_mut() {
            let n = values.len();
            black_box(*values.select_nth_unstable(n / 2).1);
            black_box(*values.select_nth_unstable(n * 95 / 100).1);
        }
        hours.len()
    };
    compare(name, recorded, by_hand, |recorded| {
        flow(recorded, |inputs| {
            inputs.behavior(&[PRICE]).aggregate(
                "Quantile",
                |row| Some(row.hour()),
                |values: &mut Values, row, diff| values.push(price(row), diff),
                |hour, values: &Quantiles| {
                    Some((*hour, values.median()?, values.percentile_nearest(95, 100)?))
                },
            )
        })
    });
}

/// The ten items of each hour with the largest revenue; the loop sorts at the end.
fn top_k(name: &str, recorded: &Recorded) {
    let by_hand = |recorded: &Recorded| {
        let mut hours: Table<Hour, Table<u32, i64>> = Table::default();
        each(recorded, |row| {
            *hours.entry(row.hour()).or_default().entry(item(&row)).or_default() += price(&row);
        });
        for items in hours.values() {
            let mut all: Vec<_> = items.iter().map(|(item, w)| (-*w, *item)).collect();
            let k = 10.min(all.len() - 1);
            all.select_nth_unstable(k);
            black_box(&all[..k]);
        }
        hours.len()
    };
    compare(name, recorded, by_hand, |recorded| {
        flow(recorded, |inputs| {
            inputs
                .behavior(&[ITEM_ID, PRICE])
                .keyed(
                    "Top",
                    |row| Some(row.hour()),
                    |items: &mut Weights<u32>, row, diff| {
                        items.add_times(item(row), price(row), diff);
                    },
                )
                .top_k(10, |hour, place| (*hour, place.rank, *place.item, place.weight))
        })
    });
}

/// Different items by hour.
fn distinct_by_hand(recorded: &Recorded) -> usize {
    let mut hours: Table<Hour, hashbrown::HashSet<u32, foldhash::fast::FixedState>> =
        Table::default();
    each(recorded, |row| {
        hours.entry(row.hour()).or_default().insert(item(&row));
    });
    hours.values().map(|items| items.len()).sum()
}

fn distinct(name: &str, recorded: &Recorded) {
    compare(name, recorded, distinct_by_hand, |recorded| {
        flow(recorded, |inputs| {
            inputs.behavior(&[ITEM_ID]).aggregate(
                "Distinct",
                |row| Some(row.hour()),
                |items: &mut Members<u32>, row, diff| items.add(item(row), diff),
                |hour, items| Some((*hour, items.distinct() as u64)),
            )
        })
    });
}

fn distinct_estimated(name: &str, recorded: &Recorded) {
    compare(name, recorded, distinct_by_hand, |recorded| {
        flow(recorded, |inputs| {
            inputs.behavior(&[ITEM_ID]).aggregate(
                "Estimate",
                |row| Some(row.hour()),
                |items: &mut HyperLogLog, row, diff| items.add_value(&item(row), diff),
                |hour, items| Some((*hour, items.estimate() as u64)),
            )
        })
    });
}
