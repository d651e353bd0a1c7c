//! Scales with round ticks, and numbers as short text.
//!
//! A scale starts and ends on a multiple of its step, so every value lies within it and both ends
//! are labelled. Labels carry as many decimals as the step needs: two ticks never read the same.

/// A stretch of values and its ticks.
#[derive(Debug)]
pub(super) struct Scale {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

/// The smallest and largest value, and whether all are whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    pub min: f64,
    pub max: f64,
    pub whole: bool,
}

impl Extent {
    /// The extent of some values, none if there are none.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        values.fold(None, |extent: Option<Self>, value| {
            let whole = value.fract() == 0.0;
            Some(match extent {
                None => Self { min: value, max: value, whole },
                Some(e) => {
                    Self { min: e.min.min(value), max: e.max.max(value), whole: e.whole && whole }
                }
            })
        })
    }
}

impl Scale {
    /// A scale from zero through all values, for bars.
    pub(super) fn from_zero(extent: Extent, steps: f64) -> Self {
        let (min, max) = (extent.min.min(0.0), extent.max.max(0.0));
        Self::round(Extent { min, max, ..extent }, steps)
    }

    /// A scale around the values, for lines: from zero unless that would flatten the curve.
    pub(super) fn around(extent: Extent, steps: f64) -> Self {
        let Extent { min, max, .. } = extent;
        let flat = max - min <= max.abs().max(min.abs()) * 1e-9;
        let near_zero = min.abs().min(max.abs()) <= max.abs().max(min.abs()) / 2.0;
        if flat || near_zero { Self::from_zero(extent, steps) } else { Self::round(extent, steps) }
    }

    fn round(extent: Extent, steps: f64) -> Self {
        let Extent { min, max, whole } = extent;
        // All zeros, or so small that powers of ten run out: any stretch shows the flat line.
        let span = if max - min < 1e-290 { 1.0 } else { max - min };
        let max = min + span;
        let step = step(span / steps.max(1.0), whole);
        let (first, last) = ((min / step).floor(), (max / step).ceil());
        // At most a dozen: the step is at least a fraction 1/steps of the span.
        let count = (last - first).clamp(1.0, 64.0) as i32;
        let places: Vec<f64> = (0..=count).map(|i| (first + f64::from(i)) * step).collect();
        let labels = labels(&places, step);
        Self {
            low: first * step,
            high: (first + f64::from(count)) * step,
            ticks: places.into_iter().zip(labels).collect(),
        }
    }

    /// A scale of powers of ten around decimal logarithms, for a curve over orders of magnitude.
    pub(super) fn logarithmic(extent: Extent, steps: f64) -> Self {
        // Between the least and the greatest number there are 617 powers of ten.
        let low = extent.min.floor().clamp(-308.0, 307.0);
        let high = extent.max.ceil().clamp(low + 1.0, 308.0);
        let skip = ((high - low) / steps.max(1.0)).ceil().max(1.0) as usize;
        let between: &[f64] = if (high - low) * 3.0 <= steps { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let powers = (low as i32..=high as i32).step_by(skip);
        let places = powers.flat_map(|p| between.iter().map(move |f| f * 10f64.powi(p)));
        let tick = |place: f64| (place.log10(), labels(&[place], place).concat());
        let ticks = places.map(tick).filter(|(at, _)| *at <= high + 1e-9).collect();
        Self { low, high, ticks }
    }

    /// A scale of shares below one, given by how many nines they begin with: 0.99 by 2.
    pub(super) fn nines(extent: Extent) -> Self {
        // Sixteen digits are what a share has; at most a dozen and a half ticks.
        let high = extent.max.ceil().clamp(1.0, 16.0);
        let one = |n: usize| {
            (n as f64, format!("{:.*}%", n.saturating_sub(2), 100.0 - 10f64.powi(2 - n as i32)))
        };
        let half = (2f64.log10(), "50%".to_owned());
        let ticks = [(0.0, "0%".to_owned()), half].into_iter().chain((1..=high as usize).map(one));
        Self { low: 0.0, high, ticks: ticks.collect() }
    }

    /// Where a value lies, 0 at the low end and 1 at the high end.
    pub(super) fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// The smallest round step not below `least`.
fn step(least: f64, whole: bool) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
    let fits = |&step: &f64| step >= least * 0.999_999;
    let step = round.into_iter().find(fits).unwrap_or(10.0 * power);
    match whole {
        true if step <= 1.0 => 1.0,
        true if step == 2.5 => 5.0,
        _ => step,
    }
}

const UNITS: [(f64, &str); 5] = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")];

/// Labels for ticks `step` apart: `2,500`, `1.2M`, `0.05`, `3e-7`.
fn labels(places: &[f64], step: f64) -> Vec<String> {
    let largest = places.iter().fold(0.0, |max: f64, p| max.max(p.abs()));
    // The largest unit that does not push the differences far behind the point.
    let readable = |&(size, _): &(f64, &str)| largest >= size && decimals_of(step / size) <= 3;
    let (size, suffix) = UNITS.into_iter().find(readable).unwrap_or((1.0, ""));
    let decimals = decimals_of(step / size);
    let one = |&place: &f64| {
        if place == 0.0 {
            "0".to_owned()
        } else if largest >= 1e21 || step < 1e-6 {
            minus(format!("{:.*e}", exponent_digits(largest, step), place))
        } else {
            format!("{}{suffix}", grouped(place / size, decimals))
        }
    };
    places.iter().map(one).collect()
}

/// Digits after the point so that ticks a step apart differ when written with an exponent.
fn exponent_digits(largest: f64, step: f64) -> usize {
    let digits = (largest / step).log10().floor().clamp(0.0, 16.0);
    digits as usize + 1
}

/// Digits after the point that write a round step exactly.
fn decimals_of(step: f64) -> usize {
    let exact = |digits: &i32| {
        let scaled = step * 10f64.powi(*digits);
        scaled > 0.5 && (scaled - scaled.round()).abs() < 1e-6 * scaled
    };
    (0..15).find(exact).unwrap_or(15) as usize
}

/// A single value to about four digits: `1,234`, `0.8123`, `5.68M`.
pub(super) fn short(value: f64) -> String {
    let magnitude = value.abs();
    let unit = UNITS.into_iter().find(|&(size, _)| magnitude >= size);
    let (size, suffix) = unit.unwrap_or((1.0, ""));
    if magnitude >= 1e21 || (magnitude > 0.0 && magnitude < 1e-4) {
        minus(format!("{value:.3e}"))
    } else if size > 1.0 {
        format!("{}{suffix}", grouped(value / size, 2))
    } else if value.fract() == 0.0 {
        whole(value)
    } else {
        let before_point = (magnitude.log10().floor() as i32 + 1).clamp(0, 4);
        grouped(value, (4 - before_point).max(1) as usize)
    }
}

/// A whole number with its thousands grouped.
pub(super) fn whole(value: f64) -> String {
    grouped(value, 0)
}

fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.*}", decimals, value.abs());
    let (digits, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if value < 0.0 && text.bytes().any(|b| b.is_ascii_digit() && b != b'0') {
        out.push('\u{2212}');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A true minus sign is as wide as a digit.
fn minus(text: String) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(min: f64, max: f64, whole: bool) -> Scale {
        Scale::around(Extent { min, max, whole }, 4.0)
    }

    fn labels_of(scale: &Scale) -> Vec<&str> {
        scale.ticks.iter().map(|(_, l)| l.as_str()).collect()
    }

    #[test]
    fn ticks_read_well() {
        assert_eq!(labels_of(&scale(3.0, 3.0, true)), ["0", "1", "2", "3"]);
        let sums = scale(900.0, 7_200.0, false);
        assert_eq!(labels_of(&sums), ["0", "2,000", "4,000", "6,000", "8,000"]);
        let large = scale(0.0, 6e6, true);
        assert_eq!(labels_of(&large), ["0", "2M", "4M", "6M"]);
        let signed = scale(-0.4, 0.9, false);
        assert_eq!(labels_of(&signed)[0], "\u{2212}0.5");
        assert_eq!(labels_of(&scale(0.0, 0.0, true)), ["0", "1"]);
    }

    #[test]
    fn powers_of_ten_and_nines_read_well() {
        let log = |min: f64, max: f64, steps| {
            let (min, max) = (min.log10(), max.log10());
            Scale::logarithmic(Extent { min, max, whole: false }, steps)
        };
        assert_eq!(labels_of(&log(0.02, 900.0, 6.0)), ["0.01", "0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels_of(&log(2.0, 3.0, 6.0)), ["1", "2", "5", "10"]);
        assert_eq!(labels_of(&log(1e-6, 1e6, 4.0)), ["0.000001", "0.001", "1", "1,000", "1M"]);
        assert!(labels_of(&log(f64::MIN_POSITIVE, f64::MAX, 6.0)).len() > 3);
        let nines = Scale::nines(Extent { min: 0.0, max: 3.2, whole: false });
        assert_eq!(labels_of(&nines), ["0%", "50%", "90%", "99%", "99.9%", "99.99%"]);
    }

    #[test]
    fn values_lie_within_and_labels_differ_at_every_size() {
        for exponent in -280..=280 {
            for (a, b) in [(0.0, 1.0), (-3.0, 7.0), (1.0, 1.001), (-9.0, -8.9), (5.0, 5.0)] {
                let unit = 10f64.powi(exponent);
                let (min, max) = (a * unit, b * unit);
                let scale = scale(min, max, false);
                let context = format!("{min:e} {max:e}: {scale:?}");
                let slack = 1e-6;
                assert!(scale.share(min) >= -slack && scale.share(max) <= 1.0 + slack, "{context}");
                let mut labels = labels_of(&scale);
                assert!((2..=10).contains(&labels.len()), "{context}");
                labels.dedup();
                assert_eq!(labels.len(), scale.ticks.len(), "{context}");
                assert!(labels.iter().all(|l| l.chars().count() <= 14), "{context}");
            }
        }
    }

    #[test]
    fn single_values_are_short() {
        let cases =
            [(1234.0, "1,234"), (0.81234, "0.8123"), (56.789, "56.79"), (5_678_901.0, "5.68M")];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
        assert_eq!(short(-0.5), "\u{2212}0.5000");
        assert_eq!(short(0.0), "0");
        assert_eq!(grouped(-0.001, 1), "0.0");
    }
}
