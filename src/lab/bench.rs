//! Experiments with verified results, as `tidemill bench` makes them.
//!
//! Each writes a row to a CSV in its directory, so that figures can be followed over commits, and
//! draws a picture. A run whose views differ from those of one worker is an error, not a figure.

pub mod chaos;
pub mod knee;
pub mod latencies;
pub mod measure;
pub mod offer;
pub mod pool;
pub mod process;
pub mod progress;
pub mod reading;
pub mod sheet;
pub mod workload;
