//! The parameters in use.
//!
//! Chosen with `eval tune` on three folds, streaming, with the reminder: valid (1,121
//! predictions) and the last two days of train (2,894 and 3,026). Of a flat region the
//! round and the cheap values were taken; rho and beta give up .001 MRR for .003 HR. At
//! these values, MRR@20 and HR@20 on valid: pairs .3989 .7136, VMIS-kNN .3734 .6815,
//! blend .3979 .7101; pairs on the days of train: .4289 .7104 and .3969 .6709.
//!
//! What moved the scores (mean MRR over the folds, one parameter at a time): leaving out
//! the current item .337 to .408; reminder weight .4 to 1.2 .393 to .408; its rho .4 to
//! .7 .402 to .408; backward .2 to 1 .398 to .409; beta 0 to .2 .404 to .409; fade .4 to
//! .9 .403 to .410, no fading .408. Flat: alpha, keep from 20 on, last from 3 on, rho up
//! to .3 (HR grows with it), m and k of VMIS-kNN from 50 on. The blend is no better than
//! the pairs at any weight, and .001 to .002 lower up to a weight of .3.

use super::blend::{Options, Ranker, Reminder};
use super::knn::KnnOptions;
use super::model::ModelOptions;
use super::neighbours::Reading;
use super::pairs::{Bucket, Buckets};
use super::score::PairOptions;

/// The indices.
pub const MODEL: ModelOptions = ModelOptions {
    buckets: Buckets::WEEK,
    reading: Reading {
        keep: 50,
        fade: 0.9,
        backward: 1.0,
        // The week of 2020-01-02: weights stay within a float for centuries around it.
        origin: Bucket(2609),
    },
    sessions_per_item: 100,
};

/// The weight of VMIS-kNN in the blend.
pub const BLEND: Ranker = Ranker::Blend(0.2);

/// The reminder.
pub const REMINDER: Reminder = Reminder { weight: 1.2, rho: 0.7, skip_current: true };

/// Twenty items by `ranker`, with the reminder.
pub const fn options(ranker: Ranker) -> Options {
    Options {
        ranker,
        pairs: PairOptions { last: 4, rho: 0.2, backward: 1.0, alpha: 0.5, beta: 0.2 },
        knn: KnnOptions { last: 2, recent: 100, neighbours: 50 },
        reminder: Some(REMINDER),
        n: 20,
    }
}
