//! Cuts a series into unbroken runs, and thins it to what a picture can show.
//!
//! A run ends where an hour is missing. A series with more than two points per column of pixels
//! keeps, in each column, its lowest and highest point in their order: the stroke covers the same
//! pixels and no extreme is lost. Gaps narrower than a column cannot be seen and do not break it.

use super::model::{Point, SLOT, Second};

/// The axis cut into columns of equal length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub first: Second,
    pub last: Second,
    pub count: usize,
}

impl Columns {
    fn index(self, at: Second) -> i64 {
        // Within i64: a calendar of 20,000 years has 10^12 seconds, and columns are thousands.
        let columns = self.count as i64;
        (at.0 - self.first.0) * columns / self.seconds()
    }

    fn seconds(self) -> i64 {
        (self.last.0 - self.first.0).max(1)
    }

    /// The longest step between neighbours that still counts as unbroken.
    fn reach(self, thinned: bool) -> i64 {
        if thinned { SLOT.max(self.seconds() / self.count.max(1) as i64) } else { SLOT }
    }
}

/// The runs of `points`, which are in order of time, thinned if there are too many.
pub(super) fn runs(points: &[Point], columns: Columns) -> Vec<Vec<Point>> {
    let thinned = points.len() > 2 * columns.count;
    let reach = columns.reach(thinned);
    let whole = points.chunk_by(|a, b| b.at.0 - a.at.0 <= reach);
    if !thinned {
        return whole.map(<[Point]>::to_vec).collect();
    }
    let thin = |run: &[Point]| {
        run.chunk_by(|a, b| columns.index(a.at) == columns.index(b.at)).flat_map(extremes).collect()
    };
    whole.map(thin).collect()
}

/// The lowest and the highest of some points, in their order.
fn extremes(column: &[Point]) -> impl Iterator<Item = Point> {
    let by_value = |a: &&Point, b: &&Point| a.value.total_cmp(&b.value);
    let low = column.iter().min_by(by_value);
    let high = column.iter().max_by(by_value);
    let (low, high) = (low.copied(), high.copied());
    let (first, second) = match (low, high) {
        (Some(l), Some(h)) if h.at < l.at => (high, low),
        _ => (low, high),
    };
    let second = second.filter(|_| first != second);
    first.into_iter().chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) % bound
        }
    }

    fn series(random: &mut Random, length: u64) -> Vec<Point> {
        let mut hour = 0;
        (0..length)
            .map(|_| {
                let gap = random.below(20) == 0;
                hour += if gap { 1 + random.below(40) as i64 } else { 1 };
                Point { at: Second(hour * SLOT), value: random.below(1000) as f64 - 500.0 }
            })
            .collect()
    }

    /// The slow twin: each column of each run, looked up afresh among all points.
    fn twin(points: &[Point], columns: Columns) -> Vec<Vec<Point>> {
        let thinned = points.len() > 2 * columns.count;
        let mut run_of = vec![0];
        for i in 1..points.len() {
            let step = points[i].at.0 - points[i - 1].at.0;
            let broken = step > SLOT
                && (!thinned || step > (columns.last.0 - columns.first.0) / columns.count as i64);
            run_of.push(run_of[i - 1] + usize::from(broken));
        }
        let mut out = vec![Vec::new(); run_of[points.len() - 1] + 1];
        for i in 0..points.len() {
            let peers = |j: &usize| {
                run_of[*j] == run_of[i]
                    && columns.index(points[*j].at) == columns.index(points[i].at)
            };
            let peers: Vec<usize> = (0..points.len()).filter(peers).collect();
            let lower = peers.iter().all(|&j| (points[j].value, j) >= (points[i].value, i));
            let higher = peers.iter().all(|&j| (points[j].value, j) <= (points[i].value, i));
            if !thinned || lower || higher {
                out[run_of[i]].push(points[i]);
            }
        }
        out
    }

    #[test]
    fn agrees_with_the_slow_twin() {
        let mut random = Random(7);
        for _ in 0..3000 {
            let length = 1 + random.below(120);
            let points = series(&mut random, length);
            let columns = Columns {
                first: points[0].at,
                last: points[points.len() - 1].at,
                count: 1 + random.below(60) as usize,
            };
            assert_eq!(runs(&points, columns), twin(&points, columns), "{columns:?}");
        }
    }

    #[test]
    fn a_missing_hour_breaks_the_run() {
        let hours = [0, 1, 2, 4, 7, 8];
        let points = hours.map(|h| Point { at: Second(h * SLOT), value: h as f64 });
        let columns = Columns { first: Second(0), last: Second(8 * SLOT), count: 800 };
        let lengths: Vec<usize> = runs(&points, columns).iter().map(Vec::len).collect();
        assert_eq!(lengths, [3, 1, 2]);
    }
}
