//! The pace at which records are let through, where a history is replayed as if it were live.
//!
//! Nothing else changes: a record is stamped by its source's clock as in any run, so the views at the
//! end are those of a run without a pace. Only the frontier differs: a source of which the next
//! record is known to be later holds nobody back until then.

use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How fast event time goes, as a multiple of the wall clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

/// How many records there are in a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f64);

impl FromStr for Speed {
    type Err = String;
    /// `60x`, or `60`.
    fn from_str(text: &str) -> Result<Speed, String> {
        let number = positive(text.strip_suffix(['x', 'X']).unwrap_or(text));
        number.map(Speed).ok_or_else(|| "expected how many times as fast, for instance 60x".into())
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x", self.0)
    }
}

impl FromStr for Rate {
    type Err = String;
    /// `1000/s`, or `1000`.
    fn from_str(text: &str) -> Result<Rate, String> {
        let number = positive(text.strip_suffix("/s").unwrap_or(text));
        number.map(Rate).ok_or_else(|| "expected records per second, for instance 1000/s".into())
    }
}

fn positive(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|x: &f64| (1e-6..=1e12).contains(x))
}

#[derive(Clone, Copy, Debug)]
enum By {
    /// Up to this event time all goes at once, then as fast as this.
    Time(i64, Speed),
    Count(Rate),
}

/// See the module. All sources of a process have one together.
#[derive(Debug)]
pub struct Pace {
    by: By,
    /// When it began, and at which event time.
    began: OnceLock<(Instant, i64)>,
    /// Records let through.
    given: AtomicU64,
}

/// How far a source may be ahead of the others where records are let through by number, in
/// milliseconds of event time: to take turns for each record would take longer than the records.
const AHEAD: i64 = 60_000;

/// What may go of the rows that are next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// How many of them.
    pub rows: usize,
    /// No row behind them is due before this event time.
    pub until: i64,
}

impl Pace {
    /// By event time. What is no later than `from` goes at once; without it time begins with the
    /// first record.
    pub fn by_time(speed: Speed, from: Option<i64>) -> Pace {
        Pace::new(By::Time(from.unwrap_or(i64::MIN), speed))
    }

    /// By number, in the order of event times, to a minute.
    pub fn by_count(rate: Rate) -> Pace {
        Pace::new(By::Count(rate))
    }

    /// How soon to look again when nothing is due.
    pub(crate) fn pause(&self) -> Duration {
        match self.by {
            // More often than anybody sees.
            By::Time(..) => Duration::from_millis(5),
            // Sources take turns.
            By::Count(_) => Duration::from_micros(200),
        }
    }

    fn new(by: By) -> Pace {
        Pace { by, began: OnceLock::new(), given: AtomicU64::new(0) }
    }

    /// What is due of a source's next rows, given by their event times; `others` is the least clock
    /// of the other sources.
    pub(super) fn due(&self, times: &[i64], others: impl Fn() -> i64) -> Due {
        let due = match self.by {
            By::Time(from, speed) => self.by_now(times, from, speed),
            By::Count(rate) => {
                let (began, _) = *self.began.get_or_init(|| (Instant::now(), 0));
                let all = (began.elapsed().as_secs_f64() * rate.0) as u64;
                let room = all.saturating_sub(self.given.load(Ordering::Relaxed));
                // Whose next record is earlier goes first.
                let room = usize::try_from(room).unwrap_or(usize::MAX);
                let most = others().saturating_add(AHEAD);
                let rows = times.iter().take(room).take_while(|time| **time <= most).count();
                Due { rows, until: times.get(rows).copied().unwrap_or(i64::MIN) }
            }
        };
        self.given.fetch_add(due.rows as u64, Ordering::Relaxed);
        due
    }

    fn by_now(&self, times: &[i64], from: i64, speed: Speed) -> Due {
        let Some(first) = times.iter().find(|time| **time > from) else {
            return Due { rows: times.len(), until: i64::MIN };
        };
        let start = if from == i64::MIN { *first } else { from };
        let (began, at) = *self.began.get_or_init(|| (Instant::now(), start));
        let passed = began.elapsed().as_secs_f64() * 1e3 * speed.0;
        let now = at.saturating_add(passed as i64);
        let rows = times.iter().take_while(|time| **time <= now).count();
        Due { rows, until: times.get(rows).map_or(i64::MIN, |next| now.min(*next)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_goes_at_once_and_what_follows_in_its_time() {
        let pace = Pace::by_time(Speed(1.0), Some(100));
        let none = || i64::MIN;
        assert_eq!(pace.due(&[50, 100, 70], none), Due { rows: 3, until: i64::MIN });
        // An hour from now; the clock may go on to now.
        let due = pace.due(&[90, 3_600_100, 80], none);
        assert_eq!(due.rows, 1);
        assert!((100..3_600_100).contains(&due.until), "{due:?}");
        // Late rows among those that are due hold nothing up.
        let fast = Pace::by_time(Speed(1e12), None);
        assert_eq!(fast.due(&[5], none).rows, 1);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(fast.due(&[6, 4, 1_000_000], none).rows, 3);
    }

    #[test]
    fn by_number_the_earlier_source_goes_first() {
        let pace = Pace::by_count(Rate(1e12));
        let (times, others) = ([5 + AHEAD, 6 + AHEAD, 9 + AHEAD], [4, 7]);
        assert_eq!(pace.due(&times, || others[0]), Due { rows: 0, until: times[0] });
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(pace.due(&times, || others[1]), Due { rows: 2, until: times[2] });
        let slow = Pace::by_count(Rate(1e-6));
        assert_eq!(slow.due(&[5], || 7), Due { rows: 0, until: 5 });
    }

    #[test]
    fn it_is_told_as_one_says_it() {
        assert_eq!("60x".parse(), Ok(Speed(60.0)));
        assert_eq!("0.5".parse(), Ok(Speed(0.5)));
        assert_eq!("1000/s".parse(), Ok(Rate(1000.0)));
        for wrong in ["", "x", "-1x", "0x", "NaN", "infx", "60y"] {
            assert!(wrong.parse::<Speed>().is_err(), "{wrong}");
        }
    }
}
