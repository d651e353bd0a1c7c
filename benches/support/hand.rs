//! The hand-written single-thread loop that everything is measured against: it reads
//! `transaction_time,user_id,item_id,amount` in 256 KiB blocks and folds by hour. It trusts its
//! input: it checks nothing, knows where the columns are, and looks an hour up only when it
//! changes.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;

const BLOCK: usize = 256 << 10;

/// What is known of an hour.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Hour {
    pub count: i64,
    pub sum: i64,
    pub squares: i128,
    /// Only filled where the median is asked for.
    pub amounts: Vec<u32>,
}

impl Hour {
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }
    /// With n - 1.
    pub fn variance(&self) -> f64 {
        let n = i128::from(self.count);
        let spread = n * self.squares - i128::from(self.sum) * i128::from(self.sum);
        spread as f64 / (n * (n - 1)) as f64
    }
    pub fn median(&mut self) -> f64 {
        let n = self.amounts.len();
        let (_, high, _) = self.amounts.select_nth_unstable(n / 2);
        let high = *high;
        if n % 2 == 1 {
            return f64::from(high);
        }
        let low = self.amounts[..n / 2].iter().max().copied().unwrap_or(high);
        (f64::from(low) + f64::from(high)) / 2.0
    }
}

/// Hours since 1970 and what is known of them.
pub type Hours = HashMap<i64, Hour>;

/// Days since 1970 of a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), if month > 2 { month - 3 } else { month + 9 });
    let of_era = year - era * 400;
    let leaps = of_era / 4 - of_era / 100;
    era * 146_097 + of_era * 365 + leaps + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[inline(always)]
fn two(bytes: &[u8], at: usize) -> i64 {
    i64::from((bytes[at] - b'0') * 10 + (bytes[at + 1] - b'0'))
}

#[inline(always)]
fn whole(bytes: &[u8]) -> i64 {
    bytes.iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0'))
}

#[inline(always)]
fn cents(bytes: &[u8]) -> i64 {
    let n = bytes.len();
    if n > 3 && bytes[n - 3] == b'.' {
        return whole(&bytes[..n - 3]) * 100 + two(bytes, n - 2);
    }
    match memchr::memchr(b'.', bytes) {
        None => whole(bytes) * 100,
        Some(point) => whole(&bytes[..point]) * 100 + i64::from(bytes[point + 1] - b'0') * 10,
    }
}

/// Reads a file and folds it by hour.
pub fn by_hour(path: &str, median: bool) -> std::io::Result<Hours> {
    let mut hours = Hours::new();
    let (mut current, mut open) = (i64::MIN, Hour::default());
    each_row(path, |hour, _, amount| {
        if hour != current {
            let found = hours.remove(&hour).unwrap_or_default();
            let left = std::mem::replace(&mut open, found);
            if current != i64::MIN {
                hours.insert(current, left);
            }
            current = hour;
        }
        open.count += 1;
        open.sum += amount;
        open.squares += i128::from(amount * amount);
        if median {
            open.amounts.push(amount as u32);
        }
    })?;
    hours.insert(current, open);
    Ok(hours)
}

/// The ten items with the largest revenue of each hour: (hour, item, revenue), in order.
pub fn top_items(path: &str) -> std::io::Result<Vec<(i64, i64, i64)>> {
    type Items = hashbrown::HashMap<i64, i64, foldhash::fast::FixedState>;
    let mut hours: HashMap<i64, Items> = HashMap::new();
    let (mut current, mut open) = (i64::MIN, Items::default());
    each_row(path, |hour, line, amount| {
        if hour != current {
            let found = hours.remove(&hour).unwrap_or_default();
            hours.insert(current, std::mem::replace(&mut open, found));
            current = hour;
        }
        let comma = memchr::memrchr(b',', line).unwrap_or(0);
        *open.entry(whole(&line[comma + 1..])).or_default() += amount;
    })?;
    hours.insert(current, open);
    let mut hours: Vec<_> = hours.into_iter().collect();
    hours.sort_unstable_by_key(|(hour, _)| *hour);
    let mut best = Vec::new();
    for (hour, items) in hours {
        let mut items: Vec<(i64, i64)> =
            items.into_iter().map(|(item, sum)| (-sum, item)).collect();
        if items.len() > 10 {
            items.select_nth_unstable(9);
            items.truncate(10);
        }
        items.sort_unstable();
        best.extend(items.into_iter().map(|(sum, item)| (hour, item, -sum)));
    }
    Ok(best)
}

/// Reads a file and calls `each` with the hour, what stands before the amount, and the amount.
#[inline(always)]
fn each_row(path: &str, mut each: impl FnMut(i64, &[u8], i64)) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; BLOCK + 4096];
    let (mut filled, mut skip) = (0, true);
    let (mut date, mut day) = ([0u8; 10], 0);
    loop {
        let read = file.read(&mut buffer[filled..BLOCK])?;
        if read == 0 {
            break;
        }
        let end = filled + read;
        let Some(line_end) = memchr::memrchr(b'\n', &buffer[..end]) else {
            filled = end;
            continue;
        };
        let block = &buffer[..=line_end];
        let mut at = 0;
        if skip {
            at = memchr::memchr(b'\n', block).map_or(0, |place| place + 1);
            skip = false;
        }
        while at < block.len() {
            let next = at + 20 + memchr::memchr(b'\n', &block[at + 20..]).unwrap_or(0);
            let line = &block[at..next];
            at = next + 1;
            let time = &line[..19];
            if time[..10] != date {
                date.copy_from_slice(&time[..10]);
                let year = two(time, 0) * 100 + two(time, 2);
                day = days(year, two(time, 5), two(time, 8)) * 24;
            }
            let hour = day + two(time, 11);
            std::hint::black_box(two(time, 14) * 60 + two(time, 17));
            let comma = memchr::memrchr(b',', line).unwrap_or(0);
            let amount = cents(&line[comma + 1..]);
            each(hour, &line[..comma], amount);
        }
        buffer.copy_within(line_end + 1..end, 0);
        filled = end - line_end - 1;
    }
    Ok(())
}
