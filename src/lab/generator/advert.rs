//! Advertising: campaigns that differ in how often they are clicked, what they cost and how
//! well their visitors buy. Played only in the pass for the ads stream, from numbers of its
//! own; the other passes need just the campaign a visit came from.

use super::pace::{MINUTE, SECOND};
use super::people::{People, by_share};
use super::random::{Rng, Stream};
use super::row::{Campaign, Contact, Row, Touch, User};
use super::sink::Sink;

struct Terms {
    /// Percent of all ad visits.
    visits: u32,
    /// Impressions per click.
    seen: u32,
    /// Cost of a click, and of an impression, in hundredths of a cent.
    click: u32,
    impression: u32,
    /// How ready to buy its visitors are, in percent.
    mood: u32,
}

const fn terms(visits: u32, seen: u32, click: u32, impression: u32, mood: u32) -> Terms {
    Terms { visits, seen, click, impression, mood }
}

/// Campaigns 1 to 8. Number 4 is dear and sells badly, number 6 is a find.
const CAMPAIGNS: [Terms; 8] = [
    terms(22, 72, 3400, 4, 110),
    terms(18, 96, 2600, 3, 95),
    terms(15, 112, 2900, 4, 100),
    terms(13, 200, 7400, 10, 30),
    terms(12, 80, 3100, 5, 115),
    terms(8, 64, 1500, 2, 160),
    terms(7, 144, 2200, 3, 80),
    terms(5, 160, 1900, 2, 70),
];
/// Clicks by creative, in percent; impressions are spread evenly.
const CREATIVES: [u32; 3] = [52, 30, 18];

/// The campaign a visit came from, for one in forty visits.
pub(super) fn campaign(rng: &mut Rng) -> Campaign {
    if !rng.permille(25) {
        return Campaign(0);
    }
    Campaign(1 + by_share(rng, &CAMPAIGNS.each_ref().map(|terms| terms.visits)))
}

fn terms_of(campaign: Campaign) -> Option<&'static Terms> {
    CAMPAIGNS.get(usize::from(campaign.0).checked_sub(1)?)
}

/// How ready to buy the visitors of a campaign are, in percent.
pub(super) fn mood(campaign: Campaign) -> u32 {
    terms_of(campaign).map_or(100, |terms| terms.mood)
}

/// One ad visit as the ads stream sees it. Times are at or after `now`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lead {
    pub(super) now: i64,
    pub(super) visit: i64,
    pub(super) user: User,
    pub(super) campaign: Campaign,
    pub(super) bought: Option<i64>,
}

/// Writes the impression, click and conversion of a lead, and the impressions nobody clicked.
pub(super) fn play(lead: Lead, people: &People, key: (u64, u64), sink: &mut Sink) {
    let Some(terms) = terms_of(lead.campaign) else {
        return;
    };
    let mut rng = Rng::keyed(key.0, Stream::Advert, key.1);
    let creative = by_share(&mut rng, &CREATIVES);
    let mut touch = |time, contact, user, creative, cost| {
        let campaign = lead.campaign;
        sink.push(time, Row::Touch(Touch { time, contact, user, campaign, creative, cost }));
    };
    // Bills are in cents: a part of a cent is one cent every so often.
    let bill = |rng: &mut Rng, cost: u32| (cost + rng.below(100)) / 100;
    touch(lead.now, Contact::Impression, lead.user, creative, bill(&mut rng, terms.impression));
    let click = rng.between(lead.now + 1, lead.visit);
    let bid = terms.click / 100 * (70 + rng.below(61));
    touch(click, Contact::Click, lead.user, creative, bill(&mut rng, bid));
    if let Some(time) = lead.bought {
        touch(time, Contact::Conversion, lead.user, creative, 0);
    }
    // On average seen - 1 more impressions, some of them shown to the same user.
    for _ in 0..rng.below(2 * terms.seen - 1) {
        let user = if rng.permille(120) { lead.user } else { people.anyone(&mut rng) };
        let time = lead.now + rng.between(SECOND, 25 * MINUTE);
        let (creative, cost) = (rng.below(3) as u8, bill(&mut rng, terms.impression));
        touch(time, Contact::Impression, user, creative, cost);
    }
}
