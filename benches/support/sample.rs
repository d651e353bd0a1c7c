//! The sample file: transactions over 30 days from 2026-01-01, in order of time but for a jitter
//! of a second and one row in a hundred that is up to an hour late. The same bytes every time.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// splitmix64.
struct Random(u64);

impl Random {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }
    /// A rank below `n`, the k-th about 1/k as likely as the first.
    fn rank(&mut self, n: u64) -> u64 {
        let unit = (self.bits() >> 11) as f64 / (1u64 << 53) as f64;
        ((n as f64 + 1.0).powf(unit) as u64).clamp(1, n) - 1
    }
}

/// Writes `rows` rows, unless a file of that name is there already.
pub fn transactions(path: &Path, rows: u64) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    eprintln!("making {} ({rows} rows)", path.display());
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let temporary = path.with_extension("tmp");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&temporary)?);
    let mut random = Random(42);
    let (start, span) = (1_767_225_600_i64, 30 * 86_400);
    let (mut text, mut shown) = (String::new(), i64::MIN);
    writeln!(out, "transaction_time,user_id,item_id,amount")?;
    for row in 0..rows {
        let mut time = start + (row * span / rows) as i64 - random.below(2) as i64;
        if random.below(100) == 0 {
            time -= random.below(3600) as i64;
        }
        let time = time.max(start);
        if time != shown {
            shown = time;
            let moment = jiff::Timestamp::from_second(time).map_err(std::io::Error::other)?;
            text = moment.strftime("%Y-%m-%d %H:%M:%S").to_string();
        }
        let (user, item) = (random.below(100_000), random.rank(10_000));
        let cents = 100 + random.below(300) * random.below(300) + random.below(100);
        writeln!(out, "{text},{user},{item},{}.{:02}", cents / 100, cents % 100)?;
    }
    out.flush()?;
    std::fs::rename(temporary, path)
}
