//! HyperLogLog that takes retractions.
//!
//! A plain register keeps the largest rank seen, which cannot be undone. Here every
//! (register, rank) cell has a signed count of rows, and the register reads as its largest rank
//! with a positive count: after a retraction the registers are exactly those of the rows that
//! remain. Half as many values reach each next rank, so each rank is stored by itself: as a
//! sorted list while few registers have it, as an array of all registers beyond.
//!
//! The estimate is Ertl's improved raw estimator (2017), good from zero up without correction
//! tables; its standard error is 1.04 / sqrt(registers), 1.6 % at precision 12.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::{Hash, Hasher};

/// FNV-1a with the last steps of splitmix64. A sketch that was written down must know its values
/// again in another build, so this one hash is ours and stays as it is.
struct Lasting(u64);

impl Default for Lasting {
    fn default() -> Self {
        Lasting(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Lasting {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn finish(&self) -> u64 {
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// The distinct values of a stream of hashes, estimated.
#[derive(Clone, Debug)]
pub struct HyperLogLog {
    precision: Precision,
    /// By rank, from 1.
    levels: Vec<Level>,
}

/// The binary logarithm of the number of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precision(u8);

impl Default for HyperLogLog {
    /// An empty sketch of precision 12: a standard error of 1.6 %.
    fn default() -> Self {
        HyperLogLog::new(Precision(12))
    }
}

impl Precision {
    /// 4 to 18; None outside.
    pub fn new(bits: u8) -> Option<Precision> {
        (4..=18).contains(&bits).then_some(Precision(bits))
    }

    fn registers(self) -> usize {
        1 << self.0
    }

    /// The largest rank: all of the remaining bits are zero.
    fn last_rank(self) -> usize {
        65 - usize::from(self.0)
    }
}

/// The counts of one rank by register.
#[derive(Clone, Debug)]
enum Level {
    Sparse(Vec<(u32, i64)>),
    Dense { counts: Vec<i64>, used: usize },
}

impl Level {
    fn add(&mut self, register: u32, diff: i64, registers: usize) {
        match self {
            Level::Sparse(cells) => {
                match cells.binary_search_by_key(&register, |cell| cell.0) {
                    Ok(at) => {
                        cells[at].1 = cells[at].1.wrapping_add(diff);
                        if cells[at].1 == 0 {
                            cells.remove(at);
                        }
                    }
                    Err(at) => cells.insert(at, (register, diff)),
                }
                if cells.len() > registers / 4 {
                    let mut counts = vec![0; registers];
                    for &(register, count) in cells.iter() {
                        counts[register as usize] = count;
                    }
                    let used = cells.len();
                    *self = Level::Dense { counts, used };
                }
            }
            Level::Dense { counts, used } => {
                let count = &mut counts[register as usize];
                *used += usize::from(*count == 0);
                *count = count.wrapping_add(diff);
                *used -= usize::from(*count == 0);
                if *used < registers / 16 {
                    *self = Level::Sparse(self.cells());
                }
            }
        }
    }

    /// The registers with their non-zero counts, ascending.
    fn cells(&self) -> Vec<(u32, i64)> {
        match self {
            Level::Sparse(cells) => cells.clone(),
            Level::Dense { counts, .. } => {
                (0..).zip(counts.iter().copied()).filter(|&(_, count)| count != 0).collect()
            }
        }
    }
}

impl HyperLogLog {
    /// An empty sketch.
    pub fn new(precision: Precision) -> Self {
        HyperLogLog { precision, levels: Vec::new() }
    }

    /// Changes the count of a value by `diff`.
    pub fn add_value(&mut self, value: &impl Hash, diff: i64) {
        let mut hasher = Lasting::default();
        value.hash(&mut hasher);
        self.add(hasher.finish(), diff);
    }

    /// Changes the count of the value with this hash by `diff`. All 64 bits must be well mixed.
    pub fn add(&mut self, hash: u64, diff: i64) {
        let bits = u32::from(self.precision.0);
        // The upper bits name the register, which is below 2^18.
        let register = (hash >> (64 - bits)) as u32;
        // A set bit behind the rest keeps the rank at most `last_rank`.
        let rest = (hash << bits) | (1 << (bits - 1));
        self.add_cell(rest.leading_zeros() as usize, register, diff);
    }

    /// Adds the rows of `other`; returns false, changing nothing, when the precisions differ.
    #[must_use]
    pub fn merge(&mut self, other: &HyperLogLog) -> bool {
        if self.precision != other.precision {
            return false;
        }
        for (level, register, count) in other.cells() {
            self.add_cell(usize::from(level), register, count);
        }
        true
    }

    /// The estimated number of distinct values.
    pub fn estimate(&self) -> f64 {
        let m = self.precision.registers() as f64;
        let last = self.precision.last_rank();
        // How many registers read as each rank.
        let mut by_rank = vec![0u32; last + 1];
        for rank in self.registers() {
            by_rank[usize::from(rank)] += 1;
        }
        let share = |rank: usize| f64::from(by_rank[rank]) / m;
        let mut z = m * tau(1.0 - share(last));
        for rank in (1..last).rev() {
            z = 0.5 * (z + f64::from(by_rank[rank]));
        }
        z += m * sigma(share(0));
        m * m / (2.0 * std::f64::consts::LN_2 * z)
    }

    /// What each register reads: its largest rank with a positive count, or zero.
    fn registers(&self) -> Vec<u8> {
        let mut registers = vec![0; self.precision.registers()];
        // Ranks ascend, so the largest is written last.
        for (rank, level) in (1..).zip(&self.levels) {
            for (register, count) in level.cells() {
                if count > 0 {
                    registers[register as usize] = rank;
                }
            }
        }
        registers
    }

    /// Whether every count is zero.
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// Bytes held, this struct included.
    pub fn memory(&self) -> usize {
        let level = |level: &Level| match level {
            Level::Sparse(cells) => cells.capacity() * size_of::<(u32, i64)>(),
            Level::Dense { counts, .. } => counts.capacity() * size_of::<i64>(),
        };
        size_of::<Self>()
            + self.levels.capacity() * size_of::<Level>()
            + self.levels.iter().map(level).sum::<usize>()
    }

    /// (rank - 1, register, count) of every non-zero cell, in order.
    fn cells(&self) -> Vec<(u8, u32, i64)> {
        (0..)
            .zip(&self.levels)
            .flat_map(|(level, cells)| {
                let cells = cells.cells().into_iter();
                cells.map(move |(register, count)| (level, register, count))
            })
            .collect()
    }

    fn add_cell(&mut self, level: usize, register: u32, diff: i64) {
        if diff == 0 {
            return;
        }
        if self.levels.len() <= level {
            self.levels.resize(level + 1, Level::Sparse(Vec::new()));
        }
        self.levels[level].add(register, diff, self.precision.registers());
        while let Some(Level::Sparse(cells)) = self.levels.last()
            && cells.is_empty()
        {
            self.levels.pop();
        }
    }
}

/// Ertl's sigma: what registers that were never hit add.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

/// Ertl's tau: what registers at the last rank add.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

impl PartialEq for HyperLogLog {
    fn eq(&self, other: &Self) -> bool {
        self.precision == other.precision && self.cells() == other.cells()
    }
}

impl Eq for HyperLogLog {}

impl Serialize for HyperLogLog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.precision.0, self.cells()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for HyperLogLog {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (bits, cells) = <(u8, Vec<(u8, u32, i64)>)>::deserialize(deserializer)?;
        let precision = Precision::new(bits).ok_or_else(|| {
            serde::de::Error::custom(format!("HyperLogLog precision {bits} is outside 4..=18"))
        })?;
        let mut read = HyperLogLog::new(precision);
        for (level, register, count) in cells {
            let level = usize::from(level);
            if level >= precision.last_rank() || register as usize >= precision.registers() {
                let text = format!("HyperLogLog cell {level}/{register} is outside the sketch");
                return Err(serde::de::Error::custom(text));
            }
            read.add_cell(level, register, count);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Random;
    use super::*;
    use std::collections::BTreeMap;

    fn sketch(bits: u8) -> HyperLogLog {
        HyperLogLog::new(Precision::new(bits).unwrap())
    }

    /// Registers by the words of the paper, from the rows that remain.
    fn twin_registers(rows: &BTreeMap<u64, i64>, bits: u32) -> BTreeMap<u32, u32> {
        let mut cells: BTreeMap<(u32, u32), i64> = BTreeMap::new();
        for (&hash, &count) in rows {
            let zeros = (0..64 - bits).take_while(|at| hash >> (63 - bits - at) & 1 == 0);
            let cell = ((hash >> (64 - bits)) as u32, zeros.count() as u32 + 1);
            *cells.entry(cell).or_default() += count;
        }
        cells.retain(|_, count| *count > 0);
        // Ascending ranks, so the largest of each register stays.
        cells.into_keys().collect()
    }

    fn registers(state: &HyperLogLog) -> BTreeMap<u32, u32> {
        let read = (0..).zip(state.registers());
        read.filter(|&(_, rank)| rank > 0).map(|(register, rank)| (register, rank.into())).collect()
    }

    #[test]
    fn registers_are_those_of_the_remaining_rows_in_any_order() {
        let mut random = Random(71);
        for _ in 0..1_500 {
            let bits = random.between(4, 8) as u8;
            let mut rows: BTreeMap<u64, i64> = BTreeMap::new();
            let mut updates = Vec::new();
            for _ in 0..random.below(400) {
                // Shifted right at times, for large ranks.
                let shift = random.below(2) * random.below(64);
                let hash = random.bits() >> shift;
                updates.push((hash, random.between(-1, 2)));
                if random.below(2) == 0 {
                    let other = random.bits();
                    updates.extend([(other, -1), (other, 1)]);
                }
            }
            let mut state = sketch(bits);
            for &(hash, diff) in &updates {
                state.add(hash, diff);
                *rows.entry(hash).or_default() += diff;
            }
            assert_eq!(registers(&state), twin_registers(&rows, bits.into()));
            random.shuffle(&mut updates);
            let (mut left, mut right) = (sketch(bits), sketch(bits));
            for (at, &(hash, diff)) in updates.iter().enumerate() {
                let half = if at % 2 == 0 { &mut left } else { &mut right };
                half.add(hash, diff);
            }
            assert!(left.merge(&right));
            assert_eq!(state, left);
            assert_eq!(state.estimate().to_bits(), left.estimate().to_bits());
            let bytes = bincode::serialize(&state).unwrap();
            assert_eq!(bytes, bincode::serialize(&left).unwrap());
            assert_eq!(state, bincode::deserialize(&bytes).unwrap());
            for &(hash, diff) in &updates {
                state.add(hash, -diff);
            }
            assert!(state.is_empty());
            assert!(state.memory() < 5_000);
            assert_eq!(state.estimate(), 0.0);
        }
        assert!(!sketch(4).merge(&sketch(5)));
    }

    #[test]
    fn the_error_is_the_documented_one() {
        let mut random = Random(72);
        for distinct in [10usize, 1_000, 5_000, 50_000] {
            let (bits, rounds) = (10, 60);
            let mut squares = 0.0;
            for _ in 0..rounds {
                let mut state = sketch(bits);
                (0..distinct).for_each(|_| state.add(random.bits(), 1));
                squares += (state.estimate() / distinct as f64 - 1.0).powi(2);
            }
            let error = (squares / f64::from(rounds)).sqrt();
            let documented = 1.04 / 1024f64.sqrt();
            // 60 rounds know a standard error to about a tenth.
            assert!(error < 1.3 * documented, "{distinct}: {error} {documented}");
        }
    }
}
