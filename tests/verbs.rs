//! Each keyed verb equals its naive twin at every time, on random histories with disorder, late
//! items and retractions (some ahead of what they take back), with 1 and 3 workers.

mod support;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use support::Random;
use tidemill::clock::{Millis, Time};
use tidemill::lab::replay::{Updates, replay_items};
use tidemill::monoid::{Bag, Dated, Hashes, HyperLogLog, Members, Quantiles, Values, Weights};
use tidemill::operator::{Aggregate, Collection, Item};

/// An item of the histories: a key, an event time, an item and a number.
type Thing = (u32, i64, u32, i64);

/// A multiset of things.
type Things = BTreeMap<Thing, i64>;

fn history(seed: u64) -> Updates<Thing> {
    let mut random = Random(seed);
    let (keys, items) = (1 + random.below(4), 1 + random.below(12));
    let spread = [3, 40, 2_000][random.below(3) as usize];
    let (mut sent, mut out, mut now) = (Vec::new(), Vec::new(), 0);
    for step in 0..400 {
        now += random.below(spread);
        let stamp = Time::default().after(Millis(1 + step / 9), support::tick());
        if !sent.is_empty() && random.one_in(4) {
            let gone: Thing = sent.swap_remove(random.below(sent.len() as u64) as usize);
            out.push((gone, stamp, -1));
            continue;
        }
        let late = if random.one_in(6) { random.below(1 + now) } else { random.below(spread) };
        let thing = (
            random.below(keys) as u32,
            (now - late.min(now)) as i64,
            random.below(items) as u32,
            random.below(9) as i64 - 2,
        );
        if random.one_in(9) {
            // Taken back before it is there.
            let later = Time::default().after(Millis(3 + step / 9), support::tick());
            out.push((thing, stamp, -1));
            out.push((thing, later, 1));
        } else {
            out.push((thing, stamp, 1));
            sent.push(thing);
        }
    }
    // Nothing at all is left in the end of every third history.
    if seed.is_multiple_of(3) {
        let end = Time::default().after(Millis(1_000), support::tick());
        out.extend(sent.into_iter().map(|thing| (thing, end, -1)));
    }
    out.sort_by_key(|(_, time, _)| *time);
    out
}

/// Runs a verb over histories and holds it against its twin at every time.
fn check<O: Item>(
    verb: impl for<'s> Fn(Collection<'s, Thing>) -> Collection<'s, O> + Copy + Send + Sync + 'static,
    twin: impl Fn(&Things) -> Vec<O>,
) {
    for seed in 0..12 {
        let history = history(seed);
        let one = replay_items(&history, 1, verb).expect("one worker runs");
        let three = replay_items(&history, 3, verb).expect("three workers run");
        assert!(one == three, "3 workers differ from 1 (seed {seed})");
        let mut times: Vec<Time> = history.iter().map(|(_, time, _)| *time).collect();
        times.dedup();
        let (mut things, mut view) = (Things::new(), BTreeMap::<O, isize>::new());
        let (mut items, mut changes) = (history.iter().peekable(), one.iter().peekable());
        for time in times {
            while let Some((thing, _, diff)) = items.next_if(|(_, at, _)| *at <= time) {
                *things.entry(*thing).or_default() += *diff as i64;
            }
            things.retain(|_, count| *count != 0);
            while let Some((row, _, diff)) = changes.next_if(|(_, at, _)| *at <= time) {
                *view.entry(row.clone()).or_default() += diff;
            }
            view.retain(|_, count| *count != 0);
            let mut want = BTreeMap::<O, isize>::new();
            twin(&things).into_iter().for_each(|row| *want.entry(row).or_default() += 1);
            assert!(view == want, "{time:?} (seed {seed})\n verb: {view:?}\n twin: {want:?}");
        }
        assert!(changes.next().is_none());
    }
}

/// The things of each key.
fn by_key(things: &Things) -> BTreeMap<u32, Vec<(Thing, i64)>> {
    let mut keys: BTreeMap<u32, Vec<(Thing, i64)>> = BTreeMap::new();
    things
        .iter()
        .for_each(|(thing, count)| keys.entry(thing.0).or_default().push((*thing, *count)));
    keys
}

/// Sums of an amount by an order.
fn sums<T: Ord + Debug>(amounts: impl IntoIterator<Item = (T, i64)>) -> BTreeMap<T, i64> {
    let mut sums = BTreeMap::new();
    amounts.into_iter().for_each(|(item, amount)| *sums.entry(item).or_default() += amount);
    sums.retain(|_, sum| *sum != 0);
    sums
}

#[test]
fn aggregate_with_many_keys_is_a_sum_by_key() {
    check(
        |things| {
            things.aggregate(
                "Sums",
                |(key, time, item, _)| Some((*key, *time, *item)),
                |sum: &mut i64, thing, diff| *sum += thing.3 * diff,
                |key, sum| (*sum != 0).then_some((*key, *sum)),
            )
        },
        |things| {
            let amounts = things.iter().map(|(t, count)| ((t.0, t.1, t.2), t.3 * count));
            sums(amounts).into_iter().collect()
        },
    );
}

#[test]
fn quantile_is_a_rank_of_the_sorted_values() {
    check(
        |things| {
            things.aggregate(
                "Quantile",
                |thing| Some(thing.0),
                |values: &mut Values, thing, diff| values.push(thing.1, diff),
                |key, values: &Quantiles| {
                    Some((*key, values.median()?, values.percentile_nearest(95, 100)?))
                },
            )
        },
        |things| {
            let mut rows = Vec::new();
            for (key, things) in by_key(things) {
                let counts = sums(things.iter().map(|(t, count)| (t.1, *count)));
                let total: i64 = counts.values().sum();
                // The first value at which more than `rank` are counted.
                let at = |rank: i64| {
                    let mut passed = 0;
                    counts.iter().find_map(|(value, count)| {
                        passed += count;
                        (passed > rank).then_some(*value)
                    })
                };
                if total > 0 {
                    let p95 = (total * 95 + 99) / 100 - 1;
                    let row = (at((total - 1) / 2), at(total / 2), at(p95));
                    if let (Some(low), Some(high), Some(p95)) = row {
                        rows.push((key, (low, high), p95));
                    }
                }
            }
            rows
        },
    );
}

#[test]
fn top_k_is_the_head_of_a_full_sort() {
    check(
        |things| {
            things
                .keyed(
                    "Top",
                    |thing| Some(thing.0),
                    |items: &mut Weights<u32>, thing, diff| items.add_times(thing.2, thing.3, diff),
                )
                .top_k(3, |key, place| (*key, place.rank, *place.item, place.weight))
        },
        |things| {
            let mut rows = Vec::new();
            for (key, things) in by_key(things) {
                let weights = sums(things.iter().map(|(t, count)| (t.2, t.3 * count)));
                let mut weights: Vec<_> = weights.into_iter().filter(|(_, w)| *w > 0).collect();
                weights.sort_by_key(|(item, weight)| (Reverse(*weight), *item));
                let places = (1..).zip(weights).take(3);
                rows.extend(
                    places.map(|(rank, (item, weight))| (key, rank, item, i128::from(weight))),
                );
            }
            rows
        },
    );
}

#[test]
fn cooccur_is_all_pairs_of_the_newest_items() {
    check(
        |things| {
            things
                .keyed(
                    "Pairs",
                    |thing| Some(thing.0),
                    |events: &mut Bag<(i64, u32)>, thing, diff| {
                        events.add((thing.1, thing.2), diff)
                    },
                )
                .cooccur(5)
        },
        |things| {
            let mut rows = Vec::new();
            for (_, things) in by_key(things) {
                let events = sums(things.iter().map(|(t, count)| ((t.1, t.2), *count)));
                let events = events.into_iter().rev().filter(|(_, count)| *count > 0);
                let items: BTreeSet<u32> = events.take(5).map(|((_, item), _)| item).collect();
                for a in &items {
                    rows.extend(items.iter().filter(|b| a < b).map(|b| (*a, *b)));
                }
            }
            rows
        },
    );
}

#[test]
fn distinct_is_the_size_of_a_set() {
    check(
        |things| {
            things.aggregate(
                "Distinct",
                |thing| Some(thing.0),
                |items: &mut Members<u32>, thing, diff| items.add(thing.2, diff),
                |key, items| (items.distinct() > 0).then_some((*key, items.distinct() as u64)),
            )
        },
        |things| {
            let keys = by_key(things).into_iter().map(|(key, things)| {
                let counts = sums(things.iter().map(|(t, count)| (t.2, *count)));
                (key, counts.values().filter(|count| **count > 0).count() as u64)
            });
            keys.filter(|(_, distinct)| *distinct > 0).collect()
        },
    );
}

#[test]
fn distinct_estimated_is_a_function_of_what_remains() {
    check(
        |things| {
            things.aggregate(
                "Estimate",
                |thing| Some(thing.0),
                |hashes: &mut Hashes, thing, diff| hashes.add(&(thing.1, thing.2), diff),
                |key, sketch: &HyperLogLog| Some((*key, sketch.estimate().to_bits())),
            )
        },
        |things| {
            let mut rows = Vec::new();
            for (key, things) in by_key(things) {
                let mut hashes = Hashes::default();
                let counts = sums(things.iter().map(|(t, count)| ((t.1, t.2), *count)));
                counts.iter().for_each(|(pair, count)| hashes.add(pair, *count));
                let mut sketch = HyperLogLog::default();
                <Hashes as tidemill::monoid::Group>::absorb(&mut sketch, hashes);
                if !counts.is_empty() {
                    // So few values are told apart nearly always.
                    let positive = counts.values().filter(|count| **count > 0).count() as f64;
                    assert!((sketch.estimate() - positive).abs() <= 3.0 + positive / 10.0);
                    rows.push((key, sketch.estimate().to_bits()));
                }
            }
            rows
        },
    );
}

#[test]
fn sessionize_cuts_where_the_gap_is_longer() {
    check(
        |things| {
            things
                .keyed(
                    "Sessions",
                    |thing| Some(thing.0),
                    |events: &mut Bag<(i64, u32)>, thing, diff| {
                        events.add((thing.1, thing.2), diff)
                    },
                )
                .sessionize(Millis(30), |key, session| {
                    let items = session.events.iter().map(|((_, item), _)| *item).collect();
                    (*key, session.start(), session.end(), session.count(), items)
                })
        },
        |things| {
            let mut rows: Vec<(u32, i64, i64, i64, Vec<u32>)> = Vec::new();
            for (key, things) in by_key(things) {
                let events = sums(things.iter().map(|(t, count)| ((t.1, t.2), *count)));
                for ((time, item), count) in events.into_iter().filter(|(_, count)| *count > 0) {
                    match rows.last_mut() {
                        Some(last) if last.0 == key && time - last.2 <= 30 => {
                            last.2 = time;
                            last.3 += count;
                            last.4.push(item);
                        }
                        _ => rows.push((key, time, time, count, vec![item])),
                    }
                }
            }
            rows
        },
    );
}

#[test]
fn sliding_adds_up_the_last_span() {
    check(
        |things| {
            things
                .keyed(
                    "Sliding",
                    |thing| Some(thing.0),
                    |log: &mut Bag<Dated<u64>>, &(_, time, item, value), diff| {
                        log.add(Dated { time, item: u64::from(item), value }, diff);
                    },
                )
                .sliding(Millis(50), |key, event, totals| {
                    (*key, *event, (totals.count, totals.sum as i64))
                })
        },
        |things| {
            let mut rows = Vec::new();
            for (key, things) in by_key(things) {
                let totals = |at: i64| {
                    let within = things.iter().filter(|(t, _)| at - 50 < t.1 && t.1 <= at);
                    within.fold((0, 0), |(n, sum), (t, count)| (n + count, sum + t.3 * count))
                };
                for &((_, time, item, value), count) in &things {
                    if count > 0 {
                        let event = Dated { time, item: u64::from(item), value };
                        rows.push((key, event, totals(time)));
                    }
                }
            }
            rows
        },
    );
}
