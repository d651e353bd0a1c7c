//! Random numbers that are the same on every machine for ever.
//!
//! Everything is integer arithmetic on splitmix64, so there is no rounding to differ. A
//! generator is keyed by (seed, stream, number): two parts of the simulation never share a
//! sequence, and what one of them draws cannot shift what another sees.

/// The parts of the simulation that draw numbers, each from a sequence of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    Session = 1,
    Advert,
    Incident,
    Dirt,
    Person,
    Item,
    Day,
    Stock,
}

/// The finalizer of splitmix64: a bijection on 64 bits that scatters neighbours.
pub(super) const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A splitmix64 sequence.
#[derive(Clone, Debug)]
pub(super) struct Rng(u64);

impl Rng {
    /// The sequence for the `number`th thing of `stream`.
    pub(super) fn keyed(seed: u64, stream: Stream, number: u64) -> Self {
        let stream = (stream as u64).wrapping_mul(GOLDEN);
        Rng(mix(mix(seed ^ stream).wrapping_add(number.wrapping_mul(GOLDEN))))
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Uniform in `0..bound`, 0 for a bound of 0. The bias is below bound / 2^32.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (((self.draw() >> 32) * u64::from(bound)) >> 32) as u32
    }

    /// Uniform in `low..high` (milliseconds, usually); `low` if the range is empty.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u128::try_from(high - low).unwrap_or(0);
        low + ((u128::from(self.draw()) * span) >> 64) as i64
    }

    /// In `low..high`, crowded towards `low` (the cube of a uniform): how long people wait.
    pub(super) fn skewed(&mut self, low: i64, high: i64) -> i64 {
        let uniform = self.draw() >> 44;
        let cube = (uniform * uniform * uniform) >> 40;
        let span = u64::try_from(high - low).unwrap_or(0);
        low + ((u128::from(cube) * u128::from(span)) >> 20) as i64
    }

    pub(super) fn hits(&mut self, chance: Chance) -> bool {
        (self.draw() >> 32) < chance.0
    }

    pub(super) fn permille(&mut self, chance: u32) -> bool {
        self.below(1000) < chance
    }
}

/// A probability in steps of 2^-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chance(u64);

impl Chance {
    /// A share in 0..=1; scaling by a power of two is exact, so no platform can differ.
    pub(super) fn share(share: f64) -> Self {
        Chance((share.clamp(0.0, 1.0) * 4_294_967_296.0) as u64)
    }

    pub(super) fn is_never(self) -> bool {
        self.0 == 0
    }
}

/// Walker's alias table: one draw picks an index with probability weight / total.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    /// Per column: the mass kept (of `total`) and the index that gets the rest.
    columns: Vec<(u64, u32)>,
    total: u64,
}

impl Alias {
    /// All-integer Vose: a column holds `total` mass, weights are scaled by their number.
    pub(super) fn new(weights: &[u64]) -> Self {
        let count = weights.len() as u64;
        let total: u64 = weights.iter().sum();
        let mut mass: Vec<u64> = weights.iter().map(|weight| weight * count).collect();
        let mut columns: Vec<(u64, u32)> = (0..weights.len() as u32).map(|i| (total, i)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&i| mass[i] < total);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            columns[poor] = (mass[poor], rich as u32);
            mass[rich] -= total - mass[poor];
            if mass[rich] < total {
                large.pop();
                small.push(rich);
            }
        }
        Alias { columns, total }
    }

    /// Weights falling as 1 / (rank + shift), the Zipf-Mandelbrot law without powers.
    pub(super) fn zipf(count: u32, shift: u64) -> Self {
        let weights: Vec<u64> =
            (0..u64::from(count)).map(|rank| zipf_weight(rank, shift)).collect();
        Alias::new(&weights)
    }

    pub(super) fn pick(&self, rng: &mut Rng) -> u32 {
        let draw = rng.draw();
        let column = ((draw >> 32) * self.columns.len() as u64) >> 32;
        // column < len because draw >> 32 < 2^32.
        let (cut, alias) = self.columns[column as usize];
        let coin = ((u128::from(draw & 0xffff_ffff) * u128::from(self.total)) >> 32) as u64;
        if coin < cut { column as u32 } else { alias }
    }
}

/// The weight of a rank in [`Alias::zipf`].
pub(super) fn zipf_weight(rank: u64, shift: u64) -> u64 {
    1_000_000 / (rank + shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alias_gives_each_index_exactly_its_weight() {
        let mut rng = Rng::keyed(1, Stream::Item, 0);
        for _ in 0..2_000 {
            let weights: Vec<u64> =
                (0..=rng.below(40)).map(|_| u64::from(rng.below(90)) + 1).collect();
            let alias = Alias::new(&weights);
            let mut mass = vec![0_u64; weights.len()];
            for (index, &(cut, other)) in alias.columns.iter().enumerate() {
                mass[index] += cut;
                mass[other as usize] += alias.total - cut;
            }
            let wanted: Vec<u64> = weights.iter().map(|w| w * weights.len() as u64).collect();
            assert_eq!(mass, wanted);
        }
    }

    #[test]
    fn draws_stay_in_range_and_reach_it() {
        let mut rng = Rng::keyed(2, Stream::Day, 3);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[rng.below(7) as usize] += 1;
            assert!((-5..9).contains(&rng.between(-5, 9)));
            assert!((100..101).contains(&rng.skewed(100, 101)));
            assert!((3..1_000_000_000_000).contains(&rng.skewed(3, 1_000_000_000_000)));
        }
        assert!(seen.iter().all(|&count| (850..1150).contains(&count)), "{seen:?}");
        assert_eq!(rng.between(4, 4), 4);
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn chances_at_the_ends_are_certain() {
        let mut rng = Rng::keyed(3, Stream::Dirt, 0);
        for _ in 0..1_000 {
            assert!(rng.hits(Chance::share(1.0)));
            assert!(!rng.hits(Chance::share(0.0)));
        }
        assert!(Chance::share(0.0).is_never());
    }

    #[test]
    fn streams_do_not_repeat_each_other() {
        let first = |stream, number| Rng::keyed(7, stream, number).draw();
        assert_ne!(first(Stream::Session, 1), first(Stream::Advert, 1));
        assert_ne!(first(Stream::Session, 1), first(Stream::Session, 2));
    }
}
