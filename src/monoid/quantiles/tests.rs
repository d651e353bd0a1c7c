//! `Quantiles` against a plain ordered map of counts.

use super::super::testing::Random;
use super::*;

#[derive(Default)]
struct Twin(BTreeMap<i64, i64>);

impl Twin {
    fn add(&mut self, value: i64, diff: i64) {
        let count = self.0.entry(value).or_default();
        *count += diff;
        if *count == 0 {
            self.0.remove(&value);
        }
    }

    fn total(&self) -> i64 {
        self.0.values().sum()
    }

    fn select(&self, rank: i64) -> Option<i64> {
        if self.total() <= 0 {
            return None;
        }
        let mut passed = 0;
        self.0.iter().find_map(|(&value, &count)| {
            passed += count;
            (passed > rank).then_some(value)
        })
    }

    /// The expanded rows; only for counts that are all positive.
    fn rows(&self) -> Vec<i64> {
        let repeat = |(&value, &count): (&i64, &i64)| vec![value; count as usize];
        self.0.iter().flat_map(repeat).collect()
    }
}

fn check(state: &Quantiles, twin: &Twin, random: &mut Random) {
    assert_eq!(state.total(), twin.total());
    assert!(state.iter().eq(twin.0.iter().map(|(&v, &c)| (v, c))));
    assert_eq!(state.is_empty(), twin.0.is_empty());
    let total = twin.total().max(1);
    for _ in 0..8 {
        let rank = random.between(0, total + 1);
        assert_eq!(state.select(rank as u64), twin.select(rank), "rank {rank}");
    }
    let middle = (twin.select((total - 1) / 2), twin.select(total / 2));
    assert_eq!(state.median(), middle.0.zip(middle.1));
}

/// A value drawn from a range that fits the round: few distinct, many, or all of `i64`.
fn draw(random: &mut Random, kind: u64) -> i64 {
    match kind % 4 {
        0 => random.between(-5, 5),
        1 => random.between(0, 300) * 100 + 99,
        2 => random.between(-100_000, 1_000_000),
        _ => random.bits() as i64 >> random.below(64),
    }
}

#[test]
fn agrees_with_a_map_of_counts() {
    let mut random = Random(1);
    for round in 0..400 {
        let (mut state, mut twin) = (Quantiles::default(), Twin::default());
        let mut seen = Vec::new();
        let most = 1 << random.below(12);
        for step in 0..most {
            let value = match random.below(3) {
                0 if !seen.is_empty() => seen[random.below(seen.len() as u64) as usize],
                _ => draw(&mut random, round),
            };
            let diff = match random.below(16) {
                0 => random.between(-4, 4),
                // Every other round is short of negative counts so that the tree grows.
                1..=3 => {
                    let held = twin.0.get(&value).copied().unwrap_or(0);
                    if round % 8 < 4 || held > 0 { -1 } else { 1 }
                }
                _ => 1,
            };
            seen.push(value);
            state.add(value, diff);
            twin.add(value, diff);
            if step % 61 == 0 {
                let burst: Vec<i64> =
                    (0..random.below(60)).map(|_| draw(&mut random, round)).collect();
                state.extend(&burst);
                burst.iter().for_each(|&value| twin.add(value, 1));
                check(&state, &twin, &mut random);
            }
        }
        check(&state, &twin, &mut random);
        // Takes nearly everything back: buckets join, the tree becomes small again.
        let held: Vec<_> = twin.0.iter().map(|(&v, &c)| (v, c)).collect();
        for (at, &(value, count)) in held.iter().enumerate() {
            if at % 97 != 0 {
                state.add(value, -count);
                twin.add(value, -count);
            }
        }
        check(&state, &twin, &mut random);
        for (value, count) in twin.0 {
            state.add(value, -count);
        }
        assert!(state.is_empty());
        assert!(state.memory() < 2_000, "{} bytes", state.memory());
    }
}

#[test]
fn order_of_updates_leaves_no_trace() {
    let mut random = Random(2);
    for round in 0..300 {
        let mut updates: Vec<(i64, i64)> = Vec::new();
        for _ in 0..random.below(3_000) {
            let value = draw(&mut random, round);
            updates.push((value, random.between(-1, 2)));
            if random.below(3) == 0 {
                // A pair that cancels: in one of the orders the retraction comes first.
                let other = draw(&mut random, round);
                updates.extend([(other, 1), (other, -1)]);
            }
        }
        let build = |updates: &[(i64, i64)]| {
            let mut state = Quantiles::default();
            updates.iter().for_each(|&(v, d)| state.add(v, d));
            state
        };
        let first = build(&updates);
        random.shuffle(&mut updates);
        let second = build(&updates);
        let (left, right) = updates.split_at(updates.len() / 3);
        let mut merged = build(left);
        merged.merge(&build(right));
        let mut delta = Values::default();
        updates.iter().for_each(|&(v, d)| delta.push(v, d));
        let mut absorbed = Quantiles::default();
        absorbed.absorb(&delta);
        let bytes = bincode::serialize(&first).unwrap();
        for other in [&second, &merged, &absorbed] {
            assert_eq!(&first, other);
            assert_eq!(bytes, bincode::serialize(other).unwrap());
            assert_eq!(first.median(), other.median());
        }
        let read: Quantiles = bincode::deserialize(&bytes).unwrap();
        assert_eq!(first, read);
        assert_eq!(first.median(), read.median());
    }
}

#[test]
fn percentiles_follow_their_definitions() {
    let mut random = Random(3);
    for round in 0..500 {
        let (mut state, mut twin) = (Quantiles::default(), Twin::default());
        for _ in 0..=random.below(200) {
            let value = draw(&mut random, round);
            state.add(value, 1);
            twin.add(value, 1);
        }
        let rows = twin.rows();
        let denominator = random.between(1, 1000) as u64;
        let numerator = random.below(denominator + 1);
        // Nearest rank by its words: the smallest row with enough rows at or below it.
        let nearest = (1..=rows.len() as u64)
            .find(|&at| at * denominator >= numerator * rows.len() as u64)
            .map(|at| rows[at as usize - 1]);
        assert_eq!(state.percentile_nearest(numerator, denominator), nearest);
        let got = state.percentile_linear(numerator, denominator).unwrap();
        let position = (rows.len() as u64 - 1) * numerator;
        let low = (position / denominator) as usize;
        assert_eq!(got.low, rows[low]);
        assert_eq!(got.numerator, position % denominator);
        assert_eq!(got.denominator, denominator);
        let exact = got.numerator == 0;
        assert_eq!(got.high, if exact { rows[low] } else { rows[low + 1] });
    }
    // numpy.percentile([10, 20, 30, 40], 40) is 22.0.
    let mut state = Quantiles::default();
    state.extend(&[40, 10, 30, 20]);
    let got = state.percentile_linear(40, 100).unwrap();
    assert_eq!((got.low, got.high, got.numerator), (20, 30, 20));
    assert_eq!(state.percentile_linear(2, 1), None);
    assert_eq!(state.percentile_nearest(0, 0), None);
}

#[test]
fn large_trees_and_extremes_do_not_panic() {
    let mut random = Random(4);
    let mut values: Vec<i64> = (0..120_000).map(|_| random.bits() as i64).collect();
    values.extend([i64::MIN, i64::MAX, 0, -1]);
    let mut state = Quantiles::default();
    state.extend(&values);
    let full = state.memory();
    assert!(full < values.len() * 24, "{full} bytes");
    let shuffled = values.clone();
    values.sort_unstable();
    for at in (0..values.len()).step_by(997) {
        assert_eq!(state.select(at as u64), Some(values[at]));
    }
    shuffled.iter().for_each(|&value| state.add(value, -1));
    assert!(state.is_empty());
    assert!(state.memory() < full / 10, "{} of {full}", state.memory());
    for diff in [i64::MAX, i64::MAX, i64::MIN, i64::MIN, -1, 7, i64::MIN] {
        state.add(3, diff);
        state.add(i64::MAX, diff);
        let _ = (state.median(), state.select(u64::MAX), state.percentile_nearest(1, 2));
    }
}

/// Many rows in a narrow range with some far away: windows are opened, moved and given up.
#[test]
fn dense_windows_agree_with_a_map_of_counts() {
    let mut random = Random(23);
    let (mut opened, mut given_up) = (0, 0);
    for round in 0..60 {
        let (mut state, mut twin) = (Quantiles::default(), Twin::default());
        let (base, width) = (random.between(-5_000, 5_000), random.between(2, 4_000));
        let mut held: Vec<i64> = Vec::new();
        for step in 0..40 {
            let before = state.dense.is_some();
            // The range moves over time; a few values are far away, some retractions come early.
            let drift = if round % 3 == 0 { step * width / 4 } else { 0 };
            let mut burst = Values::default();
            for _ in 0..random.between(1, 400) {
                let far = random.below(200) == 0;
                let spread = if far { 10_000_000 } else { width };
                let value = base + drift + random.between(-spread, spread);
                burst.push(value, 1);
                twin.add(value, 1);
                held.push(value);
            }
            let leaving = if step > 25 { held.len() / 4 } else { random.below(40) as usize };
            for _ in 0..leaving.min(held.len()) {
                let value = held.swap_remove(random.below(held.len() as u64) as usize);
                burst.push(value, -1);
                twin.add(value, -1);
            }
            if random.below(5) == 0 {
                let value = base + random.between(-width, width);
                burst.push(value, -3);
                twin.add(value, -3);
            }
            state.absorb(&burst);
            check(&state, &twin, &mut random);
            opened += usize::from(!before && state.dense.is_some());
            given_up += usize::from(before && state.dense.is_none());
        }
    }
    assert!(opened > 20 && given_up > 5, "{opened} opened, {given_up} given up: nothing is shown");
}

#[test]
fn a_value_too_frequent_for_a_window_moves_to_the_tree() {
    let mut state = Quantiles::default();
    state.extend(&(0..1000).collect::<Vec<i64>>());
    assert!(state.dense.is_some());
    for _ in 0..200 {
        state.extend(&[7; 1000]);
    }
    assert_eq!((state.total(), state.median()), (201_000, Some((7, 7))));
    assert_eq!(state.select(200_999), Some(999));
    state.add(7, -200_001);
    assert_eq!(state.iter().count(), 999);
}
