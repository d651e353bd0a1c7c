//! What a person sees of a run: the progress bar while it goes on, and the summary after.

use crate::value::{Decimals, Value};
use crate::worker::{Progress, Summary};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Instant;

/// A progress bar on standard error, if that is a terminal. `total` is in bytes, if known.
pub fn progress(total: Option<u64>, quiet: bool) -> Box<dyn FnMut(&Progress) + Send> {
    let bar = match (quiet, total) {
        (true, _) => ProgressBar::hidden(),
        (false, Some(total)) => ProgressBar::new(total),
        (false, None) => ProgressBar::new_spinner(),
    };
    let template = match total {
        Some(_) => "{bar:20} {percent:>3}% {wide_msg}",
        None => "{spinner} {wide_msg}",
    };
    // The templates are ours; should one be wrong, the default style will do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let began = Instant::now();
    Box::new(move |now| {
        let seconds = began.elapsed().as_secs_f64().max(1e-3);
        let rate = now.records as f64 / seconds;
        let at =
            now.sealed.filter(|t| t.millis() > 0).map_or("-".into(), |t| moment(t.millis() as i64));
        let lag = match (now.newest, now.sealed) {
            (Some(newest), Some(sealed)) => (newest - sealed.millis() as i64).max(0) / 1000,
            _ => 0,
        };
        bar.set_position(now.bytes);
        bar.set_message(format!(
            "{} events, {}/s, sealed to {at}, lag {lag} s",
            grouped(now.records),
            grouped(rate as u64)
        ));
        if now.sealed.is_none() {
            bar.finish_and_clear();
        }
    })
}

/// A few lines about what a run did.
pub fn summary(summary: &Summary) -> String {
    let seconds = summary.elapsed.as_secs_f64().max(1e-3);
    let mut text = format!(
        "{} events in {seconds:.2} s ({}/s, {:.0} MB/s); {} bad, {} with a known id; {} changes\n",
        grouped(summary.records),
        grouped((summary.records as f64 / seconds) as u64),
        summary.bytes as f64 / seconds / 1e6,
        grouped(summary.bad),
        grouped(summary.duplicates),
        grouped(summary.changes),
    );
    // How many, of one and of more than one.
    let told = [
        (
            summary.superseded,
            "record older than a known one of its id changed nothing",
            "records older than a known one of their id changed nothing",
        ),
        (
            summary.differing,
            "record has the id and the time of another and differs from it; the last of them counts \
             (lines of one payment? --on-duplicate keep counts them all)",
            "records have the id and the time of another and differ from it; of those the last \
             counts (lines of one payment? --on-duplicate keep counts them all)",
        ),
        (
            summary.late,
            "record was late by more than --lateness and is with the bad ones",
            "records were late by more than --lateness and are with the bad ones",
        ),
        (
            summary.unpaired,
            "refund, cancellation or chargeback without its sale",
            "refunds, cancellations or chargebacks without their sale",
        ),
        (summary.never_came, "retraction of what never came", "retractions of what never came"),
        (
            summary.beyond,
            "payment comes to more than 64 bits hold, and is in no sum",
            "payments come to more than 64 bits hold, and are in no sum",
        ),
        (
            summary.too_large,
            "order has too many items to say what is bought together (`most`), and is left out of it",
            "orders have too many items to say what is bought together (`most`), and are left out of it",
        ),
    ];
    for (number, one, more) in told.into_iter().filter(|(number, ..)| *number > 0) {
        let what = if number == 1 { one } else { more };
        text.push_str(&format!("{} {what}\n", grouped(number)));
    }
    for line in &summary.left_out {
        text.push_str(line);
        text.push('\n');
    }
    if summary.stopped {
        text.push_str("stopped before the end: what is written is sealed\n");
    }
    text
}

/// An instant, as views write it.
pub fn moment(millis: i64) -> String {
    let mut text = String::new();
    Value::Moment(millis).write(Decimals(2), &mut text);
    text
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!(super::grouped(0), "0");
        assert_eq!(super::grouped(999), "999");
        assert_eq!(super::grouped(1_234_567), "1,234,567");
    }
}
