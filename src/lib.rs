//! tidemill keeps the live picture of an e-commerce trading platform exact while events stream
//! in. This page is the map.
//!
//! # Flow
//!
//! ```text
//! files, stdin, generator ─ source ─ clean ─ clock ─┐ (stamped, shared batches of columns)
//!                                                   ├─ dedupe ─ queries (verbs) ─ collect ─ sinks
//!                         one feed per stream ──────┘
//! ```
//!
//! # Rooms
//!
//! | room | what | knows |
//! |---|---|---|
//! | [`event`], [`text`], [`batch`], [`value`], [`spreadsheet`], [`shown`] | records, rows and how text is written | nothing else |
//! | `hash` | the seed of tables in memory | nothing else |
//! | [`random`] | numbers from a seed, for experiments and tests | nothing else |
//! | [`zone`] | the shop's clock: its days and hours of the day | value |
//! | [`clock`] | stamps; the only place where a [`clock::Time`] is made | batches |
//! | [`monoid`] | pure algebra: what can be added and taken back | nothing else |
//! | [`operator`] | verbs on collections; timely's names stop here | clock, monoid, recommend |
//! | [`query`], [`queries`] | what a query is; the catalog | operator, value |
//! | [`recommend`] | what goes with what: pairs of items, the index that requests read, rankers | nothing else |
//! | [`source`], [`clean`] | blocks, parsing, cleaning, dead letters | files |
//! | [`files`] | files that are put in place whole | nothing else |
//! | [`config`] | parameters of queries and descriptions of sources, from a file and flags | query, source |
//! | [`serving`] | the index that requests read, fed by the dataflow | query, recommend, sink |
//! | [`sink`], [`plot`] | where views go | files |
//! | [`worker`] | joins dataflow and I/O: one way to build it, one loop that drives it | all |
//! | [`plan`] | from what is asked to a run: for the command line, the bench and any other program | all |
//! | [`lab`] | a made-up shop, and experiments: the bench, replays from memory, the evaluation of rankers | all |
//! | [`cli`] | subcommands | all |
//!
//! # Invariants
//!
//! - The same input gives the same bytes out, for any number of workers and processes.
//! - Every query equals its naive `answer` at every time (`tests/oracle.rs`).
//! - What is visible at a time reflects exactly the records stamped up to it, in all views.
//! - `queries`, `operator` and `monoid` touch no file, socket, thread, clock or randomness;
//!   `monoid` does not import timely.
//! - The order of a table in memory is that of a number drawn by each process: nothing may show it.
//! - Money is integer; floats appear when a row is read, and never in a diff.
//! - What is not sealed has touched no state, and every state can be written down as what it adds up
//!   from and taken back by another number of workers (`tests/restore.rs`).
//! - Every state has a bound, written next to it.
//! - No `unsafe`, but in the replay log's second codec (`source/replay_log/abomonation.rs`), which
//!   is behind a cargo feature and says why it is sound there.
//!
//! Deliberately absent: joins of requests into the dataflow, loops, a second clock.

#![deny(unsafe_code)]
#![warn(missing_docs)]

// `record!` names the crate from inside and outside alike.
extern crate self as tidemill;

pub mod batch;
pub mod clean;
pub mod cli;
pub mod clock;
pub mod config;
pub mod error;
pub mod event;
pub mod files;
pub(crate) mod hash;
pub mod lab;
pub mod monoid;
pub mod operator;
pub mod plan;
pub mod plot;
#[path = "../queries/mod.rs"]
pub mod queries;
pub mod query;
pub mod random;
pub mod recommend;
pub mod serving;
pub mod shown;
pub mod sink;
pub mod source;
pub mod spreadsheet;
pub mod text;
pub mod value;
pub mod worker;
pub mod zone;
