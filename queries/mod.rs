//! The catalog: one line per query, in the order in which they are listed.
//!
//! To add a query, write one file beside its siblings and add its line here. That alone gives it
//! the command line, the sinks, the oracle test and the bench.

use crate::query::AnyQuery;
use std::sync::Arc;

macro_rules! catalog {
    ($($area:ident { $($module:ident :: $query:ident,)* })*) => {
        $(
            #[doc = concat!("Queries of the area `", stringify!($area), "`.")]
            pub mod $area { $(pub mod $module;)* }
        )*

        /// Every query there is, with the area it belongs to.
        pub fn catalog() -> Vec<(&'static str, Arc<dyn AnyQuery>)> {
            vec![$($(
                (stringify!($area), Arc::new(<$area::$module::$query>::default()) as Arc<dyn AnyQuery>),
            )*)*]
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
    }
    logistics {
        hourly_logistics::HourlyLogistics,
        logistics_by_hour_of_day::LogisticsByHourOfDay,
    }
    mining {
        hourly_correlation::HourlyCorrelation,
    }
}
