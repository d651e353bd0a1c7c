//! The catalog with other parameters than its own.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use tidemill::clock::{Millis, Tick};
use tidemill::queries::ads::frequency_cap::FrequencyCap;
use tidemill::queries::behavior::behavior_by_hour_of_day::BehaviorByHourOfDay;
use tidemill::queries::behavior::trending_items::TrendingItems;
use tidemill::queries::configured;
use tidemill::queries::logistics::logistics_by_hour_of_day::LogisticsByHourOfDay;
use tidemill::queries::mining::bought_together::BoughtTogether;
use tidemill::queries::mining::frequent_itemsets::FrequentItemsets;
use tidemill::queries::mining::inventory_alerts::InventoryAlerts;
use tidemill::queries::monitor::anomalies::Anomalies;
use tidemill::queries::recommend::ad_targets::AdTargets;
use tidemill::queries::recommend::trending_for_category::TrendingForCategory;
use tidemill::queries::recommend::user_recommendations::UserRecommendations;
use tidemill::queries::risk::merchant_health::MerchantHealth;
use tidemill::queries::sales::transactions_by_hour_of_day::TransactionsByHourOfDay;
use tidemill::query::AnyQuery;
use tidemill::value::Money;
use tidemill::worker::reads;
use tidemill::zone::Zone;

/// Queries with other parameters than the catalog's, where those would not come into play in the
/// few hours of a history.
pub fn tuned() -> Vec<Arc<dyn AnyQuery>> {
    let trending = TrendingItems {
        k: 3,
        least: 1,
        prior: 2,
        recent: Millis::minutes(40),
        baseline: Millis::minutes(90),
    };
    let stock = InventoryAlerts {
        window: Millis::minutes(90),
        lead: Millis::minutes(60),
        buffer: Millis::minutes(10),
    };
    // Half an hour beside the hours of UTC, and another day for a part of each.
    let zone = || Zone::from_str("Asia/Kolkata").expect("a zone");
    let targets = AdTargets {
        cap: NonZeroU32::MIN.saturating_add(1),
        span: Millis::minutes(50),
        budget: Money(1_200_000),
        zone: zone(),
    };
    vec![
        Arc::new(super::books::Books),
        Arc::new(targets),
        Arc::new(MerchantHealth { zone: zone() }),
        Arc::new(TransactionsByHourOfDay { zone: zone() }),
        Arc::new(BehaviorByHourOfDay { zone: zone() }),
        Arc::new(LogisticsByHourOfDay { zone: zone() }),
        Arc::new(FrequencyCap { cap: 2, zone: zone() }),
        Arc::new(Anomalies { days: 3, baseline: 1, limit: 1000, zone: zone() }),
        Arc::new(UserRecommendations { active: Millis::minutes(50), refresh: Millis::minutes(30) }),
        Arc::new(TrendingForCategory { span: Millis::minutes(50) }),
        Arc::new(trending),
        Arc::new(BoughtTogether { most: 3, least: 1, top: 5 }),
        Arc::new(FrequentItemsets { most: 4, least: 2, top: 5 }),
        Arc::new(stock),
    ]
}

/// The catalog with parameters that make it say something, and with others, as far as they can be
/// asked at this tick.
pub fn all(tick: Tick) -> Vec<Arc<dyn AnyQuery>> {
    let catalog = configured(&super::settings()).expect("the parameters are good");
    let fits = |query: &Arc<dyn AnyQuery>| reads(&**query).between_ticks(tick).is_none();
    catalog.into_iter().map(|(_, query)| query).chain(tuned()).filter(fits).collect()
}
