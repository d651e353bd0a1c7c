//! Each keyed verb equals its naive twin at every time, on random histories with disorder, late
//! items and retractions (some ahead of what they take back), with 1 and 3 workers.

mod support;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Debug;
use support::Random;
use tidemill::clock::{Millis, Time};
use tidemill::lab::replay::{Updates, replay_items};
use tidemill::monoid::{HyperLogLog, Members, Quantiles, Stretch, Summary, Values, Weights};
use tidemill::operator::{Aggregate, Collection, Item, Join, Stretches};

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

/// As [`check_counts`], for rows of which each is there once for each time the twin gives it.
fn check<O: Item>(
    verb: impl for<'s> Fn(Collection<'s, Thing>) -> Collection<'s, O> + Copy + Send + Sync + 'static,
    twin: impl Fn(&Things) -> Vec<O>,
) {
    check_counts(verb, |things| twin(things).into_iter().map(|row| (row, 1)).collect());
}

/// Runs a verb over histories and holds it against its twin at every time.
fn check_counts<O: Item>(
    verb: impl for<'s> Fn(Collection<'s, Thing>) -> Collection<'s, O> + Copy + Send + Sync + 'static,
    twin: impl Fn(&Things) -> Vec<(O, i64)>,
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
            let rows = twin(&things).into_iter();
            rows.for_each(|(row, n)| *want.entry(row).or_default() += n as isize);
            want.retain(|_, count| *count != 0);
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
                |sketch: &mut HyperLogLog, thing, diff| {
                    sketch.add_value(&(thing.1, thing.2), diff);
                },
                |key, sketch: &HyperLogLog| Some((*key, sketch.estimate().to_bits())),
            )
        },
        |things| {
            let mut rows = Vec::new();
            for (key, things) in by_key(things) {
                let mut sketch = HyperLogLog::default();
                let counts = sums(things.iter().map(|(t, count)| ((t.1, t.2), *count)));
                counts.iter().for_each(|(pair, count)| sketch.add_value(pair, *count));
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

/// The items of a stretch, one after the other.
#[derive(Clone, Default)]
struct Listed(Vec<(u32, i64)>);

impl Summary<(i64, u32)> for Listed {
    fn push(&mut self, (_, item): &(i64, u32), count: i64) {
        self.0.push((*item, count));
    }
    fn append(&mut self, next: &Self) {
        self.0.extend(&next.0);
    }
}

/// A key, the first and the last time of a stretch, and its items with their counts.
type Row = (u32, i64, i64, Vec<(u32, i64)>);

#[test]
fn stretches_are_cut_where_the_gap_is_longer() {
    check(
        |things| {
            things.map(|thing| (thing.0, (thing.1, thing.2))).stretches(
                "Stretches",
                |_| 30,
                |key, stretch: Stretch<Listed>| (*key, stretch.first, stretch.last, stretch.sum.0),
            )
        },
        |things| {
            let mut rows: Vec<Row> = Vec::new();
            for (key, things) in by_key(things) {
                let events = sums(things.iter().map(|(t, count)| ((t.1, t.2), *count)));
                for ((time, item), count) in events.into_iter().filter(|(_, count)| *count > 0) {
                    match rows.last_mut() {
                        Some(last) if last.0 == key && time - last.2 <= 30 => {
                            last.2 = time;
                            last.3.push((item, count));
                        }
                        _ => rows.push((key, time, time, vec![(item, count)])),
                    }
                }
            }
            rows
        },
    );
}

/// The things with an even item, and those with an odd one, as two sides by key.
fn sides(things: &Things) -> [BTreeMap<(u32, i64), i64>; 2] {
    [0, 1].map(|side| {
        let of_side = things.iter().filter(|(thing, _)| thing.2 % 2 == side);
        sums(of_side.map(|(thing, count)| ((thing.0, thing.1), *count)))
    })
}

#[test]
fn a_join_is_the_product_of_both_sides() {
    check_counts(
        |things| {
            let side = |odd: u32| {
                let of_side = things.clone().filter(move |thing| thing.2 % 2 == odd);
                of_side.map(|thing| (thing.0, thing.1))
            };
            side(0).inner_join("Join", side(1), |key, a, b| (a <= b).then_some((*key, *a, *b)))
        },
        |things| {
            let [left, right] = sides(things);
            let mut rows = Vec::new();
            for (&(key, a), n) in &left {
                for (&(_, b), m) in right.iter().filter(|((other, b), _)| *other == key && a <= *b)
                {
                    rows.push(((key, a, b), n * m));
                }
            }
            rows
        },
    );
}

/// Keys that have a thing with an odd item, each once.
fn odd<'s>(things: Collection<'s, Thing>) -> Collection<'s, u32> {
    things.aggregate(
        "Odd",
        |thing| (thing.2 % 2 == 1).then_some(thing.0),
        |count: &mut i64, _, diff| *count += diff,
        |key, count| (*count > 0).then_some(*key),
    )
}

/// The things of keys that do, or do not, have more odd ones than were taken back ahead.
fn among(things: &Things, are: bool) -> Vec<((u32, Thing), i64)> {
    let odd = sums(things.iter().filter(|(t, _)| t.2 % 2 == 1).map(|(t, count)| (t.0, *count)));
    let is = |key: &u32| (odd.get(key).copied().unwrap_or(0) > 0) == are;
    things.iter().filter(|(t, _)| is(&t.0)).map(|(t, count)| ((t.0, *t), *count)).collect()
}

#[test]
fn a_semi_join_keeps_the_values_of_the_keys() {
    check_counts(
        |things| things.clone().map(|t| (t.0, t)).semi_join("Among", odd(things)),
        |things| among(things, true),
    );
}

#[test]
fn an_anti_join_keeps_the_values_of_the_other_keys() {
    check_counts(
        |things| things.clone().map(|t| (t.0, t)).anti_join("NotAmong", odd(things)),
        |things| among(things, false),
    );
}
