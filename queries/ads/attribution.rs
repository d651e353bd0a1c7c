//! What each campaign is worth: the value of sales, divided among the ads that led to them.
//!
//! A conversion is an order, with what is left of those of its sales (as in `hourly_transactions`)
//! that were paid at one time; its path is the ads its
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

use crate::clock::{Millis, Time};
use crate::event::transactions::AMOUNT;
use crate::event::{AdEvent, Ads, Row, ads, transactions};
use crate::monoid::{Dated, Entries, Wide};
use crate::operator::{Aggregate, Collection, Item};
use crate::query::ledger::{Line, OrderId};
use crate::query::{History, Inputs, Query};
use crate::text::Text;
use crate::value::{Hour, whole};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod path;

use path::{Log, Paths, Step};

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
            /// Conversions it had a part in.
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
struct Credit {
    campaign: Text,
    last_touch: i128,
    linear: i128,
    position: i128,
    /// How many equal sales that are at one time with one id; the parts are of each.
    sales: i64,
}

/// Micros of a minor unit.
const MICROS: i128 = 1_000_000;
const DAY: i64 = 86_400_000;

/// A user, and what happened.
type Met = (Text, Dated<Step>);

fn touch(ad: &Row<'_, Ads>) -> Option<Met> {
    let click = match ad.event()? {
        AdEvent::Impression => false,
        AdEvent::Click => true,
        AdEvent::Conversion => return None,
    };
    let known = !ad.user_id().is_empty() && !ad.campaign_id().is_empty();
    let item = || Step::Touch(click, ad.campaign_id().clone(), ad.creative_id().clone());
    known.then(|| (ad.user_id().clone(), Dated { time: ad.time(), item: item(), value: 0 }))
}

/// A part of a conversion: whose, of which order, when, and how much it is.
type Sale = ((Text, Option<OrderId>, i64), i128);

fn sale(line: Line) -> Option<Sale> {
    let amount = line.net().filter(|_| line.stands())?;
    let order = line.order();
    Some(((line.user_id, order, line.time), amount))
}

/// The conversions that are made of these sales. Each that is of no order is one of its own.
fn conversions<'s>(sales: Collection<'s, Sale>) -> Collection<'s, Met> {
    let step = |user: Text, order: Option<OrderId>, time: i64, amount: i128| {
        let item = Step::Sale(amount, order.map_or(Text::EMPTY, |(_, name)| name));
        (user, Dated { time, item, value: 0 })
    };
    let alone = sales.clone().flat_map(move |((user, order, time), amount)| {
        order.is_none().then(|| step(user, None, time, amount))
    });
    let orders = sales
        .keyed(
            "Conversions",
            |(key, _)| key.1.is_some().then(|| key.clone()),
            |(lines, sum): &mut (i64, i128), (_, amount), diff| {
                *lines += diff;
                *sum += amount * i128::from(diff);
            },
        )
        .until(|(.., time)| *time)
        .row(move |(user, order, time), (lines, sum)| {
            (*lines > 0).then(|| step(user.clone(), order.clone(), *time, *sum))
        });
    alone.concat(orders)
}

/// What a campaign has of a sale, by the three models.
type Part = (Text, [i128; 3]);
/// The parts of a sale, and how many such sales there are.
type Sold = (Vec<Part>, i64);

/// Amount and number of equal sales, if it is one.
fn sold(log: &Log, step: &Dated<Step>) -> Option<(i128, i64)> {
    let Step::Sale(amount, _) = &step.item else { return None };
    let (_, count) = log.matching(step.time, |other| other.cmp(&step.item)).next()?;
    Some((*amount, count))
}

impl Attribution {
    /// What users met and bought.
    fn steps<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Met> {
        let seen = [ads::EVENT, ads::USER_ID, ads::CAMPAIGN_ID, ads::CREATIVE_ID.optional()];
        let touches = inputs.ads(&seen).flat_map("Touches", touch);
        let sales = inputs.ledger(&[AMOUNT, transactions::USER_ID]).flat_map(sale);
        touches.concat(conversions(sales))
    }

    /// A row for each sale of a user, read as of its time.
    fn per_sale<'s, O: Item>(
        &self,
        steps: Collection<'s, Met>,
        read: impl Fn(&Attribution, &Log, &mut Paths, &Dated<Step>) -> Option<O> + 'static,
    ) -> Collection<'s, O> {
        let this = self.clone();
        let longest = u64::from(self.click_days.max(self.view_days)) * DAY as u64;
        steps
            .keyed(
                "Credits",
                // Whose sale it was is not known: nobody met anything before it.
                |(user, _)| (!user.is_empty()).then(|| user.clone()),
                |steps: &mut Entries<Step>, (_, step), diff| steps.add(step.clone(), diff),
            )
            .as_of_with(Millis(longest + 1), move |_, log, paths: &mut Paths, step| {
                read(&this, log, paths, step)
            })
    }

    /// Every campaign's part of every conversion.
    fn credits<'s>(&self, inputs: &Inputs<'s>) -> Collection<'s, Credit> {
        let steps = self.steps(inputs);
        let alone = |amount: i128| vec![(Text::EMPTY, [amount * MICROS; 3])];
        let unknown = steps.clone().flat_map(move |(user, step)| match step.item {
            Step::Sale(amount, _) if user.is_empty() => Some((alone(amount), 1)),
            _ => None,
        });
        let known = self.per_sale(steps, move |this, log, paths, step| -> Option<Sold> {
            let (amount, count) = sold(log, step)?;
            let path = paths.path(this, log, step.time);
            let parts = path.map(|path| path.divide(amount * MICROS));
            Some((parts.unwrap_or_else(|| alone(amount)), count))
        });
        known.concat(unknown).flat_map(|(parts, sales)| {
            let credit = move |(campaign, [last_touch, linear, position]): Part| Credit {
                campaign,
                last_touch,
                linear,
                position,
                sales,
            };
            parts.into_iter().map(credit)
        })
    }

    /// Hour, campaign, amount and number of the sales that a last touch led to.
    pub(super) fn last_touches<'s>(
        &self,
        inputs: &Inputs<'s>,
    ) -> Collection<'s, (Hour, Text, i128, i64)> {
        self.per_sale(self.steps(inputs), |this, log, paths, step| {
            let (amount, count) = sold(log, step)?;
            let campaign = paths.winner(this, log, step.time)?;
            Some((Hour::of(step.time), campaign, amount, count))
        })
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
        for (user, time, value) in naive_conversions(history, at) {
            let value = value * 1_000_000;
            sold += value;
            let mut path: Vec<(i64, bool, String, String)> = Vec::new();
            for ad in ads.iter().filter(|ad| *ad.user_id() == user) {
                let (age, campaign) = (time - ad.time(), ad.campaign_id().to_string());
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
                (0..n).for_each(|i| give(i, 1, value.div_euclid(n as i128)));
                give(n - 1, 1, value.rem_euclid(n as i128));
            }
            match n {
                0 => drop(credits.insert(String::new(), [value; 3])),
                1 => give(0, 2, value),
                2 => {
                    give(0, 2, value.div_euclid(2));
                    give(1, 2, value - value.div_euclid(2));
                }
                _ => {
                    let end = (value * 4).div_euclid(10);
                    let middle = (value * 2).div_euclid(10).div_euclid(n as i128 - 2);
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

/// Whose conversions there are, when, and what each is worth.
pub(super) fn naive_conversions(history: &History, at: Time) -> Vec<(Text, i64, i128)> {
    let mut conversions: BTreeMap<(Text, String, i64), i128> = BTreeMap::new();
    for (n, line) in history.ledger(at).into_iter().enumerate() {
        let (Some(price), true) = (line.amount, line.stands()) else { continue };
        let order = match (line.order_id.is_empty(), line.transaction_id.is_empty()) {
            (false, _) => format!("order {}", line.order_id),
            (true, false) => format!("payment {}", line.transaction_id),
            (true, true) => format!("line {n}"),
        };
        let taken_off = i128::from(line.discount) + line.refunded.unwrap_or(0);
        let value = i128::from(price) - taken_off;
        *conversions.entry((line.user_id, order, line.time)).or_default() += value;
    }
    conversions.into_iter().map(|((user, _, time), value)| (user, time, value)).collect()
}
