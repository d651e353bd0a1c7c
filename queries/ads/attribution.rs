//! What each campaign is worth: the value of sales, divided among the ads that led to them.
//!
//! A conversion is a sale (as in `hourly_transactions`) with an amount; its path is the ads its
//! user met before: clicks of the last `click_days` and impressions of the last `view_days`, both
//! up to the moment of the sale, in the order of their times (impression before click, then by
//! campaign and creative); the same record delivered twice is one touch. Three models divide the
//! value, in micros (millionths of the minor unit):
//!
//! - `last_touch`: all to the last click of the path, or the last impression where there is none;
//! - `linear`: the same to every touch;
//! - `position`: 40 % to the first, 40 % to the last, 20 % in equal parts to those between; of two
//!   touches a half each.
//!
//! Parts are rounded down and the last touch gets what is left, so each model's credits add up to
//! the value of the conversion exactly, and those of all rows to the sales. A conversion without a
//! path belongs to the empty campaign. Micros that do not fit into 64 bits are empty. `conversions` counts those a campaign had a part in. A
//! refund, a late click or a corrected amount takes the user's credits back and divides anew.
//! State: the touches and sales of each user, and four sums per campaign.

use crate::clock::Time;
use crate::event::transactions::{AMOUNT, STATUS};
use crate::event::{AdEvent, Ads, Row, Transactions, ads, transactions};
use crate::monoid::{Bag, Items, Wide};
use crate::operator::{Aggregate, Collection};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Hour, whole};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

crate::parameters! {
    /// See the module.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Attribution {
        /// Days for which a click counts towards a sale.
        pub click_days: u16 = 30,
        /// Days for which an impression counts towards a sale.
        pub view_days: u16 = 1,
    }
}

crate::record! {
    /// A campaign; the empty one stands for no campaign.
    pub struct Output {
        keys {
            /// The campaign; empty for sales that no ad led to.
            campaign_id: Text,
        }
        values {
            /// Sales it had a part in.
            conversions: i64,
            /// Value credited by last touch, in millionths of the minor unit.
            last_touch_micros: Option<i64>,
            /// The same credited in equal parts.
            linear_micros: Option<i64>,
            /// The same credited 40-20-40.
            position_micros: Option<i64>,
        }
    }
}

/// A campaign's part of a conversion, in micros by the three models.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Credit {
    pub campaign: Text,
    /// The hour of the sale.
    pub hour: Hour,
    pub last_touch: i128,
    pub linear: i128,
    pub position: i128,
    /// How many equal sales that are at one time with one id; the parts are of each.
    pub sales: i64,
}

/// Micros of a minor unit.
pub(crate) const MICROS: i128 = 1_000_000;
const DAY: i64 = 86_400_000;

/// An ad a user met: its time, whether it was clicked, campaign and creative.
type Touch = (i64, bool, Text, Text);
/// A sale: its time, amount and id.
type Sale = (i64, i64, Text);

/// What a record is to its user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Step {
    Touch(Touch),
    Sale(Sale),
}

fn touch(ad: &Row<'_, Ads>) -> Option<Touch> {
    let click = match ad.event()? {
        AdEvent::Impression => false,
        AdEvent::Click => true,
        AdEvent::Conversion => return None,
    };
    let known = !ad.user_id().is_empty() && !ad.campaign_id().is_empty();
    known.then(|| (ad.time(), click, ad.campaign_id().clone(), ad.creative_id().clone()))
}

fn sale(record: &Row<'_, Transactions>) -> Option<Sale> {
    let amount = record.amount().filter(|_| record.is_sale())?;
    Some((record.time(), amount.0, record.transaction_id().clone()))
}

/// Divides a value among the touches of a path, oldest first: last touch, linear, position.
fn divide(value: i128, path: &[&Touch]) -> Vec<[i128; 3]> {
    let Some(last) = path.len().checked_sub(1) else { return Vec::new() };
    let winner = path.iter().rposition(|touch| touch.1).unwrap_or(last);
    let equal = value.div_euclid(path.len() as i128);
    let mut parts: Vec<[i128; 3]> = Vec::new();
    for at in 0..path.len() {
        let position = match (at, last) {
            (0, 1) => value.div_euclid(2),
            (0, _) => (value * 40).div_euclid(100),
            _ => (value * 20).div_euclid(100 * (last as i128 - 1).max(1)),
        };
        parts.push([if at == winner { value } else { 0 }, equal, position]);
    }
    for model in [1, 2] {
        let others: i128 = parts[..last].iter().map(|part| part[model]).sum();
        parts[last][model] = value - others; // last is an index of the path, and of its parts
    }
    parts
}

impl Attribution {
    /// The credits of a user's sales.
    fn credit(&self, touches: &Items<Touch>, sales: &Items<Sale>, rows: &mut Vec<Credit>) {
        for ((time, amount, _), count) in sales.iter().filter(|(_, count)| **count > 0) {
            let from = |time: i64| -> Touch { (time, false, Text::EMPTY, Text::EMPTY) };
            let longest = i64::from(self.click_days.max(self.view_days)) * DAY;
            let path: Vec<&Touch> = touches
                .range(from(time - longest)..from(time + 1))
                .map(|(touch, _)| touch)
                .filter(|touch| {
                    let days = if touch.1 { self.click_days } else { self.view_days };
                    time - touch.0 <= i64::from(days) * DAY
                })
                .collect();
            let value = i128::from(*amount) * MICROS;
            let mut campaigns: BTreeMap<&Text, [i128; 3]> = BTreeMap::new();
            for (touch, part) in path.iter().zip(divide(value, &path)) {
                let sum = campaigns.entry(&touch.2).or_default();
                sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
            }
            if path.is_empty() {
                campaigns.insert(&Text::EMPTY, [value; 3]);
            }
            for (campaign, [last_touch, linear, position]) in campaigns {
                let (campaign, hour) = (campaign.clone(), Hour::of(*time));
                rows.push(Credit { campaign, hour, last_touch, linear, position, sales: *count });
            }
        }
    }

    /// Every campaign's part of every conversion.
    pub(crate) fn credits<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Credit> {
        inputs.shared(self.clone(), || self.give(inputs))
    }

    fn give<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Credit> {
        let this = self.clone();
        let seen = [ads::EVENT, ads::USER_ID, ads::CAMPAIGN_ID, ads::CREATIVE_ID.optional()];
        let touches = inputs
            .ads(&seen)
            .flat_map("Touches", |ad| Some((ad.user_id().clone(), Step::Touch(touch(ad)?))));
        let paid = [
            AMOUNT,
            transactions::USER_ID,
            transactions::TRANSACTION_ID.optional(),
            STATUS.optional(),
        ];
        let sales = inputs
            .transactions(&paid)
            .flat_map("Sales", |row| Some((row.user_id().clone(), Step::Sale(sale(row)?))));
        touches.concat(sales).aggregate_rows(
            "Credits",
            |(user, _)| Some(user.clone()),
            |(touches, sales): &mut (Bag<Touch>, Bag<Sale>), (_, step), diff| match step {
                Step::Touch(touch) => touches.add(touch.clone(), diff),
                Step::Sale(sale) => sales.add(sale.clone(), diff),
            },
            move |_user, (touches, sales), rows| this.credit(touches, sales, rows),
        )
    }
}

impl Query for Attribution {
    type Output = Output;

    fn name(&self) -> &'static str {
        "attribution"
    }

    fn about(&self) -> &'static str {
        "the value of sales by campaign: last touch, linear and position-based"
    }

    crate::configurable!();

    fn dataflow<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Output> {
        self.credits(inputs).aggregate(
            "Attribution",
            |credit| Some(credit.campaign.clone()),
            |(count, last, linear, position): &mut (i64, Wide, Wide, Wide), credit, diff| {
                let times = credit.sales * diff;
                *count += times;
                last.add_times(credit.last_touch, times);
                linear.add_times(credit.linear, times);
                position.add_times(credit.position, times);
            },
            |campaign, &(conversions, last, linear, position)| {
                let micros = |sum: Wide| sum.get().and_then(whole);
                (conversions > 0).then(|| Output {
                    campaign_id: campaign.clone(),
                    conversions,
                    last_touch_micros: micros(last),
                    linear_micros: micros(linear),
                    position_micros: micros(position),
                })
            },
        )
    }

    fn answer(&self, history: &History, at: Time) -> Vec<Output> {
        let ads = history.ads(at);
        let mut rows: BTreeMap<Text, [i128; 4]> = BTreeMap::new();
        let mut sold = 0;
        for sale in history.transactions(at).into_iter().filter(|t| t.is_sale()) {
            let Some(amount) = sale.amount() else { continue };
            let value = i128::from(amount.0) * 1_000_000;
            sold += value;
            let mut path: Vec<(i64, bool, String, String)> = Vec::new();
            for ad in ads.iter().filter(|ad| ad.user_id() == sale.user_id()) {
                let (age, campaign) = (sale.time() - ad.time(), ad.campaign_id().to_string());
                let click = ad.event() == Some(AdEvent::Click);
                let days = match ad.event() {
                    Some(AdEvent::Click) => self.click_days,
                    Some(AdEvent::Impression) => self.view_days,
                    _ => continue,
                };
                let creative = ad.creative_id().to_string();
                if (0..=i64::from(days) * 86_400_000).contains(&age)
                    && !campaign.is_empty()
                    && !ad.user_id().is_empty()
                {
                    path.push((ad.time(), click, campaign, creative));
                }
            }
            path.sort();
            path.dedup();
            let n = path.len();
            let mut credits: BTreeMap<String, [i128; 3]> = BTreeMap::new();
            let mut give = |touch: usize, model: usize, micros: i128| {
                credits.entry(path[touch].2.clone()).or_default()[model] += micros;
            };
            if n > 0 {
                let clicked = (0..n).rev().find(|i| path[*i].1);
                give(clicked.unwrap_or(n - 1), 0, value);
                (0..n).for_each(|i| give(i, 1, value / n as i128));
                give(n - 1, 1, value % n as i128);
            }
            match n {
                0 => drop(credits.insert(String::new(), [value; 3])),
                1 => give(0, 2, value),
                2 => {
                    give(0, 2, value / 2);
                    give(1, 2, value - value / 2);
                }
                _ => {
                    let (end, middle) = (value * 4 / 10, value * 2 / 10 / (n as i128 - 2));
                    give(0, 2, end);
                    (1..n - 1).for_each(|i| give(i, 2, middle));
                    give(n - 1, 2, value - end - middle * (n as i128 - 2));
                }
            }
            for (campaign, parts) in credits {
                let row = rows.entry(Text::new(&campaign)).or_default();
                row[3] += 1;
                (0..3).for_each(|model| row[model] += parts[model]);
            }
        }
        for model in 0..3 {
            let credited: i128 = rows.values().map(|row| row[model]).sum();
            assert_eq!(credited, sold, "credits add up to the sales");
        }
        let row =
            |(campaign_id, [last, linear, position, conversions]): (Text, [i128; 4])| Output {
                campaign_id,
                conversions: conversions as i64,
                last_touch_micros: whole(last),
                linear_micros: whole(linear),
                position_micros: whole(position),
            };
        rows.into_iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_gives_out_exactly_the_value() {
        for length in 1..40i64 {
            let touches: Vec<Touch> =
                (0..length).map(|t| (t, t % 5 == 2, Text::EMPTY, Text::EMPTY)).collect();
            let path: Vec<&Touch> = touches.iter().collect();
            for value in [0, 1, 2, 99, 100, 12_345_678_901, -7, -12_345] {
                let parts = divide(value, &path);
                for model in 0..3 {
                    let sum: i128 = parts.iter().map(|part| part[model]).sum();
                    assert_eq!(sum, value, "{length} touches, model {model}");
                }
            }
        }
        let touches: Vec<Touch> = (0..4).map(|t| (t, t == 1, Text::EMPTY, Text::EMPTY)).collect();
        let path: Vec<&Touch> = touches.iter().collect();
        let want = [[0, 25, 40], [100, 25, 10], [0, 25, 10], [0, 25, 40]];
        assert_eq!(divide(100, &path), want);
        assert_eq!(divide(5, &path[..2]), [[0, 2, 2], [5, 3, 3]]);
    }
}
