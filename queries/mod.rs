//! The catalog: one line per query, in the order in which they are listed.
//!
//! To add a query, write one file beside its siblings and add its line here. That alone gives it
//! the command line, the sinks, the oracle test and the bench.

use crate::config::Settings;
use crate::error::Error;
use crate::query::{AnyQuery, Query};
use std::sync::Arc;

fn configured<Q: Query + Default>(settings: &Settings) -> Result<Arc<dyn AnyQuery>, Error> {
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

        /// Every query there is, with the area it belongs to and the parameters given for it.
        pub fn catalog(settings: &Settings) -> Result<Vec<(&'static str, Arc<dyn AnyQuery>)>, Error> {
            let list = vec![$($(
                (stringify!($area), configured::<$area::$module::$query>(settings)?),
            )*)*];
            let names: Vec<&str> = list.iter().map(|(_, query)| query.name()).collect();
            settings.only(&names)?;
            Ok(list)
        }
    };
}

catalog! {
    behavior {
        hourly_behavior::HourlyBehavior,
        behavior_by_hour_of_day::BehaviorByHourOfDay,
    }
    sales {
        hourly_transactions::HourlyTransactions,
        transactions_by_hour_of_day::TransactionsByHourOfDay,
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
    }
    monitor {
        security_alerts::SecurityAlerts,
        stream_health::StreamHealth,
        anomalies::Anomalies,
    }
    mining {
        hourly_correlation::HourlyCorrelation,
    }
}
