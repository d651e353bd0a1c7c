//! The catalog: one line per query, in the order in which they are listed.
//!
//! To add a query, write one file beside its siblings and add its line here. That alone gives it
//! the command line, the sinks, the oracle test and the bench.

use crate::error::Error;
use crate::query::{AnyQuery, Query, Settings};
use std::sync::Arc;

/// A query with the parameters it has unless told otherwise.
fn with_defaults<Q: Query + Default>() -> Arc<dyn AnyQuery> {
    Arc::new(Q::default())
}

/// A query with the parameters that were given.
fn with<Q: Query + Default>(settings: &Settings) -> Result<Arc<dyn AnyQuery>, Error> {
    let mut query = Q::default();
    query.configure(settings)?;
    Ok(Arc::new(query))
}

macro_rules! catalog {
    ($($area:ident { $($module:ident :: $query:ident,)* })*) => {
        $(
            #[doc = concat!("Queries of the area `", stringify!($area), "`.")]
            pub mod $area { $(pub mod $module;)* }
        )*

        /// Every query there is, with the area it belongs to.
        pub fn catalog() -> Vec<(&'static str, Arc<dyn AnyQuery>)> {
            vec![$($(
                (stringify!($area), with_defaults::<$area::$module::$query>()),
            )*)*]
        }

        /// The catalog with the parameters that were given; refuses those that there are not.
        pub fn configured(
            settings: &Settings,
        ) -> Result<Vec<(&'static str, Arc<dyn AnyQuery>)>, Error> {
            let list = vec![$($((stringify!($area), with::<$area::$module::$query>(settings)?),)*)*];
            settings.only(&list.iter().map(|(_, query)| query.name()).collect::<Vec<_>>())?;
            Ok(list)
        }
    };
}

catalog! {
    behavior {
        hourly_behavior::HourlyBehavior,
        behavior_by_hour_of_day::BehaviorByHourOfDay,
        sessions::Sessions,
        funnel_hourly::FunnelHourly,
        cart_abandonment::CartAbandonment,
        active_users_hourly::ActiveUsersHourly,
        trending_items::TrendingItems,
        user_profile::UserProfile,
    }
    sales {
        hourly_transactions::HourlyTransactions,
        transactions_by_hour_of_day::TransactionsByHourOfDay,
        top_items_hourly::TopItemsHourly,
    }
    risk {
        velocity::Velocity,
        risk_decisions::RiskDecisions,
        risk_decisions_at_time::RiskDecisionsAtTime,
        merchant_health::MerchantHealth,
    }
    logistics {
        hourly_logistics::HourlyLogistics,
        logistics_by_hour_of_day::LogisticsByHourOfDay,
        delivery_performance::DeliveryPerformance,
        carrier_scorecard::CarrierScorecard,
        carrier_choice::CarrierChoice,
        sla_watch::SlaWatch,
        warehouse_dwell::WarehouseDwell,
    }
    ads {
        campaign_hourly::CampaignHourly,
        frequency_cap::FrequencyCap,
        attribution::Attribution,
    }
    monitor {
        security_alerts::SecurityAlerts,
        stream_health::StreamHealth,
        anomalies::Anomalies,
    }
    mining {
        hourly_correlation::HourlyCorrelation,
        bought_together::BoughtTogether,
        frequent_itemsets::FrequentItemsets,
        rfm_segments::RfmSegments,
        inventory_alerts::InventoryAlerts,
        stock_outs::StockOuts,
    }
    recommend {
        similar_items::SimilarItems,
        trending_for_category::TrendingForCategory,
        user_recommendations::UserRecommendations,
        ad_targets::AdTargets,
    }
}
