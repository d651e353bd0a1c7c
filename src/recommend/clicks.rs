//! The session data: SessionId, ItemId and Time in seconds, tab separated, one header.

use std::path::Path;

use super::RecommendError;
use super::pairs::Time;

/// One click.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Click {
    /// The session.
    pub session: u64,
    /// The item.
    pub item: u64,
    /// When.
    pub time: Time,
    /// Orders clicks of one time: the line in the file.
    pub line: u64,
}

/// Reads the clicks of a file in the order of its lines.
pub fn read(path: &Path) -> Result<Vec<Click>, RecommendError> {
    let shown = || path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| RecommendError::Read { path: shown(), source })?;
    let lines = text.lines().enumerate().skip(1);
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(at, line)| {
            parse(line, at as u64)
                .ok_or_else(|| RecommendError::Click { path: shown(), line: at + 1 })
        })
        .collect()
}

fn parse(text: &str, line: u64) -> Option<Click> {
    let mut fields = text.split('\t');
    let session = fields.next()?.trim().parse().ok()?;
    let item = fields.next()?.trim().parse().ok()?;
    let seconds: f64 = fields.next()?.trim().parse().ok()?;
    // Beyond this, milliseconds are no longer exact in a float.
    let in_range = seconds.abs() < 4e12;
    let time = Time((seconds * 1000.0).round() as i64);
    (in_range && fields.next().is_none()).then_some(Click { session, item, time, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_click_and_refuses_the_rest() {
        let click = parse("10036\t14957\t1592337718.5", 3).unwrap();
        assert_eq!(click.time, Time(1_592_337_718_500));
        assert_eq!((click.session, click.item, click.line), (10036, 14957, 3));
        for bad in ["", "1\t2", "1\t2\tx", "1\t2\tNaN", "1\t2\t3\t4", "-1\t2\t3"] {
            assert_eq!(parse(bad, 0), None, "{bad}");
        }
    }
}
