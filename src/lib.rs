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
//! From the ground up: a room imports only from those above it in this table, so there are no
//! circles. A test keeps the table and the imports so (`tests/tidy.rs`).
//!
//! | floor | room | what |
//! |---|---|---|
//! | 0 | [`error`] | what can go wrong with a run; each room adds its own |
//! | 0 | [`text`] | short texts |
//! | 0 | [`value`] | the cells of a row |
//! | 0 | [`schema`] | the fields that records are made of |
//! | 0 | [`time`] | stream time |
//! | 0 | [`batch`] | records as columns, with their stamps |
//! | 0 | `lock` | locks that a panic does not poison |
//! | 0 | [`clock`] | stamps, by event time or by arrival; the only place where a [`clock::Time`] is made |
//! | 0 | [`event`] | the streams, and a record as a row |
//! | 0 | [`zone`] | the shop's clock: its days and hours of the day |
//! | 0 | `hash` | the seed of tables in memory |
//! | 0 | [`random`] | numbers from a seed, for experiments and tests |
//! | 0 | [`near`] | the name that was meant |
//! | 0 | [`shown`], [`spreadsheet`] | text of others on a terminal and in a spreadsheet |
//! | 0 | [`secret`] | what is named and never said |
//! | 0 | [`files`] | files that are put in place whole |
//! | 0 | [`description`] | what a run was started with, to be compared |
//! | 0 | [`tell`] | who is told what a person should know while a run goes on |
//! | 1 | [`monoid`] | pure algebra: what can be added and taken back |
//! | 2 | [`recommend`] | what goes with what: pairs of items, the index that requests read, rankers |
//! | 2 | [`operator`] | verbs on collections; timely's names stop here |
//! | 2 | [`query`] | what a query is, its parameters, and the history that answers read |
//! | 3 | [`queries`] | the catalog |
//! | 4 | [`clean`], [`source`] | blocks, parsing, cleaning, dead letters |
//! | 4 | [`config`] | parameters and descriptions of sources in a file |
//! | 4 | [`plot`], [`sink`] | where views go |
//! | 5 | [`checkpoint`] | what a run writes down so that a later one can go on from there |
//! | 5 | [`serving`] | the index that requests read, fed by the dataflow |
//! | 5 | [`worker`] | joins dataflow and I/O: one way to build it, one loop that drives it |
//! | 5 | [`serve`] | the views over HTTP: an index, requests that read it, subscriptions |
//! | 5 | [`plan`] | from what is asked to a run: for the command line, the bench and any other program |
//! | 6 | [`lab`] | a made-up shop, and experiments: the bench, replays from memory, the evaluation of rankers |
//! | 7 | [`cli`] | subcommands |
//!
//! # Invariants
//!
//! - The same input gives the same bytes out, for any number of workers and processes.
//! - Every query equals its naive `answer` at every time (`tests/oracle.rs`).
//! - What is visible at a time reflects exactly the records stamped up to it, in all views.
//! - `queries`, `operator` and `monoid` touch no file, socket, thread, clock or randomness;
//!   `monoid` does not import timely.
//! - The process is ended by `main.rs` alone.
//! - The order of a table in memory is that of a number drawn by each process: nothing may show it.
//! - Money is integer; floats appear when a row is read, and never in a diff.
//! - What is not sealed has touched no state, and every state can be written down as what it adds up
//!   from and taken back by another number of workers (`tests/restore.rs`).
//! - A run that keeps its state, killed anywhere and started again with any number of workers, writes
//!   the bytes of a run that was never touched (`tests/state.rs`), on a disk that loses or tears what
//!   was not synced (`checkpoint`).
//! - Every state has a bound, written next to it.
//! - No `unsafe`, but in the replay log's second codec (`source/replay_log/abomonation.rs`), which
//!   is behind a cargo feature and says why it is sound there.
//! - When what goes on arrived is written down before it is visible, so that a replay tells the same
//!   (`tests/live.rs`).
//!
//! Deliberately absent: joins of requests into the dataflow, loops.

#![deny(unsafe_code)]
#![warn(missing_docs)]

// `record!` names the crate from inside and outside alike.
extern crate self as tidemill;

pub mod batch;
pub mod checkpoint;
pub mod clean;
pub mod cli;
pub mod clock;
pub mod config;
pub mod description;
pub mod error;
pub mod event;
pub mod files;
pub(crate) mod hash;
pub mod lab;
pub(crate) mod lock;
pub mod monoid;
pub mod near;
pub mod operator;
pub mod plan;
pub mod plot;
#[path = "../queries/mod.rs"]
pub mod queries;
pub mod query;
pub mod random;
pub mod recommend;
pub mod schema;
pub mod secret;
pub mod serve;
pub mod serving;
pub mod shown;
pub mod sink;
pub mod source;
pub mod spreadsheet;
pub mod tell;
pub mod text;
pub mod time;
pub mod value;
pub mod worker;
pub mod zone;
